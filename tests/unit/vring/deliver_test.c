// SPDX-License-Identifier: BSD-3-Clause
// Frames into a receive ring: header, merged buffers, what does not fit, and when it is shown.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"

#include <stdlib.h>
#include <string.h>

static void test_plain(void **state)
{
	static const uint32_t sizes[] = {14, 60, 63, 64, 65, 1514, 65562};
	struct bench *bench = bench_new(16, 0);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		bench_offer(bench, 12 + sizes[i] + (uint32_t)i % 2, i);
		assert_int_equal(bench_deliver(bench, sizes[i], i, 1, VRING_DROP_NONE), 1);
		vring_show(&bench->back);
		// virtio 1.1, 5.1.6.4.1: without MRG_RXBUF num_buffers is 1.
		bench_collect_frame(bench, sizes[i], i, 1);
	}
	bench_free(bench);
}

// virtio 1.1, 5.1.6.1: the legacy header has no num_buffers.
static void test_legacy_header(void **state)
{
	struct bench *bench = bench_new(16, 0);
	struct drv_layout layout = {.count = 2, .direct = 2, .size = {10, 60}};

	bench->back.header_size = 10;
	bench_offer(bench, 70, 0);
	assert_true(drv_ring_post(bench->front, &layout, NULL, 1));
	assert_int_equal(bench_deliver(bench, 60, 0, 2, VRING_DROP_NONE), 2);
	vring_show(&bench->back);
	bench_collect_frame(bench, 60, 0, 0);
	bench_collect_frame(bench, 60, 1, 0);
	bench_free(bench);
}

// virtio 1.1, 2.6.8: a used entry is not seen before the index says so; ours waits for vring_show().
static void test_nothing_shown_before_show(void **state)
{
	struct bench *bench = bench_new(16, 0);
	for (uint32_t i = 0; i < 4; i++)
		bench_offer(bench, 100, i);
	assert_int_equal(bench_deliver(bench, 60, 0, 2, VRING_DROP_NONE), 2);
	bench_collect_none(bench);
	assert_int_equal(bench_deliver(bench, 60, 2, 1, VRING_DROP_NONE), 1);
	bench_collect_none(bench);
	vring_show(&bench->back);
	for (uint32_t i = 0; i < 3; i++)
		bench_collect_frame(bench, 60, i, 1);
	bench_collect_none(bench);
	vring_show(&bench->back);
	bench_collect_none(bench);
	bench_free(bench);
}

static void test_full_leaves_no_trace(void **state)
{
	struct bench *bench = bench_new(16, 0);
	assert_int_equal(bench_deliver(bench, 60, 0, 3, VRING_DROP_FULL), 0);
	bench_offer(bench, 100, 0);
	assert_int_equal(bench_deliver(bench, 60, 0, 3, VRING_DROP_FULL), 1);
	vring_show(&bench->back);
	bench_collect_frame(bench, 60, 0, 1);
	bench_collect_none(bench);
	bench_offer(bench, 100, 1);
	assert_int_equal(bench_deliver(bench, 60, 1, 1, VRING_DROP_NONE), 1);
	vring_show(&bench->back);
	bench_collect_frame(bench, 60, 1, 1);
	bench_free(bench);
}

// Merged buffers that do not suffice stay where they are, unwritten (bench_free looks at every byte).
static void test_full_while_merging(void **state)
{
	struct bench *bench = bench_new(16, 65534);
	bench->back.mergeable = true;
	for (uint32_t i = 0; i < 3; i++)
		bench_offer(bench, 100, i);
	assert_int_equal(bench_deliver(bench, 300, 0, 1, VRING_DROP_FULL), 0);
	drv_memory_check(bench->memory);
	bench_offer(bench, 100, 3);
	assert_int_equal(bench_deliver(bench, 300, 5, 1, VRING_DROP_NONE), 1);
	vring_show(&bench->back);
	for (uint32_t i = 0; i < 4; i++)
		bench_collect(bench, i, i < 3 ? 100 : 12);
	bench_free(bench);
}

