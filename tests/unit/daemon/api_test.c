// SPDX-License-Identifier: BSD-3-Clause
// The API of a whole ringwayd: what it refuses and how it says so, and what it shows of ports and of a switch that
// moves no frames.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct run run;

static int setup(void **state)
{
	run_make(&run);
	run_start(&run);
	return 0;
}

static int teardown(void **state)
{
	run_remove(&run);
	return 0;
}

static const struct {
	const char *call, *body;
	int status;
	const char *part;
} bad_calls[] = {
	{"POST /v1/switch/restart",
	 "{\"path\":\"bin/switch\"}",
	 400,
	 "cannot hand the switch's ports over: 'path' must be absolute, not 'bin/switch'"},
	{"POST /v1/switch/restart", "{\"path\":\"\"}", 400, "'path' must be absolute"},
	{"POST /v1/switch/restart", "{\"path\":7}", 400, "'path'"},
	{"POST /v1/switch/restart", "{\"binary\":\"/x\"}", 400, "unknown field 'binary'"},
	{"POST /v1/switch/restart", "", 400, "not a JSON object"},
	{"DELETE /v1/switch", "", 405, ""},
	{"POST /v1/networks", "", 400, "not a JSON object"},
	{"POST /v1/networks", "{", 400, "no JSON"},
	{"POST /v1/networks", "{\"name\":\"x\",\"colour\":1}", 400, "unknown field 'colour'"},
	{"POST /v1/networks", "{\"subnet\":\"10.1.0.0/24\"}", 400, "'name' is missing"},
	{"POST /v1/networks", "{\"name\":\"\"}", 400, "'name' must not be empty"},
	{"POST /v1/networks", "{\"name\":\"a/b\"}", 400, "that names cannot have"},
	{"POST /v1/networks", "{\"name\":\"n\"}", 409, "there is one of this name"},
	{"POST /v1/networks", "{\"name\":\"x\",\"mtu\":67}", 400, "MTU 67"},
	{"POST /v1/networks", "{\"name\":\"x\",\"mtu\":65536}", 400, "MTU 65536"},
	{"POST /v1/networks", "{\"name\":\"x\",\"mtu\":0}", 400, "MTU"},
	{"POST /v1/networks", "{\"name\":\"x\",\"driver\":\"y\"}", 400, "no driver 'y'"},
	{"POST /v1/networks", "{\"name\":\"x\",\"driver\":\"sriov\"}", 400, "needs a parent"},
	{"POST /v1/networks",
	 "{\"name\":\"x\",\"parent\":\"nothing9\"}",
	 400,
	 "0 functions are too few"},
	{"POST /v1/networks",
	 "{\"name\":\"x\",\"parent\":\"nothing9\",\"vfs\":2}",
	 404,
	 "nothing9"},
	{"POST /v1/networks", "{\"name\":\"x\",\"parent\":\"lo\",\"vfs\":-1}", 400, "-1 functions"},
	{"POST /v1/networks", "{\"name\":\"x\",\"link_state\":\"up\"}", 400, "no link state 'up'"},
	{"POST /v1/networks", "{\"name\":\"x\",\"trust\":true}", 400, "trust: it has no parent"},
	{"POST /v1/networks", "{\"name\":\"x\",\"trust\":1}", 400, "trust"},
	{"POST /v1/networks", "{\"name\":\"x\",\"subnet\":\"z\"}", 400, "malformed"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vf\"}",
	 400,
	 "has no functions of a NIC"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"vfs\":2}",
	 400,
	 "a number of functions: vhost"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vf\",\"vfs\":0}",
	 400,
	 "0 functions are too few"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vf\",\"cpus\":\"x\"}",
	 400,
	 "'x'"},
	{"POST /v1/networks",
	 "{\"name\":\"x\",\"subnet\":\"10.0.0.0/8\"}",
	 409,
	 "overlaps 10.0.0.0/24 of network 'n'"},
	{"POST /v1/networks",
	 "{\"name\":\"x\",\"subnet\":\"10.1.0.0/24\",\"gateway\":\"10.2.0.1\"}",
	 400,
	 "gateway 10.2.0.1 is no host's address"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"m\",\"attach\":\"vhost\"}",
	 404,
	 "there is no network 'm'"},
	{"POST /v1/ports",
	 "{\"name\":\"p\",\"network\":\"n\",\"attach\":\"vhost\"}",
	 409,
	 "there is one of this name"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\","
	 "\"mac\":\"02:00:00:00:00:01\"}",
	 409,
	 "is taken by port 'p'"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\","
	 "\"mac\":\"03:00:00:00:00:01\"}",
	 400,
	 "multicast"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"ip\":\"10.0.0.2\"}",
	 409,
	 "address 10.0.0.2/24 is taken"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"queues\":0}",
	 400,
	 "too few"},
	{"POST /v1/ports",
	 "{\"name\":\"refuse\",\"network\":\"n\",\"attach\":\"vhost\"}",
	 507,
	 "cannot create port 'refuse': fake refusal"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"limits\":{\"rx\":1}}",
	 400,
	 "cannot create port: unknown field 'rx'"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"limits\":{\"rx_bps\":-1}}",
	 400,
	 "'rx_bps' must be from 0"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"limits\":{\"rx_burst\":1}}",
	 400,
	 "cannot create port 'q': a burst (rx_burst) has no rate"},
	{"POST /v1/networks", "{\"name\":\"x\",\"vlan\":4095}", 400, "VLAN 4095 is out of range"},
	{"POST /v1/networks", "{\"name\":\"x\",\"aux\":7}", 400, "'aux' must be an object"},
	{"POST /v1/networks",
	 "{\"name\":\"x\",\"subnet\":\"10.1.0.0/24\",\"aux\":{\"a\":\"10.2.0.1\"}}",
	 400,
	 "auxiliary address 'a=10.2.0.1' is not inside a subnet"},
	{"POST /v1/networks",
	 "{\"name\":\"x\",\"aux\":{\"a,b\":\"10.2.0.1\"}}",
	 400,
	 "auxiliary address 'a,b' is malformed"},
	{"POST /v1/networks",
	 "{\"name\":\"x\",\"subnet6\":\"10.1.0.0/24\"}",
	 400,
	 "IPv6 subnet '10.1.0.0/24' is malformed"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"ip\":\"fd00::2\"}",
	 400,
	 "address fd00::2 is no host's address of subnet 10.0.0.0/24"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"netns\":\"7\"}",
	 400,
	 "cannot create port 'q': a namespace: vhost ports have none"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"kernel\",\"netns\":\"1\","
	 "\"interface\":\"a-name-of-sixteen\"}",
	 400,
	 "'a-name-of-sixteen' is no interface's name"},
	{"POST /v1/ports",
	 "{\"name\":\"q\",\"network\":\"n\",\"attach\":\"ether\"}",
	 400,
	 "there is no device to attach to"},
	{"PATCH /v1/ports/p", "{}", 400, "only 'limits' can be changed"},
	{"PATCH /v1/ports/p",
	 "{\"mac\":\"02:00:00:00:00:09\"}",
	 400,
	 "only 'limits' can be changed"},
	{"PATCH /v1/ports/p", "{\"limits\":7}", 400, "'limits' must be an object"},
	{"PATCH /v1/ports/p",
	 "{\"limits\":{\"x\":7}}",
	 400,
	 "cannot change port 'p': unknown field 'x'"},
	{"PATCH /v1/ports/none", "{\"limits\":{}}", 404, "there is no port 'none'"},
	{"PUT /v1/ports", "{}", 405, "no such method"},
	{"GET /v1/nothing", "", 404, "no such path"},
	{"GET /v1/ports?network=m", "", 404, "there is no network 'm'"},
	{"GET /v1/stats?port=m", "", 404, "there is no port 'm'"},
};

