// SPDX-License-Identifier: BSD-3-Clause
// What `ringway doctor` says of ringwayd, the engine, the kernel, of what is left over, and of what a container was given.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/cli/doctor_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void test_ringwayd(void **state)
{
	struct doctor_tree *tree = *state;
	err_set(&tree->d.daemon.error, -ENOENT, "nothing listens there");
	err_hint(&tree->d.daemon.error, "start it");
	tree_expect(tree, "ringwayd", DOCTOR_MISSING, "nothing listens", "start it");
	err_set(&tree->d.daemon.error, -EACCES, "permission denied");
	err_hint(&tree->d.daemon.error, "run as root");
	tree_expect(tree, "ringwayd", DOCTOR_UNKNOWN, "permission denied", "run as root");
	tree->d.daemon.version =
		json_pack("{s:s, s:s, s:i}", "version", RINGWAY_VERSION, "api", "v1", "pid", 7);
	tree_expect(tree, "ringwayd", DOCTOR_OK, "API v1, process 7", NULL);
	(void)json_object_set_new(tree->d.daemon.version, "version", json_string("0.0.1"));
	tree_expect(tree, "ringwayd", DOCTOR_WARNING, "this program is", "restart ringwayd");
}

static void test_switch(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "switch", DOCTOR_UNKNOWN, "did not answer", NULL);
	tree->d.daemon.sw = json_pack(
		"{s:s, s:s, s:i, s:i}",
		"state",
		"running",
		"program",
		"ringway-switch 1",
		"pid",
		8,
		"spare_pid",
		9
	);
	tree_expect(tree, "switch", DOCTOR_OK, "process 8; a spare is ready", NULL);
	(void)json_object_set_new(tree->d.daemon.sw, "restarts", json_integer(2));
	(void)json_object_set_new(tree->d.daemon.sw, "last_end", json_string("killed\nby"));
	tree_expect(tree, "switch", DOCTOR_WARNING, "killed?by", "journalctl");
	(void)json_object_del(tree->d.daemon.sw, "restarts");
	(void)json_object_del(tree->d.daemon.sw, "spare_pid");
	tree_expect(tree, "switch", DOCTOR_NOTE, "no spare yet", "--no-spare");
	(void)json_object_set_new(tree->d.daemon.sw, "state", json_string("starting"));
	tree_expect(tree, "switch", DOCTOR_MISSING, "the switch is starting", "journalctl");
}

static void test_engine(void **state)
{
	struct doctor_tree *tree = *state;
	err_set(&tree->d.engine.error, -ENOENT, "No such file");
	tree_expect(
		tree,
		"engine",
		DOCTOR_WARNING,
		"ringway run needs it",
		"systemctl enable --now docker"
	);
	tree_expect(tree, "engine-driver", DOCTOR_UNKNOWN, "no engine", NULL);
	err_set(&tree->d.engine.error, -EACCES, "Permission denied");
	tree_expect(tree, "engine", DOCTOR_UNKNOWN, "may not ask", "group 'docker'");
	tree->d.engine.version = json_pack(
		"{s:s, s:s, s:s}",
		"Version",
		"20.10.24+dfsg1",
		"ApiVersion",
		"1.41",
		"MinAPIVersion",
		"1.12"
	);
	tree_expect(tree, "engine", DOCTOR_OK, "Docker 20.10.24+dfsg1, API 1.12 to 1.41", NULL);
	tree->d.daemon.version = json_pack("{s:{s:b}}", "engine", "reachable", 0);
	tree_expect(tree, "engine", DOCTOR_WARNING, "ringwayd does not reach it", "--no-docker");
	(void)json_object_set_new(tree->d.engine.version, "Version", json_string("19.03"));
	tree_expect(tree, "engine", DOCTOR_WARNING, "20.10 and newer", "docker.io");
}

