// SPDX-License-Identifier: BSD-3-Clause
// What most ring tests need before they can say their one sentence. Runs on the test's only thread.
#include "tests/unit/vring/bench.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

struct bench *bench_new_in(struct drv_memory *memory, const struct vring_config *config)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	bench->memory = memory;
	bench->memory_is_lent = true;
	bench->front = drv_ring_new(bench->memory, config);
	bench->back = drv_ring_attach(bench->front, config->base);
	bench->random.state = 88172645463325252ull;
	bench->space = malloc(DRV_USED_MAX);
	assert_non_null(bench->space);
	bench->used.bytes = bench->space;
	return bench;
}

struct bench *bench_new_config(const struct vring_config *config)
{
	struct bench *bench = bench_new_in(drv_memory_new(BENCH_ARENA), config);

	bench->memory_is_lent = false;
	return bench;
}

static bool packed;

void bench_use_packed(bool use)
{
	packed = use;
}

struct bench *bench_new(uint32_t size, uint16_t base)
{
	struct vring_config config = {.size = size, .base = base, .header_size = 12};

	if (packed) {
		config.packed = true;
		config.base = base % size | 0x8000u;
	}
	return bench_new_config(&config);
}

void bench_free(struct bench *bench)
{
	drv_ring_check(bench->front);
	drv_ring_free(bench->front);
	if (!bench->memory_is_lent) {
		drv_memory_check(bench->memory);
		drv_memory_free(bench->memory);
	}
	free(bench->space);
	free(bench);
}

void bench_scribble(struct bench *bench, uint8_t value)
{
	for (uint32_t i = 0; i < DRV_ARENAS; i++) {
		struct drv_arena *arena = &bench->memory->arena[i];
		memset(arena->host, value, arena->size);
		memset(arena->shadow, value, arena->size);
	}
}

void bench_fill(uint8_t *bytes, uint32_t size, uint64_t number)
{
	for (uint32_t i = 0; i < size; i++)
		bytes[i] = bench_byte(number, i);
}

void bench_expect(const uint8_t *bytes, uint32_t size, uint64_t number)
{
	for (uint32_t i = 0; i < size; i++)
		if (bytes[i] != bench_byte(number, i))
			fail_msg(
				"frame %lu of %u bytes is wrong from byte %u on",
				(unsigned long)number,
				size,
				i
			);
}

void bench_send_layout(struct bench *bench, const struct drv_layout *layout, uint64_t number)
{
	uint32_t header = bench->back.header_size;
	uint32_t size = 0;

	for (uint32_t i = 0; i < layout->count; i++)
		size += layout->size[i];
	uint8_t *bytes = calloc(1, size + header);
	assert_non_null(bytes);
	if (size > header)
		bench_fill(bytes + header, size - header, number);
	assert_true(drv_ring_post(bench->front, layout, bytes, number));
	free(bytes);
}

void bench_send(struct bench *bench, enum drv_shape shape, uint32_t size, uint64_t number)
{
	struct drv_layout layout;
	uint32_t header = bench->back.header_size;

	if (shape == DRV_SHAPE_MIXED &&
	    bench->front->config.packed) // virtio 1.1, 2.7.7: not there.
		shape = DRV_SHAPE_INDIRECT;
	drv_layout_make(&layout, shape, header, header + size, &bench->random);
	bench_send_layout(bench, &layout, number);
}

void bench_offer(struct bench *bench, uint32_t room, uint64_t tag)
{
	struct drv_layout layout = drv_layout_one(room);
	assert_true(drv_ring_post(bench->front, &layout, NULL, tag));
}

void bench_take(struct bench *bench, uint32_t max, uint32_t count, uint32_t chains)
{
	assert_int_equal(vring_take(&bench->back, &bench->burst, max, bench->drops), count);
	assert_int_equal(bench->burst.count, count);
	assert_int_equal(bench->back.taken_count, chains);
}

void bench_read_frame(const struct frame *frame, uint8_t *ret_bytes)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < frame->seg_count; i++) {
		assert_true(frame->segs[i].size > 0);
		memcpy(ret_bytes + at, frame->segs[i].addr, frame->segs[i].size);
		at += frame->segs[i].size;
	}
	assert_int_equal(at, frame->size);
	assert_int_equal(
		frame->head_size, frame->size < FRAME_HEAD_SIZE ? frame->size : FRAME_HEAD_SIZE
	);
	memcpy(ret_bytes, frame->head, frame->head_size);
}

void bench_expect_taken(const struct bench *bench, uint32_t i, uint32_t size, uint64_t number)
{
	static const struct frame_offload none;
	const struct frame *frame = &bench->burst.frame[i];

	assert_true(i < bench->burst.count);
	assert_int_equal(frame->size, size);
	assert_memory_equal(&frame->offload, &none, sizeof(none));
	bench_read_frame(frame, bench->space);
	bench_expect(bench->space, size, number);
}

struct bench_frame *bench_frame_new(uint32_t size, uint64_t number)
{
	struct bench_frame *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	bench_fill(f->bytes, size, number);
	f->seg = (struct frame_seg){f->bytes, size};
	f->frame = (struct frame){
		.head = f->head,
		.segs = &f->seg,
		.size = size,
		.head_size = (uint16_t)(size < FRAME_HEAD_SIZE ? size : FRAME_HEAD_SIZE),
		.seg_count = 1,
	};
	memcpy(f->head, f->bytes, f->frame.head_size);
	return f;
}

uint32_t bench_deliver(
	struct bench *bench,
	uint32_t size,
	uint64_t number,
	uint32_t count,
	enum vring_drop expect
)
{
	struct bench_frame *own[64];
	const struct frame *frames[64];
	enum vring_drop drop = VRING_DROP_COUNT;

	assert_true(count <= 64);
	for (uint32_t i = 0; i < count; i++) {
		own[i] = bench_frame_new(size, number + i);
		frames[i] = &own[i]->frame;
	}
	uint32_t done = vring_deliver(&bench->back, frames, count, &drop);
	assert_int_equal(drop, expect);
	for (uint32_t i = 0; i < count; i++)
		free(own[i]);
	return done;
}

void bench_collect(struct bench *bench, uint64_t tag, uint32_t size)
{
	assert_true(drv_ring_collect(bench->front, &bench->used));
	assert_int_equal(bench->used.tag, tag);
	assert_int_equal(bench->used.size, size);
}

void bench_collect_frame(struct bench *bench, uint32_t size, uint64_t number, uint32_t buffers)
{
	uint8_t header[12] = {0};
	uint32_t header_size = bench->back.header_size;

	header[10] = (uint8_t)buffers;
	header[11] = (uint8_t)(buffers >> 8);
	assert_true(drv_ring_collect(bench->front, &bench->used));
	assert_int_equal(bench->used.size, header_size + size);
	assert_memory_equal(bench->space, header, header_size);
	bench_expect(bench->space + header_size, size, number);
}

void bench_collect_none(struct bench *bench)
{
	assert_false(drv_ring_collect(bench->front, &bench->used));
}
