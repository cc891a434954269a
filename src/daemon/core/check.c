// SPDX-License-Identifier: BSD-3-Clause
// What a new port must find: its network, a free name, MAC, address and place. Any thread, under the lock.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

// Of ringwayd: for connections of the API, the store, the kernel; by itself; and a port's socket, state, connection, memory and
// eventfds.
#define DESCRIPTORS_KEPT 32
#define DESCRIPTORS_OWN 96
#define DESCRIPTORS_PORT 10

static bool mac_is_free(const struct daemon *d, const struct network *network, const uint8_t *mac)
{
	const struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port->network == network && memcmp(port->info.spec.mac, mac, MAC_SIZE) == 0)
			return false;
	return true;
}

static int make_mac(
	struct daemon *d,
	const struct network *network,
	uint8_t ret_mac[MAC_SIZE],
	struct rwy_err *err
)
{
	uint8_t mac[MAC_SIZE];
	do {
		if (getrandom(mac, sizeof(mac), 0) != sizeof(mac))
			return err_set(
				err, -EIO, "cannot make a MAC: no randomness: %s", strerror(errno)
			);
		mac[0] = 0x02; // Locally administered, unicast.
	} while (!mac_is_free(d, network, mac));
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

static int no_network(const struct port_spec *spec, struct rwy_err *err)
{
	err_set(err,
		-ENOENT,
		"cannot create port '%.80s': there is no network '%.80s'",
		spec->name,
		spec->network);
	err_hint(err, "`ringway network create` makes one, `ringway network ls` lists them");
	return -ENOENT;
}

int service_make_mac(
	struct daemon *d,
	const char *network,
	uint8_t ret_mac[MAC_SIZE],
	struct rwy_err *err
)
{
	const struct network *found = daemon_find_network(d, network);
	if (!found)
		return err_set(err, -ENOENT, "there is no network '%.80s'", network);
	return make_mac(d, found, ret_mac, err);
}

struct port *port_find_endpoint(struct daemon *d, const char *endpoint_id)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (endpoint_id[0] && strcmp(port->info.spec.endpoint_id, endpoint_id) == 0)
			return port;
	return NULL;
}

static bool same_place(const struct port_spec *a, const struct port_spec *b)
{
	return a->key[0] && strcmp(a->key, b->key) == 0 && a->index == b->index;
}

// Docker gives an address or a place to a new endpoint only when it has forgotten the old one.
static int remove_forgotten(
	struct daemon *d,
	const struct port_spec *spec,
	const struct network *network,
	struct rwy_err *err
)
{
	struct port *port = TAILQ_FIRST(&d->ports);
	while (port) {
		struct port *next = TAILQ_NEXT(port, entry);
		const struct port_spec *old = &port->info.spec;
		bool same_ip = (spec->ip[0] && strcmp(old->ip, spec->ip) == 0) ||
			(spec->ip6[0] && strcmp(old->ip6, spec->ip6) == 0);
		same_ip = same_ip && port->network == network;
		if (old->endpoint_id[0] && (same_ip || same_place(spec, old))) {
			log_info(
				"port '%s' was forgotten by Docker: '%s' takes its place",
				old->name,
				spec->name
			);
			int r = port_remove(d, port, err);
			if (r)
				return r;
			next = TAILQ_FIRST(&d->ports); // Others may have gone with it.
		}
		port = next;
	}
	return 0;
}

static int check_free(
	struct daemon *d,
	const struct port_spec *spec,
	const struct network *network,
	struct rwy_err *err
)
{
	const struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		const struct port_spec *other = &port->info.spec;
		int r = 0;
		if (strcmp(other->name, spec->name) == 0)
			return err_set(
				err,
				-EEXIST,
				"cannot create port '%s': there is one of this name",
				spec->name
			);
		if (same_place(spec, other))
			return err_set(
				err,
				-EEXIST,
				"cannot create port '%s': place %s has '%s' at index %u",
				spec->name,
				spec->key,
				other->name,
				spec->index
			);
		if (port->network == network)
			r = model_check_clash(spec, other, err);
		if (r)
			return r;
	}
	return 0;
}

