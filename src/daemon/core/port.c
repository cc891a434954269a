// SPDX-License-Identifier: BSD-3-Clause
// Ports of service.h. Any thread, under the lock.
#include "base/log.h"
#include "daemon/core/daemon.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <time.h>

void port_fill(const struct port *port, struct port_info *ret_info)
{
	const struct network_spec *spec = &port->network->info.spec;
	*ret_info = port->info;
	(void)memcpy(ret_info->spec.network, spec->name, sizeof(spec->name));
	(void)memcpy(ret_info->gateway, spec->gateway, sizeof(spec->gateway));
	(void)memcpy(ret_info->gateway6, spec->gateway6, sizeof(spec->gateway6));
	ret_info->mtu = spec->mtu;
	ret_info->internal = spec->internal;
}

void port_place(const struct port_spec *spec, char ret_place[NAME_SIZE], char ret_socket[16])
{
	// Both fit: names and keys are shorter than NAME_SIZE, the index was checked.
	(void)snprintf(ret_place, NAME_SIZE, "%s", spec->key[0] ? spec->key : spec->name);
	if (spec->key[0])
		(void)snprintf(ret_socket, 16, "net%u", spec->index);
	else
		(void)snprintf(ret_socket, 16, "vhost");
}

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

static struct port *find_endpoint(struct daemon *d, const char *endpoint_id)
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
	if (d->port_count < WIRE_PORTS_MAX)
		return 0;
	err_set(err,
		-ENOSPC,
		"cannot create port '%s': %d ports are the limit of a switch",
		spec->name,
		WIRE_PORTS_MAX);
	return err_hint(err, "remove ports that nobody needs");
}

