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
	assert_string_equal(network.spec.name, "fast");
	assert_string_equal(network.spec.subnet, "10.201.0.0/24");
	assert_string_equal(network.spec.gateway, "10.201.0.1");
	assert_int_equal(network.spec.mtu, 1400);
	assert_true(network.spec.internal);
	assert_int_equal(network.given, 0);
	assert_string_equal(network.spec.aux, "");
}

static void test_network_of_two_families(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"Options\":{\"com.docker.network.enable_ipv6\":true,"
		"\"com.docker.network.generic\":{\"com.docker.network.driver.mtu\":\"1400\","
		"\"ringway.proxy-neighbors\":\"on\",\"ringway.vlan\":\"7\",\"ringway.uplink\":"
		"\"xdp:eth1\",\"ringway.gateway\":\"off\"}},\"IPv4Data\":[{\"AddressSpace\":"
		"\"LocalDefault\",\"AuxAddresses\":{\"router\":\"10.88.0.5/24\"},\"Gateway\":"
		"\"10.88.0.1/24\",\"Pool\":\"10.88.0.0/24\"}],\"IPv6Data\":[{\"AddressSpace\":"
		"\"LocalDefault\",\"AuxAddresses\":{\"r6\":\"fd00:88::5/64\"},\"Gateway\":"
		"\"fd00:88::1/64\",\"Pool\":\"fd00:88::/64\"}]}",
		0,
		NULL
	);
	struct driver_network network;
	assert_int_equal(driver_parse_network(body, &network, NULL), 0);
	const struct network_spec *spec = &network.spec;
	assert_string_equal(spec->subnet, "10.88.0.0/24");
	assert_string_equal(spec->gateway, "10.88.0.1");
	assert_string_equal(spec->subnet6, "fd00:88::/64");
	assert_string_equal(spec->gateway6, "fd00:88::1");
	assert_string_equal(spec->aux, "router=10.88.0.5,r6=fd00:88::5");
	assert_int_equal(spec->mtu, 1400);
	assert_int_equal(spec->vlan, 7);
	assert_string_equal(spec->uplink, "xdp:eth1");
	assert_true(spec->proxy_neighbors);
	assert_true(spec->no_gateway);
	assert_false(spec->internal);
	assert_int_equal(
		network.given,
		DRIVER_GIVEN_PROXY_NEIGHBORS | DRIVER_GIVEN_GATEWAY | DRIVER_GIVEN_VLAN |
			DRIVER_GIVEN_UPLINK
	);
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
	assert_string_equal(network.spec.subnet, "");
	assert_string_equal(network.spec.name, "");
	assert_int_equal(network.spec.mtu, 0);
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
	assert_string_equal(network.spec.subnet, "10.1.0.0/16");
	assert_string_equal(network.spec.gateway, "10.1.0.1");
	assert_int_equal(network.spec.mtu, 9000);
	// Docker's names may be longer than ours, which is no reason to leave its network alone.
	char wide[301];
	memset(wide, 'n', 300);
	wide[300] = '\0';
	json_object_set_new(object, "Name", json_string(wide));
	assert_int_equal(driver_parse_listed(object, &network, name, NULL), 0);
	assert_string_equal(name, "");
}

