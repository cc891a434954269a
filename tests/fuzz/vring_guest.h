// SPDX-License-Identifier: BSD-3-Clause
// A front end of the ring fuzzer: its memory, its ring of either kind, and where a back end may write.
#pragma once

#include "vring/layout.h"
#include "vring/vring.h"

#include <stdlib.h>

#define REGIONS 4
#define RING_MAX 128
// Bytes of all regions.
#define BYTES 0xb400

struct guest {
	struct vring_mem mem;
	struct vring_areas areas;
	struct vring_config config;
	uint32_t
		place; // Of the next descriptor that the front end fills, packed: with the wrap counter.
	bool wrap;
	bool changes; // Behind reads.
	bool apart;   // The ring lies outside of the regions, and is just as large as it must be.
	struct vring ring;
	struct vring spare;
};

struct input {
	const uint8_t *at;
	size_t left;
	uint32_t moves;
};

static inline void insist(bool holds)
{
	if (!holds)
		abort();
}

static inline uint32_t get(struct input *in, uint32_t bytes)
{
	uint32_t value = 0;
	for (uint32_t i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint32_t)*in->at++ << (8 * i);
	return value;
}

void guest_make(struct guest *guest, struct input *in);
void guest_free(struct guest *guest);
// Another back end, if the base is good.
void guest_start(struct guest *guest, uint32_t options, uint32_t base);
// Whether a byte lies in the guest's memory or ring.
bool guest_owns(const struct guest *guest, uintptr_t at);
// Whether all of a segment lies in the guest's memory.
bool guest_holds(const struct guest *guest, const struct frame_seg *seg);

// All that a guest's memory holds, at one moment.
struct image {
	uint8_t bytes[BYTES];
	uint8_t desc[16 * RING_MAX];
	uint8_t avail[512];
	uint8_t used[2048];
};
void image_take(const struct guest *guest, struct image *image);
// Nothing was written anywhere since.
void image_insist_same(const struct guest *guest, const struct image *image);

// The bytes that lie in a buffer that may be written, and where the indirect tables are.
struct claims {
	uint8_t writable[BYTES];
	uint32_t table_count;
	struct {
		uint32_t at;
		uint32_t size;
	} table[RING_MAX];
};
// Adds up what a delivery may write to. False: buffers lie on the ring or on a table, and then one frame can change
// where the next may go.
bool claims_make(const struct guest *guest, const struct image *image, struct claims *claims);
// What was written since lies in buffers of the front end, in used entries, or in the used descriptors of a packed
// ring: there not in their addresses.
void claims_insist(
	const struct guest *guest,
	const struct image *before,
	const struct claims *claims
);
