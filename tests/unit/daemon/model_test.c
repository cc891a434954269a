// SPDX-License-Identifier: BSD-3-Clause
// Names, subnets, gateways, MTUs, MACs: what is refused, and with which words.
#include "base/fields.h"
#include "daemon/model/cidr.h"
#include "daemon/model/cores.h"
#include "daemon/model/features.h"
#include "daemon/model/spec.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Fills a member; what does not fit is cut.
#define SET_TEXT(member, text) ((void)snprintf(member, sizeof(member), "%s", text))

static struct network_spec network(const char *subnet, const char *gateway, uint32_t mtu)
{
	struct network_spec spec = {.name = "n", .mtu = mtu};
	SET_TEXT(spec.subnet, subnet);
	SET_TEXT(spec.gateway, gateway);
	return spec;
}

static void test_names(void **state)
{
	static const char *const good[] = {"a", "A.b_c-9", "0"};
	static const struct {
		const char *name, *why;
	} bad[] = {
		{"", "is empty"},
		{"-a", "begins with"},
		{".a", "begins with"},
		{"a/b", "cannot have"},
		{"a b", "cannot have"},
		{"\xc3\xa4", "begins with"},
	};
	struct rwy_err err = {0};
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(model_check_name("port", good[i], &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(model_check_name("port", bad[i].name, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "cannot create port '"));
		assert_non_null(strstr(err.msg, bad[i].why));
		assert_non_null(strstr(err.hint, "1 to 63"));
	}
	char long_name[301];
	memset(long_name, 'x', 300);
	long_name[300] = '\0';
	assert_int_equal(model_check_name("network", long_name, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "too long"));
	long_name[63] = '\0';
	assert_int_equal(model_check_name("network", long_name, &err), 0);
}

static void test_cidr_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"10.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/08",
		"10.0.0.0/8 ",
		"10.0.0.0/8/8",
		"010.0.0.0/8",
		"fd00::/129",
		"fd00::g/64",
		"1.2.3.4.5",
		"10.0.0.0/4294967304"};
	struct cidr c;
	char text[ADDR_TEXT_SIZE];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cidr_parse(bad[i], &c) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(cidr_parse("FD00:0::1/64", &c), 0);
	cidr_format(&c, text);
	assert_string_equal(text, "fd00::1/64");
	c = cidr_network(&c);
	cidr_format(&c, text);
	assert_string_equal(text, "fd00::/64");
	assert_int_equal(cidr_parse("10.1.2.3", &c), 0);
	assert_int_equal(c.prefix, 32);
}

static bool overlaps(const char *a, const char *b)
{
	struct cidr x;
	struct cidr y;
	assert_int_equal(cidr_parse(a, &x) | cidr_parse(b, &y), 0);
	assert_int_equal(cidr_overlaps(&x, &y), cidr_overlaps(&y, &x));
	return cidr_overlaps(&x, &y);
}

static void test_cidr_overlap(void **state)
{
	assert_true(overlaps("10.0.0.0/8", "10.77.0.0/24"));
	assert_true(overlaps("10.77.0.0/24", "10.77.0.0/24"));
	assert_false(overlaps("10.77.0.0/24", "10.77.1.0/24"));
	assert_false(overlaps("10.77.0.0/25", "10.77.0.128/25"));
	assert_true(overlaps("fd00::/8", "fd12:3456::/64"));
	assert_false(overlaps("fd00:0:0:1::/64", "fd00:0:0:2::/64"));
	assert_false(overlaps("0.0.0.0/1", "::/1"));
}

static void test_network_good(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = network("FD00::/64", "FD00::1", 0);
	assert_int_equal(model_check_network(&spec, &err), 0);
	assert_string_equal(spec.subnet, "");
	assert_string_equal(spec.gateway, "");
	assert_string_equal(spec.subnet6, "fd00::/64");
	assert_string_equal(spec.gateway6, "fd00::1");
	assert_int_equal(spec.mtu, 1500);
	spec = network("", "", 68);
	assert_int_equal(model_check_network(&spec, &err), 0);
	spec = network("10.0.0.0/30", "10.0.0.2", 65535);
	assert_int_equal(model_check_network(&spec, &err), 0);
}