// Ranges are told in lists alone, and a subnet of IPv6 also where the network does not use it.
static void test_listed_with_everything(void **state)
{
	_cleanup_json_ json_t *object = json_loads(
		"{\"Name\":\"rr\",\"Id\":\"" NET "\",\"EnableIPv6\":true,\"IPAM\":{\"Config\":["
		"{\"Subnet\":\"fd00:88::/64\",\"IPRange\":\"fd00:88::8000/113\","
		"\"AuxiliaryAddresses\":{\"r6\":\"fd00:88::5\"}},"
		"{\"Subnet\":\"10.88.0.0/24\",\"IPRange\":\"10.88.0.128/25\",\"Gateway\":"
		"\"10.88.0.1\",\"AuxiliaryAddresses\":{\"router\":\"10.88.0.5\"}}]},\"Internal\":true,"
		"\"Options\":{\"ringway.gateway\":\"on\"}}",
		0,
		NULL
	);
	struct driver_network network;
	char name[NAME_SIZE];
	assert_int_equal(driver_parse_listed(object, &network, name, NULL), 0);
	assert_string_equal(network.spec.subnet, "10.88.0.0/24");
	assert_string_equal(network.spec.subnet6, "fd00:88::/64");
	assert_string_equal(network.spec.gateway6, ""); // An internal network may have none.
	assert_string_equal(network.spec.ip_range, "10.88.0.128/25");
	assert_string_equal(network.spec.aux, "r6=fd00:88::5,router=10.88.0.5");
	assert_true(network.spec.internal);
	assert_false(network.spec.no_gateway);
	assert_int_equal(network.given, DRIVER_GIVEN_GATEWAY);
	json_object_set_new(object, "EnableIPv6", json_false());
	assert_int_equal(driver_parse_listed(object, &network, name, NULL), 0);
	assert_string_equal(network.spec.subnet6, "");
	assert_string_equal(network.spec.aux, "router=10.88.0.5");
}

static void expect_gateway(const char *config, const char *gateway, const char *gateway6)
{
	char text[512];
	char name[NAME_SIZE];
	struct driver_network network;
	snprintf(
		text,
		sizeof(text),
		"{\"Name\":\"rr\",\"Id\":\"a1\",\"EnableIPv6\":true,\"IPAM\":{\"Config\":[%s]}}",
		config
	);
	_cleanup_json_ json_t *object = json_loads(text, 0, NULL);
	assert_int_equal(driver_parse_listed(object, &network, name, NULL), 0);
	assert_string_equal(network.spec.gateway, gateway);
	assert_string_equal(network.spec.gateway6, gateway6);
	json_object_set_new(object, "Internal", json_true());
	assert_int_equal(driver_parse_listed(object, &network, name, NULL), 0);
	assert_string_equal(network.spec.gateway, "");
}

// As Docker 20.10 was seen to pick them.
static void test_gateway_that_is_not_listed(void **state)
{
	expect_gateway("{\"Subnet\":\"10.77.8.0/24\"}", "10.77.8.1", "");
	expect_gateway(
		"{\"Subnet\":\"10.77.7.0/24\",\"IPRange\":\"10.77.7.64/26\"}", "10.77.7.64", ""
	);
	expect_gateway(
		"{\"Subnet\":\"10.77.7.0/24\",\"IPRange\":\"10.77.7.0/26\"}", "10.77.7.1", ""
	);
	expect_gateway(
		"{\"Subnet\":\"10.77.8.0/24\"},{\"Subnet\":\"fd00:77::/64\",\"IPRange\":"
		"\"fd00:77::8000/113\"}",
		"10.77.8.1",
		"fd00:77::8000"
	);
	expect_gateway("{\"Subnet\":\"nonsense\"}", "", "");
}

static void test_kernel_endpoint(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"" EP "\",\"Interface\":{\"Address\":"
		"\"10.88.0.128/24\",\"AddressIPv6\":\"fd00:88::2/64\",\"MacAddress\":"
		"\"02:33:33:33:33:33\"},\"Options\":{\"com.docker.network.endpoint.exposedports\":"
		"[{\"Proto\":6,\"Port\":1234}],\"com.docker.network.endpoint.macaddress\":"
		"\"AjMzMzMz\",\"ringway.pin-address\":\"on\",\"ringway.learning\":\"off\"}}",
		0,
		NULL
	);
	struct driver_endpoint endpoint;
	assert_int_equal(driver_parse_endpoint(body, &endpoint, NULL), 0);
	assert_int_equal(endpoint.attach, DRIVER_ATTACH_DEFAULT);
	assert_string_equal(endpoint.ip, "10.88.0.128/24");
	assert_string_equal(endpoint.ip6, "fd00:88::2/64");
	assert_true(endpoint.mac_given);
	assert_int_equal(endpoint.mac[1], 0x33);
	assert_true(endpoint.pin_address);
	assert_false(endpoint.learning);
	// Docker says nothing at all of an endpoint on an internal network.
	json_object_set_new(body, "Options", json_object());
	assert_int_equal(driver_parse_endpoint(body, &endpoint, NULL), 0);
	assert_int_equal(endpoint.attach, DRIVER_ATTACH_DEFAULT);
	json_object_set_new(body, "Options", json_pack("{s:s}", "ringway.attach", "kernel"));
	assert_int_equal(driver_parse_endpoint(body, &endpoint, NULL), 0);
	assert_int_equal(endpoint.attach, DRIVER_ATTACH_KERNEL);
}

