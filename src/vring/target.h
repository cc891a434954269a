// SPDX-License-Identifier: BSD-3-Clause
// Writing frames into receive buffers: what split and packed rings share on the way out. Inside src/vring/.
#pragma once

#include "vring/chain.h"
#include "vring/copy.h"
#include "vring/vring.h"

#include <string.h>

// Chains that one frame may be spread over, and descriptors that they may have together. 64 KiB in the
// smallest buffers that drivers use (256 bytes) needs 257.
#define TARGET_CHAINS_MAX VRING_PENDING_MAX
#define TARGET_DESCS_MAX 320

// One chain of a target.
struct target_chain {
	uint16_t id;	// What the used entry says: the head, or a packed ring's buffer id.
	uint16_t descs; // Packed: descriptors of the ring.
	uint32_t size;
};

// Buffers gathered for one frame.
struct target {
	uint32_t chain_count;
	uint32_t desc_count;
	uint32_t seg_count;
	bool cut; // The last chain was not walked to its end.
	uint64_t size;
	struct target_chain chain[TARGET_CHAINS_MAX];
	struct frame_seg seg[TARGET_DESCS_MAX];
};

static inline void target_reset(struct target *target)
{
	target->chain_count = 0;
	target->desc_count = 0;
	target->seg_count = 0;
	target->cut = false;
	target->size = 0;
}

// Adds a chain whose segments lie in the target already.
static inline void target_add(struct target *target, const struct chain *chain, uint16_t id)
{
	struct target_chain *to = &target->chain[target->chain_count++];

	to->id = id;
	to->size = chain->size > UINT32_MAX ? UINT32_MAX : (uint32_t)chain->size;
	target->desc_count += chain->desc_count;
	target->seg_count += chain->seg_count;
	target->size += to->size;
}

// Header, private head, and what lies behind the head in the frame's segments, into a target that has room
// for all of it.
void target_write(const struct vring *ring, const struct frame *frame, const struct target *target);

// The bytes of the frame that chain i holds, of `left` that are not placed yet: all chains but the last are
// filled to the end (virtio 1.1, 5.1.6.4).
static inline uint32_t target_part(const struct target *target, uint32_t i, uint32_t left)
{
	return target->chain[i].size < left ? target->chain[i].size : left;
}

// virtio 1.1, 5.1.6: struct virtio_net_hdr; num_buffers is absent in the legacy header of 10 bytes.
static inline void target_put_header(
	uint8_t *to,
	const struct frame *frame,
	uint32_t header_size,
	uint32_t buffers
)
{
	const uint8_t *from = (const uint8_t *)&frame->offload;
	uint32_t last = frame->offload.csum_offset | buffers << 16;

	memcpy(to, from, 8);
	if (header_size == 12)
		memcpy(to + 8, &last, 4);
	else
		memcpy(to + 8, &last, 2);
}

// What plain buffers are written with: members of the ring, kept in registers for the length of a loop.
struct target_plain {
	uint32_t header_size;
	vring_copy_fn *copy;
};

// One plain buffer that holds all of a frame which lies in one segment, or wholly in its private head. False: it
// is not so, and nothing was written.
static inline bool target_write_plain(
	const struct target_plain *plain,
	const struct frame *frame,
	uint8_t *to,
	uint32_t room
)
{
	uint32_t header = plain->header_size;
	uint32_t size = frame->size;

	if (__builtin_expect(!to || room < header + size, 0))
		return false;
	if (__builtin_expect(frame->head_size == FRAME_HEAD_SIZE, 1)) {
		uint8_t *body = to + header;
		if (size > FRAME_HEAD_SIZE) {
			if (__builtin_expect(frame->seg_count != 1, 0))
				return false;
			copy_bytes(
				plain->copy,
				body + FRAME_HEAD_SIZE,
				frame->segs->addr + FRAME_HEAD_SIZE,
				size - FRAME_HEAD_SIZE
			);
			vring_fetched(frame->segs->addr + FRAME_HEAD_SIZE, size - FRAME_HEAD_SIZE);
		}
		memcpy(body, frame->head, FRAME_HEAD_SIZE); // A constant size: no call.
	} else if (frame->head_size == size) {
		copy_bytes(plain->copy, to + header, frame->head, size);
	} else {
		return false;
	}
	// virtio 1.1, 5.1.6.4.1: num_buffers is 1 for a frame in one buffer, merged or not.
	target_put_header(to, frame, header, 1);
	return true;
}
