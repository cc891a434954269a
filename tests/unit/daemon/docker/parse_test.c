// SPDX-License-Identifier: BSD-3-Clause
// The engine's bodies, as recorded from Docker 20.10, and what is refused of everything else, by name.
#include "base/fields.h"
#include "daemon/docker/parse.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NET "c578499a13119da8ae94cb2b2a69f0243c6045cbdcf9f64ff577cae141904b8d"
#define EP "d5c16356bddbf35566b1db0ba2fd73cfee3669b9cd5d513f37749ae18239d047"

static void test_network_recorded(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"Options\":{\"com.docker.network.enable_ipv6\":false,"
		"\"com.docker.network.internal\":true,\"com.docker.network.generic\":"
		"{\"mtu\":\"1400\",\"ringway.name\":\"fast\"}},\"IPv4Data\":[{\"AddressSpace\":"
		"\"LocalDefault\",\"Gateway\":\"10.201.0.1/24\",\"Pool\":\"10.201.0.0/24\"}],"
		"\"IPv6Data\":[]}",
		0,
		NULL
	);
	struct driver_network network;
	assert_int_equal(driver_parse_network(body, &network, NULL), 0);
	assert_string_equal(network.id, NET);
	assert_string_equal(network.name, "fast");
	assert_string_equal(network.subnet, "10.201.0.0/24");
	assert_string_equal(network.gateway, "10.201.0.1");
	assert_int_equal(network.mtu, 1400);
}

static void test_network_without_addresses(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"Options\":{\"com.docker.network.generic\":null},"
		"\"IPv4Data\":[{\"Pool\":\"0.0.0.0/0\",\"Gateway\":\"\"}],\"IPv6Data\":null}",
		0,
		NULL
	);
	struct driver_network network;
	assert_int_equal(driver_parse_network(body, &network, NULL), 0);
	assert_string_equal(network.subnet, "");
	assert_string_equal(network.name, "");
	assert_int_equal(network.mtu, 0);
}

static void test_listed(void **state)
{
	_cleanup_json_ json_t *object = json_loads(
		"{\"Name\":\"fast\",\"Id\":\"" NET "\",\"Driver\":\"ringway\",\"IPAM\":{\"Driver\":"
		"\"default\",\"Options\":null,\"Config\":[{\"Subnet\":\"10.1.0.0/16\",\"Gateway\":"
		"\"10.1.0.1\"}]},\"Containers\":{},\"Options\":{\"mtu\":\"9000\"},\"Labels\":{}}",
		0,
		NULL
	);
	struct driver_network network;
	char name[NAME_SIZE];
	assert_int_equal(driver_parse_listed(object, &network, name, NULL), 0);
	assert_string_equal(name, "fast");
	assert_string_equal(network.subnet, "10.1.0.0/16");
	assert_string_equal(network.gateway, "10.1.0.1");
	assert_int_equal(network.mtu, 9000);
	// Docker's names may be longer than ours, which is no reason to leave its network alone.
	char wide[301];
	memset(wide, 'n', 300);
	wide[300] = '\0';
	json_object_set_new(object, "Name", json_string(wide));
	assert_int_equal(driver_parse_listed(object, &network, name, NULL), 0);
	assert_string_equal(name, "");
}

static void test_endpoint_recorded(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"" EP "\",\"Interface\":{\"Address\":"
		"\"10.201.0.2/24\",\"AddressIPv6\":\"\",\"MacAddress\":\"\"},\"Options\":{\"a\":\"b\","
		"\"com.docker.network.endpoint.exposedports\":[],\"com.docker.network.portmap\":[],"
		"\"ringway.attach\":\"vhost\",\"ringway.key\":\"00112233445566ff\",\"ringway.index\":"
		"\"3\",\"ringway.name\":\"gen.fast\",\"ringway.mac\":\"02:00:00:00:00:09\","
		"\"ringway.queues\":\"4\",\"ringway.learning\":\"on\",\"ringway.memory\":\"64\","
		"\"ringway.offloads\":\"off\",\"ringway.rate\":\"rx:1g tx:50kfps\","
		"\"ringway.burst\":\"rx:64k\",\"ringway.flood-rate\":\"1000\"}}",
		0,
		NULL
	);
	struct driver_endpoint endpoint;
	assert_int_equal(driver_parse_endpoint(body, &endpoint, NULL), 0);
	assert_string_equal(endpoint.network_id, NET);
	assert_string_equal(endpoint.id, EP);
	assert_string_equal(endpoint.ip, "10.201.0.2/24");
	assert_string_equal(endpoint.key, "00112233445566ff");
	assert_string_equal(endpoint.name, "gen.fast");
	assert_int_equal(endpoint.index, 3);
	assert_int_equal(endpoint.queues, 4);
	assert_int_equal(endpoint.memory_mib, 64);
	assert_int_equal(endpoint.mac[5], 9);
	assert_true(endpoint.learning);
	assert_true(endpoint.no_offloads);
	const struct port_limits limits = {
		.rx_bps = 1000000000, .tx_fps = 50000, .rx_burst = 64000, .flood_fps = 1000};
	assert_memory_equal(&endpoint.limits.values, &limits, sizeof(limits));
	assert_false(endpoint.mac_given);
}

