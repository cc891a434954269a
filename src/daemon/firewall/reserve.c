// SPDX-License-Identifier: BSD-3-Clause
// Ports of the host that are taken for published ports. Whoever holds the service's lock. A bound socket without
// SO_REUSEADDR is enough to keep everybody else away, and the kernel picks no such port for a connection of its own.
// It does not listen: what is not translated (::1) is refused at once instead of being accepted by nobody.
#include "daemon/firewall/reserve.h"

#include "base/cleanup.h"
#include "daemon/firewall/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FREE_FIRST 32768 // Where the kernel's range cannot be read.
#define FREE_LAST 60999

struct span {
	uint16_t first;
	uint16_t last;
};

static int open_socket(int family, uint8_t proto)
{
	int type = proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(family, type | SOCK_CLOEXEC, proto);
	if (fd < 0)
		return -errno;
	return fd;
}

// Nobody reads a reservation of UDP, so nothing is kept for it.
static void drop_datagrams(int fd)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &drop};
	// Without it, what comes fills the socket's buffer once.
	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int bind_one(const struct firewall_publish *publish, unsigned int family, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	int only = 1;
	_cleanup_close_ int fd = open_socket(family ? AF_INET6 : AF_INET, publish->proto);
	if (fd < 0)
		return fd;
	if (publish->host_ip[0] &&
	    inet_pton(
		    family ? AF_INET6 : AF_INET,
		    publish->host_ip,
		    family ? (void *)&six.sin6_addr : (void *)&four.sin_addr
	    ) != 1)
		return -EINVAL;
	if (family && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)))
		return -errno;
	if (publish->proto == IPPROTO_UDP)
		drop_datagrams(fd);
	const struct sockaddr *address =
		family ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	if (bind(fd, address, family ? sizeof(six) : sizeof(four)))
		return -errno;
	return fd_take(&fd);
}

static bool is_same_address(const struct firewall_publish *a, const struct firewall_publish *b)
{
	struct publish_families of_a;
	struct publish_families of_b;
	if (publish_families(a, &of_a, NULL) || publish_families(b, &of_b, NULL))
		return false;
	bool shared = (of_a.family[0] && of_b.family[0]) || (of_a.family[1] && of_b.family[1]);
	return shared && (of_a.any || of_b.any || strcmp(a->host_ip, b->host_ip) == 0);
}

// SCTP, which a kernel may translate without having sockets of it, has nothing else that says it is taken.
static bool is_taken(
	const struct reservations *reservations,
	const struct firewall_publish *publish,
	uint16_t port
)
{
	for (size_t i = 0; i < reservations->count; i++) {
		const struct firewall_publish *other = &reservations->list[i].publish;
		if (other->proto == publish->proto && other->bound == port &&
		    is_same_address(other, publish))
			return true;
	}
	return false;
}

static bool has_no_sockets(uint8_t proto, int code)
{
	return proto == IPPROTO_SCTP && (code == -EPROTONOSUPPORT || code == -ESOCKTNOSUPPORT);
}

// The same port in all families, or none.
static int bind_all(
	const struct reservations *reservations,
	const struct firewall_publish *publish,
	const struct publish_families *families,
	uint16_t port,
	int ret_fds[2]
)
{
	int fds[2] = {-1, -1};
	if (is_taken(reservations, publish, port))
		return -EADDRINUSE;
	for (unsigned int family = 0; family < 2; family++) {
		if (!families->family[family])
			continue;
		// "0.0.0.0" and "::" say nothing more to bind() than no address does.
		fds[family] = bind_one(publish, family, port);
		if (fds[family] >= 0 || has_no_sockets(publish->proto, fds[family]))
			continue;
		int r = fds[family];
		if (family)
			fd_close(&fds[0]);
		return r;
	}
	memcpy(ret_fds, fds, sizeof(fds));
	return 0;
}

