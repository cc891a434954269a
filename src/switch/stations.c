// SPDX-License-Identifier: BSD-3-Clause
// Two tables of chains: stations by MAC address, which are the control thread's own, and their IP addresses, which workers read. A
// chain is changed by one store with release; what left it is freed after every worker passed a quiescent state.
#include "switch/stations.h"

#include <rte_rcu_qsbr.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 // A power of two.
#define IP_SIZE_MAX 16u

// An IP address and what it belongs to. Constant once it is in a chain, but for `next`.
struct name {
	struct name *next;
	uint64_t words[2]; // The address, zeros behind IPv4's.
	uint16_t slot;
	uint16_t family;
	uint8_t mac[MAC_SIZE];
};

struct station {
	struct station *next;
	uint64_t key; // fdb_key()
	struct port *port;
	uint32_t epoch;
	struct name *name[2]; // NULL: none.
};

struct stations {
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	uint32_t count;
	struct station *by_mac[BUCKETS];
	struct name *by_ip[BUCKETS];
};

struct stations *stations_new(struct rte_rcu_qsbr *qsbr, struct fdb *fdb)
{
	struct stations *stations = calloc(1, sizeof(*stations));

	if (stations) {
		stations->qsbr = qsbr;
		stations->fdb = fdb;
	}
	return stations;
}

static void free_station(struct station *station)
{
	free(station->name[0]);
	free(station->name[1]);
	free(station);
}

void stations_free(struct stations *stations)
{
	for (uint32_t i = 0; stations && i < BUCKETS; i++) {
		while (stations->by_mac[i]) {
			struct station *station = stations->by_mac[i];
			stations->by_mac[i] = station->next;
			free_station(station);
		}
	}
	free(stations);
}

static uint32_t mix(uint64_t word)
{
	word = (word ^ word >> 32) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(word >> 40) & (BUCKETS - 1);
}

static uint32_t ip_bucket(const uint64_t words[2], uint16_t slot)
{
	return mix(words[0] ^ (words[1] << 1 | words[1] >> 63) ^ (uint64_t)slot << 48);
}

static uint32_t ip_size(int family)
{
	return family == AF_INET ? 4 : IP_SIZE_MAX;
}

static bool name_is(const struct name *name, const struct name *other)
{
	return name->slot == other->slot && name->family == other->family &&
		name->words[0] == other->words[0] && name->words[1] == other->words[1];
}

static void link_name(struct stations *stations, struct name *name)
{
	struct name **at = &stations->by_ip[ip_bucket(name->words, name->slot)];

	name->next = *at;
	__atomic_store_n(at, name, __ATOMIC_RELEASE);
}

// A worker that stands on the name goes on from it along the chain.
static void unlink_name(struct stations *stations, const struct name *name)
{
	struct name **at = &stations->by_ip[ip_bucket(name->words, name->slot)];

	while (*at != name)
		at = &(*at)->next;
	__atomic_store_n(at, name->next, __ATOMIC_RELEASE);
}

