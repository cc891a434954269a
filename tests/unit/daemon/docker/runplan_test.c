// SPDX-License-Identifier: BSD-3-Clause
// Requests for a container's place, and the plan made of one.
#include "base/fields.h"
#include "daemon/docker/runplan.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

static int parse(const char *text, struct runplan *plan, struct rwy_err *err)
{
	_cleanup_json_ json_t *body = json_loads(text, 0, NULL);
	assert_non_null(body);
	return runplan_parse(body, plan, err);
}

static void test_plan(void **state)
{
	struct runplan plan;
	_cleanup_json_ json_t *reply = json_object();
	assert_int_equal(
		parse("{\"name\":\"gen\",\"image\":\"demo\",\"memory\":256,\"networks\":["
		      "{\"network\":\"fast\",\"queues\":2,\"mac\":\"02:00:00:00:00:01\","
		      "\"ip\":\"10.1.0.9\",\"learning\":true},"
		      "{\"network\":\"other\",\"mac\":\"02:00:00:00:00:02\",\"offloads\":false,"
		      "\"limits\":{\"rx_bps\":1000,\"rx_burst\":9000,\"tx_fps\":7,\"flood_fps\":5}}]}",
		      &plan,
		      NULL),
		0
	);
	memcpy(plan.key, "00112233445566ff", KEY_SIZE);
	plan.run_dir = "/run/ringway";
	plan.preload = "/usr/lib/preload.so";
	plan.eal_memory = (struct eal_memory){.size_mib = 256};
	memcpy(plan.networks[1].engine_name, "docker-other", 13);
	assert_int_equal(runplan_make(&plan, reply, NULL), 0);
	_cleanup_json_ json_t *expected = json_loads(
		"{\"key\":\"00112233445566ff\",\"mounts\":[{\"source\":"
		"\"/run/ringway/ports/00112233445566ff\",\"target\":\"/run/ringway\","
		"\"read_only\":true},{\"source\":\"/usr/lib/preload.so\",\"target\":"
		"\"/usr/lib/ringway/libringway-preload.so\",\"read_only\":true}],\"env\":"
		"{\"LD_PRELOAD\":\"/usr/lib/ringway/libringway-preload.so\",\"RINGWAY_EAL_ARGS\":"
		"\"--no-pci --no-telemetry --vdev=virtio_user0,path=/run/ringway/net0.sock,"
		"mac=02:00:00:00:00:01,queues=2,cq=1,mrg_rxbuf=1,queue_size=1024 "
		"--vdev=virtio_user1,path=/run/ringway/net1.sock,mac=02:00:00:00:00:02,queues=1,"
		"cq=1,mrg_rxbuf=1,queue_size=1024 --no-huge -m 256 --no-shconf\"},"
		"\"labels\":{\"ringway.key\":\"00112233445566ff\"},\"networks\":[{\"network\":"
		"\"fast\",\"ip\":\"10.1.0.9\",\"driver_opts\":{\"ringway.attach\":\"vhost\","
		"\"ringway.key\":\"00112233445566ff\",\"ringway.index\":\"0\",\"ringway.mac\":"
		"\"02:00:00:00:00:01\",\"ringway.queues\":\"2\",\"ringway.learning\":\"on\","
		"\"ringway.memory\":\"256\",\"ringway.name\":\"gen.fast\"}},{\"network\":"
		"\"docker-other\",\"driver_opts\":{\"ringway.attach\":\"vhost\",\"ringway.key\":"
		"\"00112233445566ff\",\"ringway.index\":\"1\",\"ringway.mac\":"
		"\"02:00:00:00:00:02\",\"ringway.offloads\":\"off\",\"ringway.rate\":\"rx:1000bit tx:7fps\","
		"\"ringway.burst\":\"rx:9000B\",\"ringway.flood-rate\":\"5fps\",\"ringway.memory\":\"256\",\"ringway.name\":"
		"\"gen.other\"}}]}",
		0,
		NULL
	);
	assert_non_null(expected);
	if (!json_equal(reply, expected))
		fail_msg("%s", json_dumps(reply, 0));
}

static json_t *driver_opt(json_t *reply, size_t network, const char *name)
{
	json_t *entry = json_array_get(json_object_get(reply, "networks"), network);
	return json_object_get(json_object_get(entry, "driver_opts"), name);
}

