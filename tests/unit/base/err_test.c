// SPDX-License-Identifier: BSD-3-Clause
// Errors keep one line, their code, and survive being their own argument.
#include "base/err.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

static void test_set_returns_code(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(err_set(&err, -EBUSY, "port '%s'", "a"), -EBUSY);
	assert_string_equal(err.msg, "port 'a'");
	assert_int_equal(err_set(NULL, -EIO, "nobody listens"), -EIO);
}

static void test_prefix_keeps_code_and_hint(void **state)
{
	struct rwy_err err = {0};
	(void)err_set(&err, -ENOENT, "no such file");
	(void)err_hint(&err, "create it");
	assert_int_equal(err_prefix(&err, "cannot open '%s': ", "x"), -ENOENT);
	assert_string_equal(err.msg, "cannot open 'x': no such file");
	assert_string_equal(err.hint, "create it");
}

static void test_control_characters_become_spaces(void **state)
{
	struct rwy_err err = {0};
	(void)err_set(&err, -EINVAL, "name 'a\nringwayd: error: forged'");
	assert_null(strchr(err.msg, '\n'));
}

static void test_own_message_as_argument(void **state)
{
	struct rwy_err err = {0};
	(void)err_set(&err, -EINVAL, "inner");
	(void)err_set(&err, -EIO, "outer: %s", err.msg);
	assert_string_equal(err.msg, "outer: inner");
}

static void test_long_message_is_cut(void **state)
{
	struct rwy_err err = {0};
	(void)err_set(&err, -EINVAL, "%0*d", 2 * ERR_MSG_SIZE, 7);
	assert_int_equal(strlen(err.msg), ERR_MSG_SIZE - 1);
}

static void test_strip(void **state)
{
	struct rwy_err err = {0};
	err_set(&err, -ENODEV, "there is no '%s'", "x");
	err_prefix(&err, "cannot add '%s': ", "a");
	assert_int_equal(err_strip(&err, "cannot add '%s': ", "b"), -ENODEV);
	assert_string_equal(err.msg, "cannot add 'a': there is no 'x'");
	assert_int_equal(err_strip(&err, "cannot add '%s': ", "a"), -ENODEV);
	assert_string_equal(err.msg, "there is no 'x'");
	assert_int_equal(err_strip(&err, "there is no 'x' anywhere"), -ENODEV);
	assert_string_equal(err.msg, "there is no 'x'");
	assert_int_equal(err_strip(NULL, "a"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_returns_code),
		cmocka_unit_test(test_prefix_keeps_code_and_hint),
		cmocka_unit_test(test_control_characters_become_spaces),
		cmocka_unit_test(test_own_message_as_argument),
		cmocka_unit_test(test_long_message_is_cut),
		cmocka_unit_test(test_strip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
