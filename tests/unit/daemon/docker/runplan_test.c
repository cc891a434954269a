// SPDX-License-Identifier: BSD-3-Clause
// Requests for a container's place, and the plan made of one.
#include "base/fields.h"
#include "daemon/docker/runplan.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// A network that is called cards* consists of functions, and one that is called both* has some too.
static int parse(const char *text, struct runplan *plan, struct rwy_err *err)
{
	_cleanup_json_ json_t *body = json_loads(text, 0, NULL);
	assert_non_null(body);
	int r = runplan_parse(body, plan, err);
	for (uint32_t i = 0; !r && i < plan->network_count; i++) {
		struct runplan_network *network = &plan->networks[i];
		network->sriov = strncmp(network->network, "cards", 5) == 0;
		network->has_functions =
			network->sriov || strncmp(network->network, "both", 4) == 0;
	}
	return r ? r : runplan_settle(plan, err);
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

static void keep(struct runplan *plan)
{
	for (int i = 0; i < RUNPLAN_PORTS; i++) {
		struct service_function *function = &plan->functions[i];
		*function = (struct service_function){.iommu_group = i / 2};
		(void)snprintf(function->address, FUNCTION_SIZE, "0000:03:%02x.0", i & 0xff);
		// Two of a group share its node.
		(void)snprintf(function->vfio, sizeof(function->vfio), "/dev/vfio/%d", i / 2);
	}
	memcpy(plan->key, "00112233445566ff", KEY_SIZE);
	plan->run_dir = plan->preload = "/x";
	plan->eal_memory = (struct eal_memory){.size_mib = 704};
}

static const char *opt_text(json_t *reply, size_t network, const char *name)
{
	return json_string_value(driver_opt(reply, network, name));
}

// Sockets without gaps, then functions, each of which counts, then interfaces.
static void test_functions_among_others(void **state)
{
	struct runplan plan;
	_cleanup_json_ json_t *reply = json_object();
	assert_int_equal(
		parse("{\"vfs\":3,\"queues\":2,\"uid\":1000,\"cpus\":\"0-1,4\",\"memory\":64,"
		      "\"networks\":["
		      "{\"network\":\"k\",\"attach\":\"kernel\"},"
		      "{\"network\":\"cards\"},"
		      "{\"network\":\"a\"},"
		      "{\"network\":\"both\",\"attach\":\"vf-kernel\",\"function\":\"04:10.2\"},"
		      "{\"network\":\"cards2\",\"vfs\":1,\"limits\":{\"rx_bps\":1000000}},"
		      "{\"network\":\"both2\",\"queues\":1}]}",
		      &plan,
		      NULL),
		0
	);
	keep(&plan);
	assert_int_equal(runplan_make(&plan, reply, NULL), 0);
	static const char *const indices[] = {"6", "2", "0", "7", "5", "1"};
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(opt_text(reply, i, "ringway.index"), indices[i]);
	assert_string_equal(opt_text(reply, 1, "ringway.attach"), "vf");
	assert_string_equal(opt_text(reply, 1, "ringway.vfs"), "3");
	assert_string_equal(
		opt_text(reply, 1, "ringway.function"), "0000:03:00.0 0000:03:01.0 0000:03:02.0"
	);
	assert_string_equal(opt_text(reply, 1, "ringway.uid"), "1000");
	assert_string_equal(opt_text(reply, 1, "ringway.cpus"), "0-1,4");
	assert_string_equal(opt_text(reply, 1, "ringway.memory"), "64");
	assert_null(opt_text(reply, 1, "ringway.queues"));
	assert_string_equal(opt_text(reply, 2, "ringway.queues"), "2");
	assert_null(opt_text(reply, 2, "ringway.uid"));
	assert_string_equal(opt_text(reply, 3, "ringway.function"), "0000:04:10.2");
	assert_null(opt_text(reply, 3, "ringway.uid"));
	assert_null(opt_text(reply, 3, "ringway.memory"));
	assert_string_equal(opt_text(reply, 3, "ringway.cpus"), "0-1,4");
	assert_string_equal(opt_text(reply, 4, "ringway.function"), "0000:03:04.0");
	assert_null(opt_text(reply, 4, "ringway.vfs"));
	assert_string_equal(opt_text(reply, 4, "ringway.rate"), "rx:1000000bit");
	assert_null(opt_text(reply, 5, "ringway.queues"));
	const char *args =
		json_string_value(json_object_get(json_object_get(reply, "env"), "RINGWAY_EAL_ARGS")
		);
	const char *expected = "-a 0000:03:00.0 -a 0000:03:01.0 -a 0000:03:02.0 -a 0000:03:04.0 "
			       "--iova-mode=va --no-telemetry --vdev=virtio_user0,";
	assert_memory_equal(args, expected, strlen(expected));
	_cleanup_json_ json_t *devices = json_loads(
		"[{\"path\":\"/dev/vfio/vfio\",\"permissions\":\"rwm\"},"
		"{\"path\":\"/dev/vfio/0\",\"permissions\":\"rwm\"},"
		"{\"path\":\"/dev/vfio/1\",\"permissions\":\"rwm\"},"
		"{\"path\":\"/dev/vfio/2\",\"permissions\":\"rwm\"}]",
		0,
		NULL
	);
	assert_true(json_equal(json_object_get(reply, "devices"), devices));
	json_t *memlock = json_object_get(json_object_get(reply, "ulimits"), "memlock");
	assert_int_equal(json_integer_value(memlock), 768LL << 20);
}

static void test_wishes(void **state)
{
	struct runplan plan;
	assert_int_equal(
		parse("{\"dry_run\":true,\"cpus\":\"3\",\"networks\":[{\"network\":\"a\"},"
		      "{\"network\":\"cards\",\"vfs\":2,\"function\":\"0000:0A:10.2\"}]}",
		      &plan,
		      NULL),
		0
	);
	assert_int_equal(runplan_wish(&plan, &plan.networks[0]).count, 0);
	struct function_wish wish = runplan_wish(&plan, &plan.networks[1]);
	assert_string_equal(wish.network, "cards");
	assert_string_equal(wish.attach, "vf");
	assert_string_equal(wish.function, "0000:0a:10.2");
	assert_int_equal(wish.count, 2);
	assert_int_equal(wish.cpus, 8);
	assert_true(wish.dry);
}

// An ordinary container that gets a function's interface needs no device.
static void test_interface_of_a_function_alone(void **state)
{
	struct runplan plan;
	_cleanup_json_ json_t *reply = json_object();
	assert_int_equal(
		parse("{\"networks\":[{\"network\":\"cards\",\"attach\":\"vf-kernel\"}]}",
		      &plan,
		      NULL),
		0
	);
	keep(&plan);
	assert_int_equal(runplan_make(&plan, reply, NULL), 0);
	assert_null(json_object_get(reply, "devices"));
	assert_null(json_object_get(reply, "ulimits"));
	assert_string_equal(opt_text(reply, 0, "ringway.attach"), "vf-kernel");
	assert_null(opt_text(reply, 0, "ringway.function"));
	// Where RDMA devices are shared, it gets the nodes of its own.
	_cleanup_json_ json_t *again = json_object();
	memcpy(plan.nodes[0], "/dev/infiniband/uverbs3", 24);
	plan.node_count = 1;
	assert_int_equal(runplan_make(&plan, again, NULL), 0);
	_cleanup_json_ json_t *devices = json_loads(
		"[{\"path\":\"/dev/infiniband/uverbs3\",\"permissions\":\"rw\"}]", 0, NULL
	);
	assert_true(json_equal(json_object_get(again, "devices"), devices));
	assert_non_null(json_object_get(again, "ulimits"));
}

static const struct {
	const char *json;
	const char *said;
} refusals[] = {
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
	 "none of its ports is a vhost port or a function"},
	{"{\"networks\":[{\"network\":\"a\",\"attach\":\"kernel\",\"queues\":2}]}",
	 "a kernel port has no 'queues'"},
	{"{\"networks\":[{\"network\":\"a\",\"attach\":\"kernel\",\"offloads\":false}]}",
	 "a kernel port has no 'offloads'"},
	{"{\"networks\":[{\"network\":\"a\",\"offloads\":\"off\"}]}", "offloads"},
	{"{\"networks\":[{\"network\":\"a\",\"limits\":{\"tx_burst\":1}}]}", "has no rate"},
	{"{\"memory\":3,\"networks\":[{\"network\":\"a\"}]}", "memory"},
	{"{\"networks\":[{\"network\":\"a\",\"attach\":\"vf\"}]}",
	 "network 'a': attachment 'vf': the network has no functions"},
	{"{\"networks\":[{\"network\":\"a\",\"attach\":\"vf-kernel\"}]}", "no functions"},
	{"{\"networks\":[{\"network\":\"cards\",\"attach\":\"vhost\"}]}",
	 "attachment 'vhost': the network consists of a NIC's functions"},
	{"{\"networks\":[{\"network\":\"cards\",\"attach\":\"kernel\"}]}", "consists of"},
	{"{\"networks\":[{\"network\":\"cards\",\"queues\":2}]}", "a vf port has no 'queues'"},
	{"{\"networks\":[{\"network\":\"cards\",\"offloads\":false}]}", "no 'offloads'"},
	{"{\"networks\":[{\"network\":\"cards\",\"learning\":true}]}", "no 'learning'"},
	{"{\"networks\":[{\"network\":\"cards\",\"allow_spoof\":true}]}", "no 'allow_spoof'"},
	{"{\"networks\":[{\"network\":\"cards\",\"pin_address\":true}]}", "no 'pin_address'"},
	{"{\"networks\":[{\"network\":\"cards\",\"limits\":{\"tx_bps\":1000}}]}",
	 "other than rx_bps"},
	{"{\"networks\":[{\"network\":\"cards\",\"vfs\":0}]}", "0 functions; 1 to 16"},
	{"{\"networks\":[{\"network\":\"cards\",\"vfs\":17}]}", "17 functions; 1 to 16"},
	{"{\"vfs\":0,\"networks\":[{\"network\":\"cards\"}]}", "0 functions; 1 to 16"},
	{"{\"vfs\":2,\"networks\":[{\"network\":\"a\"}]}", "'vfs' is given, and none"},
	{"{\"queues\":2,\"networks\":[{\"network\":\"cards\"}]}", "'queues' is given"},
	{"{\"queues\":17,\"networks\":[{\"network\":\"a\"}]}", "17 queues"},
	{"{\"networks\":[{\"network\":\"a\",\"vfs\":1}]}", "a vhost port has no 'vfs'"},
	{"{\"networks\":[{\"network\":\"a\",\"function\":\"03:10.1\"}]}", "no 'function'"},
	{"{\"networks\":[{\"network\":\"cards\",\"function\":\"eth3\"}]}", "'eth3' is not a PCI"},
	{"{\"networks\":[{\"network\":\"cards\",\"attach\":\"vf-kernel\",\"vfs\":2}]}",
	 "a vf-kernel port has no 'several functions (vfs)'"},
	{"{\"networks\":[{\"network\":\"cards\",\"vfs\":16},{\"network\":\"a\"}]}",
	 "17 ports, the limit is 16"},
	{"{\"cpus\":\"two\",\"networks\":[{\"network\":\"a\"}]}", "'two' is no list of CPUs"},
	{"{\"uid\":-1,\"networks\":[{\"network\":\"a\"}]}", "uid"},
	{"{\"networks\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}", "17 networks"},
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct runplan plan;
		struct rwy_err err = {0};
		int r = parse(refusals[i].json, &plan, &err);
		if (r != -EINVAL || !strstr(err.msg, refusals[i].said))
			fail_msg(
				"%s: %d '%s' lacks '%s'",
				refusals[i].json,
				r,
				err.msg,
				refusals[i].said
			);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_interface_beside_sockets),
		cmocka_unit_test(test_functions_among_others),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_interface_of_a_function_alone),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
