// SPDX-License-Identifier: BSD-3-Clause
// Trunks, by which a network's kernel ports reach its ports of the switch, and stations: who is where. A trunk's queues
// are opened once and kept, so that the next switch gets the same. Any thread, under the lock.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// The values are the same by contract: what the TAP took is what the switch is told.
_Static_assert(
	HOST_OFFLOAD_CSUM == WIRE_OFFLOAD_CSUM && HOST_OFFLOAD_TSO4 == WIRE_OFFLOAD_TSO4 &&
		HOST_OFFLOAD_TSO6 == WIRE_OFFLOAD_TSO6 && HOST_OFFLOAD_ECN == WIRE_OFFLOAD_ECN &&
		HOST_OFFLOAD_USO == WIRE_OFFLOAD_USO,
	"offloads differ"
);
_Static_assert(HOST_QUEUES_MAX >= WIRE_QUEUES_MAX, "a trunk has fewer queues than its port");

void address_only(const char *text, char ret_address[ADDR_TEXT_SIZE])
{
	(void)snprintf( // Fits: a part of a text of this size.
		ret_address,
		ADDR_TEXT_SIZE,
		"%.*s",
		(int)strcspn(text, "/"),
		text
	);
}

bool trunk_is_wanted(const struct daemon *d, const struct network *network)
{
	const struct port *port;
	bool kernel = false;
	bool other = false;
	TAILQ_FOREACH (port, &d->ports, entry) {
		if (port->network != network || port->state == STORE_REMOVING)
			continue;
		kernel = kernel || port_is_kernel(port);
		other = other || port_is_switched(port);
	}
	// Without the host's layer what the switch has stays, and nothing is added.
	return kernel && other && (d->host || network->trunk || network->trunk_queues);
}

// Whether a kernel port of the network may send from addresses that are no port's.
static bool has_strangers(const struct daemon *d, const struct network *network)
{
	const struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		const struct port_spec *spec = &port->info.spec;
		if (port->network == network && port->state != STORE_REMOVING &&
		    port_is_kernel(port) && (spec->learning || spec->allow_spoof))
			return true;
	}
	return false;
}

void trunk_fill(const struct daemon *d, const struct network *network, struct wire_port *ret)
{
	*ret = (struct wire_port){
		.port = WIRE_TRUNK_ID(network->info.id),
		.network = network->info.id,
		.kind = WIRE_PORT_TAP,
		.queues = (uint16_t)network->trunk_queues,
		.offloads = network->trunk_offloads,
		.allow_spoof = has_strangers(d, network),
	};
	// For people only, in the switch's log.
	(void)snprintf(ret->name, sizeof(ret->name), "network-%u.trunk", network->info.id);
}

void trunk_close(struct network *network)
{
	for (uint32_t i = 0; i < network->trunk_queues; i++)
		fd_close(&network->trunk_fds[i]);
	network->trunk_queues = 0;
	keep_fini(&network->trunk_keep);
}

static int open_queues(struct daemon *d, struct network *network, struct rwy_err *err)
{
	uint32_t queues = d->workers;
	if (network->trunk_queues)
		return 0;
	int r = host_trunk_open(
		d->host, network->info.id, queues, network->trunk_fds, &network->trunk_offloads, err
	);
	if (!r)
		network->trunk_queues = queues;
	return r;
}

int trunk_msg(
	struct daemon *d,
	struct network *network,
	struct wire_msg **ret_msg,
	struct rwy_err *err
)
{
	int r = open_queues(d, network, err);
	if (!r)
		r = keep_ensure_state(&network->trunk_keep, link_hello(d->link), err);
	if (r)
		return r;
	struct wire_msg *msg = link_msg(d->link, WIRE_PORT_ADD);
	trunk_fill(d, network, &msg->args.port);
	msg->args.port.has_state = network->trunk_keep.state >= 0;
	if (msg->args.port.has_state)
		msg->fds[msg->fd_count++] = network->trunk_keep.state;
	for (uint32_t i = 0; i < network->trunk_queues; i++)
		msg->fds[msg->fd_count++] = network->trunk_fds[i];
	*ret_msg = msg;
	return 0;
}

