// SPDX-License-Identifier: BSD-3-Clause
// Frames into a split receive ring: one copy of the payload, from the source's guest memory to
// the destination's. Runs on the worker that owns the ring. Nothing is shown before split_show(), so a
// frame that does not fit leaves no trace.
#include "vring/chain.h"
#include "vring/kind.h"
#include "vring/split.h"
#include "vring/target.h"

// Adds the next available chain to the target.
static enum vring_drop gather_chain(struct vring *ring, struct target *target)
{
	if (target->chain_count == TARGET_CHAINS_MAX)
		return VRING_DROP_BUFFER;
	if (split_avail_count(ring, target->chain_count + 1) <= target->chain_count)
		return VRING_DROP_FULL;
	uint16_t head = split_avail_head(ring, target->chain_count);
	if (head >= ring->size) {
		ring->fault = VRING_FAULT_HEAD;
		return VRING_DROP_FULL;
	}
	struct chain chain = {
		.segs = &target->seg[target->seg_count],
		.desc_max = TARGET_DESCS_MAX - target->desc_count,
	};
	enum chain_result r = chain_walk(ring, desc_read(&ring->desc[head]), DESC_F_WRITE, &chain);
	if (r == CHAIN_FAULT)
		return VRING_DROP_FULL;
	// What was walked of too long a chain is used when it suffices.
	target->cut = r == CHAIN_TOO_MANY;
	target_add(target, &chain, head);
	return VRING_DROP_NONE;
}

// virtio 1.1, 5.1.6.4: without VIRTIO_NET_F_MRG_RXBUF a frame has one chain; with it, as many as it
// takes, all but the last filled to the end (so nothing follows a chain that was cut), and num_buffers
// says how many.
static enum vring_drop gather(struct vring *ring, uint32_t need, struct target *target)
{
	target_reset(target);
	do {
		enum vring_drop drop = gather_chain(ring, target);
		if (drop != VRING_DROP_NONE)
			return drop;
	} while (target->size < need && ring->mergeable && !target->cut);
	return target->size < need ? VRING_DROP_BUFFER : VRING_DROP_NONE;
}

// Any layout of buffers, any number of segments.
__attribute__((noinline)) static enum vring_drop deliver_any(
	struct vring *ring,
	const struct frame *frame
)
{
	struct target target;
	uint32_t need = ring->header_size + frame->size;
	enum vring_drop drop = gather(ring, need, &target);

	if (drop != VRING_DROP_NONE)
		return drop;
	target_write(ring, frame, &target);
	for (uint32_t i = 0; i < target.chain_count; i++) {
		uint32_t part = target_part(&target, i, need);
		split_used_put(ring, target.chain[i].id, part);
		need -= part;
	}
	ring->next_avail = (uint16_t)(ring->next_avail + target.chain_count);
	return VRING_DROP_NONE;
}

// The buffers that the next frames will meet if each takes one plain descriptor.
struct split_pass {
	uint32_t count;
	uint32_t at; // The next to be used.
	uint16_t head[FRAME_BURST_MAX];
	uint32_t size[FRAME_BURST_MAX]; // Of a buffer that was used: what was written.
	uint8_t *host[FRAME_BURST_MAX]; // NULL: anything but one writable descriptor.
};

static void read_buffers(struct vring *ring, struct split_pass *pass, uint32_t max)
{
	struct vring_window window = vring_window_at(ring->cache);
	const struct vring_avail_ring *avail = ring->avail;
	const struct vring_desc_entry *table = ring->desc;
	uint16_t next = ring->next_avail;
	uint16_t mask = ring->mask;
	uint32_t size = ring->size;

	if (max > FRAME_BURST_MAX)
		max = FRAME_BURST_MAX;
	uint32_t count = split_avail_count(ring, max);
	if (count > max)
		count = max;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t head =
			half_read(&avail->ring[(uint16_t)(next + i) & mask], __ATOMIC_RELAXED);
		uint8_t *host = NULL;
		struct desc d = {0};
		if (__builtin_expect(head < size, 1)) // deliver_any() says what is wrong.
			d = desc_read(&table[head]);
		if (__builtin_expect((d.flags & DESC_F_KNOWN) == DESC_F_WRITE, 1))
			host = vring_window_find(&window, ring->mem, &ring->cache, d.addr, d.size);
		pass->head[i] = head;
		pass->size[i] = d.size;
		pass->host[i] = host;
		if (host) {
			__builtin_prefetch(host, 1);
			__builtin_prefetch(host + 64, 1);
		}
	}
	pass->count = count;
	pass->at = 0;
}

// Delivers frames as long as each fits into the one plain buffer that it meets. Returns how many.
static uint32_t deliver_plain(
	struct vring *ring,
	struct split_pass *pass,
	const struct frame *const *frames,
	uint32_t count
)
{
	const struct target_plain plain = {ring->header_size, ring->copy};
	struct vring_used_entry *used = ring->used->ring;
	uint32_t mask = ring->mask;
	uint32_t first = pass->at;
	uint32_t end = pass->count - first < count ? pass->count : first + count;
	uint32_t slot = ring->next_used & mask;
	uint32_t at;

	for (at = first; at < end; at++) {
		const struct frame *frame = frames[at - first];
		if (!target_write_plain(&plain, frame, pass->host[at], pass->size[at]))
			break;
		pass->size[at] = plain.header_size + frame->size;
	}
	for (uint32_t i = first; i < at; i++) {
		split_used_write(&used[slot], pass->head[i], pass->size[i]);
		slot = (slot + 1) & mask;
	}
	ring->next_used = (uint16_t)(ring->next_used + (at - first));
	ring->next_avail = (uint16_t)(ring->next_avail + (at - first));
	pass->at = at;
	return at - first;
}

uint32_t split_deliver(
	struct vring *ring,
	const struct frame *const *frames,
	uint32_t count,
	enum vring_drop *ret_drop
)
{
	struct split_pass pass;
	uint32_t done = 0;

	*ret_drop = VRING_DROP_NONE;
	read_buffers(ring, &pass, count);
	while (done < count) {
		if (pass.at && pass.at >= pass.count)
			read_buffers(ring, &pass, count - done);
		done += deliver_plain(ring, &pass, &frames[done], count - done);
		if (done == count || (pass.at == pass.count && pass.count))
			continue;
		if (__builtin_expect(ring->fault != VRING_FAULT_NONE, 0)) {
			*ret_drop = VRING_DROP_FULL;
			break;
		}
		uint16_t before = ring->next_avail;
		*ret_drop = deliver_any(ring, frames[done]);
		if (*ret_drop != VRING_DROP_NONE)
			break;
		done++;
		pass.at += (uint16_t)(ring->next_avail - before);
	}
	return done;
}
