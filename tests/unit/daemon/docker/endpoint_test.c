// SPDX-License-Identifier: BSD-3-Clause
// Ordinary containers at the driver: what the engine is told about their interfaces and gateways, and published ports.
#include "base/fields.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/docker/driver_bench.h"
#include "tests/unit/daemon/docker/fake_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void make_dual(struct driver_bench *bench, const char *options)
{
	char body[1024];
	snprintf(
		body,
		sizeof(body),
		"{\"NetworkID\":\"" NET "\",\"Options\":{%s},\"IPv4Data\":[{\"Pool\":"
		"\"10.1.0.0/24\",\"Gateway\":\"10.1.0.1/24\"}],\"IPv6Data\":[{\"Pool\":"
		"\"fd00:1::/64\",\"Gateway\":\"fd00:1::1/64\"}]}",
		options
	);
	assert_int_equal(driver_bench_call(bench, "/NetworkDriver.CreateNetwork", body), 200);
}

static int make_endpoint(
	struct driver_bench *bench,
	const char *id,
	const char *interface,
	const char *options
)
{
	char body[1024];
	snprintf(
		body,
		sizeof(body),
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"%s\",\"Interface\":{%s},"
		"\"Options\":{%s}}",
		id,
		interface,
		options
	);
	return driver_bench_call(bench, "/NetworkDriver.CreateEndpoint", body);
}

static struct port_info port_of(struct driver_bench *bench, const char *endpoint_id)
{
	struct port_info port;
	struct daemon *d = bench->docker.daemon;
	service_lock(d);
	assert_int_equal(service_port_by_endpoint(d, endpoint_id, &port, NULL), 0);
	service_unlock(d);
	return port;
}

static void expect_join(struct driver_bench *bench, const char *id, const char *rest)
{
	char text[512];
	struct port_info port = port_of(bench, id);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.Join", id), 200);
	snprintf(
		text,
		sizeof(text),
		"{\"InterfaceName\":{\"SrcName\":\"%s\",\"DstPrefix\":\"eth\"},%s}",
		port.ifname_host,
		rest
	);
	driver_bench_expect(bench, text);
}

#define BOTH "\"Address\":\"10.1.0.2/24\",\"AddressIPv6\":\"fd00:1::2/64\",\"MacAddress\":\"\""

static void test_one_life(void **state)
{
	struct driver_bench *bench = *state;
	make_dual(bench, "");
	assert_int_equal(make_endpoint(bench, "e1", BOTH, ""), 200);
	struct port_info port = port_of(bench, "e1");
	assert_string_equal(port.spec.attach, "kernel");
	assert_string_equal(port.spec.ip, "10.1.0.2/24");
	assert_string_equal(port.spec.ip6, "fd00:1::2/64");
	assert_non_null(json_object_get(bench->reply, "Interface"));
	expect_join(bench, "e1", "\"Gateway\":\"10.1.0.1\",\"GatewayIPv6\":\"fd00:1::1\"");
	assert_string_equal(port_of(bench, "e1").sandbox, "/var/run/docker/netns/none");
	assert_int_equal(
		driver_bench_endpoint(bench, "/NetworkDriver.EndpointOperInfo", "e1"), 200
	);
	json_t *told = json_object_get(bench->reply, "Value");
	const char *interface = json_string_value(json_object_get(told, "ringway.interface"));
	assert_string_equal(interface, port.ifname_host);
	// The engine casts what stands under its own names, and dies when it is of another type.
	const char *name;
	json_t *value;
	json_object_foreach(told, name, value) assert_ptr_equal(strstr(name, "ringway."), name);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.Leave", "e1"), 200);
	assert_string_equal(port_of(bench, "e1").sandbox, "");
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e1"), 200);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 0);
	assert_int_equal(
		driver_bench_endpoint(bench, "/NetworkDriver.EndpointOperInfo", "e1"), 200
	);
}

// No gateway is answered, and Docker must not make a bridge of its own instead.
static void test_internal_has_no_gateway(void **state)
{
	struct driver_bench *bench = *state;
	make_dual(bench, "\"com.docker.network.internal\":true");
	assert_int_equal(make_endpoint(bench, "e1", BOTH, ""), 200);
	expect_join(bench, "e1", "\"DisableGatewayService\":true");
}

