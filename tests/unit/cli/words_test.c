// SPDX-License-Identifier: BSD-3-Clause
// The command line as a whole: usage errors, help, no ringwayd; what commands ask and print that have no
// test of their own.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/cli/scene.h"
#include "tests/unit/client/fake_server.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *line;
	const char *said;
} usage_errors[] = {
	{"", "ringway: a command is missing (see 'ringway --help')\n"},
	{"frob", "ringway: 'frob' is no command (see 'ringway --help')\n"},
	{"''", "ringway: '' is no command"},
	{"--frob", "ringway: there is no option '--frob'"},
	{"--run-dir", "ringway: option '--run-dir' needs a value"},
	{"network", "ringway network: a command is missing (see 'ringway network --help')\n"},
	{"network frob", "ringway network: 'frob' is no command"},
	{"network create",
	 "ringway network create: a name is missing: ringway network create NAME"},
	{"network create a b", "ringway network create: 'b' is one word too many"},
	{"network create a --mtu",
	 "option '--mtu' needs a value (see 'ringway network create --help')\n"},
	{"network create a --mtu 9k", "--mtu must be a whole number, not '9k'"},
	{"network create a --mtu ''", "--mtu must be a whole number, not ''"},
	{"network create a --mtu 99999999999999999999", "--mtu must be a whole number"},
	{"network create a --colour red", "there is no option '--colour'"},
	{"network create a --no-docker=1", "option '--no-docker=1' takes no value"},
	{"network create a --subnet 10.0.0.0/8 --subnet 10.1.0.0/16",
	 "ringway network create: --subnet '10.1.0.0/16' is one too many: there is one for IPv4"},
	{"network create a --gateway fd00::1 --gateway fd00::2",
	 "--gateway 'fd00::2' is one too many: there is one for IPv6"},
	{"network create a --subnet fd00::/64 --ipv6-subnet fd01::/64",
	 "--ipv6-subnet and an IPv6 --subnet contradict each other"},
	{"network create a --aux-address 10.0.0.9",
	 "--aux-address must be NAME=IP, not '10.0.0.9'"},
	{"network create a --aux-address =10.0.0.9", "--aux-address must be NAME=IP"},
	{"network create a --uplink=", "--uplink must not be empty"},
	{"network create a --aux-address r=", "--aux-address must be NAME=IP"},
	{"network create a --aux-address r=10.0.0.9 --aux-address r=10.0.0.8",
	 "--aux-address has 'r' twice"},
	{"network create a --vlan x", "--vlan must be a whole number, not 'x'"},
	{"network create a --vlan 0", "--vlan must be 1 to 4094, not 0"},
	{"network create a --vlan 4095", "--vlan must be 1 to 4094, not 4095"},
	{"network create a --internal=yes", "option '--internal=yes' takes no value"},
	{"network ls x", "ringway network ls: 'x' is one word too many"},
	{"network inspect", "ringway network inspect: a name is missing"},
	{"network rm", "ringway network rm: a name is missing"},
	{"port", "ringway port: a command is missing"},
	{"port add", "ringway port add: a name is missing"},
	{"port add p", "ringway port add: --network is missing"},
	{"port add p --network n", "ringway port add: --attach is missing"},
	{"port add p --network n --attach kernel --netns=", "--netns must not be empty"},
	{"port add p --network n --attach kernel --netns 7 --interface=",
	 "--interface must not be empty"},
	{"port add p --network n --attach ether --device=", "--device must not be empty"},
	{"port add p --network n --attach vhost --connect=", "--connect must not be empty"},
	{"port add p --network n --attach vhost --queues x", "--queues must be a whole number"},
	{"port add p --network n --attach vhost --learning x", "--learning must be on or off"},
	{"port add p --network n --attach vhost --offloads x", "--offloads must be on or off"},
	{"port add p --network n --attach vhost --rate fast",
	 "ringway port add: --rate: rate 'fast' is malformed: write it like 100M"},
	{"port add p --network n --attach vhost --rate 1 --rate rx:2", "'rx:2' says again"},
	{"port add p --network n --attach vhost --burst 1fps",
	 "--burst: burst '1fps' is malformed"},
	{"port add p --network n --attach vhost --flood-rate rx:1", "--flood-rate: flood rate"},
	{"port add p --network n --attach vhost --netns 7", "--netns goes with --attach kernel"},
	{"port add p --network n --attach vhost --interface e", "--interface goes with"},
	{"port add p --network n --attach ether --pin-address", "--pin-address goes with"},
	{"port add p --network n --attach kernel --device eth1",
	 "--device goes with --attach ether"},
	{"port add p --network n --attach kernel --vlan 7", "--vlan goes with --attach ether"},
	{"port add p --network n --attach kernel --connect /x",
	 "--connect goes with --attach vhost"},
	{"port add p --network n --attach ether",
	 "ringway port add: --device is missing: 'eth1', for example"},
	{"port add p --network n --attach ether --device eth1 --vlan -1",
	 "--vlan must be 1 to 4094, not -1"},
	{"port add p --network n --attach kernel --ip 10.0.0.1 --ip 10.0.0.2",
	 "--ip '10.0.0.2' is one too many: there is one for IPv4"},
	{"port add p --network n --attach kernel --ip fd00::1 --ip6 fd00::2",
	 "--ip6 and an IPv6 --ip contradict each other"},
	{"port set", "ringway port set: a name is missing"},
	{"port set p", "nothing to set: give --rate, --burst or --flood-rate"},
	{"port set p --rate x", "ringway port set: --rate: rate 'x' is malformed"},
	{"port set '' --rate 1", "an empty name"},
	{"run --network a,rate=x img", "ringway run: rate 'x' is malformed"},
	{"run --network a,burst=1,burst=2 img", "burst '2' says again"},
	{"run --network a --network b,attach=ether img",
	 "ringway run: attach must be vhost, kernel, vf or vf-kernel, not 'ether'"},
	{"run --network a,attach=vf,offloads=off img",
	 "'offloads' goes with attach=vhost: the function of network 'a' has none"},
	{"run --network a,attach=vhost,vfs=2 img", "'vfs' goes with attach=vf: network 'a'"},
	{"run --network a,attach=kernel,function=03:10.1 img", "'function' goes with attach=vf"},
	{"run --network a,vfs=0 img", "vfs must be a whole number from 1 on, not '0'"},
	{"run --network a --vfs many img", "vfs must be a whole number from 1 on, not 'many'"},
	{"port add p --network n --attach kernel --vfs 2",
	 "--vfs goes with --attach vf or vf-kernel"},
	{"port add p --network n --attach ether --device e --function 03:10.1",
	 "--function goes with --attach vf or vf-kernel"},
	{"port add p --network n --attach vf-kernel --uid 1000", "--uid goes with --attach vf"},
	{"port add p --network n --attach vf --netns 7",
	 "--netns goes with --attach kernel or vf-kernel"},
	{"port add p --network n --attach vf --pin-address", "--pin-address goes with"},
	{"port add p --network n --attach vf --function=", "--function must not be empty"},
	{"port add p --network n --attach vf --vfs two", "--vfs must be a whole number"},
	{"network create n --parent=", "--parent must not be empty"},
	{"network create n --driver=", "--driver must not be empty"},
	{"network create n --parent eth2 --pf-pci 03:00.0",
	 "--parent and --pf-pci contradict each other"},
	{"network create n --parent eth2 --vfs x", "--vfs must be a whole number"},
	{"network create n --trust=maybe", "--trust must be on or off, not 'maybe'"},
	{"network create n --trust maybe", "'maybe' is one word too many"},
	{"network create n --spoofchk maybe", "--spoofchk must be on or off, not 'maybe'"},
	{"network create n --spoofchk", "option '--spoofchk' needs a value"},
	{"network create n --link-state up", "--link-state must be auto, enable or disable"},
	{"network create n --rate 5fps", "--rate: rate '5fps' is malformed"},
	{"network create n --rate 1G --rate max:2G", "--rate: rate 'max:2G' says again"},
	{"run --network a --network b,attach=kernel,queues=2 img",
	 "'queues' goes with attach=vhost: the interface of network 'b' has none"},
	{"port add p --network n --attach ether --device e --allow-spoof",
	 "--allow-spoof goes with --attach vhost or kernel"},
	{"port add p --network n --attach kernel --pin-address --no-pin-address",
	 "--pin-address and --no-pin-address contradict each other"},
	{"run --network a,allow-spoof=1 img", "allow-spoof must be on or off"},
	{"run --network a,allow-spoof,allow-spoof=on img", "--network has 'allow-spoof' twice"},
	{"run --network a,attach=kernel,pin-address=1 img", "pin-address must be on or off"},
	{"run --network a,offloads=no img", "offloads must be on or off, not 'no'"},
	{"port ls --network", "option '--network' needs a value"},
	{"port inspect a b", "'b' is one word too many"},
	{"port rm", "ringway port rm: a name is missing"},
	{"run", "ringway run: --network is missing (see 'ringway run --help')\n"},
	{"run --network a", "ringway run: an image is missing"},
	{"run --network a,x=y img", "ringway run: --network has no option 'x'"},
	{"run --queues two --network a img", "ringway run: queues must be a whole number"},
	{"stop", "ringway stop: a name is missing"},
	{"stop a -t", "option '-t' needs a value"},
	{"stop a -t x", "--time must be a whole number"},
	{"ps x", "ringway ps: 'x' is one word too many"},
	{"ps -x", "there is no option '-x'"},
	{"stats a b", "ringway stats: 'b' is one word too many"},
	{"stats --interval 1", "--interval goes with --watch"},
	{"stats --count 1", "--count goes with --watch"},
	{"stats --watch --interval 0", "--interval must be 0.1 to 86400 seconds, not '0'"},
	{"stats --watch --interval nan", "not 'nan'"},
	{"stats --watch --count 0", "--count must be at least 1"},
	{"switch x", "ringway switch: 'x' is one word too many (see 'ringway switch --help')"},
	{"switch restart x", "ringway switch restart: 'x' is one word too many"},
	{"switch upgrade", "ringway switch upgrade: a name is missing"},
	{"switch upgrade ''", "an empty path names no program"},
	{"version x", "ringway version: 'x' is one word too many"},
};

