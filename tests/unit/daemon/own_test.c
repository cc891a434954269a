// SPDX-License-Identifier: BSD-3-Clause
// Ports that networks have of their own, ether ports and published ports, on a kernel and a switch that are fakes: what is
// told to whom, what is undone when a step fails, and what a start makes of it.
#include "daemon/core/kernel.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/kernel_rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void test_network_has_gateway(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = rig_network();
	struct network_info info;
	uint32_t id = rig_add_network(&spec);
	struct port_info gateway = rig_get_port("n.gateway");
	const struct fake_kernel_port *real = fake_kernel_port(gateway.id);
	assert_true(gateway.spec.of_network);
	assert_string_equal(gateway.spec.attach, "kernel");
	assert_string_equal(gateway.spec.ip, "10.0.0.1/24");
	assert_string_equal(gateway.spec.ip6, "fd00::1/64");
	assert_int_equal(strncmp(gateway.ifname_host, "rwg", 3), 0);
	assert_int_equal(gateway.state, WIRE_PORT_RUNNING);
	assert_non_null(real);
	assert_string_equal(real->inside.name, gateway.ifname_host);
	assert_int_equal(real->inside.netns_fd, -1);
	assert_string_equal(real->inside.address[0], "10.0.0.1/24");
	assert_string_equal(real->inside.address[1], "fd00::1/64");
	assert_string_equal(real->inside.gateway[0], ""); // The host has its own routes.
	assert_int_equal(fake_kernel.rule_count, 1);
	assert_string_equal(fake_kernel.rules[0].interface, gateway.ifname_host);
	assert_string_equal(fake_kernel.rules[0].gateway[1], "fd00::1");
	assert_true(fake_kernel.rules[0].masquerade);
	assert_int_equal(service_network_get(instance, "n", &info, &err), 0);
	assert_int_equal(info.ports, 0); // Not counted.
	assert_int_equal(service_port_remove(instance, "n.gateway", &err), -EPERM);
	assert_string_equal(err.msg, "cannot remove port 'n.gateway': it belongs to its network");

	rig_restart(false);
	assert_int_equal(rig_get_port("n.gateway").id, gateway.id);
	assert_int_equal(fake_kernel.port_count, 1);
	assert_int_equal(service_network_remove(instance, "n", &err), 0);
	assert_false(rig_has_port("n.gateway"));
	assert_int_equal(fake_kernel.port_count, 0);
	assert_int_equal(fake_kernel.network_count, 0);
	assert_int_equal(fake_kernel.rule_count, 0);
	assert_true(rig_add_network(&spec) > id);
}

static void test_gateway_is_optional(void **state)
{
	struct network_spec spec = rig_network();
	spec.no_gateway = true;
	(void)rig_add_network(&spec);
	assert_false(rig_has_port("n.gateway"));
	assert_int_equal(fake_kernel.rule_count, 0);
}

// Addresses that come later bring the gateway with them, and one more family makes it anew with the MAC it had.
static void test_gateway_comes_later(void **state)
{
	struct rwy_err err = {0};
	const struct network_spec spec = {.name = "n"};
	struct network_spec given = {.subnet = "10.0.0.0/24", .gateway = "10.0.0.1"};
	uint32_t id = rig_add_network(&spec);
	assert_false(rig_has_port("n.gateway"));
	fake_kernel.fail = "host_port_place";
	assert_int_equal(service_network_set_addresses(instance, id, &given, &err), -EIO);
	assert_false(rig_has_port("n.gateway"));
	fake_kernel.fail = NULL;
	assert_int_equal(service_network_set_addresses(instance, id, &given, &err), 0);
	struct port_info first = rig_get_port("n.gateway");
	given = (struct network_spec){.subnet6 = "fd00::/64", .gateway6 = "fd00::1"};
	assert_int_equal(service_network_set_addresses(instance, id, &given, &err), 0);
	struct port_info second = rig_get_port("n.gateway");
	assert_string_equal(second.spec.ip, "10.0.0.1/24");
	assert_string_equal(second.spec.ip6, "fd00::1/64");
	assert_memory_equal(second.spec.mac, first.spec.mac, MAC_SIZE);
	assert_int_equal(fake_kernel.port_count, 1);
	assert_int_equal(service_network_bind(instance, id, "m", false, "", &err), 0);
	assert_int_equal(rig_get_port("m.gateway").id, second.id);
}