static void test_bad_input(void **state)
{
	run_make_network(&run);
	run_make_port(&run, "p", ",\"mac\":\"02:00:00:00:00:01\",\"ip\":\"10.0.0.2\"");
	for (size_t i = 0; i < sizeof(bad_calls) / sizeof(bad_calls[0]); i++)
		run_expect(
			&run,
			bad_calls[i].call,
			bad_calls[i].body,
			bad_calls[i].status,
			bad_calls[i].part
		);
	// Nothing came of all that.
	run_expect(&run, "GET /v1/networks/n", "", 200, "\"port_names\":[\"p\"]");
	run_expect(&run, "GET /v1/networks/x", "", 404, "");
	assert_false(run_has_file(&run, "run/ports/refuse"));
	assert_false(run_has_file(&run, "run/ports/q"));
}

static void test_fields_of_networks(void **state)
{
	static const char body[] =
		"{\"name\":\"six\",\"subnet\":\"FD00::/64\",\"gateway\":\"fd00::1\",\"internal\":true,"
		"\"proxy_neighbors\":true,\"gateway_port\":false,\"ip_range\":\"fd00::/80\","
		"\"aux\":{\"a\":\"fd00::9\",\"b\":\"fd00::a\"}}";
	static const char *const parts[] = {
		"\"subnet6\":\"fd00::/64\"",
		"\"gateway6\":\"fd00::1\"",
		"\"internal\":true",
		"\"proxy_neighbors\":true",
		"\"gateway_port\":false",
		"\"ip_range\":\"fd00::/80\"",
		"\"aux\":{\"a\":\"fd00::9\",\"b\":\"fd00::a\"}",
	};
	run_expect(&run, "POST /v1/networks", body, 201, parts[0]);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		run_expect(&run, "GET /v1/networks/six", "", 200, parts[i]);
	run_expect(
		&run,
		"POST /v1/ports",
		"{\"name\":\"p\",\"network\":\"six\",\"attach\":\"vhost\",\"ip\":\"fd00::2\"}",
		201,
		"\"ip6\":\"fd00::2/64\""
	);
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"gateway6\":\"fd00::1\"");
}

