// SPDX-License-Identifier: BSD-3-Clause
// The command line of `ringway doctor`: which checks run, what is printed, how it ends. What a check says of a host is
// tested on hosts that are directories.
#include "base/cleanup.h"
#include "base/fields.h"
#include "tests/lib/unit.h"
#include "tests/unit/cli/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWITCH                                                                                  \
	{                                                                                       \
		"GET", "/v1/switch", 200,                                                       \
			"{\"state\":\"running\",\"program\":\"s 1\",\"pid\":8,\"spare_pid\":9}" \
	}

static const struct fake_reply healthy[] = {
	{"GET",
	 "/v1/version",
	 200,
	 "{\"version\":\"" RINGWAY_VERSION "\",\"api\":\"v1\",\"pid\":7}"},
	SWITCH,
	{"GET",
	 "/v1/networks",
	 200,
	 "{\"networks\":[{\"name\":\"n\",\"driver\":\"sriov\",\"vfs\":1}]}"},
	{"GET", "/v1/networks/n", 200, "{\"name\":\"n\",\"driver\":\"sriov\",\"functions\":[]}"},
	{0},
};

// Every request fails with 404.
static const struct fake_reply dead[] = {{0}};

static void test_lines(void **state)
{
	struct scene scene;
	scene_run(&scene, healthy, "doctor --for vhost switch ringwayd");
	_cleanup_free_ char *log = fake_server_log(scene.server);
	// In the order of the families, whatever the order of the words. A network with functions is asked for them.
	assert_string_equal(
		scene.shell.out,
		"on the host, for vhost:\n"
		"ok       ringwayd            " RINGWAY_VERSION ", API v1, process 7\n"
		"ok       switch              s 1, process 8; a spare is ready\n"
		"2 checks: 2 ok\n"
	);
	assert_string_equal(
		log, "GET /v1/version\nGET /v1/switch\nGET /v1/networks\nGET /v1/networks/n\n"
	);
	assert_int_equal(scene.shell.status, 0);
	scene_close(&scene);
}

static json_t *run_json(struct scene *scene, const struct fake_reply *replies, const char *line)
{
	scene_run(scene, replies, line);
	json_t *answer = json_loads(scene->shell.out, 0, NULL);
	assert_non_null(answer);
	return answer;
}

static void test_json(void **state)
{
	struct scene scene;
	_cleanup_json_ json_t *answer =
		run_json(&scene, healthy, "doctor --json --for kernel,uplink ringwayd");
	json_t *checks = json_object_get(answer, "checks");
	json_t *check = json_array_get(checks, 0);
	assert_int_equal(scene.shell.status, 0);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(answer, "place")), "host");
	_cleanup_free_ char *uses = json_dumps(json_object_get(answer, "for"), JSON_COMPACT);
	assert_string_equal(uses, "[\"kernel\",\"uplink\"]");
	assert_int_equal(json_array_size(checks), 1);
	assert_string_equal(json_string_value(json_object_get(check, "id")), "ringwayd");
	assert_string_equal(json_string_value(json_object_get(check, "status")), "ok");
	assert_true(json_is_array(json_object_get(check, "advice")));
	scene_close(&scene);
}

static void test_missing_fails(void **state)
{
	struct scene scene;
	_cleanup_json_ json_t *answer = run_json(&scene, dead, "doctor ringwayd --json");
	json_t *check = json_array_get(json_object_get(answer, "checks"), 0);
	assert_int_equal(scene.shell.status, 1);
	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(check, "status")), "missing");
	assert_int_equal(json_array_size(json_object_get(check, "advice")), 1);
	shell_run(&scene.shell, "doctor --run-dir /nowhere-at-all switch");
	assert_int_equal(scene.shell.status, 0); // Not seen is not missing.
	scene_close(&scene);
}

// All checks, on whatever host this is: each says something, and the numbers add up.
static void test_all(void **state)
{
	struct scene scene;
	size_t i;
	json_t *check;
	bool missing = false;
	_cleanup_json_ json_t *answer = run_json(&scene, healthy, "doctor --json --for all");
	json_t *checks = json_object_get(answer, "checks");
	assert_true(json_array_size(checks) > 15);
	json_array_foreach(checks, i, check)
	{
		assert_true(json_string_length(json_object_get(check, "seen")) > 0);
		assert_true(json_string_length(json_object_get(check, "title")) > 0);
		missing |=
			strcmp(json_string_value(json_object_get(check, "status")), "missing") == 0;
	}
	assert_int_equal(scene.shell.status, missing);
	assert_int_equal(json_is_true(json_object_get(answer, "ok")), !missing);
	scene_close(&scene);
}

static void test_usage(void **state)
{
	static const char *const wrong[] = {
		"doctor nonsense",
		"doctor --for cars",
		"doctor --for vhost,",
		"doctor --nonsense",
		"doctor --for",
		"doctor ''",
	};
	struct shell shell = {0};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		shell_run(&shell, wrong[i]);
		assert_int_equal(shell.status, 2);
		assert_string_equal(shell.out, "");
		assert_non_null(strstr(shell.err, "ringway doctor: "));
	}
	shell_fini(&shell);
}

static void test_list(void **state)
{
	struct shell shell = {0};
	shell_run(&shell, "doctor --list");
	assert_int_equal(shell.status, 0);
	assert_non_null(strstr(shell.out, "hugepages  "));
	assert_non_null(strstr(shell.out, "place                in a container: "));
	shell_fini(&shell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_missing_fails),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
