// SPDX-License-Identifier: BSD-3-Clause
// Does in software what a receiver does not take over. Runs on the worker that delivers. Payload is referred to where
// it lies, in guest memory; headers are private. What is common to all requests is here, and the checksum alone;
// split_segments.c and split_udp.c have the rest.
#include "packet/split.h"

#include "packet/checksum.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void split_seek(struct offload_split *split, uint32_t offset)
{
	struct split_cursor *at = &split->cursor;

	at->seg = split->frame->segs;
	at->end = at->seg + split->frame->seg_count;
	at->offset = 0;
	split->left = split->frame->size - offset;
	while (at->seg < at->end && offset >= at->seg->size) {
		offset -= at->seg->size;
		at->seg++;
	}
	at->offset = offset;
}

// The next piece, `size` bytes at most; 0: there is no more.
static uint32_t take_piece(struct offload_split *split, uint32_t size, uint8_t **ret_addr)
{
	struct split_cursor *at = &split->cursor;

	while (at->seg < at->end && at->offset == at->seg->size) {
		at->seg++;
		at->offset = 0;
	}
	if (at->seg == at->end)
		return 0;
	uint32_t room = at->seg->size - at->offset;
	uint32_t part = room < size ? room : size;
	*ret_addr = at->seg->addr + at->offset;
	at->offset += part;
	split->left -= part;
	return part;
}

void split_copy(struct offload_split *split, uint8_t *to, uint32_t size)
{
	while (size) {
		uint8_t *addr;
		uint32_t part = take_piece(split, size, &addr);
		if (!part)
			return;
		memcpy(to, addr, part);
		to += part;
		size -= part;
	}
}

void split_refer_to(struct offload_split *split, struct frame *part, struct frame_seg seg)
{
	split->seg[split->seg_count++] = seg;
	part->seg_count++;
	part->size += seg.size;
}

void split_refer(struct offload_split *split, struct frame *part, uint32_t size)
{
	while (size) {
		uint8_t *addr;
		uint32_t piece = take_piece(split, size, &addr);
		if (!piece)
			return;
		split_refer_to(split, part, (struct frame_seg){addr, piece});
		size -= piece;
	}
}

uint8_t *split_open_part(struct offload_split *split)
{
	return split->head[split->part_count];
}

struct frame *split_close_part(struct offload_split *split, uint32_t head_size, uint32_t payload)
{
	struct frame *part = &split->part[split->part_count];
	uint8_t *head = split->head[split->part_count];
	uint32_t more = head_size < FRAME_HEAD_SIZE ? FRAME_HEAD_SIZE - head_size : 0;

	// The head of any frame has FRAME_HEAD_SIZE bytes, or all.
	more = more < payload ? more : payload;
	split_copy(split, head + head_size, more);
	head_size += more;
	*part = (struct frame){
		.head = head,
		.head_size = (uint16_t)head_size,
		.segs = &split->seg[split->seg_count],
	};
	split_refer_to(split, part, (struct frame_seg){head, head_size});
	split_refer(split, part, payload - more);
	split->part_count++;
	return part;
}

void split_write_ip(const struct headers *at, uint8_t *head, uint32_t size)
{
	uint8_t *ip = head + at->l3;

	if (at->version == 6) {
		headers_put16(ip + 4, size - at->l3 - IPV6_SIZE);
		return;
	}
	uint32_t ip_size = (ip[0] & 15) * 4;
	headers_put16(ip + 2, size - at->l3);
	headers_put16(ip + 10, 0);
	uint16_t sum = (uint16_t)~checksum_fold(checksum_add(0, ip, ip_size));
	memcpy(ip + 10, &sum, 2);
}

