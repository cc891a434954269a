// SPDX-License-Identifier: BSD-3-Clause
// A packed ring's shared descriptors: which are available, how they are used. Inside src/vring/; runs on the
// ring's worker.
#pragma once

#include "vring/chain.h"
#include "vring/kind.h"
#include "vring/layout.h"
#include "vring/vring.h"

// A place in the ring (virtio 1.1, 2.7.1): an index and the wrap counter of the lap that it belongs to.
struct packed_place {
	uint32_t index;
	bool wrap;
};

// `count` descriptors further, the ring's size at most.
static inline struct packed_place packed_ahead(
	const struct vring *ring,
	struct packed_place at,
	uint32_t count
)
{
	at.index += count;
	if (at.index >= ring->size) {
		at.index -= ring->size;
		at.wrap = !at.wrap;
	}
	return at;
}

static inline struct packed_place packed_avail_place(const struct vring *ring)
{
	return (struct packed_place){ring->next_avail, ring->avail_wrap};
}

// As vring_config's base and struct vring_place have it.
static inline uint16_t packed_place_word(struct packed_place at)
{
	return (uint16_t)(at.index | (at.wrap ? PACKED_WRAP : 0));
}

static inline struct packed_place packed_place_of(uint32_t word)
{
	return (struct packed_place){word % PACKED_WRAP, word & PACKED_WRAP};
}

static inline void packed_set_avail(struct vring *ring, struct packed_place at)
{
	ring->next_avail = (uint16_t)at.index;
	ring->avail_wrap = at.wrap;
}

// Where the last three members of a descriptor lie.
static inline uint64_t *packed_word(const struct vring *ring, uint32_t index)
{
	return &ring->desc[index].size_flags_next;
}

// virtio 1.1, 2.7.1: available when AVAIL is the wrap counter of the lap and USED is not.
static inline bool packed_is_available(uint16_t flags, bool wrap)
{
	return (flags & (PACKED_F_AVAIL | PACKED_F_USED)) ==
		(wrap ? PACKED_F_AVAIL : PACKED_F_USED);
}

// Reads a descriptor once, its flags with acquire and before the rest. In the copy, `next` is the buffer id.
static inline struct desc packed_read(const struct vring *ring, uint32_t index)
{
#ifdef __x86_64__
	// One aligned load, which no store of the driver's to the same cache line overtakes.
	uint64_t word = __atomic_load_n(packed_word(ring, index), __ATOMIC_ACQUIRE);
	uint16_t flags = (uint16_t)(word >> 48);
#else
	const uint16_t *last = (const uint16_t *)(const void *)packed_word(ring, index) + 3;
	uint16_t flags = __atomic_load_n(last, __ATOMIC_ACQUIRE);
	uint64_t word = __atomic_load_n(packed_word(ring, index), __ATOMIC_RELAXED);
#endif
	vring_fetched(packed_word(ring, index), sizeof(word));
	return (struct desc){
		.addr = word_read((const uint8_t *)&ring->desc[index].addr),
		.size = (uint32_t)word,
		.flags = flags,
		.next = (uint16_t)(word >> 32),
	};
}

// Makes the used descriptor (virtio 1.1, 2.7.4) that takes the place of a chain of `descs` descriptors; the next one
// comes behind them (2.7.8). WRITE says that len means something (2.7.5). packed_show() stores it. packed_make_room()
// first.
static inline void packed_put(struct vring *ring, uint16_t id, uint32_t size, uint32_t descs)
{
	struct packed_place at = {ring->next_used, ring->used_wrap};
	uint64_t flags = (at.wrap ? PACKED_F_AVAIL | PACKED_F_USED : 0) | (size ? DESC_F_WRITE : 0);
	struct vring_place *place = ring->place;

	place->index[ring->pending_count] = (uint16_t)at.index;
	place->word[ring->pending_count] = size | (uint64_t)id << 32 | flags << 48;
	ring->pending_count++;
	at = packed_ahead(ring, at, descs);
	ring->next_used = (uint16_t)at.index;
	ring->used_wrap = at.wrap;
	ring->unshown += descs;
}

// Stores the first `count` used descriptors of the place, at least one. The last comes first: wherever this ends early,
// what is stored lies behind what is not.
void packed_store_pending(const struct vring *ring, uint32_t count);

// For `count` used descriptors of whole frames, VRING_PENDING_MAX at most.
static inline void packed_make_room(struct vring *ring, uint32_t count)
{
	if (__builtin_expect(ring->pending_count + count > VRING_PENDING_MAX, 0))
		packed_show(ring);
}

// A chain of a packed ring, and what the walk found beside its segments.
struct packed_chain {
	struct chain chain;
	uint32_t ring_descs;	 // Descriptors of the ring, of which
	uint32_t ring_descs_max; // In: there can be so many at most.
	uint16_t id;
	bool ended; // The last descriptor was seen. Otherwise packed_finish() looks for it.
};

// Walks the chain that begins with `first`, which was read from `at`.
enum chain_result packed_walk(
	struct vring *ring,
	struct packed_place at,
	struct desc first,
	uint16_t direction,
	struct packed_chain *chain
);

// Looks for the end of a chain of which the walk saw enough (CHAIN_TOO_MANY): nothing but where it ends.
enum chain_result packed_finish(
	struct vring *ring,
	struct packed_place at,
	struct packed_chain *chain
);