static void test_usage_errors(void **state)
{
	struct shell shell = {0};
	for (size_t i = 0; i < sizeof(usage_errors) / sizeof(usage_errors[0]); i++) {
		shell_run(&shell, usage_errors[i].line);
		if (shell.status != 2 || !strstr(shell.err, usage_errors[i].said))
			fail_msg(
				"%s: %d '%s', not '%s'",
				usage_errors[i].line,
				shell.status,
				shell.err,
				usage_errors[i].said
			);
		assert_string_equal(shell.out, "");
		assert_non_null(strstr(shell.err, "--help')\n"));
	}
	shell_fini(&shell);
}

static void test_nobody_there(void **state)
{
	static const char *const lines[] = {
		"network create a",
		"network ls",
		"network ls --json",
		"network inspect a",
		"network rm a",
		"port add p --network a --attach vhost",
		"port ls",
		"port inspect p",
		"port rm p",
		"port set p --rate 1",
		"run --network a img",
		"run --network a --dry-run img",
		"stop a",
		"ps",
		"stats",
		"stats --watch",
		"switch",
		"switch restart",
		"switch upgrade /x",
		"version --json",
	};
	struct shell shell = {0};
	_cleanup_free_ char *dir = fake_dir_make();
	assert_int_equal(setenv("RINGWAY_RUN_DIR", dir, 1), 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		shell_run(&shell, lines[i]);
		assert_int_equal(shell.status, 1);
		assert_string_equal(shell.out, "");
		assert_memory_equal(shell.err, "ringway: cannot reach ringwayd at /tmp/", 39);
		assert_non_null(strstr(shell.err, "nothing listens there (start it as root: "));
	}
	shell_fini(&shell);
	assert_int_equal(unsetenv("RINGWAY_RUN_DIR"), 0);
	fake_dir_remove(dir);
}

