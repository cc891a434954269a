// SPDX-License-Identifier: BSD-3-Clause
// Making frames of chains: what split and packed rings share on the way in. Inside src/vring/.
#pragma once

#include "vring/chain.h"
#include "vring/copy.h"
#include "vring/vring.h"

#include <string.h>

struct view_word16 {
	uint16_t value;
} __attribute__((packed, may_alias));

// virtio 1.1, 5.1.6: reads a header's requests once. num_buffers means nothing here (5.1.6.2.1).
static inline struct frame_offload view_read_offload(const uint8_t *header)
{
	struct frame_offload offload;
	uint64_t word = word_read(header);
	uint16_t last = ((const volatile struct view_word16 *)(header + 8))->value;
	vring_fetched(header + 8, sizeof(last));

	memcpy(&offload, &word, sizeof(word));
	memcpy((uint8_t *)&offload + sizeof(word), &last, sizeof(last));
	return offload;
}

// Makes a frame of a chain's segments, which lie in the burst already. Any layout.
enum vring_drop view_add_chain(
	const struct vring *ring,
	struct frame_burst *burst,
	const struct chain *chain
);

// Where plain frames are made: members of ring and burst, kept in registers for the length of a loop. view_load() before
// the first and after anybody else added to the burst, view_store() before anybody else looks at it.
struct view_maker {
	struct frame_burst *burst;
	uint32_t header;
	bool offloads;
	uint32_t count;
	uint32_t seg_count;
	uint64_t bytes;
};

static inline struct view_maker view_load(const struct vring *ring, struct frame_burst *burst)
{
	return (struct view_maker){
		.burst = burst,
		.header = ring->header_size,
		.offloads = ring->offloads,
		.count = burst->count,
		.seg_count = burst->seg_count,
		.bytes = burst->bytes,
	};
}

static inline void view_store(const struct view_maker *maker)
{
	maker->burst->count = maker->count;
	maker->burst->seg_count = maker->seg_count;
	maker->burst->bytes = maker->bytes;
}

// Makes a frame of one descriptor that holds header and frame.
static inline enum vring_drop view_add_plain(struct view_maker *maker, uint8_t *host, uint32_t size)
{
	struct frame *frame = &maker->burst->frame[maker->count];
	struct frame_seg *seg = &maker->burst->seg[maker->seg_count];
	uint8_t *head = maker->burst->head[maker->count];

	if (__builtin_expect(size < maker->header + FRAME_SIZE_MIN, 0))
		return VRING_DROP_SHORT;
	if (__builtin_expect(size > maker->header + FRAME_SIZE_MAX, 0))
		return VRING_DROP_LONG;
	// Nothing was negotiated that could be asked for: all of the header is zero (virtio 1.1, 5.1.6.2.1).
	struct frame_offload offload = {0};
	if (maker->offloads)
		offload = view_read_offload(host);
	size -= maker->header;
	host += maker->header;
	*seg = (struct frame_seg){.addr = host, .size = size};
	frame->head = head;
	frame->segs = seg;
	frame->size = size;
	frame->seg_count = 1;
	frame->offload = offload;
	if (__builtin_expect(size >= FRAME_HEAD_SIZE, 1)) {
		memcpy(head, host, FRAME_HEAD_SIZE); // A constant size: no call.
		frame->head_size = FRAME_HEAD_SIZE;
	} else {
		copy_short(head, host, size);
		frame->head_size = (uint16_t)size;
	}
	vring_fetched(host, frame->head_size);
	maker->bytes += size;
	maker->seg_count++;
	maker->count++;
	return VRING_DROP_NONE;
}
