// SPDX-License-Identifier: BSD-3-Clause
// Docker's commands for given plans and command lines.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/docker.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MAX 40

static const char plan_text[] =
	"{\"key\":\"00aa\",\"image_present\":true,\"mounts\":["
	"{\"source\":\"/run/ringway/ports/00aa\",\"target\":\"/run/ringway\",\"read_only\":true},"
	"{\"source\":\"/a, b\",\"target\":\"/c\"}],"
	"\"env\":{\"LD_PRELOAD\":\"/run/ringway-preload.so\",\"RINGWAY_EAL_ARGS\":\"--no-pci -m 64\"},"
	"\"labels\":{\"ringway.key\":\"00aa\"},"
	"\"networks\":["
	"{\"network\":\"fast\",\"ip\":\"10.0.0.9\",\"driver_opts\":{\"ringway.attach\":\"vhost\","
	"\"ringway.key\":\"00aa\",\"ringway.index\":\"0\"}},"
	"{\"network\":\"slow\",\"driver_opts\":{\"ringway.attach\":\"vhost\",\"ringway.key\":\"00aa\","
	"\"ringway.index\":\"1\",\"ringway.odd\":\"a,b\"}}]}";

struct sample {
	char *text;
	char *words[WORDS_MAX];
	struct run_line line;
	json_t *plan;
	struct rwy_err err;
	struct strv command;
};

static void sample_open(struct sample *sample, const char *line, const char *plan)
{
	size_t count = 0;
	*sample = (struct sample){.text = strdup(line), .plan = json_loads(plan, 0, NULL)};
	assert_non_null(sample->plan);
	for (char *word = strtok(sample->text, " "); word; word = strtok(NULL, " "))
		sample->words[count++] = word;
	assert_int_equal(run_line_parse(&sample->line, sample->words, &sample->err), 0);
}

static void sample_close(struct sample *sample)
{
	strv_fini(&sample->command);
	run_line_fini(&sample->line);
	json_decref(sample->plan);
	free(sample->text);
}

static void assert_command(struct sample *sample, const char *expected)
{
	_cleanup_free_ char *text = strv_quote(&sample->command);
	assert_string_equal(text, expected);
}

static void test_run(void **state)
{
	struct sample s;
	sample_open(&s, "--network fast -itd --name gen img sh -c x", plan_text);
	assert_int_equal(docker_run_command(&s.line, s.plan, false, &s.command, &s.err), 0);
	assert_command(
		&s,
		"docker run -itd --name gen "
		"--mount type=bind,source=/run/ringway/ports/00aa,target=/run/ringway,readonly "
		"--mount 'type=bind,\"source=/a, b\",target=/c' "
		"--env 'RINGWAY_EAL_ARGS=--no-pci -m 64' --env LD_PRELOAD=/run/ringway-preload.so "
		"--label ringway.key=00aa "
		"--network name=fast,driver-opt=ringway.attach=vhost,driver-opt=ringway.key=00aa,"
		"driver-opt=ringway.index=0 --ip 10.0.0.9 img sh -c x"
	);
	sample_close(&s);
}

#define VFIO                                                                        \
	"{\"devices\":[{\"path\":\"/dev/vfio/vfio\",\"permissions\":\"rwm\"},"      \
	"{\"path\":\"/dev/vfio/12\"},{\"path\":\"/dev/x\",\"permissions\":\"r\"}]," \
	"\"ulimits\":{\"memlock\":805306368},\"networks\":[{\"network\":\"cards\"}]}"

static void test_devices_and_limits(void **state)
{
	static const char devices[] =
		"--device /dev/vfio/vfio --device /dev/vfio/12 --device /dev/x:/dev/x:r ";
	struct sample s;
	char expected[512];
	sample_open(&s, "--network cards img", VFIO);
	assert_int_equal(docker_run_command(&s.line, s.plan, false, &s.command, &s.err), 0);
	(void)snprintf(
		expected,
		sizeof(expected),
		"docker run %s--ulimit memlock=805306368:805306368 --network name=cards img",
		devices
	);
	assert_command(&s, expected);
	sample_close(&s);
	sample_open(&s, "--network cards --ulimit memlock=-1 img", VFIO);
	assert_int_equal(docker_run_command(&s.line, s.plan, true, &s.command, &s.err), 0);
	(void)snprintf(
		expected,
		sizeof(expected),
		"docker create --ulimit memlock=-1 %s--network name=cards img",
		devices
	);
	assert_command(&s, expected);
	sample_close(&s);
}

static void test_users_preload_comes_second(void **state)
{
	struct sample s;
	sample_open(&s, "--network fast -e LD_PRELOAD=/mine.so:/too.so img", plan_text);
	assert_int_equal(docker_run_command(&s.line, s.plan, false, &s.command, &s.err), 0);
	_cleanup_free_ char *text = strv_quote(&s.command);
	assert_non_null(strstr(text, " --env LD_PRELOAD=/run/ringway-preload.so:/mine.so:/too.so ")
	);
	assert_null(strstr(text, " -e "));
	sample_close(&s);
}

