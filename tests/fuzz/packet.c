// SPDX-License-Identifier: BSD-3-Clause
// A frame with a request, both as a hostile front end likes them, for a receiver that accepts anything. Each segment
// of the frame is an allocation of its own, so that a byte touched outside of one is an error to the address
// sanitizer. What comes out has to hold together: bounded, no larger than the plan says, whole.
#include "packet/checksum.h"
#include "packet/flow.h"
#include "packet/offload.h"

#include <stdlib.h>
#include <string.h>

#define ACCEPTED_ALL 63u

struct input {
	const uint8_t *at;
	size_t left;
};

struct source {
	uint8_t head[FRAME_HEAD_SIZE];
	struct frame_seg seg[FRAME_SEGS_MAX];
	struct frame frame;
};

static void insist(bool holds)
{
	if (!holds)
		abort();
}

static uint32_t get(struct input *in, uint32_t bytes)
{
	uint32_t value = 0;
	for (uint32_t i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint32_t)*in->at++ << (8 * i);
	return value;
}

// The frame's first bytes are the input's; what it has not, follows as a pattern.
static void make_flat(struct input *in, uint8_t *flat, uint32_t size)
{
	uint32_t given = in->left < size ? (uint32_t)in->left : size;

	memcpy(flat, in->at, given);
	for (uint32_t i = given; i < size; i++)
		flat[i] = (uint8_t)(i * 37);
}

static void cut(struct source *source, const uint8_t *flat, uint32_t seg_size)
{
	struct frame *frame = &source->frame;

	for (uint32_t at = 0; at < frame->size;) {
		uint32_t size = frame->size - at;
		if (seg_size && size > seg_size && frame->seg_count < FRAME_SEGS_MAX - 1)
			size = (at + seg_size) % (seg_size + 1); // Of any size up to it.
		uint8_t *copy = malloc(size);
		insist(copy || !size);
		if (size)
			memcpy(copy, flat + at, size);
		source->seg[frame->seg_count++] = (struct frame_seg){copy, size};
		at += size;
	}
}

static struct source *make_source(struct input *in)
{
	struct source *source = calloc(1, sizeof(*source));
	uint32_t size = FRAME_SIZE_MIN + get(in, 2);
	uint32_t seg_size = get(in, 1);

	insist(source);
	struct frame *frame = &source->frame;
	frame->head = source->head;
	frame->segs = source->seg;
	frame->size = size < FRAME_SIZE_MAX ? size : FRAME_SIZE_MAX;
	frame->head_size = size < FRAME_HEAD_SIZE ? (uint16_t)size : FRAME_HEAD_SIZE;
	frame->offload.flags = (uint8_t)get(in, 1);
	frame->offload.gso_type = (uint8_t)get(in, 1);
	frame->offload.hdr_len = (uint16_t)get(in, 1);
	frame->offload.gso_size = (uint16_t)get(in, 2);
	frame->offload.csum_start = (uint16_t)get(in, 2);
	frame->offload.csum_offset = (uint16_t)get(in, 2);
	uint8_t *flat = malloc(frame->size);
	insist(flat);
	make_flat(in, flat, frame->size);
	memcpy(source->head, flat, frame->head_size);
	cut(source, flat, seg_size);
	free(flat);
	return source;
}

static void check_part(const struct frame *part, const struct offload_plan *plan, uint32_t accepted)
{
	uint64_t sum = 0;

	insist(part->head_size >= FRAME_SIZE_MIN && part->head_size <= part->size);
	insist(part->size <= plan->wire_size || !(plan->needs & ~accepted));
	insist(!(offload_needs(&part->offload) & ~accepted));
	insist(!(part->offload.flags & ~FRAME_F_NEEDS_CSUM));
	for (uint32_t i = 0; i < part->seg_count; i++)
		sum += part->segs[i].size;
	insist(sum == part->size);
	if (part->offload.flags)
		insist(part->offload.csum_start + part->offload.csum_offset + 2u <= part->size);
	(void)checksum_frame(part, 0); // Touches each byte.
	(void)flow_hash(part->head, part->head_size);
}

static void check_split(
	struct offload_split *split,
	const struct frame *frame,
	const struct offload_plan *plan,
	uint32_t accepted
)
{
	const struct frame *parts[FRAME_BURST_MAX];
	uint32_t all = 0;
	uint64_t bytes = 0;
	uint32_t count;

	offload_split_begin(split, frame, plan, accepted);
	while ((count = offload_split_next(split, parts))) {
		insist(count <= FRAME_BURST_MAX);
		for (uint32_t i = 0; i < count; i++) {
			check_part(parts[i], plan, accepted);
			bytes += parts[i]->size;
		}
		all += count;
		insist(all <= OFFLOAD_SEGMENTS_MAX);
	}
	insist(all && bytes >= frame->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct offload_split *split;
	struct input in = {data, size};
	struct offload_plan plan;
	uint32_t allowed = get(&in, 1) & ACCEPTED_ALL;
	uint32_t accepted = get(&in, 1) & ACCEPTED_ALL;

	split = split ? split : offload_split_new();
	insist(split);
	struct source *source = make_source(&in);
	if (!offload_judge(&source->frame, allowed ^ ACCEPTED_ALL, &plan)) {
		insist(plan.wire_size && plan.wire_size <= source->frame.size + IPV6_FRAGMENT_SIZE);
		check_split(split, &source->frame, &plan, accepted);
	}
	for (uint32_t i = 0; i < source->frame.seg_count; i++)
		free(source->seg[i].addr);
	free(source);
	return 0;
}
