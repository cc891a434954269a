// SPDX-License-Identifier: BSD-3-Clause
// What the ways to cut a frame share: the parts of a burst, their private heads, and the cursor in the source's
// payload. Inside of src/packet/ only. One worker.
#pragma once

#include "packet/offload.h"

// All headers, and those of a fragment.
#define SPLIT_HEAD_SIZE (OFFLOAD_HEADERS_MAX + IPV6_FRAGMENT_SIZE)
// Each part: its head, and the payload's segments, of which a part may end amid one.
#define SPLIT_SEGS_MAX (FRAME_SEGS_MAX + 3 * FRAME_BURST_MAX)

struct split_cursor {
	const struct frame_seg *seg;
	const struct frame_seg *end;
	uint32_t offset;
};

struct offload_split {
	const struct frame *frame;
	const struct offload_plan *plan;
	uint32_t accepted;
	// Makes the next part. Only called while parts_left.
	void (*make_part)(struct offload_split *split);
	uint32_t parts_left;
	uint32_t part_index;
	uint32_t step; // Payload bytes of each part but the last.
	struct split_cursor cursor;
	uint32_t left;	      // Payload bytes behind the cursor.
	uint32_t ip_id;	      // Of fragments that need a new one.
	uint64_t pseudo;      // Segments: sum of the pseudo header without its length.
	uint8_t udp_check[2]; // Fragments: the checksum of the whole datagram.
	// Of this burst.
	uint32_t part_count;
	uint32_t seg_count;
	struct frame part[FRAME_BURST_MAX];
	struct frame_seg seg[SPLIT_SEGS_MAX];
	uint8_t head[FRAME_BURST_MAX][SPLIT_HEAD_SIZE] __attribute__((aligned(64)));
};

// Puts the cursor at `offset` of the frame; payload is what follows.
void split_seek(struct offload_split *split, uint32_t offset);

// Opens the next part. Its head is to be written (SPLIT_HEAD_SIZE at most), then split_close_part() called.
uint8_t *split_open_part(struct offload_split *split);

// Adds the part to the burst: head_size bytes of head and the next `payload` bytes (at most what is left).
struct frame *split_close_part(struct offload_split *split, uint32_t head_size, uint32_t payload);

// Copies bytes from the cursor on, and moves it.
void split_copy(struct offload_split *split, uint8_t *to, uint32_t size);

// Adds bytes from the cursor on to the part, and moves it.
void split_refer(struct offload_split *split, struct frame *part, uint32_t size);
// Adds private bytes.
void split_refer_to(struct offload_split *split, struct frame *part, struct frame_seg seg);

// Writes lengths and, for IPv4, the header checksum of a part whose head is in place.
void split_write_ip(const struct headers *at, uint8_t *head, uint32_t size);

// A checksum as it is stored: UDP says no checksum with zero (RFC 768), and 0xffff is the same number.
static inline uint16_t split_stored_sum(uint16_t folded)
{
	uint16_t inverted = (uint16_t)~folded;
	return inverted ? inverted : UINT16_MAX;
}

// A frame that stays one.
void split_begin_same(struct offload_split *split);
void split_begin_segments(struct offload_split *split);
void split_begin_udp(struct offload_split *split);
