// SPDX-License-Identifier: BSD-3-Clause
// Frames out of a transmit ring: every layout, every drop, the order of completion, the private head.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"

#include <stdlib.h>
#include <string.h>

static void complete_and_collect(struct bench *bench, uint64_t number, uint32_t count)
{
	vring_complete(&bench->back);
	for (uint32_t i = 0; i < count; i++)
		bench_collect(bench, number + i, 0);
	bench_collect_none(bench);
}

// virtio 1.1, 2.6.4: "The device MUST NOT make assumptions about the particular arrangement of
// descriptors".
static void test_every_shape(void **state)
{
	static const uint32_t sizes[] = {14, 15, 59, 60, 63, 64, 65, 66, 128, 1514, 9000, 65562};
	struct bench *bench = bench_new(256, 0);
	uint64_t number = 0;

	for (uint32_t round = 0; round < 40; round++)
		for (uint32_t shape = 0; shape < DRV_SHAPE_COUNT; shape++)
			for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
				bench->back.indirect = true;
				bench->back.header_size = number % 2 ? 10 : 12;
				bench_send(bench, shape, sizes[i], number);
				bench_take(bench, 32, 1, 1);
				bench_expect_taken(bench, 0, sizes[i], number);
				complete_and_collect(bench, number++, 1);
			}
	bench_free(bench);
}

static void test_max_limits_the_burst(void **state)
{
	struct bench *bench = bench_new(64, 0);
	for (uint32_t i = 0; i < 40; i++)
		bench_send(bench, DRV_SHAPE_ONE, 60 + i, i);
	bench_take(bench, 0, 0, 0);
	bench_take(bench, 5, 5, 5);
	bench_expect_taken(bench, 4, 64, 4);
	complete_and_collect(bench, 0, 5);
	bench_take(bench, 32, 32, 32);
	bench_expect_taken(bench, 0, 65, 5);
	bench_expect_taken(bench, 31, 96, 36);
	complete_and_collect(bench, 5, 32);
	bench_take(bench, 32, 3, 3);
	complete_and_collect(bench, 37, 3);
	bench_free(bench);
}

// More than a burst holds is never taken, whatever the caller asks for.
static void test_max_is_clamped(void **state)
{
	struct bench *bench = bench_new(128, 0);
	for (uint32_t i = 0; i < 100; i++)
		bench_send(bench, DRV_SHAPE_ONE, 60, i);
	bench_take(bench, 100, FRAME_BURST_MAX, FRAME_BURST_MAX);
	complete_and_collect(bench, 0, FRAME_BURST_MAX);
	bench_free(bench);
}

// Nothing is given back before vring_complete(): the crash contract of the data path.
static void test_nothing_used_before_complete(void **state)
{
	struct bench *bench = bench_new(8, 0);
	bench_send(bench, DRV_SHAPE_ONE, 60, 0);
	bench_send(bench, DRV_SHAPE_APART, 2, 1); // SHORT.
	bench_take(bench, 32, 1, 2);
	bench_collect_none(bench);
	vring_show(&bench->back);
	bench_collect_none(bench);
	complete_and_collect(bench, 0, 2);
	vring_complete(&bench->back);
	bench_collect_none(bench);
	bench_free(bench);
}

static void test_short_is_dropped(void **state)
{
	struct bench *bench = bench_new(64, 0);
	struct drv_layout layout;
	uint64_t number = 0;

	// Shorter than the header, the header alone, one byte less than the least frame.
	for (uint32_t size = 1; size < 12 + FRAME_SIZE_MIN; size++) {
		layout = drv_layout_one(size);
		bench_send_layout(bench, &layout, number);
		bench_take(bench, 32, 0, 1);
		complete_and_collect(bench, number++, 1);
		assert_int_equal(bench->drops[VRING_DROP_SHORT], number);
	}
	// Nothing at all, in one descriptor and in three.
	layout = (struct drv_layout){.count = 1, .direct = 1};
	bench_send_layout(bench, &layout, number++);
	layout = (struct drv_layout){.count = 3, .direct = 3};
	bench_send_layout(bench, &layout, number++);
	bench_take(bench, 32, 0, 2);
	complete_and_collect(bench, number - 2, 2);
	assert_int_equal(bench->drops[VRING_DROP_SHORT], number);
	assert_int_equal(bench->drops[VRING_DROP_LONG], 0);
	layout = drv_layout_one(12 + FRAME_SIZE_MIN);
	bench_send_layout(bench, &layout, 99);
	bench_take(bench, 32, 1, 1);
	bench_expect_taken(bench, 0, FRAME_SIZE_MIN, 99);
	bench_free(bench);
}

