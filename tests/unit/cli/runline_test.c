// SPDX-License-Identifier: BSD-3-Clause
// Where the image is, what is Ringway's and what docker gets, for a table of command lines.
#include "base/cleanup.h"
#include "cli/runline.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MAX 40

// Splits at single spaces; "''" is an empty word.
static void split(char *text, char *words[WORDS_MAX])
{
	size_t count = 0;
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[count++] = strcmp(word, "''") == 0 ? word + 2 : word;
	words[count] = NULL;
}

static void append_networks(const struct run_line *line, FILE *out)
{
	for (size_t i = 0; i < line->network_count; i++) {
		const struct run_network *network = &line->networks[i];
		(void)fprintf(out, "%s%s", i ? " " : "", network->name);
		if (network->mac)
			(void)fprintf(out, ",mac=%s", network->mac);
		if (network->ip)
			(void)fprintf(out, ",ip=%s", network->ip);
		if (network->queues)
			(void)fprintf(out, ",queues=%ld", run_number(network->queues));
		if (network->vfs)
			(void)fprintf(out, ",vfs=%ld", run_number(network->vfs));
		if (network->function)
			(void)fprintf(out, ",function=%s", network->function);
		if (network->learning)
			(void)fprintf(out, ",learning=%s", network->learning);
		for (size_t j = 0; j < network->fields.count; j++)
			(void)fprintf(out, ",%s", network->fields.items[j]);
		for (size_t j = 0; j < network->driver_opts.count; j++)
			(void)fprintf(out, ",driver-opt=%s", network->driver_opts.items[j]);
	}
}

// "networks | image index | docker run's options | docker create's, where they differ"
static char *describe(const struct run_line *line, char **words)
{
	_cleanup_strv_ struct strv run = {0};
	_cleanup_strv_ struct strv create = {0};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	append_networks(line, out);
	(void)fprintf(out, " | %zd |", line->image - words);
	run_line_options(line, false, &run);
	run_line_options(line, true, &create);
	for (size_t i = 0; i < run.count; i++)
		(void)fprintf(out, " %s", run.items[i][0] ? run.items[i] : "''");
	_cleanup_free_ char *run_text = strv_quote(&run);
	_cleanup_free_ char *create_text = strv_quote(&create);
	if (strcmp(run_text, create_text) != 0)
		(void)fputs(" |", out);
	for (size_t i = 0; strcmp(run_text, create_text) != 0 && i < create.count; i++)
		(void)fprintf(out, " %s", create.items[i]);
	assert_int_equal(fclose(out), 0);
	return text;
}