static void test_run_dir_is_chosen(void **state)
{
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
		{"version", "at /nowhere/env/api.sock"},
		{"--run-dir /nowhere/a version", "at /nowhere/a/api.sock"},
		{"--run-dir=/nowhere/b version", "at /nowhere/b/api.sock"},
		{"version --run-dir /nowhere/c", "at /nowhere/c/api.sock"},
		{"--run-dir /nowhere/a run --run-dir /nowhere/d --network n img",
		 "at /nowhere/d/api.sock"},
	};
	struct shell shell = {0};
	assert_int_equal(setenv("RINGWAY_RUN_DIR", "/nowhere/env", 1), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shell_run(&shell, cases[i].line);
		assert_int_equal(shell.status, 1);
		assert_non_null(strstr(shell.err, cases[i].said));
	}
	shell_fini(&shell);
	assert_int_equal(unsetenv("RINGWAY_RUN_DIR"), 0);
}

static void test_help(void **state)
{
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
		{"--help", "port add "},
		{"--version", "ringway " RINGWAY_VERSION "\n"},
		{"network --help", "network create "},
		{"network create --help", "usage: ringway network create NAME"},
		{"network create --mtu x --help", "--subnet CIDR"},
		{"stats --help", "-w, --watch"},
		{"switch --help", "switch upgrade"},
		{"switch upgrade --help", "usage: ringway switch upgrade PATH"},
		{"run --help", "options of a network:"},
		{"run --rm --help img", "usage: ringway run"},
	};
	struct shell shell = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shell_run(&shell, cases[i].line);
		assert_int_equal(shell.status, 0);
		assert_string_equal(shell.err, "");
		if (!strstr(shell.out, cases[i].said))
			fail_msg("%s: '%s' lacks '%s'", cases[i].line, shell.out, cases[i].said);
	}
	shell_fini(&shell);
}