static void test_portmap_recorded(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"" EP "\",\"Options\":{"
		"\"com.docker.network.endpoint.exposedports\":[{\"Proto\":17,\"Port\":9003}],"
		"\"com.docker.network.portmap\":[{\"Proto\":17,\"IP\":\"\",\"Port\":9003,\"HostIP\":"
		"\"\",\"HostPort\":9003,\"HostPortEnd\":9003},{\"Proto\":132,\"IP\":\"\",\"Port\":5000,"
		"\"HostIP\":\"::1\",\"HostPort\":5000,\"HostPortEnd\":5000},{\"Proto\":6,\"IP\":\"\","
		"\"Port\":70,\"HostIP\":\"127.0.0.1\",\"HostPort\":7000,\"HostPortEnd\":7009},"
		"{\"Proto\":6,\"IP\":\"\",\"Port\":53,\"HostIP\":\"\",\"HostPort\":0,\"HostPortEnd\":0}]"
		"}}",
		0,
		NULL
	);
	struct port_publish list[4];
	size_t count = 9;
	assert_int_equal(driver_parse_portmap(body, list, 4, &count, NULL), 0);
	assert_int_equal(count, 4);
	assert_int_equal(list[0].proto, 17);
	assert_int_equal(list[0].container_port, 9003);
	assert_int_equal(list[0].host_port, 9003);
	assert_int_equal(list[0].host_port_end, 9003);
	assert_string_equal(list[0].host_ip, "");
	assert_int_equal(list[1].proto, 132);
	assert_string_equal(list[1].host_ip, "::1");
	assert_int_equal(list[2].host_port, 7000);
	assert_int_equal(list[2].host_port_end, 7009);
	assert_int_equal(list[3].host_port, 0);
	assert_int_equal(list[3].host_port_end, 0);
	struct rwy_err err = {0};
	assert_int_equal(driver_parse_portmap(body, list, 3, &count, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "4 published ports"));
	// Exposed ports alone publish nothing.
	json_object_del(json_object_get(body, "Options"), "com.docker.network.portmap");
	assert_int_equal(driver_parse_portmap(body, list, 4, &count, NULL), 0);
	assert_int_equal(count, 0);
	json_object_del(body, "Options");
	assert_int_equal(driver_parse_portmap(body, list, 4, &count, NULL), 0);
	assert_int_equal(count, 0);
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
	assert_int_equal(endpoint.attach, DRIVER_ATTACH_VHOST);
	assert_string_equal(endpoint.ip6, "");
	assert_false(endpoint.pin_address);
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

#define POOL_WITH(members) \
	"{\"NetworkID\":\"a1\",\"IPv4Data\":[{\"Pool\":\"10.1.0.0/24\"," members "}]}"

