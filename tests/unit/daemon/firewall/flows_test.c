// SPDX-License-Identifier: BSD-3-Clause
// Which flows end when published ports change.
#include "daemon/firewall/flows.h"
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const struct firewall_network networks[] = {
	{1, "rwg1", {"10.1.0.0/24", "fd00:1::/64"}, {"", ""}, false, true},
	{2, "rwg2", {"10.2.0.0/24", ""}, {"", ""}, true, true},
};

static struct firewall_publish publish(const char *address, const char *host_ip)
{
	struct firewall_publish made = {
		.network = 1, .proto = IPPROTO_UDP, .container_port = 53, .bound = 8053};
	(void)strncpy(made.address, address, sizeof(made.address) - 1);
	(void)strncpy(made.host_ip, host_ip, sizeof(made.host_ip) - 1);
	return made;
}

static struct flows_targets make(const struct firewall_publish *publishes, size_t count)
{
	struct flows_targets targets;
	assert_int_equal(flows_targets_make(networks, 2, publishes, count, &targets), 0);
	return targets;
}

static struct conntrack_flow flow(
	const char *to,
	uint16_t to_port,
	const char *from,
	uint16_t from_port
)
{
	struct conntrack_flow made = {
		.proto = IPPROTO_UDP, .to_port = to_port, .from_port = from_port};
	made.family = strchr(to, ':') ? 1 : 0;
	assert_int_equal(inet_pton(made.family ? AF_INET6 : AF_INET, to, made.to), 1);
	assert_int_equal(inet_pton(made.family ? AF_INET6 : AF_INET, from, made.from), 1);
	return made;
}

// The host is 192.0.2.1.
static bool is_local(const struct conntrack_flow *asked)
{
	static const uint8_t address[4] = {192, 0, 2, 1};
	return !asked->family && !memcmp(asked->to, address, 4);
}

static void test_moved(void **state)
{
	struct firewall_publish old = publish("10.1.0.2", "");
	struct firewall_publish new = publish("10.1.0.3", "");
	struct flows_targets before = make(&old, 1);
	struct flows_targets after = make(&new, 1);
	struct conntrack_flow to_old = flow("192.0.2.1", 8053, "10.1.0.2", 53);
	struct conntrack_flow to_new = flow("192.0.2.1", 8053, "10.1.0.3", 53);
	struct conntrack_flow to_host = flow("192.0.2.1", 8053, "192.0.2.1", 8053);
	struct conntrack_flow elsewhere = flow("198.51.100.1", 8053, "198.51.100.1", 8053);
	struct conntrack_flow direct = flow("10.1.0.2", 53, "10.1.0.2", 53);
	struct conntrack_flow other = to_old;
	other.proto = IPPROTO_TCP;
	assert_true(flows_ends(&before, &after, &to_old, is_local));
	assert_false(flows_ends(&before, &after, &to_new, is_local));
	assert_true(flows_ends(&before, &after, &to_host, is_local));
	assert_false(flows_ends(&before, &after, &elsewhere, is_local));
	assert_false(flows_ends(&before, &after, &direct, is_local));
	assert_false(flows_ends(&before, &after, &other, is_local));
	// What stays as it is, has nothing to end.
	assert_false(flows_ends(&after, &after, &to_host, is_local));
	assert_true(flows_targets_equal(&after, &after));
	assert_false(flows_targets_equal(&before, &after));
	flows_targets_fini(&before);
	flows_targets_fini(&after);
}

static void test_gone(void **state)
{
	struct firewall_publish old = publish("10.1.0.2", "");
	struct flows_targets before = make(&old, 1);
	struct flows_targets none = make(NULL, 0);
	// To an address that the host has no more, too.
	struct conntrack_flow to_old = flow("203.0.113.9", 8053, "10.1.0.2", 53);
	struct conntrack_flow to_host = flow("192.0.2.1", 8053, "192.0.2.1", 8053);
	assert_true(flows_ends(&before, &none, &to_old, is_local));
	assert_false(flows_ends(&before, &none, &to_host, is_local));
	// A start of ringwayd: what goes where it should goes on.
	struct conntrack_flow right = flow("192.0.2.1", 8053, "10.1.0.2", 53);
	struct conntrack_flow wrong = flow("192.0.2.1", 8053, "10.1.0.9", 53);
	assert_false(flows_ends(&none, &before, &right, is_local));
	assert_true(flows_ends(&none, &before, &wrong, is_local));
	flows_targets_fini(&before);
	flows_targets_fini(&none);
}

static void test_one_address(void **state)
{
	struct firewall_publish one = publish("10.1.0.2", "127.0.0.1");
	struct flows_targets none = make(NULL, 0);
	struct flows_targets after = make(&one, 1);
	struct conntrack_flow to_one = flow("127.0.0.1", 8053, "127.0.0.1", 8053);
	struct conntrack_flow to_other = flow("192.0.2.1", 8053, "192.0.2.1", 8053);
	assert_true(flows_ends(&none, &after, &to_one, is_local));
	assert_false(flows_ends(&none, &after, &to_other, is_local));
	flows_targets_fini(&none);
	flows_targets_fini(&after);
}

// Each family is a target of its own; those without effect are none; their order says nothing.
static void test_targets(void **state)
{
	struct firewall_publish list[3] = {
		publish("10.1.0.2", ""), publish("10.1.0.3", "192.0.2.1"), publish("10.2.0.2", "")};
	(void)strncpy(list[0].address6, "fd00:1::2", sizeof(list[0].address6) - 1);
	list[2].network = 2;
	struct flows_targets targets = make(list, 3);
	assert_int_equal(targets.count, 3);
	struct firewall_publish reversed[2] = {list[1], list[0]};
	struct flows_targets same = make(reversed, 2);
	assert_true(flows_targets_equal(&targets, &same));
	struct conntrack_flow six = flow("2001:db8::1", 8053, "fd00:1::2", 53);
	struct flows_targets none = make(NULL, 0);
	assert_true(flows_ends(&targets, &none, &six, is_local));
	flows_targets_fini(&targets);
	flows_targets_fini(&same);
	flows_targets_fini(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_one_address),
		cmocka_unit_test(test_targets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
