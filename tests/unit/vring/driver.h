// SPDX-License-Identifier: BSD-3-Clause
// The front end's side of a ring, split or packed, slow and obviously right: what the unit tests hold the back
// end against. Everything that the driver writes is kept twice, in shared memory and in a shadow, so that a
// write of the back end where it has no business fails the test. It asks of the back end that chains are used in
// available order, as this one promises. One thread.
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
// Every piece is free again; for the next ring, when the last one was freed with chains outstanding.
void drv_memory_reset(struct drv_memory *memory);
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

// Pieces and descriptors that need no allocation of their own.
#define DRV_FEW 20

struct drv_chain {
	bool writable;
	bool indirect;	     // Its last piece is a table.
	uint16_t id;	     // Split: its first descriptor. Packed: its buffer id.
	uint32_t desc_count; // Of the ring, not of an indirect table.
	uint64_t place;	     // Packed: of its first descriptor, see struct drv_ring.
	uint64_t tag;
	uint32_t size;
	uint32_t used_size; // Once it was seen to be used.
	uint32_t piece_count;
	struct drv_piece *piece; // The indirect table's, if any, is the last.
	uint16_t *desc;		 // Split.
	struct drv_piece few_pieces[DRV_FEW];
	uint16_t few_desc[DRV_FEW];
};

// virtio 1.1, 2.7.13: struct pvirtq_desc.
struct drv_packed_desc {
	uint64_t addr;
	uint32_t size;
	uint16_t id;
	uint16_t flags;
};
#define DRV_PACKED_F_AVAIL (1u << 7)
#define DRV_PACKED_F_USED (1u << 15)

// virtio 1.1, 2.7.14: struct pvirtq_event_suppress.
struct drv_packed_event {
	uint16_t off_wrap; // Bits 0-14 offset, 15 wrap counter.
	uint16_t flags;
};
#define DRV_PACKED_EVENT_ENABLE 0
#define DRV_PACKED_EVENT_DISABLE 1
#define DRV_PACKED_EVENT_DESC 2

// When the driver wants to be signalled.
enum drv_wish {
	DRV_WISH_ALWAYS,
	DRV_WISH_NEVER,
	DRV_WISH_AFTER, // With VIRTIO_F_EVENT_IDX.
	DRV_WISH_COUNT
};

struct drv_kind;

struct drv_ring {
	const struct drv_kind *kind;
	struct vring_config config; // The base is where the ring began.
	struct vring_areas areas;
	struct drv_memory *memory;
	struct drv_random random;
	uint32_t size;
	// Chains since the beginning. They are made available, used, and collected in one order, so that
	// collected <= shown <= posted; chain n lies at n % size.
	uint64_t posted;
	uint64_t shown; // Seen to be used.
	uint64_t collected;
	uint32_t outstanding; // posted - collected.
	struct drv_chain *chain;
	uint32_t desc_free;
	uint32_t free_count;
	uint16_t *
		free; // Split: descriptors, packed: buffer ids; in no order. Not with VIRTIO_F_IN_ORDER.
	enum drv_wish wish;
	bool fresh; // The back end is new and cannot know what was signalled before.
	struct vring_desc_entry *desc_shadow; // Packed: struct drv_packed_desc.
	// Split.
	uint16_t avail_idx;
	uint16_t kicked_idx; // What the driver looked at last whether to notify.
	uint16_t called_idx; // What the back end was asked last whether to signal.
	struct vring_avail_ring *avail_shadow;
	// Packed. A place counts descriptors, as if the ring had no end: place / size is even while the wrap counter
	// is 1 and odd while it is 0.
	uint64_t place; // Of the next available descriptor.
	uint64_t kicked_place;
	uint64_t called_place;
	uint16_t first_id;	 // Buffer ids count from here.
	struct vring_place kept; // Of its back ends; not the driver's to look at.
	struct drv_packed_event event_shadow;
};

// A ring on a memory of its own; its areas lie apart from guest memory and are exactly as large as the
// specification says. It begins at the configuration's base.
struct drv_ring *drv_ring_new(struct drv_memory *memory, const struct vring_config *config);
void drv_ring_free(struct drv_ring *ring);
// Fails when the back end wrote to what belongs to the driver: the descriptors, but for the first of each chain
// of a packed ring once it is used, and the driver area.
void drv_ring_check(struct drv_ring *ring);
// A back end on the ring, as configured but for the base.
struct vring drv_ring_attach(struct drv_ring *ring, uint32_t base);
// A back end that goes on where the last one of this ring was lost, as vring_init() finds out itself.
struct vring drv_ring_recover(struct drv_ring *ring);
// The place behind the last used chain, in the form of vring_config's base: where a back end goes on whose
// predecessor was lost.
uint32_t drv_ring_base(struct drv_ring *ring);
// The back end was lost between writing to buffers and showing them: what it wrote there means nothing.
void drv_ring_forgive(struct drv_ring *ring);

// Makes a chain available. `bytes`: what a readable chain holds; NULL: a writable chain. False: no
// descriptors or no memory now.
bool drv_ring_post(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	const uint8_t *bytes,
	uint64_t tag
);

// Unchecked words for the tests that misbehave. Split: a descriptor, the next available entry, the index.
void drv_ring_put_desc(struct drv_ring *ring, uint16_t i, struct desc desc);
void drv_ring_put_avail(struct drv_ring *ring, uint16_t head);
void drv_ring_put_index(struct drv_ring *ring, uint16_t idx);
// Packed: a descriptor as it is, its flags last.
void drv_ring_put_packed(struct drv_ring *ring, uint16_t i, struct drv_packed_desc desc);
// Packed: AVAIL and USED as the driver sets them at a place (virtio 1.1, 2.7.1).
uint16_t drv_packed_flags_at(const struct drv_ring *ring, uint64_t place);

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

// Says when the driver wants to be signalled. AFTER: once `more` + 1 further chains (packed: descriptors) behind
// the last that was seen to be used are used; ALWAYS where VIRTIO_F_EVENT_IDX was not negotiated.
void drv_ring_wish(struct drv_ring *ring, enum drv_wish wish, uint32_t more);
// Fails unless `called`, the back end's answer whether to signal for what it has shown since it was asked last,
// follows from the wish: no signal is lost and none is needless.
void drv_ring_check_call(struct drv_ring *ring, bool called);
// Whether the back end wants to be notified of what was posted since this was asked last.
bool drv_ring_kick_due(struct drv_ring *ring);