#define PLACES                                                                                     \
	"{\"containers\":[{\"key\":\"00aa\",\"name\":\"gen\",\"id\":\"0123\",\"image\":\"img:1\"," \
	"\"state\":\"running\",\"ports\":[{\"network\":\"fast\",\"ip\":\"10.0.0.2/24\"},"          \
	"{\"network\":\"slow\"}]},"                                                                \
	"{\"key\":\"00bb\",\"name\":\"old\",\"id\":\"4567\",\"image\":\"img:1\",\"state\":\"exited\"}]}"

static void test_ps(void **state)
{
	static const struct fake_reply replies[] = {{"GET", "/v1/containers", 200, PLACES}, {0}};
	expect(replies,
	       "ps",
	       0,
	       "KEY   NAME  IMAGE  STATE    PORTS\n"
	       "00aa  gen   img:1  running  fast=10.0.0.2, slow\n",
	       "GET /v1/containers\n");
	expect(replies,
	       "ps -a",
	       0,
	       "KEY   NAME  IMAGE  STATE    PORTS\n"
	       "00aa  gen   img:1  running  fast=10.0.0.2, slow\n"
	       "00bb  old   img:1  exited   -\n",
	       "GET /v1/containers\n");
}

static void test_ps_of_functions(void **state)
{
	static const struct fake_reply replies[] = {
		{"GET",
		 "/v1/containers",
		 200,
		 "{\"containers\":[{\"key\":\"00aa\",\"ports\":[{\"network\":\"cards\",\"ip\":"
		 "\"40.0.0.2/24\",\"function\":\"0000:03:10.0\"},{\"network\":\"cards\","
		 "\"function\":\"0000:03:10.2\"}]}]}"},
		{0},
	};
	expect(replies,
	       "ps",
	       0,
	       "KEY   NAME  IMAGE  STATE  PORTS\n"
	       "00aa  -     -      -      cards=40.0.0.2 (0000:03:10.0), cards (0000:03:10.2)\n",
	       "GET /v1/containers\n");
}

static void test_ps_without_engine_shows_all(void **state)
{
	static const struct fake_reply replies[] = {
		{"GET", "/v1/containers", 200, "{\"containers\":[{\"key\":\"00aa\"}]}"}, {0}};
	expect(replies,
	       "ps",
	       0,
	       "KEY   NAME  IMAGE  STATE  PORTS\n00aa  -     -      -      -\n",
	       "GET /v1/containers\n");
}

static void test_version(void **state)
{
	static const struct fake_reply replies[] = {
		{"GET",
		 "/v1/version",
		 200,
		 "{\"version\":\"9.9\",\"api\":\"v1\",\"pid\":7,\"run_dir\":\"/r\",\"switch\":"
		 "{\"state\":\"running\",\"pid\":8,\"restarts\":2},\"engine\":{\"reachable\":true,"
		 "\"version\":\"20.10\"},\"kernel_ports\":{\"available\":false,\"reason\":\"told so\"},"
		 "\"published_ports\":{\"available\":true},\"ether_ports\":{\"available\":false}}"},
		{0},
	};
	expect(replies,
	       "version",
	       0,
	       "ringway  " RINGWAY_VERSION "\n"
	       "ringwayd 9.9, API v1, pid 7, /r\n"
	       "switch   running, pid 8, restarted 2 times\n"
	       "engine   20.10\n"
	       "no kernel ports: told so\n"
	       "no ether ports\n",
	       "GET /v1/version\n");
}

