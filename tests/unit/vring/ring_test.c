// SPDX-License-Identifier: BSD-3-Clause
// A split ring's life: what is refused at set-up, indices that wrap, notification both ways.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int try_init(uint32_t size, uint32_t desc_off, uint32_t avail_off, uint32_t used_off)
{
	static uint8_t area[3][64] __attribute__((aligned(64)));
	static struct vring_mem mem = {.count = 1};
	struct vring_areas areas = {area[0] + desc_off, area[1] + avail_off, area[2] + used_off};
	struct vring ring;
	struct vring_config config = {.size = size, .header_size = 12};
	return vring_init(&ring, &areas, &config, &mem);
}

// virtio 1.1, 2.6: "Queue Size value is always a power of 2. The maximum Queue Size value is 32768."
static void test_init_refuses_sizes(void **state)
{
	static const uint32_t bad[] = {0, 1, 3, 5, 255, 257, 32767, 32769, 65536, UINT32_MAX};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(try_init(bad[i], 0, 0, 0), -EINVAL);
	for (uint32_t size = VRING_SPLIT_SIZE_MIN; size <= VRING_SIZE_MAX; size *= 2)
		assert_int_equal(try_init(size, 0, 0, 0), 0);
}

// virtio 1.1, 2.6: descriptor table 16, available ring 2, used ring 4 bytes.
static void test_init_refuses_alignment(void **state)
{
	for (uint32_t i = 1; i < 16; i++)
		assert_int_equal(try_init(4, i, 0, 0), -EINVAL);
	assert_int_equal(try_init(4, 0, 1, 0), -EINVAL);
	for (uint32_t i = 1; i < 4; i++)
		assert_int_equal(try_init(4, 0, 0, i), -EINVAL);
	assert_int_equal(try_init(4, 16, 2, 4), 0);
}

static void test_init_refuses_no_memory(void **state)
{
	static uint8_t area[64] __attribute__((aligned(16)));
	static struct vring_mem mem;
	struct vring_areas areas = {area, area, area};
	struct vring ring = {.size = 77};
	struct vring_config config = {.size = 2, .header_size = 12};
	assert_int_equal(vring_init(&ring, &areas, &config, &mem), -EINVAL);
	assert_int_equal(ring.size, 77);
}

// virtio 1.1, 2.6.5, 2.6.6 and 2.6.8.
static void test_area_sizes(void **state)
{
	struct vring_config config = {.size = 256};
	assert_int_equal(vring_area_size(&config, VRING_AREA_DESC), 4096);
	assert_int_equal(vring_area_size(&config, VRING_AREA_AVAIL), 516);
	assert_int_equal(vring_area_size(&config, VRING_AREA_USED), 2052);
	config.event_idx = true;
	assert_int_equal(vring_area_size(&config, VRING_AREA_AVAIL), 518);
	assert_int_equal(vring_area_size(&config, VRING_AREA_USED), 2054);
	config.size = 32768;
	assert_int_equal(vring_area_size(&config, VRING_AREA_DESC), 524288);
}

static void send_and_complete(struct bench *bench, uint32_t count, uint64_t number)
{
	for (uint32_t i = 0; i < count; i++)
		bench_send(bench, DRV_SHAPE_ONE, 60, number + i);
	bench_take(bench, FRAME_BURST_MAX, count, count);
	for (uint32_t i = 0; i < count; i++)
		bench_expect_taken(bench, i, 60, number + i);
	vring_complete(&bench->back);
	for (uint32_t i = 0; i < count; i++)
		bench_collect(bench, number + i, 0);
	bench_collect_none(bench);
}

// virtio 1.1, 2.6.6: "idx always increments, and wraps naturally at 65536".
static void test_take_wraps(void **state)
{
	static const uint32_t sizes[] = {2, 4, 64, 32768};
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct bench *bench = bench_new(sizes[s], 65535);
		uint32_t burst = sizes[s] < FRAME_BURST_MAX ? sizes[s] : FRAME_BURST_MAX;
		for (uint64_t n = 0; n < 200; n += burst)
			send_and_complete(bench, burst, n);
		assert_true(bench->back.next_avail < 1000);
		bench_free(bench);
	}
}

static void test_every_index_value(void **state)
{
	struct bench *bench = bench_new(32, 0);
	for (uint64_t n = 0; n < 65536 + 64; n += 32)
		send_and_complete(bench, 32, n);
	assert_int_equal(bench->back.next_avail, 64);
	bench_free(bench);
}

