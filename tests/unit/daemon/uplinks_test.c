// SPDX-License-Identifier: BSD-3-Clause
// The uplinks' processes: started, fed, started again, found by the next ringwayd, ended. With a process that has no
// device.
#include "daemon/uplinks/internal.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <ftw.h>
#include <net/if_arp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 20000

static char dir[] = "/tmp/uplinks-XXXXXX";
static struct uplinks *uplinks;

static void open_uplinks(void)
{
	struct rwy_err err = {0};
	const struct uplinks_config config = {.run_dir = dir, .binary = getenv("FAKE_UPLINK")};
	if (uplinks_new(&config, &uplinks, &err))
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	memset(dir + strlen(dir) - 6, 'X', 6); // mkdtemp() wrote there.
	if (!mkdtemp(dir))
		return -1;
	open_uplinks();
	uplinks_settle(uplinks);
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *at)
{
	return remove(path);
}

static int teardown(void **state)
{
	uplinks_free(uplinks, true);
	uplinks = NULL;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int attach(uint32_t id, const char *device, uint16_t vlan, struct rwy_err *err)
{
	struct uplink_port port = {.id = id, .vlan = vlan, .mtu = 1500, .mac = {2, 0, 0, 0, 0, 1}};
	(void)snprintf(port.name, sizeof(port.name), "p%u", id);
	(void)snprintf(port.device, sizeof(port.device), "%s", device);
	(void)snprintf(port.socket, sizeof(port.socket), "%s/p%u.sock", dir, id);
	return uplinks_attach(uplinks, &port, true, err);
}

static void attach_and_wait(uint32_t id, const char *device, uint16_t vlan)
{
	struct rwy_err err = {0};
	if (attach(id, device, vlan, &err) || uplinks_wait(uplinks, id, WAIT_MS, &err))
		fail_msg("%s", err.msg);
}

static struct uplink_counters stats(uint32_t id)
{
	struct uplink_counters counters;
	assert_int_equal(uplinks_stats(uplinks, id, &counters), 0);
	return counters;
}

static void one_process_serves_a_device(void **state)
{
	attach_and_wait(1, "net_null0", 0);
	attach_and_wait(2, "net_null0", 7);
	attach_and_wait(3, "net_null1", 7);
	struct uplink_counters first = stats(1);
	struct uplink_counters second = stats(2);
	assert_int_equal(first.state, UPLINK_RUNNING);
	assert_true(first.pid);
	assert_int_equal(first.pid, second.pid);
	assert_int_not_equal(first.pid, stats(3).pid);
	assert_int_equal(second.rx_frames, 7);
	assert_true(first.link_up);
	assert_string_equal(first.driver, "net_fake");
}

static void a_vlan_is_given_once(void **state)
{
	struct rwy_err err = {0};
	attach_and_wait(1, "net_null0", 7);
	assert_int_equal(attach(2, "net_null0", 7, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "p1"));
	assert_int_equal(attach(1, "net_null0", 8, &err), -EEXIST);
	assert_int_equal(attach(2, "net_null0", 4095, &err), -EINVAL);
	assert_int_equal(uplinks_detach(uplinks, 1, &err), 0);
	assert_int_equal(uplinks_detach(uplinks, 1, &err), -ENOENT);
	attach_and_wait(2, "net_null0", 7);
}

static void failures_say_why(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(attach(1, "net_broken0", 0, &err), 0);
	assert_true(uplinks_wait(uplinks, 1, WAIT_MS, &err) < 0);
	assert_non_null(strstr(err.msg, "cannot open the device"));
	assert_int_equal(attach(2, "net_null0", 13, &err), 0);
	assert_true(uplinks_wait(uplinks, 2, WAIT_MS, &err) < 0);
	assert_non_null(strstr(err.msg, "no room"));
	assert_int_equal(attach(3, "net_null0", 14, &err), 0);
	assert_int_equal(uplinks_wait(uplinks, 3, 500, &err), -ETIMEDOUT);
	assert_int_equal(uplinks_wait(uplinks, 4, 500, &err), -ENOENT);
}

static void who_is_killed_is_back(void **state)
{
	struct rwy_err err = {0};
	attach_and_wait(1, "net_null0", 5);
	uint32_t pid = stats(1).pid;
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	while (stats(1).pid == pid || stats(1).state != UPLINK_RUNNING)
		(void)usleep(10000); // The test's own limit ends this where it does not come.
	assert_int_equal(uplinks_wait(uplinks, 1, WAIT_MS, &err), 0);
	assert_int_equal(stats(1).restarts, 1);
}

static bool is_gone(uint32_t pid)
{
	return kill((pid_t)pid, 0) != 0;
}

static void the_next_ringwayd_finds_them(void **state)
{
	attach_and_wait(1, "net_null0", 5);
	attach_and_wait(2, "net_null0", 6);
	attach_and_wait(3, "net_null1", 5);
	uint32_t pid = stats(1).pid;
	uint32_t other = stats(3).pid;
	uplinks_free(uplinks, false);
	assert_false(is_gone(pid));
	open_uplinks();
	attach_and_wait(1, "net_null0", 5);
	attach_and_wait(4, "net_null0", 9);
	assert_int_equal(stats(1).pid, pid);
	assert_int_equal(stats(4).pid, pid);
	uplinks_settle(uplinks);
	while (!is_gone(other)) // Nobody wanted it.
		(void)usleep(10000);
	attach_and_wait(5, "net_null0", 6); // Port 2 had it, which is gone.
	assert_int_equal(stats(5).pid, pid);
}

static void the_last_one_ends_it(void **state)
{
	attach_and_wait(1, "net_null0", 5);
	uint32_t pid = stats(1).pid;
	assert_int_equal(uplinks_detach(uplinks, 1, NULL), 0);
	while (!is_gone(pid))
		(void)usleep(10000);
	attach_and_wait(1, "net_null0", 5);
	assert_int_not_equal(stats(1).pid, pid);
}

static int check(const char *text, char args[UPLINK_DEVICE_SIZE])
{
	struct rwy_err err = {0};
	int r = uplinks_check_device(text, args, &err);
	assert_int_equal(r, err.code);
	return r;
}

static void devices_are_checked(void **state)
{
	char args[UPLINK_DEVICE_SIZE];
	char text[400];
	assert_int_equal(check("lo", args), 0);
	assert_string_equal(args, "net_af_packet0,iface=lo");
	assert_int_equal(check("packet:lo", args), 0);
	assert_string_equal(args, "net_af_packet0,iface=lo");
	assert_int_equal(check("xdp:lo", args), 0);
	assert_string_equal(args, "net_af_xdp0,iface=lo");
	assert_int_equal(check("net_af_packet7,iface=lo,qdisc_bypass=0", args), 0);
	assert_string_equal(args, "net_af_packet7,iface=lo,qdisc_bypass=0");
	assert_int_equal(check("net_memif0,role=client,socket=/run/x.sock", args), 0);
	assert_int_equal(check("nothing0", args), -ENODEV);
	assert_int_equal(check("net_af_packet0,iface=nothing0", args), -ENODEV);
	assert_int_equal(check("net_af_packet0,iface=", args), -EINVAL);
	assert_int_equal(check("net_af_packet0,iface=longer-than-any-interface", args), -EINVAL);
	assert_int_equal(check("net_af_packet0", args), -EINVAL);
	assert_int_equal(check("net_af_xdp0,queue_count=1", args), -EINVAL);
	assert_int_equal(check("net_tap0,iface=nothing0", args), 0);
	assert_int_equal(check("ffff:1f:1f.7", args), -ENODEV);
	assert_int_equal(check("1f:1f.7,opt=1", args), -ENODEV);
	assert_string_equal(args, "0000:1f:1f.7,opt=1");
	static const char *const bad[] = {
		"",
		"xdp:",
		"a b",
		"a/b",
		"a,b",
		"net_x y",
		"net_x;y",
		"..",
		"longer-than-any-interface",
		"\n",
		"net_virtio_user0,path=/x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(check(bad[i], args), -EINVAL);
	memset(text, 'a', sizeof(text));
	memcpy(text, "net_", 4);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(check(text, args), -EINVAL);
}

static void interfaces_are_judged(void **state)
{
	static const struct {
		struct uplinks_iface iface;
		int result;
		const char *text; // In its message.
	} rows[] = {
		{{"eth1", ARPHRD_ETHER, "", ""}, 0, ""},
		{{"eth1", ARPHRD_ETHER, "vrf7", "vrf"}, 0, ""}, // It has its frames all the same.
		{{"eth1", ARPHRD_ETHER, "br0", "bridge"}, -EBUSY, "'eth1' belongs to bridge 'br0'"},
		{{"eth1", ARPHRD_ETHER, "bond0", "bond"}, -EBUSY, "bond 'bond0'"},
		{{"eth1", ARPHRD_ETHER, "ovs", "openvswitch"}, -EBUSY, "openvswitch 'ovs'"},
		{{"eth1", ARPHRD_ETHER, "t0", "team"}, -EBUSY, "team 't0'"},
		{{"lo", ARPHRD_LOOPBACK, "", ""}, -EINVAL, "'lo' has no Ethernet frames"},
		{{"tun0", ARPHRD_NONE, "", ""}, -EINVAL, "'tun0' has no Ethernet frames"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rwy_err err = {0};
		assert_int_equal(
			uplinks_judge_iface(&rows[i].iface, "xdp:some", &err), rows[i].result
		);
		if (!rows[i].result)
			continue;
		assert_non_null(strstr(err.msg, "cannot use device 'xdp:some': "));
		assert_non_null(strstr(err.msg, rows[i].text));
		assert_int_not_equal(err.hint[0], '\0');
	}
	struct rwy_err err = {0};
	assert_int_equal(uplinks_check_iface("net_af_packet0,iface=lo", "lo", &err), -EINVAL);
	assert_int_equal(uplinks_check_iface("net_af_packet0,iface=none0", "none0", &err), -ENODEV);
	assert_int_equal(uplinks_check_iface("net_null0", "net_null0", &err), 0);
}

static void one_device_by_two_names(void **state)
{
	char what[UPLINK_IFACE_SIZE];
	assert_true(uplinks_are_one("net_af_packet0,iface=eth1", "net_af_xdp0,iface=eth1,x=1", what)
	);
	assert_string_equal(what, "eth1");
	assert_true(uplinks_are_one("03:00.0", "0000:03:00.0,x=1", what));
	assert_string_equal(what, "0000:03:00.0");
	assert_false(uplinks_are_one("03:00.0", "03:00.1", what));
	assert_false(uplinks_are_one("net_af_packet0,iface=eth1", "net_pcap0,iface=eth2", what));
	assert_false(uplinks_are_one("net_null0", "net_null1", what));
	assert_false(uplinks_are_one("net_pcap0,iface=eth1", "03:00.0", what));
}

static void what_is_refused_leaves_nothing(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(attach(1, "lo", 0, &err), -EINVAL);
	assert_int_equal(attach(1, "net_null0,iface=lo", 0, &err), -EINVAL);
	assert_int_equal(uplinks_detach(uplinks, 1, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_checked),
		cmocka_unit_test(interfaces_are_judged),
		cmocka_unit_test(one_device_by_two_names),
		cmocka_unit_test_setup_teardown(what_is_refused_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(one_process_serves_a_device, setup, teardown),
		cmocka_unit_test_setup_teardown(a_vlan_is_given_once, setup, teardown),
		cmocka_unit_test_setup_teardown(failures_say_why, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_killed_is_back, setup, teardown),
		cmocka_unit_test_setup_teardown(the_next_ringwayd_finds_them, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_one_ends_it, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
