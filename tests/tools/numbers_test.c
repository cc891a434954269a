// SPDX-License-Identifier: BSD-3-Clause
// The count of numbered frames: gaps, repeats, late ones, and a window that moves on.
#include "tests/lib/unit.h"
#include "tests/tools/numbers.h"

static void test_in_order(void **state)
{
	struct numbers n = {.sent = 3 * NUMBERS_WINDOW};
	for (uint64_t i = 0; i < 2 * NUMBERS_WINDOW; i++)
		numbers_note(&n, i);
	assert_int_equal(n.received, 2 * NUMBERS_WINDOW);
	assert_int_equal(numbers_missing(&n), 0);
	assert_int_equal(numbers_ahead(&n), NUMBERS_WINDOW);
	assert_int_equal(n.duplicated + n.misordered + n.beyond, 0);
}

static void test_a_burst_twice(void **state)
{
	struct numbers n = {.sent = 100};
	for (uint64_t i = 0; i < 64; i++)
		numbers_note(&n, i);
	for (uint64_t i = 32; i < 100; i++)
		numbers_note(&n, i);
	assert_int_equal(n.received, 100);
	assert_int_equal(n.duplicated, 32);
	assert_int_equal(n.misordered, 0);
	assert_int_equal(numbers_missing(&n), 0);
}

static void test_missing_and_late(void **state)
{
	struct numbers n = {.sent = 20};
	numbers_note(&n, 0);
	numbers_note(&n, 10);
	assert_int_equal(numbers_missing(&n), 9);
	numbers_note(&n, 5);
	assert_int_equal(n.misordered, 1);
	assert_int_equal(numbers_missing(&n), 8);
	numbers_note(&n, 5);
	assert_int_equal(n.duplicated, 1);
	assert_int_equal(numbers_missing(&n), 8);
	assert_int_equal(numbers_ahead(&n), 9);
}

static void test_numbers_that_cannot_be(void **state)
{
	struct numbers n = {.sent = 4 * NUMBERS_WINDOW};
	numbers_note(&n, 4 * NUMBERS_WINDOW);
	assert_int_equal(n.beyond, 1);
	numbers_note(&n, 3 * NUMBERS_WINDOW);
	numbers_note(&n, 7);
	assert_int_equal(n.beyond, 2);
	assert_int_equal(n.received, 1);
	assert_int_equal(n.misordered, 0);
}

// What stood in a slot before the window moved over it is not taken for the number that stands there now.
static void test_slots_are_used_again(void **state)
{
	struct numbers n = {.sent = 8 * NUMBERS_WINDOW};
	numbers_note(&n, 1);
	numbers_note(&n, NUMBERS_WINDOW + 5);
	numbers_note(&n, NUMBERS_WINDOW + 1);
	assert_int_equal(n.duplicated, 0);
	assert_int_equal(n.misordered, 1);
	numbers_note(&n, 2);
	numbers_note(&n, 5 * NUMBERS_WINDOW + 3);
	numbers_note(&n, 5 * NUMBERS_WINDOW + 1);
	numbers_note(&n, 4 * NUMBERS_WINDOW + 100);
	assert_int_equal(n.duplicated, 0);
	assert_int_equal(n.received, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_a_burst_twice),
		cmocka_unit_test(test_missing_and_late),
		cmocka_unit_test(test_numbers_that_cannot_be),
		cmocka_unit_test(test_slots_are_used_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
