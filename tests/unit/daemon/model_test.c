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
	assert_string_equal(spec.subnet, "fd00::/64");
	assert_string_equal(spec.gateway, "fd00::1");
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
		{"10.0.0.0/24", "10.0.1.1", 0, "gateway 10.0.1.1 is no host's address of subnet"},
		{"10.0.0.0/24", "10.0.0.0", 0, "no host's address"},
		{"10.0.0.0/24", "10.0.0.255", 0, "no host's address"},
		{"10.0.0.0/24", "fd00::1", 0, "no host's address"},
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
	SET_TEXT(spec.attach, "kernel");
	expect_bad_port(&spec, "attachment 'kernel' is not known");
	spec = port("");
	SET_TEXT(spec.connect, "relative");
	expect_bad_port(&spec, "relative");
	spec = port("");
	SET_TEXT(spec.key, "0123456789abcdef");
	spec.index = 16;
	expect_bad_port(&spec, "index 16");
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
}

static void test_key(void **state)
{
	assert_int_equal(model_check_key("0123456789abcdef", NULL), 0);
	assert_int_equal(model_check_key("0123456789abcde", NULL), -EINVAL);
	assert_int_equal(model_check_key("0123456789abcdeF", NULL), -EINVAL);
	assert_int_equal(model_check_key("../../../../etc/", NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cidr_parse),
		cmocka_unit_test(test_cidr_overlap),
		cmocka_unit_test(test_network_good),
		cmocka_unit_test(test_network_bad),
		cmocka_unit_test(test_overlap_named),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_port_limits),
		cmocka_unit_test(test_cores),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_clash),
		cmocka_unit_test(test_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
