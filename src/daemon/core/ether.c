// SPDX-License-Identifier: BSD-3-Clause
// Ether ports: ports of the switch whose front end is an uplink's process. Any thread, under the lock.
#include "base/log.h"
#include "daemon/core/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ETHER_WAIT_MS 3000

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
	int r = uplinks_attach(d->uplinks, &to, must_exist, err);
	port->attached = !r;
	return r;
}

int ether_wait(struct daemon *d, uint32_t id, struct rwy_err *err)
{
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
}

void ether_resume(struct daemon *d)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err err = {0};
		if (!port_is_ether(port) || port->attached || port->state != STORE_READY)
			continue;
		if (ether_attach(d, port, false, &err))
			log_err(&err, "port '%s'", port->info.spec.name);
	}
	if (d->uplinks && !d->uplinks_settled)
		uplinks_settle(d->uplinks);
	d->uplinks_settled = true;
}
