// SPDX-License-Identifier: BSD-3-Clause
// Kernel ports, trunks and stations, on a kernel and a switch that are fakes: what is told to whom, what is undone when a
// step fails, and what a start makes of it.
#include "daemon/core/kernel.h"
#include "daemon/core/stats.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/kernel_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// A process in a network namespace of its own. 0: nobody may make one here.
static pid_t start_elsewhere(void)
{
	int pipe_fds[2];
	char byte = 0;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		bool there =
			unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
		if (there && write(pipe_fds[1], "x", 1) == 1)
			(void)pause();
		_exit(1);
	}
	(void)close(pipe_fds[1]);
	bool there = read(pipe_fds[0], &byte, 1) == 1;
	(void)close(pipe_fds[0]);
	if (!there)
		(void)waitpid(pid, NULL, 0);
	return there ? pid : 0;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void set_netns(struct port_spec *spec, pid_t pid)
{
	(void)snprintf(spec->netns, sizeof(spec->netns), "/proc/%d/ns/net", (int)pid);
}

static void test_port_in_namespace(void **state)
{
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	struct port_spec spec = rig_port("a", "kernel", "10.0.0.2");
	pid_t pid = start_elsewhere();
	if (!pid)
		skip();
	(void)rig_add_network(&network);
	set_netns(&spec, pid);
	(void)snprintf(spec.ip6, sizeof(spec.ip6), "fd00::2");
	spec.pin_address = true;
	struct port_info info = rig_add_port(&spec);
	const struct fake_kernel_port *real = fake_kernel_port(info.id);
	assert_true(real->netns && real->netns == info.netns_inode);
	assert_string_equal(real->inside.name, "eth0");
	assert_string_equal(real->inside.address[0], "10.0.0.2/24");
	assert_string_equal(real->inside.gateway[0], "10.0.0.1");
	assert_string_equal(real->inside.gateway[1], "fd00::1");
	assert_string_equal(real->port.pin_ip, "10.0.0.2");
	assert_string_equal(real->port.pin_ip6, "fd00::2");
	assert_int_equal(strncmp(real->port.peer, "rwc", 3), 0);
	assert_string_equal(info.ifname_host, real->port.peer);
	assert_int_equal(service_port_remove(instance, "a", &err), 0);
	assert_null(fake_kernel_port(info.id));

	set_netns(&spec, getpid()); // The host's own routes stay as they are.
	info = rig_add_port(&spec);
	assert_string_equal(fake_kernel_port(info.id)->inside.gateway[0], "");
	assert_int_equal(service_port_remove(instance, "a", &err), 0);
	set_netns(&spec, pid);
	end(pid);
	assert_int_equal(service_port_add(instance, &spec, &info, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "there is no process"));
}