static void test_subnet_of_the_host(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = rig_network();
	struct network_info info;
	fake_kernel.address = (struct host_address){"eth0", "10.0.0.7/16"};
	assert_int_equal(service_network_add(instance, &spec, &info, &err), -EEXIST);
	assert_string_equal(
		err.msg,
		"cannot create network 'n': subnet 10.0.0.0/24 overlaps 10.0.0.7/16 of the host's interface 'eth0'"
	);
	assert_int_equal(service_network_get(instance, "n", &info, &err), -ENOENT);
	fake_kernel.address = (struct host_address){"eth0", "fd00::7/64"};
	assert_int_equal(service_network_add(instance, &spec, &info, &err), -EEXIST);
	assert_int_equal(fake_kernel.port_count + fake_kernel.network_count, 0);

	// What is there already stays, and so does what keeps out of the host.
	spec.no_gateway = true;
	(void)rig_add_network(&spec);
	assert_int_equal(service_network_remove(instance, "n", &err), 0);
	fake_kernel.address = (struct host_address){"eth0", "10.0.1.7/24"};
	spec.no_gateway = false;
	(void)rig_add_network(&spec);
	fake_kernel.address = (struct host_address){"eth0", "10.0.0.7/16"};
	rig_restart(false);
	assert_true(rig_has_port("n.gateway"));
}

static void test_network_is_undone(void **state)
{
	static const char *const steps[] = {
		"host_network_add",
		"host_port_add",
		"host_port_place",
		"firewall_set",
		"uplinks_attach",
		"uplinks_wait"};
	struct rwy_err err = {0};
	struct network_spec spec = rig_network();
	struct network_info info;
	(void)snprintf(spec.uplink, sizeof(spec.uplink), "eth1");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fake_kernel.fail = steps[i];
		assert_int_equal(service_network_add(instance, &spec, &info, &err), -EIO);
		if (!strstr(err.msg, "cannot create network 'n': ") || !strstr(err.msg, steps[i]))
			fail_msg("%s", err.msg);
		assert_null(strstr(err.msg, "cannot create port")); // Nobody asked for one.
		assert_int_equal(service_network_get(instance, "n", &info, &err), -ENOENT);
		assert_false(rig_has_port("n.gateway") || rig_has_port("n.uplink"));
		assert_int_equal(fake_kernel.port_count + fake_kernel.network_count, 0);
		assert_int_equal(fake_kernel.uplink_count, 0);
		fake_kernel.fail = NULL;
	}
	(void)rig_add_network(&spec);
}

static struct port_publish tcp(uint16_t container_port, uint16_t host_port)
{
	return (struct port_publish
	){.proto = IPPROTO_TCP, .container_port = container_port, .host_port = host_port};
}