static void test_buffer_leaves_no_trace(void **state)
{
	struct bench *bench = bench_new(16, 0);
	bench_offer(bench, 71, 0);
	assert_int_equal(bench_deliver(bench, 60, 0, 2, VRING_DROP_BUFFER), 0);
	vring_show(&bench->back);
	bench_collect_none(bench);
	drv_memory_check(bench->memory);
	// A frame that fits takes the same buffer.
	assert_int_equal(bench_deliver(bench, 59, 9, 1, VRING_DROP_NONE), 1);
	vring_show(&bench->back);
	bench_collect_frame(bench, 59, 9, 1);
	bench_free(bench);
}

// A chain of several descriptors that is one byte too small.
static void test_buffer_of_many_descriptors(void **state)
{
	struct bench *bench = bench_new(16, 0);
	struct drv_layout layout = {.count = 4, .direct = 2, .size = {5, 7, 59, 0}};

	bench->back.indirect = true;
	assert_true(drv_ring_post(bench->front, &layout, NULL, 0));
	assert_int_equal(bench_deliver(bench, 60, 0, 1, VRING_DROP_BUFFER), 0);
	drv_memory_check(bench->memory);
	assert_int_equal(bench_deliver(bench, 59, 4, 1, VRING_DROP_NONE), 1);
	vring_show(&bench->back);
	bench_collect_frame(bench, 59, 4, 1);
	bench_free(bench);
}

static void collect_merged(struct bench *bench, uint32_t size, uint64_t number, uint32_t buffers)
{
	uint8_t *all = calloc(1, DRV_USED_MAX);
	uint32_t at = 0;

	assert_non_null(all);
	for (uint32_t i = 0; i < buffers; i++) {
		assert_true(drv_ring_collect(bench->front, &bench->used));
		// virtio 1.1, 5.1.6.4.1: all buffers but the last are filled completely.
		if (i + 1 < buffers)
			assert_int_equal(bench->used.size, bench->used.room);
		memcpy(all + at, bench->space, bench->used.size);
		at += bench->used.size;
	}
	assert_int_equal(at, 12 + size);
	assert_int_equal(all[10] | all[11] << 8, buffers);
	bench_expect(all + 12, size, number);
	free(all);
}

// virtio 1.1, 5.1.6.4.1: "the device MUST set num_buffers to indicate the number of buffers the packet
// (including the header) is spread over".
static void test_merging(void **state)
{
	struct bench *bench = bench_new(512, 65000);

	bench->back.mergeable = true;
	for (uint32_t size = 14; size < 3000; size += 37) {
		uint32_t room = 256;
		uint32_t buffers = (12 + size + room - 1) / room;
		for (uint32_t i = 0; i < buffers; i++)
			bench_offer(bench, room, i);
		assert_int_equal(bench_deliver(bench, size, size, 1, VRING_DROP_NONE), 1);
		vring_show(&bench->back);
		collect_merged(bench, size, size, buffers);
		bench_collect_none(bench);
	}
	bench_free(bench);
}

// The largest frame fits the smallest buffers that drivers use.
static void test_merging_largest(void **state)
{
	struct bench *bench = bench_new(512, 0);
	bench->back.mergeable = true;
	for (uint32_t i = 0; i < 257; i++)
		bench_offer(bench, 256, i);
	assert_int_equal(bench_deliver(bench, FRAME_SIZE_MAX, 8, 1, VRING_DROP_NONE), 1);
	vring_show(&bench->back);
	collect_merged(bench, FRAME_SIZE_MAX, 8, 257);
	bench_free(bench);
}

// Buffers of one byte: merged as long as it stays bounded, refused beyond.
static void test_merging_is_bounded(void **state)
{
	struct bench *bench = bench_new(1024, 0);
	bench->back.mergeable = true;
	for (uint32_t i = 0; i < 1024; i++)
		bench_offer(bench, 1, i);
	assert_int_equal(bench_deliver(bench, 1000, 0, 2, VRING_DROP_BUFFER), 0);
	drv_memory_check(bench->memory);
	assert_int_equal(bench_deliver(bench, 60, 6, 1, VRING_DROP_NONE), 1);
	vring_show(&bench->back);
	collect_merged(bench, 60, 6, 72);
	bench_free(bench);
}

