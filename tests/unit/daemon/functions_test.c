// SPDX-License-Identifier: BSD-3-Clause
// Networks with functions of a NIC, on a host that is a fake: what is claimed, when their count changes, and what is given back.
#include "daemon/core/functions.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/kernel_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void refuse(const struct network_spec *spec, int code, const char *why)
{
	struct rwy_err err = {0};
	struct network_info info;
	int r = service_network_add(instance, spec, &info, &err);
	if (r != code || !strstr(err.msg, why) || !strstr(err.msg, "cannot create network '"))
		fail_msg("%d, and '%s' is not in '%s'", r, why, err.msg);
	assert_int_equal(service_network_get(instance, spec->name, &info, &err), -ENOENT);
}

static void remove_network(const char *name)
{
	struct rwy_err err = {0};
	if (service_network_remove(instance, name, &err))
		fail_msg("%s", err.msg);
}

static unsigned int count_rows(void)
{
	unsigned int count = 0;
	const struct function *function;
	TAILQ_FOREACH (function, &instance->functions, entry)
		count++;
	return count;
}

static struct port_spec vf(const char *name)
{
	return rig_port(name, "vf", "");
}

static void await_running(const char *name)
{
	for (int i = 0; i < 500 && rig_get_port(name).state != WIRE_PORT_RUNNING; i++)
		rig_pause();
	assert_int_equal(rig_get_port(name).state, WIRE_PORT_RUNNING);
}

// A NIC without functions gets as many as were asked for, and none again.
static void test_count_is_made(void **state)
{
	struct service_function list[FAKE_FUNCTIONS_MAX];
	struct network_info info;
	const struct network_spec spec = rig_sriov(4);
	(void)rig_add_network(&spec);
	assert_int_equal(fake_functions.vfs, 4);
	assert_int_equal(fake_functions.counts_set, 1);
	assert_int_equal(count_rows(), 4);
	assert_int_equal(service_network_get(instance, "n", &info, NULL), 0);
	assert_string_equal(info.spec.functions.pf, FAKE_PF);
	rig_functions(list);
	assert_string_equal(list[3].address, "0000:03:10.3");
	assert_string_equal(list[3].network, "n");
	assert_string_equal(list[3].driver, "igbvf");
	assert_int_equal(list[3].iommu_group, 13);
	assert_true(list[3].there);
	assert_int_equal(list[3].state, FUNCTION_FREE);
	assert_string_equal(list[4].address, "");
	// Nothing of it is the switch's or the kernel's.
	assert_int_equal(fake_kernel.network_count + fake_kernel.port_count, 0);

	rig_restart(false);
	assert_int_equal(count_rows(), 4);
	assert_int_equal(fake_functions.counts_set, 1);
	remove_network("n");
	assert_int_equal(fake_functions.vfs, 0);
	assert_int_equal(count_rows(), 0);
	assert_true(TAILQ_EMPTY(&instance->parents));
}

// Of a NIC that has some, those that nobody uses are claimed, and their count stays.
static void test_functions_are_claimed(void **state)
{
	struct service_function list[FAKE_FUNCTIONS_MAX];
	struct network_spec spec = rig_sriov(2);
	fake_functions_reset(5);
	fake_functions.list[0].used = "interface 'eth2v0', which has an address";
	(void)rig_add_network(&spec);
	rig_functions(list);
	assert_string_equal(list[0].address, "");
	assert_string_equal(list[1].network, "n");
	assert_string_equal(list[2].network, "n");
	assert_string_equal(list[3].address, "");
	// Another one's are others, and no more of them can be made while one is in use.
	(void)snprintf(spec.name, sizeof(spec.name), "m");
	(void)snprintf(spec.subnet, sizeof(spec.subnet), "41.0.0.0/24");
	spec.functions.vfs = 3;
	refuse(&spec, -EBUSY, "interface 'eth2v0', which has an address");
	assert_int_equal(count_rows(), 2);
	spec.functions.vfs = 2;
	(void)rig_add_network(&spec);
	rig_functions(list);
	assert_string_equal(list[4].network, "m");
	assert_int_equal(fake_functions.counts_set, 0);
	remove_network("n");
	remove_network("m");
	assert_int_equal(fake_functions.vfs, 5);
	assert_int_equal(fake_functions.counts_set, 0);
}

