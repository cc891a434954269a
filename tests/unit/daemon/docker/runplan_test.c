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
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
