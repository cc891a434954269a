// SPDX-License-Identifier: BSD-3-Clause
// Which EAL arguments an application gets beside its own: the conflict table, row by row.
#include "plugins/preload/args.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 32

struct words {
	char text[512];
	const char *v[WORDS_MAX];
	int count;
};

static void words_init(struct words *words, const char *text)
{
	(void)snprintf(words->text, sizeof(words->text), "%s", text);
	words->count = 0;
	char *rest = words->text;
	for (char *word; (word = strsep(&rest, " "));) {
		if (*word == '\0')
			continue;
		assert_true(words->count < WORDS_MAX);
		words->v[words->count++] = word;
	}
}

struct row {
	const char *app; // After argv[0].
	const char *expected;
};

static void check_rows(const char *ours, const struct row *rows, size_t count)
{
	struct words our_words;
	words_init(&our_words, ours);
	for (size_t i = 0; i < count; i++) {
		struct words app;
		words_init(&app, rows[i].app);
		const char *chosen[ARGS_MAX];
		const uint32_t given = args_topics(app.count, app.v, 0);
		const int total = args_choose(given, our_words.count, our_words.v, chosen);
		char text[512] = "";
		for (int j = 0; j < total; j++) {
			const size_t used = strlen(text);
			(void)snprintf(
				text + used, sizeof(text) - used, "%s%s", j ? " " : "", chosen[j]
			);
		}
		if (strcmp(text, rows[i].expected) != 0)
			fail_msg("'%s' got '%s', not '%s'", rows[i].app, text, rows[i].expected);
	}
}

static void test_without_hugepages(void **state)
{
	static const struct row rows[] = {
		{"", "--no-huge -m 512 --no-shconf --no-pci --no-telemetry --vdev=v0"},
		{"-- --vdev=mine",
		 "--no-huge -m 512 --no-shconf --no-pci --no-telemetry --vdev=v0"},
		{"--vdev=mine", "--no-huge -m 512 --no-shconf --no-pci --no-telemetry"},
		{"--vdev mine", "--no-huge -m 512 --no-shconf --no-pci --no-telemetry"},
		{"-m 64", "--no-huge --no-shconf --no-pci --no-telemetry --vdev=v0"},
		{"-vm64", "--no-huge --no-shconf --no-pci --no-telemetry --vdev=v0"},
		{"--socket-mem=64", "--no-shconf --no-pci --no-telemetry --vdev=v0"},
		{"--no-huge", "--no-pci --no-telemetry --vdev=v0"},
		{"--in-memory", "--no-pci --no-telemetry --vdev=v0"},
		{"--legacy-mem", "--no-pci --no-telemetry --vdev=v0"},
		{"--huge-dir /mnt", "--no-pci --no-telemetry --vdev=v0"},
		{"--huge-unlink=never", "--no-pci --no-telemetry --vdev=v0"},
		{"--huge-unlink", "--no-pci --no-telemetry --vdev=v0"},
		{"--no-shconf", "--no-huge -m 512 --no-pci --no-telemetry --vdev=v0"},
		{"--proc-type=secondary", "--no-pci --no-telemetry"},
		{"--proc-type secondary", "--no-pci --no-telemetry"},
		{"--proc-type=auto",
		 "--no-huge -m 512 --no-shconf --no-pci --no-telemetry --vdev=v0"},
	};
	check_rows(
		"--no-huge -m 512 --no-shconf --no-pci --no-telemetry --vdev=v0",
		rows,
		sizeof(rows) / sizeof(rows[0])
	);
}

static void test_with_hugepages(void **state)
{
	static const struct row rows[] = {
		{"", "--in-memory --single-file-segments --file-prefix=rw --vdev v0 --vdev v1"},
		{"-m 64",
		 "--in-memory --single-file-segments --file-prefix=rw --vdev v0 --vdev v1"},
		{"--socket-mem 64",
		 "--in-memory --single-file-segments --file-prefix=rw --vdev v0 --vdev v1"},
		{"--no-huge", "--file-prefix=rw --vdev v0 --vdev v1"},
		{"--single-file-segments", "--file-prefix=rw --vdev v0 --vdev v1"},
		{"--match-allocations", "--file-prefix=rw --vdev v0 --vdev v1"},
		{"--file-prefix mine", "--in-memory --single-file-segments --vdev v0 --vdev v1"},
		{"--vdev=x", "--in-memory --single-file-segments --file-prefix=rw"},
	};
	check_rows(
		"--in-memory --single-file-segments --file-prefix=rw --vdev v0 --vdev v1",
		rows,
		sizeof(rows) / sizeof(rows[0])
	);
}

