// SPDX-License-Identifier: BSD-3-Clause
// Kernel ports: a veth pair and what the maps say of it. The entries are written before frames can come and taken away
// after none can any more; each step may be done again, so that a start after a crash finishes what was half done.
#include "daemon/host/internal.h"

#include <errno.h>
#include <netlink/addr.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PORT_PREFIX "kp"

void port_name(char ret_name[IFNAMSIZ], uint32_t id)
{
	(void)snprintf(ret_name, IFNAMSIZ, PORT_PREFIX "%u", id); // Twelve characters at most.
}

int port_slot(const struct host *host, uint32_t id)
{
	for (int i = 0; i < HOST_PORTS_MAX; i++) {
		if (host->port_ids[i] == id)
			return i;
	}
	return -ENOENT;
}

// Slots are used in turn, so that what still goes by an old port's number finds none.
static int free_slot(struct host *host, uint32_t id, struct rwy_err *err)
{
	for (uint32_t i = 0; i < HOST_PORTS_MAX; i++) {
		uint32_t slot = (host->next_slot + i) % HOST_PORTS_MAX;
		if (host->port_ids[slot])
			continue;
		host->next_slot = slot + 1;
		return (int)slot;
	}
	return err_set(
		err,
		-ENOSPC,
		"cannot add port %u: there are %d kernel ports already",
		id,
		HOST_PORTS_MAX
	);
}

