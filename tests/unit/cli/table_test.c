// SPDX-License-Identifier: BSD-3-Clause
// Column widths and numbers for people.
#include "base/cleanup.h"
#include "cli/table.h"
#include "tests/lib/unit.h"

#include <string.h>

static char *print(const struct table *table)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	assert_int_equal(table_print(table, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_columns_fit_their_content(void **state)
{
	static const char *const titles[] = {"NAME", ">MTU", "LAST", NULL};
	_cleanup_table_ struct table *table = table_new(titles);
	table_add(table, "a-longer-name");
	table_addf(table, "%d", 1500);
	table_add(table, NULL);
	table_add(table, "b");
	table_addf(table, "%d", 65535);
	table_add(table, "x\ny\033[2J");
	_cleanup_free_ char *text = print(table);
	assert_string_equal(
		text,
		"NAME             MTU  LAST\n"
		"a-longer-name   1500  -\n"
		"b              65535  x?y?[2J\n"
	);
}

static void test_incomplete_row_is_left_out(void **state)
{
	static const char *const titles[] = {"A", "B", NULL};
	_cleanup_table_ struct table *table = table_new(titles);
	table_add(table, "half a row");
	_cleanup_free_ char *text = print(table);
	assert_string_equal(text, "A           B\n");
}

static void test_numbers(void **state)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {
		{0, "0"},	    {1, "1"},		{999, "999"},
		{9999, "9999"},	    {9999.4, "9999"},	{9999.5, "10.0k"},
		{10000, "10.0k"},   {12345, "12.3k"},	{99949, "99.9k"},
		{99950, "100k"},    {123456, "123k"},	{999499, "999k"},
		{999500, "1.00M"},  {1234567, "1.23M"}, {9994999, "9.99M"},
		{9995000, "10.0M"}, {1.5e9, "1.50G"},	{1.8446744073709552e19, "18.4E"},
		{1e15, "1.00P"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[HUMAN_SIZE];
		human_number(cases[i].number, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_fit_their_content),
		cmocka_unit_test(test_incomplete_row_is_left_out),
		cmocka_unit_test(test_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