static void test_bad_namespaces(void **state)
{
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	struct port_spec spec = rig_port("a", "kernel", "10.0.0.2");
	struct port_info info;
	(void)rig_add_network(&network);
	static const struct {
		const char *netns, *why;
	} bad[] = {
		{"/proc/4194305/ns/net", "there is no process 4194305"},
		{"/nowhere", "cannot open the network namespace '/nowhere': No such file"},
		{"/proc/self/status", "'/proc/self/status' is no network namespace"},
		{"/proc/self/ns/mnt", "'/proc/self/ns/mnt' is no network namespace"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(spec.netns, sizeof(spec.netns), "%s", bad[i].netns);
		assert_true(service_port_add(instance, &spec, &info, &err) < 0);
		if (!strstr(err.msg, bad[i].why) || !strstr(err.msg, "cannot create port 'a': "))
			fail_msg("'%s' is not in '%s'", bad[i].why, err.msg);
	}
	assert_false(rig_has_port("a"));
}

static void test_internal_has_no_route(void **state)
{
	struct network_spec network = rig_network();
	struct port_spec spec = rig_port("a", "kernel", "10.0.0.2");
	pid_t pid = start_elsewhere();
	if (!pid)
		skip();
	network.internal = true;
	(void)rig_add_network(&network);
	set_netns(&spec, pid);
	struct port_info info = rig_add_port(&spec);
	end(pid);
	assert_true(info.internal);
	assert_string_equal(fake_kernel_port(info.id)->inside.address[0], "10.0.0.2/24");
	assert_string_equal(fake_kernel_port(info.id)->inside.gateway[0], "");
	assert_true(fake_kernel.rules[0].internal);
	assert_false(fake_kernel.rules[0].masquerade);
}

// The steps of a kernel port one after the other, and those of a port of the switch.
static void test_ports_are_undone(void **state)
{
	static const struct {
		const char *attach, *step;
	} steps[] = {
		{"kernel", "host_trunk_open"}, // First: once it is open, it stays.
		{"kernel", "host_port_add"},
		{"kernel", "host_station_add"},
		{"kernel", "host_port_place"},
		{"ether", "uplinks_attach"},
		{"ether", "uplinks_wait"},
	};
	struct rwy_err err = {0};
	const struct network_spec network = {
		.name = "n", .subnet = "10.0.0.0/24", .no_gateway = true, .proxy_neighbors = true};
	struct port_spec vhost = rig_port("v", "vhost", "");
	struct port_info info;
	(void)rig_add_network(&network);
	(void)rig_add_port(&vhost);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		bool kernel = steps[i].attach[0] == 'k';
		struct port_spec spec = rig_port("a", steps[i].attach, kernel ? "10.0.0.2" : "");
		if (kernel)
			(void)snprintf(spec.netns, sizeof(spec.netns), "/proc/self/ns/net");
		fake_kernel.fail = steps[i].step;
		assert_int_equal(service_port_add(instance, &spec, &info, &err), -EIO);
		if (!strstr(err.msg, steps[i].step))
			fail_msg("%s", err.msg);
		assert_false(rig_has_port("a"));
		assert_int_equal(fake_kernel.port_count + fake_kernel.uplink_count, 0);
		assert_false(instance_has_file("run/ports/a"));
		fake_kernel.fail = NULL;
		(void)rig_add_port(&spec);
		assert_int_equal(service_port_remove(instance, "a", &err), 0);
	}
	// The switch refuses the station, and a trunk.
	struct port_spec spec = rig_port("a", "kernel", "10.0.0.2");
	spec.mac[0] = 0xee;
	assert_int_equal(service_port_add(instance, &spec, &info, &err), -EEXIST);
	assert_int_equal(fake_kernel.port_count, 0);
	const struct network_spec without = {.name = "notrunk"};
	(void)rig_add_network(&without);
	spec = rig_port("k", "kernel", "");
	vhost = rig_port("w", "vhost", "");
	(void)snprintf(spec.network, sizeof(spec.network), "notrunk");
	(void)snprintf(vhost.network, sizeof(vhost.network), "notrunk");
	(void)rig_add_port(&spec);
	assert_int_equal(service_port_add(instance, &vhost, &info, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "cannot join the kernel's ports with the switch's"));
	assert_false(rig_has_port("w") || instance_has_file("run/ports/w"));
}

// What the switch was told of a trunk.
static bool has_strangers(uint32_t trunk)
{
	struct rwy_err err = {0};
	struct wire_msg *msg = link_msg(instance->link, WIRE_STATE);
	msg->args.after.after = trunk - 1;
	assert_int_equal(link_request(instance->link, msg, &err), 0);
	wire_msg_close_fds(msg);
	assert_int_equal(msg->args.state.ports[0].port, trunk);
	return msg->args.state.ports[0].allow_spoof;
}

// A trunk takes what is no station's once a kernel port may send it, also when it was there before, and for another switch.
static void test_strangers_behind_a_trunk(void **state)
{
	struct rwy_err err = {0};
	const struct network_spec network = {
		.name = "n", .subnet = "10.0.0.0/24", .no_gateway = true};
	struct port_spec kernel = rig_port("k", "kernel", "10.0.0.2");
	const struct port_spec vhost = rig_port("v", "vhost", "10.0.0.4");
	uint32_t trunk = WIRE_TRUNK_ID(rig_add_network(&network));
	(void)rig_add_port(&kernel);
	(void)rig_add_port(&vhost);
	assert_false(has_strangers(trunk));
	kernel = rig_port("s", "kernel", "10.0.0.3");
	kernel.allow_spoof = true;
	(void)rig_add_port(&kernel);
	assert_true(has_strangers(trunk));
	rig_restart(false);
	rig_await_stations(trunk, 2);
	assert_true(has_strangers(trunk));
	assert_int_equal(kill((pid_t)link_pid(instance->link), SIGKILL), 0);
	rig_await_stations(trunk, 2);
	assert_true(has_strangers(trunk));
	assert_int_equal(service_port_remove(instance, "s", &err), 0);
	assert_int_equal(service_port_remove(instance, "v", &err), 0);
	assert_int_equal(service_port_remove(instance, "k", &err), 0);
	assert_int_equal(service_network_remove(instance, "n", &err), 0);
}