static void test_no_addresses(void **state)
{
	struct driver_bench *bench = *state;
	const char *body = "{\"NetworkID\":\"" NET "\",\"IPv4Data\":[{\"Pool\":\"0.0.0.0/0\"}]}";
	assert_int_equal(driver_bench_call(bench, "/NetworkDriver.CreateNetwork", body), 200);
	assert_int_equal(make_endpoint(bench, "e1", "\"Address\":\"\"", ""), 200);
	expect_join(bench, "e1", "\"DisableGatewayService\":true");
}

static void test_options_reach_the_port(void **state)
{
	struct driver_bench *bench = *state;
	make_dual(bench, "");
	const char *options = "\"ringway.learning\":\"on\",\"ringway.pin-address\":\"on\","
			      "\"ringway.rate\":\"rx:1g\",\"ringway.name\":\"web\"";
	const char *interface = "\"Address\":\"10.1.0.2/24\",\"MacAddress\":\"02:00:00:00:00:05\"";
	assert_int_equal(make_endpoint(bench, "e1", interface, options), 200);
	driver_bench_expect(bench, "{}");
	struct port_info port = port_of(bench, "e1");
	assert_string_equal(port.spec.name, "web");
	assert_true(port.spec.learning);
	assert_true(port.spec.pin_address);
	assert_int_equal(port.spec.limits.rx_bps, 1000000000);
	assert_int_equal(port.spec.mac[5], 5);
}

// An ordinary interface is held to its addresses, unless it is told otherwise.
static void test_pins(void **state)
{
	static const struct {
		const char *options;
		bool pins, spoofs;
	} cases[] = {
		{"\"ringway.offloads\":\"on\"", true, false},
		{"\"ringway.pin-address\":\"off\"", false, false},
		{"\"ringway.allow-spoof\":\"on\"", false, true},
		{"\"ringway.learning\":\"on\"", false, false},
		{"\"ringway.attach\":\"vhost\"", false, false},
		{"\"ringway.attach\":\"vhost\",\"ringway.pin-address\":\"on\"", true, false},
	};
	struct driver_bench *bench = *state;
	make_dual(bench, "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *id[] = {"e1", "e2", "e3", "e4", "e5", "e6"};
		char interface[64];
		(void
		)snprintf(interface, sizeof(interface), "\"Address\":\"10.1.0.%zu/24\"", i + 10);
		assert_int_equal(make_endpoint(bench, id[i], interface, cases[i].options), 200);
		struct port_info port = port_of(bench, id[i]);
		assert_int_equal(port.spec.pin_address, cases[i].pins);
		assert_int_equal(port.spec.allow_spoof, cases[i].spoofs);
	}
}

// The engine that was killed sent no DeleteEndpoint, and gives the address anew.
static void test_address_given_again(void **state)
{
	struct driver_bench *bench = *state;
	make_dual(bench, "");
	assert_int_equal(make_endpoint(bench, "e1", BOTH, ""), 200);
	assert_int_equal(make_endpoint(bench, "e2", BOTH, ""), 200);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 1);
	(void)port_of(bench, "e2");
}

static void expect_mac(struct driver_bench *bench, const char *id, const char *expected)
{
	char mac[MAC_TEXT_SIZE];
	struct port_info port = port_of(bench, id);
	mac_format(port.spec.mac, mac);
	assert_string_equal(mac, expected);
}

// Neighbours still have the address of before when a container is started again.
static void test_mac_is_made_of_the_address(void **state)
{
	struct driver_bench *bench = *state;
	make_dual(bench, "");
	assert_int_equal(make_endpoint(bench, "e1", BOTH, ""), 200);
	expect_mac(bench, "e1", "02:72:0a:01:00:02");
	driver_bench_expect(bench, "{\"Interface\":{\"MacAddress\":\"02:72:0a:01:00:02\"}}");
	assert_int_equal(make_endpoint(bench, "e2", BOTH, ""), 200);
	expect_mac(bench, "e2", "02:72:0a:01:00:02");
	// Somebody else may have asked for it.
	const char *given = "\"Address\":\"10.1.0.9/24\",\"MacAddress\":\"02:72:0a:01:00:03\"";
	assert_int_equal(make_endpoint(bench, "e3", given, ""), 200);
	assert_int_equal(make_endpoint(bench, "e4", "\"Address\":\"10.1.0.3/24\"", ""), 200);
	assert_int_not_equal(port_of(bench, "e4").spec.mac[1], 'r');
}

