// SPDX-License-Identifier: BSD-3-Clause
// Ranges of a stream against a map of all its bytes.
#include "tests/lib/unit.h"
#include "tests/tools/tcp_ranges.h"

#include <stdlib.h>
#include <string.h>

#define MAP_SIZE 400u

static void check_ranges(const struct tcp_ranges *ranges, const uint8_t *has)
{
	uint32_t at = 0;

	while (has[at])
		at++;
	assert_int_equal(ranges->next, at);
	for (uint32_t i = 0; i < ranges->count; i++) {
		for (; at < ranges->range[i].from; at++)
			assert_false(has[at]);
		for (; at < ranges->range[i].to; at++)
			assert_true(has[at]);
	}
	for (; at < MAP_SIZE; at++)
		assert_false(has[at]);
}

static void add_any(struct tcp_ranges *ranges, uint8_t *has, uint32_t most)
{
	uint32_t from = (uint32_t)random() % (MAP_SIZE - 30);
	uint32_t to = from + (uint32_t)random() % most;

	if (tcp_ranges_add(ranges, from, to))
		memset(has + from, 1, to - from);
	else
		assert_int_equal(ranges->count, TCP_RANGES_MAX);
	check_ranges(ranges, has);
}

static void test_any_ranges(void **state)
{
	for (uint32_t round = 0; round < 2000; round++) {
		struct tcp_ranges ranges = {0};
		uint8_t has[MAP_SIZE] = {0};
		uint32_t most = 1 + (uint32_t)random() % 30;
		for (uint32_t i = 0; i < 100; i++)
			add_any(&ranges, has, most);
	}
}

// One more range than there is place for changes nothing; one that touches another needs none.
static void test_no_place(void **state)
{
	struct tcp_ranges ranges = {0};

	for (uint64_t i = 1; i <= TCP_RANGES_MAX; i++)
		assert_true(tcp_ranges_add(&ranges, 10 * i, 10 * i + 1));
	assert_false(tcp_ranges_add(&ranges, 5, 6));
	assert_true(tcp_ranges_add(&ranges, 11, 20));
	assert_int_equal(ranges.count, TCP_RANGES_MAX - 1);
	assert_true(tcp_ranges_add(&ranges, 5, 6));
	assert_true(tcp_ranges_add(&ranges, 0, 1000));
	assert_int_equal(ranges.count, 0);
	assert_int_equal(ranges.next, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_ranges),
		cmocka_unit_test(test_no_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