static void test_driver(void **state)
{
	struct doctor_tree *tree = *state;
	tree->d.engine.version = json_pack("{s:s}", "Version", "28.0");
	tree->d.engine.networks =
		json_pack("[{s:s}, {s:s}]", "Driver", "bridge", "Driver", "ringway");
	tree_expect(
		tree,
		"engine-driver",
		DOCTOR_WARNING,
		"Docker has networks of it, and nobody listens",
		"restart ringwayd"
	);
	tree_socket(tree, "/run/docker/plugins/ringway.sock");
	tree_file(
		tree,
		"/proc/net/unix",
		"Num RefCount Protocol Flags Type St Inode Path\n00: 02 00 00000000 0001 03 17 /run/docker/plugins/ringway.sock\n"
	);
	tree_expect(tree, "engine-driver", DOCTOR_WARNING, "nobody listens", "restart ringwayd");
	tree_file(
		tree,
		"/proc/net/unix",
		"Num RefCount Protocol Flags Type St Inode Path\n00: 02 00 00010000 0001 01 17 /run/docker/plugins/ringway.sock\n"
	);
	tree_expect(
		tree,
		"engine-driver",
		DOCTOR_OK,
		"registered as ringway; Docker has 1 network of it",
		NULL
	);
}

static void put_kernel(struct doctor_tree *tree)
{
	tree_file(tree, "/proc/filesystems", "nodev\tproc\nnodev\tbpf\n");
	tree->d.kernel_config = strdup(
		"CONFIG_BPF_SYSCALL=y\nCONFIG_NET_SCH_INGRESS=y\nCONFIG_NET_CLS_BPF=y\nCONFIG_VETH=y\nCONFIG_TUN=y\n"
	);
}

static void test_kernel_ports(void **state)
{
	struct doctor_tree *tree = *state;
	tree_file(tree, "/proc/filesystems", "nodev\tbpf\n");
	tree_expect(tree, "kernel-ports", DOCTOR_UNKNOWN, "nothing tells", NULL);
	tree_file(tree, "/proc/filesystems", "nodev\tproc\n");
	tree_expect(tree, "kernel-ports", DOCTOR_MISSING, "no bpf", NULL);
	put_kernel(tree);
	tree_expect(
		tree,
		"kernel-ports",
		DOCTOR_OK,
		"Linux 6.1.0-test; this kernel has what is needed",
		NULL
	);
	tree_file(tree, "/proc/sys/kernel/osrelease", "5.16.9\n");
	tree_expect(tree, "kernel-ports", DOCTOR_MISSING, "5.17 is needed", "newer kernel");
	tree->d.uses = DOCTOR_VHOST;
	tree_expect(tree, "kernel-ports", DOCTOR_NOTE, "5.17 is needed", "newer kernel");
	tree->d.uses = DOCTOR_KERNEL;
	tree_file(tree, "/proc/sys/kernel/osrelease", "5.17.0\n");
	tree->d.process.bpf = ENOSYS;
	tree_expect(tree, "kernel-ports", DOCTOR_MISSING, "no bpf system call", NULL);
	tree->d.process.bpf = EPERM;
	tree_expect(tree, "kernel-ports", DOCTOR_WARNING, "root may not call bpf", NULL);
	tree->d.process.uid = 1000;
	tree_expect(tree, "kernel-ports", DOCTOR_OK, "veth built in", NULL);
	free(tree->d.kernel_config);
	tree->d.kernel_config = strdup(
		"CONFIG_BPF_SYSCALL=y\nCONFIG_NET_SCH_INGRESS=y\nCONFIG_NET_CLS_BPF=y\nCONFIG_VETH=m\n# CONFIG_TUN is not set\n"
	);
	tree_file(tree, "/sys/module/veth/refcnt", "0\n");
	tree_expect(tree, "kernel-ports", DOCTOR_MISSING, "lacks CONFIG_TUN", "boot a kernel");
	tree_expect(tree, "kernel-ports", DOCTOR_MISSING, "veth loaded", "boot a kernel");
}

// ringwayd has tried it: its word counts.
static void test_parts_of_ringwayd(void **state)
{
	struct doctor_tree *tree = *state;
	tree_file(tree, "/proc/filesystems", "nodev\tbpf\n");
	tree->d.daemon.version = json_pack(
		"{s:{s:b}, s:{s:b, s:s}, s:{s:b, s:s}}",
		"kernel_ports",
		"available",
		1,
		"published_ports",
		"available",
		0,
		"reason",
		"no nftables",
		"ether_ports",
		"available",
		0,
		"reason",
		"no program"
	);
	tree_expect(tree, "kernel-ports", DOCTOR_OK, "ringwayd has them", NULL);
	tree_expect(tree, "published-ports", DOCTOR_MISSING, "no nftables", "restart ringwayd");
	tree_expect(tree, "uplinks", DOCTOR_NOTE, "no program", "restart ringwayd");
	tree->d.uses = DOCTOR_UPLINK;
	tree_expect(tree, "uplinks", DOCTOR_MISSING, "no program", "restart ringwayd");
	tree_expect(tree, "published-ports", DOCTOR_NOTE, "no nftables", "restart ringwayd");
}

