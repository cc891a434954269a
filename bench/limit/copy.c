// SPDX-License-Identifier: BSD-3-Clause
// The bare copy loop. The worker's thread. Both front ends are trusted: no length, index or address is checked.
#include "bench/limit/copy.h"

#include <string.h>

#define BURST 64u
#define VECTOR 64u
// Frames ahead of the one that is copied whose first lines are fetched.
#define AHEAD 4u
#define DESC_NEXT 1u
// struct virtio_net_hdr_mrg_rxbuf, num_buffers (virtio 1.1, 5.1.6).
#define NUM_BUFFERS 10u

typedef uint8_t vector __attribute__((vector_size(VECTOR), aligned(1), may_alias));

static inline uint8_t *host_of(const struct copy_ring *ring, uint64_t gpa)
{
	const struct vring_region *region = ring->mem->region;

	while (gpa - region->gpa >= region->size)
		region++;
	return region->host + (gpa - region->gpa);
}

static inline const struct ring_desc *desc_at(const struct copy_ring *ring, uint16_t at)
{
	return &ring->desc[ring->avail->ring[at & ring->mask]];
}

static inline void set_used(struct copy_ring *ring, uint16_t at, uint32_t size)
{
	struct ring_used_entry *entry = &ring->used->ring[at & ring->mask];
	entry->id = ring->avail->ring[at & ring->mask];
	entry->size = size;
}

static inline uint16_t available(struct copy_ring *ring, uint16_t wanted)
{
	if ((uint16_t)(ring->seen - ring->next) < wanted)
		ring->seen = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
	return (uint16_t)(ring->seen - ring->next);
}

static inline __attribute__((always_inline)) void copy_bytes(
	uint8_t *restrict to,
	const uint8_t *restrict from,
	uint32_t size
)
{
	if (size < VECTOR) {
		memcpy(to, from, size);
		return;
	}
	uint32_t last = size - VECTOR;
	for (uint32_t at = 0; at < last; at += VECTOR)
		*(vector *)(to + at) = *(const vector *)(from + at);
	*(vector *)(to + last) = *(const vector *)(from + last);
}

// A frame in a chain, or for several buffers. Receive buffers that were used; 0: there are too few.
static uint32_t copy_apart(struct copy_path *path, uint16_t from_at, uint16_t to_at, uint16_t room)
{
	const struct ring_desc *from = desc_at(&path->from, from_at);
	const struct ring_desc *to = NULL;
	uint8_t *first = host_of(&path->to, desc_at(&path->to, to_at)->addr);
	uint32_t from_done = 0;
	uint32_t to_done = 0;
	uint16_t used = 0;

	for (;;) {
		if (from_done == from->size) {
			if (!(from->flags & DESC_NEXT))
				break;
			from = &path->from.desc[from->next];
			from_done = 0;
		}
		if (!to || to_done == to->size) {
			if (used == room)
				return 0;
			if (to)
				set_used(&path->to, (uint16_t)(to_at + used - 1), to_done);
			to = desc_at(&path->to, (uint16_t)(to_at + used++));
			to_done = 0;
		}
		uint32_t part = from->size - from_done;
		if (part > to->size - to_done)
			part = to->size - to_done;
		memcpy(host_of(&path->to, to->addr) + to_done,
		       host_of(&path->from, from->addr) + from_done,
		       part);
		from_done += part;
		to_done += part;
	}
	set_used(&path->to, (uint16_t)(to_at + used - 1), to_done);
	if (path->to.header_size > NUM_BUFFERS)
		memcpy(first + NUM_BUFFERS, &used, sizeof(used));
	return used;
}

static inline __attribute__((always_inline)) void copy_whole(
	struct copy_path *path,
	const struct ring_desc *from,
	const struct ring_desc *to
)
{
	const uint8_t *source = host_of(&path->from, from->addr);
	uint8_t *target = host_of(&path->to, to->addr);
	uint32_t header = path->to.header_size;
	uint16_t one = 1;

	memcpy(target, source, 10);
	if (header > NUM_BUFFERS)
		memcpy(target + NUM_BUFFERS, &one, sizeof(one));
	copy_bytes(target + header, source + header, from->size - header);
}

static inline __attribute__((always_inline)) void fetch_ahead(
	const struct copy_path *path,
	uint16_t from_at,
	uint16_t to_at
)
{
	const struct ring_desc *from = desc_at(&path->from, from_at);
	const struct ring_desc *to = desc_at(&path->to, to_at);

	__builtin_prefetch(host_of(&path->from, from->addr) + VECTOR);
	__builtin_prefetch(host_of(&path->to, to->addr) + VECTOR, 1);
}

static inline __attribute__((always_inline)) uint32_t move_burst(struct copy_path *path)
{
	struct copy_ring *from = &path->from;
	struct copy_ring *to = &path->to;
	uint16_t count = available(from, 1);
	uint32_t frames = 0;

	if (!count)
		return 0;
	count = count < BURST ? count : BURST;
	uint16_t room = available(to, count);
	uint16_t to_at = to->next;
	uint16_t from_at = from->next;
	for (; frames < count && room; frames++, from_at++) {
		const struct ring_desc *source = desc_at(from, from_at);
		const struct ring_desc *target = desc_at(to, to_at);
		uint32_t used = 1;
		if (count - frames > AHEAD && room > AHEAD)
			fetch_ahead(path, (uint16_t)(from_at + AHEAD), (uint16_t)(to_at + AHEAD));
		if (__builtin_expect(
			    source->size <= target->size && !(source->flags & DESC_NEXT), 1
		    )) {
			copy_whole(path, source, target);
			set_used(to, to_at, source->size);
		} else {
			used = copy_apart(path, from_at, to_at, room);
		}
		if (!used) {
			to->seen = to_at; // Look at the index again the next time.
			break;
		}
		set_used(from, from_at, 0);
		to_at += (uint16_t)used;
		room -= (uint16_t)used;
	}
	to->next = to_at;
	from->next = from_at;
	if (!frames)
		return 0;
	__atomic_store_n(&to->used->idx, to_at, __ATOMIC_RELEASE);
	__atomic_store_n(&from->used->idx, from_at, __ATOMIC_RELEASE);
	return frames;
}

static uint32_t burst_plain(struct copy_path *path)
{
	return move_burst(path);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint32_t burst_avx2(struct copy_path *path)
{
	return move_burst(path);
}

__attribute__((target("avx512f"))) static uint32_t burst_avx512(struct copy_path *path)
{
	return move_burst(path);
}
#endif

copy_burst *copy_choose(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f"))
		return burst_avx512;
	if (__builtin_cpu_supports("avx2"))
		return burst_avx2;
#endif
	return burst_plain;
}

uint32_t copy_null(struct copy_path *path)
{
	uint16_t count = available(&path->from, 1);
	uint16_t room = count ? available(&path->to, count) : 0;

	count = count < room ? count : room;
	if (!count)
		return 0;
	// Entries stay as they are after the first lap.
	if (!path->null_size) {
		path->null_size = desc_at(&path->from, path->from.next)->size;
		for (uint32_t i = 0; i <= path->to.mask; i++)
			path->to.used->ring[i] = (struct ring_used_entry){i, path->null_size};
		for (uint32_t i = 0; i <= path->from.mask; i++)
			path->from.used->ring[i] = (struct ring_used_entry){i, 0};
	}
	path->from.next += count;
	path->to.next += count;
	__atomic_store_n(&path->to.used->idx, path->to.next, __ATOMIC_RELEASE);
	__atomic_store_n(&path->from.used->idx, path->from.next, __ATOMIC_RELEASE);
	return count;
}
