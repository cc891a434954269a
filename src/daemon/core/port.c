// SPDX-License-Identifier: BSD-3-Clause
// Ports of service.h. Any thread, under the lock.
#include "base/cleanup.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"
#include "daemon/model/functions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void port_fill(const struct daemon *d, const struct port *port, struct port_info *ret_info)
{
	const struct network_spec *spec = &port->network->info.spec;
	*ret_info = port->info;
	(void)memcpy(ret_info->spec.network, spec->name, sizeof(spec->name));
	(void)memcpy(ret_info->gateway, spec->gateway, sizeof(spec->gateway));
	(void)memcpy(ret_info->gateway6, spec->gateway6, sizeof(spec->gateway6));
	ret_info->mtu = spec->mtu;
	ret_info->internal = spec->internal;
	if (port_is_kernel(port))
		ret_info->state = kernel_state(d, port);
	else if (port_is_vf(port))
		vf_fill(d, port, ret_info);
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

// What a port of the switch has, in the reverse order of bring_up_vhost().
static void take_down_vhost(struct daemon *d, struct port *port)
{
	ether_detach(d, port);
	station_remove(d, port);
	// Nobody may connect any more, then the switch lets go. It may be absent: what the next one is told does not
	// have this port.
	accept_close(d, port, true);
	(void)reconcile_del(d, WIRE_PORT_DEL, port->info.id, NULL);
}

// Listens and tells the switch, and the uplink of an ether port.
static int bring_up_vhost(struct daemon *d, struct port *port, struct rwy_err *err)
{
	int r = accept_open(d, port, err);
	if (r)
		return r;
	r = reconcile_port_add(d, port, err);
	if (!r)
		r = trunk_ensure(d, port->network, err);
	if (!r)
		r = station_add(d, port, err);
	if (!r && port_is_ether(port))
		r = ether_bring_up(d, port, err);
	if (r)
		take_down_vhost(d, port);
	return r;
}

static void take_down(struct daemon *d, struct port *port)
{
	if (port_is_kernel(port))
		kernel_take_down(d, port);
	else
		take_down_vhost(d, port);
}

// Does what the row says, notes that it is done; undoes what it did when a step fails.
static int bring_up(struct daemon *d, struct port *port, bool wait, struct rwy_err *err)
{
	uint32_t id = port->info.id;
	int r = port_is_kernel(port) ? kernel_bring_up(d, port, err) : bring_up_vhost(d, port, err);
	if (r)
		return r;
	if (wait && port_is_ether(port))
		r = ether_wait(d, id, err);
	if (r && !daemon_find_port_id(d, id))
		return -ENOENT;
	if (!r)
		r = store_port_set_state(d->store, id, STORE_READY, err);
	if (!r) {
		port->state = STORE_READY;
		return 0;
	}
	take_down(d, port);
	return r;
}

int port_make(
	struct daemon *d,
	const struct port_spec *spec,
	int netns_fd,
	bool wait,
	struct port_info *ret,
	struct rwy_err *err
)
{
	_cleanup_close_ int netns = netns_fd;
	struct network *network = NULL;
	struct port_info info = {
		.spec = *spec,
		.created = time(NULL),
		.created_ms = daemon_now_ms(),
		.netns_inode = namespace_inode(netns_fd),
	};
	int r = port_check_new(d, &info.spec, &network, err);
	if (!r)
		r = store_port_insert(d->store, network->info.id, &info, err);
	if (r)
		return r;
	struct port *port = daemon_keep_port(d, network, &info, STORE_CREATING);
	if (!port) {
		store_port_delete(d->store, info.id);
		return err_set(err, -ENOMEM, "cannot create port: no memory");
	}
	port->netns_fd = fd_take(&netns);
	r = bring_up(d, port, wait, err);
	// Whoever removed it while nobody had the lock has undone everything.
	bool gone = !daemon_find_port_id(d, info.id);
	if (!gone)
		fd_close(&port->netns_fd);
	if (!r) {
		port_fill(d, port, ret);
		return 0;
	}
	if (!gone) {
		daemon_drop_port(d, port);
		store_port_delete(d->store, info.id);
	}
	return err_prefix(err, "cannot create port '%s': ", info.spec.name);
}

// Opened at once, so that it is the one that was asked for, whatever becomes of its path.
static int open_netns(const struct port_spec *spec, int *ret_fd, struct rwy_err *err)
{
	bool interface =
		strcmp(spec->attach, "kernel") == 0 || strcmp(spec->attach, "vf-kernel") == 0;
	if (!interface || spec->netns[0] != '/')
		return 0; // None, or one that the checks refuse.
	return namespace_open(spec->netns, ret_fd, err);
}

int service_port_add(
	struct daemon *d,
	const struct port_spec *spec,
	struct port_info *ret,
	struct rwy_err *err
)
{
	_cleanup_close_ int netns = -1;
	bool function = model_is_function_port(spec);
	int r = open_netns(spec, &netns, err);
	if (!r && !function)
		r = link_wait(d->link, DAEMON_WAIT_MS, err);
	if (r)
		return err_prefix(err, "cannot create port '%s': ", spec->name);
	struct port *port = port_find_endpoint(d, spec->endpoint_id);
	if (port) {
		port_fill(d, port, ret);
		return 0;
	}
	if (function)
		return vf_make(d, spec, netns, ret, err);
	return port_make(d, spec, fd_take(&netns), true, ret, err);
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
	port_fill(d, port, ret);
	return 0;
}

int service_port_by_endpoint(
	struct daemon *d,
	const char *endpoint_id,
	struct port_info *ret,
	struct rwy_err *err
)
{
	const struct port *port = port_find_endpoint(d, endpoint_id);
	if (!port)
		return err_set(err, -ENOENT, "there is no endpoint '%.64s'", endpoint_id);
	port_fill(d, port, ret);
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
	if (port_is_vf(port))
		functions_kick(d);
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
	if (port_is_vf(port))
		r = vf_set_limits(d, port, err);
	else
		r = port_is_kernel(port) ? kernel_set_limits(d, port, err)
					 : reconcile_port_set(d, port, err);
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
	if (!r && port_is_vf(port))
		r = model_check_function_limits(&limits, err);
	if (!r)
		r = set_limits(d, port, &limits, err);
	if (r)
		return err_prefix(err, "cannot change port '%.80s': ", name);
	port_fill(d, port, ret);
	return 0;
}

// Whether a start would remove the port, by what the store has.
static bool has_intent(const struct port *port)
{
	return port->state != STORE_READY ||
		(port->info.spec.of_network && port->network->state != STORE_READY);
}

int port_remove(struct daemon *d, struct port *port, struct rwy_err *err)
{
	uint32_t id = port->info.id;
	if (port_is_vf(port))
		return vf_remove(d, port, err);
	int r = has_intent(port) ? 0 : store_port_set_state(d->store, id, STORE_REMOVING, err);
	if (r)
		return r;
	port->state = STORE_REMOVING;
	publish_forget(d, port);
	take_down(d, port);
	store_port_delete(d->store, id);
	daemon_drop_port(d, port);
	return 0;
}

int service_port_remove(struct daemon *d, const char *name, struct rwy_err *err)
{
	struct port *port = daemon_find_port(d, name);
	if (!port)
		return not_found(name, err);
	if (port->info.spec.of_network) {
		err_set(err, -EPERM, "cannot remove port '%s': it belongs to its network", name);
		return err_hint(err, "it goes with the network");
	}
	if (port->info.with[0]) {
		err_set(err, -EPERM, "cannot remove port '%s': it was made with another", name);
		return err_hint(err, "it goes with port '%s'", port->info.with);
	}
	return port_remove(d, port, err);
}

void service_each_port(struct daemon *d, port_visit *visit, void *arg)
{
	const struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct port_info info;
		port_fill(d, port, &info);
		visit(arg, &info);
	}
}
