// SPDX-License-Identifier: BSD-3-Clause
// One ring, its front end's memory and a model of what its back end has to do: the fuzzers ring_split and ring_packed. One
// thread.
//
// Every read of the back end's is followed by a change of the bytes that were read (vring_fetched), so a back end that
// reads a field twice sees another value than the model, which is given the last value of each byte that was read.
#pragma once

#include "vring/layout.h"
#include "vring/vring.h"

#include <stdlib.h>

// Packed; a split one has 32 at most.
#define WORLD_RING_MAX 40
// Each descriptor has a slot of memory: a buffer, and behind it an indirect table.
#define SLOT_BUFFER 384
#define SLOT_TABLE_MAX 8
#define SLOT_SIZE (SLOT_BUFFER + 16 * SLOT_TABLE_MAX)
#define SLOTS_GPA 0x10000ull
// Memory that no read changes: any number of descriptors may point to any part of it.
#define SCRATCH_SIZE 4096
#define SCRATCH_GPA 0x40000ull
#define BUDGET_TAKE FRAME_SEGS_MAX
// target.h's limits for one frame.
#define BUDGET_DELIVER 320

// What a front end shares, as one piece.
struct image {
	uint8_t desc[16 * WORLD_RING_MAX];
	uint8_t avail[4 + 2 * WORLD_RING_MAX + 2];
	uint8_t used[4 + 8 * WORLD_RING_MAX + 2];
	uint8_t slots[SLOT_SIZE * WORLD_RING_MAX];
	uint8_t scratch[SCRATCH_SIZE];
};

enum piece {
	PIECE_DESC,
	PIECE_AVAIL,
	PIECE_USED,
	PIECE_SLOTS,
	PIECE_SCRATCH,
	PIECE_COUNT
};

struct input {
	const uint8_t *at;
	size_t left;
};

struct place {
	uint32_t index; // Split: of 65,536.
	bool wrap;
};

struct world {
	struct vring_config config;
	bool receives;
	// Bytes change behind each read. Then no descriptor is reachable by two ways, so that each is to be read once (by a take)
	// and the model can know what was read.
	bool changes;
	uint8_t *piece[PIECE_COUNT]; // Allocations of exactly the size that they need.
	size_t size[PIECE_COUNT];
	struct vring_mem mem;
	struct vring ring;
	struct vring_place place;
	uint64_t random;
	// The driver.
	struct place next;		     // Of the next available descriptor or entry.
	uint32_t desc_next;		     // Split: the next descriptor in turn.
	uint32_t outstanding;		     // Descriptors.
	uint8_t chain_descs[WORLD_RING_MAX]; // Split: of the chains that are out, in turn,
	uint32_t chain_first;
	uint32_t chain_count;
	bool jumped;
	// The model of the back end.
	struct place avail;
	struct place used;
	uint16_t seen; // Split: the available index when it was last read.
};

// Watched reads and stores, from watch_start() on.
struct watch {
	struct world *world;
	bool once;	   // Fails when a byte is read twice.
	bool keep_index;   // Split: the available index stays.
	struct image seen; // Before the call, and of what was read the last value.
	struct image due;  // What the memory has to hold afterwards, in so far as reads change it.
	uint8_t read[sizeof(struct image)];
	int32_t stores_left; // -1: any number.
};
extern struct watch watch;

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

void world_make(struct world *world, bool packed, struct input *in);
void world_free(struct world *world);
// Fresh memory, and a ring that begins where the input says.
void world_start(struct world *world, struct input *in);
// A chain, well made or not, made available.
void world_post(struct world *world, struct input *in);
// So many descriptors or, of a split ring, chains were used: the driver has them back.
void world_give_back(struct world *world, uint32_t count);
uint32_t world_random(struct world *world);
struct place world_ahead(const struct world *world, struct place at, uint32_t count);

void watch_start(struct world *world, bool once, int32_t stores_left);
void watch_stop(void);
// Fails unless the memory is what it has to be.
void watch_insist(const struct world *world);

static inline uint8_t *image_piece(struct image *image, enum piece piece)
{
	switch (piece) {
	case PIECE_DESC:
		return image->desc;
	case PIECE_AVAIL:
		return image->avail;
	case PIECE_USED:
		return image->used;
	case PIECE_SLOTS:
		return image->slots;
	default:
		return image->scratch;
	}
}

// What the model says about a chain.
struct model_seg {
	enum piece piece;
	uint32_t at;
	uint32_t size;
};
struct model_frame {
	uint32_t size;
	uint32_t seg_count;
	struct model_seg seg[FRAME_SEGS_MAX];
	uint8_t header[12];
	uint8_t head[FRAME_HEAD_SIZE];
};
struct model_used {
	uint16_t id;
	uint32_t size;
	uint32_t descs;
};
struct model_result {
	uint32_t frame_count;
	uint32_t used_count;
	enum vring_drop drop; // Deliver.
	enum vring_fault fault;
	uint64_t drops[VRING_DROP_COUNT];
	struct model_used used[WORLD_RING_MAX];
	struct model_frame frame[FRAME_BURST_MAX];
};

// What a take of `max` has to return, given what was read; moves world->avail.
void model_take(struct world *world, uint32_t max, struct model_result *ret);
// What a delivery of frames, each `size[i]` bytes of `bytes` with a header of zeros, has to do; writes it into watch.due and
// moves world->avail.
void model_deliver(
	struct world *world,
	const uint32_t *sizes,
	const uint8_t *bytes,
	uint32_t count,
	struct model_result *ret
);
// Writes the used entries into watch.due and moves world->used. Without `shown` a split ring's index stays, and a packed ring
// as it was.
void model_show(struct world *world, const struct model_result *result, bool shown);
