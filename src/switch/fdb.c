// SPDX-License-Identifier: BSD-3-Clause
// The MAC table over rte_hash with lock-free readers. Changed by the control thread only; an entry that
// was removed is freed after every worker passed a quiescent state and so dropped its cache.
#include "switch/fdb.h"

#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FDB_CACHE_SIZE == 1 << 9, "fdb_cache_slot() keeps 9 bits");
_Static_assert(WIRE_NETWORKS_MAX <= UINT16_MAX, "fdb_key() keeps 16 bits of a network's slot");

struct fdb {
	struct rte_hash *hash;
	struct rte_rcu_qsbr *qsbr;
	uint32_t generation; // Grows with every removal or move.
	uint32_t count;
	uint32_t learned; // Of these.
	uint32_t changes; // Of learned addresses.
};

// Of a key. Not rte_hash_crc, which executes SSE4.2's instruction wherever it was compiled for x86. rte_hash uses all bits
// of the result, so each one depends on all bytes of the address.
static uint32_t hash_key(const void *key, uint32_t size, uint32_t seed)
{
	uint64_t word;

	memcpy(&word, key, sizeof(word));
	word ^= seed;
	word = (word ^ word >> 32) * 0x9e3779b97f4a7c15ull;
	word = (word ^ word >> 29) * 0xbf58476d1ce4e5b9ull;
	return (uint32_t)(word >> 32);
}