static void test_count_is_raised(void **state)
{
	struct service_function list[FAKE_FUNCTIONS_MAX];
	struct rwy_err err = {0};
	struct network_spec spec = rig_sriov(2);
	struct network_spec more = rig_sriov(3);
	struct port_spec port = vf("p");
	(void)snprintf(more.name, sizeof(more.name), "m");
	(void)snprintf(more.subnet, sizeof(more.subnet), "41.0.0.0/24");
	fake_functions_reset(1);
	(void)rig_add_network(&spec);
	assert_int_equal(fake_functions.vfs, 2);
	(void)rig_add_port(&port);
	refuse(&more, -EBUSY, "0000:03:10.0 is in use by port 'p'");
	assert_int_equal(fake_functions.vfs, 2);
	assert_int_equal(service_port_remove(instance, "p", &err), 0);
	rig_await_function(0, FUNCTION_FREE);
	(void)rig_add_network(&more);
	assert_int_equal(fake_functions.vfs, 5);
	rig_functions(list);
	assert_string_equal(list[1].network, "n");
	assert_string_equal(list[2].network, "m");
	(void)snprintf(more.name, sizeof(more.name), "o");
	(void)snprintf(more.subnet, sizeof(more.subnet), "42.0.0.0/24");
	refuse(&more, -ENOSPC, "has 7 functions at most, and other networks have 5");
	remove_network("n");
	assert_int_equal(fake_functions.vfs, 5); // The other one's stay.
	remove_network("m");
	assert_int_equal(fake_functions.vfs, 1);
}

static void test_bad_networks(void **state)
{
	struct network_spec spec = rig_sriov(8);
	refuse(&spec, -EINVAL, "eth2 has 7 functions at most, not 8");
	spec.functions.vfs = 0;
	refuse(&spec, -EINVAL, "0 functions are too few");
	spec.functions.vfs = 1;
	(void)snprintf(spec.functions.parent, sizeof(spec.functions.parent), "eth1");
	refuse(&spec, -EINVAL, "'eth1' has no SR-IOV");
	(void)snprintf(spec.functions.parent, sizeof(spec.functions.parent), "eth9");
	refuse(&spec, -ENODEV, "there is no interface 'eth9'");
	spec = rig_sriov(4);
	fake_functions.fail = "functions_set_count";
	refuse(&spec, -EIO, "functions_set_count fails");
	assert_int_equal(count_rows(), 0);
	assert_true(TAILQ_EMPTY(&instance->parents));
	fake_functions.fail = NULL;
	(void)rig_add_network(&spec);
}

static void test_host_without(void **state)
{
	struct network_spec spec = rig_sriov(4);
	instance_stop(true);
	fake_functions.absent = true;
	instance_start();
	refuse(&spec, -ENOSYS, "there are no functions of NICs here: the host has no PCI");
}

// A switch's network has its own things beside the functions.
static void test_switch_has_functions(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = rig_sriov(2);
	struct port_spec port = vf("p");
	struct port_spec kernel = rig_port("k", "kernel", "");
	spec.driver[0] = '\0';
	(void)rig_add_network(&spec);
	assert_true(rig_has_port("n.gateway"));
	(void)rig_add_port(&port);
	(void)rig_add_port(&kernel);
	assert_int_equal(rig_get_port("p").state, WIRE_PORT_RUNNING);
	rig_restart(true);
	await_running("p");
	assert_int_equal(service_port_remove(instance, "k", &err), 0);
	assert_int_equal(service_network_remove(instance, "n", &err), -EBUSY);
	assert_int_equal(service_port_remove(instance, "p", &err), 0);
	remove_network("n");
	assert_int_equal(fake_functions.vfs, 0);
	assert_int_equal(fake_kernel.network_count, 0);
}

// A network does not go while one of its functions is on its way back, and says who is in the way.
static void test_network_waits(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = rig_sriov(1);
	struct port_spec port = vf("p");
	(void)rig_add_network(&spec);
	(void)rig_add_port(&port);
	fake_functions.list[0].open = true;
	assert_int_equal(service_port_remove(instance, "p", &err), 0); // Which does not wait.
	assert_int_equal(service_network_remove(instance, "n", &err), -EBUSY);
	assert_string_equal(
		err.msg,
		"cannot remove network 'n': function 0000:03:10.0 is on its way back: a process has 0000:03:10.0 open by VFIO"
	);
	fake_functions.list[0].open = false;
	remove_network("n");
	assert_int_equal(fake_functions.vfs, 0);
}