static void test_long_is_dropped(void **state)
{
	struct bench *bench = bench_new(64, 0);
	struct drv_layout layout = drv_layout_one(12 + FRAME_SIZE_MAX + 1);

	bench_send_layout(bench, &layout, 0);
	layout = (struct drv_layout){.count = 3, .direct = 3, .size = {12, 65535, 28}};
	bench_send_layout(bench, &layout, 1);
	bench_send(bench, DRV_SHAPE_CUTS, FRAME_SIZE_MAX, 2);
	bench_take(bench, 32, 1, 3);
	bench_expect_taken(bench, 0, FRAME_SIZE_MAX, 2);
	assert_int_equal(bench->drops[VRING_DROP_LONG], 2);
	complete_and_collect(bench, 0, 3);
	bench_free(bench);
}

// A chain of more than 2^32 bytes: all of its descriptors name the same valid memory.
static void test_long_beyond_32_bits(void **state)
{
	struct bench *bench = bench_new(32768, 0);
	uint64_t gpa = bench->memory->arena[0].gpa;
	uint32_t count = FRAME_SEGS_MAX;

	// 1023 times 4 MiB and a bit: 64 more than 2^32 in the low 32 bits.
	static struct vring_mem mem;
	static uint8_t byte;
	mem = (struct vring_mem
	){.count = 1, .region = {{.gpa = gpa, .size = 1ull << 40, .host = &byte}}};
	bench->back.mem = &mem; // Its bytes do not exist; a chain to be dropped is not read.
	bench->back.cache = &mem.region[0];
	for (uint32_t i = 0; i < count; i++) {
		uint16_t flags = i + 1 < count ? DESC_F_NEXT : 0;
		uint32_t size = i ? (uint32_t)((1ull << 32) / (count - 1)) : 64 + 1024;
		drv_ring_put_desc(
			bench->front,
			(uint16_t)i,
			(struct desc){gpa, size, flags, (uint16_t)(i + 1)}
		);
	}
	drv_ring_put_avail(bench->front, 0);
	bench_take(bench, 32, 0, 1);
	assert_int_equal(bench->drops[VRING_DROP_LONG], 1);
	bench_free(bench);
}

static struct drv_layout pieces(uint32_t count, uint32_t each)
{
	struct drv_layout layout = {.count = count, .direct = count};
	for (uint32_t i = 0; i < count; i++)
		layout.size[i] = each;
	return layout;
}

static void test_too_many_segments_is_long(void **state)
{
	struct bench *bench = bench_new(4096, 0);
	struct drv_layout layout = pieces(FRAME_SEGS_MAX + 1, 2);

	bench_send_layout(bench, &layout, 0);
	layout = pieces(FRAME_SEGS_MAX, 2);
	bench_send_layout(bench, &layout, 1);
	bench_take(bench, 32, 0, 1);
	assert_int_equal(bench->drops[VRING_DROP_LONG], 1);
	complete_and_collect(bench, 0, 1);
	bench_take(bench, 32, 1, 1);
	bench_expect_taken(bench, 0, 2 * FRAME_SEGS_MAX - 12, 1);
	complete_and_collect(bench, 1, 1);
	bench_free(bench);
}