// Fills in and checks spec, and frees what a forgotten endpoint holds.
static int check_new(
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
	if (!r && strcmp(spec->attach, "vhost") != 0)
		r =
			err_set(err,
				-EOPNOTSUPP,
				"cannot create port '%s': this ringwayd makes no %s ports",
				spec->name,
				spec->attach);
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

// Listens, tells the switch, notes that it is done; undoes what it did when a step fails.
static int bring_up(struct daemon *d, struct port *port, struct rwy_err *err)
{
	int r = accept_open(d, port, err);
	if (r)
		return r;
	r = reconcile_port_add(d, port, err);
	if (!r)
		r = store_port_set_state(d->store, port->info.id, STORE_READY, err);
	if (!r) {
		port->state = STORE_READY;
		return 0;
	}
	(void)reconcile_del(d, WIRE_PORT_DEL, port->info.id, NULL); // Perhaps it never had it.
	accept_close(d, port, true);
	return r;
}

int service_port_add(
	struct daemon *d,
	const struct port_spec *spec,
	struct port_info *ret,
	struct rwy_err *err
)
{
	struct network *network = NULL;
	struct port_info info = {
		.spec = *spec,
		.created = time(NULL),
		.created_ms = daemon_now_ms(),
	};
	int r = link_wait(d->link, DAEMON_WAIT_MS, err);
	if (r)
		return err_prefix(err, "cannot create port '%s': ", spec->name);
	struct port *port = find_endpoint(d, spec->endpoint_id);
	if (port) {
		port_fill(port, ret);
		return 0;
	}
	r = check_new(d, &info.spec, &network, err);
	if (!r)
		r = store_port_insert(d->store, network->info.id, &info, err);
	if (r)
		return r;
	port = daemon_keep_port(d, network, &info, STORE_CREATING);
	if (!port) {
		(void)store_port_delete(d->store, info.id, NULL); // `creating`: undone at start.
		return err_set(err, -ENOMEM, "cannot create port: no memory");
	}
	r = bring_up(d, port, err);
	if (!r) {
		port_fill(port, ret);
		return 0;
	}
	daemon_drop_port(d, port);
	(void)store_port_delete(d->store, info.id, NULL);
	return err_prefix(err, "cannot create port '%s': ", info.spec.name);
}

static int not_found(const char *name, struct rwy_err *err)
{
	err_set(err, -ENOENT, "there is no port '%.80s'", name);
	err_hint(err, "`ringway port ls` lists those there are");
	return -ENOENT;
}

int service_port_get(struct daemon *d, const char *name, struct port_info *ret, struct rwy_err *err)
{
	const struct port *port = daemon_find_port(d, name);
	if (!port)
		return not_found(name, err);
	port_fill(port, ret);
	return 0;
}

int service_port_by_endpoint(
	struct daemon *d,
	const char *endpoint_id,
	struct port_info *ret,
	struct rwy_err *err
)
{
	const struct port *port = find_endpoint(d, endpoint_id);
	if (!port)
		return err_set(err, -ENOENT, "there is no endpoint '%.64s'", endpoint_id);
	port_fill(port, ret);
	return 0;
}

int service_port_set_sandbox(
	struct daemon *d,
	uint32_t id,
	const char *sandbox,
	bool seen,
	struct rwy_err *err
)
{
	struct port *port = daemon_find_port_id(d, id);
	if (!port)
		return err_set(err, -ENOENT, "there is no port with the id %u", id);
	if (strlen(sandbox) >= sizeof(port->info.sandbox))
		return err_set(err, -EINVAL, "the sandbox '%.80s..' is too long", sandbox);
	int r = store_port_set_sandbox(d->store, id, sandbox, seen, err);
	if (r)
		return r;
	(void)snprintf(port->info.sandbox, sizeof(port->info.sandbox), "%s", sandbox); // It fits.
	port->info.sandbox_seen = seen;
	return 0;
}

// Writes the limits to the store, then to the switch, and back if that fails.
static int set_limits(
	struct daemon *d,
	struct port *port,
	const struct port_limits *limits,
	struct rwy_err *err
)
{
	const struct port_limits before = port->info.spec.limits;
	int r = store_port_set_limits(d->store, port->info.id, limits, err);
	if (r)
		return r;
	port->info.spec.limits = *limits;
	r = reconcile_port_set(d, port, err);
	if (!r)
		return 0;
	port->info.spec.limits = before;
	// A switch that may have acted all the same is compared with the intent (link_take_doubt()).
	(void)store_port_set_limits(d->store, port->info.id, &before, NULL);
	return r;
}

int service_port_set_limits(
	struct daemon *d,
	const char *name,
	const struct port_limits_given *given,
	struct port_info *ret,
	struct rwy_err *err
)
{
	int r = link_wait(d->link, DAEMON_WAIT_MS, err);
	if (r)
		return err_prefix(err, "cannot change port '%.80s': ", name);
	struct port *port = daemon_find_port(d, name);
	if (!port)
		return not_found(name, err);
	struct port_limits limits = port->info.spec.limits;
	port_limits_apply(&limits, given);
	r = port_limits_check(&limits, err);
	if (!r)
		r = set_limits(d, port, &limits, err);
	if (r)
		return err_prefix(err, "cannot change port '%.80s': ", name);
	port_fill(port, ret);
	return 0;
}

int port_remove(struct daemon *d, struct port *port, struct rwy_err *err)
{
	uint32_t id = port->info.id;
	int r = store_port_set_state(d->store, id, STORE_REMOVING, err);
	if (r)
		return r;
	port->state = STORE_REMOVING;
	// Nobody may connect any more, then the switch lets go. It may be absent: what the next
	// one is told does not have this port.
	accept_close(d, port, true);
	(void)reconcile_del(d, WIRE_PORT_DEL, id, NULL);
	r = store_port_delete(d->store, id, err);
	if (!r)
		daemon_drop_port(d, port);
	return r;
}

int service_port_remove(struct daemon *d, const char *name, struct rwy_err *err)
{
	struct port *port = daemon_find_port(d, name);
	return port ? port_remove(d, port, err) : not_found(name, err);
}

void service_each_port(struct daemon *d, port_visit *visit, void *arg)
{
	const struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct port_info info;
		port_fill(port, &info);
		visit(arg, &info);
	}
}
