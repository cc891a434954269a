// SPDX-License-Identifier: BSD-3-Clause
// service.h on a real store and a switch that moves no frames: what the Docker driver relies on,
// and what a start makes of half-done changes. No root needed.
#include "daemon/core/daemon.h"
#include "daemon/service.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/instance.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t add_network(const char *name, const char *subnet, const char *docker_id)
{
	struct rwy_err err = {0};
	struct network_info info;
	struct network_spec spec = {.docker = true};
	(void)snprintf(spec.name, sizeof(spec.name), "%s", name);
	(void)snprintf(spec.subnet, sizeof(spec.subnet), "%s", subnet);
	(void)snprintf(spec.docker_id, sizeof(spec.docker_id), "%s", docker_id);
	if (service_network_add(instance, &spec, &info, &err))
		fail_msg("%s", err.msg);
	return info.id;
}

static struct port_spec endpoint(const char *name, const char *id, const char *ip)
{
	struct port_spec spec = {.network = "n", .attach = "vhost"};
	(void)snprintf(spec.name, sizeof(spec.name), "%s", name);
	(void)snprintf(spec.endpoint_id, sizeof(spec.endpoint_id), "%s", id);
	(void)snprintf(spec.ip, sizeof(spec.ip), "%s", ip);
	return spec;
}

static struct port_info add_port(const struct port_spec *spec)
{
	struct rwy_err err = {0};
	struct port_info info;
	if (service_port_add(instance, spec, &info, &err))
		fail_msg("%s", err.msg);
	return info;
}

static void test_network_names_itself_later(void **state)
{
	struct rwy_err err = {0};
	struct network_info info;
	uint32_t id = add_network("", "10.0.0.0/24", "0123456789abcdef");
	assert_int_equal(service_network_get(instance, "net-0123456789ab", &info, &err), 0);
	assert_int_equal(service_network_bind(instance, id, "fast", true, "0123", &err), 0);
	assert_int_equal(service_network_by_docker_id(instance, "0123", &info, &err), 0);
	assert_string_equal(info.spec.name, "fast");
	assert_int_equal(service_network_bind(instance, id, "a/b", true, "0123", &err), -EINVAL);
	(void)add_network("other", "", "");
	assert_int_equal(service_network_bind(instance, id, "other", true, "0123", &err), -EEXIST);
	assert_int_equal(service_network_by_docker_id(instance, "", &info, &err), -ENOENT);
	instance_stop(false);
	instance_start();
	assert_int_equal(service_network_get(instance, "fast", &info, &err), 0);
	assert_string_equal(info.spec.docker_id, "0123");
}

static int set_addresses(uint32_t id, const char *subnet, const char *gateway, struct rwy_err *err)
{
	struct network_spec given = {0};
	(void)snprintf(given.subnet, sizeof(given.subnet), "%s", subnet);
	(void)snprintf(given.gateway, sizeof(given.gateway), "%s", gateway);
	return service_network_set_addresses(instance, id, &given, err);
}

static void test_addresses_are_filled_in(void **state)
{
	struct rwy_err err = {0};
	struct network_info info;
	uint32_t id = add_network("n", "", "");
	(void)add_network("m", "10.1.0.0/16", "");
	assert_int_equal(set_addresses(id, "10.1.2.0/24", "", &err), -EEXIST);
	assert_int_equal(set_addresses(id, "10.2.0.0/16", "10.2.0.1", &err), 0);
	assert_int_equal(set_addresses(id, "10.2.0.0/16", "10.2.0.1", &err), 0);
	assert_int_equal(set_addresses(id, "10.3.0.0/16", "10.3.0.1", &err), -EINVAL);
	assert_string_equal(
		err.msg,
		"cannot create network 'n': its subnet is 10.2.0.0/16 already, not 10.3.0.0/16"
	);
	assert_int_equal(set_addresses(id, "FD00::/64", "fd00::1", &err), 0);
	const struct network_spec more = {.ip_range = "10.2.1.0/24", .aux = "router=10.2.0.9"};
	assert_int_equal(service_network_set_addresses(instance, id, &more, &err), 0);
	instance_stop(false);
	instance_start();
	assert_int_equal(service_network_get(instance, "n", &info, &err), 0);
	assert_string_equal(info.spec.subnet, "10.2.0.0/16");
	assert_string_equal(info.spec.gateway, "10.2.0.1");
	assert_string_equal(info.spec.subnet6, "fd00::/64");
	assert_string_equal(info.spec.gateway6, "fd00::1");
	assert_string_equal(info.spec.ip_range, "10.2.1.0/24");
	assert_string_equal(info.spec.aux, "router=10.2.0.9");
}

static void test_endpoint_is_idempotent(void **state)
{
	(void)add_network("n", "10.0.0.0/24", "");
	struct port_spec spec = endpoint("a", "e1", "10.0.0.2/24");
	struct port_info first = add_port(&spec);
	struct port_info second = add_port(&spec);
	assert_int_equal(first.id, second.id);
	assert_memory_equal(first.spec.mac, second.spec.mac, MAC_SIZE);
	assert_false(mac_is_multicast(first.spec.mac));
	assert_int_equal(first.mtu, 1500);
}

