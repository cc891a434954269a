// SPDX-License-Identifier: BSD-3-Clause
// Copies heads of frames. Any thread; no state.
#include "packet/head.h"

#include <string.h>

uint32_t head_copy(const struct frame *frame, uint8_t *to, uint32_t max)
{
	uint32_t want = frame->size < max ? frame->size : max;
	uint32_t done = frame->head_size < want ? frame->head_size : want;
	uint32_t skip = done;

	memcpy(to, frame->head, done);
	for (uint32_t i = 0; i < frame->seg_count && done < want; i++) {
		const struct frame_seg *seg = &frame->segs[i];
		if (skip >= seg->size) {
			skip -= seg->size;
			continue;
		}
		uint32_t part = seg->size - skip < want - done ? seg->size - skip : want - done;
		memcpy(to + done, seg->addr + skip, part);
		done += part;
		skip = 0;
	}
	return done;
}
