// SPDX-License-Identifier: BSD-3-Clause
// Frames from a split transmit ring: chains become views, the head of each is copied. Runs on the
// ring's worker. Descriptors are read for the whole burst first, so that the memory they point to is
// on its way while the rest is looked at.
#include "vring/chain.h"
#include "vring/kind.h"
#include "vring/split.h"
#include "vring/view.h"

// The burst's first descriptors, read once.
struct split_pass {
	uint32_t count;
	uint32_t looked;	// Descriptors of the chains taken so far.
	enum vring_fault fault; // What was found behind the last of them.
	struct desc desc[FRAME_BURST_MAX];
	uint8_t *host[FRAME_BURST_MAX]; // NULL: not a single plain descriptor.
};

// The heads of the next chains; fewer where one is out of range.
static uint32_t read_heads(struct vring *ring, struct split_pass *pass, uint32_t count)
{
	const struct vring_avail_ring *avail = ring->avail;
	uint16_t next = ring->next_avail;
	uint16_t mask = ring->mask;
	uint32_t size = ring->size;

	pass->fault = VRING_FAULT_NONE;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t head =
			half_read(&avail->ring[(uint16_t)(next + i) & mask], __ATOMIC_RELAXED);
		if (__builtin_expect(head >= size, 0)) {
			pass->fault = VRING_FAULT_HEAD;
			return i;
		}
		ring->taken[i] = head;
	}
	return count;
}

static void read_descs(struct vring *ring, struct split_pass *pass, uint32_t max)
{
	struct vring_window window = vring_window_at(ring->cache);
	const struct vring_desc_entry *table = ring->desc;

	if (max > FRAME_BURST_MAX)
		max = FRAME_BURST_MAX;
	uint32_t count = split_avail_count(ring, max);
	count = read_heads(ring, pass, count > max ? max : count);
	for (uint32_t i = 0; i < count; i++) {
		struct desc d = desc_read(&table[ring->taken[i]]);
		uint8_t *host = NULL;
		if (__builtin_expect((d.flags & DESC_F_KNOWN) == 0, 1))
			host = vring_window_find(&window, ring->mem, &ring->cache, d.addr, d.size);
		if (host) {
			__builtin_prefetch(host);
			__builtin_prefetch(host + 64);
		}
		pass->desc[i] = d;
		pass->host[i] = host;
	}
	pass->count = count;
	pass->looked = 0;
}

// Handles one chain of any shape. False: it must wait for the next burst (too many descriptors for what is left
// of this one), or the ring broke.
__attribute__((noinline)) static bool take_chain(
	struct vring *ring,
	struct frame_burst *burst,
	struct split_pass *pass,
	uint32_t i,
	uint64_t *drops
)
{
	struct chain chain = {
		.segs = &burst->seg[burst->seg_count],
		.desc_max = FRAME_SEGS_MAX - pass->looked,
	};
	enum chain_result r = chain_walk(ring, pass->desc[i], 0, &chain);

	if (r == CHAIN_FAULT || (r == CHAIN_TOO_MANY && pass->looked))
		return false;
	enum vring_drop drop =
		r == CHAIN_OK ? view_add_chain(ring, burst, &chain) : VRING_DROP_LONG;
	if (drop != VRING_DROP_NONE)
		drops[drop]++;
	pass->looked += chain.desc_count;
	return true;
}

void split_take(struct vring *ring, struct frame_burst *burst, uint32_t max, uint64_t *drops)
{
	struct view_maker maker = view_load(ring, burst);
	struct split_pass pass;
	uint32_t i;

	read_descs(ring, &pass, max);
	for (i = 0; i < pass.count; i++) {
		if (__builtin_expect(pass.host[i] && pass.looked < FRAME_SEGS_MAX, 1)) {
			enum vring_drop drop =
				view_add_plain(&maker, pass.host[i], pass.desc[i].size);
			if (__builtin_expect(drop != VRING_DROP_NONE, 0))
				drops[drop]++;
			pass.looked++;
			continue;
		}
		view_store(&maker);
		if (!take_chain(ring, burst, &pass, i, drops))
			break;
		maker = view_load(ring, burst);
	}
	view_store(&maker);
	// A burst that ended early leaves sound chains before the fault: the next one meets it again.
	if (__builtin_expect(pass.fault != VRING_FAULT_NONE, 0) && i == pass.count)
		ring->fault = pass.fault;
	ring->taken_count = i;
	ring->next_avail = (uint16_t)(ring->next_avail + i);
}

// virtio 1.1, 2.6.8: nothing was written into these buffers.
void split_put_taken(struct vring *ring)
{
	uint32_t count = ring->taken_count;
	uint32_t slot = ring->next_used & ring->mask;

	if (ring->in_order && count) {
		// virtio 1.1, 2.6.9: one entry for the batch, in the place of its first chain, with the head of its
		// last one; the index moves by the size of the batch.
		split_used_write(&ring->used->ring[slot], ring->taken[count - 1], 0);
	} else {
		for (uint32_t i = 0; i < count; i++) {
			split_used_write(&ring->used->ring[slot], ring->taken[i], 0);
			slot = (slot + 1) & ring->mask;
		}
	}
	ring->next_used = (uint16_t)(ring->next_used + count);
}
