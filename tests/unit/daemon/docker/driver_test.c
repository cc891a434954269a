// SPDX-License-Identifier: BSD-3-Clause
// The driver's calls in the order in which Docker makes them, and in those in which it should not. The handlers are
// called as the server calls them; the engine is never asked (there is none).
#include "base/fields.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/docker/driver_bench.h"
#include "tests/unit/daemon/docker/fake_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "00112233445566ff"

static void make_place(struct driver_bench *bench, const char *key)
{
	struct container_info place;
	service_lock(bench->docker.daemon);
	assert_int_equal(service_container_add(bench->docker.daemon, key, &place, NULL), 0);
	service_unlock(bench->docker.daemon);
}

static int make_endpoint(
	struct driver_bench *bench,
	const char *id,
	const char *mac,
	const char *options
)
{
	char body[1024];
	snprintf(
		body,
		sizeof(body),
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"%s\",\"Interface\":{\"Address\":"
		"\"10.1.0.%d/24\",\"MacAddress\":\"%s\"},\"Options\":{\"ringway.attach\":"
		"\"vhost\"%s}}",
		id,
		id[1],
		mac,
		options
	);
	return driver_bench_call(bench, "/NetworkDriver.CreateEndpoint", body);
}

static bool manifest_has(struct driver_bench *bench, const char *word)
{
	char path[256];
	char text[4096];
	snprintf(path, sizeof(path), "%s/ports/" KEY "/eal-args", bench->dir);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return strstr(text, word) != NULL;
}

static void test_greeting(void **state)
{
	struct driver_bench *bench = *state;
	assert_int_equal(driver_bench_call(bench, "/Plugin.Activate", NULL), 200);
	driver_bench_expect(bench, "{\"Implements\":[\"NetworkDriver\"]}");
	assert_int_equal(driver_bench_call(bench, "/NetworkDriver.GetCapabilities", NULL), 200);
	driver_bench_expect(bench, "{\"Scope\":\"local\",\"ConnectivityScope\":\"local\"}");
}

static void test_one_life(void **state)
{
	struct driver_bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	driver_bench_network(bench);
	make_place(bench, KEY);
	assert_int_equal(
		make_endpoint(
			bench,
			"e1",
			"",
			",\"ringway.key\":\"" KEY "\",\"ringway.mac\":"
			"\"02:00:00:00:00:77\""
		),
		200
	);
	driver_bench_expect(bench, "{\"Interface\":{\"MacAddress\":\"02:00:00:00:00:77\"}}");
	assert_true(manifest_has(bench, "mac=02:00:00:00:00:77"));
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.Join", "e1"), 200);
	driver_bench_expect(bench, "{\"InterfaceName\":{},\"DisableGatewayService\":true}");
	assert_int_equal(
		driver_bench_endpoint(bench, "/NetworkDriver.EndpointOperInfo", "e1"), 200
	);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.Leave", "e1"), 200);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e1"), 200);
	assert_int_equal(fake_service_ports(d), 0);
	assert_false(manifest_has(bench, "vdev"));
	assert_true(manifest_has(bench, "--no-pci"));
	assert_int_equal(
		driver_bench_call(
			bench, "/NetworkDriver.DeleteNetwork", "{\"NetworkID\":\"" NET "\"}"
		),
		200
	);
	assert_int_equal(fake_service_networks(d), 0);
}

// The application's manifest is about its sockets; the kernel shows an interface by itself.
static void test_interface_beside_a_socket(void **state)
{
	struct driver_bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	driver_bench_network(bench);
	make_place(bench, KEY);
	const char *socket = ",\"ringway.key\":\"" KEY "\",\"ringway.mac\":\"02:00:00:00:00:77\"";
	assert_int_equal(make_endpoint(bench, "e1", "", socket), 200);
	assert_int_equal(
		driver_bench_call(
			bench,
			"/NetworkDriver.CreateEndpoint",
			"{\"NetworkID\":\"" NET
			"\",\"EndpointID\":\"e2\",\"Interface\":{\"MacAddress\":"
			"\"02:00:00:00:00:78\"},\"Options\":{\"ringway.key\":\"" KEY "\","
			"\"ringway.index\":\"1\",\"ringway.name\":\"if\",\"ringway.attach\":\"kernel\"}}"
		),
		200
	);
	assert_int_equal(fake_service_ports(d), 2);
	assert_true(manifest_has(bench, "mac=02:00:00:00:00:77"));
	assert_false(manifest_has(bench, "02:00:00:00:00:78"));
	assert_false(manifest_has(bench, "virtio_user1"));
	// Both go with the place.
	service_lock(d);
	assert_int_equal(place_remove(&bench->docker, KEY, NULL), 0);
	service_unlock(d);
	assert_int_equal(fake_service_ports(d), 0);
}

