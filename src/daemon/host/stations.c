// SPDX-License-Identifier: BSD-3-Clause
// Stations: ports of either kind whose addresses are known, so that the programs can answer for them. A station's row says
// which neighbour entries are its own.
#include "daemon/host/internal.h"

#include <errno.h>
#include <string.h>

static struct maps_mac mac_key(uint32_t network, const uint8_t mac[MAC_SIZE])
{
	struct maps_mac key = {.network = network};
	memcpy(key.mac, mac, MAC_SIZE);
	return key;
}

static struct maps_neighbor_key key4(const struct maps_mac *mac, const struct maps_station *station)
{
	return (struct maps_neighbor_key
	){.network = mac->network, .family = 4, .ip = {station->ip}};
}

static struct maps_neighbor_key key6(const struct maps_mac *mac, const struct maps_station *station)
{
	struct maps_neighbor_key key = {.network = mac->network, .family = 6};
	memcpy(key.ip, station->ip6, sizeof(key.ip));
	return key;
}

static int add_neighbor(
	struct host *host,
	const struct maps_neighbor_key *key,
	const struct maps_mac *mac,
	struct rwy_err *err
)
{
	struct maps_neighbor neighbor = {0};
	memcpy(neighbor.mac, mac->mac, MAC_SIZE);
	return map_set(host, HOST_MAP_NEIGHBORS, key, &neighbor, err);
}

// Another station may have got the address since.
static int remove_neighbor(
	struct host *host,
	const struct maps_neighbor_key *key,
	const struct maps_mac *mac,
	struct rwy_err *err
)
{
	struct maps_neighbor neighbor;
	int r = map_get(host, HOST_MAP_NEIGHBORS, key, &neighbor, err);
	if (r || memcmp(neighbor.mac, mac->mac, MAC_SIZE) != 0)
		return r == -ENOENT ? 0 : r;
	return map_delete(host, HOST_MAP_NEIGHBORS, key, err);
}

// The addresses of `before` that `now` does not have.
static int remove_old(
	struct host *host,
	const struct maps_mac *mac,
	const struct maps_station *before,
	const struct maps_station *now,
	struct rwy_err *err
)
{
	struct maps_neighbor_key ip = key4(mac, before), ip6 = key6(mac, before);
	int r = 0;
	if ((before->flags & MAPS_STATION_IP) &&
	    (!(now->flags & MAPS_STATION_IP) || now->ip != before->ip))
		r = remove_neighbor(host, &ip, mac, err);
	if (!r && (before->flags & MAPS_STATION_IP6) &&
	    (!(now->flags & MAPS_STATION_IP6) ||
	     memcmp(now->ip6, before->ip6, sizeof(now->ip6)) != 0))
		r = remove_neighbor(host, &ip6, mac, err);
	return r;
}

static int parse(const char *ip, const char *ip6, struct maps_station *ret, struct rwy_err *err)
{
	int r = address_parse4(ip, &ret->ip);
	int r6 = address_parse6(ip6, ret->ip6);
	if (r == -EINVAL || r6 == -EINVAL)
		return err_set(
			err, -EINVAL, "'%s' is no IP address of a station", r == -EINVAL ? ip : ip6
		);
	ret->flags = (r ? 0 : MAPS_STATION_IP) | (r6 ? 0 : MAPS_STATION_IP6);
	return 0;
}

int host_station_add(
	struct host *host,
	uint32_t network,
	const uint8_t mac[MAC_SIZE],
	const char *ip,
	const char *ip6,
	struct rwy_err *err
)
{
	struct maps_station before = {0}, station = {0};
	struct maps_mac key = mac_key(network, mac);
	int r = network_slot(host, network, err);
	if (r < 0)
		return r;
	r = parse(ip, ip6, &station, err);
	if (r)
		return r;
	struct maps_neighbor_key ip_key = key4(&key, &station), ip6_key = key6(&key, &station);
	r = map_get(host, HOST_MAP_STATIONS, &key, &before, err);
	if (r && r != -ENOENT)
		return r;
	r = remove_old(host, &key, &before, &station, err);
	// The row first: what it names can be found again and removed.
	if (!r)
		r = map_set(host, HOST_MAP_STATIONS, &key, &station, err);
	if (!r && (station.flags & MAPS_STATION_IP))
		r = add_neighbor(host, &ip_key, &key, err);
	if (!r && (station.flags & MAPS_STATION_IP6))
		r = add_neighbor(host, &ip6_key, &key, err);
	return r;
}

static int remove_station(struct host *host, const struct maps_mac *key, struct rwy_err *err)
{
	const struct maps_station none = {0};
	struct maps_station before;
	int r = map_get(host, HOST_MAP_STATIONS, key, &before, err);
	if (r)
		return r == -ENOENT ? 0 : r;
	r = remove_old(host, key, &before, &none, err);
	return r ? r : map_delete(host, HOST_MAP_STATIONS, key, err);
}

int host_station_remove(
	struct host *host,
	uint32_t network,
	const uint8_t mac[MAC_SIZE],
	struct rwy_err *err
)
{
	struct maps_mac key = mac_key(network, mac);
	return remove_station(host, &key, err);
}

struct keep {
	uint32_t network;
	const uint8_t (*macs)[MAC_SIZE];
	size_t count;
};

static int remove_unless_kept(
	struct host *host,
	const void *visited,
	void *arg,
	struct rwy_err *err
)
{
	const struct maps_mac *key = visited;
	const struct keep *keep = arg;
	if (key->network != keep->network)
		return 0;
	for (size_t i = 0; i < keep->count; i++) {
		if (!memcmp(keep->macs[i], key->mac, MAC_SIZE))
			return 0;
	}
	return remove_station(host, key, err);
}

int host_station_keep(
	struct host *host,
	uint32_t network,
	const uint8_t (*macs)[MAC_SIZE],
	size_t count,
	struct rwy_err *err
)
{
	struct keep keep = {.network = network, .macs = macs, .count = count};
	return map_each_mac(host, HOST_MAP_STATIONS, remove_unless_kept, &keep, err);
}

int stations_remove_all(struct host *host, uint32_t network, struct rwy_err *err)
{
	return host_station_keep(host, network, NULL, 0, err);
}
