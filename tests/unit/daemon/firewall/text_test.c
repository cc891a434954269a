// SPDX-License-Identifier: BSD-3-Clause
// The nftables script, word for word, and what is refused before there is one.
#include "base/cleanup.h"
#include "daemon/firewall/publish.h"
#include "daemon/firewall/text.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const struct firewall_network networks[] = {
	{7, "rwg7-ab12", {"10.7.0.0/24", "fd00:7::/64"}, {"10.7.0.1", "fd00:7::1"}, false, true},
	{8, "rwg8-ab12", {"10.8.0.0/16", ""}, {"10.8.0.1", ""}, true, true},
	{9, "rwg9-ab12", {"10.9.0.0/24", ""}, {"10.9.0.1", ""}, false, false},
};

static const struct firewall_publish publishes[] = {
	{.network = 7,
	 .proto = IPPROTO_TCP,
	 .address = "10.7.0.2",
	 .address6 = "fd00:7::2",
	 .container_port = 80,
	 .host_port = 8000,
	 .host_port_end = 8100,
	 .bound = 8080},
	{.network = 7,
	 .proto = IPPROTO_UDP,
	 .address = "10.7.0.2",
	 .address6 = "fd00:7::2",
	 .container_port = 53,
	 .host_ip = "192.0.2.1",
	 .host_port = 5353},
	{.network = 9,
	 .proto = IPPROTO_SCTP,
	 .address = "10.9.0.2",
	 .container_port = 81,
	 .host_ip = "0.0.0.0",
	 .bound = 81},
	{.network = 7,
	 .proto = IPPROTO_TCP,
	 .address = "10.7.0.2",
	 .address6 = "fd00:7::2",
	 .container_port = 443,
	 .host_ip = "2001:db8::1",
	 .bound = 8443},
	// Internal, and one that is not there: without effect.
	{.network = 8,
	 .proto = IPPROTO_TCP,
	 .address = "10.8.0.2",
	 .container_port = 80,
	 .bound = 8081},
	{.network = 70,
	 .proto = IPPROTO_TCP,
	 .address = "10.70.0.2",
	 .container_port = 80,
	 .bound = 8082},
};

static const char expected_sets[] =
	"add table inet ringway_ab12\n"
	"delete table inet ringway_ab12\n"
	"table inet ringway_ab12 {\n"
	"\tset gateways {\n"
	"\t\ttype ifname\n"
	"\t\telements = {\n"
	"\t\t\t\"rwg7-ab12\",\n"
	"\t\t\t\"rwg8-ab12\",\n"
	"\t\t\t\"rwg9-ab12\"\n"
	"\t\t}\n"
	"\t}\n"
	"\tset internal {\n"
	"\t\ttype ifname\n"
	"\t\telements = {\n"
	"\t\t\t\"rwg8-ab12\"\n"
	"\t\t}\n"
	"\t}\n"
	"\tset same {\n"
	"\t\ttype ifname . ifname\n"
	"\t\telements = {\n"
	"\t\t\t\"rwg7-ab12\" . \"rwg7-ab12\",\n"
	"\t\t\t\"rwg8-ab12\" . \"rwg8-ab12\",\n"
	"\t\t\t\"rwg9-ab12\" . \"rwg9-ab12\"\n"
	"\t\t}\n"
	"\t}\n"
	"\tset own4 {\n"
	"\t\ttype ipv4_addr . ifname\n"
	"\t\tflags interval\n"
	"\t\telements = {\n"
	"\t\t\t10.7.0.0/24 . \"rwg7-ab12\",\n"
	"\t\t\t10.8.0.0/16 . \"rwg8-ab12\",\n"
	"\t\t\t10.9.0.0/24 . \"rwg9-ab12\"\n"
	"\t\t}\n"
	"\t}\n"
	"\tset masquerade4 {\n"
	"\t\ttype ipv4_addr\n"
	"\t\tflags interval\n"
	"\t\tauto-merge\n"
	"\t\telements = {\n"
	"\t\t\t10.7.0.0/24\n"
	"\t\t}\n"
	"\t}\n"
	"\tmap one4 {\n"
	"\t\ttype ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service\n"
	"\t\telements = {\n"
	"\t\t\t192.0.2.1 . udp . 5353 : 10.7.0.2 . 53\n"
	"\t\t}\n"
	"\t}\n"
	"\tmap any4 {\n"
	"\t\ttype inet_proto . inet_service : ipv4_addr . inet_service\n"
	"\t\telements = {\n"
	"\t\t\ttcp . 8080 : 10.7.0.2 . 80,\n"
	"\t\t\tsctp . 81 : 10.9.0.2 . 81\n"
	"\t\t}\n"
	"\t}\n"
	"\tset own6 {\n"
	"\t\ttype ipv6_addr . ifname\n"
	"\t\tflags interval\n"
	"\t\telements = {\n"
	"\t\t\tfd00:7::/64 . \"rwg7-ab12\"\n"
	"\t\t}\n"
	"\t}\n"
	"\tset masquerade6 {\n"
	"\t\ttype ipv6_addr\n"
	"\t\tflags interval\n"
	"\t\tauto-merge\n"
	"\t\telements = {\n"
	"\t\t\tfd00:7::/64\n"
	"\t\t}\n"
	"\t}\n"
	"\tmap one6 {\n"
	"\t\ttype ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service\n"
	"\t\telements = {\n"
	"\t\t\t2001:db8::1 . tcp . 8443 : fd00:7::2 . 443\n"
	"\t\t}\n"
	"\t}\n"
	"\tmap any6 {\n"
	"\t\ttype inet_proto . inet_service : ipv6_addr . inet_service\n"
	"\t\telements = {\n"
	"\t\t\ttcp . 8080 : fd00:7::2 . 80\n"
	"\t\t}\n"
	"\t}\n";