// Takes the reply to WIRE_PORT_FDS: queues that an earlier ringwayd opened.
static void take_queues(
	struct network *network,
	struct wire_msg *reply,
	const struct wire_hello *hello
)
{
	const struct wire_kept *kept = &reply->args.kept;
	uint32_t first = (uint32_t)kept->has_state + kept->has_conn;
	uint32_t offloads = 0;
	if (!kept->id_count || kept->id_count > WIRE_QUEUES_MAX ||
	    host_trunk_offloads(reply->fds[first], &offloads))
		return;
	for (uint32_t i = 0; i < kept->id_count; i++)
		network->trunk_fds[i] = fd_take(&reply->fds[first + i]);
	network->trunk_queues = kept->id_count;
	network->trunk_offloads = offloads;
	keep_adopt(&network->trunk_keep, reply, hello);
}

void trunk_adopt(struct daemon *d, struct network *network)
{
	struct rwy_err err = {0};
	if (network->trunk_queues)
		return;
	struct wire_msg *msg = link_msg(d->link, WIRE_PORT_FDS);
	msg->args.ref.id = WIRE_TRUNK_ID(network->info.id);
	if (link_request(d->link, msg, &err)) {
		log_err(&err, "cannot keep the trunk of network '%s'", network->info.spec.name);
		return;
	}
	take_queues(network, msg, link_hello(d->link));
	wire_msg_close_fds(msg);
}

int trunk_give(struct daemon *d, struct network *network, struct rwy_err *err)
{
	struct wire_msg *msg = NULL;
	int r = trunk_msg(d, network, &msg, err);
	if (r)
		return r;
	r = link_request(d->link, msg, err);
	if (r && r != -EAGAIN) {
		// Refused: queues that nobody reads would be given frames.
		trunk_close(network);
		return r;
	}
	network->trunk = !r;
	return r;
}

int trunk_set(struct daemon *d, const struct network *network, struct rwy_err *err)
{
	struct wire_msg *msg = link_msg(d->link, WIRE_PORT_SET);
	trunk_fill(d, network, &msg->args.port);
	return link_request(d->link, msg, err);
}

static void fill_station(
	const struct daemon *d,
	const struct port *port,
	struct wire_station *station
)
{
	char address[ADDR_TEXT_SIZE];
	*station = (struct wire_station){
		.port = port_is_kernel(port) ? WIRE_TRUNK_ID(port->network->info.id)
					     : port->info.id,
		.network = port->network->info.id,
		.epoch = d->epoch,
	};
	(void)memcpy(station->mac, port->info.spec.mac, MAC_SIZE);
	address_only(port->info.spec.ip, address);
	(void)memcpy(station->ip, address, sizeof(station->ip)); // Without prefix they fit.
	address_only(port->info.spec.ip6, address);
	(void)memcpy(station->ip6, address, sizeof(station->ip6));
}

// Whether the switch has to know: who is behind its trunk, and whose addresses nobody else may claim.
static bool is_of_switch(const struct port *port)
{
	const struct port_spec *spec = &port->info.spec;
	if (port_is_vf(port))
		return false; // It is behind the uplink, with all others there.
	return port_is_kernel(port) ? port->network->trunk : spec->ip[0] || spec->ip6[0];
}

struct wire_msg *station_msg(struct daemon *d, const struct port *port)
{
	if (port->state != STORE_READY || !is_of_switch(port))
		return NULL;
	struct wire_msg *msg = link_msg(d->link, WIRE_STATION_ADD);
	fill_station(d, port, &msg->args.station);
	return msg;
}

static int tell_switch(struct daemon *d, const struct port *port, struct rwy_err *err)
{
	struct wire_msg *msg = link_msg(d->link, WIRE_STATION_ADD);
	fill_station(d, port, &msg->args.station);
	return link_request(d->link, msg, err);
}