static void test_everything_twice(void **state)
{
	struct driver_bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	driver_bench_network(bench);
	driver_bench_network(bench);
	assert_int_equal(fake_service_networks(d), 1);
	assert_int_equal(make_endpoint(bench, "e1", "", ""), 200);
	char *first = json_dumps(bench->reply, 0);
	assert_int_equal(make_endpoint(bench, "e1", "", ""), 200);
	driver_bench_expect(bench, first);
	free(first);
	assert_int_equal(fake_service_ports(d), 1);
	static const char *const calls[] = {
		"/NetworkDriver.Join",
		"/NetworkDriver.Leave",
		"/NetworkDriver.DeleteEndpoint",
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		assert_int_equal(driver_bench_endpoint(bench, calls[i], "e1"), 200);
		if (i < 2)
			assert_int_equal(driver_bench_endpoint(bench, calls[i], "e1"), 200);
	}
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.Leave", "e1"), 200);
	assert_int_equal(driver_bench_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e1"), 200);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			driver_bench_call(
				bench, "/NetworkDriver.DeleteNetwork", "{\"NetworkID\":\"" NET "\"}"
			),
			200
		);
	assert_int_equal(fake_service_networks(d), 0);
}

static void test_given_mac_is_not_answered(void **state)
{
	struct driver_bench *bench = *state;
	driver_bench_network(bench);
	assert_int_equal(make_endpoint(bench, "e1", "02:00:00:00:00:05", ""), 200);
	driver_bench_expect(bench, "{}");
	assert_int_equal(make_endpoint(bench, "e2", "02:00:00:00:00:05", ""), -EEXIST);
	assert_int_equal(make_endpoint(bench, "e3", "03:00:00:00:00:05", ""), -EINVAL);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 1);
}

// After a killed engine no Leave came; the same place asks anew.
static void test_new_endpoint_replaces_forgotten_one(void **state)
{
	struct driver_bench *bench = *state;
	driver_bench_network(bench);
	make_place(bench, KEY);
	const char *options = ",\"ringway.key\":\"" KEY "\",\"ringway.name\":\"gen.fast\","
			      "\"ringway.mac\":\"02:00:00:00:00:77\"";
	assert_int_equal(make_endpoint(bench, "e1", "", options), 200);
	assert_int_equal(make_endpoint(bench, "e2", "", options), 200);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 1);
	struct port_info port;
	service_lock(bench->docker.daemon);
	assert_int_equal(service_port_get(bench->docker.daemon, "gen.fast", &port, NULL), 0);
	service_unlock(bench->docker.daemon);
	assert_string_equal(port.spec.endpoint_id, "e2");
}

static void test_taken_name_falls_back(void **state)
{
	struct driver_bench *bench = *state;
	driver_bench_network(bench);
	assert_int_equal(make_endpoint(bench, "e1", "", ",\"ringway.name\":\"gen\""), 200);
	assert_int_equal(make_endpoint(bench, "e2", "", ",\"ringway.name\":\"gen\""), 200);
	struct port_info port;
	service_lock(bench->docker.daemon);
	int r = service_port_get(bench->docker.daemon, "ep-e2", &port, NULL);
	service_unlock(bench->docker.daemon);
	assert_int_equal(r, 0);
}

