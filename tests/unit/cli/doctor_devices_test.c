// SPDX-License-Identifier: BSD-3-Clause
// What `ringway doctor` says of IOMMUs, VFIO, NICs and their functions, of hosts that are directories.
#include "tests/lib/unit.h"
#include "tests/unit/cli/doctor_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PF "0000:03:00.0"
#define VF "0000:03:10.0"
#define PCI "/sys/bus/pci/devices/"
#define UNSAFE "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

static int make(void **state)
{
	static struct doctor_tree tree;
	tree_make(&tree);
	tree.d.uses |= DOCTOR_SRIOV;
	*state = &tree;
	return 0;
}

static int end(void **state)
{
	tree_free(*state);
	return 0;
}

// The kernel's configuration as a test has it.
static void configure(struct doctor_tree *tree, const char *text)
{
	free(tree->d.kernel_config);
	tree->d.kernel_config = strdup(text);
}

static void test_iommu(void **state)
{
	struct doctor_tree *tree = *state;
	tree_file(tree, "/proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: fpu\n");
	tree_file(tree, "/proc/cmdline", "root=/dev/sda intel_iommu=off quiet\n");
	tree_expect(tree, "iommu", DOCTOR_MISSING, "intel_iommu=off", "intel_iommu=on iommu=pt");
	tree->d.uses = DOCTOR_VHOST;
	tree_expect(tree, "iommu", DOCTOR_NOTE, "sockets do not", "VT-d");
	tree->d.uses = DOCTOR_UPLINK;
	tree_expect(tree, "iommu", DOCTOR_WARNING, "none", "VT-d");
	tree->d.daemon.networks = json_pack("[{s:s}]", "uplink", PF);
	tree_expect(tree, "iommu", DOCTOR_MISSING, "none", "VT-d");
	tree_file(tree, "/sys/kernel/iommu_groups/0/type", "DMA\n");
	tree_file(tree, "/sys/class/iommu/dmar0/x", "");
	tree_expect(
		tree,
		"iommu",
		DOCTOR_OK,
		"1 groups, dmar0, kernel's command line: intel_iommu=off",
		NULL
	);
}

static void test_no_iommu_mode(void **state)
{
	struct doctor_tree *tree = *state;
	tree_file(tree, "/proc/cpuinfo", "flags\t\t: fpu hypervisor\n");
	tree_expect(tree, "iommu", DOCTOR_MISSING, "none", "--allow-unsafe-noiommu");
	tree_expect(tree, "iommu", DOCTOR_MISSING, "none", "-device intel-iommu");
	tree_file(tree, "/sys/module/vfio/refcnt", "0\n"); // Without that mode.
	tree_expect(tree, "iommu", DOCTOR_MISSING, "none", "-device intel-iommu");
	assert_int_equal(tree->result.advice_count, 1);
	tree_file(tree, UNSAFE, "Y\n");
	tree_expect(tree, "iommu", DOCTOR_WARNING, "no-IOMMU mode is on", "--allow-unsafe-noiommu");
	tree_file(tree, "/sys/kernel/iommu_groups/0/type", "DMA\n");
	tree_expect(tree, "iommu", DOCTOR_WARNING, "allowed besides", "echo 0 > " UNSAFE);
	tree_file(tree, UNSAFE, "N\n");
	tree_expect(tree, "iommu", DOCTOR_OK, "1 groups", NULL);
}

