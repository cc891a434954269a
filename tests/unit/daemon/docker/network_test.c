// SPDX-License-Identifier: BSD-3-Clause
// Two doors to one network: what `ringway network create` has Docker make is what the driver reads of it, and what
// Docker's side says otherwise is refused by name.
#include "base/fields.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/docker/driver_bench.h"
#include "tests/unit/daemon/docker/fake_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOTHING NETWORK_FUNCTIONS_NONE

static const struct network_spec full = {
	.name = "fast",
	.subnet = "10.88.0.0/24",
	.gateway = "10.88.0.1",
	.subnet6 = "fd00:88::/64",
	.gateway6 = "fd00:88::1",
	.ip_range = "10.88.0.128/25",
	.aux = "router=10.88.0.5,r6=fd00:88::5",
	.mtu = 1400,
	.internal = true,
	.proxy_neighbors = true,
	.no_gateway = true,
	.vlan = 7,
	.uplink = "eth1",
	.docker = true,
	.functions = NOTHING,
};

static const struct network_spec sriov = {
	.name = "cards",
	.subnet = "40.0.0.0/24",
	.mtu = 1500,
	.no_gateway = true,
	.vlan = 9,
	.docker = true,
	.driver = "sriov",
	.functions =
		{
			.parent = "eth2",
			.vfs = 4,
			.noiommu = true,
			.trust = 1,
			.spoof_check = 0,
			.link_state = 1,
			.rate_min = -1,
			.rate_max = 1000,
		},
};

static void test_body(void **state)
{
	_cleanup_json_ json_t *body = network_engine_body("ringway", &full);
	_cleanup_json_ json_t *expected = json_loads(
		"{\"Name\":\"fast\",\"CheckDuplicate\":true,\"Driver\":\"ringway\",\"Internal\":true,"
		"\"EnableIPv6\":true,\"IPAM\":{\"Config\":[{\"Subnet\":\"10.88.0.0/24\",\"Gateway\":"
		"\"10.88.0.1\",\"IPRange\":\"10.88.0.128/25\",\"AuxiliaryAddresses\":{\"router\":"
		"\"10.88.0.5\"}},{\"Subnet\":\"fd00:88::/64\",\"Gateway\":\"fd00:88::1\","
		"\"AuxiliaryAddresses\":{\"r6\":\"fd00:88::5\"}}]},\"Options\":{\"ringway.name\":"
		"\"fast\",\"mtu\":\"1400\",\"ringway.proxy-neighbors\":\"on\",\"ringway.gateway\":"
		"\"off\",\"ringway.vlan\":\"7\",\"ringway.uplink\":\"eth1\"}}",
		0,
		NULL
	);
	assert_non_null(expected);
	if (!json_equal(body, expected))
		fail_msg("%s", json_dumps(body, 0));
}

static void test_body_of_a_plain_network(void **state)
{
	const struct network_spec spec = {
		.name = "n", .mtu = 1500, .docker = true, .functions = NOTHING};
	_cleanup_json_ json_t *body = network_engine_body("rw2", &spec);
	_cleanup_json_ json_t *expected = json_loads(
		"{\"Name\":\"n\",\"CheckDuplicate\":true,\"Driver\":\"rw2\",\"Internal\":false,"
		"\"EnableIPv6\":false,\"IPAM\":{\"Config\":[]},\"Options\":{\"ringway.name\":\"n\","
		"\"mtu\":\"1500\"}}",
		0,
		NULL
	);
	assert_true(json_equal(body, expected));
}

static void test_body_of_functions(void **state)
{
	_cleanup_json_ json_t *body = network_engine_body("ringway", &sriov);
	_cleanup_json_ json_t *expected = json_loads(
		"{\"ringway.name\":\"cards\",\"mtu\":\"1500\",\"ringway.gateway\":\"off\","
		"\"ringway.driver\":\"sriov\",\"ringway.parent\":\"eth2\",\"ringway.vfs\":\"4\","
		"\"ringway.trust\":\"on\",\"ringway.spoofchk\":\"off\",\"ringway.link-state\":"
		"\"enable\",\"ringway.rate\":\"max:1000M\",\"ringway.allow-unsafe-noiommu\":\"on\","
		"\"ringway.vlan\":\"9\"}",
		0,
		NULL
	);
	assert_true(json_equal(json_object_get(body, "Options"), expected));
	// One that was given is Docker's too.
	struct network_spec routed = sriov;
	memcpy(routed.gateway, "40.0.0.254", 11);
	_cleanup_json_ json_t *with = network_engine_body("ringway", &routed);
	assert_null(json_object_get(json_object_get(with, "Options"), "ringway.gateway"));
}