static void expect_refusal(int r, const struct rwy_err *err, const char *body, const char *said)
{
	if (r == -EINVAL && (strstr(err->msg, said) || strstr(err->hint, said)))
		return;
	fail_msg("%s: %d '%s' (%s) lacks '%s'", body, r, err->msg, err->hint, said);
}

// %s stands for 300 characters.
struct refusal {
	const char *json;
	const char *said;
};

static json_t *load(const char *format, char text[2048])
{
	char wide[301];
	memset(wide, 'x', 300);
	wide[300] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, 2048, format, wide);
#pragma GCC diagnostic pop
	json_t *body = json_loads(text, 0, NULL);
	assert_non_null(body);
	return body;
}

#define NETWORK_WITH(options) \
	"{\"NetworkID\":\"a1\",\"Options\":{\"com.docker.network.generic\":{" options "}}}"

static void test_network_refusals(void **state)
{
	static const struct refusal cases[] = {
		{"{}", "NetworkID"},
		{"{\"NetworkID\":7}", "NetworkID"},
		{"{\"NetworkID\":\"\"}", "NetworkID"},
		{"{\"NetworkID\":\"../etc\"}", "NetworkID"},
		{"{\"NetworkID\":\"%s\"}", "NetworkID"},
		{"{\"NetworkID\":\"a1\",\"Options\":[]}", "Options"},
		{"{\"NetworkID\":\"a1\",\"Options\":{\"com.docker.network.generic\":\"x\"}}",
		 "generic"},
		{NETWORK_WITH("\"parent\":\"eth0\""), "'parent'"},
		{NETWORK_WITH("\"mtu\":1500"), "mtu"},
		{NETWORK_WITH("\"mtu\":\"67\""), "68 to 65535"},
		{NETWORK_WITH("\"mtu\":\"65536\""), "68 to 65535"},
		{NETWORK_WITH("\"mtu\":\"15x\""), "mtu"},
		{NETWORK_WITH("\"mtu\":\"\""), "mtu"},
		{NETWORK_WITH("\"com.docker.network.driver.mtu\":\"-1\""), "mtu"},
		{NETWORK_WITH("\"ringway.name\":\"%s\""), "ringway.name"},
		{NETWORK_WITH("\"ringway.name\":\"a/b\""), "ringway.name"},
		{NETWORK_WITH("\"ringway.name\":\"\""), "ringway.name"},
		{NETWORK_WITH("\"ringway.name\":\".a\""), "ringway.name"},
		{"{\"NetworkID\":\"a1\",\"IPv4Data\":{}}", "IPv4Data"},
		{"{\"NetworkID\":\"a1\",\"IPv4Data\":[7]}", "pool"},
		{"{\"NetworkID\":\"a1\",\"IPv4Data\":[{\"Pool\":7}]}", "Pool"},
		{"{\"NetworkID\":\"a1\",\"IPv4Data\":[{\"Pool\":\"%s\"}]}", "Pool"},
		{"{\"NetworkID\":\"a1\",\"IPv4Data\":[{},{}]}", "one --subnet"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048];
		_cleanup_json_ json_t *body = load(cases[i].json, text);
		struct driver_network network;
		struct rwy_err err = {0};
		int r = driver_parse_network(body, &network, &err);
		expect_refusal(r, &err, text, cases[i].said);
	}
}

#define ENDPOINT_WITH(options)                         \
	"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\"," \
	"\"Options\":{\"ringway.attach\":\"vhost\"" options "}}"
#define INTERFACE_WITH(members)                                                    \
	"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\",\"Interface\":{" members "}," \
	"\"Options\":{\"ringway.attach\":\"vhost\",\"ringway.mac\":\"02:00:00:00:00:01\"}}"

