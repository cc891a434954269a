// SPDX-License-Identifier: BSD-3-Clause
// The front end's side of a split ring, slow and obviously right: what the unit tests hold the back end
// against. Everything that the driver writes is kept twice, in shared memory and in a shadow, so that
// a write of the back end where it has no business fails the test. One thread.
#pragma once

#include "vring/layout.h"
#include "vring/vring.h"

#include <stdbool.h>
#include <stdint.h>

#define DRV_PIECES_MAX 1200
// Bytes behind every piece that belong to nobody.
#define DRV_GUARD 8

struct drv_random {
	uint64_t state;
};

uint32_t drv_random_next(struct drv_random *random);
// 0 .. limit - 1.
uint32_t drv_random_below(struct drv_random *random, uint32_t limit);
// RINGWAY_TEST_SEED, or one from the clock; printed either way.
struct drv_random drv_random_seeded(void);

// A run of guest memory without a gap in either address space. Pieces are given out and given back in
// the same order.
struct drv_arena {
	uint64_t gpa;
	uint8_t *host;
	uint8_t *shadow;
	uint32_t size;
	uint32_t head;
	uint32_t tail;
	uint32_t live;
};

// Five regions in four arenas:
//   0  at 64 KiB;
//   1  follows 0 in the guest, lies elsewhere in this process;
//   2  behind a gap: two regions that follow each other in both address spaces;
//   3  ends at the last page but one of the address space.
#define DRV_ARENAS 4
struct drv_memory {
	struct vring_mem mem;
	struct drv_arena arena[DRV_ARENAS];
};

// arena_size: bytes of each arena; a multiple of 4096, so that boundaries are in the same place for all.
struct drv_memory *drv_memory_new(uint32_t arena_size);
// Fails when anything but what the driver knows of was written.
void drv_memory_check(const struct drv_memory *memory);
void drv_memory_free(struct drv_memory *memory);

// How the bytes of one chain lie in memory: a descriptor each, the first `direct` of them in the ring's
// table and the rest in an indirect one.
struct drv_layout {
	uint32_t count;
	uint32_t direct;
	uint32_t
		size[DRV_PIECES_MAX]; // 0: an empty descriptor, with an address that means nothing.
};

enum drv_shape {
	DRV_SHAPE_ONE,	    // One buffer, the header in front.
	DRV_SHAPE_APART,    // Header | data.
	DRV_SHAPE_HEADER3,  // Header in three | data.
	DRV_SHAPE_CHUNKS,   // Header with the first of some chunks.
	DRV_SHAPE_CUTS,	    // Cut anywhere, even in the header.
	DRV_SHAPE_INDIRECT, // Like CUTS, all in an indirect table.
	DRV_SHAPE_MIXED,    // Like CUTS, an indirect table behind direct descriptors.
	DRV_SHAPE_EMPTIES,  // Like CUTS, empty descriptors in between.
	DRV_SHAPE_COUNT
};

// `size` bytes, of which the first `header` are the virtio-net header. At most 16 descriptors.
void drv_layout_make(
	struct drv_layout *layout,
	enum drv_shape shape,
	uint32_t header,
	uint32_t size,
	struct drv_random *random
);
// One descriptor of `size` bytes.
struct drv_layout drv_layout_one(uint32_t size);

struct drv_piece {
	uint64_t gpa;
	uint32_t size;
	uint32_t offset; // In its arena.
	uint32_t end;	 // Where the arena's tail is once the piece is given back.
	uint8_t arena;
	bool borrowed; // Not from an arena: nothing to give back.
};

struct drv_chain {
	bool posted;
	bool writable;
	uint64_t order; // The chain's place in the available ring since the beginning.
	uint64_t tag;
	uint32_t size;
	uint32_t desc_count; // Of the ring's table.
	uint32_t piece_count;
	struct drv_piece *piece; // The indirect table's, if any, is the last.
	uint16_t *desc;
};

struct drv_ring {
	struct vring_areas areas;
	struct drv_memory *memory;
	struct drv_random random;
	uint32_t size;
	uint16_t avail_idx;
	uint16_t used_idx;
	uint64_t posted;
	uint64_t collected;
	uint32_t outstanding; // Chains.
	uint32_t free_count;
	uint16_t *free; // Descriptors, in no order.
	struct vring_desc_entry *desc_shadow;
	struct vring_avail_ring *avail_shadow;
	struct drv_chain *chain; // By head.
};

// A ring on a memory of its own; its areas lie apart from guest memory and are exactly as large as the
// specification says. Both indices begin at `base`.
struct drv_ring *drv_ring_new(struct drv_memory *memory, uint32_t size, uint16_t base);
void drv_ring_free(struct drv_ring *ring);
// Fails when the back end wrote to the descriptor table or the available ring.
void drv_ring_check(const struct drv_ring *ring);
// A back end on the ring: 12 bytes of header, nothing negotiated.
struct vring drv_ring_attach(const struct drv_ring *ring, uint16_t base);

// Makes a chain available. `bytes`: what a readable chain holds; NULL: a writable chain. False: no
// descriptors or no memory now.
bool drv_ring_post(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	const uint8_t *bytes,
	uint64_t tag
);

// Unchecked words for the tests that misbehave: a descriptor, the next available entry, the index.
void drv_ring_put_desc(struct drv_ring *ring, uint16_t i, struct desc desc);
void drv_ring_put_avail(struct drv_ring *ring, uint16_t head);
void drv_ring_put_index(struct drv_ring *ring, uint16_t idx);

struct drv_used {
	uint64_t tag;
	uint32_t size; // What the back end says it wrote.
	uint32_t room; // What the chain holds.
	uint8_t *
		bytes; // Room for DRV_USED_MAX, given by the caller; the first `size` bytes of the chain.
};
#define DRV_USED_MAX (1 << 20)

// Takes the next used chain back and checks it: outstanding, in available order, a size that fits, and no
// byte written but the first `size` of a writable chain. False: none is used now.
bool drv_ring_collect(struct drv_ring *ring, struct drv_used *ret_used);
