// SPDX-License-Identifier: BSD-3-Clause
// Networks with functions of a NIC, and the ports that get these: what is refused, and with which words.
#include "daemon/model/functions.h"
#include "daemon/model/spec.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SET_TEXT(member, text) ((void)snprintf(member, sizeof(member), "%s", text))

static struct network_spec network(const char *driver)
{
	struct network_spec spec = {
		.name = "n",
		.subnet = "40.0.0.0/24",
		.functions = NETWORK_FUNCTIONS_NONE,
	};
	SET_TEXT(spec.driver, driver);
	SET_TEXT(spec.functions.parent, "eth2");
	spec.functions.vfs = 4;
	return spec;
}

static void expect_bad(struct network_spec spec, const char *why)
{
	struct rwy_err err = {0};
	assert_int_equal(model_check_network(&spec, &err), -EINVAL);
	if (!strstr(err.msg, why) || !strstr(err.msg, "cannot create network 'n': "))
		fail_msg("'%s' is not in '%s'", why, err.msg);
}

static void test_networks(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = network("sriov");
	spec.vlan = 7;
	assert_int_equal(model_check_network(&spec, &err), 0);
	assert_true(model_is_sriov(&spec));
	assert_true(spec.no_gateway);
	assert_int_equal(spec.functions.trust, -1);
	model_choose_gateways(&spec);
	assert_string_equal(spec.gateway, ""); // Only one that was given is the containers'.
	assert_int_equal(model_check_network(&spec, &err), 0);

	spec = network("switch");
	SET_TEXT(spec.uplink, "eth2");
	spec.proxy_neighbors = true;
	assert_int_equal(model_check_network(&spec, &err), 0);
	assert_false(model_is_sriov(&spec) || spec.no_gateway);
	assert_string_equal(spec.driver, ""); // One form for what is the same.

	// One that has none is of the same form however it was asked for.
	const struct network_functions none = NETWORK_FUNCTIONS_NONE;
	spec = (struct network_spec){.name = "n", .uplink = "0000:03:10.1"};
	assert_int_equal(model_check_network(&spec, &err), 0);
	assert_memory_equal(&spec.functions, &none, sizeof(none));
	spec.functions.noiommu = true; // An uplink's function may be of such a host.
	assert_int_equal(model_check_network(&spec, &err), 0);
	assert_true(spec.functions.noiommu);
}

static void test_bad_networks(void **state)
{
	struct network_spec spec = network("bridge");
	expect_bad(spec, "there is no driver 'bridge'");
	spec = network("sriov");
	spec.functions.vfs = 0;
	expect_bad(spec, "0 functions are too few");
	spec.functions.vfs = FUNCTIONS_MAX + 1;
	expect_bad(spec, "257 functions are too many");
	spec.functions.parent[0] = '\0';
	expect_bad(spec, "a number of functions: it has no parent");
	spec.functions.vfs = 0;
	expect_bad(spec, "driver sriov needs a parent");
	spec.functions.trust = 1;
	expect_bad(spec, "trust: it has no parent");
	spec.functions.trust = -1;
	spec.functions.noiommu = true;
	expect_bad(spec, "no-IOMMU mode: it has no parent");
	spec = network("sriov");
	SET_TEXT(spec.uplink, "eth1");
	expect_bad(spec, "an uplink: networks of the driver sriov have no switch");
	spec = network("sriov");
	spec.proxy_neighbors = true;
	expect_bad(spec, "answering neighbour requests: networks of the driver sriov");
	spec = network("sriov");
	spec.functions.rate_min = 11;
	spec.functions.rate_max = 10;
	expect_bad(spec, "the least rate, 11 Mbit/s, is above the largest, 10 Mbit/s");
	spec = network("sriov");
	spec.functions.link_state = 3;
	expect_bad(spec, "out of range");
	spec = network("sriov");
	spec.vlan = 4095;
	expect_bad(spec, "VLAN 4095 is out of range");
}

static struct port_spec port(const char *attach)
{
	struct port_spec spec = {.name = "p", .network = "n"};
	SET_TEXT(spec.attach, attach);
	return spec;
}