// A burst whose segments are used up ends; what did not fit comes with the next, whole and in order.
static void test_segment_pool_ends_the_burst(void **state)
{
	struct bench *bench = bench_new(4096, 0);
	struct drv_layout layout = pieces(300, 3);

	for (uint64_t n = 0; n < 8; n++)
		bench_send_layout(bench, &layout, n);
	bench_send(bench, DRV_SHAPE_ONE, 60, 8);
	for (uint64_t n = 0; n < 6; n += 3) {
		bench_take(bench, 32, 3, 3);
		for (uint32_t i = 0; i < 3; i++)
			bench_expect_taken(bench, i, 888, n + i);
		complete_and_collect(bench, n, 3);
	}
	bench_take(bench, 32, 3, 3);
	bench_expect_taken(bench, 2, 60, 8);
	complete_and_collect(bench, 6, 3);
	for (unsigned int i = 0; i < VRING_DROP_COUNT; i++)
		assert_int_equal(bench->drops[i], 0);
	bench_free(bench);
}

// Exactly all segments used: a plain descriptor behind waits too.
static void test_segment_pool_used_to_the_last(void **state)
{
	struct bench *bench = bench_new(2048, 0);
	struct drv_layout layout = pieces(FRAME_SEGS_MAX, 1);

	bench_send_layout(bench, &layout, 0);
	bench_send(bench, DRV_SHAPE_ONE, 60, 1);
	bench_take(bench, 32, 1, 1);
	bench_expect_taken(bench, 0, FRAME_SEGS_MAX - 12, 0);
	complete_and_collect(bench, 0, 1);
	bench_take(bench, 32, 1, 1);
	bench_expect_taken(bench, 0, 60, 1);
	complete_and_collect(bench, 1, 1);
	bench_free(bench);
}

// One call looks at a bounded number of descriptors, however many empty ones the chains are made of:
// FRAME_SEGS_MAX for all chains of a burst together.
static void test_empty_descriptors_are_bounded(void **state)
{
	struct bench *bench = bench_new(32768, 0);
	uint32_t bursts = 0;

	for (uint32_t i = 0; i < 32768; i++)
		drv_ring_put_desc(
			bench->front,
			(uint16_t)i,
			(struct desc
			){.flags = i < 32767 ? DESC_F_NEXT : 0, .next = (uint16_t)(i + 1)}
		);
	for (uint32_t i = 0; i < 32; i++)
		drv_ring_put_avail(bench->front, 0);
	for (; vring_has_work(&bench->back); bursts++) {
		// The first chain uses the budget up; it is dropped, counted and completed.
		bench_take(bench, 32, 0, 1);
		vring_complete(&bench->back);
	}
	assert_int_equal(bursts, 32);
	assert_int_equal(bench->drops[VRING_DROP_LONG], 32);
	assert_int_equal(bench->back.fault, VRING_FAULT_NONE);
	bench_free(bench);
}

// Frames before a fault are returned even when they need more than one burst.
static void test_fault_behind_an_ended_burst(void **state)
{
	struct bench *bench = bench_new(2048, 0);
	struct drv_layout layout = pieces(400, 3);

	for (uint64_t n = 0; n < 4; n++)
		bench_send_layout(bench, &layout, n);
	drv_ring_put_avail(bench->front, 2048);
	for (uint64_t n = 0; n < 4; n += 2) {
		assert_int_equal(bench->back.fault, VRING_FAULT_NONE);
		bench_take(bench, 32, 2, 2);
		bench_expect_taken(bench, 0, 1188, n);
		bench_expect_taken(bench, 1, 1188, n + 1);
		complete_and_collect(bench, n, 2);
	}
	assert_int_equal(bench->back.fault, VRING_FAULT_HEAD);
	bench_free(bench);
}

// Chains that are dropped cost as much as those that are not.
static void test_dropped_chains_are_bounded(void **state)
{
	struct bench *bench = bench_new(4096, 0);
	struct drv_layout layout = pieces(400, 0);

	layout.size[0] = 4;
	for (uint64_t n = 0; n < 5; n++)
		bench_send_layout(bench, &layout, n);
	bench_take(bench, 32, 0, 2);
	complete_and_collect(bench, 0, 2);
	bench_take(bench, 32, 0, 2);
	complete_and_collect(bench, 2, 2);
	bench_take(bench, 32, 0, 1);
	complete_and_collect(bench, 4, 1);
	assert_int_equal(bench->drops[VRING_DROP_SHORT], 5);
	bench_free(bench);
}