static int program(struct driver_bench *bench, const char *id, const char *map)
{
	char body[1024];
	snprintf(
		body,
		sizeof(body),
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"%s\",\"Options\":{"
		"\"com.docker.network.endpoint.exposedports\":[{\"Proto\":6,\"Port\":81}],"
		"\"com.docker.network.portmap\":[%s]}}",
		id,
		map
	);
	return driver_bench_call(bench, "/NetworkDriver.ProgramExternalConnectivity", body);
}

static size_t published(struct driver_bench *bench, const char *id, struct port_publish *list)
{
	struct daemon *d = bench->docker.daemon;
	uint32_t port = port_of(bench, id).id;
	service_lock(d);
	size_t count = service_port_published(d, port, list, 4);
	service_unlock(d);
	return count;
}

#define MAP \
	"{\"Proto\":6,\"IP\":\"\",\"Port\":80,\"HostIP\":\"\",\"HostPort\":8080,\"HostPortEnd\":8089}"
#define TAKEN \
	"{\"Proto\":6,\"IP\":\"\",\"Port\":80,\"HostIP\":\"\",\"HostPort\":1,\"HostPortEnd\":1}"

static void test_publish_and_revoke(void **state)
{
	struct driver_bench *bench = *state;
	struct port_publish list[4];
	make_dual(bench, "");
	assert_int_equal(make_endpoint(bench, "e1", BOTH, ""), 200);
	assert_int_equal(program(bench, "e1", ""), 200);
	assert_int_equal(published(bench, "e1", list), 0);
	assert_int_equal(program(bench, "e1", MAP), 200);
	driver_bench_expect(bench, "{}");
	assert_int_equal(published(bench, "e1", list), 1);
	assert_int_equal(list[0].container_port, 80);
	assert_int_equal(list[0].host_port, 8080);
	assert_int_equal(list[0].host_port_end, 8089);
	assert_int_equal(list[0].proto, 6);
	for (int i = 0; i < 2; i++) {
		const char *call = "/NetworkDriver.RevokeExternalConnectivity";
		assert_int_equal(driver_bench_endpoint(bench, call, "e1"), 200);
		assert_int_equal(published(bench, "e1", list), 0);
		assert_int_equal(driver_bench_endpoint(bench, call, "e9"), 200);
	}
}

static void test_publish_refusals(void **state)
{
	struct driver_bench *bench = *state;
	make_dual(bench, "");
	assert_int_equal(make_endpoint(bench, "e1", BOTH, ""), 200);
	driver_bench_refused(
		bench, program(bench, "e1", TAKEN), "cannot publish port 1/tcp: in use"
	);
	driver_bench_refused(bench, program(bench, "e9", MAP), "e9");
	driver_bench_refused(bench, program(bench, "e1", "7"), "published port");
	int r = driver_bench_call(bench, "/NetworkDriver.ProgramExternalConnectivity", "{}");
	driver_bench_refused(bench, r, "NetworkID");
	r = driver_bench_call(bench, "/NetworkDriver.RevokeExternalConnectivity", "{}");
	driver_bench_refused(bench, r, "NetworkID");
}

// The engine asks for the next network's endpoint when the one with the gateway leaves, whatever that network is.
static void test_publish_where_nobody_comes_in(void **state)
{
	struct driver_bench *bench = *state;
	struct port_publish list[4];
	make_dual(bench, "\"com.docker.network.internal\":true");
	assert_int_equal(make_endpoint(bench, "e1", BOTH, ""), 200);
	assert_int_equal(program(bench, "e1", MAP), 200);
	assert_int_equal(published(bench, "e1", list), 0);
	assert_int_equal(
		make_endpoint(
			bench, "e2", "\"Address\":\"10.1.0.3/24\"", "\"ringway.attach\":\"vhost\""
		),
		200
	);
	assert_int_equal(program(bench, "e2", MAP), 200);
	assert_int_equal(published(bench, "e2", list), 0);
}