struct fdb *fdb_new(struct rte_rcu_qsbr *qsbr, struct rwy_err *err)
{
	struct rte_hash_parameters params = {
		.name = "fdb",
		.entries = FDB_ENTRIES_MAX,
		.key_len = sizeof(uint64_t),
		.hash_func = hash_key,
		.socket_id = (int)rte_socket_id(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct fdb *fdb = calloc(1, sizeof(*fdb));
	if (fdb)
		fdb->hash = rte_hash_create(&params);
	if (!fdb || !fdb->hash) {
		(void
		)err_set(err, -ENOMEM, "cannot make the MAC table: %s", rte_strerror(rte_errno));
		free(fdb);
		return NULL;
	}
	struct rte_hash_rcu_config rcu = {.v = qsbr, .mode = RTE_HASH_QSBR_MODE_SYNC};
	if (rte_hash_rcu_qsbr_add(fdb->hash, &rcu)) {
		(void
		)err_set(err, -ENOMEM, "cannot guard the MAC table: %s", rte_strerror(rte_errno));
		fdb_free(fdb);
		return NULL;
	}
	fdb->qsbr = qsbr;
	fdb->generation = 1;
	return fdb;
}

void fdb_free(struct fdb *fdb)
{
	if (!fdb)
		return;
	uint32_t next = 0;
	const void *key;
	void *data;
	while (rte_hash_iterate(fdb->hash, &key, &data, &next) >= 0)
		free(data);
	rte_hash_free(fdb->hash);
	free(fdb);
}

static struct fdb_entry *find(const struct fdb *fdb, uint64_t key)
{
	void *data = NULL;
	return rte_hash_lookup_data(fdb->hash, &key, &data) >= 0 ? data : NULL;
}

static int add(struct fdb *fdb, uint64_t key, struct port *port, bool pinned, uint32_t now_s)
{
	if (fdb->count >= FDB_ENTRIES_MAX)
		return -ENOSPC;
	struct fdb_entry *entry = malloc(sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*entry = (struct fdb_entry){.key = key, .port = port, .pinned = pinned, .seen_s = now_s};
	if (rte_hash_add_key_data(fdb->hash, &key, entry)) {
		free(entry);
		return -ENOSPC;
	}
	fdb->count++;
	fdb->learned += !pinned;
	return 0;
}

static void bump(struct fdb *fdb)
{
	__atomic_store_n(&fdb->generation, fdb->generation + 1, __ATOMIC_RELEASE);
}

// Takes the entry out of the hash first, so that no worker can cache it anew, then out of every
// cache: a worker that passes its next quiescent state sees the new generation right after it.
static void drop_entry(struct fdb *fdb, struct fdb_entry *entry)
{
	uint64_t key = entry->key;
	(void)rte_hash_del_key(fdb->hash, &key); // It is there: the entry was found through it.
	bump(fdb);
	rte_rcu_qsbr_synchronize(fdb->qsbr, RTE_QSBR_THRID_INVALID);
	if (!entry->pinned) {
		entry->port->learned--;
		fdb->learned--;
		fdb->changes++;
	}
	free(entry);
	fdb->count--;
}

int fdb_pin(struct fdb *fdb, uint64_t key, struct port *port)
{
	struct fdb_entry *entry = find(fdb, key);
	if (entry && entry->pinned)
		return entry->port == port ? 0 : -EEXIST;
	if (entry)
		drop_entry(fdb, entry);
	return add(fdb, key, port, true, 0);
}

void fdb_unpin(struct fdb *fdb, uint64_t key, const struct port *port)
{
	struct fdb_entry *entry = find(fdb, key);
	if (entry && entry->pinned && entry->port == port)
		drop_entry(fdb, entry);
}

const struct port *fdb_pinned(const struct fdb *fdb, uint64_t key)
{
	const struct fdb_entry *entry = find(fdb, key);
	return entry && entry->pinned ? entry->port : NULL;
}

void fdb_learn(struct fdb *fdb, uint64_t key, struct port *port, uint32_t now_s)
{
	struct fdb_entry *entry = find(fdb, key);
	if (entry && entry->pinned)
		return;
	if (port->learned >= FDB_LEARNED_PER_PORT)
		return;
	if (entry) {
		entry->port->learned--;
		__atomic_store_n(&entry->port, port, __ATOMIC_RELEASE);
		__atomic_store_n(&entry->seen_s, now_s, __ATOMIC_RELAXED);
	} else if (fdb->learned >= FDB_LEARNED_MAX || add(fdb, key, port, false, now_s)) {
		return;
	}
	port->learned++;
	fdb->changes++;
}

// Whether an entry is to be removed, given what the caller looks for.
typedef bool fdb_match(const struct fdb_entry *entry, const void *arg);

static void drop_matching(struct fdb *fdb, fdb_match *match, const void *arg)
{
	uint32_t next = 0;
	const void *key;
	void *data;

	while (rte_hash_iterate(fdb->hash, &key, &data, &next) >= 0)
		if (match(data, arg))
			drop_entry(fdb, data);
}

static bool leads_to(const struct fdb_entry *entry, const void *arg)
{
	return entry->port == arg;
}

static bool is_old(const struct fdb_entry *entry, const void *arg)
{
	uint32_t now_s = *(const uint32_t *)arg;
	uint32_t seen_s = __atomic_load_n(&entry->seen_s, __ATOMIC_RELAXED);
	return !entry->pinned && (int32_t)(now_s - seen_s) > FDB_AGE_SECONDS;
}

void fdb_forget_port(struct fdb *fdb, const struct port *port)
{
	drop_matching(fdb, leads_to, port);
}

void fdb_age(struct fdb *fdb, uint32_t now_s)
{
	drop_matching(fdb, is_old, &now_s);
}

void fdb_each_learned(
	const struct fdb *fdb,
	void (*call)(void *arg, struct port *port, const uint8_t mac[MAC_SIZE]),
	void *arg
)
{
	uint32_t next = 0;
	const void *key;
	void *data;

	while (rte_hash_iterate(fdb->hash, &key, &data, &next) >= 0) {
		const struct fdb_entry *entry = data;
		uint64_t value = entry->key >> 16; // fdb_key(): the address is above the slot.
		if (!entry->pinned)
			call(arg, entry->port, (const uint8_t *)&value);
	}
}

uint32_t fdb_changes(const struct fdb *fdb)
{
	return fdb->changes;
}

uint32_t fdb_count(const struct fdb *fdb)
{
	return fdb->count;
}

void fdb_cache_refresh(const struct fdb *fdb, struct fdb_cache *cache)
{
	uint32_t generation = __atomic_load_n(&fdb->generation, __ATOMIC_ACQUIRE);
	if (__builtin_expect(cache->generation == generation, 1))
		return;
	*cache = (struct fdb_cache){.generation = generation};
}

struct fdb_entry *fdb_lookup_slow(const struct fdb *fdb, struct fdb_cache *cache, uint64_t key)
{
	struct fdb_entry *entry = find(fdb, key);
	if (!entry)
		return NULL;
	uint32_t slot = fdb_cache_slot(key);
	cache->slot[slot].key = key;
	cache->slot[slot].entry = entry;
	return entry;
}
