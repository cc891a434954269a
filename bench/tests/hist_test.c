// SPDX-License-Identifier: BSD-3-Clause
#include "bench/gen/hist.h"
#include "tests/lib/unit.h"

#include <string.h>

static void buckets_join_without_a_gap(void **state)
{
	for (unsigned int i = 0; i + 1 < HIST_BUCKETS; i++) {
		uint64_t end = hist_bucket_end(i);
		assert_int_equal(hist_bucket(end), i);
		assert_int_equal(hist_bucket(end + 1), i + 1);
	}
	assert_int_equal(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
	assert_true(hist_bucket_end(HIST_BUCKETS - 1) == UINT64_MAX);
}

static void buckets_are_narrow(void **state)
{
	for (unsigned int i = HIST_STEPS; i + 1 < HIST_BUCKETS; i++) {
		uint64_t end = hist_bucket_end(i);
		uint64_t width = end - hist_bucket_end(i - 1);
		assert_true(width <= end / HIST_STEPS + 1);
	}
}

static void percentiles_of_a_row(void **state)
{
	static struct hist hist;

	memset(&hist, 0, sizeof(hist));
	assert_int_equal(hist_percentile(&hist, 0.5), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		hist_add(&hist, i);
	assert_int_equal(hist.least, 1);
	assert_int_equal(hist.most, 1000);
	assert_int_equal(hist.sum, 500500);
	assert_in_range(hist_percentile(&hist, 0.5), 500, 508);
	assert_in_range(hist_percentile(&hist, 0.99), 990, 1000);
	assert_int_equal(hist_percentile(&hist, 1), 1000);
	assert_int_equal(hist_percentile(&hist, 0), 1);
}

static void small_values_are_exact(void **state)
{
	static struct hist hist;

	memset(&hist, 0, sizeof(hist));
	hist_add(&hist, 7);
	hist_add(&hist, 7);
	hist_add(&hist, 90);
	assert_int_equal(hist_percentile(&hist, 0.5), 7);
	assert_int_equal(hist_percentile(&hist, 0.99), 90);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_join_without_a_gap),
		cmocka_unit_test(buckets_are_narrow),
		cmocka_unit_test(percentiles_of_a_row),
		cmocka_unit_test(small_values_are_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
