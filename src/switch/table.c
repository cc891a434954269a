// SPDX-License-Identifier: BSD-3-Clause
// Networks and ports by id. Control thread. A port's address is pinned in the MAC table as long as the port
// exists, connected or not, so that frames for it are never flooded.
#include "base/cleanup.h"
#include "base/log.h"
#include "switch/spoof.h"
#include "switch/switch.h"
#include "switch/trunk.h"

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Regions of memory, a descriptor each, that most front ends stay below.
#define REGIONS_USUAL 4

static const char *const drop_text[DROP_COUNT] = {
	[DROP_SHORT] = "short",
	[DROP_LONG] = "long",
	[DROP_SOURCE] = "source_address",
	[DROP_SOURCE_IP] = "source_ip",
	[DROP_ARP] = "arp",
	[DROP_ND] = "nd",
	[DROP_MTU] = "mtu",
	[DROP_OFFLOAD] = "offload",
	[DROP_FLOOD] = "flood_rate",
	[DROP_LOCAL] = "same_port",
	[DROP_MEMORY] = "memory_lost",
	[DROP_NO_PORT] = "no_port",
	[DROP_DOWN] = "port_down",
	[DROP_FULL] = "ring_full",
	[DROP_BUFFER] = "buffer_too_small",
	[DROP_RATE] = "rate",
};

_Static_assert(DROP_COUNT <= WIRE_DROPS_MAX, "every reason fits a stats message");

const char *drop_reason_text(enum drop_reason reason)
{
	return drop_text[reason];
}

struct network *table_network(struct switch_state *sw, uint32_t id)
{
	struct network *network = sw->networks;
	while (network && network->spec.network < id)
		network = network->next;
	return network && network->spec.network == id ? network : NULL;
}

static struct port **bucket(struct switch_state *sw, uint32_t id)
{
	return &sw->by_id[id % SWITCH_ID_BUCKETS]; // ringwayd counts.
}

struct port *table_port(struct switch_state *sw, uint32_t id)
{
	struct port *port = *bucket(sw, id);
	while (port && port->spec.port != id)
		port = port->next_hash;
	return port;
}

struct port *table_port_after(struct switch_state *sw, uint32_t id)
{
	struct port *port = table_port(sw, id);
	if (port)
		return port->next;
	port = sw->ports;
	while (port && port->spec.port <= id)
		port = port->next;
	return port;
}

int table_add_network(struct switch_state *sw, const struct wire_network *spec, struct rwy_err *err)
{
	if (table_network(sw, spec->network))
		return err_set(
			err,
			-EEXIST,
			"cannot add network '%s': number %u is in use",
			spec->name,
			spec->network
		);
	if (spec->network == 0 || spec->mtu == 0)
		return err_set(
			err, -EINVAL, "cannot add network '%s': no number or MTU", spec->name
		);
	uint16_t slot = 1;
	while (slot <= WIRE_NETWORKS_MAX && sw->slot[slot])
		slot++;
	struct network *network = slot <= WIRE_NETWORKS_MAX ? calloc(1, sizeof(*network)) : NULL;
	if (!network)
		return err_set(
			err,
			-ENOSPC,
			"cannot add network '%s': the switch has %u of at most %d",
			spec->name,
			sw->network_count,
			WIRE_NETWORKS_MAX
		);
	network->spec = *spec;
	network->slot = slot;
	sw->slot[slot] = network;
	struct network **at = &sw->networks;
	while (*at && (*at)->spec.network < spec->network)
		at = &(*at)->next;
	network->next = *at;
	*at = network;
	sw->network_count++;
	return 0;
}

int table_remove_network(struct switch_state *sw, uint32_t id, struct rwy_err *err)
{
	struct network **at = &sw->networks;
	while (*at && (*at)->spec.network != id)
		at = &(*at)->next;
	struct network *network = *at;
	if (!network)
		return err_set(err, -ENOENT, "cannot remove network %u: there is none", id);
	if (network->port_count)
		return err_set(
			err,
			-EBUSY,
			"cannot remove network '%s': it has %u ports",
			network->spec.name,
			network->port_count
		);
	*at = network->next;
	sw->slot[network->slot] = NULL;
	sw->network_count--;
	free(network->flood);
	free(network);
	return 0;
}