// An ordinary interface has no socket in the place, so it is counted after those that have.
static void test_interface_beside_sockets(void **state)
{
	struct runplan plan;
	_cleanup_json_ json_t *reply = json_object();
	assert_int_equal(
		parse("{\"memory\":64,\"networks\":[{\"network\":\"a\",\"attach\":\"vhost\"},"
		      "{\"network\":\"b\",\"attach\":\"kernel\",\"mac\":\"02:00:00:00:00:0b\","
		      "\"pin_address\":true},"
		      "{\"network\":\"c\",\"mac\":\"02:00:00:00:00:0c\",\"allow_spoof\":true,"
		      "\"pin_address\":false}]}",
		      &plan,
		      NULL),
		0
	);
	memcpy(plan.key, "00112233445566ff", KEY_SIZE);
	plan.run_dir = plan.preload = "/x";
	assert_int_equal(runplan_make(&plan, reply, NULL), 0);
	assert_string_equal(json_string_value(driver_opt(reply, 0, "ringway.index")), "0");
	assert_string_equal(json_string_value(driver_opt(reply, 1, "ringway.attach")), "kernel");
	assert_string_equal(
		json_string_value(driver_opt(reply, 1, "ringway.mac")), "02:00:00:00:00:0b"
	);
	assert_string_equal(json_string_value(driver_opt(reply, 1, "ringway.pin-address")), "on");
	assert_string_equal(json_string_value(driver_opt(reply, 1, "ringway.key")), plan.key);
	assert_string_equal(json_string_value(driver_opt(reply, 1, "ringway.index")), "2");
	assert_null(driver_opt(reply, 1, "ringway.memory"));
	assert_null(driver_opt(reply, 0, "ringway.pin-address")); // The driver decides.
	assert_string_equal(json_string_value(driver_opt(reply, 2, "ringway.pin-address")), "off");
	assert_string_equal(json_string_value(driver_opt(reply, 2, "ringway.allow-spoof")), "on");
	assert_string_equal(json_string_value(driver_opt(reply, 2, "ringway.attach")), "vhost");
	assert_string_equal(json_string_value(driver_opt(reply, 2, "ringway.index")), "1");
	const char *args =
		json_string_value(json_object_get(json_object_get(reply, "env"), "RINGWAY_EAL_ARGS")
		);
	assert_non_null(strstr(args, "path=/run/ringway/net1.sock,mac=02:00:00:00:00:0c"));
	assert_null(strstr(args, "02:00:00:00:00:0b"));
	assert_null(strstr(args, "virtio_user2"));
}

static void test_refusals(void **state)
{
	static const struct {
		const char *json;
		const char *said;
	} cases[] = {
		{"{}", "no network"},
		{"{\"networks\":[]}", "no network"},
		{"{\"networks\":7}", "networks"},
		{"{\"nets\":[]}", "nets"},
		{"{\"networks\":[{\"network\":\"a\",\"queues\":17}]}", "1 to 16"},
		{"{\"networks\":[{\"network\":\"a\",\"mac\":\"01:00:00:00:00:00\"}]}", "multicast"},
		{"{\"networks\":[{\"network\":\"a\",\"mac\":\"zz\"}]}", "mac"},
		{"{\"networks\":[{\"network\":\"a\",\"ip\":\"10.0.0\"}]}", "10.0.0"},
		{"{\"networks\":[{\"network\":\"a\"},{\"network\":\"a\"}]}", "twice"},
		{"{\"networks\":[{\"queues\":1}]}", "network"},
		{"{\"networks\":[{\"network\":\"a\",\"attach\":\"ether\"}]}",
		 "attachment 'ether' is not for containers"},
		{"{\"networks\":[{\"network\":\"a\",\"attach\":\"kernel\"}]}",
		 "none of its ports is a vhost port"},
		{"{\"networks\":[{\"network\":\"a\",\"attach\":\"kernel\",\"queues\":2}]}",
		 "a kernel port has no 'queues'"},
		{"{\"networks\":[{\"network\":\"a\",\"attach\":\"kernel\",\"offloads\":false}]}",
		 "a kernel port has no 'offloads'"},
		{"{\"networks\":[{\"network\":\"a\",\"offloads\":\"off\"}]}", "offloads"},
		{"{\"networks\":[{\"network\":\"a\",\"limits\":{\"tx_burst\":1}}]}", "has no rate"},
		{"{\"memory\":3,\"networks\":[{\"network\":\"a\"}]}", "memory"},
		{"{\"networks\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}",
		 "17 networks"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct runplan plan;
		struct rwy_err err = {0};
		int r = parse(cases[i].json, &plan, &err);
		if (r != -EINVAL || !strstr(err.msg, cases[i].said))
			fail_msg(
				"%s: %d '%s' lacks '%s'", cases[i].json, r, err.msg, cases[i].said
			);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_interface_beside_sockets),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
