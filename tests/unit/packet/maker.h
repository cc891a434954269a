// SPDX-License-Identifier: BSD-3-Clause
// Frames for tests: made by a recipe, byte by byte and without the code under test, in segments that are
// allocations of their own.
#pragma once

#include "packet/offload.h"

#define MAKER_SEGS_MAX FRAME_SEGS_MAX

enum maker_extensions {
	MAKER_EXT_NONE,
	MAKER_EXT_OPTIONS, // Hop-by-hop and destination options.
	MAKER_EXT_ROUTED,  // Hop-by-hop, a routing header that was done with, destination options.
	MAKER_EXT_ROUTING, // A routing header of type 0 with one segment left.
	MAKER_EXT_COUNT
};

struct recipe {
	uint32_t tags;
	uint32_t version;
	uint32_t ip_option_words; // IPv4
	enum maker_extensions extensions;
	uint32_t tcp_option_words;
	bool udp;
	uint8_t tcp_flags;
	uint32_t sequence;
	uint32_t payload;
	uint16_t ip_id;
	uint32_t seg_max; // Bytes of a segment, at random up to this. 0: all in one.
	uint8_t gso_type;
	uint16_t gso_size;
	bool no_checksum_request;
};

struct made {
	struct recipe recipe;
	uint8_t *data; // All of it, flat.
	uint32_t size;
	uint32_t l3;
	uint32_t l4;
	uint32_t headers;
	uint32_t fragment_at;
	uint8_t addresses[32]; // The pseudo header's.
	uint8_t head[FRAME_HEAD_SIZE];
	struct frame_seg segs[MAKER_SEGS_MAX];
	struct frame frame;
};

struct made *maker_make(const struct recipe *recipe);
void maker_free(struct made *made);
// Cuts what is in made->data into segments anew, after a test has changed it.
void maker_cut(struct made *made);

// RFC 1071, 16 bits at a time; in network order, not inverted.
uint16_t maker_sum(uint32_t sum, const uint8_t *data, uint32_t size);
// The same of a pseudo header and the bytes behind it.
uint16_t maker_pseudo_sum(const struct made *made, const uint8_t *l4, uint32_t size);

// All of a frame's bytes as vring_deliver() would write them: the head, then the segments behind head_size bytes.
// Heap.
uint8_t *maker_flatten(const struct frame *frame);
