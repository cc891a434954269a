// SPDX-License-Identifier: BSD-3-Clause
// Other programs: what they read, what they wrote, how they end, and what they do not inherit.
#include "base/cleanup.h"
#include "daemon/firewall/command.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define RUN_MS 20000

static int shell(
	const char *line,
	const char *input,
	int timeout_ms,
	char **ret,
	struct rwy_err *err
)
{
	const char *const argv[] = {"/bin/sh", "-c", line, NULL};
	return command_run(argv, input, timeout_ms, ret, err);
}

static void test_through(void **state)
{
	_cleanup_free_ char *input = malloc(1 << 20);
	assert_non_null(input);
	// More than any pipe holds.
	memset(input, 'x', (1 << 20) - 1);
	input[(1 << 20) - 1] = '\0';
	_cleanup_free_ char *output = NULL;
	struct rwy_err err = {0};
	assert_int_equal(shell("cat; echo more >&2", input, RUN_MS, &output, &err), 0);
	assert_string_equal(output, input);
	_cleanup_free_ char *nothing = NULL;
	assert_int_equal(shell("cat", NULL, RUN_MS, &nothing, &err), 0);
	assert_string_equal(nothing, "");
}

static void test_failure(void **state)
{
	char *output = NULL;
	struct rwy_err err = {0};
	assert_int_equal(
		shell("echo no rule >&2; echo more >&2; exit 4", NULL, RUN_MS, &output, &err), -EIO
	);
	assert_string_equal(err.msg, "/bin/sh failed: no rule");
	assert_int_equal(shell("kill -9 $$", NULL, RUN_MS, &output, &err), -EIO);
	const char *const missing[] = {"/nonexistent/program", NULL};
	assert_int_equal(command_run(missing, NULL, RUN_MS, &output, &err), -ENOENT);
	assert_null(output);
}

static void test_timeout(void **state)
{
	char *output = NULL;
	struct rwy_err err = {0};
	assert_int_equal(shell("exec sleep 600", NULL, 50, &output, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.msg, "/bin/sh: "));
	assert_null(output);
}

static void test_inherits_nothing(void **state)
{
	// On purpose without close-on-exec.
	_cleanup_close_ int fd = fcntl(0, F_DUPFD, 100);
	assert_true(fd >= 100);
	_cleanup_free_ char *output = NULL;
	struct rwy_err err = {0};
	assert_int_equal(
		shell("echo \"$HOME.\"; exec ls /proc/self/fd", NULL, RUN_MS, &output, &err), 0
	);
	// The last one is of the directory that is listed.
	assert_string_equal(output, ".\n0\n1\n2\n3\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_through),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_inherits_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
