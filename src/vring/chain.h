// SPDX-License-Identifier: BSD-3-Clause
// Walking a descriptor chain into segments of this process's memory. Inside src/vring/.
#pragma once

#include "vring/layout.h"
#include "vring/vring.h"

struct chain {
	struct frame_seg *segs; // In: room for desc_max.
	uint32_t desc_max;	// In: descriptors that may be looked at, empty ones included.
	uint32_t desc_count;
	uint32_t seg_count;
	uint64_t size; // Bytes in all segments.
};

enum chain_result {
	CHAIN_OK,
	CHAIN_TOO_MANY, // More than desc_max descriptors; nothing is wrong with the ring.
	CHAIN_FAULT,	// ring->fault says what.
};

static inline void chain_reset(struct chain *chain)
{
	chain->desc_count = 0;
	chain->seg_count = 0;
	chain->size = 0;
}

// Sets ring->fault.
enum chain_result chain_fault(struct vring *ring, enum vring_fault fault);

// Adds what one descriptor points to. It must have exactly `direction` (0 or DESC_F_WRITE). Empty descriptors make no
// segment, but they are counted: looking at them is work too, and a front end can make a great many of them.
enum chain_result chain_add(
	struct vring *ring,
	const struct desc *d,
	uint16_t direction,
	struct chain *chain
);

// Finds the indirect table that d points to: its address and its number of descriptors (virtio 1.1, 2.6.5.3 and
// 2.7.7).
enum chain_result chain_find_table(
	struct vring *ring,
	const struct desc *d,
	const struct vring_desc_entry **ret_table,
	uint32_t *ret_count
);

// Walks a split ring's chain that begins with `first` (already read from the table).
enum chain_result chain_walk(
	struct vring *ring,
	struct desc first,
	uint16_t direction,
	struct chain *chain
);
