// SPDX-License-Identifier: BSD-3-Clause
// Frames from a front end's transmit ring: chains become views, the head of each is copied. Runs on the
// ring's worker. Descriptors are read for the whole burst first, so that the memory they point to is
// on its way while the rest is looked at.
#include "vring/avail.h"
#include "vring/chain.h"
#include "vring/vring.h"

#include <string.h>

// The burst's first descriptors, read once.
struct take_pass {
	uint32_t count;
	uint32_t looked;	// Descriptors of the chains taken so far.
	enum vring_fault fault; // What was found behind the last of them.
	uint16_t head[FRAME_BURST_MAX];
	struct desc desc[FRAME_BURST_MAX];
	uint8_t *host[FRAME_BURST_MAX]; // NULL: not a single plain descriptor.
};

static void read_heads(struct vring *ring, struct take_pass *pass, uint32_t max)
{
	if (max > FRAME_BURST_MAX)
		max = FRAME_BURST_MAX;
	uint32_t count = avail_count(ring, max);
	if (count > max)
		count = max;
	pass->fault = VRING_FAULT_NONE;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t head = avail_head(ring, i);
		if (__builtin_expect(head >= ring->size, 0)) {
			pass->fault = VRING_FAULT_HEAD;
			count = i;
			break;
		}
		pass->head[i] = head;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct desc d = desc_read(&ring->desc[pass->head[i]]);
		uint8_t *host = NULL;
		if (__builtin_expect((d.flags & DESC_F_KNOWN) == 0, 1))
			host = vring_mem_at(ring->mem, &ring->cache, d.addr, d.size);
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

// Copies the first bytes of a frame out of guest memory, once and for all.
static void copy_head(struct frame *frame, uint8_t *head)
{
	uint32_t want = frame->size < FRAME_HEAD_SIZE ? frame->size : FRAME_HEAD_SIZE;
	const struct frame_seg *seg = frame->segs;

	frame->head = head;
	frame->head_size = (uint16_t)want;
	if (__builtin_expect(seg->size >= FRAME_HEAD_SIZE, 1)) {
		memcpy(head, seg->addr, FRAME_HEAD_SIZE); // A constant size: no call.
		return;
	}
	for (; want; seg++) {
		uint32_t part = seg->size < want ? seg->size : want;
		memcpy(head, seg->addr, part);
		head += part;
		want -= part;
	}
}

// virtio 1.1, 5.1.6: the header comes first, in as many descriptors as the front end likes (2.6.4:
// no assumption about the layout). Cuts `size` bytes from the front of the segments.
static void cut_header(struct frame_seg **segs, uint32_t *count, uint32_t size)
{
	while (size && size >= (*segs)->size) {
		size -= (*segs)->size;
		(*segs)++;
		(*count)--;
	}
	if (size) {
		(*segs)->addr += size;
		(*segs)->size -= size;
	}
}

// Makes a frame of a chain's segments, which lie in the burst already.
static enum vring_drop build_frame(
	const struct vring *ring,
	struct frame_burst *burst,
	struct chain *chain
)
{
	struct frame *frame = &burst->frame[burst->count];
	struct frame_seg *segs = chain->segs;
	uint32_t count = chain->seg_count;

	if (chain->size < (uint64_t)ring->header_size + FRAME_SIZE_MIN)
		return VRING_DROP_SHORT;
	if (chain->size > (uint64_t)ring->header_size + FRAME_SIZE_MAX)
		return VRING_DROP_LONG;
	cut_header(&segs, &count, ring->header_size);
	frame->segs = segs;
	frame->seg_count = (uint16_t)count;
	frame->size = (uint32_t)chain->size - ring->header_size;
	// No offload is negotiated yet, and then all of the header is zero (virtio 1.1, 5.1.6.2.1).
	frame->offload = (struct frame_offload){0};
	copy_head(frame, burst->head[burst->count]);
	burst->seg_count += chain->seg_count;
	burst->count++;
	return VRING_DROP_NONE;
}

// Handles one chain. False: it must wait for the next burst (too many descriptors for what is left of
// this one), or the ring broke.
static bool take_chain(
	struct vring *ring,
	struct frame_burst *burst,
	struct take_pass *pass,
	uint32_t i,
	uint64_t *drops
)
{
	struct chain chain = {
		.segs = &burst->seg[burst->seg_count],
		.desc_max = FRAME_SEGS_MAX - pass->looked,
		.desc_count = 1,
		.seg_count = 1,
		.size = pass->desc[i].size,
	};
	enum vring_drop drop = VRING_DROP_NONE;

	if (__builtin_expect(pass->host[i] && chain.desc_max, 1)) {
		chain.segs[0] = (struct frame_seg){pass->host[i], pass->desc[i].size};
	} else {
		enum chain_result r = chain_walk(ring, pass->desc[i], 0, &chain);
		if (r == CHAIN_FAULT)
			return false;
		if (r == CHAIN_TOO_MANY && pass->looked)
			return false;
		if (r == CHAIN_TOO_MANY)
			drop = VRING_DROP_LONG;
	}
	if (drop == VRING_DROP_NONE)
		drop = build_frame(ring, burst, &chain);
	if (__builtin_expect(drop != VRING_DROP_NONE, 0))
		drops[drop]++;
	pass->looked += chain.desc_count;
	ring->taken[ring->taken_count++] = pass->head[i];
	return true;
}

uint32_t vring_take(
	struct vring *ring,
	struct frame_burst *burst,
	uint32_t max,
	uint64_t ret_drops[VRING_DROP_COUNT]
)
{
	struct take_pass pass;

	burst->count = 0;
	burst->seg_count = 0;
	ring->taken_count = 0;
	if (ring->fault != VRING_FAULT_NONE)
		return 0;
	read_heads(ring, &pass, max);
	for (uint32_t i = 0; i < pass.count; i++)
		if (!take_chain(ring, burst, &pass, i, ret_drops))
			break;
	// A burst that ended early leaves sound chains before the fault: the next one meets it again.
	if (__builtin_expect(pass.fault != VRING_FAULT_NONE, 0) && ring->taken_count == pass.count)
		ring->fault = pass.fault;
	ring->next_avail = (uint16_t)(ring->next_avail + ring->taken_count);
	return burst->count;
}

void vring_complete(struct vring *ring)
{
	// virtio 1.1, 2.6.8: nothing was written into these buffers.
	for (uint32_t i = 0; i < ring->taken_count; i++)
		used_put(ring, ring->taken[i], 0);
	ring->taken_count = 0;
	vring_show(ring);
}
