// SPDX-License-Identifier: BSD-3-Clause
// What functions are, from trees like sysfs's: whole ones, and those of which something is missing, cut or strange.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/functions/tree.h"

#include <errno.h>
#include <string.h>

static struct tree tree;

static int set_up(void **state)
{
	(void)state;
	tree_open(&tree);
	tree_add_nic(&tree);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_close(&tree);
	return 0;
}

static void addresses_have_one_form(void **state)
{
	static const char *const good[][2] = {
		{"0000:03:10.2", "0000:03:10.2"},
		{"03:10.2", "0000:03:10.2"},
		{"3:1f.7", "0000:03:1f.7"},
		{"1:0A:1F.0", "0001:0a:1f.0"},
		{"FFFF:ff:00.0", "ffff:ff:00.0"},
	};
	static const char *const bad[] = {
		"",
		"eth2",
		"03:10",
		"03:20.0",
		"03:10.8",
		"03:10.22",
		"03:10.2 ",
		" 03:10.2",
		"0000:03:10.2/x",
		"10000:e1:00.0",
		"100:10.2",
		"03:100.2",
		":03:10.2",
		"03:.2",
		"00:00:03:10.2",
		"0x3:10.2",
		"-3:10.2",
	};
	char text[FUNCTION_ADDRESS_SIZE];
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(address_parse(good[i][0], text), 0);
		assert_string_equal(text, good[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(address_parse(bad[i], text), -EINVAL);
}

static struct function_info get(const char *address)
{
	struct function_info info;
	assert_int_equal(functions_get(tree.functions, address, &info, NULL), 0);
	return info;
}

static void virtual_functions_know_their_parent(void **state)
{
	(void)state;
	tree_add_interface(&tree, TREE_VF1, "eth5");
	struct function_info info = get("3:10.1");
	assert_string_equal(info.address, TREE_VF1);
	assert_int_equal(info.vendor, 0x8086);
	assert_int_equal(info.device, 0x10ca);
	assert_true(info.is_virtual);
	assert_string_equal(info.parent, TREE_PF);
	assert_int_equal(info.number, 1);
	assert_string_equal(info.driver, "igbvf");
	assert_false(info.overridden);
	assert_int_equal(info.iommu_group, 21);
	assert_false(info.noiommu);
	assert_int_equal(info.numa_node, -1);
	assert_string_equal(info.interface, "eth5");
	assert_string_equal(info.rdma, "");
	assert_true(info.can_reset);
}

static void physical_functions_know_their_counts(void **state)
{
	(void)state;
	tree_file(&tree, "1\n", "sys/devices/pci0/" TREE_PF "/numa_node");
	struct function_info info = get(TREE_PF);
	assert_false(info.is_virtual);
	assert_string_equal(info.parent, "");
	assert_int_equal(info.vfs, 2);
	assert_int_equal(info.vfs_max, 4);
	assert_int_equal(info.numa_node, 1);
	assert_string_equal(info.interface, "eth9");
}

static void what_is_missing_is_empty(void **state)
{
	(void)state;
	tree_file(&tree, "0x1\n", "sys/bus/pci/devices/0000:04:00.0/vendor");
	struct function_info info = get("0000:04:00.0");
	assert_false(info.is_virtual);
	assert_int_equal(info.vfs_max, 0);
	assert_string_equal(info.driver, "");
	assert_int_equal(info.iommu_group, -1);
	assert_int_equal(info.numa_node, -1);
	assert_string_equal(info.interface, "");
	assert_false(info.can_reset);
}

static void strange_files_are_missing_ones(void **state)
{
	(void)state;
	tree_file(&tree, "", "sys/devices/pci0/" TREE_PF "/sriov_totalvfs");
	tree_file(&tree, "many\n", "sys/devices/pci0/" TREE_PF "/numa_node");
	tree_file(&tree, "99999999999999999999\n", "sys/devices/pci0/" TREE_PF "/vendor");
	tree_link(&tree, "../iommu_groups/x9", "sys/devices/pci0/" TREE_PF "/iommu_group");
	tree_link(
		&tree,
		"../drivers/a_driver_whose_name_is_longer_than_any",
		"sys/devices/pci0/" TREE_PF "/driver"
	);
	struct function_info info = get(TREE_PF);
	assert_int_equal(info.vfs_max, 0);
	assert_int_equal(info.numa_node, -1);
	assert_int_equal(info.vendor, 0);
	assert_int_equal(info.iommu_group, -1);
	assert_string_equal(info.driver, "");
	// More of them than there can be.
	tree_file(&tree, "4\n", "sys/devices/pci0/" TREE_PF "/sriov_totalvfs");
	tree_file(&tree, "5\n", "sys/devices/pci0/" TREE_PF "/sriov_numvfs");
	assert_int_equal(get(TREE_PF).vfs, 0);
}

// Another's number would be another function's MAC.
static void a_function_that_its_parent_lacks_is_no_virtual_one(void **state)
{
	(void)state;
	tree_remove(&tree, "sys/devices/pci0/" TREE_PF "/virtfn0");
	assert_false(get(TREE_VF0).is_virtual);
	assert_string_equal(get(TREE_VF0).parent, "");
	tree_remove(&tree, "sys/devices/pci0/" TREE_PF "/virtfn1");
	assert_false(get(TREE_VF1).is_virtual);
}

static void overrides_show(void **state)
{
	(void)state;
	tree_file(&tree, "vfio-pci\n", "sys/devices/pci0/" TREE_VF0 "/driver_override");
	assert_true(get(TREE_VF0).overridden);
	tree_file(&tree, "\n", "sys/devices/pci0/" TREE_VF0 "/driver_override");
	assert_false(get(TREE_VF0).overridden);
}

static void groups_without_iommu_have_another_name(void **state)
{
	char path[FUNCTION_PATH_SIZE], want[128];
	(void)state;
	assert_int_equal(functions_vfio_path(tree.functions, TREE_VF0, path, NULL), 0);
	(void)snprintf(want, sizeof(want), "%s/dev/vfio/20", tree.root);
	assert_string_equal(path, want);
	tree_file(&tree, "vfio-noiommu\n", "sys/kernel/iommu_groups/20/name");
	assert_true(get(TREE_VF0).noiommu);
	assert_int_equal(functions_vfio_path(tree.functions, TREE_VF0, path, NULL), 0);
	(void)snprintf(want, sizeof(want), "%s/dev/vfio/noiommu-20", tree.root);
	assert_string_equal(path, want);
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF0 "/iommu_group");
	assert_int_equal(functions_vfio_path(tree.functions, TREE_VF0, path, NULL), -ENOTSUP);
}

static void the_first_ports_interface_is_the_functions(void **state)
{
	(void)state;
	tree_add_interface(&tree, TREE_VF0, "b1");
	tree_file(&tree, "1\n", "sys/devices/pci0/" TREE_VF0 "/net/b1/dev_port");
	tree_add_interface(&tree, TREE_VF0, "a2");
	tree_file(&tree, "0\n", "sys/devices/pci0/" TREE_VF0 "/net/a2/dev_port");
	tree_add_interface(&tree, TREE_VF0, "a1");
	tree_file(&tree, "p0\n", "sys/devices/pci0/" TREE_VF0 "/net/a1/phys_port_name");
	tree_file(&tree, "6\n", "sys/devices/pci0/" TREE_VF0 "/net/a1/ifindex");
	assert_string_equal(get(TREE_VF0).interface, "a1");
	// The switch's side of another function is nobody's own.
	tree_file(&tree, "pf0vf1\n", "sys/devices/pci0/" TREE_VF0 "/net/a1/phys_port_name");
	assert_string_equal(get(TREE_VF0).interface, "a2");
	tree_file(&tree, "c1pf0sf3\n", "sys/devices/pci0/" TREE_VF0 "/net/a2/phys_port_name");
	assert_string_equal(get(TREE_VF0).interface, "b1");
}

static void interfaces_of_virtio_are_one_step_down(void **state)
{
	struct function_info info;
	(void)state;
	tree_add_device(&tree, "0000:05:00.0", -1, "virtio-pci");
	tree_file(&tree, "2\n", "sys/devices/pci0/0000:05:00.0/virtio3/net/ens3/ifindex");
	tree_link(
		&tree, "../../../virtio3", "sys/devices/pci0/0000:05:00.0/virtio3/net/ens3/device"
	);
	tree_link(&tree, "../../devices/pci0/0000:05:00.0/virtio3/net/ens3", "sys/class/net/ens3");
	assert_string_equal(get("0000:05:00.0").interface, "ens3");
	tree_file(&tree, "8\n", "sys/devices/pci0/0000:05:00.0/sriov_totalvfs");
	tree_file(&tree, "0\n", "sys/devices/pci0/0000:05:00.0/sriov_numvfs");
	assert_int_equal(functions_find_parent(tree.functions, "ens3", &info, NULL), 0);
	assert_string_equal(info.address, "0000:05:00.0");
}

static void parents_are_found_by_what_users_say(void **state)
{
	static const char *const good[] = {"eth9", "03:00.0", "0000:03:00.0"};
	static const struct {
		const char *text;
		int error;
		const char *says;
	} bad[] = {
		{"eth8", -ENODEV, "there is no interface 'eth8'"},
		{"", -ENODEV, "neither an interface nor a PCI address"},
		{"..", -ENODEV, "neither an interface nor a PCI address"},
		{"../../x", -ENODEV, "neither an interface nor a PCI address"},
		{"a_name_that_is_too_long", -ENODEV, "neither an interface nor a PCI address"},
		{"03:00.1", -ENODEV, "there is no PCI function '0000:03:00.1'"},
		{TREE_VF0, -EINVAL, "is a virtual function (number 0 of " TREE_PF ")"},
		{"0000:06:00.0", -EINVAL, "it has no SR-IOV"},
		{"lo", -EINVAL, "belongs to no PCI function"},
	};
	struct function_info info;
	struct rwy_err err = {0};
	(void)state;
	tree_add_device(&tree, "0000:06:00.0", -1, "e1000");
	tree_file(&tree, "1\n", "sys/class/net/lo/ifindex");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(functions_find_parent(tree.functions, good[i], &info, &err), 0);
		assert_string_equal(info.address, TREE_PF);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = functions_find_parent(tree.functions, bad[i].text, &info, &err);
		assert_int_equal(r, bad[i].error);
		assert_non_null(strstr(err.msg, bad[i].says));
	}
}

