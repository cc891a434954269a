// SPDX-License-Identifier: BSD-3-Clause
// Lists of words and their quoting, for shells (tried with a real one) and for docker.
#include "base/cleanup.h"
#include "cli/strv.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

static void test_lists(void **state)
{
	_cleanup_strv_ struct strv v = {0};
	_cleanup_strv_ struct strv more = {0};
	strv_append(&v, "fir");
	strv_append(&v, "st");
	strv_addf(&v, "%d+%d", 1, 2);
	strv_add(&more, "x");
	strv_add_all(&v, &more);
	assert_int_equal(v.count, 3);
	assert_string_equal(v.items[0], "first");
	assert_string_equal(v.items[1], "1+2");
	assert_string_equal(v.items[2], "x");
	assert_null(v.items[3]);
	assert_false(v.failed);
}

static void test_shell_words(void **state)
{
	static const struct {
		const char *word;
		const char *quoted;
	} cases[] = {
		{"plain", "plain"},
		{"", "''"},
		{"a b", "'a b'"},
		{"it's", "'it'\\''s'"},
		{"$HOME", "'$HOME'"},
		{"type=bind,source=/a", "type=bind,source=/a"},
		{"\"", "'\"'"},
		{"*", "'*'"},
		{"~", "'~'"},
		{"a\nb", "'a\nb'"},
		{"\xc3\xa4", "'\xc3\xa4'"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strv_ struct strv v = {0};
		strv_add(&v, cases[i].word);
		_cleanup_free_ char *text = strv_quote(&v);
		assert_string_equal(text, cases[i].quoted);
	}
}

static void test_a_shell_reads_the_same_words(void **state)
{
	static const char *const words[] = {"a b", "", "it's", "$x `y` \\", "tab\there", "#", "!"};
	_cleanup_strv_ struct strv v = {0};
	char expected[256] = "";
	char said[256] = "";
	strv_add(&v, "printf");
	strv_add(&v, "[%s]");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t used = strlen(expected);
		strv_add(&v, words[i]);
		(void)snprintf(expected + used, sizeof(expected) - used, "[%s]", words[i]);
	}
	_cleanup_free_ char *command = strv_quote(&v);
	FILE *shell = popen(command, "re");
	assert_non_null(shell);
	size_t size = fread(said, 1, sizeof(said) - 1, shell);
	said[size] = '\0';
	assert_int_equal(pclose(shell), 0);
	assert_string_equal(said, expected);
}

static void test_csv(void **state)
{
	_cleanup_strv_ struct strv v = {0};
	strv_add(&v, "name=fast");
	strv_add(&v, "driver-opt=k=a,b");
	strv_add(&v, "driver-opt=q=say \"hi\"");
	strv_add(&v, " space");
	_cleanup_free_ char *text = strv_csv(&v);
	assert_string_equal(
		text, "name=fast,\"driver-opt=k=a,b\",\"driver-opt=q=say \"\"hi\"\"\",\" space\""
	);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_shell_words),
		cmocka_unit_test(test_a_shell_reads_the_same_words),
		cmocka_unit_test(test_csv),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
