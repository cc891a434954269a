// SPDX-License-Identifier: BSD-3-Clause
// Ports that have functions of a NIC, on a host that is a fake: what is done to the function, what is undone when a step fails, and
// what it is like when it is back.
#include "daemon/core/functions.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/kernel_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY "0123456789abcdef"

static void add_network(uint16_t vfs)
{
	const struct network_spec spec = rig_sriov(vfs);
	(void)rig_add_network(&spec);
}

static void refuse(const struct port_spec *spec, int code, const char *why)
{
	struct rwy_err err = {0};
	struct port_info info;
	int r = service_port_add(instance, spec, &info, &err);
	if (r != code || !strstr(err.msg, why) || !strstr(err.msg, "cannot create port '"))
		fail_msg("%d, and '%s' is not in '%s'", r, why, err.msg);
	assert_false(rig_has_port(spec->name));
}

static void remove_port(const char *name)
{
	struct rwy_err err = {0};
	if (service_port_remove(instance, name, &err))
		fail_msg("%s", err.msg);
}

static void await_running(const char *name)
{
	for (int i = 0; i < 500 && rig_get_port(name).state != WIRE_PORT_RUNNING; i++)
		rig_pause();
	assert_int_equal(rig_get_port(name).state, WIRE_PORT_RUNNING);
}

static void test_vf(void **state)
{
	struct service_function list[FAKE_FUNCTIONS_MAX];
	const struct fake_function *real = &fake_functions.list[0];
	struct network_spec network = rig_sriov(2);
	network.functions.spoof_check = 0;
	network.functions.trust = 1;
	network.functions.link_state = FUNCTION_LINK_UP;
	network.functions.rate_max = 1000;
	(void)rig_add_network(&network);
	struct port_spec spec = rig_port("p", "vf", "40.0.0.2");
	spec.owner_uid = 1000;
	spec.limits.rx_bps = 1500000;
	struct port_info info = rig_add_port(&spec);
	assert_int_equal(info.state, WIRE_PORT_RUNNING);
	assert_string_equal(info.spec.function, "0000:03:10.0");
	assert_string_equal(info.vfio, "/dev/vfio/10");
	assert_string_equal(info.spec.ip, "40.0.0.2/24");
	assert_string_equal(real->driver, FUNCTION_VFIO);
	assert_int_equal(real->owner, 1000);
	assert_memory_equal(real->attributes.mac, info.spec.mac, MAC_SIZE);
	assert_int_equal(real->attributes.vlan, 7);
	assert_int_equal(real->attributes.spoof_check, 0);
	assert_int_equal(real->attributes.trust, 1);
	assert_int_equal(real->attributes.link_state, FUNCTION_LINK_UP);
	assert_int_equal(real->attributes.rate_max, 2);
	rig_functions(list);
	assert_int_equal(list[0].state, FUNCTION_TAKEN);
	assert_string_equal(list[0].port, "p");
	assert_string_equal(list[0].vfio, "/dev/vfio/10");
	assert_string_equal(list[0].link, "enable");
	assert_int_equal(list[0].vlan, 7);

	rig_restart(false);
	await_running("p");
	assert_int_equal(real->binds, 1); // It was right.
	remove_port("p");
	rig_await_function(0, FUNCTION_FREE);
	assert_true(fake_function_is_fresh(0));
	assert_int_equal(real->resets, 1);
}

static void test_vf_kernel(void **state)
{
	const struct fake_function *real = &fake_functions.list[0];
	add_network(2);
	struct port_spec spec = rig_port("p", "vf-kernel", "40.0.0.2");
	struct port_info info = rig_add_port(&spec);
	// Whoever asked for it moves it.
	assert_int_equal(info.state, WIRE_PORT_WAITING);
	assert_string_equal(info.ifname_host, "eth90");
	assert_string_equal(real->driver, "igbvf");
	assert_memory_equal(real->attributes.mac, info.spec.mac, MAC_SIZE);
	fake_functions.list[0].interface[0] = '\0';
	assert_int_equal(rig_get_port("p").state, WIRE_PORT_RUNNING);
	remove_port("p");
	rig_await_function(0, FUNCTION_FREE);
	assert_true(fake_function_is_fresh(0));

	(void)snprintf(spec.netns, sizeof(spec.netns), "/proc/self/ns/net");
	info = rig_add_port(&spec);
	assert_int_equal(info.state, WIRE_PORT_RUNNING);
	assert_string_equal(real->inside, "eth0");
	// The namespace has ended, and the kernel gave it back.
	(void)snprintf(fake_functions.list[0].interface, 16, "dev7");
	fake_functions.list[0].inside[0] = '\0';
	for (int i = 0; i < 500 && !rig_get_port("p").reason[0]; i++)
		rig_pause();
	info = rig_get_port("p");
	assert_int_equal(info.state, WIRE_PORT_WAITING);
	assert_string_equal(info.reason, "its namespace has ended, and the host has it back");
	remove_port("p");
	rig_await_function(0, FUNCTION_FREE);
	assert_true(fake_function_is_fresh(0));
}