static void test_stats(void **state)
{
	run_make_network(&run);
	for (int i = 0; i < 5; i++) { // More than a page.
		char name[8];
		(void)snprintf(name, sizeof(name), "p%d", i);
		run_make_port(&run, name, "");
	}
	json_t *answer = NULL;
	assert_int_equal(run_call(&run, "GET", "/v1/stats", "", &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "ports")), 5);
	assert_int_equal(json_integer_value(json_object_get(answer, "time_ns")), 5);
	json_decref(answer);
	run_expect(&run, "GET /v1/stats?port=p3", "", 200, "\"ports\":[{\"name\":\"p3\"");
	run_expect(&run, "GET /v1/stats?port=p3", "", 200, "\"drops\":{\"full\":3,\"source\":4}");
	run_expect(&run, "GET /v1/ports/p3", "", 200, "\"dropped\":7");
	run_expect(&run, "GET /v1/ports/p3", "", 200, "\"features\":\"0x100000000\"");
}

static void test_switch(void **state)
{
	char pid[40];
	(void)snprintf(pid, sizeof(pid), "\"pid\":%d,", (int)run_switch_pid(&run)); // It fits.
	run_expect(&run, "GET /v1/switch", "", 200, "\"state\":\"running\"");
	run_expect(&run, "GET /v1/switch", "", 200, pid);
	run_expect(&run, "GET /v1/switch", "", 200, "\"restarts\":0,\"handovers\":0");
}

static void test_port_shows_all(void **state)
{
	run_make_network(&run);
	run_make_port(
		&run,
		"p",
		",\"queues\":2,\"offloads\":false,\"limits\":{\"rx_bps\":10000000000000,\"tx_fps\":0}"
	);
	run_make_port(&run, "q", "");
	run_make_port(&run, "r", "");
	static const char *const parts[] = {
		"\"offloads\":false",
		"\"limits\":{\"rx_bps\":10000000000000}",
		"\"features\":\"0x100000000\",\"negotiated\":[\"version_1\"]",
		"\"memory\":{\"guest_bytes\":65536,\"switch_bytes\":4096}",
		"\"receive_queues\":[{\"pair\":0,\"core\":1,\"awake\":true,\"frames\":100},",
		"{\"pair\":1,\"core\":3,\"awake\":false,\"frames\":1}]",
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		run_expect(&run, "GET /v1/ports/p", "", 200, parts[i]);
	// Each port of a listing has its own queues; the third one's are on the switch's second page.
	json_t *answer = NULL;
	json_t *port;
	size_t i;
	assert_int_equal(run_call(&run, "GET", "/v1/ports?network=n", "", &answer), 200);
	json_array_foreach(json_object_get(answer, "ports"), i, port)
	{
		json_t *queue = json_array_get(json_object_get(port, "receive_queues"), 1);
		assert_int_equal(
			json_integer_value(json_object_get(queue, "frames")),
			json_integer_value(json_object_get(port, "id"))
		);
	}
	assert_int_equal(i, 3);
	json_decref(answer);
	run_expect(&run, "GET /v1/stats", "", 200, "\"queues\":6,\"awake\":3,\"sleeps\":9");
	run_expect(
		&run,
		"PATCH /v1/ports/p",
		"{\"limits\":{\"rx_bps\":0,\"tx_bps\":5}}",
		200,
		"\"limits\":{\"tx_bps\":5}"
	);
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"limits\":{\"tx_bps\":5}");
	run_expect(&run, "GET /v1/ports/q", "", 200, "\"offloads\":true,\"limits\":{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bad_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields_of_networks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_shows_all, setup, teardown),
	};
	if (geteuid() != 0) {
		print_message("ringwayd needs root\n");
		return 77; // meson: skipped.
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
