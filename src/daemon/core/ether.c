// SPDX-License-Identifier: BSD-3-Clause
// Ether ports: ports of the switch whose front end is an uplink's process. Any thread, under the lock.
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"
#include "wire/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHER_WAIT_MS 3000

// The interface of a kernel port in the host's namespace, which leads to a network already.
static bool has_interface(const struct port *port, const char *name, uint64_t own)
{
	return port_is_kernel(port) &&
		(strcmp(port->info.ifname_host, name) == 0 ||
		 (own && port->info.netns_inode == own && strcmp(port->info.spec.ifname, name) == 0)
		);
}

// The interface's name in what a user wrote; NULL: it has none. `buffer` may hold it.
static const char *read_interface(const char *device, char buffer[UPLINK_IFACE_SIZE])
{
	static const char *const prefixes[] = {"xdp:", "packet:"};
	char address[UPLINK_PCI_SIZE];
	if (uplink_read_iface(device, buffer) == 0)
		return buffer;
	if (strncmp(device, "net_", strlen("net_")) == 0 || uplink_read_pci(device, address))
		return NULL;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(device, prefixes[i], strlen(prefixes[i])) == 0)
			return device + strlen(prefixes[i]);
	return device;
}

static int check_not_ours(const struct daemon *d, const char *device, struct rwy_err *err)
{
	const struct port *port;
	char buffer[UPLINK_IFACE_SIZE];
	const uint64_t own = namespace_own_inode();
	const char *name = read_interface(device, buffer);
	if (!name)
		return 0;
	TAILQ_FOREACH (port, &d->ports, entry) {
		if (!has_interface(port, name, own))
			continue;
		(void)err_set(
			err,
			-EINVAL,
			"cannot use device '%s': interface '%s' is port '%s' of network '%s'",
			device,
			name,
			port->info.spec.name,
			port->network->info.spec.name
		);
		return err_hint(
			err, "an uplink leads out of Ringway: give an interface of the host's"
		);
	}
	return 0;
}

int ether_attach(struct daemon *d, struct port *port, bool must_exist, struct rwy_err *err)
{
	const struct port_spec *spec = &port->info.spec;
	struct uplink_port to = {
		.id = port->info.id,
		.vlan = spec->vlan,
		.mtu = port->network->info.spec.mtu,
		.queues = spec->queues,
	};
	if (!d->uplinks)
		return err_set(
			err, -ENOSYS, "there are no ether ports here: %s", d->uplinks_reason
		);
	_Static_assert(sizeof(to.name) == NAME_SIZE, "names differ");
	_Static_assert(
		sizeof(to.device) == PATH_TEXT_SIZE && sizeof(to.socket) == PATH_TEXT_SIZE,
		"paths differ"
	);
	(void)memcpy(to.name, spec->name, sizeof(to.name));
	(void)memcpy(to.device, spec->device, sizeof(to.device));
	(void)memcpy(to.socket, port->info.socket, sizeof(to.socket));
	(void)memcpy(to.mac, spec->mac, MAC_SIZE);
	int r = must_exist ? check_not_ours(d, spec->device, err) : 0;
	if (!r)
		r = uplinks_attach(d->uplinks, &to, must_exist, err);
	port->attached = !r;
	return r;
}

int ether_bring_up(struct daemon *d, struct port *port, struct rwy_err *err)
{
	int r = function_uplink_take(d, port, err);
	if (r)
		return r < 0 ? r : 0;
	return ether_attach(d, port, true, err);
}

// Until the function of its device is taken, and the port attached.
static int wait_for_function(struct daemon *d, uint32_t id, struct rwy_err *err)
{
	const int64_t until = daemon_now_ms() + FUNCTION_WAIT_MS;
	struct port *port = daemon_find_port_id(d, id);
	if (!port || port->attached)
		return 0;
	port->taking = calloc(1, sizeof(*port->taking));
	if (!port->taking)
		return err_set(err, -ENOMEM, "no memory");
	while ((port = daemon_find_port_id(d, id)) && !port->taking->done &&
	       functions_wait(d, until))
		;
	if (!port)
		return err_set(err, -ENOENT, "it was removed meanwhile");
	int r = port->taking->done
		? port->taking->result
		: err_set(err, -ETIMEDOUT, "its device takes too long to be taken");
	if (port->taking->done && r && err)
		*err = port->taking->err;
	free(port->taking);
	port->taking = NULL;
	return r;
}

int ether_wait(struct daemon *d, uint32_t id, struct rwy_err *err)
{
	int before = wait_for_function(d, id, err);
	if (before)
		return before;
	// The uplink's connection is taken by the main thread, which needs the lock for it.
	service_unlock(d);
	int r = uplinks_wait(d->uplinks, id, ETHER_WAIT_MS, err);
	service_lock(d);
	if (daemon_find_port_id(d, id))
		return r;
	return err_set(err, -ENOENT, "it was removed meanwhile");
}

void ether_detach(struct daemon *d, struct port *port)
{
	if (port->attached && d->uplinks)
		(void)uplinks_detach(d->uplinks, port->info.id, NULL); // Gone is what it should be.
	port->attached = false;
	function_uplink_release(d, port);
}

void ether_resume(struct daemon *d)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err err = {0};
		if (!port_is_ether(port) || port->attached || port->state != STORE_READY)
			continue;
		int r = function_uplink_take(d, port, &err);
		if (!r)
			r = ether_attach(d, port, false, &err);
		if (r < 0)
			log_err(&err, "port '%s'", port->info.spec.name);
	}
	if (d->uplinks && !d->uplinks_settled)
		uplinks_settle(d->uplinks);
	d->uplinks_settled = true;
}
