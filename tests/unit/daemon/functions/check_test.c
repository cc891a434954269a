// SPDX-License-Identifier: BSD-3-Clause
// Why a function is not free: by trees like sysfs's, and, as root, by interfaces in a namespace of the test's own.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/functions/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static struct tree tree;
static struct rwy_err err;
static const char *no_interfaces; // Why there is no namespace of the test's own.

static int set_up(void **state)
{
	(void)state;
	tree_open(&tree);
	tree_add_nic(&tree);
	err = (struct rwy_err){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_close(&tree);
	return 0;
}

static void expect_free(bool for_vfio, bool noiommu)
{
	int r = functions_check_free(tree.functions, TREE_VF0, for_vfio, noiommu, &err);
	if (r)
		fail_msg("%s (%d)", err.msg, r);
}

static void expect_not(int error, bool for_vfio, bool noiommu, const char *says)
{
	int r = functions_check_free(tree.functions, TREE_VF0, for_vfio, noiommu, &err);
	assert_int_equal(r, error);
	assert_non_null(strstr(err.msg, TREE_VF0));
	if (!strstr(err.msg, says))
		fail_msg("'%s' does not say '%s'", err.msg, says);
	assert_true(err.hint[0] || error == -EBUSY);
}

static void drivers_that_are_no_networks_have_it(void **state)
{
	(void)state;
	expect_not(-EBUSY, false, false, "driver 'igbvf' has it, which makes no interface");
	tree_bind(&tree, TREE_VF0, "vfio-pci");
	expect_free(true, false);
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF0 "/driver");
	expect_free(true, false);
	assert_int_equal(
		functions_check_free(tree.functions, "0000:09:00.0", false, false, &err), -ENODEV
	);
}

static void an_interface_that_does_not_show_is_elsewhere(void **state)
{
	(void)state;
	tree_file(&tree, "", "sys/devices/pci0/" TREE_VF0 "/net/.there");
	expect_not(-EBUSY, false, false, "its interface is in another network namespace");
	tree_add_interface(&tree, TREE_VF0, "rw-no-such");
	expect_not(-EBUSY, false, false, "'rw-no-such' is in another network namespace");
}

static void the_host_may_have_no_iommu(void **state)
{
	(void)state;
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF0 "/driver");
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF0 "/iommu_group");
	expect_free(false, false);
	expect_not(-ENOTSUP, true, false, "no IOMMU");
	expect_not(-ENOTSUP, true, true, "nor does its VFIO run in no-IOMMU mode");
	tree_file(&tree, "N\n", "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	expect_not(-ENOTSUP, true, true, "nor does its VFIO run in no-IOMMU mode");
	tree_file(&tree, "Y\n", "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	expect_free(true, true);
	expect_not(-ENOTSUP, true, false, "no IOMMU");
	// A group of VFIO's own does not make it safe.
	tree_link(
		&tree,
		"../../../kernel/iommu_groups/20",
		"sys/devices/pci0/" TREE_VF0 "/iommu_group"
	);
	tree_file(&tree, "vfio-noiommu\n", "sys/kernel/iommu_groups/20/name");
	tree_bind(&tree, TREE_VF0, "vfio-pci");
	expect_free(true, true);
	expect_not(-ENOTSUP, true, false, "no IOMMU");
}

static void groups_may_be_shared_with_what_does_nothing(void **state)
{
	(void)state;
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF0 "/driver");
	tree_add_device(&tree, "0000:00:1c.0", 20, "pcieport");
	tree_add_device(&tree, "0000:07:00.0", 20, NULL);
	tree_add_device(&tree, "0000:07:00.1", 20, "vfio-pci");
	expect_free(true, false);
	tree_add_device(&tree, "0000:07:00.2", 20, "snd_hda_intel");
	expect_not(
		-EXDEV,
		true,
		false,
		"its IOMMU group 20 has 0000:07:00.2 too, which driver 'snd_hda_intel' has"
	);
	expect_free(false, false);
}

static void parents_of_functions_keep_their_driver(void **state)
{
	(void)state;
	tree_remove(&tree, "sys/devices/pci0/" TREE_PF "/net");
	tree_bind(&tree, TREE_PF, "vfio-pci");
	assert_int_equal(functions_check_free(tree.functions, TREE_PF, true, false, &err), 0);
}