static const struct {
	const char *line;
	const char *said;
} lines[] = {
	{"--network fast img", "fast | 2 |"},
	{"--network=fast img", "fast | 1 |"},
	{"--net fast img cmd -d --network x", "fast | 2 |"},
	{"--network fast --network slow img", "fast slow | 4 |"},
	{"--network fast,queues=2,learning=on img", "fast,queues=2,learning=on | 2 |"},
	{"--network fast,mac=02:00:00:00:00:01,ip=10.0.0.9 img",
	 "fast,mac=02:00:00:00:00:01,ip=10.0.0.9 | 2 |"},
	{"--network name=fast,alias=db,driver-opt=ringway.queues=4 img",
	 "fast,alias=db,driver-opt=ringway.queues=4 | 2 |"},
	{"--network name=fast,mac-address=02:00:00:00:00:01 img",
	 "fast,mac=02:00:00:00:00:01 | 2 |"},
	{"--network name=fast,\"driver-opt=a=b,c\" img", "fast,driver-opt=a=b,c | 2 |"},
	{"--queues 3 --network a --network b,queues=2 img", "a b,queues=2 | 6 |"},
	{"--network a --queues=3 img", "a | 3 |"},
	{"--network a,vfs=2,function=03:10.1 --vfs 3 img", "a,vfs=2,function=03:10.1 | 4 |"},
	{"--network a --user 1000 -u x:y --cpuset-cpus 0-1 --ulimit nofile=9 img",
	 "a | 10 | --user 1000 -u x:y --cpuset-cpus 0-1 --ulimit nofile=9"},
	{"--network a --network b,attach=kernel -p 8080:80 img", "a b | 6 | -p 8080:80"},
	{"--ip 10.0.0.2 --network a --network b img", "a,ip=10.0.0.2 b | 6 |"},
	{"--mac-address 02:00:00:00:00:01 --network a img", "a,mac=02:00:00:00:00:01 | 4 |"},
	{"--network a --dry-run img", "a | 3 |"},
	{"--network a -- img", "a | 3 |"},
	{"--network a -- -img", "a | 3 |"},
	{"--network a -", "a | 2 |"},
	{"--network a -it img", "a | 3 | -it"},
	{"--network a -itd img", "a | 3 | -itd | -it"},
	{"--network a -dit img", "a | 3 | -dit | -it"},
	{"--network a -d img", "a | 3 | -d |"},
	{"--network a --detach=true img", "a | 3 | --detach=true |"},
	{"--network a --detach-keys ctrl-x --sig-proxy=false -t img",
	 "a | 6 | --detach-keys ctrl-x --sig-proxy=false -t | -t"},
	{"--network a -a stdout img", "a | 4 | -a stdout"},
	{"--network a --rm --name gen img", "a | 5 | --rm --name gen"},
	{"--network a --rm=false --name=gen img", "a | 4 | --rm=false --name=gen"},
	{"--network a -e X=1 --env Y=2 --env=Z=3 img", "a | 7 | -e X=1 --env Y=2 --env=Z=3"},
	{"--network a -eX=1 -e=Y=2 img", "a | 4 | -e X=1 -e Y=2"},
	{"--network a -ite X=1 img", "a | 4 | -ite X=1"},
	{"--network a -iteX=1 img", "a | 3 | -ite X=1"},
	{"--network a -ite LD_PRELOAD=/x.so img", "a | 4 | -it"},
	{"--network a --env LD_PRELOAD=/x.so img", "a | 4 |"},
	{"--network a -e LD_PRELOADED=1 img", "a | 4 | -e LD_PRELOADED=1"},
	{"--network a -t=false img", "a | 3 | -t=false"},
	{"--network a -it=false img", "a | 3 | -it=false"},
	{"--network a,attach=kernel -v /a:/b -p 80:80 -P -u 1000 -w /x -m 1g img",
	 "a | 13 | -v /a:/b -p 80:80 -P -u 1000 -w /x -m 1g"},
	{"--network a -h host -l x=y -c 3 img", "a | 8 | -h host -l x=y -c 3"},
	{"--network a --read-only --init --privileged --no-healthcheck img",
	 "a | 6 | --read-only --init --privileged --no-healthcheck"},
	{"--network a,attach=kernel --oom-kill-disable --publish-all --disable-content-trust -q img",
	 "a | 6 | --oom-kill-disable --publish-all --disable-content-trust -q"},
	{"--network a --use-api-socket --quiet --tty --interactive img",
	 "a | 6 | --use-api-socket --quiet --tty --interactive"},
	{"--network a --cap-drop ALL --security-opt no-new-privileges --user 1000 img",
	 "a | 8 | --cap-drop ALL --security-opt no-new-privileges --user 1000"},
	{"--network a --entrypoint '' img", "a | 4 | --entrypoint ''"},
	{"--network a --entrypoint= img", "a | 3 | --entrypoint="},
	{"--network a --some-new-option value img", "a | 4 | --some-new-option value"},
	{"--network a --cpus 2 --tty img", "a | 5 | --cpus 2 --tty"},
	{"--network a --env --rm img", "a | 4 | --env --rm"},
	{"--network a --network-alias db --ip6 fd00::1 img",
	 "a | 6 | --network-alias db --ip6 fd00::1"},
	{"--run-dir /r --network a img", "a | 4 |"},
	{"--network a dpdk-testpmd -- --stats-period 1", "a | 2 |"},
};

static void test_lines(void **state)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_free_ char *text = strdup(lines[i].line);
		char *words[WORDS_MAX];
		struct run_line line;
		struct rwy_err err = {0};
		split(text, words);
		if (run_line_parse(&line, words, &err))
			fail_msg("%s: %s", lines[i].line, err.msg);
		_cleanup_free_ char *said = describe(&line, words);
		if (strcmp(said, lines[i].said) != 0)
			fail_msg("%s: '%s', not '%s'", lines[i].line, said, lines[i].said);
		run_line_fini(&line);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
		{"img", "--network is missing"},
		{"", "--network is missing"},
		{"--network", "'--network' needs a value"},
		{"--network a", "image is missing"},
		{"--network a ''", "image is missing"},
		{"--network a --", "image is missing"},
		{"--network a -e", "'-e' needs a value"},
		{"--network a --cpus", "'--cpus' needs a value"},
		{"--network '' img", "names no network"},
		{"--network mac=02:00:00:00:00:01 img", "names no network"},
		{"--network a,b img", "'b' is no option"},
		{"--network a,colour=red img", "'colour'"},
		{"--network a,ip=1,ip=2 img", "'ip' twice"},
		{"--network a,learning=maybe img", "'maybe'"},
		{"--network a,queues=two img", "'two'"},
		{"--network a -p 80:80 img", "cannot be published"},
		{"--network a --publish=80 img", "cannot be published"},
		{"-dP --network a img", "cannot be published"},
		{"--network a --queues two img", "'two'"},
		{"--network a --queues 0 img", "'0'"},
		{"--network a,queues=-1 img", "'-1'"},
		{"--network a --queues '' img", "whole number"},
		{"--network a,ip=10.0.0.2 --ip 10.0.0.3 img", "--ip"},
		{"--network a,mac=x --mac-address y img", "--mac-address"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = strdup(cases[i].line);
		char *words[WORDS_MAX];
		struct run_line line;
		struct rwy_err err = {0};
		split(text, words);
		assert_int_equal(run_line_parse(&line, words, &err), -EINVAL);
		if (!strstr(err.msg, cases[i].said))
			fail_msg("%s: '%s' lacks '%s'", cases[i].line, err.msg, cases[i].said);
		run_line_fini(&line);
	}
}