static void test_vfio(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "vfio", DOCTOR_UNKNOWN, "nothing tells", "modprobe vfio-pci");
	configure(tree, "# CONFIG_VFIO is not set\n");
	tree_expect(tree, "vfio", DOCTOR_MISSING, "this kernel has no vfio-pci", "6.1.0-test");
	tree->d.uses = DOCTOR_VHOST;
	tree_expect(tree, "vfio", DOCTOR_NOTE, "this kernel has no vfio-pci", "CONFIG_VFIO_PCI");
	tree->d.uses = DOCTOR_SRIOV;
	configure(tree, "CONFIG_VFIO=m\nCONFIG_VFIO_PCI=m\nCONFIG_VFIO_PCI_CORE=m\n");
	tree_file(tree, "/lib/modules/6.1.0-test/modules.builtin", "kernel/fs/ext4.ko\n");
	tree_file(
		tree,
		"/lib/modules/6.1.0-test/modules.dep",
		"kernel/drivers/vfio/pci/xvfio-pci.ko:\n"
	);
	tree_expect(
		tree, "vfio", DOCTOR_MISSING, "this kernel has no vfio-pci", "install its modules"
	);
	tree_file(
		tree,
		"/lib/modules/6.1.0-test/modules.dep",
		"kernel/drivers/vfio/vfio.ko.xz:\nkernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n"
	);
	tree_expect(tree, "vfio", DOCTOR_NOTE, "vfio loadable", "modules-load.d");
	tree_file(tree, "/proc/cmdline", "quiet nomodule\n");
	tree_expect(tree, "vfio", DOCTOR_MISSING, "loads no modules", "CONFIG_VFIO_PCI");
	tree_file(tree, "/sys/bus/pci/drivers/vfio-pci/bind", "");
	tree_file(tree, "/sys/module/vfio_pci/refcnt", "0\n");
	tree_expect(tree, "vfio", DOCTOR_OK, "vfio-pci is loaded", NULL);
	configure(tree, "CONFIG_VFIO_PCI=y\n");
	tree_expect(tree, "vfio", DOCTOR_OK, "vfio-pci is built in", NULL);
}

static void test_nodes_of_a_host(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "vfio-devices", DOCTOR_NOTE, "no /dev/vfio/vfio", NULL);
	tree_file(tree, "/dev/vfio/vfio", "");
	tree_mode(tree, "/dev/vfio/vfio", 0600);
	tree_expect(tree, "vfio-devices", DOCTOR_WARNING, "mode 0600", "chmod 0666 /dev/vfio/vfio");
	tree_mode(tree, "/dev/vfio/vfio", 0666);
	tree_file(tree, "/dev/vfio/12", "");
	tree_mode(tree, "/dev/vfio/12", 0600);
	tree_expect(tree, "vfio-devices", DOCTOR_OK, "1 group", NULL);
	tree_mode(tree, "/dev/vfio/12", 0606);
	tree_expect(tree, "vfio-devices", DOCTOR_WARNING, "everybody", "chmod 0600 /dev/vfio/12");
}

static void test_nodes_of_a_container(void **state)
{
	struct doctor_tree *tree = *state;
	tree->d.inside = true;
	tree->d.process.uid = getuid();
	tree->d.process.gid = getgid();
	tree_file(tree, "/proc/self/status", "CapEff:\t0\n");
	tree_expect(tree, "vfio-devices", DOCTOR_MISSING, "no device is given", "ringway run");
	tree_file(tree, "/dev/vfio/vfio", "");
	tree_mode(tree, "/dev/vfio/vfio", 0666);
	tree_expect(
		tree,
		"vfio-devices",
		DOCTOR_MISSING,
		"the function's group is missing",
		"--device /dev/vfio/GROUP"
	);
	tree_file(tree, "/dev/vfio/12", "");
	tree_mode(tree, "/dev/vfio/12", 0600);
	tree_expect(tree, "vfio-devices", DOCTOR_OK, "1 function group", NULL);
	tree_mode(tree, "/dev/vfio/12", 0060);
	tree_expect(tree, "vfio-devices", DOCTOR_MISSING, "may not open", "chown");
	tree_remove(tree, "/dev/vfio/vfio");
	tree_mode(tree, "/dev/vfio/12", 0600);
	tree_expect(
		tree,
		"vfio-devices",
		DOCTOR_MISSING,
		"/dev/vfio/vfio is missing",
		"--device /dev/vfio/vfio"
	);
}