static void test_af_xdp(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "af-xdp", DOCTOR_UNKNOWN, "nothing tells", NULL);
	tree_file(tree, "/proc/net/protocols", "protocol  size\nTCP 1\nXDP 2\n");
	tree_expect(tree, "af-xdp", DOCTOR_OK, "are there", NULL);
	tree_file(tree, "/proc/net/protocols", "protocol  size\nTCP 1\n");
	tree_expect(tree, "af-xdp", DOCTOR_NOTE, "CONFIG_XDP_SOCKETS", "AF_PACKET");
	tree->d.daemon.networks = json_pack("[{s:s}]", "uplink", "xdp:eth1");
	tree_expect(tree, "af-xdp", DOCTOR_MISSING, "CONFIG_XDP_SOCKETS", "AF_PACKET");
}

static void test_left_sockets(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "left-sockets", DOCTOR_UNKNOWN, "/proc/net/unix", NULL);
	tree_file(
		tree,
		"/proc/net/unix",
		"00: 02 00 00010000 0001 01 17 /run/ringway/ports/a/vhost.sock\n"
	);
	tree_expect(tree, "left-sockets", DOCTOR_OK, "0 sockets", NULL);
	tree_socket(tree, "/run/ringway/ports/a/vhost.sock");
	tree_expect(tree, "left-sockets", DOCTOR_OK, "each of 1", NULL);
	tree_socket(tree, "/run/ringway/ports/b c/vhost.sock");
	tree_socket(tree, "/run/docker/plugins/ringway-x.sock");
	tree_socket(tree, "/run/docker/plugins/other.sock");
	tree_expect(
		tree,
		"left-sockets",
		DOCTOR_WARNING,
		"/run/docker/plugins/ringway-x.sock",
		"rm -- '/run/ringway/ports/b c/vhost.sock' /run/docker/plugins/ringway-x.sock"
	);
}

static void test_left_hugepages(void **state)
{
	struct doctor_tree *tree = *state;
	tree_file(
		tree,
		"/proc/self/mounts",
		"proc /proc proc rw 0 0\nh /dev/hugepages hugetlbfs rw 0 0\n"
	);
	tree_file(tree, "/dev/hugepages/other", "");
	tree_expect(tree, "left-hugepages", DOCTOR_OK, "of 0 hugepage files", NULL);
	tree_file(tree, "/dev/hugepages/rtemap_0", "x");
	tree_file(tree, "/proc/812/maps", "");
	tree_expect(
		tree,
		"left-hugepages",
		DOCTOR_WARNING,
		"/dev/hugepages/rtemap_0",
		"rm -- /dev/hugepages/rtemap_0"
	);
	tree_map(tree, "812", "/dev/hugepages/rtemap_0");
	tree_expect(tree, "left-hugepages", DOCTOR_OK, "of 1 hugepage files", NULL);
	tree_file(tree, "/dev/hugepages/apmap_12", "y");
	tree_expect(
		tree,
		"left-hugepages",
		DOCTOR_WARNING,
		"nobody maps 1 of 2",
		"rm -- /dev/hugepages/apmap_12"
	);
}

static void test_left_runtime(void **state)
{
	struct doctor_tree *tree = *state;
	tree_file(tree, "/run/dpdk/rte/config", "x");
	tree_file(tree, "/run/user/1000/dpdk/app/config", "x");
	tree_file(tree, "/proc/9/maps", "");
	tree_map(tree, "812", "/run/dpdk/rte/config");
	tree_expect(
		tree, "left-runtime", DOCTOR_WARNING, "1 of 2", "rm -r -- /run/user/1000/dpdk/app"
	);
	tree_map(tree, "9", "/run/user/1000/dpdk/app/config");
	tree_expect(tree, "left-runtime", DOCTOR_OK, "of 2 run directories", NULL);
}