static const struct refusal network_refusals[] = {
	{"{}", "NetworkID"},
	{"{\"NetworkID\":7}", "NetworkID"},
	{"{\"NetworkID\":\"\"}", "NetworkID"},
	{"{\"NetworkID\":\"../etc\"}", "NetworkID"},
	{"{\"NetworkID\":\"%s\"}", "NetworkID"},
	{"{\"NetworkID\":\"a1\",\"Options\":[]}", "Options"},
	{"{\"NetworkID\":\"a1\",\"Options\":{\"com.docker.network.generic\":\"x\"}}", "generic"},
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
	{"{\"NetworkID\":\"a1\",\"IPv4Data\":[{\"Pool\":\"10.1.0.0/24\"},{\"Pool\":"
	 "\"10.2.0.0/24\"}]}",
	 "one --subnet"},
	{"{\"NetworkID\":\"a1\",\"IPv6Data\":[{\"Pool\":\"fd00::/64\"},{\"Pool\":"
	 "\"fd01::/64\"}]}",
	 "IPv6"},
	{"{\"NetworkID\":\"a1\",\"IPv6Data\":7}", "IPv6Data"},
	{POOL_WITH("\"Gateway\":\"%s\""), "Gateway"},
	{POOL_WITH("\"AuxAddresses\":[]"), "AuxAddresses"},
	{POOL_WITH("\"AuxAddresses\":{\"a\":7}"), "auxiliary"},
	{POOL_WITH("\"AuxAddresses\":{\"a,b\":\"10.1.0.2/24\"}"), "auxiliary"},
	{POOL_WITH("\"AuxAddresses\":{\"\":\"10.1.0.2/24\"}"), "auxiliary"},
	{POOL_WITH("\"AuxAddresses\":{\"%s\":\"10.1.0.2/24\"}"), "255 characters"},
	{NETWORK_WITH("\"ringway.vlan\":\"0\""), "1 to 4094"},
	{NETWORK_WITH("\"ringway.vlan\":\"4095\""), "1 to 4094"},
	{NETWORK_WITH("\"ringway.vlan\":7"), "ringway.vlan"},
	{NETWORK_WITH("\"ringway.uplink\":\"\""), "ringway.uplink"},
	{NETWORK_WITH("\"ringway.uplink\":\"%s\""), "ringway.uplink"},
	{NETWORK_WITH("\"ringway.gateway\":\"10.1.0.1\""), "ringway.gateway"},
	{NETWORK_WITH("\"ringway.proxy-neighbors\":\"\""), "ringway.proxy-neighbors"},
	{NETWORK_WITH("\"ringway.driver\":\"macvlan\""), "'macvlan', not a driver"},
	{NETWORK_WITH("\"netdevice\":\"\""), "'netdevice'"},
	{NETWORK_WITH("\"ringway.parent\":\"%s\""), "ringway.parent"},
	{NETWORK_WITH("\"netdevice\":\"eth2\",\"ringway.pf-pci\":\"0000:03:00.0\""),
	 "another one says"},
	{NETWORK_WITH("\"nvf\":\"0\""), "1 to 256"},
	{NETWORK_WITH("\"nvf\":\"2\",\"ringway.vfs\":\"3\""), "another one says"},
	{NETWORK_WITH("\"ringway.vfs\":\"257\""), "1 to 256"},
	{NETWORK_WITH("\"ringway.trust\":\"yes\""), "not on or off"},
	{NETWORK_WITH("\"ringway.spoofchk\":\"\""), "ringway.spoofchk"},
	{NETWORK_WITH("\"ringway.link-state\":\"up\""), "auto, enable or disable"},
	{NETWORK_WITH("\"ringway.rate\":\"50kfps\""), "'ringway.rate': rate '50kfps'"},
	{NETWORK_WITH("\"ringway.allow-unsafe-noiommu\":\"1\""), "noiommu"},
	{NETWORK_WITH("\"ringway.pin-address\":\"on\""), "'ringway.pin-address' is unknown"},
};

static void test_network_refusals(void **state)
{
	for (size_t i = 0; i < sizeof(network_refusals) / sizeof(network_refusals[0]); i++) {
		char text[2048];
		_cleanup_json_ json_t *body = load(network_refusals[i].json, text);
		struct driver_network network;
		struct rwy_err err = {0};
		int r = driver_parse_network(body, &network, &err);
		expect_refusal(r, &err, text, network_refusals[i].said);
	}
}