static void test_trunk_joins_both(void **state)
{
	struct rwy_err err = {0};
	const struct network_spec network = {
		.name = "n", .subnet = "10.0.0.0/24", .no_gateway = true};
	const struct port_spec kernel = rig_port("k", "kernel", "10.0.0.2");
	const struct port_spec more = rig_port("l", "kernel", "10.0.0.3");
	const struct port_spec vhost = rig_port("v", "vhost", "10.0.0.4");
	struct wire_port_stats stats;
	uint32_t trunk = WIRE_TRUNK_ID(rig_add_network(&network));
	(void)rig_add_port(&kernel);
	assert_int_equal(fake_kernel.trunks_opened, 0);
	assert_false(rig_ask_switch(trunk, &stats));
	struct port_info info = rig_add_port(&vhost);
	assert_int_equal(fake_kernel.trunks_opened, 1);
	assert_true(rig_ask_switch(trunk, &stats));
	assert_int_equal(stats.memory, 1); // Its queues.
	assert_int_equal(stats.regions, 1);
	assert_int_equal(rig_stations_at(info.id), 1); // Nobody else may claim its address.
	(void)rig_add_port(&more);
	assert_int_equal(rig_stations_at(trunk), 2);
	assert_int_equal(service_port_remove(instance, "k", &err), 0);
	assert_int_equal(rig_stations_at(trunk), 1);

	// Another switch gets the same queues.
	assert_int_equal(kill((pid_t)link_pid(instance->link), SIGKILL), 0);
	rig_await_stations(trunk, 1);
	assert_int_equal(fake_kernel.trunks_opened, 1);
	// The next ringwayd leaves them with the switch that has them..
	rig_restart(false);
	rig_await_stations(trunk, 1);
	assert_int_equal(fake_kernel.trunks_opened, 1);
	// ..and takes copies of them back, for the one after it.
	assert_int_equal(kill((pid_t)link_pid(instance->link), SIGKILL), 0);
	rig_await_stations(trunk, 1);
	assert_int_equal(fake_kernel.trunks_opened, 1);

	assert_int_equal(service_port_remove(instance, "v", &err), 0);
	assert_int_equal(service_port_remove(instance, "l", &err), 0);
	assert_int_equal(service_network_remove(instance, "n", &err), 0);
	assert_false(rig_ask_switch(trunk, &stats));
}

// Told in the middle of a request, and mended after it.
static void test_lost_trunk_is_opened_anew(void **state)
{
	struct rwy_err err = {0};
	const struct network_spec network = {.name = "n"};
	const struct port_spec vhost = rig_port("v", "vhost", "");
	struct port_spec kernel = rig_port("k", "kernel", "");
	struct port_spec bad = rig_port("bad", "kernel", "");
	uint32_t trunk = WIRE_TRUNK_ID(rig_add_network(&network));
	(void)rig_add_port(&kernel);
	(void)rig_add_port(&vhost);
	bad.mac[0] = 0xde;
	(void)rig_add_port(&bad);
	assert_int_equal(service_port_remove(instance, "bad", &err), 0);
	while (fake_kernel.trunks_opened < 2)
		rig_pause(); // Never: the test's time is up.
	rig_await_stations(trunk, 1);
	struct wire_port_stats stats;
	assert_true(rig_ask_switch(trunk, &stats));
	assert_int_equal(stats.state, WIRE_PORT_RUNNING);
}

// What was not told to this ringwayd's switch, because it is of another epoch, is swept.
static void test_stations_are_swept(void **state)
{
	struct rwy_err err = {0};
	const struct network_spec network = {
		.name = "n", .subnet = "10.0.0.0/24", .no_gateway = true, .proxy_neighbors = true};
	const struct port_spec kernel = rig_port("k", "kernel", "10.0.0.2");
	const struct port_spec vhost = rig_port("v", "vhost", "10.0.0.4");
	uint32_t id = rig_add_network(&network);
	(void)rig_add_port(&kernel);
	struct port_info info = rig_add_port(&vhost);
	assert_int_equal(rig_stations_at(info.id), 1);
	assert_int_equal(fake_kernel.station_count, 2);
	struct wire_msg *msg = link_msg(instance->link, WIRE_STATION_ADD);
	msg->args.station = (struct wire_station
	){.port = WIRE_TRUNK_ID(id), .network = id, .mac = {2, 9}, .epoch = instance->epoch + 1};
	assert_int_equal(link_request(instance->link, msg, &err), 0);
	assert_int_equal(rig_stations_at(WIRE_TRUNK_ID(id)), 2);
	rig_restart(false);
	rig_await_stations(WIRE_TRUNK_ID(id), 1);
	assert_int_equal(rig_stations_at(info.id), 1);
}

