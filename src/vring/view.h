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

// The same for one descriptor that holds header and frame.
static inline enum vring_drop view_add_plain(
	const struct vring *ring,
	struct frame_burst *burst,
	uint8_t *host,
	uint32_t size
)
{
	uint32_t header = ring->header_size;
	struct frame *frame = &burst->frame[burst->count];
	struct frame_seg *seg = &burst->seg[burst->seg_count];
	uint8_t *head = burst->head[burst->count];

	if (__builtin_expect(size < header + FRAME_SIZE_MIN, 0))
		return VRING_DROP_SHORT;
	if (__builtin_expect(size > header + FRAME_SIZE_MAX, 0))
		return VRING_DROP_LONG;
	// Nothing was negotiated that could be asked for: all of the header is zero (virtio 1.1, 5.1.6.2.1).
	struct frame_offload offload = {0};
	if (ring->offloads)
		offload = view_read_offload(host);
	size -= header;
	host += header;
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
	burst->bytes += size;
	burst->seg_count++;
	burst->count++;
	return VRING_DROP_NONE;
}