#define STATS(time, frames)                                                                                      \
	"{\"time_ns\":" time ",\"tsc_hz\":1000000000,\"switch\":{\"pid\":8,\"cpu_ns\":" time                     \
	",\"workers\":[{\"core\":3,\"queues\":4,\"awake\":2,\"sleeps\":7,\"frames\":12345,\"busy_cycles\":" time \
	"}]},\"ports\":[{\"name\":\"p\",\"network\":\"fast\",\"state\":\"running\",\"rx\":{\"frames\":" frames   \
	",\"bytes\":125000000},\"tx\":{\"frames\":5,\"bytes\":640},\"drops\":{\"full\":12,"                      \
	"\"source\":0,\"other\":20000},\"dropped\":20012,\"uplink\":{\"drops\":"                                 \
	"{\"unknown_vlan\":3,\"untagged\":0}}}]}"

static void test_stats(void **state)
{
	static const struct fake_reply one_sample[] = {
		{"GET", "/v1/stats", 200, STATS("1000000000", "10")}, {0}};
	static const struct fake_reply replies[] = {
		{"GET", "/v1/stats?port=p", 200, STATS("1", "20000")},
		{"GET", "/v1/stats", 200, STATS("1000000000", "10")},
		{"GET", "/v1/stats", 200, STATS("1500000000", "10000")},
		{0},
	};
	expect(replies,
	       "stats p",
	       0,
	       "PORT  NETWORK  STATE    RX FRAMES  RX BYTES  TX FRAMES  TX BYTES  DROPPED  WHY\n"
	       "p     fast     running      20.0k      125M          5       640    20.0k  full 12, "
	       "other 20.0k, uplink unknown_vlan 3\n",
	       "GET /v1/stats?port=p\n");
	expect(one_sample,
	       "stats",
	       0,
	       "PORT  NETWORK  STATE    RX FRAMES  RX BYTES  TX FRAMES  TX BYTES  DROPPED  WHY\n"
	       "p     fast     running         10      125M          5       640    20.0k  full 12, "
	       "other 20.0k, uplink unknown_vlan 3\n"
	       "\n"
	       "WORKER'S CPU  QUEUES  AWAKE  SLEEPS  FRAMES\n"
	       "           3       4      2       7   12.3k\n",
	       "GET /v1/stats\n");
	expect(replies,
	       "stats --watch --count 1 --interval 0.1",
	       0,
	       "switch: CPU 100 %, worker on core 3 busy 100 %, 2 of 4 queues awake; Gbit/s counts frame bytes\n"
	       "PORT  NETWORK  STATE    RX FRAMES/S  RX GBIT/S  TX FRAMES/S  TX GBIT/S  DROPS/S\n"
	       "p     fast     running        20.0k      0.000            0      0.000        0\n",
	       "GET /v1/stats\nGET /v1/stats\n");
	expect(replies,
	       "stats -w -n 2 -i 0.1 --json",
	       0,
	       STATS("1500000000", "10000") "\n" STATS("1500000000", "10000") "\n",
	       "GET /v1/stats\nGET /v1/stats\nGET /v1/stats\n");
}

static void test_failure_is_one_line(void **state)
{
	static const struct fake_reply replies[] = {
		{"GET",
		 "/v1/networks/a%2Fb",
		 404,
		 "{\"error\":{\"code\":\"not_found\",\"message\":\"no network\\n'a/b'\",\"hint\":\"make it\"}}"},
		{0},
	};
	struct scene scene;
	scene_run(&scene, replies, "network inspect a/b");
	assert_int_equal(scene.shell.status, 1);
	assert_string_equal(scene.shell.err, "ringway: no network 'a/b' (make it)\n");
	scene_close(&scene);
	scene_run(&scene, replies, "network inspect ''");
	assert_int_equal(scene.shell.status, 1);
	assert_non_null(strstr(scene.shell.err, "empty name"));
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_run_dir_is_chosen),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_ps),
		cmocka_unit_test(test_ps_of_functions),
		cmocka_unit_test(test_ps_without_engine_shows_all),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_failure_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