bool check_descriptors_left(void)
{
	int fds[DESCRIPTORS_KEPT];
	int count = 0;
	bool enough = true;
	while (enough && count < DESCRIPTORS_KEPT) {
		fds[count] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
		if (fds[count] < 0)
			enough = errno != EMFILE; // Another failure is none of the port's.
		count++;
	}
	while (count > 0)
		fd_close(&fds[--count]);
	return enough;
}

// Whether all ports of the switch fit, with one more, when their front ends have connected.
static bool fits_limit(const struct daemon *d)
{
	const struct port *port;
	struct rlimit limit;
	rlim_t need = DESCRIPTORS_OWN + DESCRIPTORS_PORT;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port_is_switched(port))
			need += DESCRIPTORS_PORT;
	return getrlimit(RLIMIT_NOFILE, &limit) || need <= limit.rlim_cur;
}

static int check_descriptors(
	const struct daemon *d,
	const struct port_spec *spec,
	struct rwy_err *err
)
{
	bool switched = strcmp(spec->attach, "vhost") == 0 || strcmp(spec->attach, "ether") == 0;
	if (!switched || (fits_limit(d) && check_descriptors_left()))
		return 0;
	err_set(err,
		-ENOSPC,
		"cannot create port '%s': its connection may need more descriptors than ringwayd "
		"has left",
		spec->name);
	return err_hint(err, "raise the hard limit of open files (LimitNOFILE=), or remove ports");
}

static int check_places(struct daemon *d, const struct port_spec *spec, struct rwy_err *err)
{
	if (spec->key[0] && !daemon_find_container(d, spec->key))
		return err_set(
			err,
			-ENOENT,
			"cannot create port '%s': no container has the key '%s'",
			spec->name,
			spec->key
		);
	if (!spec->key[0] && daemon_find_container(d, spec->name))
		return err_set(
			err,
			-EEXIST,
			"cannot create port '%s': a container's place is called so",
			spec->name
		);
	if (strlen(spec->connect) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		err_set(err,
			-ENAMETOOLONG,
			"cannot create port '%s': the socket '%s' has %zu bytes, the limit is %zu",
			spec->name,
			spec->connect,
			strlen(spec->connect),
			sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return err_hint(err, "use a shorter path");
	}
	int r = check_descriptors(d, spec, err);
	if (r || d->port_count < WIRE_PORTS_MAX)
		return r;
	err_set(err,
		-ENOSPC,
		"cannot create port '%s': %d ports are the limit of a switch",
		spec->name,
		WIRE_PORTS_MAX);
	return err_hint(err, "remove ports that nobody needs");
}

int port_check_new(
	struct daemon *d,
	struct port_spec *spec,
	struct network **ret_network,
	struct rwy_err *err
)
{
	struct network *network = daemon_find_network(d, spec->network);
	if (!network)
		return no_network(spec, err);
	int r = model_check_port(spec, &network->info.spec, err);
	if (!r && network->state != STORE_READY && !spec->of_network)
		r =
			err_set(err,
				-EBUSY,
				"cannot create port '%s': network '%s' is being made or removed",
				spec->name,
				spec->network);
	if (!r && strcmp(spec->attach, "ether") == 0 && !spec->vlan)
		spec->vlan = network->info.spec.vlan;
	if (!r && spec->endpoint_id[0])
		r = remove_forgotten(d, spec, network, err);
	if (!r)
		r = check_places(d, spec, err);
	if (!r)
		r = check_free(d, spec, network, err);
	if (!r && mac_is_zero(spec->mac))
		r = make_mac(d, network, spec->mac, err);
	if (!r)
		*ret_network = network;
	return r;
}
