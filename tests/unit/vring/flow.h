// SPDX-License-Identifier: BSD-3-Clause
// Frames from one front end to another through the back end, and the model that says what must become of each.
// One thread.
#pragma once

#include "tests/unit/vring/bench.h"

// First in, first out; as many as two rings can hold.
#define FLOW_FIFO_SIZE (2 * VRING_SIZE_MAX)
struct flow_item {
	uint64_t number;
	uint32_t size; // Of a frame, or of a receive buffer.
	uint32_t buffers;
	enum vring_drop drop; // What the model says happens to the chain at the take.
	bool delivered;	      // It was shown to b once; it may come again after a crash.
};
struct flow_fifo {
	uint32_t head;
	uint32_t tail;
	struct flow_item item[FLOW_FIFO_SIZE];
};

// One ring of a round.
struct flow_side {
	struct vring_config config;
	uint32_t shape;	  // DRV_SHAPE_COUNT: another for every chain.
	struct bench *at; // During the round.
	bool asleep;	  // The back end armed notifications and found nothing to do.
	bool silent;	  // The back end asked for no notifications.
};

struct flow {
	struct drv_random random;
	struct drv_memory *memory[2];
	struct flow_side a; // Sends.
	struct flow_side b; // Receives.
	uint32_t room_min;  // Of b's buffers.
	uint32_t room_max;
	uint32_t size_max; // Of most frames.
	bool crashes;
	uint64_t next_number;
	uint64_t next_tag;
	uint64_t last_number;	    // That arrived.
	struct flow_fifo sent;	    // Chains that a made available and that were not completed.
	struct flow_fifo offered;   // b's chains that the model did not use yet.
	struct flow_fifo in_flight; // a's chains, completed and not collected yet.
	struct flow_fifo expected;  // Frames that b must collect.
	uint64_t good;		    // Sent, and fit to be taken.
	uint64_t arrived;
	uint64_t repeated;
	uint64_t lost; // For want of room, in all attempts.
	uint64_t crash_count;
	uint64_t drops[VRING_DROP_COUNT];	// By the back end.
	uint64_t model_drops[VRING_DROP_COUNT]; // By the model.
	uint8_t *pool;				// What frames are made of.
	uint8_t bytes[12 + FRAME_SIZE_MAX + 1];
	uint8_t frame[12 + FRAME_SIZE_MAX];
};

struct flow *flow_new(struct drv_random random);
void flow_free(struct flow *flow);
static inline uint32_t flow_below(struct flow *flow, uint32_t limit)
{
	return drv_random_below(&flow->random, limit);
}

// A round: rings as the sides say, some turns, and nothing left behind.
void flow_start(struct flow *flow);
void flow_turn(struct flow *flow);
void flow_finish(struct flow *flow);
// The switch's part of a turn: a burst from a to b.
void flow_move(struct flow *flow);

// The model.
void flow_fifo_put(struct flow_fifo *fifo, struct flow_item item);
uint32_t flow_fifo_count(const struct flow_fifo *fifo);
struct flow_item *flow_fifo_at(struct flow_fifo *fifo, uint32_t i);
struct flow_item flow_fifo_get(struct flow_fifo *fifo);
// What frame `number` consists of.
const uint8_t *flow_bytes(const struct flow *flow, uint64_t number);
// The header that a sends with it, and the one that b must find in front of it.
void flow_sent_header(struct flow *flow, const struct flow_item *item, uint8_t ret_header[12]);
void flow_due_header(const struct flow *flow, const struct flow_item *item, uint8_t ret_header[12]);
// Fails unless `found` is what has to become of the frame, given what b has offered; uses the buffers.
void flow_model_deliver(struct flow *flow, struct flow_item *frame, enum vring_drop found);