static struct station **find_by_mac(struct stations *stations, uint64_t key)
{
	struct station **at = &stations->by_mac[mix(key)];

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

static void wait_for_workers(const struct stations *stations)
{
	rte_rcu_qsbr_synchronize(stations->qsbr, RTE_QSBR_THRID_INVALID);
}

// Ends stations that left the table by MAC address: a list by `next`.
static void bury(struct stations *stations, struct station *dead)
{
	if (!dead)
		return;
	for (const struct station *station = dead; station; station = station->next) {
		for (int i = 0; i < 2; i++)
			if (station->name[i])
				unlink_name(stations, station->name[i]);
		if (station->port->spec.kind == WIRE_PORT_TAP)
			fdb_unpin(stations->fdb, station->key, station->port);
		stations->count--;
	}
	wait_for_workers(stations);
	while (dead) {
		struct station *station = dead;
		dead = station->next;
		free_station(station);
	}
}

// *ret_name stays as it is for an empty text.
static int make_name(
	const char *text,
	int family,
	const struct wire_station *spec,
	uint16_t slot,
	struct name **ret_name
)
{
	struct name *name;
	uint64_t words[2] = {0};

	if (!*text)
		return 0;
	if (inet_pton(family, text, words) != 1)
		return -EINVAL;
	name = calloc(1, sizeof(*name));
	if (!name)
		return -ENOMEM;
	memcpy(name->words, words, sizeof(words));
	name->slot = slot;
	name->family = (uint16_t)family;
	memcpy(name->mac, spec->mac, MAC_SIZE);
	*ret_name = name;
	return 0;
}

static int make_station(
	const struct wire_station *spec,
	struct port *port,
	struct station **ret_station,
	struct rwy_err *err
)
{
	uint16_t slot = port->network->slot;
	struct station *station = calloc(1, sizeof(*station));
	int r = station ? 0 : -ENOMEM;

	if (r == 0)
		r = make_name(spec->ip, AF_INET, spec, slot, &station->name[0]);
	if (r == 0)
		r = make_name(spec->ip6, AF_INET6, spec, slot, &station->name[1]);
	if (r == 0) {
		station->key = fdb_key(slot, spec->mac);
		station->port = port;
		station->epoch = spec->epoch;
		*ret_station = station;
		return 0;
	}
	if (station)
		free_station(station);
	return err_set(
		err,
		r,
		"cannot add a station at port '%s': %s",
		port->spec.name,
		r == -EINVAL ? "its IP address is none" : "out of memory"
	);
}

static bool same_names(const struct station *a, const struct station *b)
{
	for (int i = 0; i < 2; i++)
		if (!a->name[i] || !b->name[i] ? a->name[i] != b->name[i]
					       : !name_is(a->name[i], b->name[i]))
			return false;
	return true;
}

static int check(
	const struct stations *stations,
	const struct wire_station *spec,
	const struct port *port,
	struct rwy_err *err
)
{
	const struct port *owner =
		fdb_pinned(stations->fdb, fdb_key(port->network->slot, spec->mac));

	if (mac_is_multicast(spec->mac) || mac_is_zero(spec->mac))
		return err_set(
			err,
			-EINVAL,
			"cannot add a station at port '%s': its MAC is not a unicast address",
			port->spec.name
		);
	if (owner && owner != port)
		return err_set(
			err,
			-EEXIST,
			"cannot add a station at port '%s': port '%s' has its MAC",
			port->spec.name,
			owner->spec.name
		);
	return 0;
}

static int pin(
	struct stations *stations,
	const struct station *station,
	bool is_new,
	struct rwy_err *err
)
{
	int r = is_new && stations->count >= STATIONS_MAX ? -ENOSPC : 0;

	if (r == 0 && station->port->spec.kind == WIRE_PORT_TAP)
		r = fdb_pin(stations->fdb, station->key, station->port);
	if (r)
		return err_set(
			err,
			r,
			"cannot add a station at port '%s': the table is full",
			station->port->spec.name
		);
	return 0;
}

// Puts the station in, in the place of an old one. Its names are found before the old ones are gone, so that there is no moment
// without an answer.
static void put(struct stations *stations, struct station **at, struct station *station)
{
	struct station *old = *at;

	for (int i = 0; i < 2; i++)
		if (station->name[i])
			link_name(stations, station->name[i]);
	station->next = old ? old->next : NULL;
	*at = station;
	if (!old) {
		stations->count++;
		return;
	}
	for (int i = 0; i < 2; i++)
		if (old->name[i])
			unlink_name(stations, old->name[i]);
	wait_for_workers(stations);
	free_station(old);
}

int stations_add(
	struct stations *stations,
	const struct wire_station *spec,
	struct port *port,
	struct rwy_err *err
)
{
	struct station *station = NULL;
	int r = check(stations, spec, port, err);

	if (r == 0)
		r = make_station(spec, port, &station, err);
	if (!station)
		return r;
	struct station **at = find_by_mac(stations, fdb_key(port->network->slot, spec->mac));
	if (*at && (*at)->port == port && same_names(*at, station)) {
		(*at)->epoch = spec->epoch;
		free_station(station);
		return 0;
	}
	r = pin(stations, station, !*at, err);
	if (r) {
		free_station(station);
		return r;
	}
	put(stations, at, station);
	return 0;
}

bool stations_remove(struct stations *stations, uint16_t slot, const uint8_t mac[MAC_SIZE])
{
	struct station **at = find_by_mac(stations, fdb_key(slot, mac));
	struct station *station = *at;

	if (!station)
		return false;
	*at = station->next;
	station->next = NULL;
	bury(stations, station);
	return true;
}

// Whether a station is to go, given what the caller looks for.
typedef bool match_fn(const struct station *station, const void *arg);

// Moves those of one chain to a list of the dead.
static void take_matching(
	struct station **at,
	match_fn *match,
	const void *arg,
	struct station **dead
)
{
	while (*at) {
		struct station *station = *at;
		if (!match(station, arg)) {
			at = &station->next;
			continue;
		}
		*at = station->next;
		station->next = *dead;
		*dead = station;
	}
}

static void remove_matching(struct stations *stations, match_fn *match, const void *arg)
{
	struct station *dead = NULL;

	for (uint32_t i = 0; i < BUCKETS && stations->count; i++)
		take_matching(&stations->by_mac[i], match, arg, &dead);
	bury(stations, dead);
}

static bool is_of_other_epoch(const struct station *station, const void *arg)
{
	return station->epoch != *(const uint32_t *)arg;
}

static bool is_at(const struct station *station, const void *arg)
{
	return station->port == arg;
}

void stations_sweep(struct stations *stations, uint32_t epoch)
{
	remove_matching(stations, is_of_other_epoch, &epoch);
}

void stations_forget_port(struct stations *stations, const struct port *port)
{
	remove_matching(stations, is_at, port);
}

uint32_t stations_count(const struct stations *stations)
{
	return stations->count;
}

const uint8_t *stations_find(
	const struct stations *stations,
	uint16_t slot,
	int family,
	const uint8_t *ip
)
{
	struct name wanted = {.slot = slot, .family = (uint16_t)family};

	memcpy(wanted.words, ip, ip_size(family));
	const struct name *name =
		__atomic_load_n(&stations->by_ip[ip_bucket(wanted.words, slot)], __ATOMIC_ACQUIRE);
	while (name && !name_is(name, &wanted))
		name = __atomic_load_n(&name->next, __ATOMIC_ACQUIRE);
	return name ? name->mac : NULL;
}