// All of them or none, and they go together.
static void test_companions(void **state)
{
	struct rwy_err err = {0};
	add_network(3);
	struct port_spec spec = rig_port("p", "vf", "40.0.0.2");
	spec.vfs = 3;
	(void)rig_add_port(&spec);
	struct port_info second = rig_get_port("p.2");
	assert_string_equal(second.with, "p");
	assert_string_equal(second.spec.ip, "");
	assert_string_equal(second.spec.function, "0000:03:10.2");
	assert_memory_not_equal(second.spec.mac, rig_get_port("p").spec.mac, MAC_SIZE);
	assert_int_equal(service_port_remove(instance, "p.1", &err), -EPERM);
	rig_restart(false);
	assert_string_equal(rig_get_port("p.2").with, "p");
	remove_port("p");
	assert_false(rig_has_port("p.1") || rig_has_port("p.2"));
	for (unsigned int i = 0; i < 3; i++) {
		rig_await_function(i, FUNCTION_FREE);
		assert_true(fake_function_is_fresh(i));
	}
	spec.vfs = 4;
	refuse(&spec, -EBUSY, "no function of network 'n' is free: p, p.1, p.2");
	assert_false(rig_has_port("p.1"));
	for (unsigned int i = 0; i < 3; i++)
		rig_await_function(i, FUNCTION_FREE);
}

static void test_choice(void **state)
{
	add_network(3);
	struct port_spec spec = rig_port("p", "vf", "");
	(void)snprintf(spec.function, sizeof(spec.function), "03:10.1");
	assert_string_equal(rig_add_port(&spec).spec.function, "0000:03:10.1");
	(void)snprintf(spec.name, sizeof(spec.name), "q");
	refuse(&spec, -EBUSY, "function 0000:03:10.1 is port 'p's");
	(void)snprintf(spec.function, sizeof(spec.function), "03:10.5");
	refuse(&spec, -ENOENT, "network 'n' has no function 0000:03:10.5");
	// One that somebody else has in use by now is passed over.
	spec.function[0] = '\0';
	fake_functions.list[0].used = "a bridge";
	assert_string_equal(rig_add_port(&spec).spec.function, "0000:03:10.2");
	(void)snprintf(spec.name, sizeof(spec.name), "r");
	refuse(&spec, -EBUSY, "function 0000:03:10.0 is used by a bridge");
	rig_await_function(0, FUNCTION_FREE);
}

static void keep(const char *key, uint16_t count, bool dry, int code, const char *first)
{
	struct rwy_err err = {0};
	struct service_function list[FAKE_FUNCTIONS_MAX];
	const struct function_wish wish = {
		.network = "n",
		.key = key,
		.attach = "vf",
		.function = "",
		.count = count,
		.dry = dry,
	};
	int r = service_functions_keep(instance, &wish, list, &err);
	if (r != code)
		fail_msg("%d: %s", r, err.msg);
	if (r)
		assert_non_null(strstr(err.msg, first));
	else
		assert_string_equal(list[0].address, first);
}

static void test_kept(void **state)
{
	struct rwy_err err = {0};
	struct container_info container;
	struct service_function list[FAKE_FUNCTIONS_MAX];
	add_network(3);
	assert_int_equal(service_container_add(instance, KEY, &container, &err), 0);
	keep("", 2, true, 0, "0000:03:10.0");
	keep(KEY, 2, false, 0, "0000:03:10.0");
	keep(KEY, 2, false, 0, "0000:03:10.0"); // The same.
	keep("", 1, true, 0, "0000:03:10.2");
	// Whoever has no place gets others' last.
	struct port_spec spec = rig_port("a", "vf", "");
	assert_string_equal(rig_add_port(&spec).spec.function, "0000:03:10.2");
	rig_restart(false);
	struct port_spec own = rig_port("own", "vf", "");
	(void)snprintf(own.key, sizeof(own.key), KEY);
	assert_string_equal(rig_add_port(&own).spec.function, "0000:03:10.0");
	(void)snprintf(spec.name, sizeof(spec.name), "b");
	assert_string_equal(rig_add_port(&spec).spec.function, "0000:03:10.1");
	keep("", 1, true, -EBUSY, "no function of network 'n' is free: own, b, a");
	remove_port("own");
	rig_await_function(0, FUNCTION_FREE);
	rig_functions(list);
	assert_string_equal(list[0].key, KEY); // For its next start.
	assert_string_equal(list[1].key, "");
	assert_int_equal(service_container_remove(instance, KEY, &err), 0);
	rig_functions(list);
	assert_string_equal(list[0].key, "");
	fake_functions.no_iommu = true;
	keep("", 1, true, -ENOTSUP, "there is no IOMMU");
}