// A host that was restarted has no functions any more: the parent gets them again, and ports theirs.
static void test_parent_loses_all(void **state)
{
	struct network_spec spec = rig_sriov(3);
	struct port_spec port = vf("p");
	(void)rig_add_network(&spec);
	(void)rig_add_port(&port);
	instance_stop(false);
	fake_functions_reset(0);
	instance_start();
	// The port has a function, as it had before; what that is like is looked at next.
	for (int i = 0; i < 500 && strcmp(fake_functions.list[0].driver, FUNCTION_VFIO) != 0; i++)
		rig_pause();
	await_running("p");
	assert_int_equal(fake_functions.vfs, 3);
	assert_string_equal(fake_functions.list[0].driver, FUNCTION_VFIO);
	assert_int_equal(fake_functions.list[0].attributes.vlan, 7);
}

// An uplink's function is taken by the same rows, and goes back when the last VLAN of it has gone.
static void test_uplink_takes(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = {.name = "n", .uplink = "0000:03:10.2"};
	struct network_info info;
	fake_functions_reset(3);
	fake_functions.list[2].used = "the default route";
	assert_int_equal(service_network_add(instance, &spec, &info, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "is used by the default route"));
	assert_int_equal(fake_kernel.uplink_count, 0);
	assert_int_equal(count_rows(), 0);
	fake_functions.list[2].used = NULL;
	(void)rig_add_network(&spec);
	assert_int_equal(fake_kernel.uplink_count, 1);
	assert_string_equal(fake_functions.list[2].driver, FUNCTION_VFIO);
	assert_int_equal(fake_functions.list[2].attributes.trust, 1);
	struct port_spec second = rig_port("u", "ether", "");
	(void)snprintf(second.device, sizeof(second.device), "03:10.2");
	second.vlan = 9;
	(void)rig_add_port(&second);
	assert_int_equal(fake_kernel.uplink_count, 2);
	assert_int_equal(count_rows(), 1);
	// Not one that networks of functions may claim.
	struct network_spec sriov = rig_sriov(3);
	(void)snprintf(sriov.name, sizeof(sriov.name), "s");
	refuse(&sriov, -EBUSY, "0000:03:10.2 is in use by port 'n.uplink'");

	rig_restart(false);
	assert_int_equal(count_rows(), 1);
	assert_int_equal(link_wait(instance->link, 5000, &err), 0);
	// Its uplink's port is made anew, while its function is on its way back.
	uint32_t id = daemon_find_network(instance, "n")->info.id;
	assert_int_equal(service_network_bind(instance, id, "m", false, "", &err), 0);
	assert_int_equal(service_port_remove(instance, "u", &err), 0);
	assert_string_equal(fake_functions.list[2].driver, FUNCTION_VFIO);
	remove_network("m");
	for (int i = 0; i < 500 && count_rows(); i++)
		rig_pause();
	assert_int_equal(count_rows(), 0);
	assert_true(fake_function_is_fresh(2));
}

// What the administrator bound is used as it is, and left so.
static void test_uplink_is_bound(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = {.name = "n", .uplink = FAKE_NIC};
	(void)snprintf(fake_functions.nic.driver, 32, FUNCTION_VFIO);
	(void)rig_add_network(&spec);
	assert_int_equal(fake_kernel.uplink_count, 1);
	assert_int_equal(count_rows(), 0);
	assert_int_equal(service_network_remove(instance, "n", &err), 0);
	assert_int_equal(fake_functions.nic.binds, 0);
	assert_string_equal(fake_functions.nic.driver, FUNCTION_VFIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_count_is_made),
		TEST(test_functions_are_claimed),
		TEST(test_count_is_raised),
		TEST(test_bad_networks),
		TEST(test_host_without),
		TEST(test_switch_has_functions),
		TEST(test_network_waits),
		TEST(test_parent_loses_all),
		TEST(test_uplink_takes),
		TEST(test_uplink_is_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