static void test_endpoint_takes_over(void **state)
{
	struct rwy_err err = {0};
	struct port_info info;
	struct container_info place;
	char key[KEY_SIZE];
	(void)add_network("n", "10.0.0.0/24", "");
	service_make_key(instance, key);
	assert_int_equal(service_container_add(instance, key, &place, &err), 0);
	assert_int_equal(service_container_add(instance, key, &place, &err), -EEXIST);
	struct port_spec spec = endpoint("a", "e1", "10.0.0.2/24");
	(void)snprintf(spec.key, sizeof(spec.key), "%s", key);
	struct port_info first = add_port(&spec);
	assert_non_null(strstr(first.socket, "/net0.sock"));
	assert_int_equal(service_container_remove(instance, key, &err), -EBUSY);
	// The same place and name, another endpoint and address.
	spec = endpoint("a", "e2", "10.0.0.3/24");
	(void)snprintf(spec.key, sizeof(spec.key), "%s", key);
	(void)add_port(&spec);
	assert_int_equal(service_port_by_endpoint(instance, "e1", &info, &err), -ENOENT);
	// The same address, elsewhere.
	spec = endpoint("b", "e3", "10.0.0.3/24");
	(void)add_port(&spec);
	assert_int_equal(service_port_by_endpoint(instance, "e2", &info, &err), -ENOENT);
	assert_int_equal(service_container_remove(instance, key, &err), 0);
	assert_int_equal(access(place.dir, F_OK), -1);
	// A port that is no endpoint keeps its address.
	spec = endpoint("c", "", "10.0.0.4/24");
	(void)add_port(&spec);
	spec = endpoint("d", "e4", "10.0.0.4/24");
	assert_int_equal(service_port_add(instance, &spec, &info, &err), -EEXIST);
}

static void test_failed_add_leaves_nothing(void **state)
{
	struct rwy_err err = {0};
	struct port_info info;
	(void)add_network("n", "", "");
	struct port_spec spec = endpoint("refuse", "e1", "");
	assert_int_equal(service_port_add(instance, &spec, &info, &err), -ENOSPC);
	assert_false(instance_has_file("run/ports/refuse"));
	assert_int_equal(service_port_get(instance, "refuse", &info, &err), -ENOENT);
	spec = endpoint("a", "e1", "");
	(void)snprintf(spec.key, sizeof(spec.key), "0123456789abcdef");
	assert_int_equal(service_port_add(instance, &spec, &info, &err), -ENOENT); // No such place.
	assert_int_equal(service_network_remove(instance, "n", &err), 0);
}

static void test_sandbox_is_kept(void **state)
{
	struct rwy_err err = {0};
	struct port_info info;
	(void)add_network("n", "", "");
	struct port_spec spec = endpoint("a", "e1", "");
	uint32_t id = add_port(&spec).id;
	assert_int_equal(service_port_set_sandbox(instance, id, "/ns", true, &err), 0);
	instance_stop(false);
	instance_start();
	assert_int_equal(service_port_get(instance, "a", &info, &err), 0);
	assert_string_equal(info.sandbox, "/ns");
	assert_true(info.sandbox_seen);
	assert_int_equal(info.created_ms, 0);
	assert_int_equal(service_port_remove(instance, "a", &err), 0);
}

static uint32_t switch_ports(void)
{
	struct rwy_err err = {0};
	assert_int_equal(link_wait(instance->link, 5000, &err), 0);
	struct wire_msg *msg = link_msg(instance->link, WIRE_STATE);
	assert_int_equal(link_request(instance->link, msg, &err), 0);
	wire_msg_close_fds(msg);
	return msg->args.state.port_count;
}

// What the switch has of its first port.
static struct wire_state_port switch_port(void)
{
	struct rwy_err err = {0};
	assert_int_equal(link_wait(instance->link, 5000, &err), 0);
	struct wire_msg *msg = link_msg(instance->link, WIRE_STATE);
	assert_int_equal(link_request(instance->link, msg, &err), 0);
	wire_msg_close_fds(msg);
	assert_true(msg->args.state.port_count > 0);
	return msg->args.state.ports[0];
}

static void test_limits_are_kept_and_set(void **state)
{
	struct rwy_err err = {0};
	struct port_info info;
	(void)add_network("n", "", "");
	struct port_spec spec = endpoint("a", "", "");
	spec.limits = (struct port_limits){.rx_bps = 100, .rx_burst = 7, .flood_fps = 3};
	spec.no_offloads = true;
	uint32_t id = add_port(&spec).id;
	struct wire_state_port port = switch_port();
	assert_memory_equal(&port.limits, &spec.limits, sizeof(port.limits));
	assert_true(port.no_offloads);
	// Only what is given changes, and zero takes a limit away.
	struct port_limits_given given = {0};
	assert_int_equal(port_limits_parse(PORT_LIMITS_RATE, "tx:5 rx:200", &given, &err), 0);
	assert_int_equal(port_limits_parse(PORT_LIMITS_FLOOD_RATE, "none", &given, &err), 0);
	assert_int_equal(service_port_set_limits(instance, "a", &given, &info, &err), 0);
	spec.limits = (struct port_limits){.rx_bps = 200, .rx_burst = 7, .tx_bps = 5};
	assert_int_equal(info.id, id);
	assert_memory_equal(&info.spec.limits, &spec.limits, sizeof(spec.limits));
	port = switch_port();
	assert_memory_equal(&port.limits, &spec.limits, sizeof(spec.limits));
	assert_int_equal(port.port, id);
	// A switch that is started anew is told the same.
	instance_stop(true);
	instance_start();
	port = switch_port();
	assert_memory_equal(&port.limits, &spec.limits, sizeof(spec.limits));
	assert_true(port.no_offloads);
}

