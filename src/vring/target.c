// SPDX-License-Identifier: BSD-3-Clause
// Writing a frame into any number of buffers of any size. Runs on the ring's worker.
#include "vring/target.h"

// Where writing into a target stands.
struct cursor {
	const struct frame_seg *seg;
	uint32_t offset;
	vring_copy_fn *copy;
};

static void write_bytes(struct cursor *to, const uint8_t *from, uint32_t size)
{
	while (size) {
		uint32_t room = to->seg->size - to->offset;
		uint32_t part = room < size ? room : size;
		copy_bytes(to->copy, to->seg->addr + to->offset, from, part);
		vring_fetched(from, part);
		from += part;
		size -= part;
		to->offset += part;
		if (to->offset == to->seg->size) {
			to->seg++;
			to->offset = 0;
		}
	}
}

void target_write(const struct vring *ring, const struct frame *frame, const struct target *target)
{
	struct cursor to = {.seg = target->seg, .copy = ring->copy};
	uint32_t skip = frame->head_size;
	uint8_t header[12];

	target_put_header(header, frame, ring->header_size, target->chain_count);
	write_bytes(&to, header, ring->header_size);
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