static int set_pins(const struct host_port *port, struct maps_port *entry, struct rwy_err *err)
{
	int r = address_parse4(port->pin_ip, &entry->ip);
	int r6 = address_parse6(port->pin_ip6, entry->ip6);
	if (r == -EINVAL || r6 == -EINVAL)
		return err_set(
			err,
			-EINVAL,
			"cannot pin '%s' to port %u: it is no IP address",
			r == -EINVAL ? port->pin_ip : port->pin_ip6,
			port->id
		);
	entry->flags |= (r ? 0 : MAPS_PORT_IP) | (r6 ? 0 : MAPS_PORT_IP6) |
		(port->pin_address ? MAPS_PORT_PIN : 0);
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // Cannot fail with this clock.
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Buckets that stay as they are keep their level.
static int set_limits(
	struct host *host,
	uint32_t slot,
	const struct port_limits *wanted,
	struct maps_port *entry,
	struct rwy_err *err
)
{
	struct maps_limits before = {0}, limits = {0};
	int r = map_get(host, HOST_MAP_LIMITS, &slot, &before, err);
	if (r)
		return r;
	entry->flags |= buckets_set(limits.bucket, wanted, now_ns());
	if (buckets_equal(before.bucket, limits.bucket))
		return 0;
	return map_set(host, HOST_MAP_LIMITS, &slot, &limits, err);
}

static int check_mac(
	struct host *host,
	const struct host_port *port,
	uint32_t ifindex,
	struct rwy_err *err
)
{
	struct maps_mac key = {.network = port->network};
	uint32_t other = 0;
	memcpy(key.mac, port->mac, MAC_SIZE);
	int r = map_get(host, HOST_MAP_FDB, &key, &other, err);
	if (r == -ENOENT || (!r && other == ifindex))
		return 0;
	if (r)
		return r;
	return err_set(
		err,
		-EEXIST,
		"cannot add port %u: its MAC address is another kernel port's",
		port->id
	);
}

// Out of sight of other ports.
static int detach(
	struct host *host,
	uint32_t slot,
	const struct maps_port *entry,
	struct rwy_err *err
)
{
	uint32_t ifindex = MAPS_PORT_IFINDEX + slot, other = 0;
	struct maps_mac key = {.network = entry->network};
	memcpy(key.mac, entry->mac, MAC_SIZE);
	int r = map_get(host, HOST_MAP_FDB, &key, &other, err);
	if (!r && other == ifindex)
		r = map_delete(host, HOST_MAP_FDB, &key, err);
	if (r && r != -ENOENT)
		return r;
	return network_part(host, entry->network_slot, entry->member, ifindex, err);
}

// In sight of other ports: member of its network and known by its address.
static int attach(struct host *host, uint32_t slot, struct maps_port *entry, struct rwy_err *err)
{
	uint32_t ifindex = MAPS_PORT_IFINDEX + slot;
	struct maps_mac key = {.network = entry->network};
	memcpy(key.mac, entry->mac, MAC_SIZE);
	int r = network_join(host, entry->network_slot, ifindex, &entry->member, err);
	if (!r)
		r = map_set(host, HOST_MAP_PORTS, &slot, entry, err);
	return r ? r : map_set(host, HOST_MAP_FDB, &key, &ifindex, err);
}

static int set_link(
	struct host *host,
	uint32_t slot,
	const struct host_port *port,
	struct rwy_err *err
)
{
	char name[IFNAMSIZ];
	const struct links_veth veth = {
		.name = name,
		.peer = port->peer,
		.ifindex = MAPS_PORT_IFINDEX + slot,
		.mtu = port->mtu,
		.mac = port->mac,
	};
	struct rtnl_link *link = NULL;
	port_name(name, port->id);
	int r = netlink_get_link(host->own, name, &link, err);
	if (r == -ENODEV) {
		r = links_add_veth(host, &veth, err);
		if (!r)
			r = netlink_get_link_by_index(host->own, veth.ifindex, &link, err);
	}
	if (!r)
		r = program_attach(host, host->port_program, veth.ifindex, err);
	if (!r)
		r = netlink_set_up(host->own, link, true, err);
	rtnl_link_put(link);
	return r ? r : port_set_mtu(host, slot, port->mtu, err);
}

static int set_up(
	struct host *host,
	uint32_t slot,
	const struct host_port *port,
	struct maps_port *entry,
	struct rwy_err *err
)
{
	struct maps_port before;
	int r = map_get(host, HOST_MAP_PORTS, &slot, &before, err);
	if (r)
		return r;
	entry->member = before.member;
	entry->flags |= before.id == port->id ? before.flags & MAPS_PORT_DOWN : 0;
	if (before.id != port->id)
		r = counters_clear(host, slot, err);
	else if (before.network != entry->network || memcmp(before.mac, entry->mac, MAC_SIZE) != 0)
		r = detach(host, slot, &before, err);
	if (!r)
		r = set_limits(host, slot, &port->limits, entry, err);
	if (!r)
		r = map_set(host, HOST_MAP_PORTS, &slot, entry, err);
	if (r)
		return r;
	host->port_ids[slot] = port->id;
	r = set_link(host, slot, port, err);
	return r ? r : attach(host, slot, entry, err);
}

int host_port_add(struct host *host, const struct host_port *port, struct rwy_err *err)
{
	struct maps_port entry = {.id = port->id, .network = port->network};
	int network = network_slot(host, port->network, err);
	if (network < 0)
		return network;
	int slot = port_slot(host, port->id);
	bool is_new = slot < 0;
	if (is_new)
		slot = free_slot(host, port->id, err);
	if (slot < 0)
		return slot;
	entry.network_slot = (uint32_t)network;
	entry.flags = (port->learning ? MAPS_PORT_LEARNING : 0) |
		(port->allow_spoof ? MAPS_PORT_SPOOF : 0);
	memcpy(entry.mac, port->mac, MAC_SIZE);
	address_link_local(port->mac, entry.link_local);
	int r = set_pins(port, &entry, err);
	if (!r)
		r = check_mac(host, port, MAPS_PORT_IFINDEX + (uint32_t)slot, err);
	if (r)
		return r;
	r = set_up(host, (uint32_t)slot, port, &entry, err);
	if (r && is_new)
		(void
		)host_port_remove(host, port->id, NULL); // The first failure is the one to tell.
	return r;
}

static int forget_learned(struct host *host, const void *key, void *arg, struct rwy_err *err)
{
	const uint32_t *ifindex = arg;
	struct maps_learned learned;
	int r = map_get(host, HOST_MAP_LEARNED, key, &learned, err);
	if (r || learned.ifindex != *ifindex)
		return r == -ENOENT ? 0 : r;
	return map_delete(host, HOST_MAP_LEARNED, key, err);
}

// All that the port has learned, and the places that it had for it.
static int forget_all(struct host *host, uint32_t ifindex, struct rwy_err *err)
{
	struct maps_share share = {.ifindex = ifindex};
	int r = map_each_mac(host, HOST_MAP_LEARNED, forget_learned, &ifindex, err);
	for (; !r && share.place < MAPS_LEARNED_PER_PORT; share.place++)
		r = map_delete(host, HOST_MAP_SHARES, &share, err);
	return r;
}

int host_port_remove(struct host *host, uint32_t id, struct rwy_err *err)
{
	const struct maps_port none = {0};
	const struct maps_limits unlimited = {0};
	struct maps_port entry = {0};
	char name[IFNAMSIZ];
	int r, slot = port_slot(host, id);
	port_name(name, id);
	r = netlink_delete_link(host->own, name, err);
	if (r || slot < 0)
		return r;
	uint32_t index = (uint32_t)slot, ifindex = MAPS_PORT_IFINDEX + index;
	r = map_get(host, HOST_MAP_PORTS, &index, &entry, err);
	if (!r && entry.id == id) {
		r = detach(host, index, &entry, err);
		if (!r && (entry.flags & MAPS_PORT_LEARNING))
			r = forget_all(host, ifindex, err);
		if (!r)
			r = map_set(host, HOST_MAP_LIMITS, &index, &unlimited, err);
		if (!r)
			r = map_set(host, HOST_MAP_PORTS, &index, &none, err);
	}
	if (!r)
		host->port_ids[slot] = 0;
	return r;
}

// NULL when there is none.
static struct rtnl_link *find_link(struct host *host, uint32_t id)
{
	char name[IFNAMSIZ];
	struct rtnl_link *link = NULL;
	port_name(name, id);
	return netlink_get_link(host->own, name, &link, NULL) ? NULL : link;
}

bool host_port_exists(struct host *host, uint32_t id)
{
	struct rtnl_link *link = find_link(host, id);
	rtnl_link_put(link);
	return link != NULL;
}

bool host_port_is_up(struct host *host, uint32_t id)
{
	struct rtnl_link *link = find_link(host, id);
	// IFF_LOWER_UP alone comes before the interface sends, which it does from when the kernel has noticed.
	bool up = link && (rtnl_link_get_flags(link) & IFF_LOWER_UP) &&
		rtnl_link_get_operstate(link) == IF_OPER_UP;
	rtnl_link_put(link);
	return up;
}

int port_set_mtu(struct host *host, uint32_t slot, uint32_t mtu, struct rwy_err *err)
{
	uint32_t ifindex = MAPS_PORT_IFINDEX + slot;
	struct rtnl_link *link = NULL, *peer = NULL;
	int r = netlink_get_link_by_index(host->own, ifindex, &link, err);
	if (r)
		return r == -ENODEV ? 0 : r;
	r = netlink_set_mtu(host->own, link, mtu, err);
	if (!r)
		r = port_find_peer(host->home, link, &peer, err);
	if (!r && peer)
		r = netlink_set_mtu(host->home, peer, mtu, err);
	rtnl_link_put(peer);
	rtnl_link_put(link);
	return r;
}
