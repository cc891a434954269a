// SPDX-License-Identifier: BSD-3-Clause
// Rates between two samples of counters.
#include "base/fields.h"
#include "cli/rates.h"
#include "tests/lib/unit.h"

#define SAMPLE(time, pid, cpu, busy, idle, ports)                                                 \
	"{\"time_ns\":" time ",\"tsc_hz\":2000000000,\"switch\":{\"pid\":" pid ",\"cpu_ns\":" cpu \
	",\"workers\":[{\"core\":1,\"busy_cycles\":" busy ",\"idle_cycles\":" idle                \
	"}]},\"ports\":[" ports "]}"
#define PORT(name, rxf, rxb, txf, txb, dropped)                            \
	"{\"name\":\"" name "\",\"rx\":{\"frames\":" rxf ",\"bytes\":" rxb \
	"},\"tx\":{\"frames\":" txf ",\"bytes\":" txb "},\"dropped\":" dropped "}"

static const char before_text[] =
	SAMPLE("1000000000",
	       "7",
	       "500000000",
	       "100",
	       "900",
	       PORT("b", "9", "9", "9", "9", "9") "," PORT("a", "1000", "64000", "10", "640", "5"));
static const char after_text[] =
	SAMPLE("3000000000",
	       "7",
	       "1500000000",
	       "1000000100",
	       "5",
	       PORT("a", "3000", "250064000", "20", "1280", "6"
	       ) "," PORT("b", "4", "0", "0", "0", "0"));

static json_t *load(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	return json;
}

static void test_ports(void **state)
{
	_cleanup_json_ json_t *before = load(before_text);
	_cleanup_json_ json_t *after = load(after_text);
	json_t *ports = json_object_get(after, "ports");
	struct port_rate a = rates_port(before, after, json_array_get(ports, 0));
	struct port_rate b = rates_port(before, after, json_array_get(ports, 1));
	assert_float_equal(a.rx_frames, 1000, 1e-6);
	assert_float_equal(a.rx_gbits, 1, 1e-6); // 125 MB a second.
	assert_float_equal(a.tx_frames, 5, 1e-6);
	assert_float_equal(a.drops, 0.5, 1e-6);
	// Counters that fell began anew.
	assert_float_equal(b.rx_frames, 2, 1e-6);
	assert_float_equal(b.drops, 0, 1e-6);
}

static void test_new_port_began_at_zero(void **state)
{
	_cleanup_json_ json_t *before = load("{\"time_ns\":1,\"ports\":[]}");
	_cleanup_json_ json_t *after = load(after_text);
	json_t *ports = json_object_get(after, "ports");
	struct port_rate a = rates_port(before, after, json_array_get(ports, 0));
	assert_float_equal(a.rx_frames, 1000, 1e-3);
}

static void test_no_time_no_rate(void **state)
{
	_cleanup_json_ json_t *sample = load(after_text);
	json_t *ports = json_object_get(sample, "ports");
	struct port_rate a = rates_port(sample, sample, json_array_get(ports, 0));
	assert_float_equal(rates_seconds(sample, sample), 0, 1e-9);
	assert_float_equal(a.rx_frames, 0, 1e-9);
	assert_true(rates_switch_cpu(sample, sample) < 0);
}

static void test_switch(void **state)
{
	_cleanup_json_ json_t *before = load(before_text);
	_cleanup_json_ json_t *after = load(after_text);
	// 1e9 of the 4e9 cycles of two seconds, however few idle ones were counted.
	assert_float_equal(rates_worker_busy(before, after, 0), 25, 1e-3);
	assert_true(rates_worker_busy(before, after, 1) < 0);
	assert_float_equal(rates_switch_cpu(before, after), 50, 1e-3);
}

static void test_switch_without_clock(void **state)
{
	_cleanup_json_ json_t *before = load(before_text);
	_cleanup_json_ json_t *after = load(SAMPLE("3000000000", "7", "0", "400", "1800", ""));
	assert_int_equal(json_object_del(after, "tsc_hz"), 0);
	assert_float_equal(rates_worker_busy(before, after, 0), 25, 1e-3);
}

static void test_another_switch_has_no_cpu_rate(void **state)
{
	_cleanup_json_ json_t *before = load(before_text);
	_cleanup_json_ json_t *after = load(SAMPLE("3000000000", "8", "9", "1", "1", ""));
	assert_true(rates_switch_cpu(before, after) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_new_port_began_at_zero),
		cmocka_unit_test(test_no_time_no_rate),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_switch_without_clock),
		cmocka_unit_test(test_another_switch_has_no_cpu_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