// What Docker makes of that body and gives the driver.
static json_t *as_called(const struct network_spec *spec)
{
	_cleanup_json_ json_t *body = network_engine_body("ringway", spec);
	json_t *pool, *v4 = json_array(), *v6 = json_array();
	size_t i;
	json_array_foreach(json_object_get(json_object_get(body, "IPAM"), "Config"), i, pool)
	{
		json_t *called = json_object();
		json_object_set(called, "Pool", json_object_get(pool, "Subnet"));
		json_object_set(called, "Gateway", json_object_get(pool, "Gateway"));
		if (json_object_get(pool, "AuxiliaryAddresses"))
			json_object_set(
				called, "AuxAddresses", json_object_get(pool, "AuxiliaryAddresses")
			);
		const char *subnet = json_string_value(json_object_get(pool, "Subnet"));
		json_array_append_new(strchr(subnet, ':') ? v6 : v4, called);
	}
	json_t *options = json_object();
	json_object_set(options, "com.docker.network.generic", json_object_get(body, "Options"));
	if (spec->internal)
		json_object_set_new(options, "com.docker.network.internal", json_true());
	return json_pack(
		"{s:s, s:o, s:o, s:o}",
		"NetworkID",
		NET,
		"Options",
		options,
		"IPv4Data",
		v4,
		"IPv6Data",
		v6
	);
}

static int create(struct driver_bench *bench, const struct network_spec *spec)
{
	_cleanup_json_ json_t *body = as_called(spec);
	char *text = json_dumps(body, 0);
	int r = driver_bench_call(bench, "/NetworkDriver.CreateNetwork", text);
	free(text);
	return r;
}

static void add_row(struct driver_bench *bench, const struct network_spec *spec)
{
	struct network_info row;
	service_lock(bench->docker.daemon);
	assert_int_equal(service_network_add(bench->docker.daemon, spec, &row, NULL), 0);
	service_unlock(bench->docker.daemon);
}

static struct network_spec row_of(struct driver_bench *bench)
{
	struct network_info row;
	service_lock(bench->docker.daemon);
	assert_int_equal(service_network_by_docker_id(bench->docker.daemon, NET, &row, NULL), 0);
	service_unlock(bench->docker.daemon);
	return row.spec;
}

static void test_our_door(void **state)
{
	struct driver_bench *bench = *state;
	add_row(bench, &full);
	assert_int_equal(create(bench, &full), 200);
	assert_int_equal(fake_service_networks(bench->docker.daemon), 1);
	assert_string_equal(row_of(bench).name, "fast");
}

static void test_dockers_door(void **state)
{
	struct driver_bench *bench = *state;
	assert_int_equal(create(bench, &full), 200);
	struct network_spec expected = full, got = row_of(bench);
	expected.ip_range[0] = '\0'; // Told in lists alone.
	_cleanup_json_ json_t *before = network_engine_body("ringway", &expected);
	_cleanup_json_ json_t *after = network_engine_body("ringway", &got);
	assert_true(json_equal(before, after));
	assert_string_equal(got.docker_id, NET);
	assert_true(got.docker);
}

// Docker's side may leave our options out, but not contradict.
static void test_options_left_out(void **state)
{
	struct driver_bench *bench = *state;
	add_row(bench, &full);
	_cleanup_json_ json_t *body = as_called(&full);
	json_t *generic =
		json_object_get(json_object_get(body, "Options"), "com.docker.network.generic");
	json_object_clear(generic);
	json_object_set_new(generic, "ringway.name", json_string("fast"));
	char *text = json_dumps(body, 0);
	assert_int_equal(driver_bench_call(bench, "/NetworkDriver.CreateNetwork", text), 200);
	free(text);
	assert_int_equal(row_of(bench).vlan, 7);
}

static void expect_different(
	struct driver_bench *bench,
	const struct network_spec *row,
	const struct network_spec *docker,
	const char *said
)
{
	add_row(bench, row);
	driver_bench_refused(bench, create(bench, docker), said);
	service_lock(bench->docker.daemon);
	assert_int_equal(service_network_remove(bench->docker.daemon, row->name, NULL), 0);
	service_unlock(bench->docker.daemon);
}