static void virtual_functions_are_listed_by_number(void **state)
{
	char vfs[FUNCTION_VFS_MAX][FUNCTION_ADDRESS_SIZE];
	size_t count;
	(void)state;
	assert_int_equal(functions_list_vfs(tree.functions, TREE_PF, vfs, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_string_equal(vfs[0], TREE_VF0);
	assert_string_equal(vfs[1], TREE_VF1);
	assert_int_equal(functions_list_vfs(tree.functions, "0000:03:10.0", vfs, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(
		functions_list_vfs(tree.functions, "0000:09:00.0", vfs, &count, NULL), -ENODEV
	);
}

static void rdma_devices_are_found_with_their_nodes(void **state)
{
	char nodes[FUNCTION_NODES_MAX][FUNCTION_PATH_SIZE];
	size_t count = 0;
	(void)state;
	assert_int_equal(functions_rdma_mode(tree.functions), FUNCTION_RDMA_NONE);
	tree_add_interface(&tree, TREE_VF0, "eth4");
	tree_file(&tree, "eth9\n", "sys/class/infiniband/rxe0/parent");
	assert_string_equal(get(TREE_VF0).rdma, "");
	assert_string_equal(get(TREE_PF).rdma, "rxe0");
	tree_file(&tree, "eth4\n", "sys/class/infiniband/rxe1/ports/1/gid_attrs/ndevs/0");
	assert_string_equal(get(TREE_VF0).rdma, "rxe1");
	tree_file(&tree, "", "sys/devices/pci0/" TREE_VF0 "/infiniband/mlx5_3/node_guid");
	assert_string_equal(get(TREE_VF0).rdma, "mlx5_3");
	assert_int_equal(
		functions_rdma_nodes(tree.functions, "mlx5_3", nodes, &count, NULL), -ENOENT
	);
	tree_file(&tree, "mlx5_3\n", "sys/class/infiniband_verbs/uverbs1/ibdev");
	tree_file(&tree, "rxe0\n", "sys/class/infiniband_verbs/uverbs0/ibdev");
	tree_file(&tree, "", "dev/infiniband/uverbs0");
	tree_file(&tree, "", "dev/infiniband/uverbs1");
	tree_file(&tree, "", "dev/infiniband/rdma_cm");
	assert_int_equal(functions_rdma_nodes(tree.functions, "mlx5_3", nodes, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_non_null(strstr(nodes[0], "/dev/infiniband/uverbs1"));
	assert_non_null(strstr(nodes[1], "/dev/infiniband/rdma_cm"));
}

static void vfio_is_wanted_for_nics_with_functions_alone(void **state)
{
	char sys[80];
	(void)state;
	(void)snprintf(sys, sizeof(sys), "%s/sys", tree.root);
	tree_file(&tree, "0x020000\n", "sys/devices/pci0/" TREE_PF "/class");
	assert_false(modules_want_vfio(sys));
	tree_remove(&tree, "sys/bus/pci/drivers/vfio-pci");
	assert_true(modules_want_vfio(sys));
	tree_file(&tree, "0x010802\n", "sys/devices/pci0/" TREE_PF "/class");
	assert_false(modules_want_vfio(sys));
	tree_file(&tree, "0x020000\n", "sys/devices/pci0/" TREE_PF "/class");
	tree_file(&tree, "0\n", "sys/devices/pci0/" TREE_PF "/sriov_totalvfs");
	assert_false(modules_want_vfio(sys));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_one_form),
		TEST(virtual_functions_know_their_parent),
		TEST(physical_functions_know_their_counts),
		TEST(what_is_missing_is_empty),
		TEST(strange_files_are_missing_ones),
		TEST(a_function_that_its_parent_lacks_is_no_virtual_one),
		TEST(overrides_show),
		TEST(groups_without_iommu_have_another_name),
		TEST(the_first_ports_interface_is_the_functions),
		TEST(interfaces_of_virtio_are_one_step_down),
		TEST(parents_are_found_by_what_users_say),
		TEST(virtual_functions_are_listed_by_number),
		TEST(rdma_devices_are_found_with_their_nodes),
		TEST(vfio_is_wanted_for_nics_with_functions_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