static void check_now(void)
{
	kernel_reconcile(instance);
}

static void test_kernel_is_compared(void **state)
{
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	struct port_spec spec = rig_port("a", "kernel", "10.0.0.2");
	struct port_spec other = rig_port("b", "kernel", "10.0.0.3");
	uint32_t id = rig_add_network(&network);
	(void)snprintf(spec.netns, sizeof(spec.netns), "/proc/self/ns/net");
	struct port_info a = rig_add_port(&spec);
	struct port_info b = rig_add_port(&other);
	struct port_info gateway = rig_get_port("n.gateway");

	// Pairs that are gone come back, in their namespace, and the gateway with its rules.
	fake_kernel.port_count = 0;
	fake_kernel.rule_count = 0;
	check_now();
	assert_string_equal(fake_kernel_port(a.id)->inside.name, "eth0");
	assert_true(fake_kernel_port(a.id)->netns == a.netns_inode);
	assert_string_equal(fake_kernel_port(gateway.id)->inside.name, gateway.ifname_host);
	assert_string_equal(fake_kernel_port(b.id)->inside.name, ""); // Its asker moves it.
	assert_int_equal(fake_kernel.rule_count, 1);

	// Not into a namespace that has taken the other's number.
	(void)host_port_remove(NULL, a.id, NULL);
	daemon_find_port(instance, "a")->info.netns_inode++;
	check_now();
	assert_null(fake_kernel_port(a.id));
	assert_string_equal(rig_get_port("a").reason, "its namespace is gone");
	assert_int_equal(rig_get_port("a").state, WIRE_PORT_WAITING);
	daemon_find_port(instance, "a")->info.netns_inode--;
	check_now();
	assert_non_null(fake_kernel_port(a.id));
	assert_string_equal(rig_get_port("a").reason, "");

	// What the store does not have goes, at once and at a start.
	struct host_port stray = {.id = 999, .network = id};
	const struct host_network stray_network = {.id = 888};
	assert_int_equal(host_port_add(NULL, &stray, &err), 0);
	assert_int_equal(host_network_add(NULL, &stray_network, &err), 0);
	check_now();
	assert_null(fake_kernel_port(999));
	assert_int_equal(fake_kernel.network_count, 1);
	assert_int_equal(host_port_add(NULL, &stray, &err), 0);
	rig_restart(false);
	assert_null(fake_kernel_port(999));
	assert_int_equal(fake_kernel.port_count, 3);
	assert_int_equal(fake_kernel.destroyed, 0);

	// An end at the terminal takes all along, and the next start makes it anew.
	rig_restart(true);
	assert_int_equal(fake_kernel.destroyed, 1);
	assert_int_equal(fake_kernel.port_count, 3);
	assert_int_equal(fake_kernel.rule_count, 1);
}

// A container that Docker has moved the interface into: its name there was Docker's choice.
static void test_sandbox_gets_it_back(void **state)
{
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	struct port_spec spec = rig_port("a", "kernel", "10.0.0.2");
	(void)rig_add_network(&network);
	(void)snprintf(spec.endpoint_id, sizeof(spec.endpoint_id), "e1");
	struct port_info a = rig_add_port(&spec);
	assert_int_equal(
		service_port_set_sandbox(instance, a.id, "/proc/self/ns/net", true, &err), 0
	);
	(void)host_port_remove(NULL, a.id, NULL);
	check_now();
	assert_string_equal(fake_kernel_port(a.id)->inside.name, "eth0");
	assert_int_equal(service_port_set_sandbox(instance, a.id, "/nowhere", true, &err), 0);
	(void)host_port_remove(NULL, a.id, NULL);
	check_now();
	assert_null(fake_kernel_port(a.id));
	assert_string_equal(rig_get_port("a").reason, "its namespace is gone");
}

