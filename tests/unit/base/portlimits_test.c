// SPDX-License-Identifier: BSD-3-Clause
// Limits: every way to write them, what is refused and with which words, and that what is written is read back.
#include "base/portlimits.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

static struct port_limits parse(enum port_limits_option option, const char *text)
{
	struct port_limits_given given = {0};
	struct rwy_err err = {0};
	if (port_limits_parse(option, text, &given, &err))
		fail_msg("'%s': %s", text, err.msg);
	return given.values;
}

static void test_rates(void **state)
{
	static const struct {
		const char *text;
		uint64_t bps, fps;
	} cases[] = {
		{"1", 1, 0},
		{"100M", 100000000, 0},
		{"100m", 100000000, 0},
		{"1G", 1000000000, 0},
		{"1T", 1000000000000, 0},
		{"10T", 10000000000000, 0},
		{"500kbit", 500000, 0},
		{"500KBit", 500000, 0},
		{"500kbits", 500000, 0},
		{"2.5Gbps", 2500000000, 0},
		{"0.5kbit/s", 500, 0},
		{"1Kibit", 1024, 0},
		{"1Mi", 1048576, 0},
		{"50kfps", 0, 50000},
		{"50000fps", 0, 50000},
		{"1.5Mpps", 0, 1500000},
		{"7frames/s", 0, 7},
		{"100M 50kfps", 100000000, 50000},
		{"50kfps,100M", 100000000, 50000},
		{" 100M, 50kfps ", 100000000, 50000},
		{"none", 0, 0},
		{"0", 0, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct port_limits got = parse(PORT_LIMITS_RATE, cases[i].text);
		struct port_limits want = {
			.rx_bps = cases[i].bps,
			.tx_bps = cases[i].bps,
			.rx_fps = cases[i].fps,
			.tx_fps = cases[i].fps,
		};
		if (memcmp(&got, &want, sizeof(want)) != 0)
			fail_msg("'%s'", cases[i].text);
	}
	struct port_limits got = parse(PORT_LIMITS_RATE, "rx:100M tx:5kfps TX:1G");
	struct port_limits want = {.rx_bps = 100000000, .tx_fps = 5000, .tx_bps = 1000000000};
	assert_memory_equal(&got, &want, sizeof(want));
}

static void test_bursts(void **state)
{
	struct port_limits got = parse(PORT_LIMITS_BURST, "64k");
	struct port_limits want = {.rx_burst = 64000, .tx_burst = 64000};
	assert_memory_equal(&got, &want, sizeof(want));
	got = parse(PORT_LIMITS_BURST, "rx:1MB tx:64KiB 256frames flood:1kframes");
	want = (struct port_limits){
		.rx_burst = 1000000,
		.tx_burst = 65536,
		.rx_frame_burst = 256,
		.tx_frame_burst = 256,
		.flood_burst = 1000,
	};
	assert_memory_equal(&got, &want, sizeof(want));
	got = parse(PORT_LIMITS_BURST, "tx:1500bytes rx:1frame");
	want = (struct port_limits){.tx_burst = 1500, .rx_frame_burst = 1};
	assert_memory_equal(&got, &want, sizeof(want));
}

static void test_flood_rates(void **state)
{
	assert_int_equal(parse(PORT_LIMITS_FLOOD_RATE, "1000").flood_fps, 1000);
	assert_int_equal(parse(PORT_LIMITS_FLOOD_RATE, "5kfps").flood_fps, 5000);
	assert_int_equal(parse(PORT_LIMITS_FLOOD_RATE, "none").flood_fps, 0);
}

static void test_refused(void **state)
{
	static const struct {
		enum port_limits_option option;
		const char *text, *why;
	} cases[] = {
		{PORT_LIMITS_RATE, "", "rate '' is malformed: write it like 100M"},
		{PORT_LIMITS_RATE, " ,", "is malformed"},
		{PORT_LIMITS_RATE, "x", "rate 'x' is malformed"},
		{PORT_LIMITS_RATE, "-1", "is malformed"},
		{PORT_LIMITS_RATE, "+1", "is malformed"},
		{PORT_LIMITS_RATE, "1e9", "is malformed"},
		{PORT_LIMITS_RATE, "0x10", "is malformed"},
		{PORT_LIMITS_RATE, "100MB", "is malformed"},
		{PORT_LIMITS_RATE, "100MM", "is malformed"},
		{PORT_LIMITS_RATE, "M", "is malformed"},
		{PORT_LIMITS_RATE, ".5M", "is malformed"},
		{PORT_LIMITS_RATE, "1.M", "is malformed"},
		{PORT_LIMITS_RATE, "1..5M", "is malformed"},
		{PORT_LIMITS_RATE, "1.5", "is malformed"},
		{PORT_LIMITS_RATE, "0.0000000000000000000000000001k", "is malformed"},
		{PORT_LIMITS_RATE, "1.0005k", "is malformed"},
		{PORT_LIMITS_RATE, "1 M", "'M' is malformed"},
		{PORT_LIMITS_RATE, "rx:", "is malformed"},
		{PORT_LIMITS_RATE, "rx:tx:1M", "is malformed"},
		{PORT_LIMITS_RATE, "up:1M", "is malformed"},
		{PORT_LIMITS_RATE, "flood:1M", "is malformed"},
		{PORT_LIMITS_RATE, "64frames", "is malformed"},
		{PORT_LIMITS_RATE, "11T", "rate '11T' is too large: at most 10000000000000 bit/s"},
		{PORT_LIMITS_RATE, "99999999999999999999", "too large"},
		{PORT_LIMITS_RATE, "18446744073709551615T", "too large"},
		{PORT_LIMITS_RATE, "11Gfps", "too large: at most 10000000000 frames/s"},
		{PORT_LIMITS_RATE, "1M 2M", "rate '2M' says again what was given already"},
		{PORT_LIMITS_RATE, "1M rx:2M", "says again"},
		{PORT_LIMITS_RATE, "none 2M", "says again"},
		{PORT_LIMITS_BURST, "64fps", "burst '64fps' is malformed: write it like 64k"},
		{PORT_LIMITS_BURST, "flood:64k", "is malformed"},
		{PORT_LIMITS_BURST, "2T", "too large: at most 1000000000000 bytes"},
		{PORT_LIMITS_FLOOD_RATE, "rx:1", "flood rate 'rx:1' is malformed"},
		{PORT_LIMITS_FLOOD_RATE, "1bit", "is malformed"},
		{PORT_LIMITS_FLOOD_RATE, "1 2", "says again"},
		{PORT_LIMITS_RATE,
		 "1111111111111111111111111111111111111111111111111111111111111111111",
		 "is malformed"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct port_limits_given given = {.values.rx_burst = 7, .given = 2};
		struct port_limits_given before = given;
		struct rwy_err err = {0};
		int r = port_limits_parse(cases[i].option, cases[i].text, &given, &err);
		if (r != -EINVAL || !strstr(err.msg, cases[i].why))
			fail_msg("'%s': %d '%s'", cases[i].text, r, err.msg);
		assert_memory_equal(&given, &before, sizeof(given));
	}
}

static void test_written_and_read_back(void **state)
{
	struct port_limits in;
	struct port_limits_given out = {0};
	char text[PORT_LIMITS_TEXT_SIZE];
	// The largest that are allowed, and so the longest texts.
	in = (struct port_limits){
		.rx_bps = 10000000000000,
		.tx_bps = 10000000000000,
		.rx_fps = 10000000000,
		.tx_fps = 10000000000,
		.rx_burst = 1000000000000,
		.tx_burst = 1000000000000,
		.rx_frame_burst = 10000000000,
		.tx_frame_burst = 10000000000,
		.flood_fps = 10000000000,
		.flood_burst = 10000000000,
	};
	assert_int_equal(port_limits_check(&in, NULL), 0);
	for (int option = 0; option < PORT_LIMITS_OPTION_COUNT; option++) {
		port_limits_format((enum port_limits_option)option, &in, text);
		assert_int_equal(
			port_limits_parse((enum port_limits_option)option, text, &out, NULL), 0
		);
	}
	assert_memory_equal(&out.values, &in, sizeof(in));
	assert_int_equal(out.given, (1 << PORT_LIMITS_COUNT) - 1);
	in = (struct port_limits){.tx_bps = 5};
	port_limits_format(PORT_LIMITS_RATE, &in, text);
	assert_string_equal(text, "tx:5bit");
	port_limits_format(PORT_LIMITS_BURST, &in, text);
	assert_string_equal(text, "");
	port_limits_format(PORT_LIMITS_FLOOD_RATE, &in, text);
	assert_string_equal(text, "");
}

static void test_json(void **state)
{
	struct port_limits_given given = {0};
	struct rwy_err err = {0};
	_cleanup_json_ json_t *object = json_loads("{\"rx_bps\":0,\"tx_fps\":7}", 0, NULL);
	assert_int_equal(port_limits_given_decode(object, &given, &err), 0);
	struct port_limits limits = {.rx_bps = 9, .rx_fps = 8};
	port_limits_apply(&limits, &given);
	_cleanup_json_ json_t *all = port_limits_json(&limits);
	_cleanup_json_ json_t *want = json_loads("{\"rx_fps\":8,\"tx_fps\":7}", 0, NULL);
	assert_true(json_equal(all, want));
	_cleanup_json_ json_t *same = port_limits_given_json(&given);
	assert_true(json_equal(same, object));
	given = (struct port_limits_given){.given = 1 << 2}; // The rate of rx_frame_burst.
	limits = (struct port_limits){.rx_fps = 8, .rx_frame_burst = 7, .tx_burst = 6, .tx_bps = 5};
	port_limits_apply(&limits, &given);
	assert_int_equal(limits.rx_frame_burst, 0);
	assert_int_equal(limits.tx_burst, 6);
	_cleanup_json_ json_t *bad = json_loads("{\"rx\":1}", 0, NULL);
	assert_int_equal(port_limits_given_decode(bad, &given, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "unknown field 'rx'"));
}

static void test_check(void **state)
{
	struct rwy_err err = {0};
	struct port_limits limits = {.rx_bps = 1, .rx_burst = 1};
	assert_int_equal(port_limits_check(&limits, &err), 0);
	limits.tx_frame_burst = 1;
	assert_int_equal(port_limits_check(&limits, &err), -EINVAL);
	assert_string_equal(err.msg, "a burst (tx_frame_burst) has no rate (tx_fps) to go with");
	limits = (struct port_limits){.flood_fps = 10000000001};
	assert_int_equal(port_limits_check(&limits, &err), -EINVAL);
	assert_string_equal(err.msg, "limit flood_fps is over 10000000000 frames/s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_flood_rates),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_written_and_read_back),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_check),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