static const char expected_chains[] =
	"\tchain guard {\n"
	"\t\ttype filter hook prerouting priority raw; policy accept;\n"
	"\t\tiifname != @gateways accept\n"
	"\t\tip daddr 127.0.0.0/8 counter drop comment \"the host's loopback\"\n"
	"\t\ticmp type redirect counter drop comment \"the host's routes\"\n"
	"\t\ticmpv6 type { nd-router-advert, nd-redirect } counter drop comment \"the host's routes\"\n"
	"\t\tiifname @internal ip daddr != { 224.0.0.0/4, 255.255.255.255 }"
	" ip daddr . iifname != @own4 counter drop comment \"from an internal network\"\n"
	"\t\tiifname @internal ip6 daddr != { fe80::/10, ff00::/8 }"
	" ip6 daddr . iifname != @own6 counter drop comment \"from an internal network\"\n"
	"\t\tip saddr . iifname @own4 accept\n"
	"\t\tip6 saddr . iifname @own6 accept\n"
	"\t\tip saddr 0.0.0.0 ip daddr 255.255.255.255 accept\n"
	"\t\tip6 saddr { ::, fe80::/10 } accept\n"
	"\t\tcounter drop comment \"source address\"\n"
	"\t}\n"
	"\tchain prerouting {\n"
	"\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
	"\t\tip daddr 127.0.0.0/8 accept\n"
	"\t\tip6 daddr fe80::/10 accept\n"
	"\t\tfib daddr type local jump publish\n"
	"\t}\n"
	"\tchain output {\n"
	"\t\ttype nat hook output priority -100; policy accept;\n"
	"\t\tip6 daddr { ::1, fe80::/10 } accept\n"
	"\t\tfib daddr type local jump publish\n"
	"\t}\n"
	"\tchain publish {\n"
	"\t\tdnat ip to ip daddr . meta l4proto . th dport map @one4\n"
	"\t\tdnat ip to meta l4proto . th dport map @any4\n"
	"\t\tdnat ip6 to ip6 daddr . meta l4proto . th dport map @one6\n"
	"\t\tdnat ip6 to meta l4proto . th dport map @any6\n"
	"\t}\n"
	"\tchain postrouting {\n"
	"\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
	"\t\toifname \"lo\" accept\n"
	"\t\tip saddr 127.0.0.0/8 oifname @gateways masquerade\n"
	"\t\tip saddr . oifname @own4 ct status dnat masquerade\n"
	"\t\tip6 saddr . oifname @own6 ct status dnat masquerade\n"
	"\t\tip saddr . oifname @own4 accept\n"
	"\t\tip6 saddr . oifname @own6 accept\n"
	"\t\tip saddr @masquerade4 masquerade\n"
	"\t\tip6 saddr @masquerade6 masquerade\n"
	"\t}\n"
	"\tchain forward {\n"
	"\t\ttype filter hook forward priority filter; policy accept;\n"
	"\t\tiifname != @gateways oifname != @gateways accept\n"
	"\t\tiifname . oifname @same accept\n"
	"\t\tiifname @internal counter drop comment \"from an internal network\"\n"
	"\t\toifname @internal counter drop comment \"to an internal network\"\n"
	"\t\tct state established,related accept\n"
	"\t\tct state invalid counter drop comment \"invalid\"\n"
	"\t\tct status dnat accept\n"
	"\t\tiifname @gateways oifname @gateways counter drop comment \"other network\"\n"
	"\t\toifname @gateways counter drop comment \"not published\"\n"
	"\t}\n"
	"\tchain redirects {\n"
	"\t\ttype filter hook output priority filter; policy accept;\n"
	"\t\toifname @gateways icmp type redirect drop\n"
	"\t\toifname @gateways icmpv6 type nd-redirect drop\n"
	"\t}\n"
	"}\n";

