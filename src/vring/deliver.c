// SPDX-License-Identifier: BSD-3-Clause
// Frames into a front end's receive ring: one copy of the payload, from the source's guest memory to
// the destination's. Runs on the worker that owns the ring. Nothing is shown before vring_show(), so a
// frame that does not fit leaves no trace.
#include "vring/avail.h"
#include "vring/chain.h"
#include "vring/vring.h"

#include <string.h>

// Chains that one frame may be spread over, and descriptors that they may have together. 64 KiB in the
// smallest buffers that drivers use (256 bytes) needs 257.
#define DELIVER_CHAINS_MAX 288
#define DELIVER_DESCS_MAX 320

// virtio 1.1, 5.1.6: struct virtio_net_hdr.
struct net_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers; // Absent in the legacy header of 10 bytes.
};

_Static_assert(sizeof(struct net_header) == 12, "virtio 1.1, 5.1.6");

// Buffers gathered for one frame.
struct target {
	uint32_t chain_count;
	uint32_t desc_count;
	uint32_t seg_count;
	bool cut; // The last chain was not walked to its end.
	uint64_t size;
	uint16_t head[DELIVER_CHAINS_MAX];
	uint32_t chain_size[DELIVER_CHAINS_MAX];
	struct frame_seg seg[DELIVER_DESCS_MAX];
};

// Where writing into a target stands.
struct cursor {
	const struct frame_seg *seg;
	uint32_t offset;
};

static struct net_header make_header(const struct frame *frame, uint32_t buffers)
{
	const struct frame_offload *o = &frame->offload;
	return (struct net_header){
		.flags = o->flags,
		.gso_type = o->gso_type,
		.hdr_len = o->hdr_len,
		.gso_size = o->gso_size,
		.csum_start = o->csum_start,
		.csum_offset = o->csum_offset,
		.num_buffers = (uint16_t)buffers,
	};
}

static void write_bytes(struct cursor *to, const uint8_t *from, uint32_t size)
{
	while (size) {
		uint32_t room = to->seg->size - to->offset;
		uint32_t part = room < size ? room : size;
		memcpy(to->seg->addr + to->offset, from, part);
		from += part;
		size -= part;
		to->offset += part;
		if (to->offset == to->seg->size) {
			to->seg++;
			to->offset = 0;
		}
	}
}

// Header, private head, and what lies behind the head in the frame's segments.
static void write_frame(
	const struct vring *ring,
	const struct frame *frame,
	const struct target *target
)
{
	struct net_header header = make_header(frame, target->chain_count);
	struct cursor to = {.seg = target->seg};
	uint32_t skip = frame->head_size;

	write_bytes(&to, (const uint8_t *)&header, ring->header_size);
	write_bytes(&to, frame->head, frame->head_size);
	for (uint32_t i = 0; i < frame->seg_count; i++) {
		const struct frame_seg *seg = &frame->segs[i];
		if (skip >= seg->size) {
			skip -= seg->size;
			continue;
		}
		write_bytes(&to, seg->addr + skip, seg->size - skip);
		skip = 0;
	}
}

// Adds the next available chain to the target.
static enum vring_drop gather_chain(struct vring *ring, struct target *target)
{
	if (target->chain_count == DELIVER_CHAINS_MAX)
		return VRING_DROP_BUFFER;
	if (avail_count(ring, target->chain_count + 1) <= target->chain_count)
		return VRING_DROP_FULL;
	uint16_t head = avail_head(ring, target->chain_count);
	if (head >= ring->size) {
		ring->fault = VRING_FAULT_HEAD;
		return VRING_DROP_FULL;
	}
	struct chain chain = {
		.segs = &target->seg[target->seg_count],
		.desc_max = DELIVER_DESCS_MAX - target->desc_count,
	};
	enum chain_result r = chain_walk(ring, desc_read(&ring->desc[head]), DESC_F_WRITE, &chain);
	if (r == CHAIN_FAULT)
		return VRING_DROP_FULL;
	// What was walked of too long a chain is used when it suffices.
	target->cut = r == CHAIN_TOO_MANY;
	if (chain.size > UINT32_MAX)
		chain.size = UINT32_MAX;
	target->head[target->chain_count] = head;
	target->chain_size[target->chain_count] = (uint32_t)chain.size;
	target->chain_count++;
	target->desc_count += chain.desc_count;
	target->seg_count += chain.seg_count;
	target->size += chain.size;
	return VRING_DROP_NONE;
}

// virtio 1.1, 5.1.6.4: without VIRTIO_NET_F_MRG_RXBUF a frame has one chain; with it, as many as it
// takes, all but the last filled to the end (so nothing follows a chain that was cut), and num_buffers
// says how many.
static enum vring_drop gather(struct vring *ring, uint32_t need, struct target *target)
{
	target->chain_count = 0;
	target->desc_count = 0;
	target->seg_count = 0;
	target->size = 0;
	do {
		enum vring_drop drop = gather_chain(ring, target);
		if (drop != VRING_DROP_NONE)
			return drop;
	} while (target->size < need && ring->mergeable && !target->cut);
	return target->size < need ? VRING_DROP_BUFFER : VRING_DROP_NONE;
}