static void test_devices_telemetry_cores(void **state)
{
	static const struct row rows[] = {
		{"", "--no-pci --no-telemetry --lcores=0@3 --iova-mode=va"},
		{"-a 0000:01:00.0", "--no-telemetry --lcores=0@3 --iova-mode=va"},
		{"-b0000:01:00.0", "--no-telemetry --lcores=0@3 --iova-mode=va"},
		{"--allow=0000:01:00.0", "--no-telemetry --lcores=0@3 --iova-mode=va"},
		{"--no-pci", "--no-telemetry --lcores=0@3 --iova-mode=va"},
		{"--telemetry", "--no-pci --lcores=0@3 --iova-mode=va"},
		{"--no-telem", "--no-pci --lcores=0@3 --iova-mode=va"},
		{"-l 0-1", "--no-pci --no-telemetry --iova-mode=va"},
		{"-l0-1", "--no-pci --no-telemetry --iova-mode=va"},
		{"-c 3", "--no-pci --no-telemetry --iova-mode=va"},
		{"--lcores 0", "--no-pci --no-telemetry --iova-mode=va"},
		{"--lcor=0", "--no-pci --no-telemetry --iova-mode=va"},
		{"--main-lcore=1", "--no-pci --no-telemetry --iova-mode=va"},
		{"-s 1", "--no-pci --no-telemetry --iova-mode=va"},
		{"--iova-mode=pa", "--no-pci --no-telemetry --lcores=0@3"},
	};
	check_rows(
		"--no-pci --no-telemetry --lcores=0@3 --iova-mode=va",
		rows,
		sizeof(rows) / sizeof(rows[0])
	);
}

// Functions: an application that chooses PCI devices itself gets none of ours.
static void test_functions(void **state)
{
	static const struct row rows[] = {
		{"", "-a 0000:03:10.0 -a 0000:03:10.2 --iova-mode=va --vdev=v0"},
		{"-- -a 0000:01:00.0", "-a 0000:03:10.0 -a 0000:03:10.2 --iova-mode=va --vdev=v0"},
		{"-a 0000:03:10.0", "--iova-mode=va --vdev=v0"},
		{"-a0000:03:10.0,opt=1", "--iova-mode=va --vdev=v0"},
		{"--allow=0000:03:10.0", "--iova-mode=va --vdev=v0"},
		{"-w 0000:03:10.0", "--iova-mode=va --vdev=v0"},
		{"-b 0000:01:00.0", "--iova-mode=va --vdev=v0"},
		{"--no-pci", "--iova-mode=va --vdev=v0"},
		{"--vdev=mine", "-a 0000:03:10.0 -a 0000:03:10.2 --iova-mode=va"},
		{"--iova-mode pa", "-a 0000:03:10.0 -a 0000:03:10.2 --vdev=v0"},
		{"--proc-type=secondary", "-a 0000:03:10.0 -a 0000:03:10.2"},
	};
	check_rows(
		"-a 0000:03:10.0 -a 0000:03:10.2 --iova-mode=va --vdev=v0",
		rows,
		sizeof(rows) / sizeof(rows[0])
	);
}

static void test_values_are_no_options(void **state)
{
	static const struct row rows[] = {
		{"--log-level --vdev", "--vdev=v0 -n 4 --unheard-of"},
		{"--syslog --vdev x", "--vdev=v0 -n 4 --unheard-of"},
		{"-d --vdev", "--vdev=v0 -n 4 --unheard-of"},
		{"word - -h", "--vdev=v0 -n 4 --unheard-of"},
		{"-m", "--vdev=v0 -n 4 --unheard-of"},
		{"word --vdev=x", "-n 4 --unheard-of"},
	};
	check_rows("--vdev=v0 -n 4 --unheard-of", rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_split(void **state)
{
	char text[] = "\n--a=b c\n\n-m\n64";
	const char *lines[ARGS_MAX];
	assert_int_equal(args_split(text, lines), 3);
	assert_string_equal(lines[0], "--a=b c");
	assert_string_equal(lines[1], "-m");
	assert_string_equal(lines[2], "64");

	char empty[] = "";
	assert_int_equal(args_split(empty, lines), 0);

	char many[2 * ARGS_MAX + 3];
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = i % 2 ? '\n' : 'x';
	many[sizeof(many) - 3] = '\0';
	assert_int_equal(args_split(many, lines), ARGS_MAX);
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = i % 2 ? '\n' : 'x';
	many[sizeof(many) - 1] = '\0';
	assert_int_equal(args_split(many, lines), -1);
}

static void test_share_cpu(void **state)
{
	uint8_t set[128] = {0};
	char arg[ARGS_CORES_SIZE] = "untouched";
	assert_false(args_share_cpu(set, sizeof(set), arg));
	set[0] = 1;
	assert_true(args_share_cpu(set, sizeof(set), arg));
	assert_string_equal(arg, "--lcores=(0,1)@0");
	set[0] = 0;
	set[127] = 0x80;
	assert_true(args_share_cpu(set, sizeof(set), arg));
	assert_string_equal(arg, "--lcores=(0,1)@1023");
	assert_false(args_share_cpu(set, 127, arg));
	set[5] = 2;
	assert_false(args_share_cpu(set, sizeof(set), arg));
	assert_string_equal(arg, "--lcores=(0,1)@1023");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_hugepages),
		cmocka_unit_test(test_with_hugepages),
		cmocka_unit_test(test_devices_telemetry_cores),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_values_are_no_options),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_share_cpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