static void test_users_preload_alone(void **state)
{
	struct sample s;
	sample_open(
		&s,
		"--network fast -e LD_PRELOAD=/mine.so img",
		"{\"networks\":[{\"network\":\"fast\"}]}"
	);
	assert_int_equal(docker_run_command(&s.line, s.plan, false, &s.command, &s.err), 0);
	assert_command(&s, "docker run --env LD_PRELOAD=/mine.so --network name=fast img");
	sample_close(&s);
}

static void test_users_driver_options_come_first(void **state)
{
	struct sample s;
	sample_open(&s, "--network fast,driver-opt=k=v,alias=db -- -img", plan_text);
	assert_int_equal(docker_run_command(&s.line, s.plan, false, &s.command, &s.err), 0);
	_cleanup_free_ char *text = strv_quote(&s.command);
	assert_non_null(
		strstr(text, "name=fast,alias=db,driver-opt=k=v,driver-opt=ringway.attach=vhost,")
	);
	assert_non_null(strstr(text, " -- -img"));
	sample_close(&s);
}

static void test_several_networks(void **state)
{
	struct sample s;
	sample_open(
		&s,
		"--network fast --network slow,alias=x,driver-opt=k=v,ip=10.1.0.2 --rm -dit img",
		plan_text
	);
	assert_int_equal(docker_run_command(&s.line, s.plan, true, &s.command, &s.err), 0);
	_cleanup_free_ char *text = strv_quote(&s.command);
	assert_memory_equal(text, "docker create --rm -it --mount ", 31);
	strv_fini(&s.command);
	assert_int_equal(docker_connect_command(&s.line, s.plan, 1, &s.command, &s.err), 0);
	assert_command(
		&s,
		"docker network connect --alias=x --driver-opt=k=v --driver-opt=ringway.attach=vhost "
		"--driver-opt=ringway.key=00aa --driver-opt=ringway.index=1 "
		"'--driver-opt=\"ringway.odd=a,b\"' slow"
	);
	sample_close(&s);
}

static void test_start_attaches_as_asked(void **state)
{
	static const struct {
		const char *line;
		const char *command;
	} cases[] = {
		{"--network a img", "docker start -a"},
		{"--network a -i img", "docker start -ai"},
		{"--network a -t img", "docker start -a"},
		{"--network a -itd img", "docker start"},
		{"--network a -it --detach-keys ctrl-x img",
		 "docker start --detach-keys=ctrl-x -ai"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sample s;
		sample_open(&s, cases[i].line, plan_text);
		docker_start_command(&s.line, &s.command);
		assert_command(&s, cases[i].command);
		sample_close(&s);
	}
}

static void test_pull(void **state)
{
	struct sample s;
	sample_open(&s, "--network a --platform linux/arm64 img:1", plan_text);
	docker_pull_command(&s.line, &s.command);
	assert_command(&s, "docker pull -q --platform=linux/arm64 -- img:1");
	sample_close(&s);
}

static void test_program(void **state)
{
	assert_string_equal(docker_program(), "docker");
	assert_int_equal(setenv("RINGWAY_DOCKER", "/usr/bin/docker", 1), 0);
	assert_string_equal(docker_program(), "/usr/bin/docker");
	assert_int_equal(setenv("RINGWAY_DOCKER", "", 1), 0);
	assert_string_equal(docker_program(), "docker");
	assert_int_equal(unsetenv("RINGWAY_DOCKER"), 0);
}

static void test_plans_that_lack_something(void **state)
{
	static const char *const plans[] = {
		"{}",
		"{\"networks\":[]}",
		"{\"networks\":[{}]}",
		"{\"networks\":[{\"network\":\"a\",\"driver_opts\":{\"k\":7}}]}",
		"{\"mounts\":[{\"source\":\"/a\"}],\"networks\":[{\"network\":\"a\"}]}",
		"{\"env\":{\"A\":1},\"networks\":[{\"network\":\"a\"}]}",
		"{\"devices\":[{}],\"networks\":[{\"network\":\"a\"}]}",
		"{\"ulimits\":{\"memlock\":\"1\"},\"networks\":[{\"network\":\"a\"}]}",
		"{\"labels\":{\"a\":null},\"networks\":[{\"network\":\"a\"}]}",
	};
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct sample s;
		sample_open(&s, "--network a img", plans[i]);
		int r = docker_run_command(&s.line, s.plan, false, &s.command, &s.err);
		assert_int_equal(r, -EPROTO);
		assert_non_null(strstr(s.err.msg, "lacks"));
		sample_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_devices_and_limits),
		cmocka_unit_test(test_users_preload_comes_second),
		cmocka_unit_test(test_users_preload_alone),
		cmocka_unit_test(test_users_driver_options_come_first),
		cmocka_unit_test(test_several_networks),
		cmocka_unit_test(test_start_attaches_as_asked),
		cmocka_unit_test(test_pull),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_plans_that_lack_something),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
