// SPDX-License-Identifier: BSD-3-Clause
// Token buckets on a clock that the test turns.
#include "switch/limit.h"
#include "tests/lib/unit.h"

#define HZ 1000000000ull

// What passes of a stream of frames that come every `step` cycles for one second, after the first burst is gone.
static uint64_t passed_bytes(struct limits *limits, uint32_t size, uint64_t step)
{
	uint64_t now = 0;
	uint64_t bytes = 0;

	while (limits_tx_pass(limits, now, size))
		;
	for (uint64_t end = now + HZ; now < end; now += step)
		if (limits_tx_pass(limits, now, size))
			bytes += size;
	return bytes;
}

static void test_bits_a_second_hold_for_any_size_and_pace(void **state)
{
	static const uint32_t sizes[] = {60, 1514, 9014, 65562};
	static const uint64_t steps[] = {211, 1009, 5003, 100003};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			struct wire_limits spec = {.tx_bps = 100000000, .tx_burst = 10000};
			struct limits limits;
			uint64_t offered = HZ / steps[j] * sizes[i];

			limits_init(&limits, &spec, HZ, 0);
			if (offered < 2 * 12500000ull)
				continue;
			uint64_t bytes = passed_bytes(&limits, sizes[i], steps[j]);
			// Never over by more than the burst and one frame, never under by more than one percent.
			assert_in_range(bytes, 12500000 * 99 / 100, 12500000 + 10000 + sizes[i]);
		}
	}
}

// One token a second must not be lost to rounding, however often the bucket is looked at.
static void test_slow_rates_are_exact(void **state)
{
	struct wire_limits spec = {.flood_fps = 1, .flood_burst = 1};
	struct limits limits;
	uint32_t passed = 0;

	limits_init(&limits, &spec, HZ, 0);
	for (uint64_t now = 0; now < 100 * HZ; now += HZ / 1000 + 7)
		passed += limits_flood_pass(&limits, now);
	assert_in_range(passed, 99, 100);
}

static void test_burst_passes_at_once_and_no_more(void **state)
{
	struct wire_limits spec = {.tx_fps = 1000, .tx_frame_burst = 5};
	struct limits limits;

	limits_init(&limits, &spec, HZ, 0);
	for (int i = 0; i < 5; i++)
		assert_true(limits_tx_pass(&limits, 1, 60));
	assert_false(limits_tx_pass(&limits, 1, 60));
	assert_true(limits_tx_pass(&limits, 1 + HZ / 1000, 60));
	assert_false(limits_tx_pass(&limits, 1 + HZ / 1000, 60));
	// A long silence fills it to its burst, not beyond.
	for (int i = 0; i < 5; i++)
		assert_true(limits_tx_pass(&limits, 1000 * HZ, 60));
	assert_false(limits_tx_pass(&limits, 1000 * HZ, 60));
}

static void test_limits_are_changed(void **state)
{
	struct wire_limits spec = {.tx_fps = 1, .tx_frame_burst = 1, .rx_bps = 8, .flood_fps = 1};
	struct limits limits;

	limits_init(&limits, &spec, HZ, 0);
	assert_true(limits_tx_pass(&limits, 1, 60));
	assert_false(limits_tx_pass(&limits, 1, 60));
	assert_true(limits_are_on(&limits.has_rx));
	assert_true(limits_are_on(&limits.has_flood));
	limits_stop(&limits);
	assert_false(limits_are_on(&limits.has_rx));
	assert_false(limits_are_on(&limits.has_tx));
	assert_false(limits_are_on(&limits.has_flood));
	spec = (struct wire_limits){.tx_fps = 1, .tx_frame_burst = 2};
	limits_init(&limits, &spec, HZ, 1);
	assert_false(limits_are_on(&limits.has_rx));
	assert_false(limits_are_on(&limits.has_flood));
	assert_true(limits_are_on(&limits.has_tx));
	assert_true(limits_tx_pass(&limits, 1, 60));
	assert_true(limits_tx_pass(&limits, 1, 60));
	assert_false(limits_tx_pass(&limits, 1, 60));
}

// The debt of a burst that was taken is paid back before anything else is.
static void test_receive_allowance_pays_its_debt(void **state)
{
	struct wire_limits spec = {.rx_bps = 8000000, .rx_burst = 1000};
	struct limits limits;

	limits_init(&limits, &spec, HZ, 0);
	assert_true(limits.has_rx && !limits.has_tx && !limits.has_flood);
	assert_int_equal(limits_rx_allowance(&limits, 0, 32), 32);
	limits_rx_taken(&limits, 32, 48000);
	assert_int_equal(limits_rx_allowance(&limits, 1, 32), 0);
	// 47,000 bytes of debt at 1,000,000 a second.
	assert_int_equal(limits_rx_allowance(&limits, HZ / 1000 * 46, 32), 0);
	assert_int_equal(limits_rx_allowance(&limits, HZ / 1000 * 48, 32), 32);
}

static void test_receive_frames_are_counted_out(void **state)
{
	struct wire_limits spec = {.rx_fps = 1000, .rx_frame_burst = 10};
	struct limits limits;

	limits_init(&limits, &spec, HZ, 0);
	assert_int_equal(limits_rx_allowance(&limits, 0, 32), 10);
	limits_rx_taken(&limits, 10, 600);
	assert_int_equal(limits_rx_allowance(&limits, 0, 32), 0);
	assert_int_equal(limits_rx_allowance(&limits, HZ / 1000 * 3, 32), 3);
}

// CPUs' TSCs differ a little, and a worker may come with an older time than another one did.
static void test_time_that_goes_back_gives_nothing(void **state)
{
	struct wire_limits spec = {.tx_fps = 1000, .tx_frame_burst = 1};
	struct limits limits;

	limits_init(&limits, &spec, HZ, HZ);
	assert_true(limits_tx_pass(&limits, HZ, 60));
	assert_false(limits_tx_pass(&limits, 0, 60));
	assert_false(limits_tx_pass(&limits, HZ, 60));
	assert_true(limits_tx_pass(&limits, HZ + HZ / 1000, 60));
}

static void test_highest_rates_do_not_overflow(void **state)
{
	struct wire_limits spec = {
		.tx_bps = UINT64_MAX, .tx_burst = UINT64_MAX, .rx_fps = UINT64_MAX};
	struct limits limits;

	limits_init(&limits, &spec, HZ, 0);
	assert_true(limits_tx_pass(&limits, UINT64_MAX / 4, UINT32_MAX));
	assert_int_equal(limits_rx_allowance(&limits, UINT64_MAX / 4, 32), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits_a_second_hold_for_any_size_and_pace),
		cmocka_unit_test(test_slow_rates_are_exact),
		cmocka_unit_test(test_burst_passes_at_once_and_no_more),
		cmocka_unit_test(test_limits_are_changed),
		cmocka_unit_test(test_receive_allowance_pays_its_debt),
		cmocka_unit_test(test_receive_frames_are_counted_out),
		cmocka_unit_test(test_time_that_goes_back_gives_nothing),
		cmocka_unit_test(test_highest_rates_do_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