static int tell_host(struct daemon *d, const struct port *port, struct rwy_err *err)
{
	char ip[ADDR_TEXT_SIZE];
	char ip6[ADDR_TEXT_SIZE];
	address_only(port->info.spec.ip, ip);
	address_only(port->info.spec.ip6, ip6);
	return host_station_add(d->host, port->network->info.id, port->info.spec.mac, ip, ip6, err);
}

int station_add(struct daemon *d, const struct port *port, struct rwy_err *err)
{
	int r = 0;
	if (is_of_switch(port))
		r = tell_switch(d, port, err);
	if (!r && d->host)
		r = tell_host(d, port, err);
	if (r)
		station_remove(d, port);
	return r;
}

void station_remove(struct daemon *d, const struct port *port)
{
	// What either did not have is fine, and what a switch keeps that does not answer is swept later.
	if (is_of_switch(port)) {
		struct wire_msg *msg = link_msg(d->link, WIRE_STATION_DEL);
		fill_station(d, port, &msg->args.station);
		(void)link_request(d->link, msg, NULL);
	}
	if (d->host)
		(void
		)host_station_remove(d->host, port->network->info.id, port->info.spec.mac, NULL);
}

int trunk_ensure(struct daemon *d, struct network *network, struct rwy_err *err)
{
	const struct port *port;
	if (!trunk_is_wanted(d, network))
		return 0;
	if (network->trunk)
		return has_strangers(d, network) ? trunk_set(d, network, err) : 0;
	int r = trunk_give(d, network, err);
	TAILQ_FOREACH (port, &d->ports, entry)
		if (!r && port->network == network && port_is_kernel(port))
			r = tell_switch(d, port, err);
	return r ? err_prefix(err, "cannot join the kernel's ports with the switch's: ") : 0;
}

bool trunk_note_broken(struct daemon *d, uint32_t id)
{
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry) {
		if (WIRE_TRUNK_ID(network->info.id) != id)
			continue;
		network->trunk_broken = true;
		return true;
	}
	return false;
}

void trunk_mend(struct daemon *d)
{
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry) {
		struct rwy_err err = {0};
		if (!network->trunk_broken)
			continue;
		log_warn("network '%s' has lost its trunk: opened anew", network->info.spec.name);
		(void)reconcile_del(d, WIRE_PORT_DEL, WIRE_TRUNK_ID(network->info.id), NULL);
		trunk_close(network);
		network->trunk = network->trunk_broken = false;
		if (trunk_ensure(d, network, &err))
			log_err(&err, "network '%s'", network->info.spec.name);
	}
}

// Removes from the kernel whom an earlier ringwayd had told it of.
static void keep_in_host(struct daemon *d, const struct network *network)
{
	const struct port *port;
	struct rwy_err err = {0};
	size_t count = 0;
	uint8_t(*macs)[MAC_SIZE] = calloc(d->port_count + 1, MAC_SIZE);
	if (!macs)
		return; // The next time, then.
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port->network == network && !port_is_vf(port))
			(void)memcpy(macs[count++], port->info.spec.mac, MAC_SIZE);
	if (host_station_keep(d->host, network->info.id, macs, count, &err))
		log_err(&err, "network '%s'", network->info.spec.name);
	free(macs);
}

static void sweep(struct daemon *d)
{
	struct rwy_err err = {0};
	struct wire_msg *msg = link_msg(d->link, WIRE_STATION_SWEEP);
	msg->args.epoch.epoch = d->epoch;
	if (link_request(d->link, msg, &err))
		log_err(&err, "cannot remove stations that are gone");
}

void station_sync(struct daemon *d)
{
	const struct port *port;
	const struct network *network;
	uint32_t before = d->epoch;
	do // Eight bytes or less are never cut, and the pool is ready.
		(void)!getrandom(&d->epoch, sizeof(d->epoch), 0);
	while (!d->epoch || d->epoch == before);
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err err = {0};
		if (port->state == STORE_READY && !port_is_vf(port) && station_add(d, port, &err))
			log_err(&err, "port '%s'", port->info.spec.name);
	}
	sweep(d);
	TAILQ_FOREACH (network, &d->networks, entry)
		if (d->host)
			keep_in_host(d, network);
}
