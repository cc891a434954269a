// SPDX-License-Identifier: BSD-3-Clause
// The MAC table: (network, address) -> port. The control thread changes it; workers look up under RCU
// through a small cache of their own. Addresses of known ports are pinned; others are learned where
// a port allows it, age, and are bounded in all and for each port.
#pragma once

#include "base/err.h"
#include "base/mac.h"
#include "switch/port.h"

#include <stdbool.h>
#include <stdint.h>

#define FDB_ENTRIES_MAX 32768
#define FDB_LEARNED_PER_PORT 1024
// Of all ports together: what they learn leaves room for the addresses of twice as many ports as there can be.
#define FDB_LEARNED_MAX (FDB_ENTRIES_MAX / 2)
#define FDB_AGE_SECONDS 300

struct rte_rcu_qsbr;
struct fdb;

struct fdb_entry {
	uint64_t key;
	struct port *port; // Changes when a learned address moves: read it once.
	bool pinned;
	uint32_t seen_s; // When it was last a source, by the worker's coarse clock.
};

#define FDB_CACHE_SIZE 512

struct fdb_cache {
	uint32_t generation;
	struct {
		uint64_t key;
		struct fdb_entry *entry;
	} slot[FDB_CACHE_SIZE];
};

// The key of an address on the network with this slot (1 .. WIRE_NETWORKS_MAX): never 0.
static inline uint64_t fdb_key(uint16_t slot, const uint8_t mac[MAC_SIZE])
{
	uint32_t first;
	uint16_t last;

	// Two loads into registers. Six bytes copied into a 64-bit word would be read back by a load that spans two
	// stores, which waits for both.
	__builtin_memcpy(&first, mac, sizeof(first));
	__builtin_memcpy(&last, mac + sizeof(first), sizeof(last));
	return (uint64_t)last << 48 | (uint64_t)first << 16 | slot;
}

// NULL with err set. `qsbr` is what readers report to.
struct fdb *fdb_new(struct rte_rcu_qsbr *qsbr, struct rwy_err *err);
void fdb_free(struct fdb *fdb);

// Control thread. pin replaces a learned entry; -EEXIST when another port has it pinned, -ENOSPC.
int fdb_pin(struct fdb *fdb, uint64_t key, struct port *port);
// Takes an address from a port that has it pinned; otherwise nothing happens. When it returns no worker sees it.
void fdb_unpin(struct fdb *fdb, uint64_t key, const struct port *port);
// The port that has an address pinned, or NULL.
const struct port *fdb_pinned(const struct fdb *fdb, uint64_t key);
// Learns or moves an address; silently does nothing at a limit or for a pinned one. now_s as given to lookups.
void fdb_learn(struct fdb *fdb, uint64_t key, struct port *port, uint32_t now_s);
// Removes everything that leads to port, and waits until no worker can still see it.
void fdb_forget_port(struct fdb *fdb, const struct port *port);
// Removes learned entries that were not seen for FDB_AGE_SECONDS.
void fdb_age(struct fdb *fdb, uint32_t now_s);
// Calls for each learned address. The table must not be changed meanwhile.
void fdb_each_learned(
	const struct fdb *fdb,
	void (*call)(void *arg, struct port *port, const uint8_t mac[MAC_SIZE]),
	void *arg
);
// Differs whenever a learned address came, moved or went since.
uint32_t fdb_changes(const struct fdb *fdb);
uint32_t fdb_count(const struct fdb *fdb);

// Workers, once a turn, right after reporting a quiescent state: forgets the cache when the table changed.
void fdb_cache_refresh(const struct fdb *fdb, struct fdb_cache *cache);
// Workers. The entry, or NULL. Valid until the next quiescent state.
struct fdb_entry *fdb_lookup_slow(const struct fdb *fdb, struct fdb_cache *cache, uint64_t key);

static inline uint32_t fdb_cache_slot(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 55);
}

static inline struct fdb_entry *fdb_lookup(
	const struct fdb *fdb,
	struct fdb_cache *cache,
	uint64_t key
)
{
	uint32_t slot = fdb_cache_slot(key);
	if (__builtin_expect(cache->slot[slot].key == key, 1))
		return cache->slot[slot].entry;
	return fdb_lookup_slow(fdb, cache, key);
}