static int check_port(struct switch_state *sw, const struct wire_port *spec, struct rwy_err *err)
{
	if (table_port(sw, spec->port))
		return err_set(
			err,
			-EEXIST,
			"cannot add port '%s': number %u is in use",
			spec->name,
			spec->port
		);
	if (!table_network(sw, spec->network))
		return err_set(
			err,
			-ENOENT,
			"cannot add port '%s': no network %u",
			spec->name,
			spec->network
		);
	if (sw->port_count >= WIRE_PORTS_MAX)
		return err_set(
			err,
			-ENOSPC,
			"cannot add port '%s': the switch has all of its %d ports",
			spec->name,
			WIRE_PORTS_MAX
		);
	if (spec->port == 0 || spec->queues == 0 || spec->queues > VHOST_QUEUE_PAIRS_MAX)
		return err_set(
			err,
			-EINVAL,
			"cannot add port '%s': queue pairs must be 1 to %d",
			spec->name,
			VHOST_QUEUE_PAIRS_MAX
		);
	struct spoof_check check;
	if (spoof_init(&check, spec))
		return err_set(
			err,
			-EINVAL,
			"cannot add port '%s': an address that it is pinned to is none",
			spec->name
		);
	if (spec->kind == WIRE_PORT_VHOST &&
	    (mac_is_multicast(spec->mac) || mac_is_zero(spec->mac)))
		return err_set(
			err,
			-EINVAL,
			"cannot add port '%s': its MAC is not a unicast address",
			spec->name
		);
	return 0;
}

// Mostly at the end: ringwayd's numbers grow.
static void link_port(struct switch_state *sw, struct port *port)
{
	struct port *before = sw->last_port;
	struct port **at = bucket(sw, port->spec.port);

	while (before && before->spec.port > port->spec.port)
		before = before->prev;
	port->prev = before;
	port->next = before ? before->next : sw->ports;
	*(before ? &before->next : &sw->ports) = port;
	*(port->next ? &port->next->prev : &sw->last_port) = port;
	port->next_hash = *at;
	*at = port;
	while (sw->table.slot[sw->next_slot])
		sw->next_slot = (sw->next_slot + 1) % WIRE_PORTS_MAX;
	port->slot = (uint16_t)sw->next_slot;
	// The next port gets another one, so that a stale event rarely finds somebody.
	sw->next_slot = (sw->next_slot + 1) % WIRE_PORTS_MAX;
	__atomic_store_n(&sw->table.slot[port->slot], port, __ATOMIC_RELEASE);
	sw->port_count++;
	port->network->port_count++;
}

static void unlink_port(struct switch_state *sw, struct port *port)
{
	struct port **at = bucket(sw, port->spec.port);

	while (*at != port)
		at = &(*at)->next_hash;
	*at = port->next_hash;
	*(port->prev ? &port->prev->next : &sw->ports) = port->next;
	*(port->next ? &port->next->prev : &sw->last_port) = port->prev;
	__atomic_store_n(&sw->table.slot[port->slot], NULL, __ATOMIC_RELEASE);
	sw->port_count--;
	port->network->port_count--;
}

static void free_port(struct port *port)
{
	portstate_unmap(port->saved);
	free(port->pair);
	free(port);
}

// Reads what the switch before left of a port that it had.
static void take_saved(struct switch_state *sw, struct port *port)
{
	const struct port_state *saved = port->saved;

	port->counters = port->saved->counters;
	if (sw->running)
		handover_own(sw, port);
	if (saved->quarantined) {
		port->state = WIRE_PORT_QUARANTINED;
		memcpy(port->reason, saved->reason, sizeof(port->reason));
	} else if (port->spec.quarantine[0]) {
		port->state = WIRE_PORT_QUARANTINED;
		memcpy(port->reason, port->spec.quarantine, sizeof(port->reason));
		portstate_note_quarantine(port->saved, port->reason);
	}
	for (uint32_t i = 0; port->spec.learning && i < saved->learned_count; i++)
		fdb_learn(
			sw->fdb,
			fdb_key(port->network->slot, saved->learned[i]),
			port,
			switch_seconds(sw)
		);
}

static struct port *make_port(struct switch_state *sw, const struct wire_port *spec)
{
	struct port *port = calloc(1, sizeof(*port));
	size_t pairs_size = sizeof(struct port_pair) * spec->queues;

