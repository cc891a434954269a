// SPDX-License-Identifier: BSD-3-Clause
// Frames of chains in any layout: header wherever it lies, segments behind it. Runs on the ring's worker.
#include "vring/view.h"

// Copies the first bytes of a run of segments out of guest memory, once and for all.
static void copy_front(uint8_t *to, const struct frame_seg *seg, uint32_t size)
{
	for (; size; seg++) {
		uint32_t part = seg->size < size ? seg->size : size;
		memcpy(to, seg->addr, part);
		vring_fetched(seg->addr, part);
		to += part;
		size -= part;
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

enum vring_drop view_add_chain(
	const struct vring *ring,
	struct frame_burst *burst,
	const struct chain *chain
)
{
	struct frame *frame = &burst->frame[burst->count];
	struct frame_seg *segs = chain->segs;
	uint32_t count = chain->seg_count;
	uint32_t header = ring->header_size;

	if (chain->size < (uint64_t)header + FRAME_SIZE_MIN)
		return VRING_DROP_SHORT;
	if (chain->size > (uint64_t)header + FRAME_SIZE_MAX)
		return VRING_DROP_LONG;
	frame->offload = (struct frame_offload){0};
	if (ring->offloads)
		copy_front((uint8_t *)&frame->offload, segs, sizeof(frame->offload));
	cut_header(&segs, &count, header);
	frame->segs = segs;
	frame->seg_count = (uint16_t)count;
	frame->size = (uint32_t)chain->size - header;
	uint32_t head_size = frame->size < FRAME_HEAD_SIZE ? frame->size : FRAME_HEAD_SIZE;
	frame->head = burst->head[burst->count];
	frame->head_size = (uint16_t)head_size;
	copy_front(burst->head[burst->count], segs, head_size);
	burst->seg_count += chain->seg_count;
	burst->bytes += frame->size;
	burst->count++;
	return VRING_DROP_NONE;
}