static void test_refusals(void **state)
{
	struct driver_bench *bench = *state;
	driver_bench_refused(bench, make_endpoint(bench, "e1", "", ""), "unknown to ringwayd");
	driver_bench_network(bench);
	driver_bench_refused(
		bench, make_endpoint(bench, "e1", "", ",\"ringway.key\":\"" KEY "\""), "ringway run"
	);
	driver_bench_refused(
		bench, driver_bench_endpoint(bench, "/NetworkDriver.Join", "e9"), "e9"
	);
	driver_bench_refused(
		bench, driver_bench_call(bench, "/NetworkDriver.Join", "{}"), "NetworkID"
	);
	driver_bench_refused(
		bench, driver_bench_call(bench, "/NetworkDriver.Leave", "{}"), "NetworkID"
	);
	driver_bench_refused(
		bench, driver_bench_call(bench, "/NetworkDriver.DeleteEndpoint", "{}"), "NetworkID"
	);
	driver_bench_refused(
		bench, driver_bench_call(bench, "/NetworkDriver.DeleteNetwork", NULL), "NetworkID"
	);
	driver_bench_refused(
		bench,
		driver_bench_call(bench, "/NetworkDriver.EndpointOperInfo", "{}"),
		"NetworkID"
	);
	driver_bench_refused(
		bench, driver_bench_call(bench, "/NetworkDriver.CreateNetwork", "{}"), "NetworkID"
	);
	driver_bench_refused(
		bench, driver_bench_call(bench, "/NetworkDriver.CreateEndpoint", NULL), "NetworkID"
	);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 0);
}

static int make_network(struct driver_bench *bench, const char *id, const char *rest)
{
	char body[512];
	snprintf(body, sizeof(body), "{\"NetworkID\":\"%s\",%s}", id, rest);
	return driver_bench_call(bench, "/NetworkDriver.CreateNetwork", body);
}

static void expect_text(struct driver_bench *bench, int r, const char *text)
{
	_cleanup_json_ json_t *reply = json_object();
	driver_bench_refused(bench, r, "");
	driver_error_body(reply, http_status_of(r), &bench->err);
	assert_string_equal(json_string_value(json_object_get(reply, "Err")), text);
}

// Docker shows these as they are.
static void test_words_of_a_refused_network(void **state)
{
	struct driver_bench *bench = *state;
	driver_bench_network(bench);
	expect_text(
		bench,
		make_network(
			bench, "c123456789abcdef", "\"IPv4Data\":[{\"Pool\":\"10.1.0.128/25\"}]"
		),
		"cannot create network 'c123456789ab': subnet 10.1.0.128/25 overlaps 10.1.0.0/24 of "
		"network 'c578499a1311' (choose another subnet)"
	);
	expect_text(
		bench,
		make_network(
			bench,
			"c123456789abcdef",
			"\"Options\":{\"com.docker.network.generic\":{\"mtu\":\"12\"}}"
		),
		"cannot create network 'c123456789ab': option 'mtu' is '12', not a number from 68 to 65535"
	);
	expect_text(
		bench,
		make_network(
			bench,
			"c123456789abcdef",
			"\"Options\":{\"com.docker.network.generic\":{\"ringway.name\":\"c578499a1311\"}}"
		),
		"cannot create network 'c123456789ab': network 'c578499a1311' exists and has another "
		"Docker network (choose another ringway.name)"
	);
}

static void test_words_of_a_refused_endpoint(void **state)
{
	struct driver_bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	struct port_spec by_hand = {
		.name = "hand",
		.network = "c578499a1311",
		.attach = "kernel",
		.ip = "10.1.0.49/24",
		.mac = {2, 0, 0, 0, 9, 9},
	};
	struct port_info port;
	driver_bench_network(bench);
	service_lock(d);
	assert_int_equal(service_port_add(d, &by_hand, &port, NULL), 0);
	service_unlock(d);
	// The second character is the address's last octet: 49.
	expect_text(
		bench,
		make_endpoint(bench, "e1", "", ""),
		"cannot create port 'ep-e1': address 10.1.0.49/24 is taken by port 'hand' (choose "
		"another address; `ringway port ls` shows those taken)"
	);
	expect_text(
		bench,
		make_endpoint(bench, "e2", "02:00:00:00:09:09", ""),
		"cannot create port 'ep-e2': MAC 02:00:00:00:09:09 is taken by port 'hand' (leave the "
		"MAC out to get a free one)"
	);
	expect_text(
		bench,
		make_endpoint(bench, "e2", "", ",\"ringway.learning\":\"maybe\""),
		"cannot create endpoint 'e2': option 'ringway.learning' is 'maybe', not on or off"
	);
	expect_text(
		bench,
		make_endpoint(bench, "e2", "", ",\"ringway.key\":\"" KEY "\""),
		"cannot create endpoint 'e2': there is no place with key '" KEY "' (start the "
		"container with `ringway run`)"
	);
}