// The frame as it is, its checksum left to the receiver or written into a head of its own.
static void make_same(struct offload_split *split)
{
	const struct frame_offload *o = &split->plan->offload;
	uint32_t field = o->csum_start + (uint32_t)o->csum_offset;
	uint8_t *head = split_open_part(split);
	struct frame *part = &split->part[split->part_count++];

	*part = *split->frame;
	part->offload = (struct frame_offload){
		.flags = o->flags,
		.csum_start = o->csum_start,
		.csum_offset = o->csum_offset,
	};
	if (!o->flags || split->accepted & OFFLOAD_CSUM)
		return;
	part->offload = (struct frame_offload){0};
	part->head = head;
	memcpy(head, split->frame->head, split->frame->head_size);
	if (field + 2 > split->frame->head_size) {
		uint32_t more = field + 2 - split->frame->head_size;
		split_copy(split, head + split->frame->head_size, more);
		part->head_size = (uint16_t)(field + 2);
	}
	uint16_t sum = split_stored_sum(checksum_fold(checksum_frame(part, o->csum_start)));
	memcpy(head + field, &sum, 2);
}

// The same with a checksum further back than a head reaches: two private bytes amid the payload.
static void make_same_far(struct offload_split *split)
{
	const struct frame_offload *o = &split->plan->offload;
	uint32_t head_size = split->frame->head_size;
	uint32_t field = o->csum_start + (uint32_t)o->csum_offset;
	uint8_t *head = split_open_part(split);
	uint8_t *check = split->head[1]; // There is no second part.

	memcpy(head, split->frame->head, head_size);
	struct frame *part = split_close_part(split, head_size, field - head_size);
	split_copy(split, check, 2);
	split_refer_to(split, part, (struct frame_seg){check, 2});
	split_refer(split, part, split->left);
	uint16_t sum = split_stored_sum(checksum_fold(checksum_frame(part, o->csum_start)));
	memcpy(check, &sum, 2);
}

void split_begin_same(struct offload_split *split)
{
	const struct frame_offload *o = &split->plan->offload;
	uint32_t field = o->csum_start + (uint32_t)o->csum_offset;
	bool is_left = !o->flags || split->accepted & OFFLOAD_CSUM;

	split_seek(split, split->frame->head_size);
	split->parts_left = 1;
	split->make_part = make_same;
	if (!is_left && field + 2 > SPLIT_HEAD_SIZE)
		split->make_part = make_same_far;
}

// Wants nothing that is not accepted.
static void make_whole(struct offload_split *split)
{
	struct frame *part = &split->part[split->part_count++];
	*part = *split->frame;
	part->offload = split->plan->offload;
}

void offload_split_begin(
	struct offload_split *split,
	const struct frame *frame,
	const struct offload_plan *plan,
	uint32_t accepted
)
{
	split->frame = frame;
	split->plan = plan;
	split->accepted = accepted;
	split->part_index = 0;
	split->parts_left = 1;
	split->make_part = make_whole;
	if (!(plan->needs & ~accepted))
		return;
	switch (plan->offload.gso_type & ~FRAME_GSO_ECN) {
	case FRAME_GSO_TCPV4:
	case FRAME_GSO_TCPV6:
	case FRAME_GSO_UDP_L4:
		split_begin_segments(split);
		break;
	case FRAME_GSO_UDP:
		split_begin_udp(split);
		break;
	default:
		split_begin_same(split);
		break;
	}
}

uint32_t offload_split_next(
	struct offload_split *split,
	const struct frame *ret_frames[FRAME_BURST_MAX]
)
{
	split->part_count = 0;
	split->seg_count = 0;
	while (split->parts_left && split->part_count < FRAME_BURST_MAX) {
		split->make_part(split);
		ret_frames[split->part_count - 1] = &split->part[split->part_count - 1];
		split->part_index++;
		split->parts_left--;
	}
	return split->part_count;
}

struct offload_split *offload_split_new(void)
{
	struct offload_split *split = calloc(1, sizeof(*split));
	struct timespec now;

	if (!split)
		return NULL;
	// Identifiers must differ from those that another worker, or the switch before this one, has just used.
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // It cannot fail with this clock.
	split->ip_id = (uint32_t)now.tv_nsec ^ (uint32_t)((uintptr_t)split >> 6) * 0x9e3779b1u;
	return split;
}

void offload_split_free(struct offload_split *split)
{
	free(split);
}
