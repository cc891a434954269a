// SPDX-License-Identifier: BSD-3-Clause
// What the commands about the switch ask ringwayd, and how they show its answers.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/cli/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_show(void **state)
{
	static const struct fake_reply replies[] = {
		{"GET",
		 "/v1/switch",
		 200,
		 "{\"state\":\"running\",\"pid\":815,\"spare_pid\":816,\"program\":\"ringway-switch 9.9\","
		 "\"path\":\"/usr/libexec/ringway/ringway-switch\",\"restarts\":2,\"handovers\":7,"
		 "\"last_gap_us\":1204,\"last_end\":\"pid 700: killed by signal 9\"}"},
		{0},
	};
	static const char shown[] = "switch     running, pid 815, ringway-switch 9.9\n"
				    "binary     /usr/libexec/ringway/ringway-switch\n"
				    "spare      ready, pid 816\n"
				    "restarts   2\n"
				    "handovers  7\n"
				    "last gap   1.204 ms\n"
				    "last end   pid 700: killed by signal 9\n";
	expect(replies, "switch", 0, shown, "GET /v1/switch\n");
	expect(replies, "switch inspect", 0, shown, "GET /v1/switch\n");
}

static void test_show_of_little(void **state)
{
	static const struct fake_reply replies[] = {
		{"GET",
		 "/v1/switch",
		 200,
		 "{\"state\":\"stopped\",\"spare_wanted\":false,\"restarts\":0,\"handovers\":0}"},
		{0},
	};
	expect(replies,
	       "switch",
	       0,
	       "switch     stopped\n"
	       "spare      none: turned off\n"
	       "restarts   0\n"
	       "handovers  0\n",
	       "GET /v1/switch\n");
	expect(replies,
	       "switch --json",
	       0,
	       "{\n  \"state\": \"stopped\",\n  \"spare_wanted\": false,\n  \"restarts\": 0,\n  \"handovers\": 0\n}\n",
	       "GET /v1/switch\n");
}

static void test_restart(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/switch/restart", 200, "{\"pid\":816,\"gap_us\":950,\"ports\":3}"},
		{0},
	};
	expect(replies,
	       "switch restart",
	       0,
	       "pid 816, gap 0.950 ms\n",
	       "POST /v1/switch/restart {}\n");
	expect(replies,
	       "switch upgrade /opt/ringway-switch",
	       0,
	       "pid 816, gap 0.950 ms\n",
	       "POST /v1/switch/restart {\"path\":\"/opt/ringway-switch\"}\n");
	expect(replies,
	       "switch restart --json",
	       0,
	       "{\n  \"pid\": 816,\n  \"gap_us\": 950,\n  \"ports\": 3\n}\n",
	       "POST /v1/switch/restart {}\n");
}

// ringwayd has another working directory.
static void test_path_is_made_absolute(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/switch/restart", 200, "{\"pid\":1,\"gap_us\":1}"},
		{0},
	};
	_cleanup_free_ char *here = getcwd(NULL, 0);
	_cleanup_free_ char *asked = NULL;
	assert_true(
		asprintf(&asked, "POST /v1/switch/restart {\"path\":\"%s/build/sw\"}\n", here) > 0
	);
	expect(replies, "switch upgrade build/sw", 0, "pid 1, gap 0.001 ms\n", asked);
}

static void test_failure_is_one_line(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST",
		 "/v1/switch/restart",
		 503,
		 "{\"error\":{\"code\":\"unavailable\",\"message\":\"cannot hand the ports over: no spare "
		 "became ready\",\"hint\":\"see its log\"}}"},
		{0},
	};
	struct scene scene;
	scene_run(&scene, replies, "switch upgrade /bin/true");
	assert_int_equal(scene.shell.status, 1);
	assert_string_equal(scene.shell.out, "");
	assert_string_equal(
		scene.shell.err,
		"ringway: cannot hand the ports over: no spare became ready (see its log)\n"
	);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_show_of_little),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_path_is_made_absolute),
		cmocka_unit_test(test_failure_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