static void test_ports(void **state)
{
	struct rwy_err err = {0};
	const struct network_spec net = network("sriov");
	struct port_spec spec = port("vf");
	SET_TEXT(spec.ip, "40.0.0.2");
	SET_TEXT(spec.function, "3:10");
	spec.owner_uid = 1000;
	spec.cpus = 3;
	spec.limits.rx_bps = 1000001;
	assert_int_equal(model_check_port(&spec, &net, &err), -EINVAL);
	assert_string_equal(err.msg, "cannot create port 'p': '3:10' is no PCI function's address");
	SET_TEXT(spec.function, "3:1F.1");
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	assert_string_equal(spec.ip, "40.0.0.2/24");
	assert_string_equal(spec.function, "0000:03:1f.1");
	assert_int_equal(spec.vfs, 1);
	assert_int_equal(model_function_rate(&spec.limits), 2);
	assert_true(model_is_function_port(&spec));
	spec = port("vf-kernel");
	SET_TEXT(spec.netns, "/proc/7/ns/net");
	SET_TEXT(spec.key, "0123456789abcdef");
	spec.vfs = MODEL_FUNCTIONS;
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	assert_string_equal(spec.ifname, "eth0");
	assert_int_equal(model_function_rate(&spec.limits), 0);
}

static void test_bad_ports(void **state)
{
	struct rwy_err err = {0};
	struct network_spec sriov = network("sriov");
	struct network_spec plain = network("");
	plain.functions.parent[0] = '\0';
	struct port_spec queues = port("vf");
	queues.queues = 2;
	struct port_spec learning = port("vf-kernel");
	learning.learning = true;
	struct port_spec netns = port("vf");
	SET_TEXT(netns.netns, "/proc/7/ns/net");
	struct port_spec pinned = port("vf");
	SET_TEXT(pinned.ip, "40.0.0.2");
	pinned.pin_address = true;
	struct port_spec many = port("vf");
	many.vfs = MODEL_FUNCTIONS + 1;
	struct port_spec number = port("vhost");
	number.vfs = 2;
	struct port_spec owner = port("vf-kernel");
	owner.owner_uid = 7;
	struct port_spec limit = port("vf");
	limit.limits.tx_bps = 1000;
	struct port_spec burst = port("vf");
	burst.limits.rx_bps = burst.limits.rx_burst = 1000000;
	const struct {
		struct port_spec spec;
		const struct network_spec *network;
		const char *why;
	} bad[] = {
		{port("vf"), &plain, "network 'n' has no functions of a NIC"},
		{port("vf-kernel"), &plain, "network 'n' has no functions of a NIC"},
		{port("vhost"), &sriov, "has functions of a NIC and no switch: vhost ports"},
		{port("kernel"), &sriov, "no switch: kernel ports"},
		{queues, &sriov, "queues: vf ports have none"},
		{learning, &sriov, "learning of addresses: vf-kernel ports have none"},
		{netns, &sriov, "a namespace: vf ports have none"},
		{pinned, &sriov, "a pinned address: vf ports have none"},
		{many, &sriov, "17 functions are too many"},
		{number, &plain, "a number of functions: vhost ports have none"},
		{owner, &sriov, "an owner of its node: vf-kernel ports have none"},
		{limit, &sriov, "limit 'tx_bps': a NIC does not hold a function to that"},
		{burst, &sriov, "limit 'rx_burst': a NIC does not"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct port_spec spec = bad[i].spec;
		if (model_check_port(&spec, bad[i].network, &err) != -EINVAL ||
		    !strstr(err.msg, bad[i].why) || !strstr(err.msg, "cannot create port 'p': "))
			fail_msg("'%s' is not in '%s'", bad[i].why, err.msg);
	}
	struct network_spec both = network("switch");
	struct port_spec vhost = port("vhost");
	struct port_spec vf = port("vf");
	assert_int_equal(model_check_port(&vhost, &both, &err), 0);
	assert_int_equal(model_check_port(&vf, &both, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_bad_networks),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_bad_ports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