#define ENDPOINT_WITH(options)                         \
	"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\"," \
	"\"Options\":{\"ringway.attach\":\"vhost\"" options "}}"
#define KERNEL_WITH(options) \
	"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\",\"Options\":{" options "}}"
#define VF_WITH(options) KERNEL_WITH("\"ringway.attach\":\"vf\"," options)
#define INTERFACE_WITH(members)                                                    \
	"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\",\"Interface\":{" members "}," \
	"\"Options\":{\"ringway.attach\":\"vhost\",\"ringway.mac\":\"02:00:00:00:00:01\"}}"

static const struct refusal endpoint_refusals[] = {
	{"{}", "NetworkID"},
	{"{\"NetworkID\":\"a1\"}", "EndpointID"},
	{"{\"NetworkID\":\"a1\",\"EndpointID\":null}", "EndpointID"},
	{KERNEL_WITH("\"ringway.attach\":7"), "attach"},
	{KERNEL_WITH("\"ringway.attach\":\"ether\""), "'ringway.attach' is 'ether'"},
	{KERNEL_WITH("\"ringway.attach\":\"\""), "ringway.attach"},
	{KERNEL_WITH("\"ringway.queues\":\"2\""), "'ringway.queues' is for DPDK"},
	{KERNEL_WITH("\"ringway.memory\":\"64\""), "'ringway.memory' is for DPDK"},
	{KERNEL_WITH("\"ringway.offloads\":\"off\""), "'ringway.offloads' is for DPDK"},
	{KERNEL_WITH("\"ringway.pin-address\":\"yes\""), "pin-address"},
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
	{ENDPOINT_WITH(",\"ringway.offloads\":\"no\""), "option 'ringway.offloads' is 'no'"},
	{ENDPOINT_WITH(",\"ringway.rate\":\"fast\""),
	 "option 'ringway.rate': rate 'fast' is malformed"},
	{ENDPOINT_WITH(",\"ringway.burst\":\"1fps\""), "option 'ringway.burst': burst"},
	{ENDPOINT_WITH(",\"ringway.flood-rate\":\"\""), "option 'ringway.flood-rate': flood"},
	{ENDPOINT_WITH(",\"ringway.vfs\":\"2\""), "'ringway.vfs' is for DPDK"},
	{ENDPOINT_WITH(",\"ringway.function\":\"03:10.2\""), "is for functions"},
	{ENDPOINT_WITH(",\"ringway.cpus\":\"1\""), "is for functions"},
	{KERNEL_WITH("\"ringway.vfs\":\"2\""), "'ringway.vfs' is for DPDK"},
	{KERNEL_WITH("\"ringway.uid\":\"7\""), "'ringway.uid' is for DPDK"},
	{KERNEL_WITH("\"ringway.attach\":\"vf-kernel\",\"ringway.vfs\":\"2\""),
	 "an interface, which the engine moves"},
	{VF_WITH("\"ringway.vfs\":\"17\""), "1 to 16"},
	{VF_WITH("\"ringway.vfs\":\"0\""), "1 to 16"},
	{VF_WITH("\"ringway.queues\":\"2\""), "'ringway.queues' is for DPDK"},
	{VF_WITH("\"ringway.function\":\"\""), "PCI function's address"},
	{VF_WITH("\"ringway.function\":\"03:10.1 \""), "PCI function's address"},
	{VF_WITH("\"ringway.function\":\"03:10.1 03:10.2\""), "2 addresses, of 1 functions"},
	{VF_WITH("\"ringway.function\":\"eth2\""), "PCI function's address"},
	{VF_WITH("\"ringway.function\":\"0000:03:10\""), "PCI function's address"},
	{VF_WITH("\"ringway.function\":\"0000:03:10.2.\""), "PCI function's address"},
	{VF_WITH("\"ringway.function\":\"%s\""), "PCI function's address"},
	{VF_WITH("\"ringway.cpus\":\"all\""), "no list of CPUs"},
	{VF_WITH("\"ringway.uid\":\"root\""), "ringway.uid"},
	{VF_WITH("\"ringway.uid\":\"4294967295\""), "4294967294"},
	{ENDPOINT_WITH(",\"ringway.rates\":\"1\""), "'ringway.rates' is unknown"},
	{INTERFACE_WITH("\"MacAddress\":\"02:00:00:00:00:02\""), "differ"},
	{INTERFACE_WITH("\"MacAddress\":\"ff:ff:ff:ff:ff:ff\""), "multicast"},
	{INTERFACE_WITH("\"MacAddress\":7"), "MacAddress"},
	{INTERFACE_WITH("\"Address\":\"%s\""), "Address"},
	{INTERFACE_WITH("\"AddressIPv6\":\"%s\""), "AddressIPv6"},
	{"{\"NetworkID\":\"a1\",\"EndpointID\":\"b2\",\"Interface\":[]}", "Interface"},
};