static void test_differences(void **state)
{
	struct driver_bench *bench = *state;
	struct network_spec row = full;
	row.mtu = 9000;
	expect_different(bench, &row, &full, "has MTU 9000, not 1400");
	row = full;
	row.internal = false;
	expect_different(bench, &row, &full, "has --internal off, not on");
	expect_different(bench, &full, &row, "has --internal on, not off");
	row = full;
	row.proxy_neighbors = false;
	expect_different(bench, &row, &full, "ringway.proxy-neighbors off, not on");
	row = full;
	row.no_gateway = false;
	expect_different(bench, &row, &full, "ringway.gateway on, not off");
	row = full;
	row.vlan = 8;
	expect_different(bench, &row, &full, "ringway.vlan 8, not 7");
	row = full;
	memcpy(row.uplink, "eth2", 5);
	expect_different(bench, &row, &full, "ringway.uplink eth2, not eth1");
	row = full;
	memcpy(row.aux, "router=10.88.0.6", 17);
	expect_different(bench, &row, &full, "auxiliary addresses router=10.88.0.6, not");
	row = full;
	memcpy(row.subnet, "10.89.0.0/24", 13);
	expect_different(bench, &row, &full, "10.88.0.0/24");
	row = full;
	row.subnet6[0] = row.aux[0] = '\0';
	struct network_spec six = row;
	memcpy(six.subnet6, full.subnet6, sizeof(six.subnet6));
	expect_different(bench, &six, &row, "IPv6 subnet fd00:88::/64, not none");
}

// Docker picks a gateway in any case; where nobody asked for one, no container gets it.
static json_t *as_called_with_gateway(const struct network_spec *spec)
{
	json_t *body = as_called(spec);
	json_t *pool = json_array_get(json_object_get(body, "IPv4Data"), 0);
	if (!json_object_get(pool, "Gateway"))
		json_object_set_new(pool, "Gateway", json_string("40.0.0.1/24"));
	return body;
}

static int create_body(struct driver_bench *bench, json_t *body)
{
	char *text = json_dumps(body, 0);
	int r = driver_bench_call(bench, "/NetworkDriver.CreateNetwork", text);
	free(text);
	json_decref(body);
	return r;
}

static void test_functions_by_our_door(void **state)
{
	struct driver_bench *bench = *state;
	add_row(bench, &sriov);
	assert_int_equal(create_body(bench, as_called_with_gateway(&sriov)), 200);
	assert_int_equal(fake_service_networks(bench->docker.daemon), 1);
	assert_string_equal(row_of(bench).name, "cards");
	assert_string_equal(row_of(bench).gateway, "");
}

static void test_functions_by_our_door_without_options(void **state)
{
	struct driver_bench *bench = *state;
	add_row(bench, &sriov);
	json_t *body = as_called_with_gateway(&sriov);
	json_t *generic =
		json_object_get(json_object_get(body, "Options"), "com.docker.network.generic");
	json_object_clear(generic);
	json_object_set_new(generic, "ringway.name", json_string("cards"));
	assert_int_equal(create_body(bench, body), 200);
	assert_string_equal(row_of(bench).gateway, "");
	assert_int_equal(row_of(bench).functions.vfs, 4);
}

static void test_functions_by_dockers_door(void **state)
{
	struct driver_bench *bench = *state;
	assert_int_equal(create_body(bench, as_called_with_gateway(&sriov)), 200);
	struct network_spec got = row_of(bench);
	_cleanup_json_ json_t *before = network_engine_body("ringway", &sriov);
	_cleanup_json_ json_t *after = network_engine_body("ringway", &got);
	assert_true(json_equal(before, after));
	assert_memory_equal(&got.functions, &sriov.functions, sizeof(got.functions));
}

static void test_functions_differ(void **state)
{
	struct driver_bench *bench = *state;
	struct network_spec row = sriov;
	row.functions.vfs = 5;
	expect_different(bench, &row, &sriov, "ringway.vfs 5, not 4");
	row = sriov;
	memcpy(row.functions.parent, "eth3", 5);
	expect_different(bench, &row, &sriov, "ringway.parent eth3, not eth2");
	row = sriov;
	row.functions.trust = -1;
	expect_different(bench, &row, &sriov, "ringway.trust none, not 1");
	row = sriov;
	row.functions.spoof_check = 1;
	expect_different(bench, &row, &sriov, "ringway.spoofchk 1, not 0");
	row = sriov;
	row.functions.link_state = 0;
	expect_different(bench, &row, &sriov, "ringway.link-state auto, not enable");
	row = sriov;
	row.functions.rate_max = 0;
	expect_different(bench, &row, &sriov, "in Mbit/s at most 0, not 1000");
	row = sriov;
	row.functions.noiommu = false;
	expect_different(bench, &row, &sriov, "allow-unsafe-noiommu off, not on");
	row = sriov;
	row.driver[0] = '\0';
	expect_different(bench, &row, &sriov, "ringway.driver switch, not sriov");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, driver_bench_setup, driver_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_body_of_a_plain_network),
		cmocka_unit_test(test_body_of_functions),
		TEST(test_our_door),
		TEST(test_dockers_door),
		TEST(test_options_left_out),
		TEST(test_differences),
		TEST(test_functions_by_our_door),
		TEST(test_functions_by_our_door_without_options),
		TEST(test_functions_by_dockers_door),
		TEST(test_functions_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
