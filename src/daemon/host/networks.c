// SPDX-License-Identifier: BSD-3-Clause
// Networks: their slots, and the lists of ports that a broadcast goes to.
#include "daemon/host/internal.h"

#include <errno.h>
#include <string.h>

static int find_slot(const struct host *host, uint32_t id)
{
	for (int i = 0; i < HOST_NETWORKS_MAX; i++) {
		if (host->network_ids[i] == id)
			return i;
	}
	return -ENOENT;
}

int network_slot(struct host *host, uint32_t id, struct rwy_err *err)
{
	int slot = find_slot(host, id);
	if (slot >= 0)
		return slot;
	return err_set(err, -ENOENT, "there is no network %u among those of kernel ports", id);
}

int network_get(struct host *host, uint32_t slot, struct maps_network *ret, struct rwy_err *err)
{
	return map_get(host, HOST_MAP_NETWORKS, &slot, ret, err);
}

int network_set(
	struct host *host,
	uint32_t slot,
	const struct maps_network *network,
	struct rwy_err *err
)
{
	return map_set(host, HOST_MAP_NETWORKS, &slot, network, err);
}

int host_network_add(struct host *host, const struct host_network *network, struct rwy_err *err)
{
	struct maps_network entry;
	int slot = find_slot(host, network->id);
	if (slot < 0)
		slot = find_slot(host, 0);
	if (slot < 0)
		return err_set(
			err,
			-ENOSPC,
			"cannot add network %u: there are %d with kernel ports already",
			network->id,
			HOST_NETWORKS_MAX
		);
	int r = network_get(host, (uint32_t)slot, &entry, err);
	if (r)
		return r;
	if (entry.id != network->id)
		entry = (struct maps_network){.id = network->id, .mtu = network->mtu};
	entry.flags = network->proxy_neighbors ? MAPS_NETWORK_PROXY : 0;
	r = network_set(host, (uint32_t)slot, &entry, err);
	if (r)
		return r;
	host->network_ids[slot] = network->id;
	return host_network_set_mtu(host, network->id, network->mtu, err);
}

static bool has_ports(struct host *host, const struct maps_network *network)
{
	for (uint32_t i = 0; i * MAPS_MEMBERS < network->members; i++) {
		struct maps_members_key key = {.network = network->id, .list = i};
		struct maps_members list;
		if (map_get(host, HOST_MAP_MEMBERS, &key, &list, NULL))
			continue;
		for (int j = 0; j < MAPS_MEMBERS; j++) {
			if (list.ifindex[j])
				return true;
		}
	}
	return false;
}

int host_network_remove(struct host *host, uint32_t id, struct rwy_err *err)
{
	const struct maps_network none = {0};
	struct maps_network network;
	int slot = find_slot(host, id);
	if (slot < 0)
		return 0;
	int r = network_get(host, (uint32_t)slot, &network, err);
	if (r)
		return r;
	if (has_ports(host, &network))
		return err_set(err, -EBUSY, "cannot remove network %u: kernel ports are on it", id);
	r = host_trunk_remove(host, id, err);
	if (!r)
		r = stations_remove_all(host, id, err);
	if (!r)
		r = network_set(host, (uint32_t)slot, &none, err);
	if (!r)
		host->network_ids[slot] = 0;
	return r;
}

static int set_trunk_mtu(struct host *host, uint32_t id, uint32_t mtu, struct rwy_err *err)
{
	char name[IFNAMSIZ];
	struct rtnl_link *link = NULL;
	trunk_name(name, id);
	int r = netlink_get_link(host->own, name, &link, err);
	if (r)
		return r == -ENODEV ? 0 : r;
	r = netlink_set_mtu(host->own, link, trunk_mtu(mtu), err);
	rtnl_link_put(link);
	return r;
}

int host_network_set_mtu(struct host *host, uint32_t id, uint32_t mtu, struct rwy_err *err)
{
	struct maps_network network;
	int slot = network_slot(host, id, err);
	if (slot < 0)
		return slot;
	int r = network_get(host, (uint32_t)slot, &network, err);
	if (!r && network.mtu != mtu) {
		network.mtu = mtu;
		r = network_set(host, (uint32_t)slot, &network, err);
	}
	if (!r)
		r = set_trunk_mtu(host, id, mtu, err);
	for (uint32_t i = 0; !r && i < HOST_PORTS_MAX; i++) {
		struct maps_port port;
		if (!host->port_ids[i] || map_get(host, HOST_MAP_PORTS, &i, &port, err))
			continue;
		if (port.id && port.network == id)
			r = port_set_mtu(host, i, mtu, err);
	}
	return r;
}

// A place that the port has already, or else the lowest one that is free; -ENOSPC when the list is full.
static int find_place(const struct maps_members *list, uint32_t ifindex)
{
	int place = -ENOSPC;
	for (int i = MAPS_MEMBERS - 1; i >= 0; i--) {
		if (list->ifindex[i] == ifindex)
			return i;
		if (!list->ifindex[i])
			place = i;
	}
	return place;
}

int network_join(
	struct host *host,
	uint32_t slot,
	uint32_t ifindex,
	uint32_t *ret_place,
	struct rwy_err *err
)
{
	struct maps_network network;
	struct maps_members list;
	int place = -ENOSPC;
	int r = network_get(host, slot, &network, err);
	if (r)
		return r;
	struct maps_members_key key = {.network = network.id};
	for (; key.list < HOST_PORTS_MAX / MAPS_MEMBERS; key.list++) {
		memset(&list, 0, sizeof(list));
		r = map_get(host, HOST_MAP_MEMBERS, &key, &list, err);
		if (r && r != -ENOENT)
			return r;
		place = find_place(&list, ifindex);
		if (place >= 0)
			break;
	}
	if (place < 0)
		return err_set(err, -ENOSPC, "network %u is full", network.id);
	list.ifindex[place] = ifindex;
	*ret_place = key.list * MAPS_MEMBERS + (uint32_t)place;
	r = map_set(host, HOST_MAP_MEMBERS, &key, &list, err);
	if (r || network.members > *ret_place)
		return r;
	network.members = *ret_place + 1;
	return network_set(host, slot, &network, err);
}

int network_part(
	struct host *host,
	uint32_t slot,
	uint32_t place,
	uint32_t ifindex,
	struct rwy_err *err
)
{
	static const struct maps_members none;
	struct maps_network network;
	struct maps_members list;
	int r = network_get(host, slot, &network, err);
	if (r)
		return r;
	struct maps_members_key key = {.network = network.id, .list = place / MAPS_MEMBERS};
	r = map_get(host, HOST_MAP_MEMBERS, &key, &list, err);
	if (r || list.ifindex[place % MAPS_MEMBERS] != ifindex)
		return r == -ENOENT ? 0 : r;
	list.ifindex[place % MAPS_MEMBERS] = 0;
	if (memcmp(&list, &none, sizeof(list)) != 0)
		return map_set(host, HOST_MAP_MEMBERS, &key, &list, err);
	return map_delete(host, HOST_MAP_MEMBERS, &key, err);
}
