// SPDX-License-Identifier: BSD-3-Clause
// What --cores takes and refuses. The CPUs that this process may use are made known first: the test narrows itself to one or two.
#include "switch/eal.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

// The first and the last CPU that the test was started on; the same where there is one only.
struct cpus {
	unsigned int first, last;
};

static int set_up(void **state)
{
	static struct cpus cpus;
	cpu_set_t set;
	bool found = false;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		cpus.first = found ? cpus.first : cpu;
		cpus.last = cpu;
		found = true;
	}
	*state = &cpus;
	return found ? 0 : -1;
}

static void expect_refused(const char *text, const char *word)
{
	struct eal_cores cores = {.count = 77};
	struct rwy_err err = {0};

	assert_int_equal(eal_parse_cores(text, &cores, &err), -EINVAL);
	assert_int_equal(cores.count, 77); // Never written on failure.
	if (!strstr(err.msg, word))
		fail_msg("--cores '%s': '%s' says nothing of '%s'", text, err.msg, word);
	assert_null(strchr(err.msg, '\n'));
}

static void test_nothing_means_the_last_cpu(void **state)
{
	const struct cpus *cpus = *state;
	struct eal_cores cores;
	struct rwy_err err = {0};

	assert_int_equal(eal_parse_cores("", &cores, &err), 0);
	assert_int_equal(cores.count, 1);
	assert_int_equal(cores.cpu[0], cpus->last);
}

static void test_one_cpu(void **state)
{
	const struct cpus *cpus = *state;
	struct eal_cores cores;
	struct rwy_err err = {0};
	char text[64];

	(void)snprintf(text, sizeof(text), "%u", cpus->first);
	assert_int_equal(eal_parse_cores(text, &cores, &err), 0);
	assert_int_equal(cores.count, 1);
	assert_int_equal(cores.cpu[0], cpus->first);
	(void)snprintf(text, sizeof(text), "%u-%u", cpus->last, cpus->last);
	assert_int_equal(eal_parse_cores(text, &cores, &err), 0);
	assert_int_equal(cores.count, 1);
	assert_int_equal(cores.cpu[0], cpus->last);
}

static void test_lists_and_ranges(void **state)
{
	const struct cpus *cpus = *state;
	struct eal_cores cores;
	struct rwy_err err = {0};
	char text[64];

	if (cpus->first == cpus->last)
		skip();
	(void)snprintf(text, sizeof(text), "%u,%u", cpus->last, cpus->first);
	assert_int_equal(eal_parse_cores(text, &cores, &err), 0);
	assert_int_equal(cores.count, 2);
	assert_int_equal(cores.cpu[0], cpus->last); // In the order given.
	assert_int_equal(cores.cpu[1], cpus->first);
	(void)snprintf(text, sizeof(text), "%u-%u", cpus->last, cpus->first);
	expect_refused(text, "ends before");
}

static void test_a_cpu_twice(void **state)
{
	const struct cpus *cpus = *state;
	char text[64];

	(void)snprintf(text, sizeof(text), "%u,%u", cpus->first, cpus->first);
	expect_refused(text, "twice");
	(void)snprintf(text, sizeof(text), "%u,%u-%u", cpus->first, cpus->first, cpus->first);
	expect_refused(text, "twice");
}

static void test_foreign_cpus(void **state)
{
	const struct cpus *cpus = *state;
	char text[64];

	expect_refused("1023", "may not run");
	expect_refused("1024", "may not run");
	expect_refused("99999999999999999999999", "may not run");
	(void)snprintf(text, sizeof(text), "%u-99999", cpus->last);
	expect_refused(text, "may not run");
}

static void test_what_is_no_list(void **state)
{
	static const char *const texts[] = {
		",",
		"0,",
		",0",
		"0,,0",
		"-",
		"-1",
		"1-",
		"0-0-0",
		"a",
		"0x1",
		"0 ",
		" 0",
		"+1",
		"0;1",
		"0-a"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_refused(texts[i], "--cores");
}

static void test_too_many(void **state)
{
	cpu_set_t old, all;
	char text[32];

	assert_int_equal(sched_getaffinity(0, sizeof(old), &old), 0);
	if (CPU_COUNT(&old) <= WIRE_WORKERS_MAX)
		skip(); // The machine is too small to ask for them.
	all = old;
	unsigned int first = 0;
	while (!CPU_ISSET(first, &all))
		first++;
	(void)snprintf(text, sizeof(text), "%u-%u", first, first + WIRE_WORKERS_MAX);
	expect_refused(text, "at most");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_means_the_last_cpu),
		cmocka_unit_test(test_one_cpu),
		cmocka_unit_test(test_lists_and_ranges),
		cmocka_unit_test(test_a_cpu_twice),
		cmocka_unit_test(test_foreign_cpus),
		cmocka_unit_test(test_what_is_no_list),
		cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests_name("cores", tests, set_up, NULL);
}