static void test_endpoint_refusals(void **state)
{
	for (size_t i = 0; i < sizeof(endpoint_refusals) / sizeof(endpoint_refusals[0]); i++) {
		char text[2048];
		_cleanup_json_ json_t *body = load(endpoint_refusals[i].json, text);
		struct driver_endpoint endpoint;
		struct rwy_err err = {0};
		int r = driver_parse_endpoint(body, &endpoint, &err);
		expect_refusal(r, &err, text, endpoint_refusals[i].said);
	}
}

#define PORTMAP_WITH(entry) "{\"Options\":{\"com.docker.network.portmap\":[" entry "]}}"

static void test_portmap_refusals(void **state)
{
	static const struct refusal cases[] = {
		{"{\"Options\":[]}", "Options"},
		{"{\"Options\":{\"com.docker.network.portmap\":{}}}", "portmap"},
		{PORTMAP_WITH("7"), "object"},
		{PORTMAP_WITH("{\"Port\":80}"), "protocol"},
		{PORTMAP_WITH("{\"Proto\":1,\"Port\":80}"), "protocol 1"},
		{PORTMAP_WITH("{\"Proto\":262,\"Port\":80}"), "protocol 262"},
		{PORTMAP_WITH("{\"Proto\":6}"), "no port of the container"},
		{PORTMAP_WITH("{\"Proto\":6,\"Port\":65536}"), "'Port'"},
		{PORTMAP_WITH("{\"Proto\":6,\"Port\":-1}"), "'Port'"},
		{PORTMAP_WITH("{\"Proto\":6,\"Port\":\"80\"}"), "'Port'"},
		{PORTMAP_WITH("{\"Proto\":6,\"Port\":80,\"HostIP\":\"localhost\"}"), "localhost"},
		{PORTMAP_WITH("{\"Proto\":6,\"Port\":80,\"HostIP\":\"%s\"}"), "HostIP"},
		{PORTMAP_WITH("{\"Proto\":6,\"Port\":80,\"HostPort\":70000}"), "HostPort"},
		{PORTMAP_WITH("{\"Proto\":6,\"Port\":80,\"HostPort\":90,\"HostPortEnd\":80}"),
		 "no range"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048];
		_cleanup_json_ json_t *body = load(cases[i].json, text);
		struct port_publish list[2];
		size_t count = 0;
		struct rwy_err err = {0};
		int r = driver_parse_portmap(body, list, 2, &count, &err);
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
		cmocka_unit_test(test_network_of_two_families),
		cmocka_unit_test(test_network_without_addresses),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_listed_with_everything),
		cmocka_unit_test(test_gateway_that_is_not_listed),
		cmocka_unit_test(test_kernel_endpoint),
		cmocka_unit_test(test_portmap_recorded),
		cmocka_unit_test(test_endpoint_recorded),
		cmocka_unit_test(test_network_refusals),
		cmocka_unit_test(test_endpoint_refusals),
		cmocka_unit_test(test_portmap_refusals),
		cmocka_unit_test(test_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