static void test_deliver_wraps(void **state)
{
	static const uint32_t sizes[] = {2, 4, 64, 32768};
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct bench *bench = bench_new(sizes[s], 65534);
		uint32_t burst = sizes[s] < FRAME_BURST_MAX ? sizes[s] : FRAME_BURST_MAX;
		for (uint64_t n = 0; n < 200; n += burst) {
			for (uint32_t i = 0; i < burst; i++)
				bench_offer(bench, 128, n + i);
			assert_int_equal(bench_deliver(bench, 100, n, burst, 0), burst);
			vring_show(&bench->back);
			for (uint32_t i = 0; i < burst; i++)
				bench_collect_frame(bench, 100, n + i, 1);
			bench_collect_none(bench);
		}
		bench_free(bench);
	}
}

// A ring of the largest size may be full: 32768 available at once (virtio 1.1, 2.6).
static void test_full_largest_ring(void **state)
{
	struct bench *bench = bench_new(32768, 40000);
	struct vring_avail_ring *avail = bench->front->areas.avail;
	uint64_t gpa = bench->memory->arena[0].gpa;

	for (uint32_t i = 0; i < 32768; i++) {
		drv_ring_put_desc(bench->front, (uint16_t)i, (struct desc){gpa, 72, 0, 0});
		drv_ring_put_avail(bench->front, (uint16_t)(32767 - i));
	}
	assert_int_equal(avail->idx, (40000 + 32768) % 65536);
	for (uint32_t taken = 0; taken < 32768; taken += 32) {
		bench_take(bench, 32, 32, 32);
		vring_complete(&bench->back);
	}
	assert_false(vring_has_work(&bench->back));
	const struct vring_used_ring *used = bench->front->areas.used;
	assert_int_equal(used->idx, avail->idx);
	for (uint32_t i = 0; i < 32768; i++)
		assert_int_equal(used->ring[(40000 + i) % 32768].id, 32767 - i);
	bench_free(bench);
}

// virtio 1.1, 2.6.10: used->flags is a hint to the driver; bit 0 is VIRTQ_USED_F_NO_NOTIFY.
static void test_no_notify(void **state)
{
	struct bench *bench = bench_new(4, 7);
	const struct vring_used_ring *used = bench->front->areas.used;

	assert_int_equal(used->flags, 0);
	vring_set_notify(&bench->back, false);
	assert_int_equal(used->flags, USED_F_NO_NOTIFY);
	assert_int_equal(used->idx, 7);
	vring_set_notify(&bench->back, true);
	assert_int_equal(used->flags, 0);
	bench_free(bench);
}

// virtio 1.1, 2.6.7.1: with VIRTQ_AVAIL_F_NO_INTERRUPT "the device SHOULD NOT send a notification".
static void test_no_interrupt(void **state)
{
	struct bench *bench = bench_new(4, 0);
	struct vring_avail_ring *avail = bench->front->areas.avail;

	assert_true(vring_wants_call(&bench->back));
	avail->flags = bench->front->avail_shadow->flags = AVAIL_F_NO_INTERRUPT;
	assert_false(vring_wants_call(&bench->back));
	// The other bits are reserved.
	avail->flags = bench->front->avail_shadow->flags = (uint16_t)~AVAIL_F_NO_INTERRUPT;
	assert_true(vring_wants_call(&bench->back));
	bench_free(bench);
}

static void test_has_work(void **state)
{
	struct bench *bench = bench_new(4, 65535);
	assert_false(vring_has_work(&bench->back));
	bench_take(bench, 32, 0, 0);
	bench_send(bench, DRV_SHAPE_ONE, 60, 1);
	assert_true(vring_has_work(&bench->back));
	bench_take(bench, 32, 1, 1);
	assert_false(vring_has_work(&bench->back));
	bench_free(bench);
}

static void test_every_fault_has_words(void **state)
{
	for (unsigned int i = 0; i < VRING_FAULT_COUNT; i++) {
		assert_non_null(vring_fault_text(i));
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(vring_fault_text(i), vring_fault_text(j));
	}
	assert_string_equal(vring_fault_text(VRING_FAULT_COUNT), "unknown");
	assert_string_equal(vring_fault_text((enum vring_fault) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_refuses_sizes),
		cmocka_unit_test(test_init_refuses_alignment),
		cmocka_unit_test(test_init_refuses_no_memory),
		cmocka_unit_test(test_area_sizes),
		cmocka_unit_test(test_take_wraps),
		cmocka_unit_test(test_every_index_value),
		cmocka_unit_test(test_deliver_wraps),
		cmocka_unit_test(test_full_largest_ring),
		cmocka_unit_test(test_no_notify),
		cmocka_unit_test(test_no_interrupt),
		cmocka_unit_test(test_has_work),
		cmocka_unit_test(test_every_fault_has_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
