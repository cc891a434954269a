// SPDX-License-Identifier: BSD-3-Clause
// What the test driver does differently for split and for packed rings. Inside the driver.
#pragma once

#include "tests/unit/vring/driver.h"

struct drv_kind {
	// Bytes of an area, event words included.
	uint64_t (*area_size)(const struct vring_config *config, enum vring_area area);
	// Puts an empty ring into the areas.
	void (*start)(struct drv_ring *ring);
	// Writes the descriptors of the chain and makes it available. Its pieces and desc_count are set.
	void (*publish
	)(struct drv_ring *ring, const struct drv_layout *layout, struct drv_chain *chain);
	// Whether the first chain that was not seen to be used is: then how many chains the used entry stands
	// for and the size that it names.
	bool (*see)(struct drv_ring *ring, uint32_t *ret_count, uint32_t *ret_size);
	// The chain's descriptors and id are free.
	void (*release)(struct drv_ring *ring, const struct drv_chain *chain);
	void (*check)(struct drv_ring *ring);
	uint32_t (*base)(const struct drv_ring *ring);
	void (*wish)(struct drv_ring *ring, enum drv_wish wish, uint32_t more);
	// Whether the wish asks for a signal for what was shown since the last time, and that it was asked.
	bool (*call_due)(struct drv_ring *ring, bool *ret_any);
	bool (*kick_due)(struct drv_ring *ring);
	// The back end is new: what was shown before it counts as signalled.
	void (*forget_calls)(struct drv_ring *ring);
};

extern const struct drv_kind drv_split;
extern const struct drv_kind drv_packed;

void *drv_alloc(size_t size);
// Fails with `what` when the two differ.
void drv_check_same(const void *found, const void *known, size_t size, const char *what);
// Takes any one number off the free list.
uint16_t drv_take_free(struct drv_ring *ring);
// Bytes of a piece in guest memory; the shadow knows of them.
void drv_write_piece(struct drv_ring *ring, const struct drv_piece *piece, const void *bytes);
// How many outstanding chains the used id stands for: one, or with VIRTIO_F_IN_ORDER as many as lead up to it
// (virtio 1.1, 2.6.9 and 2.7.9), at most `most`. Fails when it is none of them.
uint32_t drv_batch_size(const struct drv_ring *ring, uint32_t id, uint64_t most);

static inline struct drv_chain *drv_chain_at(const struct drv_ring *ring, uint64_t number)
{
	return &ring->chain[number % ring->size];
}
