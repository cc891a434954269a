// SPDX-License-Identifier: BSD-3-Clause
// A split ring's shared indices and entries. Inside src/vring/; runs on the ring's worker.
#pragma once

#include "vring/layout.h"
#include "vring/vring.h"

#include <string.h>

// How many chains are available, reading the front end's index only when fewer than `want` are known
// of. Sets ring->fault and returns 0 when the index cannot be right.
static inline uint32_t split_avail_count(struct vring *ring, uint32_t want)
{
	uint16_t known = (uint16_t)(ring->avail_seen - ring->next_avail);
	if (known >= want)
		return known;
	uint16_t idx = half_read(&ring->avail->idx, __ATOMIC_ACQUIRE);
	known = (uint16_t)(idx - ring->next_avail);
	// virtio 1.1, 2.6.13.3: never more available than the ring has entries.
	if (__builtin_expect(known > ring->size, 0)) {
		ring->fault = VRING_FAULT_AVAIL_JUMP;
		return 0;
	}
	ring->avail_seen = idx;
	return known;
}

// The head of the `ahead`-th available chain, read once and unchecked.
static inline uint16_t split_avail_head(const struct vring *ring, uint32_t ahead)
{
	uint16_t slot = (uint16_t)(ring->next_avail + ahead) & ring->mask;
	return half_read(&ring->avail->ring[slot], __ATOMIC_RELAXED);
}

// virtio 1.1, 2.6.8: the used entry `slot` of the ring: id and len as one word.
static inline void split_used_write(struct vring_used_entry *entry, uint16_t head, uint32_t size)
{
	uint64_t word = head | (uint64_t)size << 32;
	memcpy(entry, &word, sizeof(word));
}

static inline void split_used_put(struct vring *ring, uint16_t head, uint32_t size)
{
	split_used_write(&ring->used->ring[ring->next_used & ring->mask], head, size);
	ring->next_used++;
}