// Receive chains of nothing but empty descriptors cost a bounded amount of work, and hold nothing up.
static void test_empty_descriptors_are_bounded(void **state)
{
	struct bench *bench = bench_new(32768, 0);

	bench->back.mergeable = true;
	for (uint32_t i = 0; i < 32768; i++)
		drv_ring_put_desc(
			bench->front,
			(uint16_t)i,
			(struct desc){
				.flags = DESC_F_WRITE | (i < 32767 ? DESC_F_NEXT : 0),
				.next = (uint16_t)(i + 1),
			}
		);
	for (uint32_t i = 0; i < 300; i++)
		drv_ring_put_avail(bench->front, 0);
	// Were all of them walked, 2000 times 288 chains of 32768 descriptors would take minutes.
	for (uint32_t i = 0; i < 2000; i++)
		assert_int_equal(bench_deliver(bench, 60, 0, 1, VRING_DROP_BUFFER), 0);
	assert_int_equal(bench->back.fault, VRING_FAULT_NONE);
	bench_free(bench);
}

// A chain that is too long to be walked to its end may be used, but nothing is merged behind it: it could
// not be filled completely (virtio 1.1, 5.1.6.4.1).
static void test_nothing_merged_behind_a_long_chain(void **state)
{
	struct bench *bench = bench_new(1024, 0);
	struct drv_layout layout = {.count = 400, .direct = 400};

	bench->back.mergeable = true;
	for (uint32_t i = 0; i < layout.count; i++)
		layout.size[i] = 1;
	assert_true(drv_ring_post(bench->front, &layout, NULL, 0));
	bench_offer(bench, 1000, 1);
	assert_int_equal(bench_deliver(bench, 390, 0, 1, VRING_DROP_BUFFER), 0);
	drv_memory_check(bench->memory);
	assert_int_equal(bench_deliver(bench, 200, 3, 1, VRING_DROP_NONE), 1);
	vring_show(&bench->back);
	bench_collect_frame(bench, 200, 3, 1);
	bench_free(bench);
}

// Merged chains share one budget of descriptors.
static void test_merged_chains_share_a_budget(void **state)
{
	struct bench *bench = bench_new(1024, 0);
	struct drv_layout layout = {.count = 200, .direct = 200};

	bench->back.mergeable = true;
	for (uint32_t i = 0; i < layout.count; i++)
		layout.size[i] = 1;
	for (uint64_t tag = 0; tag < 4; tag++)
		assert_true(drv_ring_post(bench->front, &layout, NULL, tag));
	assert_int_equal(bench_deliver(bench, 600, 0, 1, VRING_DROP_BUFFER), 0);
	assert_int_equal(bench_deliver(bench, 309, 0, 1, VRING_DROP_BUFFER), 0);
	drv_memory_check(bench->memory);
	assert_int_equal(bench_deliver(bench, 308, 7, 1, VRING_DROP_NONE), 1);
	vring_show(&bench->back);
	collect_merged(bench, 308, 7, 2);
	bench_free(bench);
}

// Plain buffers, chains and merged buffers in one call, in order.
static void test_mixed_burst(void **state)
{
	struct bench *bench = bench_new(64, 0);
	struct drv_layout layout = {.count = 3, .direct = 3, .size = {12, 50, 50}};

	bench->back.mergeable = true;
	bench_offer(bench, 112, 0);
	assert_true(drv_ring_post(bench->front, &layout, NULL, 1));
	bench_offer(bench, 100, 2);
	bench_offer(bench, 12, 3);
	bench_offer(bench, 200, 4);
	assert_int_equal(bench_deliver(bench, 100, 40, 5, VRING_DROP_FULL), 4);
	vring_show(&bench->back);
	bench_collect_frame(bench, 100, 40, 1);
	bench_collect_frame(bench, 100, 41, 1);
	collect_merged(bench, 100, 42, 2);
	bench_collect_frame(bench, 100, 43, 1);
	bench_collect_none(bench);
	bench_free(bench);
}