static void test_network_bad(void **state)
{
	static const struct {
		const char *subnet, *gateway;
		uint32_t mtu;
		const char *why;
	} bad[] = {
		{"10.0.0.0", "", 0, "cannot create network 'n': subnet '10.0.0.0' is malformed"},
		{"10.0.0.x/24", "", 0, "is malformed"},
		{"10.0.0.1/24", "", 0, "has host bits set"},
		{"10.0.0.0/31", "", 0, "no usable size"},
		{"0.0.0.0/0", "", 0, "no usable size"},
		{"127.0.0.0/8", "", 0, "is kept for the loopback interface (127.0.0.0/8)"},
		{"126.0.0.0/7", "", 0, "is kept for the loopback interface"},
		{"224.1.0.0/24", "", 0, "is kept for multicast"},
		{"fe80::/64", "", 0, "is kept for single links"},
		{"ff02::/64", "", 0, "is kept for multicast"},
		{"10.0.0.0/24", "10.0.1.1", 0, "gateway 10.0.1.1 is no host's address of subnet"},
		{"10.0.0.0/24", "10.0.0.0", 0, "no host's address"},
		{"10.0.0.0/24", "10.0.0.255", 0, "no host's address"},
		{"10.0.0.0/24", "fd00::1", 0, "gateway 'fd00::1' has no subnet"},
		{"fd00::/64", "10.0.0.1", 0, "gateway '10.0.0.1' has no subnet"},
		{"fd00::/64", "", 1279, "MTU 1279 is too small for IPv6"},
		{"10.0.0.0/24", "10.0.0.1/24", 0, "gateway '10.0.0.1/24' is malformed"},
		{"", "10.0.0.1", 0, "no subnet"},
		{"", "", 67, "MTU 67 is out of range"},
		{"", "", 65536, "MTU 65536 is out of range"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rwy_err err = {0};
		struct network_spec spec = network(bad[i].subnet, bad[i].gateway, bad[i].mtu);
		struct network_spec before = spec;
		assert_int_equal(model_check_network(&spec, &err), -EINVAL);
		if (!strstr(err.msg, bad[i].why))
			fail_msg("'%s' is not in '%s'", bad[i].why, err.msg);
		assert_memory_equal(&spec, &before, sizeof(spec));
	}
}

static void test_network_families(void **state)
{
	struct rwy_err err = {0};
	struct network_spec spec = network("10.0.0.0/24", "10.0.0.1", 1280);
	SET_TEXT(spec.subnet6, "FD00::/64");
	SET_TEXT(spec.gateway6, "fd00:0::1");
	SET_TEXT(spec.ip_range, "10.0.0.128/25");
	SET_TEXT(spec.aux, "router=10.0.0.9,other=fd00::9");
	spec.vlan = 4094;
	assert_int_equal(model_check_network(&spec, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "VLAN 4094 needs an uplink"));
	SET_TEXT(spec.uplink, "eth1");
	assert_int_equal(model_check_network(&spec, &err), 0);
	assert_string_equal(spec.subnet, "10.0.0.0/24");
	assert_string_equal(spec.subnet6, "fd00::/64");
	assert_string_equal(spec.gateway6, "fd00::1");

	static const struct {
		const char *subnet6, *gateway6, *range, *aux;
		uint16_t vlan;
		const char *why;
	} bad[] = {
		{"10.1.0.0/24", "", "", "", 0, "IPv6 subnet '10.1.0.0/24' is malformed"},
		{"fd00::1/64", "", "", "", 0, "has host bits set"},
		{"fd00::/64", "10.0.0.1", "", "", 0, "IPv6 gateway '10.0.0.1' is malformed"},
		{"fd00::/64", "fd01::1", "", "", 0, "gateway fd01::1 is no host's address"},
		{"", "", "10.0.0.128", "", 0, "address range '10.0.0.128' is malformed"},
		{"", "", "10.0.0.0/23", "", 0, "address range '10.0.0.0/23' is not inside"},
		{"", "", "fd00::/80", "", 0, "address range 'fd00::/80' is not inside"},
		{"", "", "", "10.0.0.9", 0, "auxiliary address '10.0.0.9' is malformed"},
		{"", "", "", "a=10.0.0.9,b=10.0.1.9", 0, "'b=10.0.1.9' is not inside"},
		{"", "", "", "a=10.0.0.255", 0, "'a=10.0.0.255' is not inside"},
		{"", "", "", "a=fd00::1", 0, "'a=fd00::1' is not inside"},
		{"", "", "", "", 4095, "VLAN 4095 is out of range"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		spec = network("10.0.0.0/24", "10.0.0.1", 0);
		SET_TEXT(spec.subnet6, bad[i].subnet6);
		SET_TEXT(spec.gateway6, bad[i].gateway6);
		SET_TEXT(spec.ip_range, bad[i].range);
		SET_TEXT(spec.aux, bad[i].aux);
		spec.vlan = bad[i].vlan;
		if (model_check_network(&spec, &err) != -EINVAL || !strstr(err.msg, bad[i].why))
			fail_msg("'%s' is not in '%s'", bad[i].why, err.msg);
	}
	spec = network("fd00::/64", "", 0);
	SET_TEXT(spec.subnet6, "fd01::/64");
	assert_int_equal(model_check_network(&spec, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "it has two IPv6 subnets"));
}

static void test_overlap_named(void **state)
{
	struct rwy_err err = {0};
	struct network_spec a = network("10.0.0.0/16", "", 0);
	struct network_spec b = network("10.0.1.0/24", "", 0);
	SET_TEXT(b.name, "other");
	assert_int_equal(model_check_overlap(&a, &b, &err), -EEXIST);
	assert_string_equal(
		err.msg,
		"cannot create network 'n': subnet 10.0.0.0/16 overlaps 10.0.1.0/24 of network 'other'"
	);
	b.subnet[0] = '\0';
	assert_int_equal(model_check_overlap(&a, &b, &err), 0);
	SET_TEXT(a.subnet6, "fd00::/48");
	SET_TEXT(b.subnet6, "fd00:0:0:7::/64");
	assert_int_equal(model_check_overlap(&a, &b, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "subnet fd00::/48 overlaps fd00:0:0:7::/64"));
}

static struct port_spec port(const char *ip)
{
	struct port_spec spec = {.name = "p", .network = "n", .attach = "vhost"};
	SET_TEXT(spec.ip, ip);
	return spec;
}

static void expect_bad_port(struct port_spec *spec, const char *why)
{
	struct rwy_err err = {0};
	struct network_spec net = network("10.0.0.0/24", "10.0.0.1", 1500);
	assert_int_equal(model_check_port(spec, &net, &err), -EINVAL);
	if (!strstr(err.msg, why) || !strstr(err.msg, "cannot create port 'p': "))
		fail_msg("'%s' is not in '%s'", why, err.msg);
}

static void test_port(void **state)
{
	struct rwy_err err = {0};
	struct network_spec net = network("10.0.0.0/24", "10.0.0.1", 1500);
	struct port_spec spec = port("10.0.0.2");
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	assert_string_equal(spec.ip, "10.0.0.2/24");
	assert_int_equal(spec.queues, 1);
	assert_int_equal(model_check_port(&spec, &net, &err), 0);

	static const struct {
		const char *ip, *why;
	} bad[] = {
		{"10.0.0", "malformed"},
		{"10.0.1.2", "no host's address of subnet 10.0.0.0/24"},
		{"10.0.0.255", "no host's address"},
		{"10.0.0.1", "is the gateway's"},
		{"10.0.0.2/16", "another prefix"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		spec = port(bad[i].ip);
		expect_bad_port(&spec, bad[i].why);
	}
	spec = port("");
	spec.mac[0] = 1;
	expect_bad_port(&spec, "MAC 01:00:00:00:00:00 is a multicast address");
	spec = port("");
	spec.queues = 17;
	expect_bad_port(&spec, "17 queues are too many");
	spec = port("");
	SET_TEXT(spec.attach, "tap");
	expect_bad_port(&spec, "attachment 'tap' is not known");
	spec = port("");
	SET_TEXT(spec.connect, "relative");
	expect_bad_port(&spec, "relative");
	spec = port("");
	SET_TEXT(spec.key, "0123456789abcdef");
	spec.index = 16;
	expect_bad_port(&spec, "index 16");
}

static void test_port_addresses(void **state)
{
	struct rwy_err err = {0};
	struct network_spec net = network("10.0.0.0/24", "10.0.0.1", 1500);
	struct port_spec spec = port("fd00::2");
	assert_int_equal(model_check_port(&spec, &net, &err), -EINVAL);
	assert_non_null(
		strstr(err.msg, "address fd00::2 is no host's address of subnet 10.0.0.0/24")
	);
	SET_TEXT(net.subnet6, "fd00::/64");
	SET_TEXT(net.gateway6, "fd00::1");
	SET_TEXT(net.aux, "router=10.0.0.9,six=fd00::9");
	spec = port("FD00::2");
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	assert_string_equal(spec.ip, "");
	assert_string_equal(spec.ip6, "fd00::2/64");
	SET_TEXT(spec.ip, "10.0.0.2");
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	assert_string_equal(spec.ip, "10.0.0.2/24");

	static const struct {
		const char *ip, *ip6, *why;
	} bad[] = {
		{"10.0.0.9", "", "address 10.0.0.9 is kept for 'router' by the network"},
		{"", "fd00::9", "address fd00::9 is kept for 'six' by the network"},
		{"", "fd00::1", "address fd00::1 is the gateway's"},
		{"", "fd01::2", "address fd01::2 is no host's address of subnet fd00::/64"},
		{"", "fd00::", "no host's address"},
		{"", "fd00::2/48", "another prefix"},
		{"", "10.0.0.2", "IPv6 address '10.0.0.2' is malformed"},
		{"fd00::2", "fd00::3", "it has two IPv6 addresses, fd00::2 and fd00::3"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		spec = port(bad[i].ip);
		SET_TEXT(spec.ip6, bad[i].ip6);
		if (model_check_port(&spec, &net, &err) != -EINVAL || !strstr(err.msg, bad[i].why))
			fail_msg("'%s' is not in '%s'", bad[i].why, err.msg);
	}
	spec = port("10.0.0.1"); // The network's own may be the gateway.
	spec.of_network = true;
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
}

static struct port_spec port_of(const char *attach)
{
	struct port_spec spec = port("");
	SET_TEXT(spec.attach, attach);
	if (strcmp(attach, "ether") == 0)
		SET_TEXT(spec.device, "eth1");
	return spec;
}

static void test_port_attachments(void **state)
{
	struct rwy_err err = {0};
	struct network_spec net = network("10.0.0.0/24", "10.0.0.1", 1500);
	struct port_spec spec = port_of("kernel");
	SET_TEXT(spec.netns, "/proc/7/ns/net");
	SET_TEXT(spec.ip, "10.0.0.2");
	spec.pin_address = true;
	spec.limits.rx_bps = 1;
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	assert_string_equal(spec.ifname, "eth0");
	spec.ip[0] = '\0';
	expect_bad_port(&spec, "there is no address to pin");
	spec = port_of("kernel");
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	assert_string_equal(spec.ifname, ""); // Whoever moves it names it.
	spec.queues = 2;
	expect_bad_port(&spec, "queues: kernel ports have none");
	spec = port_of("kernel");
	spec.no_offloads = true;
	expect_bad_port(&spec, "offloads: kernel ports have none");
	spec = port_of("kernel");
	SET_TEXT(spec.connect, "/s");
	expect_bad_port(&spec, "a path to connect to: kernel ports have none");
	spec = port_of("kernel");
	SET_TEXT(spec.netns, "run/netns/a");
	expect_bad_port(&spec, "the namespace's path 'run/netns/a' is relative");
}

// Who is held to its addresses where nobody said.
static void test_pins(void **state)
{
	struct rwy_err err = {0};
	struct network_spec net = network("10.0.0.0/24", "10.0.0.1", 1500);
	struct port_spec spec = port_of("kernel");
	assert_false(model_pins_address(&spec)); // It has none.
	SET_TEXT(spec.ip, "10.0.0.2");
	assert_true(model_pins_address(&spec));
	spec.learning = true;
	assert_false(model_pins_address(&spec));
	spec.learning = false;
	spec.allow_spoof = true;
	assert_false(model_pins_address(&spec));
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	spec.pin_address = true;
	expect_bad_port(&spec, "it may send from any address and is pinned to its own");
	spec = port_of("kernel");
	SET_TEXT(spec.ip, "fd00::2");
	assert_true(model_pins_address(&spec));
	spec = port_of("vhost");
	SET_TEXT(spec.ip, "10.0.0.2");
	assert_false(model_pins_address(&spec)); // It may route.
	spec.pin_address = true;
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
}

static void test_interface_names(void **state)
{
	struct rwy_err err = {0};
	struct port_spec spec;
	static const char *const names[] = {
		"a/b", "a b", ".", "..", "all", "a:1", "a%d", "sixteen-letters-"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		spec = port_of("kernel");
		SET_TEXT(spec.netns, "/n");
		(void)snprintf(spec.ifname, sizeof(spec.ifname), "%s", names[i]);
		if (strlen(names[i]) < IFNAME_SIZE)
			expect_bad_port(&spec, "is no interface's name");
		else
			assert_int_equal(model_check_ifname(names[i], &err), -EINVAL);
	}
}

static void test_attachments_lack(void **state)
{
	struct rwy_err err = {0};
	struct network_spec net = network("10.0.0.0/24", "10.0.0.1", 1500);
	struct port_spec spec;
	static const char *const without[] = {"vhost", "ether"};
	for (size_t i = 0; i < 2; i++) {
		spec = port_of(without[i]);
		SET_TEXT(spec.netns, "/proc/7/ns/net");
		expect_bad_port(&spec, "a namespace: ");
		spec = port_of(without[i]);
		SET_TEXT(spec.ifname, "eth0");
		expect_bad_port(&spec, "an interface's name: ");
	}
	spec = port_of("ether");
	spec.pin_address = true;
	expect_bad_port(&spec, "a pinned address: ether ports have none");
	spec = port_of("ether");
	spec.allow_spoof = true;
	expect_bad_port(&spec, "a source address that is checked: ether ports have none");
	spec = port_of("ether");
	spec.vlan = 7;
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	spec.vlan = 4095;
	expect_bad_port(&spec, "VLAN 4095 is out of range");
	spec = port_of("ether");
	SET_TEXT(spec.ip, "10.0.0.2");
	expect_bad_port(&spec, "an address: ether ports have none");
	spec = port_of("ether");
	spec.device[0] = '\0';
	expect_bad_port(&spec, "there is no device to attach to");
	spec = port_of("vhost");
	SET_TEXT(spec.device, "eth1");
	expect_bad_port(&spec, "a device: vhost ports have none");
}

static void test_port_limits(void **state)
{
	struct rwy_err err = {0};
	struct network_spec net = network("10.0.0.0/24", "10.0.0.1", 1500);
	struct port_spec spec = port("");
	spec.limits = (struct port_limits){.rx_bps = 1, .rx_burst = 1};
	assert_int_equal(model_check_port(&spec, &net, &err), 0);
	spec.limits.rx_bps = 0;
	expect_bad_port(&spec, "a burst (rx_burst) has no rate (rx_bps) to go with");
	spec.limits = (struct port_limits){.tx_bps = UINT64_MAX};
	expect_bad_port(&spec, "limit tx_bps is over 10000000000000 bit/s");
}

static void test_cores(void **state)
{
	static const char *const good[] = {
		"0", "2", "2-3", "1,3-5", "5-5", "3,1,2", "1023", "0-15", "0-7,100-107"};
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "'' is no list of CPUs"},
		{"x", "no list"},
		{"1,", "no list"},
		{",1", "no list"},
		{"1,,2", "no list"},
		{"-1", "no list"},
		{"1-", "no list"},
		{"1-2-3", "no list"},
		{"3-1", "'3-1' is no list of CPUs"},
		{"1 ,2", "no list"},
		{"0x1", "no list"},
		{"1024", "no list"},
		{"99999999999999999999", "no list"},
		{"1,1", "has CPU 1 twice"},
		{"1-3,2", "has CPU 2 twice"},
		{"0-16", "has 17 CPUs"},
		{"0-1023", "has 1024 CPUs"},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (cores_check(good[i], NULL))
			fail_msg("'%s' is refused", good[i]);
	assert_int_equal(cores_count("0-7,100-107", NULL), 16);
	assert_int_equal(cores_count("1", NULL), 1);
	assert_int_equal(cores_count("x", NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rwy_err err = {0};
		if (cores_check(bad[i].text, &err) != -EINVAL || !strstr(err.msg, bad[i].why))
			fail_msg("'%s': '%s'", bad[i].text, err.msg);
	}
}

static void test_features(void **state)
{
	static const struct {
		uint64_t features;
		const char *names;
	} cases[] = {
		{0, "[]"},
		{0x100000000, "[\"version_1\"]"},
		{0x400000801 | 1ULL << 15 | 1ULL << 29,
		 "[\"csum\",\"host_tso4\",\"mrg_rxbuf\",\"event_idx\",\"packed\"]"},
		{1ULL << 41 | 1ULL << 63, "[\"bit41\",\"speed_duplex\"]"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ json_t *names = features_json(cases[i].features);
		char *text = json_dumps(names, JSON_COMPACT);
		assert_string_equal(text, cases[i].names);
		free(text);
	}
}

static void test_clash(void **state)
{
	struct rwy_err err = {0};
	struct port_spec a = port("10.0.0.2/24");
	struct port_spec b = port("10.0.0.3/24");
	SET_TEXT(b.name, "q");
	assert_int_equal(model_check_clash(&a, &b, &err), 0);
	a.mac[0] = b.mac[0] = 2;
	assert_int_equal(model_check_clash(&a, &b, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "MAC 02:00:00:00:00:00 is taken by port 'q'"));
	b.mac[5] = 1;
	SET_TEXT(b.ip, a.ip);
	assert_int_equal(model_check_clash(&a, &b, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "address 10.0.0.2/24 is taken by port 'q'"));
	a.ip[0] = '\0';
	SET_TEXT(a.ip6, "fd00::2/64");
	SET_TEXT(b.ip6, "fd00:0::2/64");
	assert_int_equal(model_check_clash(&a, &b, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "address fd00::2/64 is taken by port 'q'"));
}

static void test_key(void **state)
{
	assert_int_equal(model_check_key("0123456789abcdef", NULL), 0);
	assert_int_equal(model_check_key("0123456789abcde", NULL), -EINVAL);
	assert_int_equal(model_check_key("0123456789abcdeF", NULL), -EINVAL);
	assert_int_equal(model_check_key("../../../../etc/", NULL), -EINVAL);
}

static void test_gateways_chosen(void **state)
{
	struct network_spec spec = {.subnet = "10.7.0.0/24", .subnet6 = "fd00:7::/64"};
	model_choose_gateways(&spec);
	assert_string_equal(spec.gateway, "10.7.0.1");
	assert_string_equal(spec.gateway6, "fd00:7::1");

	struct network_spec kept = {.subnet = "10.7.0.0/24", .aux = "a=10.7.0.1,b=10.7.0.2"};
	model_choose_gateways(&kept);
	assert_string_equal(kept.gateway, "10.7.0.3");

	struct network_spec given = {.subnet = "10.7.0.0/24", .gateway = "10.7.0.9"};
	model_choose_gateways(&given);
	assert_string_equal(given.gateway, "10.7.0.9");

	struct network_spec none[] = {
		{.subnet = "10.7.0.0/24", .no_gateway = true},
		{.subnet = "10.7.0.0/24", .ip_range = "10.7.0.128/25"},
		{.subnet = ""},
	};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		model_choose_gateways(&none[i]);
		assert_string_equal(none[i].gateway, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateways_chosen),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cidr_parse),
		cmocka_unit_test(test_cidr_overlap),
		cmocka_unit_test(test_network_good),
		cmocka_unit_test(test_network_bad),
		cmocka_unit_test(test_network_families),
		cmocka_unit_test(test_overlap_named),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_port_addresses),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_port_attachments),
		cmocka_unit_test(test_interface_names),
		cmocka_unit_test(test_attachments_lack),
		cmocka_unit_test(test_port_limits),
		cmocka_unit_test(test_cores),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_clash),
		cmocka_unit_test(test_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
