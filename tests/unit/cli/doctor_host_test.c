// SPDX-License-Identifier: BSD-3-Clause
// What `ringway doctor` says of memory, limits and processors of hosts and containers that are directories.
#include "tests/lib/unit.h"
#include "tests/unit/cli/doctor_tree.h"

#include <errno.h>
#include <stdio.h>

#define HUGE "/sys/kernel/mm/hugepages/hugepages-2048kB"
#define NODE "/sys/devices/system/node/node"

static int make(void **state)
{
	static struct doctor_tree tree;
	tree_make(&tree);
	*state = &tree;
	return 0;
}

static int end(void **state)
{
	tree_free(*state);
	return 0;
}

static void put_pages(
	struct doctor_tree *tree,
	const char *total,
	const char *free,
	const char *reserved
)
{
	tree_file(tree, HUGE "/nr_hugepages", total);
	tree_file(tree, HUGE "/free_hugepages", free);
	tree_file(tree, HUGE "/resv_hugepages", reserved);
}

static void test_hugepages(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "hugepages", DOCTOR_NOTE, "this kernel shows none", NULL);
	put_pages(tree, "300\n", "256\n", "0\n");
	tree_expect(tree, "hugepages", DOCTOR_OK, "2 MiB: 256 of 300 free", NULL);
	// What is promised is not free. 255 would not do for one container; so many are missing are advised.
	put_pages(tree, "300\n", "256\n", "1\n");
	tree_expect(
		tree, "hugepages", DOCTOR_NOTE, "below 512 MiB", "echo 301 > " HUGE "/nr_hugepages"
	);
	put_pages(tree, "0\n", "0\n", "0\n");
	tree_expect(tree, "hugepages", DOCTOR_NOTE, "2 MiB: none", "vm.nr_hugepages = 256");
	tree->d.inside = true; // The host's to give.
	tree_expect(tree, "hugepages", DOCTOR_NOTE, "2 MiB: none", NULL);
}

static void test_hugepages_of_nodes(void **state)
{
	struct doctor_tree *tree = *state;
	put_pages(tree, "512\n", "512\n", "0\n");
	tree_file(tree, NODE "0/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
	tree_file(tree, NODE "0/hugepages/hugepages-2048kB/free_hugepages", "511\n");
	tree_file(tree, NODE "1/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
	tree_expect(
		tree,
		"hugepages",
		DOCTOR_NOTE,
		"node 0: 511 of 512 pages of 2 MiB free",
		"node1/hugepages/hugepages-2048kB/nr_hugepages"
	);
	tree_file(tree, NODE "1/hugepages/hugepages-2048kB/nr_hugepages", "1\n");
	tree_expect(tree, "hugepages", DOCTOR_OK, "node 1: 0 of 1 pages", NULL);
}

static void test_hugepages_of_an_uplink(void **state)
{
	struct doctor_tree *tree = *state;
	put_pages(tree, "0\n", "0\n", "0\n");
	tree->d.daemon.networks = json_pack("[{s:s, s:s}]", "name", "lab", "uplink", "eth1.5");
	tree_expect(tree, "hugepages", DOCTOR_NOTE, "none", "nr_hugepages");
	json_decref(tree->d.daemon.networks);
	tree->d.daemon.networks =
		json_pack("[{s:s, s:s}]", "name", "lab", "uplink", "03:00.0,option=1");
	tree_expect(tree, "hugepages", DOCTOR_MISSING, "PCI device", "nr_hugepages");
}

static void test_hugetlb_limit_v2(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "hugetlb-limit", DOCTOR_OK, "no control group", NULL);
	tree_file(
		tree,
		"/proc/self/mountinfo",
		"30 20 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
	);
	tree_file(tree, "/proc/self/cgroup", "0::/user.slice/x\n");
	tree_file(tree, "/sys/fs/cgroup/user.slice/x/hugetlb.2MB.max", "max\n");
	tree_expect(tree, "hugetlb-limit", DOCTOR_OK, "none", NULL);
	// The smallest on the way to the root counts.
	tree_file(tree, "/sys/fs/cgroup/user.slice/hugetlb.2MB.max", "4194304\n");
	tree_expect(
		tree,
		"hugetlb-limit",
		DOCTOR_WARNING,
		"4 MiB",
		"echo max > /sys/fs/cgroup/user.slice/hugetlb.2MB.max"
	);
	tree_file(tree, "/sys/fs/cgroup/user.slice/hugetlb.2MB.max", "536870912\n");
	tree_expect(tree, "hugetlb-limit", DOCTOR_OK, "512 MiB", NULL);
}

static void test_hugetlb_limit_v1(void **state)
{
	struct doctor_tree *tree = *state;
	tree_file(
		tree,
		"/proc/self/mountinfo",
		"31 20 0:27 /docker/ab /sys/fs/cgroup/hugetlb ro - cgroup cgroup rw,hugetlb\n"
	);
	tree_file(tree, "/proc/self/cgroup", "4:memory:/x\n5:hugetlb:/docker/ab\n");
	tree_file(
		tree, "/sys/fs/cgroup/hugetlb/hugetlb.2MB.limit_in_bytes", "9223372036852678656\n"
	);
	tree_expect(tree, "hugetlb-limit", DOCTOR_OK, "none", NULL);
	tree_file(tree, "/sys/fs/cgroup/hugetlb/hugetlb.2MB.limit_in_bytes", "0\n");
	tree_expect(
		tree,
		"hugetlb-limit",
		DOCTOR_WARNING,
		"0 MiB",
		"echo -1 > /sys/fs/cgroup/hugetlb/hugetlb.2MB.limit_in_bytes"
	);
}

static void test_memlock_of_the_engine(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "memlock", DOCTOR_OK, "no engine's process", NULL);
	tree_file(tree, "/run/docker.pid", "812");
	tree_file(
		tree,
		"/proc/812/limits",
		"Limit   Soft Limit   Hard Limit   Units\nMax locked memory         8388608              8388608              bytes\n"
	);
	tree_file(tree, "/proc/812/status", "CapEff:\t000001fffeffffff\n");
	tree_expect(tree, "memlock", DOCTOR_NOTE, "8 MiB at most", "--memlock=603979776:603979776");
	tree->d.uses |= DOCTOR_SRIOV;
	tree_expect(tree, "memlock", DOCTOR_MISSING, "functions need 576 MiB", "prlimit");
	tree_file(tree, "/proc/812/status", "CapEff:\t000001ffffffffff\n");
	tree_expect(tree, "memlock", DOCTOR_OK, "can give", NULL);
	tree_file(tree, "/proc/812/status", "CapEff:\t0000000000000000\n");
	tree_file(
		tree,
		"/proc/812/limits",
		"Max locked memory         8388608              unlimited            bytes\n"
	);
	tree_expect(tree, "memlock", DOCTOR_OK, "can give", NULL);
}

