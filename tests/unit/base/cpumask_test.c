// SPDX-License-Identifier: BSD-3-Clause
// Lists of CPUs.
#include "base/cpumask.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

static void test_lists(void **state)
{
	static const struct {
		const char *text;
		uint64_t mask;
		const char *again;
	} cases[] = {
		{"", 0, ""},
		{"0", 1, "0"},
		{"0-3", 0xf, "0-3"},
		{"1,4-5,63", 1ULL << 63 | 0x32, "1,4-5,63"},
		{"0-63", UINT64_MAX, "0-63"},
		{"62-200", 3ULL << 62, "62-63"},
		{"64,8191", 0, ""},
		{"2,1,2", 6, "1-2"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t mask = 77;
		char text[CPUMASK_TEXT_SIZE];
		assert_int_equal(cpumask_parse(cases[i].text, &mask, NULL), 0);
		assert_true(mask == cases[i].mask);
		cpumask_format(mask, text);
		assert_string_equal(text, cases[i].again);
	}
}

static void test_longest(void **state)
{
	char text[CPUMASK_TEXT_SIZE];
	uint64_t mask = 0;
	cpumask_format(0xaaaaaaaaaaaaaaaaULL, text);
	assert_int_equal(cpumask_parse(text, &mask, NULL), 0);
	assert_true(mask == 0xaaaaaaaaaaaaaaaaULL);
	cpumask_format(0xdb6db6db6db6db6dULL, text);
	assert_int_equal(cpumask_parse(text, &mask, NULL), 0);
	assert_true(mask == 0xdb6db6db6db6db6dULL);
}

static void test_refusals(void **state)
{
	static const char *const cases[] = {
		"x", "1-", "-1", "3-1", "1,", ",1", "1,,2", "1 2", "8192", "99999999999", "1-2-3"};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t mask = 77;
		struct rwy_err err = {0};
		if (cpumask_parse(cases[i], &mask, &err) != -EINVAL || mask != 77)
			fail_msg("'%s' was read", cases[i]);
		assert_non_null(strstr(err.msg, cases[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