static int run(const char *command)
{
	// NOLINTNEXTLINE(cert-env33-c): the test's own words
	return system(command);
}

// The interface of TREE_VF0 is "rw-f", which is really there.
static void make_interface(void)
{
	if (no_interfaces) {
		print_message("skipped: %s\n", no_interfaces);
		skip();
	}
	(void)run("ip link del rw-f 2>/dev/null"); // Of the test before.
	assert_int_equal(run("ip link add rw-f type veth peer name rw-g"), 0);
	tree_add_interface(&tree, TREE_VF0, "rw-f");
}

static void interfaces_that_only_are_up_are_free(void **state)
{
	(void)state;
	make_interface();
	expect_free(true, false);
	// Both ends, so that it gets its link-local address and routes.
	assert_int_equal(run("ip link set rw-f up && ip link set rw-g up"), 0);
	expect_free(true, false);
}

static void addresses_are_uses(void **state)
{
	(void)state;
	make_interface();
	assert_int_equal(run("ip addr add 10.77.0.1/24 dev rw-f"), 0);
	expect_not(-EBUSY, false, false, "its interface 'rw-f' has the address 10.77.0.1/24");
	assert_int_equal(run("ip addr flush dev rw-f"), 0);
	expect_free(false, false);
	if (run("ip addr add fd00:77::1/64 dev rw-f 2>/dev/null"))
		return; // No IPv6 here.
	expect_not(-EBUSY, false, false, "has the address fd00:77::1/64");
}

static void routes_are_uses(void **state)
{
	(void)state;
	make_interface();
	assert_int_equal(run("ip link set rw-g up && ip link set rw-f up"), 0);
	assert_int_equal(run("ip route add 10.78.0.0/16 dev rw-f"), 0);
	expect_not(-EBUSY, false, false, "the host has routes by its interface 'rw-f'");
	assert_int_equal(run("ip route flush dev rw-f"), 0);
	expect_free(false, false);
	// Tables that nobody looks at are none of the host's way.
	assert_int_equal(run("ip route add default dev rw-f table 1077"), 0);
	expect_free(false, false);
}

static void default_routes_are_named(void **state)
{
	(void)state;
	make_interface();
	assert_int_equal(run("ip link set rw-g up && ip link set rw-f up"), 0);
	assert_int_equal(run("ip addr add 10.77.0.1/24 dev rw-f"), 0);
	assert_int_equal(run("ip route add default via 10.77.0.2"), 0);
	expect_not(-EBUSY, false, false, "'rw-f' carries the host's default route");
	assert_int_equal(run("ip addr flush dev rw-f"), 0);
	expect_free(false, false);
	assert_int_equal(
		run("ip route add default nexthop dev rw-f weight 1 nexthop dev rw-g weight 1"), 0
	);
	expect_not(-EBUSY, false, false, "'rw-f' carries the host's default route");
	assert_int_equal(run("ip route flush dev rw-g"), 0);
	if (run("ip -6 route add default dev rw-f 2>/dev/null"))
		return; // No IPv6 here.
	expect_not(-EBUSY, false, false, "'rw-f' carries the host's default route");
}

static void what_is_built_on_it_are_uses(void **state)
{
	(void)state;
	make_interface();
	tree_file(&tree, "", "sys/devices/pci0/" TREE_VF0 "/net/rw-f/upper_rw-f.5");
	expect_not(-EBUSY, false, false, "'rw-f.5' is built on its interface 'rw-f'");
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF0 "/net/rw-f/upper_rw-f.5");
	expect_free(false, false);
	if (run("ip link add rw-b type bridge 2>/dev/null")) {
		print_message("skipped in part: no bridges here\n");
		return;
	}
	assert_int_equal(run("ip link set rw-f master rw-b"), 0);
	expect_not(-EBUSY, false, false, "its interface 'rw-f' belongs to bridge 'rw-b'");
	assert_int_equal(run("ip link del rw-b"), 0);
	expect_free(false, false);
}

static void each_interface_counts(void **state)
{
	(void)state;
	make_interface();
	tree_add_interface(&tree, TREE_VF0, "rw-g");
	assert_int_equal(run("ip addr add 10.77.0.9/24 dev rw-g"), 0);
	expect_not(-EBUSY, false, false, "its interface 'rw-g' has the address 10.77.0.9/24");
}