static void test_publish_needs_the_gateway_port(void **state)
{
	struct driver_bench *bench = *state;
	make_dual(bench, "\"com.docker.network.generic\":{\"ringway.gateway\":\"off\"}");
	assert_int_equal(make_endpoint(bench, "e1", BOTH, ""), 200);
	// A router of the user's may be at that address.
	expect_join(bench, "e1", "\"Gateway\":\"10.1.0.1\",\"GatewayIPv6\":\"fd00:1::1\"");
	assert_int_equal(program(bench, "e1", ""), 200);
	driver_bench_refused(bench, program(bench, "e1", MAP), "ringway.gateway=off");
}

// Two functions, with a gateway that somebody gave.
static void make_cards(struct driver_bench *bench, const char *options)
{
	char body[1024];
	snprintf(
		body,
		sizeof(body),
		"{\"NetworkID\":\"" NET "\",\"Options\":{\"com.docker.network.generic\":{"
		"\"ringway.driver\":\"sriov\",\"netdevice\":\"eth2\",\"nvf\":\"2\"%s}},"
		"\"IPv4Data\":[{\"Pool\":\"10.1.0.0/24\",\"Gateway\":\"10.1.0.1/24\"}]}",
		options
	);
	assert_int_equal(driver_bench_call(bench, "/NetworkDriver.CreateNetwork", body), 200);
}

#define ADDRESS "\"Address\":\"10.1.0.2/24\",\"MacAddress\":\"\""

static void test_interface_of_a_function(void **state)
{
	struct driver_bench *bench = *state;
	make_cards(bench, "");
	assert_int_equal(make_endpoint(bench, "e1", ADDRESS, ""), 200);
	struct port_info port = port_of(bench, "e1");
	assert_string_equal(port.spec.attach, "vf-kernel");
	assert_false(port.spec.pin_address);
	assert_string_equal(port.ifname_host, "eth9v0");
	expect_mac(bench, "e1", "02:72:0a:01:00:02");
	expect_join(bench, "e1", "\"Gateway\":\"10.1.0.1\"");
	assert_int_equal(
		driver_bench_endpoint(bench, "/NetworkDriver.EndpointOperInfo", "e1"), 200
	);
	json_t *told = json_object_get(bench->reply, "Value");
	assert_string_equal(
		json_string_value(json_object_get(told, "ringway.interface")), "eth9v0"
	);
	assert_string_equal(
		json_string_value(json_object_get(told, "ringway.function")), port.spec.function
	);
	assert_null(json_object_get(told, "ringway.socket"));
	// Its frames do not pass the host.
	driver_bench_refused(bench, program(bench, "e1", MAP), "of a NIC's function");
	assert_int_equal(program(bench, "e1", ""), 200);
	const char *revoke = "/NetworkDriver.RevokeExternalConnectivity";
	assert_int_equal(driver_bench_endpoint(bench, revoke, "e1"), 200);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e1"), 200);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 0);
}

static void test_interface_of_a_function_without_gateway(void **state)
{
	struct driver_bench *bench = *state;
	make_cards(bench, ",\"ringway.gateway\":\"off\"");
	assert_int_equal(
		make_endpoint(bench, "e1", ADDRESS, "\"ringway.attach\":\"vf-kernel\""), 200
	);
	expect_join(bench, "e1", "\"DisableGatewayService\":true");
}

static void test_function_under_vfio(void **state)
{
	struct driver_bench *bench = *state;
	make_cards(bench, "");
	const char *options = "\"ringway.attach\":\"vf\",\"ringway.uid\":\"1000\","
			      "\"ringway.cpus\":\"1\",\"ringway.rate\":\"rx:1g\"";
	assert_int_equal(make_endpoint(bench, "e1", ADDRESS, options), 200);
	struct port_info port = port_of(bench, "e1");
	assert_string_equal(port.spec.attach, "vf");
	assert_int_equal(port.spec.owner_uid, 1000);
	assert_int_equal(port.spec.cpus, 2);
	assert_int_equal(port.spec.limits.rx_bps, 1000000000);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.Join", "e1"), 200);
	driver_bench_expect(bench, "{\"InterfaceName\":{},\"DisableGatewayService\":true}");
	// That one is taken; the other one is not.
	char taken[64];
	snprintf(taken, sizeof(taken), "\"ringway.function\":\"%s\"", port.spec.function);
	driver_bench_refused(
		bench,
		make_endpoint(bench, "e2", "\"Address\":\"10.1.0.3/24\"", taken),
		"no free function"
	);
	assert_int_equal(make_endpoint(bench, "e2", "\"Address\":\"10.1.0.3/24\"", ""), 200);
	driver_bench_refused(
		bench,
		make_endpoint(bench, "e3", "\"Address\":\"10.1.0.4/24\"", ""),
		"no free function"
	);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 2);
}