static struct span free_span(void)
{
	struct span span = {FREE_FIRST, FREE_LAST};
	char text[32];
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	if (!file)
		return span;
	if (fgets(text, sizeof(text), file)) {
		char *end;
		unsigned long first = strtoul(text, &end, 10);
		unsigned long last = strtoul(end, NULL, 10);
		if (first && first <= last && last <= UINT16_MAX)
			span = (struct span){(uint16_t)first, (uint16_t)last};
	}
	(void)fclose(file); // It was only read.
	return span;
}

static int pick(
	struct reservations *reservations,
	const struct firewall_publish *publish,
	const struct publish_families *families,
	struct reservation *ret
)
{
	struct span span = {publish->host_port, publish->host_port};
	if (!publish->host_port)
		span = free_span();
	else if (publish->host_port_end)
		span.last = publish->host_port_end;
	uint32_t count = (uint32_t)span.last - span.first + 1;
	uint32_t offset = 0;
	// A port that was let go of is not given to the next one at once: its clients may not know yet.
	if (!publish->host_port && reservations->next_free > span.first)
		offset = ((uint32_t)reservations->next_free - span.first) % count;
	int r = -EADDRINUSE;
	for (uint32_t i = 0; i < count && r == -EADDRINUSE; i++) {
		uint16_t port = (uint16_t)(span.first + (offset + i) % count);
		r = bind_all(reservations, publish, families, port, ret->fds);
		if (!r)
			ret->publish.bound = port;
	}
	if (!r && !publish->host_port)
		reservations->next_free = (uint16_t)(ret->publish.bound + 1);
	return r;
}

static int refuse(const struct firewall_publish *publish, int code, struct rwy_err *err)
{
	char text[PUBLISH_WORDS_SIZE];
	publish_words(publish, text);
	switch (code) {
	case -EADDRINUSE:
		if (!publish->host_port)
			return err_set(
				err, code, "cannot publish a port: all free ports are in use"
			);
		if (publish->host_port_end > publish->host_port)
			return err_set(err, code, "cannot publish port %s: all are in use", text);
		err_set(err, code, "cannot publish port %s: in use", text);
		return err_hint(
			err,
			"`ss -anp sport = :%u` and `ringway port ls` tell by whom",
			publish->host_port
		);
	case -EADDRNOTAVAIL:
		err_set(err, code, "cannot publish port %s: the host has no such address", text);
		return err_hint(err, "`ip address` lists those it has");
	default:
		return err_set(err, code, "cannot publish port %s: %s", text, strerror(-code));
	}
}

int reservations_add(
	struct reservations *reservations,
	struct firewall_publish *io,
	struct rwy_err *err
)
{
	struct publish_families families;
	struct reservation found = {.publish = *io, .fds = {-1, -1}};
	found.publish.bound = 0;
	int r = publish_families(&found.publish, &families, err);
	if (r)
		return r;
	if (io->host_port_end && io->host_port_end < io->host_port)
		return refuse(&found.publish, -EINVAL, err);
	struct reservation *list =
		reallocarray(reservations->list, reservations->count + 1, sizeof(*list));
	if (!list)
		return refuse(&found.publish, -ENOMEM, err);
	reservations->list = list;
	r = pick(reservations, &found.publish, &families, &found);
	if (r)
		return refuse(&found.publish, r, err);
	list[reservations->count++] = found;
	io->bound = found.publish.bound;
	return 0;
}

static void let_go(struct reservation *reservation)
{
	fd_close(&reservation->fds[0]);
	fd_close(&reservation->fds[1]);
}

void reservations_remove(struct reservations *reservations, uint32_t port_id)
{
	size_t kept = 0;
	for (size_t i = 0; i < reservations->count; i++) {
		if (reservations->list[i].publish.port == port_id)
			let_go(&reservations->list[i]);
		else
			reservations->list[kept++] = reservations->list[i];
	}
	reservations->count = kept;
}

void reservations_fini(struct reservations *reservations)
{
	for (size_t i = 0; i < reservations->count; i++)
		let_go(&reservations->list[i]);
	free(reservations->list);
	*reservations = (struct reservations){0};
}