static void test_too_many_networks(void **state)
{
	char *words[RUN_NETWORKS_MAX + 3] = {NULL};
	char option[] = "--network=a";
	char image[] = "img";
	struct run_line line;
	struct rwy_err err = {0};
	for (size_t i = 0; i <= RUN_NETWORKS_MAX; i++)
		words[i] = option;
	words[RUN_NETWORKS_MAX + 1] = image;
	assert_int_equal(run_line_parse(&line, words, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "at most 16"));
	run_line_fini(&line);
	assert_int_equal(run_line_parse(&line, words + 1, &err), 0);
	assert_int_equal(line.network_count, RUN_NETWORKS_MAX);
	run_line_fini(&line);
}

static void test_what_is_read(void **state)
{
	char text[] =
		"--dry-run --network a --name=gen -it -d=0 --pull never --platform linux/amd64 "
		"-e LD_PRELOAD=/mine.so img";
	char *words[WORDS_MAX];
	struct run_line line;
	struct rwy_err err = {0};
	split(text, words);
	assert_int_equal(run_line_parse(&line, words, &err), 0);
	assert_true(line.dry_run);
	assert_true(line.interactive);
	assert_false(line.detach);
	assert_string_equal(line.name, "gen");
	assert_string_equal(line.pull, "never");
	assert_string_equal(line.platform, "linux/amd64");
	assert_string_equal(line.preload, "/mine.so");
	run_line_fini(&line);
}

static void test_what_functions_need(void **state)
{
	char text[] = "--network a --vfs 3 --queues 2 -u 1000:1000 --cpuset-cpus=0,2 "
		      "--ulimit memlock=1:1 --ulimit nofile=7 img";
	char *words[WORDS_MAX];
	struct run_line line;
	struct rwy_err err = {0};
	split(text, words);
	assert_int_equal(run_line_parse(&line, words, &err), 0);
	assert_string_equal(line.vfs, "3");
	assert_string_equal(line.queues, "2");
	assert_string_equal(line.user, "1000:1000");
	assert_string_equal(line.cpus, "0,2");
	assert_true(line.has_memlock);
	assert_int_equal(run_number(line.vfs), 3);
	assert_int_equal(run_number(NULL), 0);
	run_line_fini(&line);
}

static void test_preload_of_environment(void **state)
{
	char text[] = "--network a -e LD_PRELOAD img";
	char *words[WORDS_MAX];
	struct run_line line;
	struct rwy_err err = {0};
	split(text, words);
	assert_int_equal(setenv("LD_PRELOAD", "", 1), 0);
	assert_int_equal(run_line_parse(&line, words, &err), 0);
	assert_string_equal(line.preload, "");
	run_line_fini(&line);
	assert_int_equal(unsetenv("LD_PRELOAD"), 0);
	assert_int_equal(run_line_parse(&line, words, &err), 0);
	assert_null(line.preload);
	run_line_fini(&line);
}

static void test_help_ends_it(void **state)
{
	char text[] = "--help --network";
	char *words[WORDS_MAX];
	struct run_line line;
	struct rwy_err err = {0};
	split(text, words);
	assert_int_equal(run_line_parse(&line, words, &err), 0);
	assert_true(line.help);
	run_line_fini(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many_networks),
		cmocka_unit_test(test_what_is_read),
		cmocka_unit_test(test_what_functions_need),
		cmocka_unit_test(test_preload_of_environment),
		cmocka_unit_test(test_help_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
