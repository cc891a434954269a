// SPDX-License-Identifier: BSD-3-Clause
// One front end and one back end on one ring, and frames whose every byte is known. One thread.
#pragma once

#include "tests/unit/vring/driver.h"

struct bench {
	struct drv_memory *memory;
	bool memory_is_lent;
	struct drv_ring *front;
	struct vring back;
	struct drv_random random;
	struct frame_burst burst;
	uint64_t drops[VRING_DROP_COUNT];
	struct drv_used used;
	uint8_t *space; // For one chain.
};

#define BENCH_ARENA 0x80000

// What bench_new() makes from now on, for tests of what both kinds of ring have in common: split rings, or packed
// ones that begin at the same entry in their first lap.
void bench_use_packed(bool use);
// 12 bytes of header, nothing negotiated.
struct bench *bench_new(uint32_t size, uint16_t base);
struct bench *bench_new_config(const struct vring_config *config);
// In memory that outlives it and that the caller checks.
struct bench *bench_new_in(struct drv_memory *memory, const struct vring_config *config);
// Checks what must hold at the end of every test (nothing written that must not be), and frees.
void bench_free(struct bench *bench);
// The front end overwrites all of its memory.
void bench_scribble(struct bench *bench, uint8_t value);

// Byte `at` of frame `number`.
static inline uint8_t bench_byte(uint64_t number, uint32_t at)
{
	return (uint8_t)(number * 31 + at * 7ull + (at >> 8));
}
void bench_fill(uint8_t *bytes, uint32_t size, uint64_t number);
void bench_expect(const uint8_t *bytes, uint32_t size, uint64_t number);

// Sends frame `number` with a header of zeros in front.
void bench_send(struct bench *bench, enum drv_shape shape, uint32_t size, uint64_t number);
void bench_send_layout(struct bench *bench, const struct drv_layout *layout, uint64_t number);
// Offers a receive buffer of one descriptor.
void bench_offer(struct bench *bench, uint32_t room, uint64_t tag);

// Takes a burst; fails unless it has `count` frames and `chains` chains (frames and drops).
void bench_take(struct bench *bench, uint32_t max, uint32_t count, uint32_t chains);
// Fails unless frame i of the burst is frame `number`.
void bench_expect_taken(const struct bench *bench, uint32_t i, uint32_t size, uint64_t number);
// The whole of a frame as it would be delivered: private head, then the segments.
void bench_read_frame(const struct frame *frame, uint8_t *ret_bytes);

// A frame in ordinary memory, as one segment.
struct bench_frame {
	struct frame frame;
	struct frame_seg seg;
	uint8_t head[FRAME_HEAD_SIZE];
	uint8_t bytes[FRAME_SIZE_MAX];
};
struct bench_frame *bench_frame_new(uint32_t size, uint64_t number);
// Delivers frames `number`, number + 1, ... of one size. Returns how many were dealt with.
uint32_t bench_deliver(
	struct bench *bench,
	uint32_t size,
	uint64_t number,
	uint32_t count,
	enum vring_drop expect
);
// Collects one used chain; fails when there is none or its tag or size is another.
void bench_collect(struct bench *bench, uint64_t tag, uint32_t size);
// Collects one used chain and fails unless it holds all of frame `number`, with `buffers` as num_buffers.
void bench_collect_frame(struct bench *bench, uint32_t size, uint64_t number, uint32_t buffers);
void bench_collect_none(struct bench *bench);