// More frames in one call than a burst has.
static void test_more_than_a_burst(void **state)
{
	struct bench *bench = bench_new(64, 0);
	for (uint32_t i = 0; i < 64; i++)
		bench_offer(bench, 100, i);
	assert_int_equal(bench_deliver(bench, 60, 0, 50, VRING_DROP_NONE), 50);
	vring_show(&bench->back);
	for (uint32_t i = 0; i < 50; i++)
		bench_collect_frame(bench, 60, i, 1);
	bench_free(bench);
}

// A burst from one ring into another, the sender rewriting its memory in between: the private head is
// delivered as it was judged.
static void test_private_head_is_delivered(void **state)
{
	struct bench *from = bench_new(64, 0);
	struct bench *to = bench_new(64, 0);
	enum vring_drop drop;

	from->back.indirect = true;
	for (uint32_t i = 0; i < DRV_SHAPE_COUNT; i++) {
		bench_send(from, i, 30 * (i + 1), i);
		bench_offer(to, 400, i);
	}
	bench_take(from, 32, DRV_SHAPE_COUNT, DRV_SHAPE_COUNT);
	bench_scribble(from, 0xee);
	for (uint32_t i = 0; i < DRV_SHAPE_COUNT; i++) {
		const struct frame *frame = &from->burst.frame[i];
		assert_int_equal(vring_deliver(&to->back, &frame, 1, &drop), 1);
	}
	vring_show(&to->back);
	for (uint32_t i = 0; i < DRV_SHAPE_COUNT; i++) {
		uint32_t size = 30 * (i + 1);
		bench_collect(to, i, 12 + size);
		bench_expect(to->space + 12, size < 64 ? size : 64, i);
		for (uint32_t at = 64; at < size; at++)
			assert_int_equal(to->space[12 + at], 0xee);
	}
	bench_free(from);
	bench_free(to);
}

// The offload request of a frame travels in its header, in every kind of buffer.
static void test_offload_is_written(void **state)
{
	static const uint8_t expect[12] = {1, 4, 0x42, 0x41, 0x52, 0x51, 0x62, 0x61, 0x72, 0x71, 1};
	struct bench *bench = bench_new(16, 0);
	struct bench_frame *f = bench_frame_new(60, 0);
	const struct frame *frames[2] = {&f->frame, &f->frame};
	struct drv_layout layout = {.count = 3, .direct = 3, .size = {3, 8, 100}};
	enum vring_drop drop;

	f->frame.offload = (struct frame_offload){1, 4, 0x4142, 0x5152, 0x6162, 0x7172};
	bench_offer(bench, 100, 0);
	assert_true(drv_ring_post(bench->front, &layout, NULL, 1));
	assert_int_equal(vring_deliver(&bench->back, frames, 2, &drop), 2);
	vring_show(&bench->back);
	for (uint32_t i = 0; i < 2; i++) {
		bench_collect(bench, i, 72);
		assert_memory_equal(bench->space, expect, 12);
	}
	free(f);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest both[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_legacy_header),
		cmocka_unit_test(test_nothing_shown_before_show),
		cmocka_unit_test(test_full_leaves_no_trace),
		cmocka_unit_test(test_full_while_merging),
		cmocka_unit_test(test_buffer_leaves_no_trace),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_merging_largest),
		cmocka_unit_test(test_merging_is_bounded),
		cmocka_unit_test(test_nothing_merged_behind_a_long_chain),
		cmocka_unit_test(test_merged_chains_share_a_budget),
		cmocka_unit_test(test_mixed_burst),
		cmocka_unit_test(test_more_than_a_burst),
		cmocka_unit_test(test_private_head_is_delivered),
		cmocka_unit_test(test_offload_is_written),
	};
	// On descriptors that only a split ring has.
	const struct CMUnitTest split[] = {
		cmocka_unit_test(test_buffer_of_many_descriptors),
		cmocka_unit_test(test_empty_descriptors_are_bounded),
	};
	int failed = cmocka_run_group_tests_name("deliver, split", both, NULL, NULL);

	failed += cmocka_run_group_tests_name("deliver, split only", split, NULL, NULL);
	bench_use_packed(true);
	failed += cmocka_run_group_tests_name("deliver, packed", both, NULL, NULL);
	return failed;
}