static void test_publish(void **state)
{
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	struct port_spec spec = rig_port("a", "kernel", "10.0.0.2");
	struct port_publish list[] = {tcp(80, 8080), tcp(443, 0)};
	struct port_publish got[4];
	(void)rig_add_network(&network);
	uint32_t id = rig_add_port(&spec).id;
	assert_int_equal(service_port_publish(instance, id, list, 2, &err), 0);
	assert_int_equal(service_port_published(instance, id, got, 4), 2);
	assert_int_equal(got[0].bound, 8080);
	assert_int_equal(got[1].bound, 32768);
	assert_int_equal(service_port_published(instance, id, got, 1), 2);
	assert_int_equal(fake_kernel.publish_count, 2);
	assert_string_equal(fake_kernel.publishes[0].address, "10.0.0.2");
	assert_string_equal(fake_kernel.publishes[0].address6, "");
	assert_int_equal(fake_kernel.publishes[0].bound, 8080);

	// All or nothing.
	struct port_publish others[] = {tcp(81, 8081), tcp(82, 8082)};
	fake_kernel.taken = 8082;
	assert_int_equal(service_port_publish(instance, id, others, 2, &err), -EADDRINUSE);
	assert_string_equal(err.msg, "cannot publish port 8082/tcp: in use");
	fake_kernel.taken = 0;
	fake_kernel.fail = "firewall_set";
	assert_int_equal(service_port_publish(instance, id, others, 2, &err), -EIO);
	fake_kernel.fail = NULL;
	assert_int_equal(service_port_published(instance, id, got, 4), 2);
	assert_int_equal(got[0].container_port, 80);
	assert_int_equal(fake_kernel.reserved, 2);
	assert_int_equal(publish_apply(instance, &err), 0);
	assert_int_equal(fake_kernel.publishes[0].container_port, 80);

	rig_restart(false); // Reserved again, the same ones.
	assert_int_equal(fake_kernel.reserved, 2);
	assert_int_equal(fake_kernel.publish_count, 2);
	assert_int_equal(fake_kernel.publishes[1].bound, 32768);
	fake_kernel.taken =
		8080; // By somebody else, while ringwayd was away: it waits for its turn.
	rig_restart(false);
	assert_int_equal(fake_kernel.reserved, 0);
	assert_int_equal(fake_kernel.publish_count, 2);
	publish_retry(instance);
	assert_int_equal(fake_kernel.reserved, 0);
	fake_kernel.taken = 0;
	publish_retry(instance);
	assert_int_equal(fake_kernel.reserved, 2);
	publish_retry(instance);
	assert_int_equal(fake_kernel.reserved, 2);
	assert_int_equal(service_port_publish(instance, id, NULL, 0, &err), 0);
	assert_int_equal(service_port_published(instance, id, got, 4), 0);
	assert_int_equal(fake_kernel.publish_count + fake_kernel.reserved, 0);
	assert_int_equal(service_port_publish(instance, id, list, 1, &err), 0);
	assert_int_equal(service_port_remove(instance, "a", &err), 0);
	assert_int_equal(fake_kernel.publish_count + fake_kernel.reserved, 0);
}

static void test_publish_refused(void **state)
{
	static const struct {
		struct port_publish publish;
		const char *why;
	} bad[] = {
		{{.proto = 1, .container_port = 80}, "protocol 1 cannot be published"},
		{{.proto = 6}, "a container has no port 0"},
		{{.proto = 6, .container_port = 80, .host_port = 9, .host_port_end = 8},
		 "9-8 is no range"},
		{{.proto = 6, .container_port = 80, .host_ip = "::"}, "has no IPv6 address"},
	};
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	struct port_spec spec = rig_port("a", "kernel", "10.0.0.2");
	struct port_spec vhost = rig_port("v", "vhost", "10.0.0.3");
	const struct port_publish good = tcp(80, 0);
	(void)rig_add_network(&network);
	uint32_t id = rig_add_port(&spec).id;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
			service_port_publish(instance, id, &bad[i].publish, 1, &err), -EINVAL
		);
		if (!strstr(err.msg, bad[i].why))
			fail_msg("'%s' is not in '%s'", bad[i].why, err.msg);
	}
	assert_int_equal(
		service_port_publish(instance, rig_add_port(&vhost).id, &good, 1, &err), -EINVAL
	);
	assert_non_null(strstr(err.msg, "only kernel ports"));
	assert_int_equal(service_port_publish(instance, 999, &good, 1, &err), -ENOENT);
	assert_int_equal(fake_kernel.reserved, 0);
}