static void test_whole(void **state)
{
	struct rwy_err err = {0};
	_cleanup_free_ char *text = firewall_text("ringway_ab12", networks, 3, publishes, 6, &err);
	assert_non_null(text);
	assert_int_equal(strncmp(text, expected_sets, strlen(expected_sets)), 0);
	assert_string_equal(text + strlen(expected_sets), expected_chains);
}

static void test_none(void **state)
{
	_cleanup_free_ char *text = firewall_text("ringway", NULL, 0, publishes, 6, NULL);
	assert_string_equal(text, "add table inet ringway\ndelete table inet ringway\n");
}

// Sets that nothing is in have no elements, which nft would refuse to be empty.
static void test_empty_sets(void **state)
{
	_cleanup_free_ char *text = firewall_text("ringway", &networks[2], 1, NULL, 0, NULL);
	assert_non_null(text);
	assert_non_null(strstr(text, "\tset internal {\n\t\ttype ifname\n\t}\n"));
	assert_non_null(
		strstr(text,
		       "\tset masquerade4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
		       "\t\tauto-merge\n\t}\n")
	);
	assert_non_null(strstr(text, " : ipv4_addr . inet_service\n\t}\n"));
}

static void test_bad_networks(void **state)
{
	static const struct {
		const char *interface, *subnet, *subnet6, *why;
	} bad[] = {
		{"", "10.0.0.0/24", "", "'' is no interface's name"},
		{"a\" }", "10.0.0.0/24", "", "is no interface's name"},
		{"../x", "10.0.0.0/24", "", "is no interface's name"},
		{"-a", "10.0.0.0/24", "", "is no interface's name"},
		{"a/b", "10.0.0.0/24", "", "is no interface's name"},
		{"rwg1", "10.0.0.0", "", "'10.0.0.0' is no IPv4 subnet"},
		{"rwg1", "10.0.0.0/33", "", "is no IPv4 subnet"},
		{"rwg1", "10.0.0.0/", "", "is no IPv4 subnet"},
		{"rwg1", "10.0.0.0/8 }", "", "is no IPv4 subnet"},
		{"rwg1", "fd00::/64", "", "is no IPv4 subnet"},
		{"rwg1", "", "10.0.0.0/24", "is no IPv6 subnet"},
		{"rwg1", "", "fd00::/129", "is no IPv6 subnet"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rwy_err err = {0};
		struct firewall_network network = {.id = 5};
		(void
		)snprintf(network.interface, sizeof(network.interface), "%s", bad[i].interface);
		(void)snprintf(network.subnet[0], sizeof(network.subnet[0]), "%s", bad[i].subnet);
		(void)snprintf(network.subnet[1], sizeof(network.subnet[1]), "%s", bad[i].subnet6);
		assert_null(firewall_text("ringway", &network, 1, NULL, 0, &err));
		assert_int_equal(err.code, -EINVAL);
		assert_non_null(strstr(err.msg, "network 5: "));
		assert_non_null(strstr(err.msg, bad[i].why));
	}
}

static void test_bad_ports(void **state)
{
	static const struct {
		struct firewall_publish publish;
		const char *why;
	} bad[] = {
		{{.proto = 1, .address = "10.7.0.2", .container_port = 80, .host_port = 80},
		 "80/protocol 1: it has no ports"},
		{{.proto = 6, .address = "10.7.0.2", .host_port = 80}, "80/tcp: to no port"},
		{{.proto = 6, .container_port = 80, .host_port = 80},
		 "80/tcp: the container has no address"},
		{{.proto = 6, .address = "10.7.0.2 }", .container_port = 80, .host_port = 80},
		 "'10.7.0.2 }' is no address"},
		{{.proto = 17,
		  .address = "10.7.0.2",
		  .container_port = 80,
		  .host_ip = "::",
		  .host_port = 80},
		 "80/udp: the container has no IPv6 address"},
		{{.proto = 6,
		  .address6 = "fd00::2",
		  .container_port = 80,
		  .host_ip = "192.0.2.1",
		  .host_port = 80,
		  .host_port_end = 90},
		 "192.0.2.1:80-90/tcp: the container has no IPv4 address"},
		{{.proto = 6,
		  .address = "10.7.0.2",
		  .container_port = 80,
		  .host_ip = "eth0",
		  .host_port = 80},
		 "eth0:80/tcp: the host's part is no address"},
		{{.proto = 6,
		  .address6 = "fd00::2",
		  .container_port = 80,
		  .host_ip = "::1",
		  .host_port = 80},
		 "[::1]:80/tcp: no kernel translates it"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rwy_err err = {0};
		assert_null(firewall_text("ringway", networks, 3, &bad[i].publish, 1, &err));
		assert_int_equal(err.code, -EINVAL);
		assert_non_null(strstr(err.msg, "cannot publish port "));
		if (!strstr(err.msg, bad[i].why))
			fail_msg("%s", err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_empty_sets),
		cmocka_unit_test(test_bad_networks),
		cmocka_unit_test(test_bad_ports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