static void test_memlock_inside(void **state)
{
	struct doctor_tree *tree = *state;
	tree->d.inside = true;
	tree->d.process.memlock = 65536;
	tree_expect(tree, "memlock", DOCTOR_OK, "CAP_IPC_LOCK", NULL);
	tree_file(tree, "/proc/self/status", "CapEff:\t0000000000000000\n");
	tree_expect(tree, "memlock", DOCTOR_OK, "64 KiB; sockets need none", NULL);
	tree->d.uses = DOCTOR_SRIOV;
	tree_expect(tree, "memlock", DOCTOR_MISSING, "up to 576 MiB", "memlock=603979776");
	tree_file(tree, "/run/ringway/eal-args", "--no-pci\n-m\n704\n--no-huge\n");
	tree_expect(tree, "memlock", DOCTOR_MISSING, "up to 768 MiB", "memlock=805306368");
	tree->d.process.memlock = 805306368;
	tree_expect(tree, "memlock", DOCTOR_OK, "768 MiB", NULL);
}

static void test_mempolicy(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "mempolicy", DOCTOR_OK, "no filter of system calls", NULL);
	tree->d.process.mbind = ENOSYS;
	tree_expect(tree, "mempolicy", DOCTOR_OK, "no memory policies", NULL);
	tree_file(tree, "/proc/self/status", "Seccomp:\t2\n");
	tree->d.process.get_mempolicy = EPERM;
	tree_expect(
		tree, "mempolicy", DOCTOR_WARNING, "are filtered (seccomp)", "--cap-add SYS_NICE"
	);
	tree->d.process.ld_preload = "/a.so:/usr/lib/libringway-preload.so";
	tree_expect(tree, "mempolicy", DOCTOR_OK, "the preload library answers", NULL);
	tree->d.process.preload_mode = "off";
	tree_expect(tree, "mempolicy", DOCTOR_WARNING, "refused", "SYS_NICE");
}

static void test_cpu(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "cpu", DOCTOR_UNKNOWN, "cpuinfo", NULL);
	tree_file(tree, "/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse4_2 popcnt avx2\n\n");
	tree_expect(tree, "cpu", DOCTOR_OK, "SSE4.2 and POPCNT, AVX2", NULL);
	tree_file(tree, "/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse4_2x popcnt\n");
	tree_expect(tree, "cpu", DOCTOR_MISSING, "no SSE4.2", "2009");
	tree_file(tree, "/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse4_2 hypervisor\n");
	tree_expect(tree, "cpu", DOCTOR_MISSING, "no POPCNT", "x86-64-v2");
	tree_file(tree, "/proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\n");
	tree_expect(tree, "cpu", DOCTOR_OK, "no x86", NULL);
}