static void put_nic(struct doctor_tree *tree)
{
	tree_pci(tree, PF, "0x020000\n", "igb");
	tree_file(tree, PCI PF "/sriov_totalvfs", "7\n");
	tree_file(tree, PCI PF "/sriov_numvfs", "1\n");
	tree_file(tree, PCI PF "/net/eth2/mtu", "1500\n");
	tree_link(tree, PCI PF "/virtfn0", "../" VF);
	tree_pci(tree, VF, "0x020000\n", "vfio-pci");
	tree_link(tree, PCI VF "/physfn", "../" PF);
	tree_link(tree, PCI VF "/iommu_group", "../../kernel/iommu_groups/14");
}

static json_t *a_network(void)
{
	return json_pack(
		"[{s:s, s:s, s:[{s:s, s:s}]}]",
		"name",
		"mynet",
		"driver",
		"sriov",
		"functions",
		"address",
		VF,
		"port",
		"c.mynet"
	);
}

static void test_sriov(void **state)
{
	struct doctor_tree *tree = *state;
	tree_pci(tree, "0000:00:01.0", "0x020000\n", "virtio-pci");
	tree_expect(tree, "sriov", DOCTOR_MISSING, "1 network card, none with SR-IOV", "firmware");
	tree->d.uses = DOCTOR_VHOST;
	tree_expect(tree, "sriov", DOCTOR_NOTE, "none with SR-IOV", NULL);
	put_nic(tree);
	tree_expect(tree, "sriov", DOCTOR_OK, "eth2, igb): 1 of 7 functions, 1 of them", NULL);
	tree_expect(
		tree,
		"sriov",
		DOCTOR_OK,
		VF " function 0: vfio-pci, group 14, whose is not known",
		NULL
	);
	tree->d.daemon.networks = a_network();
	tree_expect(tree, "sriov", DOCTOR_OK, "network mynet, port c.mynet", NULL);
	tree_pci(tree, "0000:04:00.0", "0x020000\n", "");
	tree_file(tree, PCI "0000:04:00.0/sriov_totalvfs", "8\n");
	tree_expect(tree, "sriov", DOCTOR_WARNING, "0000:04:00.0 has no driver", "drivers_probe");
}

static void test_left_functions(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "left-functions", DOCTOR_OK, "none is bound", NULL);
	put_nic(tree);
	tree_expect(tree, "left-functions", DOCTOR_UNKNOWN, "ringwayd would know", NULL);
	tree->d.daemon.networks = json_array();
	tree_expect(
		tree,
		"left-functions",
		DOCTOR_WARNING,
		VF ": vfio-pci, no network's",
		"(cd " PCI VF " && echo > driver_override"
	);
	// A process that is not Ringway's.
	tree_link(tree, "/proc/812/fd/5", "/dev/vfio/14");
	tree_file(tree, "/proc/812/comm", "testpmd\n");
	tree_expect(tree, "left-functions", DOCTOR_OK, "process 812 (testpmd)", NULL);
	tree_remove(tree, "/proc/812/fd/5");
	tree_expect(tree, "left-functions", DOCTOR_WARNING, "1 of 1", "drivers_probe");
	json_decref(tree->d.daemon.networks);
	tree->d.daemon.networks = a_network();
	tree_expect(tree, "left-functions", DOCTOR_OK, "network mynet", NULL);
}

// A NIC that an uplink was given whole, told in the short form.
static void test_uplink_owns_its_card(void **state)
{
	struct doctor_tree *tree = *state;
	tree_pci(tree, PF, "0x020000\n", "vfio-pci");
	tree->d.daemon.networks =
		json_pack("[{s:s, s:s}]", "name", "lab", "uplink", "03:00.0,option=1");
	tree_expect(tree, "left-functions", DOCTOR_OK, "network lab", NULL);
	// Other devices than NICs are not ours to judge.
	tree_pci(tree, "0000:05:00.0", "0x030000\n", "vfio-pci");
	tree_expect(tree, "left-functions", DOCTOR_OK, "each of 1", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		TEST(test_iommu),
		TEST(test_no_iommu_mode),
		TEST(test_vfio),
		TEST(test_nodes_of_a_host),
		TEST(test_nodes_of_a_container),
		TEST(test_sriov),
		TEST(test_left_functions),
		TEST(test_uplink_owns_its_card),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