// virtio 1.1, 2.6.8: each chain of a burst is given back once, dropped ones in their place.
static void test_completion_in_available_order(void **state)
{
	struct bench *bench = bench_new(64, 65530);
	uint32_t count = 0;

	for (uint64_t n = 0; n < 30; n++) {
		uint32_t size = n % 3 == 0 ? 5 : n % 7 == 0 ? FRAME_SIZE_MAX + 1 : 200;
		count += size == 200;
		bench_send(bench, n % 2 ? DRV_SHAPE_ONE : DRV_SHAPE_APART, size, n);
	}
	bench_take(bench, 32, count, 30);
	uint32_t i = 0;
	for (uint64_t n = 0; n < 30; n++)
		if (n % 3 && n % 7)
			bench_expect_taken(bench, i++, 200, n);
	complete_and_collect(bench, 0, 30);
	assert_int_equal(bench->drops[VRING_DROP_SHORT], 10);
	assert_int_equal(bench->drops[VRING_DROP_LONG], 20 - count);
	bench_free(bench);
}

// What was judged is what is delivered: the head does not change with the guest's memory.
static void test_head_is_private(void **state)
{
	struct bench *bench = bench_new(64, 0);
	uint8_t *bytes = bench->space;

	bench->back.indirect = true;
	for (uint32_t shape = 0; shape < DRV_SHAPE_COUNT; shape++)
		bench_send(bench, shape, 40 + 20 * shape, shape);
	bench_take(bench, 32, DRV_SHAPE_COUNT, DRV_SHAPE_COUNT);
	bench_scribble(bench, 0xee);
	for (uint32_t shape = 0; shape < DRV_SHAPE_COUNT; shape++) {
		const struct frame *frame = &bench->burst.frame[shape];
		bench_read_frame(frame, bytes);
		bench_expect(bytes, frame->head_size, shape);
		for (uint32_t i = frame->head_size; i < frame->size; i++)
			assert_int_equal(bytes[i], 0xee);
	}
	bench_free(bench);
}

// No offload is negotiated: what a front end writes into its header goes nowhere (5.1.6.2.1).
static void test_offload_is_ignored(void **state)
{
	struct bench *bench = bench_new(8, 0);
	struct drv_layout layout = drv_layout_one(12 + 60);
	uint8_t bytes[72];

	memset(bytes, 0xff, 12);
	bench_fill(bytes + 12, 60, 3);
	assert_true(drv_ring_post(bench->front, &layout, bytes, 3));
	bench_take(bench, 32, 1, 1);
	bench_expect_taken(bench, 0, 60, 3);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest both[] = {
		cmocka_unit_test(test_every_shape),
		cmocka_unit_test(test_max_limits_the_burst),
		cmocka_unit_test(test_max_is_clamped),
		cmocka_unit_test(test_nothing_used_before_complete),
		cmocka_unit_test(test_short_is_dropped),
		cmocka_unit_test(test_long_is_dropped),
		cmocka_unit_test(test_too_many_segments_is_long),
		cmocka_unit_test(test_segment_pool_ends_the_burst),
		cmocka_unit_test(test_segment_pool_used_to_the_last),
		cmocka_unit_test(test_dropped_chains_are_bounded),
		cmocka_unit_test(test_completion_in_available_order),
		cmocka_unit_test(test_head_is_private),
		cmocka_unit_test(test_offload_is_ignored),
	};
	// On descriptors that only a split ring has.
	const struct CMUnitTest split[] = {
		cmocka_unit_test(test_long_beyond_32_bits),
		cmocka_unit_test(test_empty_descriptors_are_bounded),
		cmocka_unit_test(test_fault_behind_an_ended_burst),
	};
	int failed = cmocka_run_group_tests_name("take, split", both, NULL, NULL);

	failed += cmocka_run_group_tests_name("take, split only", split, NULL, NULL);
	bench_use_packed(true);
	failed += cmocka_run_group_tests_name("take, packed", both, NULL, NULL);
	return failed;
}