static void test_ether(void **state)
{
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	network.vlan = 7;
	(void)snprintf(network.uplink, sizeof(network.uplink), "xdp:eth1");
	uint32_t id = rig_add_network(&network);
	struct port_info uplink = rig_get_port("n.uplink");
	assert_true(uplink.spec.of_network && uplink.spec.learning);
	assert_int_equal(fake_kernel.uplink_count, 1);
	assert_int_equal(fake_kernel.uplinks[0].vlan, 7);
	assert_string_equal(fake_kernel.uplinks[0].device, "xdp:eth1");
	assert_string_equal(fake_kernel.uplinks[0].socket, uplink.socket);
	assert_true(instance_has_file("run/ports/n.uplink/vhost.sock"));
	rig_await_stations(WIRE_TRUNK_ID(id), 1); // Gateway and uplink are of both kinds.

	struct port_spec spec = rig_port("e", "ether", "");
	struct port_info e = rig_add_port(&spec);
	assert_int_equal(e.spec.vlan, 7); // The network's.
	assert_int_equal(service_port_remove(instance, "e", &err), 0);
	assert_int_equal(fake_kernel.uplink_count, 1);
	rig_restart(false);
	rig_await_stations(WIRE_TRUNK_ID(id), 1);
	while (!instance->uplinks_settled)
		rig_pause();			       // Never: the test's time is up.
	assert_int_equal(fake_kernel.uplink_count, 1); // Attached again..
	assert_int_equal(fake_kernel.uplinks[0].id, uplink.id);
	assert_true(fake_kernel.settled > 0); // ..before others were ended.
	assert_int_equal(service_network_bind(instance, id, "m", false, "", &err), 0);
	assert_false(instance_has_file("run/ports/n.uplink"));
	assert_true(instance_has_file("run/ports/m.uplink/vhost.sock"));
	assert_int_equal(service_network_remove(instance, "m", &err), 0);
	assert_int_equal(fake_kernel.uplink_count, 0);
}

// A network's own way into the host, or a port there, is no way out of another network.
static void test_ether_is_not_ours(void **state)
{
	static const char *const forms[] = {"", "xdp:", "packet:", "net_pcap0,iface="};
	struct rwy_err err = {0};
	const struct network_spec first = rig_network();
	struct network_spec second = {.name = "m"};
	struct network_info info;
	(void)rig_add_network(&first);
	struct port_info gateway = rig_get_port("n.gateway");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char wanted[80];
		(void)snprintf(
			second.uplink, sizeof(second.uplink), "%s%s", forms[i], gateway.ifname_host
		);
		(void)snprintf(
			wanted, sizeof(wanted), "'%s' is port 'n.gateway' of", gateway.ifname_host
		);
		assert_int_equal(service_network_add(instance, &second, &info, &err), -EINVAL);
		if (!strstr(err.msg, wanted))
			fail_msg("%s", err.msg);
		assert_int_equal(service_network_get(instance, "m", &info, &err), -ENOENT);
		assert_int_equal(fake_kernel.uplink_count, 0);
	}
}

// Long names leave no room for what is added, and names may be taken.
static void test_own_names(void **state)
{
	struct rwy_err err = {0};
	struct network_spec network = rig_network();
	struct port_spec spec = rig_port("n.gateway", "vhost", "");
	const struct network_spec other = {.name = "m"};
	char expected[NAME_SIZE];
	(void)rig_add_network(&other);
	(void)snprintf(spec.network, sizeof(spec.network), "m");
	(void)rig_add_port(&spec);
	uint32_t id = rig_add_network(&network);
	(void)snprintf(expected, sizeof(expected), "network-%u.gateway", id);
	assert_true(rig_get_port(expected).spec.of_network);
	assert_int_equal(service_network_remove(instance, "n", &err), 0);
	memset(network.name, 'x', NAME_SIZE - 1);
	id = rig_add_network(&network);
	(void)snprintf(expected, sizeof(expected), "network-%u.gateway", id);
	assert_true(rig_get_port(expected).spec.of_network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_network_has_gateway),
		TEST(test_gateway_is_optional),
		TEST(test_gateway_comes_later),
		TEST(test_subnet_of_the_host),
		TEST(test_network_is_undone),
		TEST(test_publish),
		TEST(test_publish_refused),
		TEST(test_ether),
		TEST(test_ether_is_not_ours),
		TEST(test_own_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
