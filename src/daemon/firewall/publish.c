// SPDX-License-Identifier: BSD-3-Clause
// What a published port asks for: its words, its families, its network. Pure; any thread.
#include "daemon/firewall/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

const char *publish_protocol(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	default:
		return NULL;
	}
}

bool publish_is_address(unsigned int family, const char *text)
{
	uint8_t bytes[16];
	return inet_pton(family ? AF_INET6 : AF_INET, text, bytes) == 1;
}

static bool is_any(const char *host_ip)
{
	return !host_ip[0] || strcmp(host_ip, "0.0.0.0") == 0 || strcmp(host_ip, "::") == 0;
}

// The address of the host that cannot be published on, by the kernel's rules.
static int check_host_ip(const struct firewall_publish *publish, unsigned int family)
{
	struct in6_addr address;
	if (!publish_is_address(family, publish->host_ip))
		return -EINVAL;
	if (!family)
		return 0;
	// It was an address a moment ago.
	(void)inet_pton(AF_INET6, publish->host_ip, &address);
	return IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_LINKLOCAL(&address) ? -EOPNOTSUPP : 0;
}

static int check_container(
	const struct firewall_publish *publish,
	const char *words,
	struct rwy_err *err
)
{
	const char *const addresses[2] = {publish->address, publish->address6};
	if (!publish_protocol(publish->proto))
		return err_set(err, -EINVAL, "cannot publish port %s: it has no ports", words);
	if (!publish->container_port)
		return err_set(err, -EINVAL, "cannot publish port %s: to no port", words);
	for (unsigned int family = 0; family < 2; family++)
		if (addresses[family][0] && !publish_is_address(family, addresses[family]))
			return err_set(
				err,
				-EINVAL,
				"cannot publish port %s: the container's '%.45s' is no address",
				words,
				addresses[family]
			);
	if (!addresses[0][0] && !addresses[1][0])
		return err_set(
			err, -EINVAL, "cannot publish port %s: the container has no address", words
		);
	return 0;
}

int publish_families(
	const struct firewall_publish *publish,
	struct publish_families *ret,
	struct rwy_err *err
)
{
	char words[PUBLISH_WORDS_SIZE];
	bool has[2] = {publish->address[0], publish->address6[0]};
	bool any = is_any(publish->host_ip);
	publish_words(publish, words);
	int r = check_container(publish, words, err);
	if (r)
		return r;
	if (!publish->host_ip[0]) {
		*ret = (struct publish_families){any, {has[0], has[1]}};
		return 0;
	}
	unsigned int family = strchr(publish->host_ip, ':') ? 1 : 0;
	r = check_host_ip(publish, family);
	if (r == -EINVAL)
		return err_set(
			err, r, "cannot publish port %s: the host's part is no address", words
		);
	if (r) {
		err_set(err, -EINVAL, "cannot publish port %s: no kernel translates it", words);
		return err_hint(err, "publish on 127.0.0.1, or on no address in particular");
	}
	if (!has[family])
		return err_set(
			err,
			-EINVAL,
			"cannot publish port %s: the container has no IPv%s address",
			words,
			family ? "6" : "4"
		);
	*ret = (struct publish_families){any, {!family, family}};
	return 0;
}

void publish_words(const struct firewall_publish *publish, char ret_words[PUBLISH_WORDS_SIZE])
{
	char address[FIREWALL_ADDRESS_SIZE + 3] = "";
	char range[8] = "";
	uint16_t port = publish->bound ? publish->bound : publish->host_port;
	const char *name = publish_protocol(publish->proto);
	// All fit.
	if (!is_any(publish->host_ip))
		(void)snprintf(
			address,
			sizeof(address),
			strchr(publish->host_ip, ':') ? "[%.45s]:" : "%.45s:",
			publish->host_ip
		);
	if (!publish->bound && publish->host_port_end > port && port)
		(void)snprintf(range, sizeof(range), "-%u", publish->host_port_end);
	if (name)
		(void
		)snprintf(ret_words, PUBLISH_WORDS_SIZE, "%s%u%s/%s", address, port, range, name);
	else
		(void)snprintf(
			ret_words,
			PUBLISH_WORDS_SIZE,
			"%s%u%s/protocol %u",
			address,
			port,
			range,
			publish->proto
		);
}

const struct firewall_network *publish_network(
	const struct firewall_publish *publish,
	const struct firewall_network *networks,
	size_t network_count
)
{
	for (size_t i = 0; i < network_count; i++)
		if (networks[i].id == publish->network)
			return networks[i].internal ? NULL : &networks[i];
	return NULL;
}