static void test_isolated_cpus(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "isolated-cpus", DOCTOR_UNKNOWN, "does not say", NULL);
	tree_file(tree, "/sys/devices/system/cpu/online", "0-1\n");
	tree_file(tree, "/sys/devices/system/cpu/isolated", "\n");
	tree_expect(tree, "isolated-cpus", DOCTOR_NOTE, "none of 0-1", "so few");
	tree_file(tree, "/sys/devices/system/cpu/online", "0-5,8-9\n");
	tree_file(tree, "/sys/devices/system/cpu/nohz_full", "(null)\n");
	tree_expect(tree, "isolated-cpus", DOCTOR_NOTE, "none of 0-5,8-9", "isolcpus=2-7");
	tree_file(tree, "/sys/devices/system/cpu/isolated", "2-5\n");
	tree_expect(
		tree,
		"isolated-cpus",
		DOCTOR_OK,
		"2-5 of 0-5,8-9 are isolated, none without ticks",
		NULL
	);
	tree->d.inside = true;
	tree_expect(tree, "isolated-cpus", DOCTOR_OK, "may use CPUs 0-7", NULL);
	tree_file(tree, "/proc/self/status", "Cpus_allowed_list:\t3\n");
	tree_expect(tree, "isolated-cpus", DOCTOR_NOTE, "share one CPU", "--cpuset-cpus");
}

static void test_governor(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "cpu-governor", DOCTOR_OK, "no frequency scaling", NULL);
	tree_file(tree, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
	tree_file(tree, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n");
	tree_expect(tree, "cpu-governor", DOCTOR_OK, "on all of 2", NULL);
	tree_file(tree, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
	tree_expect(
		tree, "cpu-governor", DOCTOR_WARNING, "powersave on 1 of 2", "echo performance"
	);
}

static void put_namespaces(struct doctor_tree *tree, const char *pid)
{
	tree_link(tree, "/proc/self/ns/pid", pid);
	tree_link(tree, "/proc/self/ns/ipc", "ipc:[4026531839]");
	tree_link(tree, "/proc/self/ns/uts", "uts:[4026531838]");
}

static void test_place_is_host(void **state)
{
	struct doctor_tree *tree = *state;
	assert_false(doctor_is_inside(&tree->d));
	// A machine whose disk was an image, and a shell of unshare(1).
	put_namespaces(tree, "pid:[4026531836]");
	tree_file(tree, "/.dockerenv", "");
	assert_false(doctor_is_inside(&tree->d));
	tree_remove(tree, "/.dockerenv");
	tree_remove(tree, "/proc/self/ns/pid");
	tree_link(tree, "/proc/self/ns/pid", "pid:[4026532228]");
	assert_false(doctor_is_inside(&tree->d));
}

static void test_place_is_container(void **state)
{
	struct doctor_tree *tree = *state;
	put_namespaces(tree, "pid:[4026532228]");
	tree_file(tree, "/run/.containerenv", "");
	assert_true(doctor_is_inside(&tree->d));
	tree_socket(tree, "/run/ringway/api.sock"); // Mounted: who listens is elsewhere.
	assert_true(doctor_is_inside(&tree->d));
	tree_file(tree, "/proc/net/unix", "00: 02 00 00010000 0001 01 17 /run/ringway/api.sock\n");
	assert_false(doctor_is_inside(&tree->d));
	tree_remove(tree, "/run/.containerenv");
	assert_false(doctor_is_inside(&tree->d));
	tree_file(tree, "/run/ringway/manifest.json", "{}");
	assert_true(doctor_is_inside(&tree->d));
}

static void test_uses(void **state)
{
	struct doctor_tree *tree = *state;
	assert_int_equal(doctor_choose_uses(&tree->d), DOCTOR_VHOST | DOCTOR_KERNEL);
	tree_file(tree, "/sys/bus/pci/devices/0000:03:00.0/sriov_totalvfs", "0\n");
	assert_int_equal(doctor_choose_uses(&tree->d), DOCTOR_VHOST | DOCTOR_KERNEL);
	tree_file(tree, "/sys/bus/pci/devices/0000:03:00.0/sriov_totalvfs", "7\n");
	assert_int_equal(doctor_choose_uses(&tree->d), DOCTOR_VHOST | DOCTOR_KERNEL | DOCTOR_SRIOV);
	tree->d.daemon.networks = json_pack("[{s:s}]", "uplink", "eth1");
	assert_int_equal(doctor_choose_uses(&tree->d), DOCTOR_ALL);
	tree->d.inside = true;
	assert_int_equal(doctor_choose_uses(&tree->d), DOCTOR_VHOST);
	tree_file(tree, "/dev/vfio/vfio", "");
	assert_int_equal(doctor_choose_uses(&tree->d), DOCTOR_SRIOV);
	tree_socket(tree, "/run/ringway/net0.sock");
	assert_int_equal(doctor_choose_uses(&tree->d), DOCTOR_SRIOV | DOCTOR_VHOST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		TEST(test_hugepages),
		TEST(test_hugepages_of_nodes),
		TEST(test_hugepages_of_an_uplink),
		TEST(test_hugetlb_limit_v2),
		TEST(test_hugetlb_limit_v1),
		TEST(test_memlock_of_the_engine),
		TEST(test_memlock_inside),
		TEST(test_mempolicy),
		TEST(test_cpu),
		TEST(test_isolated_cpus),
		TEST(test_governor),
		TEST(test_place_is_host),
		TEST(test_place_is_container),
		TEST(test_uses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