// A manifest that cannot be written fails the endpoint and leaves no port.
static void test_failed_manifest_undoes_the_port(void **state)
{
	struct driver_bench *bench = *state;
	char command[128];
	driver_bench_network(bench);
	make_place(bench, KEY);
	snprintf(command, sizeof(command), "rm -rf %s/ports/" KEY, bench->dir);
	assert_int_equal(system(command), 0);
	int r = make_endpoint(bench, "e1", "", ",\"ringway.key\":\"" KEY "\"");
	driver_bench_refused(bench, r, "manifest");
	assert_int_equal(fake_service_ports(bench->docker.daemon), 0);
}

static void test_named_network_is_bound(void **state)
{
	struct driver_bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	struct network_spec spec = {.name = "fast", .docker = true, .mtu = 1500};
	struct network_info row;
	service_lock(d);
	assert_int_equal(service_network_add(d, &spec, &row, NULL), 0);
	service_unlock(d);
	const char *body = "{\"NetworkID\":\"" NET "\",\"Options\":{"
			   "\"com.docker.network.generic\":{\"ringway.name\":\"fast\"}},"
			   "\"IPv4Data\":[{\"Pool\":\"10.9.0.0/24\",\"Gateway\":\"10.9.0.1/24\"}]}";
	assert_int_equal(driver_bench_call(bench, "/NetworkDriver.CreateNetwork", body), 200);
	assert_int_equal(fake_service_networks(d), 1);
	service_lock(d);
	assert_int_equal(service_network_by_docker_id(d, NET, &row, NULL), 0);
	service_unlock(d);
	assert_string_equal(row.spec.name, "fast");
	assert_string_equal(row.spec.subnet, "10.9.0.0/24");
	int r = driver_bench_call(
		bench,
		"/NetworkDriver.CreateNetwork",
		"{\"NetworkID\":\"ab\",\"Options\":{\"com.docker.network.generic\":"
		"{\"ringway.name\":\"fast\"}}}"
	);
	driver_bench_refused(bench, r, "another Docker network");
}

// Ports that Docker knows nothing of keep their network.
static void test_network_with_ports_outlives_docker(void **state)
{
	struct driver_bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	struct network_info row;
	driver_bench_network(bench);
	assert_int_equal(make_endpoint(bench, "e1", "", ""), 200);
	assert_int_equal(
		driver_bench_call(
			bench, "/NetworkDriver.DeleteNetwork", "{\"NetworkID\":\"" NET "\"}"
		),
		200
	);
	service_lock(d);
	assert_int_equal(service_network_get(d, "c578499a1311", &row, NULL), 0);
	service_unlock(d);
	assert_false(row.spec.docker);
	assert_string_equal(row.spec.docker_id, "");
}

static void test_the_rest_does_nothing(void **state)
{
	static const char *const calls[] = {
		"/NetworkDriver.AllocateNetwork",
		"/NetworkDriver.FreeNetwork",
		"/NetworkDriver.DiscoverNew",
		"/NetworkDriver.DiscoverDelete",
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		assert_int_equal(driver_bench_call(*state, calls[i], "{\"any\":1}"), 200);
		driver_bench_expect(*state, "{}");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, driver_bench_setup, driver_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_greeting),
		TEST(test_one_life),
		TEST(test_interface_beside_a_socket),
		TEST(test_everything_twice),
		TEST(test_given_mac_is_not_answered),
		TEST(test_new_endpoint_replaces_forgotten_one),
		TEST(test_taken_name_falls_back),
		TEST(test_refusals),
		TEST(test_words_of_a_refused_network),
		TEST(test_words_of_a_refused_endpoint),
		TEST(test_failed_manifest_undoes_the_port),
		TEST(test_named_network_is_bound),
		TEST(test_network_with_ports_outlives_docker),
		TEST(test_the_rest_does_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