static void a_driver_that_makes_functions_stays(void **state)
{
	(void)state;
	make_interface();
	tree_remove(&tree, "sys/devices/pci0/" TREE_PF "/net");
	tree_add_interface(&tree, TREE_PF, "rw-f");
	assert_int_equal(functions_check_free(tree.functions, TREE_PF, true, false, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "it has 2 virtual functions"));
	tree_file(&tree, "0\n", "sys/devices/pci0/" TREE_PF "/sriov_numvfs");
	assert_int_equal(functions_check_free(tree.functions, TREE_PF, true, false, &err), 0);
}

static void interfaces_are_made_ready(void **state)
{
	static const uint8_t mac[MAC_SIZE] = {0x52, 0x54, 0, 0, 0xaa, 1};
	static const uint8_t none[MAC_SIZE] = {0};
	(void)state;
	make_interface();
	assert_int_equal(run("ip link set rw-f up"), 0);
	assert_int_equal(functions_interface_prepare(tree.functions, "rw-f", mac, 1400, &err), 0);
	assert_int_equal(
		run("ip -o link show rw-f | grep -v '[<,]UP' | grep 'mtu 1400' |"
		    " grep -q 52:54:00:00:aa:01"),
		0
	);
	assert_int_equal(functions_interface_prepare(tree.functions, "rw-f", none, 0, &err), 0);
	assert_int_equal(run("ip -o link show rw-f | grep -q 52:54:00:00:aa:01"), 0);
	assert_int_equal(
		functions_interface_prepare(tree.functions, "rw-f", none, 70000, &err), -EINVAL
	);
	assert_int_equal(functions_interface_rename(tree.functions, "rw-f", "rw-g", &err), -EEXIST);
	assert_int_equal(functions_interface_rename(tree.functions, "rw-f", "rw-h", &err), 0);
	assert_int_equal(functions_interface_rename(tree.functions, "rw-h", "rw-f", &err), 0);
	assert_int_equal(functions_interface_rename(tree.functions, "rw-x", "rw-y", &err), -ENODEV);
}

static int other_netns(void)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	int other = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(run("ip link add taken type veth peer name other"), 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	(void)close(home);
	return other;
}

static void interfaces_that_cannot_be_placed_stay(void **state)
{
	struct function_inside inside = {.name = "taken", .address = {"10.77.0.2/24"}};
	(void)state;
	make_interface();
	inside.netns_fd = other_netns();
	assert_int_equal(functions_interface_place(tree.functions, "rw-f", &inside, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "has an interface 'taken' already"));
	assert_int_equal(run("ip link show rw-f >/dev/null"), 0);
	// Half-way: it is there and cannot be set up.
	(void)snprintf(inside.name, sizeof(inside.name), "eth0");
	(void)snprintf(inside.gateway[0], sizeof(inside.gateway[0]), "192.0.2.1");
	assert_int_not_equal(functions_interface_place(tree.functions, "rw-f", &inside, &err), 0);
	assert_non_null(strstr(err.msg, "cannot route by the gateway 192.0.2.1"));
	assert_int_equal(run("ip link show rw-f >/dev/null"), 0);
	(void)snprintf(inside.gateway[0], sizeof(inside.gateway[0]), "10.77.0.1");
	assert_int_equal(functions_interface_place(tree.functions, "rw-f", &inside, &err), 0);
	assert_int_not_equal(run("ip link show rw-f >/dev/null 2>&1"), 0);
	assert_int_equal(functions_interface_place(tree.functions, "rw-f", &inside, &err), -EEXIST);
	(void)close(inside.netns_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(drivers_that_are_no_networks_have_it),
		TEST(an_interface_that_does_not_show_is_elsewhere),
		TEST(the_host_may_have_no_iommu),
		TEST(groups_may_be_shared_with_what_does_nothing),
		TEST(parents_of_functions_keep_their_driver),
		TEST(interfaces_that_only_are_up_are_free),
		TEST(addresses_are_uses),
		TEST(routes_are_uses),
		TEST(default_routes_are_named),
		TEST(what_is_built_on_it_are_uses),
		TEST(each_interface_counts),
		TEST(a_driver_that_makes_functions_stays),
		TEST(interfaces_are_made_ready),
		TEST(interfaces_that_cannot_be_placed_stay),
	};
	if (unshare(CLONE_NEWNET))
		no_interfaces = "no network namespace of its own without root";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