static void test_endpoint_refusals(void **state)
{
	static const struct refusal cases[] = {
		{"{}", "NetworkID"},
		{"{\"NetworkID\":\"a1\"}", "EndpointID"},
		{"{\"NetworkID\":\"a1\",\"EndpointID\":null}", "EndpointID"},
		{"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\"}", "ringway run"},
		{"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\",\"Options\":{\"ringway.attach\":7}}",
		 "attach"},
		{"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\","
		 "\"Options\":{\"ringway.attach\":\"kernel\"}}",
		 "only vhost"},
		{ENDPOINT_WITH(",\"ringway.que\":\"4\""), "ringway.que"},
		{ENDPOINT_WITH(",\"ringway.queues\":4"), "ringway.queues"},
		{ENDPOINT_WITH(",\"ringway.queues\":\"0\""), "1 to 16"},
		{ENDPOINT_WITH(",\"ringway.queues\":\"17\""), "1 to 16"},
		{ENDPOINT_WITH(",\"ringway.index\":\"16\""), "0 to 15"},
		{ENDPOINT_WITH(",\"ringway.key\":\"../../etc/passwd\""), "ringway.key"},
		{ENDPOINT_WITH(",\"ringway.key\":\"00112233445566FF\""), "ringway.key"},
		{ENDPOINT_WITH(",\"ringway.name\":\"%s\""), "ringway.name"},
		{ENDPOINT_WITH(",\"ringway.mac\":\"01:00:00:00:00:01\""), "multicast"},
		{ENDPOINT_WITH(",\"ringway.mac\":\"00:00:00:00:00:00\""), "ringway.mac"},
		{ENDPOINT_WITH(",\"ringway.mac\":\"02:00\""), "ringway.mac"},
		{ENDPOINT_WITH(",\"ringway.learning\":\"yes\""), "learning"},
		{ENDPOINT_WITH(",\"ringway.memory\":\"15\""), "memory"},
		{ENDPOINT_WITH(",\"ringway.offloads\":\"no\""),
		 "option 'ringway.offloads' is 'no'"},
		{ENDPOINT_WITH(",\"ringway.rate\":\"fast\""),
		 "option 'ringway.rate': rate 'fast' is malformed"},
		{ENDPOINT_WITH(",\"ringway.burst\":\"1fps\""), "option 'ringway.burst': burst"},
		{ENDPOINT_WITH(",\"ringway.flood-rate\":\"\""),
		 "option 'ringway.flood-rate': flood"},
		{ENDPOINT_WITH(",\"ringway.rates\":\"1\""), "'ringway.rates' is unknown"},
		{INTERFACE_WITH("\"MacAddress\":\"02:00:00:00:00:02\""), "differ"},
		{INTERFACE_WITH("\"MacAddress\":\"ff:ff:ff:ff:ff:ff\""), "multicast"},
		{INTERFACE_WITH("\"MacAddress\":7"), "MacAddress"},
		{INTERFACE_WITH("\"Address\":\"%s\""), "Address"},
		{"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\",\"Interface\":[]}", "Interface"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048];
		_cleanup_json_ json_t *body = load(cases[i].json, text);
		struct driver_endpoint endpoint;
		struct rwy_err err = {0};
		int r = driver_parse_endpoint(body, &endpoint, &err);
		expect_refusal(r, &err, text, cases[i].said);
	}
}

static void test_ids(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"" EP
		"\",\"SandboxKey\":\"/var/run/docker/netns/8d68cfa58d64\",\"Options\":{}}",
		0,
		NULL
	);
	struct driver_ids ids;
	assert_int_equal(driver_parse_ids(body, DRIVER_IDS_SANDBOX, &ids, NULL), 0);
	assert_string_equal(ids.sandbox, "/var/run/docker/netns/8d68cfa58d64");
	assert_string_equal(ids.endpoint_id, EP);
	assert_int_equal(driver_parse_ids(NULL, DRIVER_IDS_NETWORK, &ids, NULL), -EINVAL);
	json_object_del(body, "EndpointID");
	assert_int_equal(driver_parse_ids(body, DRIVER_IDS_ENDPOINT, &ids, NULL), -EINVAL);
	assert_int_equal(driver_parse_ids(body, DRIVER_IDS_NETWORK, &ids, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network_recorded),
		cmocka_unit_test(test_network_without_addresses),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_endpoint_recorded),
		cmocka_unit_test(test_network_refusals),
		cmocka_unit_test(test_endpoint_refusals),
		cmocka_unit_test(test_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