	if (!port)
		return NULL;
	port->pair = aligned_alloc(64, pairs_size);
	if (!port->pair) {
		free(port);
		return NULL;
	}
	memset(port->pair, 0, pairs_size);
	for (uint16_t i = 0; i < spec->queues; i++) {
		port->pair[i].burst = TURN_BURST_FIRST;
		port->pair[i].worker = PORT_NO_WORKER;
		port->pair[i].watched_fd = -1;
	}
	port->sw = sw;
	port->spec = *spec;
	port->network = table_network(sw, spec->network);
	if (spec->kind == WIRE_PORT_VHOST)
		port->mac_key = fdb_key(port->network->slot, spec->mac);
	(void)spoof_init(&port->check, spec); // Checked before.
	port->listener_fd = port->saved_fd = -1;
	limits_init(&port->limits, &spec->limits, rte_get_tsc_hz(), rte_rdtsc());
	return port;
}

// Descriptors that a port's front end usually takes: listener, connection, two eventfds a ring, some regions of memory.
static uint64_t fds_of(const struct port *port)
{
	if (port->spec.kind == WIRE_PORT_TAP)
		return port->spec.queues;
	return 2 + 4ull * port->spec.queues + REGIONS_USUAL;
}

// Says once that more ports were added than there may be descriptors for; those that do not fit cannot connect.
static void check_fds(struct switch_state *sw)
{
	if (sw->fds_warned || sw->fds_limit == 0 || sw->fds_wanted <= sw->fds_limit)
		return;
	sw->fds_warned = true;
	log_warn(
		"%u ports may need %llu descriptors, and this process may have %llu: raise the hard limit of open files (LimitNOFILE=)",
		sw->port_count,
		(unsigned long long)sw->fds_wanted,
		(unsigned long long)sw->fds_limit
	);
}

// The port with its memory, its address pinned.
static int new_port(
	struct switch_state *sw,
	const struct wire_port *spec,
	int saved_fd,
	struct port **ret_port,
	struct rwy_err *err
)
{
	struct port *port = make_port(sw, spec);
	if (!port) {
		(void)err_set(err, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	int r = portstate_map(saved_fd, &port->saved, err);
	if (r == 0 && port->mac_key) {
		r = fdb_pin(sw->fdb, port->mac_key, port);
		if (r)
			err_set(err,
				r,
				"%s",
				r == -EEXIST ? "its MAC is taken on this network"
					     : "the MAC table is full");
	}
	if (r)
		free_port(port);
	else
		*ret_port = port;
	return r;
}

int table_add_port(
	struct switch_state *sw,
	const struct wire_port *spec,
	int saved_fd,
	int listener_fd,
	struct rwy_err *err
)
{
	struct port *port = NULL;
	int r = check_port(sw, spec, err);
	if (r)
		return r;
	r = new_port(sw, spec, saved_fd, &port, err);
	if (r) {
		(void)err_prefix(err, "cannot add port '%s': ", spec->name); // Only adds text.
		return r;
	}
	port->saved_fd = saved_fd;
	port->listener_fd = listener_fd;
	link_port(sw, port);
	take_saved(sw, port);
	sw->fds_wanted += fds_of(port);
	check_fds(sw);
	return 0;
}

int table_set_limits(struct switch_state *sw, const struct wire_port *spec, struct rwy_err *err)
{
	struct port *port = table_port(sw, spec->port);
	if (!port)
		return err_set(err, -ENOENT, "cannot change port %u: there is none", spec->port);
	// Frames go on meanwhile, for a moment without limits.
	limits_stop(&port->limits);
	rte_rcu_qsbr_synchronize(sw->qsbr, RTE_QSBR_THRID_INVALID);
	limits_init(&port->limits, &spec->limits, rte_get_tsc_hz(), rte_rdtsc());
	port->spec.limits = spec->limits;
	if (port->spec.kind == WIRE_PORT_TAP)
		__atomic_store_n(&port->spec.allow_spoof, spec->allow_spoof, __ATOMIC_RELAXED);
	return 0;
}

int table_remove_port(struct switch_state *sw, uint32_t id, struct rwy_err *err)
{
	struct port *port = table_port(sw, id);
	if (!port)
		return err_set(err, -ENOENT, "cannot remove port %u: there is none", id);
	attach_close(sw, port);
	trunk_close(sw, port);
	stations_forget_port(sw->stations, port);
	unlink_port(sw, port);
	sw->fds_wanted -= fds_of(port);
	fdb_forget_port(sw->fdb, port);
	assign_wait(sw); // A worker may have it from its slot.
	// Only kept; nothing to do about a failing close.
	fd_close(&port->listener_fd);
	fd_close(&port->saved_fd);
	free_port(port);
	return 0;
}