static void test_without_kernel(void **state)
{
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	const struct port_spec kernel = rig_port("k", "kernel", "");
	const struct port_spec vhost = rig_port("v", "vhost", "");
	struct port_info info;
	instance_stop(true);
	fake_kernel.absent = true;
	instance_start();
	uint32_t id = rig_add_network(&network);
	(void)rig_add_port(&vhost);
	assert_false(rig_has_port("n.gateway"));
	assert_int_equal(service_port_add(instance, &kernel, &info, &err), -ENOSYS);
	assert_string_equal(
		err.msg,
		"cannot create port 'k': there are no kernel ports here: the kernel is a fake"
	);
	const struct port_publish publish = {.proto = IPPROTO_TCP, .container_port = 80};
	assert_int_equal(service_port_publish(instance, 1, &publish, 1, &err), -EINVAL);
	json_t *version = json_object();
	stats_describe_kernel(instance, version);
	assert_string_equal(
		json_string_value(
			json_object_get(json_object_get(version, "kernel_ports"), "reason")
		),
		"the kernel is a fake"
	);
	json_decref(version);

	// It has one later: the gateway is made then.
	fake_kernel.absent = false;
	rig_restart(false);
	while (!rig_has_port("n.gateway"))
		rig_pause(); // Never: the test's time is up.
	assert_true(rig_has_port("n.gateway"));
	rig_await_stations(WIRE_TRUNK_ID(id), 1);
}

static void test_stats(void **state)
{
	struct rwy_err err = {0};
	const struct network_spec network = {.name = "n"};
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	static const char *const attach[] = {"vhost", "kernel", "vhost", "vhost", "kernel"};
	uint32_t id = rig_add_network(&network);
	for (size_t i = 0; i < 5; i++) { // The fake switch's pages are of two.
		struct port_spec spec = rig_port(names[i], attach[i], "");
		(void)rig_add_port(&spec);
	}
	json_t *object = json_object();
	assert_int_equal(service_stats(instance, NULL, object, &err), 0);
	const json_t *ports = json_object_get(object, "ports");
	assert_int_equal(json_array_size(ports), 5); // And no trunk.
	for (size_t i = 0; i < 5; i++) {
		const json_t *entry = json_array_get(ports, i);
		json_int_t rx =
			json_integer_value(json_object_get(json_object_get(entry, "rx"), "frames"));
		assert_string_equal(json_string_value(json_object_get(entry, "name")), names[i]);
		assert_string_equal(json_string_value(json_object_get(entry, "attach")), attach[i]);
		assert_int_equal(rx >= 1000, attach[i][0] == 'k');
	}
	json_decref(object);

	object = json_object();
	assert_int_equal(service_stats(instance, "b", object, &err), 0);
	const json_t *entry = json_array_get(json_object_get(object, "ports"), 0);
	assert_int_equal(json_integer_value(json_object_get(entry, "dropped")), 1);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(entry, "drops"), "short")), 1
	);
	assert_non_null(json_object_get(object, "time_ns"));
	json_decref(object);

	object = json_object();
	stats_add_trunk(instance, id, object);
	const json_t *trunk = json_object_get(object, "trunk");
	assert_non_null(json_object_get(trunk, "rx"));
	assert_null(json_object_get(json_object_get(trunk, "drops"), "missed"));
	json_int_t dropped = json_integer_value(json_object_get(trunk, "dropped"));
	json_decref(object);

	fake_kernel.missed = 7;
	object = json_object();
	stats_add_trunk(instance, id, object);
	trunk = json_object_get(object, "trunk");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(trunk, "drops"), "missed")), 7
	);
	assert_int_equal(json_integer_value(json_object_get(trunk, "dropped")), dropped + 7);
	json_decref(object);
}

static void test_limits(void **state)
{
	struct rwy_err err = {0};
	const struct network_spec network = {.name = "n"};
	const struct port_spec spec = rig_port("a", "kernel", "");
	struct port_limits_given given = {.values.rx_bps = 5, .given = 1};
	struct port_info info;
	(void)rig_add_network(&network);
	uint32_t id = rig_add_port(&spec).id;
	assert_int_equal(service_port_set_limits(instance, "a", &given, &info, &err), 0);
	assert_int_equal(fake_kernel_port(id)->port.limits.rx_bps, 5);
	fake_kernel.fail = "host_port_add";
	given.values.rx_bps = 6;
	assert_int_equal(service_port_set_limits(instance, "a", &given, &info, &err), -EIO);
	assert_int_equal(rig_get_port("a").spec.limits.rx_bps, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_port_in_namespace),
		TEST(test_bad_namespaces),
		TEST(test_internal_has_no_route),
		TEST(test_ports_are_undone),
		TEST(test_trunk_joins_both),
		TEST(test_strangers_behind_a_trunk),
		TEST(test_lost_trunk_is_opened_anew),
		TEST(test_stations_are_swept),
		TEST(test_kernel_is_compared),
		TEST(test_sandbox_gets_it_back),
		TEST(test_without_kernel),
		TEST(test_stats),
		TEST(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