static void test_place(void **state)
{
	struct doctor_tree *tree = *state;
	tree->d.inside = true;
	tree->d.process.uid = getuid();
	tree->d.process.gid = getgid();
	tree_file(tree, "/proc/self/status", "CapEff:\t0000000000000000\nNoNewPrivs:\t1\n");
	tree_expect(
		tree,
		"place",
		DOCTOR_MISSING,
		"there is no /run/ringway/manifest.json",
		"ringway run"
	);
	tree->d.uses = DOCTOR_SRIOV;
	tree_expect(tree, "place", DOCTOR_NOTE, "there is no", "ringway run");
	tree_file(
		tree,
		"/run/ringway/manifest.json",
		"{\"ports\":[{\"name\":\"p\",\"network\":\"n\",\"mac\":\"02:\",\"socket\":\"/run/ringway/net0.sock\"},{\"name\":\"q\",\"network\":\"m\"}]}"
	);
	tree_expect(
		tree, "place", DOCTOR_MISSING, "/run/ringway/net0.sock: is not there", "ringway run"
	);
	tree_socket(tree, "/run/ringway/net0.sock");
	tree_mode(tree, "/run/ringway/net0.sock", 0400);
	tree_expect(tree, "place", DOCTOR_MISSING, "may not write", "--user");
	tree_mode(tree, "/run/ringway/net0.sock", 0600);
	tree_expect(tree, "place", DOCTOR_OK, "2 ports, 1 with a socket", NULL);
	tree_file(
		tree,
		"/run/ringway/manifest.json",
		"{\"ports\":[{\"name\":\"p\",\"attach\":\"vf\",\"pci\":\"0000:03:10.0\",\"vfio\":\"/dev/vfio/14\"}]}"
	);
	tree_expect(tree, "place", DOCTOR_MISSING, "/dev/vfio/14: is not there", "ringway run");
	tree_file(tree, "/dev/vfio/14", "");
	tree_expect(tree, "place", DOCTOR_OK, "function 0000:03:10.0", NULL);
	tree_file(tree, "/run/ringway/manifest.json", "{\"ports\":");
	tree_expect(tree, "place", DOCTOR_MISSING, "not what ringwayd writes", "anew");
}

static void test_preload(void **state)
{
	struct doctor_tree *tree = *state;
	tree->d.inside = true;
	tree_expect(tree, "preload", DOCTOR_WARNING, "does not name it", "ringway run");
	tree_file(tree, "/run/ringway/eal-args", "--no-pci\n");
	tree_expect(
		tree, "preload", DOCTOR_WARNING, "does not name it", "/run/ringway/eal-args) --"
	);
	tree->d.process.ld_preload = "/lib/libringway-preload.so";
	tree_expect(tree, "preload", DOCTOR_WARNING, "is not there", "eal-args");
	tree_file(tree, "/lib/libringway-preload.so", "");
	tree_expect(tree, "preload", DOCTOR_OK, "get their EAL arguments", NULL);
	tree->d.process.preload_mode = "off";
	tree_expect(tree, "preload", DOCTOR_NOTE, "turned off", "eal-args");
}

static void test_capabilities(void **state)
{
	struct doctor_tree *tree = *state;
	tree_expect(tree, "capabilities", DOCTOR_NOTE, "41 capabilities", "--cap-drop ALL");
	tree_file(tree, "/proc/self/status", "CapEff:\t0000000000000000\nNoNewPrivs:\t1\n");
	tree_expect(tree, "capabilities", DOCTOR_OK, "none, and none can be gained", NULL);
	tree_remove(tree, "/proc/self/status");
	tree_expect(tree, "capabilities", DOCTOR_UNKNOWN, "does not tell", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		TEST(test_ringwayd),
		TEST(test_switch),
		TEST(test_engine),
		TEST(test_driver),
		TEST(test_kernel_ports),
		TEST(test_parts_of_ringwayd),
		TEST(test_af_xdp),
		TEST(test_left_sockets),
		TEST(test_left_hugepages),
		TEST(test_left_runtime),
		TEST(test_place),
		TEST(test_preload),
		TEST(test_capabilities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