// A change of the limits alone, found at a start, does not take the port from the switch.
static void test_limits_are_brought_in_line(void **state)
{
	struct rwy_err err = {0};
	struct store *store = NULL;
	(void)add_network("n", "", "");
	struct port_spec spec = endpoint("a", "", "");
	uint32_t id = add_port(&spec).id;
	instance_stop(false);
	const struct port_limits limits = {.tx_fps = 12};
	assert_int_equal(store_open(instance_state_dir, &store, &err), 0);
	assert_int_equal(store_port_set_limits(store, id, &limits, &err), 0);
	store_close(store);
	instance_start();
	struct wire_state_port port = switch_port();
	assert_memory_equal(&port.limits, &limits, sizeof(limits));
}

static void test_failed_change_is_undone(void **state)
{
	struct rwy_err err = {0};
	struct port_info info;
	struct port_limits_given given = {.values.rx_bps = 9, .given = 1};
	(void)add_network("n", "", "");
	assert_int_equal(
		service_port_set_limits(instance, "stubborn", &given, &info, &err), -ENOENT
	);
	struct port_spec spec = endpoint("stubborn", "", "");
	spec.limits.rx_bps = 8;
	(void)add_port(&spec);
	assert_int_equal(
		service_port_set_limits(instance, "stubborn", &given, &info, &err), -ENOSPC
	);
	assert_string_equal(err.msg, "cannot change port 'stubborn': fake refusal");
	assert_int_equal(service_port_get(instance, "stubborn", &info, &err), 0);
	assert_int_equal(info.spec.limits.rx_bps, 8);
	given = (struct port_limits_given){.values.tx_burst = 9, .given = 1 << 5};
	assert_int_equal(
		service_port_set_limits(instance, "stubborn", &given, &info, &err), -EINVAL
	);
	instance_stop(false);
	instance_start();
	assert_int_equal(service_port_get(instance, "stubborn", &info, &err), 0);
	assert_int_equal(info.spec.limits.rx_bps, 8);
	assert_int_equal(info.spec.limits.tx_burst, 0);
}

// Ends ringwayd between intent and act, as its store shows it, with the act done and not done.
static void test_half_done_is_settled(void **state)
{
	struct rwy_err err = {0};
	struct store *store = NULL;
	struct port_info info;
	uint32_t network = add_network("n", "", "");
	struct port_spec spec = endpoint("creating", "e1", "");
	uint32_t creating = add_port(&spec).id;
	spec = endpoint("removing", "e2", "");
	uint32_t removing = add_port(&spec).id;
	assert_int_equal(switch_ports(), 2);
	instance_stop(false); // The switch stays, and has both.
	assert_int_equal(store_open(instance_state_dir, &store, &err), 0);
	assert_int_equal(store_port_set_state(store, creating, STORE_CREATING, &err), 0);
	assert_int_equal(store_port_set_state(store, removing, STORE_REMOVING, &err), 0);
	struct port_info never = {.spec = endpoint("never", "e3", "")};
	never.spec.mac[0] = 2;
	never.spec.queues = 1;
	assert_int_equal(store_port_insert(store, network, &never, &err), 0);
	struct network_info lost = {.spec = {.name = "lost", .mtu = 1500}};
	assert_int_equal(store_network_insert(store, &lost, &err), 0);
	store_close(store);
	instance_start();
	assert_int_equal(service_port_get(instance, "creating", &info, &err), -ENOENT);
	assert_int_equal(service_port_get(instance, "removing", &info, &err), -ENOENT);
	assert_int_equal(service_port_get(instance, "never", &info, &err), -ENOENT);
	assert_int_equal(switch_ports(), 0);
	assert_false(instance_has_file("run/ports/creating"));
	assert_false(instance_has_file("run/ports/removing"));
	struct network_info net;
	assert_int_equal(service_network_get(instance, "lost", &net, &err), -ENOENT);
	assert_int_equal(service_network_get(instance, "n", &net, &err), 0);
	assert_int_equal(net.ports, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_network_names_itself_later, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_addresses_are_filled_in, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_endpoint_is_idempotent, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_endpoint_takes_over, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_failed_add_leaves_nothing, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_sandbox_is_kept, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_limits_are_kept_and_set, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_limits_are_brought_in_line, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_failed_change_is_undone, instance_setup, instance_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_half_done_is_settled, instance_setup, instance_teardown
		),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
