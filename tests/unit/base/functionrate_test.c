// SPDX-License-Identifier: BSD-3-Clause
// Rates of functions as text.
#include "base/functionrate.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

static void test_texts(void **state)
{
	static const struct {
		const char *text;
		int32_t min, max;
		const char *again;
	} cases[] = {
		{"1G", -1, 1000, "max:1000M"},
		{"max:2.5Gbit", -1, 2500, "max:2500M"},
		{"min:100M max:1G", 100, 1000, "min:100M max:1000M"},
		{"MAX:1g,Min:5mbit", 5, 1000, "min:5M max:1000M"},
		{"1", -1, 1, "max:1M"},
		{"1000001", -1, 2, "max:2M"},
		{"none", -1, 0, "max:none"},
		{"min:none none", 0, 0, "min:none max:none"},
		{"10T", -1, 10000000, "max:10000000M"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct function_rate rate = FUNCTION_RATE_NONE;
		struct function_rate again = FUNCTION_RATE_NONE;
		char text[FUNCTION_RATE_TEXT_SIZE];
		assert_int_equal(function_rate_parse(cases[i].text, &rate, NULL), 0);
		assert_int_equal(rate.min, cases[i].min);
		assert_int_equal(rate.max, cases[i].max);
		function_rate_format(&rate, text);
		assert_string_equal(text, cases[i].again);
		assert_int_equal(function_rate_parse(text, &again, NULL), 0);
		assert_memory_equal(&again, &rate, sizeof(rate));
	}
	char text[FUNCTION_RATE_TEXT_SIZE];
	function_rate_format(&(struct function_rate)FUNCTION_RATE_NONE, text);
	assert_string_equal(text, "");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"", "malformed"},
		{" ", "malformed"},
		{"fast", "'fast' is malformed"},
		{"min:", "malformed"},
		{"rx:1G", "malformed"},
		{"min:max:1G", "malformed"},
		{"50kfps", "malformed"},
		{"-1", "malformed"},
		{"11T", "malformed"},
		{"1G max:2G", "again"},
		{"0123456789012345678901234567890123456789012345678901234567890123456789",
		 "malform"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct function_rate rate = FUNCTION_RATE_NONE;
		struct rwy_err err = {0};
		if (function_rate_parse(cases[i].text, &rate, &err) != -EINVAL ||
		    !strstr(err.msg, cases[i].said))
			fail_msg("'%s': '%s'", cases[i].text, err.msg);
		assert_int_equal(rate.min, -1);
		assert_int_equal(rate.max, -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