static void use_chains(struct vring *ring, const struct target *target, uint32_t size)
{
	for (uint32_t i = 0; i < target->chain_count; i++) {
		uint32_t part = target->chain_size[i] < size ? target->chain_size[i] : size;
		used_put(ring, target->head[i], part);
		size -= part;
	}
	ring->next_avail = (uint16_t)(ring->next_avail + target->chain_count);
}

// Any layout of buffers, any number of segments.
static enum vring_drop deliver_any(struct vring *ring, const struct frame *frame)
{
	struct target target;
	uint32_t need = ring->header_size + frame->size;
	enum vring_drop drop = gather(ring, need, &target);

	if (drop != VRING_DROP_NONE)
		return drop;
	write_frame(ring, frame, &target);
	use_chains(ring, &target, need);
	return VRING_DROP_NONE;
}

// The buffers that the next frames will meet if each takes one plain descriptor.
struct deliver_pass {
	uint32_t count;
	uint16_t head[FRAME_BURST_MAX];
	uint32_t size[FRAME_BURST_MAX];
	uint8_t *host[FRAME_BURST_MAX]; // NULL: anything but one writable descriptor.
};

static void read_buffers(struct vring *ring, struct deliver_pass *pass, uint32_t max)
{
	if (max > FRAME_BURST_MAX)
		max = FRAME_BURST_MAX;
	uint32_t count = avail_count(ring, max);
	if (count > max)
		count = max;
	for (uint32_t i = 0; i < count; i++) {
		pass->head[i] = avail_head(ring, i);
		pass->host[i] = NULL;
		if (__builtin_expect(pass->head[i] >= ring->size, 0))
			continue;
		struct desc d = desc_read(&ring->desc[pass->head[i]]);
		if (__builtin_expect((d.flags & DESC_F_KNOWN) == DESC_F_WRITE, 1))
			pass->host[i] = vring_mem_at(ring->mem, &ring->cache, d.addr, d.size);
		pass->size[i] = d.size;
		if (pass->host[i]) {
			__builtin_prefetch(pass->host[i], 1);
			__builtin_prefetch(pass->host[i] + 64, 1);
		}
	}
	pass->count = count;
}

// One plain buffer that holds the whole frame, which lies in one segment. False: it does not.
static bool deliver_plain(
	struct vring *ring,
	const struct frame *frame,
	const struct deliver_pass *pass,
	uint32_t i
)
{
	uint8_t *to = pass->host[i];
	uint32_t need = ring->header_size + frame->size;

	if (__builtin_expect(!to || pass->size[i] < need || frame->seg_count != 1, 0))
		return false;
	struct net_header header = make_header(frame, 1);
	memcpy(to, &header, 10);
	if (ring->header_size == 12)
		memcpy(to + 10, &header.num_buffers, 2);
	to += ring->header_size;
	if (__builtin_expect(frame->size >= FRAME_HEAD_SIZE, 1)) {
		memcpy(to, frame->head, FRAME_HEAD_SIZE); // A constant size: no call.
		if (frame->size > FRAME_HEAD_SIZE)
			memcpy(to + FRAME_HEAD_SIZE,
			       frame->segs->addr + FRAME_HEAD_SIZE,
			       frame->size - FRAME_HEAD_SIZE);
	} else {
		memcpy(to, frame->head, frame->size);
	}
	used_put(ring, pass->head[i], need);
	ring->next_avail++;
	return true;
}

uint32_t vring_deliver(
	struct vring *ring,
	const struct frame *const *frames,
	uint32_t count,
	enum vring_drop *ret_drop
)
{
	struct deliver_pass pass;
	uint16_t pass_start = ring->next_avail;
	uint32_t done;

	*ret_drop = VRING_DROP_FULL;
	if (ring->fault != VRING_FAULT_NONE)
		return 0;
	read_buffers(ring, &pass, count);
	for (done = 0; done < count; done++) {
		uint32_t used = (uint16_t)(ring->next_avail - pass_start);
		if (used >= pass.count && pass.count) {
			pass_start = ring->next_avail;
			read_buffers(ring, &pass, count - done);
			used = 0;
		}
		if (__builtin_expect(ring->fault != VRING_FAULT_NONE, 0)) {
			*ret_drop = VRING_DROP_FULL;
			return done;
		}
		if (used < pass.count && deliver_plain(ring, frames[done], &pass, used))
			continue;
		*ret_drop = deliver_any(ring, frames[done]);
		if (*ret_drop != VRING_DROP_NONE)
			return done;
	}
	*ret_drop = VRING_DROP_NONE;
	return done;
}