static void read_args(const struct container_info *place, char *text, size_t size)
{
	char path[PATH_TEXT_SIZE + 16];
	snprintf(path, sizeof(path), "%s/eal-args", place->dir);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	size_t n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

// Every function is in the place's files before the engine hears of the port, and gone with it.
static void test_several_functions_in_a_place(void **state)
{
	struct driver_bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	const char *options = "\"ringway.attach\":\"vf\",\"ringway.vfs\":\"2\","
			      "\"ringway.key\":\"00112233445566ff\"";
	struct container_info place;
	char text[1024];
	make_cards(bench, "");
	service_lock(d);
	assert_int_equal(service_container_add(d, "00112233445566ff", &place, NULL), 0);
	service_unlock(d);
	// The functions of the container before are on their way back.
	fake_service_return_all(d, 2);
	assert_int_equal(make_endpoint(bench, "e1", ADDRESS, options), 200);
	struct port_info port = port_of(bench, "e1");
	read_args(&place, text, sizeof(text));
	char expected[64];
	snprintf(expected, sizeof(expected), "-a\n%s\n-a\n", port.spec.function);
	assert_ptr_equal(strstr(text, expected), text);
	assert_non_null(strstr(text, "\n--iova-mode=va\n"));
	assert_int_equal(fake_service_ports(d), 2);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e1"), 200);
	assert_int_equal(fake_service_ports(d), 0);
	read_args(&place, text, sizeof(text));
	assert_null(strstr(text, "-a\n"));
}

// A container can use those functions alone that it has the nodes of.
static void test_functions_that_somebody_else_needed(void **state)
{
	struct driver_bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	char options[256];
	char other[FUNCTION_SIZE];
	make_cards(bench, "");
	const char *two = "\"ringway.attach\":\"vf\",\"ringway.vfs\":\"2\"";
	assert_int_equal(make_endpoint(bench, "e1", ADDRESS, two), 200);
	struct port_info first = port_of(bench, "e1");
	service_lock(d);
	struct port_info second;
	assert_int_equal(service_port_get(d, "ep-e1.1", &second, NULL), 0);
	service_unlock(d);
	memcpy(other, second.spec.function, sizeof(other));
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e1"), 200);
	snprintf(
		options,
		sizeof(options),
		"%s,\"ringway.function\":\"%s %s\"",
		two,
		first.spec.function,
		other
	);
	assert_int_equal(make_endpoint(bench, "e2", ADDRESS, options), 200);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e2"), 200);
	snprintf(
		options,
		sizeof(options),
		"%s,\"ringway.function\":\"%s 0000:ff:1f.7\"",
		two,
		first.spec.function
	);
	driver_bench_refused(
		bench, make_endpoint(bench, "e3", ADDRESS, options), "was made with is in use"
	);
	assert_int_equal(fake_service_ports(d), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, driver_bench_setup, driver_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_life),
		TEST(test_internal_has_no_gateway),
		TEST(test_no_addresses),
		TEST(test_options_reach_the_port),
		TEST(test_pins),
		TEST(test_address_given_again),
		TEST(test_mac_is_made_of_the_address),
		TEST(test_publish_and_revoke),
		TEST(test_publish_refusals),
		TEST(test_publish_where_nobody_comes_in),
		TEST(test_publish_needs_the_gateway_port),
		TEST(test_interface_of_a_function),
		TEST(test_interface_of_a_function_without_gateway),
		TEST(test_function_under_vfio),
		TEST(test_several_functions_in_a_place),
		TEST(test_functions_that_somebody_else_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