// Whatever fails, nothing stays of the port, and the function is as it was.
static void test_each_step_fails(void **state)
{
	static const struct {
		const char *attach, *function;
	} steps[] = {
		{"vf", "functions_check_free"},
		{"vf", "functions_get_attributes"},
		{"vf", "functions_set_attributes"},
		{"vf", "functions_bind"},
		{"vf", "functions_vfio_own"},
		{"vf-kernel", "functions_bind"},
		{"vf-kernel", "functions_interface"},
		{"vf-kernel", "functions_interface_prepare"},
		{"vf-kernel", "functions_interface_place"},
	};
	add_network(1);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct port_spec spec = rig_port("p", steps[i].attach, "");
		struct port_info info;
		struct rwy_err err = {0};
		if (strcmp(spec.attach, "vf") != 0)
			(void)snprintf(spec.netns, sizeof(spec.netns), "/proc/self/ns/net");
		fake_functions.fail = steps[i].function;
		service_unlock(instance); // The thread may be looking at it.
		service_lock(instance);
		// What cannot be taken back at once is, when it can be.
		assert_true(service_port_add(instance, &spec, &info, &err) < 0);
		if (!strstr(err.msg, steps[i].function) ||
		    !strstr(err.msg, "cannot create port 'p': "))
			fail_msg("%s: %s", steps[i].function, err.msg);
		assert_false(rig_has_port("p"));
		fake_functions.fail = NULL;
		rig_await_function(0, FUNCTION_FREE);
		if (!fake_function_is_fresh(0))
			fail_msg("after %s", steps[i].function);
	}
}

// A function that a process still has open is nobody's until it is closed, and the process is named after a while.
static void test_open_function(void **state)
{
	struct service_function list[FAKE_FUNCTIONS_MAX];
	add_network(1);
	struct port_spec spec = rig_port("p", "vf", "");
	spec.owner_uid = 1000;
	(void)rig_add_port(&spec);
	fake_functions.list[0].open = true;
	remove_port("p");
	for (int i = 0; i < 500; i++) {
		rig_functions(list);
		if (list[0].reason[0])
			break;
		rig_pause();
	}
	assert_int_equal(list[0].state, FUNCTION_RETURNING);
	assert_string_equal(list[0].reason, "a process has 0000:03:10.0 open by VFIO");
	assert_int_equal(fake_functions.list[0].owner, 0); // Nobody else opens it.
	(void)snprintf(spec.name, sizeof(spec.name), "q");
	refuse(&spec, -EBUSY, "no function of network 'n' is free: returning");
	rig_restart(false);
	rig_functions(list);
	assert_int_equal(list[0].state, FUNCTION_RETURNING);
	fake_functions.list[0].open = false;
	rig_await_function(0, FUNCTION_FREE);
	assert_true(fake_function_is_fresh(0));
	(void)rig_add_port(&spec);
}

static void test_limits(void **state)
{
	struct rwy_err err = {0};
	struct port_info info;
	add_network(1);
	struct port_spec spec = rig_port("p", "vf", "");
	(void)rig_add_port(&spec);
	// The first limit is that of rx in bits.
	struct port_limits_given given = {.values = {.rx_bps = 10000000}, .given = 1};
	assert_int_equal(service_port_set_limits(instance, "p", &given, &info, &err), 0);
	assert_int_equal(fake_functions.list[0].attributes.rate_max, 10);
	given = (struct port_limits_given){.given = 1};
	assert_int_equal(service_port_set_limits(instance, "p", &given, &info, &err), 0);
	assert_int_equal(fake_functions.list[0].attributes.rate_max, 0);
	given = (struct port_limits_given){.values = {.rx_fps = 10}, .given = 4};
	assert_int_equal(service_port_set_limits(instance, "p", &given, &info, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "limit 'rx_fps': a NIC does not"));
}

static void test_counters(void **state)
{
	struct rwy_err err = {0};
	add_network(1);
	struct port_spec spec = rig_port("p", "vf", "");
	(void)rig_add_port(&spec);
	if (link_wait(instance->link, 5000, &err))
		fail_msg("%s", err.msg);
	json_t *stats = json_object();
	assert_int_equal(service_stats(instance, "p", stats, &err), 0);
	const json_t *port = json_array_get(json_object_get(stats, "ports"), 0);
	assert_string_equal(json_string_value(json_object_get(port, "state")), "running");
	const json_t *rx = json_object_get(port, "rx");
	assert_int_equal(json_integer_value(json_object_get(rx, "frames")), 11);
	json_decref(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_vf),
		TEST(test_vf_kernel),
		TEST(test_companions),
		TEST(test_choice),
		TEST(test_kept),
		TEST(test_each_step_fails),
		TEST(test_open_function),
		TEST(test_limits),
		TEST(test_counters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
