// SPDX-License-Identifier: BSD-3-Clause
// The host's rules with real packets: from outside, from the host, between containers, and what must not pass.
#include "base/cleanup.h"
#include "daemon/firewall/firewall.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/firewall/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SKIPPED 77
#define TCP SOCK_STREAM
#define UDP SOCK_DGRAM

static const struct firewall_network networks[] = {
	{1, "rwg1-test", {"10.1.0.0/24", "fd00:1::/64"}, {"10.1.0.1", "fd00:1::1"}, false, true},
	{2, "rwg2-test", {"10.2.0.0/24", "fd00:2::/64"}, {"10.2.0.1", "fd00:2::1"}, false, true},
	{3, "rwg3-test", {"10.3.0.0/24", "fd00:3::/64"}, {"10.3.0.1", "fd00:3::1"}, true, true},
};

static const struct endpoint outside = {.place = PLACE_OUTSIDE};
static const struct endpoint host = {.place = PLACE_HOST};
static const struct endpoint a1 = {.place = PLACE_A1};
static const struct endpoint b1 = {.place = PLACE_B1};
static const struct endpoint a2 = {.place = PLACE_A2};
static const struct endpoint a3 = {.place = PLACE_A3};

static struct firewall *firewall;

static struct firewall_publish publish(
	uint8_t proto,
	const char *host_ip,
	uint16_t host_port,
	const char *address,
	uint16_t container_port
)
{
	struct firewall_publish made = {
		.port = 1,
		.network = 1,
		.proto = proto,
		.container_port = container_port,
		.host_port = host_port,
	};
	(void)snprintf(made.host_ip, sizeof(made.host_ip), "%s", host_ip);
	(void)snprintf(made.address, sizeof(made.address), "%s", address);
	const char *last = strrchr(address, '.');
	(void)snprintf(made.address6, sizeof(made.address6), "fd00:1::%s", last + 1);
	return made;
}

static void set(struct firewall_publish *publishes, size_t count)
{
	struct rwy_err err = {0};
	firewall_release(firewall, 1);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(firewall_reserve(firewall, &publishes[i], &err), 0);
	int r = firewall_set(firewall, networks, 3, publishes, count, &err);
	if (r)
		print_error("%s\n", err.msg);
	assert_int_equal(r, 0);
}

static void set_usual(void)
{
	struct firewall_publish publishes[] = {
		publish(IPPROTO_TCP, "", 8080, "10.1.0.2", 80),
		publish(IPPROTO_UDP, "", 8053, "10.1.0.2", 53),
		publish(IPPROTO_TCP, "127.0.0.1", 8081, "10.1.0.2", 80),
		publish(IPPROTO_TCP, "192.0.2.1", 8082, "10.1.0.3", 80),
		publish(IPPROTO_SCTP, "", 8083, "10.1.0.2", 84),
	};
	set(publishes, 5);
}

static int setup(void **state)
{
	set_usual();
	return 0;
}

static void expect_at(
	int type,
	const struct endpoint *client,
	const struct endpoint *server,
	const struct endpoint *to,
	const char *seen
)
{
	char found[RIG_TEXT_SIZE];
	int r = rig_exchange(type, client, server, to, RIG_ARRIVES_MS, found);
	if (r)
		print_error(
			"place %d to %s %u: %s\n",
			client->place,
			to->address,
			to->port,
			strerror(-r)
		);
	assert_int_equal(r, 0);
	assert_string_equal(found, seen);
}

// Reaches `place`'s port by `address` and `port`, and is seen there as `seen`.
static void expect(
	int type,
	const struct endpoint *client,
	struct endpoint server,
	const char *address,
	uint16_t port,
	const char *seen
)
{
	struct endpoint to = {.address = address, .port = port};
	server.address = address;
	expect_at(type, client, &server, &to, seen);
}

static struct endpoint at(const struct endpoint *place, uint16_t port)
{
	return (struct endpoint){.place = place->place, .port = port};
}

static void refuse(
	int type,
	const struct endpoint *client,
	struct endpoint server,
	const char *address,
	uint16_t port
)
{
	char found[RIG_TEXT_SIZE];
	struct endpoint to = {.address = address, .port = port};
	server.address = address;
	int r = rig_exchange(type, client, &server, &to, RIG_LOST_MS, found);
	if (!r)
		print_error("place %d reached %s %u as %s\n", client->place, address, port, found);
	assert_int_not_equal(r, 0);
	assert_int_not_equal(r, -EADDRINUSE);
}

static void test_out(void **state)
{
	for (int type = TCP; type <= UDP; type++) {
		expect(type, &a1, at(&outside, 5000), "192.0.2.2", 5000, "192.0.2.1");
		expect(type, &a1, at(&outside, 5000), "2001:db8::2", 5000, "2001:db8::1");
		expect(type, &a2, at(&outside, 5000), "192.0.2.2", 5000, "192.0.2.1");
		// To the host itself there is nothing to hide.
		expect(type, &a1, at(&host, 5000), "10.1.0.1", 5000, "10.1.0.2");
		expect(type, &host, at(&a1, 5000), "10.1.0.2", 5000, "10.1.0.1");
		expect(type, &host, at(&host, 5000), "10.1.0.1", 5000, "10.1.0.1");
	}
}

static void test_published_from_outside(void **state)
{
	expect(TCP, &outside, at(&a1, 80), "192.0.2.1", 8080, "192.0.2.2");
	expect(TCP, &outside, at(&a1, 80), "2001:db8::1", 8080, "2001:db8::2");
	expect(UDP, &outside, at(&a1, 53), "192.0.2.1", 8053, "192.0.2.2");
	expect(UDP, &outside, at(&a1, 53), "2001:db8::1", 8053, "2001:db8::2");
	expect(TCP, &outside, at(&b1, 80), "192.0.2.1", 8082, "192.0.2.2");
	refuse(TCP, &outside, at(&a1, 80), "192.0.2.1", 8081);
	refuse(TCP, &outside, at(&a1, 80), "192.0.2.1", 80);
	refuse(UDP, &outside, at(&a1, 53), "192.0.2.1", 8080);
}

static void test_published_from_the_host(void **state)
{
	expect(TCP, &host, at(&a1, 80), "127.0.0.1", 8080, "10.1.0.1");
	expect(UDP, &host, at(&a1, 53), "127.0.0.1", 8053, "10.1.0.1");
	expect(TCP, &host, at(&a1, 80), "127.0.0.1", 8081, "10.1.0.1");
	expect(TCP, &host, at(&a1, 80), "192.0.2.1", 8080, "192.0.2.1");
	expect(TCP, &host, at(&a1, 80), "10.1.0.1", 8080, "10.1.0.1");
	expect(TCP, &host, at(&a1, 80), "2001:db8::1", 8080, "2001:db8::1");
	refuse(TCP, &host, at(&b1, 80), "127.0.0.1", 8082);
	// What cannot be is refused at once, so that a client goes on to 127.0.0.1.
	char seen[RIG_TEXT_SIZE];
	struct endpoint server = {PLACE_A1, "::1", 80};
	struct endpoint to = {.address = "::1", .port = 8080};
	assert_int_equal(
		rig_exchange(TCP, &host, &server, &to, RIG_ARRIVES_MS, seen), -ECONNREFUSED
	);
}

static void test_published_from_containers(void **state)
{
	expect(TCP, &b1, at(&a1, 80), "192.0.2.1", 8080, "10.1.0.1");
	expect(TCP, &b1, at(&a1, 80), "10.1.0.1", 8080, "10.1.0.1");
	expect(UDP, &b1, at(&a1, 53), "192.0.2.1", 8053, "10.1.0.1");
	expect(TCP, &b1, at(&a1, 80), "2001:db8::1", 8080, "fd00:1::1");
	// Its own.
	expect(TCP, &a1, at(&a1, 80), "192.0.2.1", 8080, "10.1.0.1");
	expect(UDP, &a1, at(&a1, 53), "192.0.2.1", 8053, "10.1.0.1");
	// Of another network: as from outside.
	expect(TCP, &a2, at(&a1, 80), "192.0.2.1", 8080, "10.1.0.1");
	// More than once: a redirect would have sent the second to nobody.
	expect(TCP, &b1, at(&a1, 80), "192.0.2.1", 8080, "10.1.0.1");
}

static void test_isolation(void **state)
{
	for (int type = TCP; type <= UDP; type++) {
		refuse(type, &a1, at(&a2, 80), "10.2.0.2", 80);
		refuse(type, &a2, at(&a1, 80), "10.1.0.2", 80);
		refuse(type, &a1, at(&a2, 80), "fd00:2::2", 80);
		refuse(type, &outside, at(&a1, 80), "10.1.0.2", 80);
		refuse(type, &outside, at(&a1, 80), "fd00:1::2", 80);
	}
}

static void test_internal(void **state)
{
	expect(TCP, &host, at(&a3, 80), "10.3.0.2", 80, "10.3.0.1");
	expect(TCP, &a3, at(&host, 5000), "10.3.0.1", 5000, "10.3.0.2");
	refuse(TCP, &a3, at(&host, 5000), "192.0.2.1", 5000);
	refuse(TCP, &a3, at(&outside, 5000), "192.0.2.2", 5000);
	refuse(UDP, &a3, at(&outside, 5000), "192.0.2.2", 5000);
	refuse(TCP, &a3, at(&outside, 5000), "2001:db8::2", 5000);
	refuse(TCP, &outside, at(&a3, 80), "10.3.0.2", 80);
	refuse(TCP, &a3, at(&a1, 80), "10.1.0.2", 80);
	refuse(TCP, &a3, at(&a1, 80), "192.0.2.1", 8080);
	refuse(TCP, &a1, at(&a3, 80), "10.3.0.2", 80);
}

// Packets to 127.0.0.1 from another machine: what a container or a neighbour can make its kernel send.
static void aim_at_loopback(
	enum place place,
	const char *gateway,
	const char *device,
	const char *source
)
{
	char line[512];
	(void)snprintf(
		line,
		sizeof(line),
		"echo 1 >/proc/sys/net/ipv4/conf/%s/route_localnet && "
		"ip rule add preference 2 lookup local && "
		"ip rule add preference 1 to 127.0.0.1 lookup 7 && ip rule delete preference 0 && "
		"ip route add 127.0.0.1 via %s dev %s src %s table 7",
		device,
		gateway,
		device,
		source
	);
	assert_int_equal(rig_run(place, line), 0);
}

static void aim_back(enum place place)
{
	assert_int_equal(
		rig_run(place,
			"ip rule add preference 0 lookup local; ip rule delete preference 1; "
			"ip rule delete preference 2"),
		0
	);
}

static void test_loopback_is_closed(void **state)
{
	aim_at_loopback(PLACE_B1, "10.1.0.1", "eth0", "10.1.0.3");
	refuse(TCP, &b1, at(&host, 7000), "127.0.0.1", 7000);
	refuse(UDP, &b1, at(&host, 7000), "127.0.0.1", 7000);
	// It is the rule that refuses: without the table, the kernel lets it through.
	assert_int_equal(
		rig_run(PLACE_HOST,
			"nft delete table inet $(nft list tables inet | cut -d' ' -f3)"),
		0
	);
	expect(TCP, &b1, at(&host, 7000), "127.0.0.1", 7000, "10.1.0.3");
	struct rwy_err err = {0};
	assert_int_equal(firewall_check(firewall, &err), 1);
	refuse(UDP, &b1, at(&host, 7000), "127.0.0.1", 7000);
	aim_back(PLACE_B1);
	// A port that is published on 127.0.0.1 alone is nothing for a neighbour.
	aim_at_loopback(PLACE_OUTSIDE, "192.0.2.1", "out1", "192.0.2.2");
	refuse(TCP, &outside, at(&a1, 80), "127.0.0.1", 8081);
	refuse(TCP, &outside, at(&a1, 80), "127.0.0.1", 8080);
	aim_back(PLACE_OUTSIDE);
	set(NULL, 0);
	assert_int_equal(
		rig_run(PLACE_HOST, "grep -qx 0 /proc/sys/net/ipv4/conf/rwg1-test/route_localnet"),
		0
	);
}

// One datagram from an address that the container does not have; whether it arrived outside.
static bool spoof(const char *address, int wait_ms)
{
	struct endpoint server = {PLACE_OUTSIDE, "192.0.2.2", 5001};
	struct sockaddr_in from = {.sin_family = AF_INET};
	int on = 1;
	char text[8];
	_cleanup_close_ int listener = rig_serve(&server, UDP);
	_cleanup_close_ int fd = rig_socket(PLACE_A1, false, UDP, 0);
	assert_true(listener >= 0 && fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof(on)), 0);
	assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(rig_connect(fd, "192.0.2.2", 5001), 0);
	assert_int_equal(send(fd, "frames", 6, 0), 6);
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	return poll(&poll_fd, 1, wait_ms) == 1 && recv(listener, text, sizeof(text), 0) == 6;
}

static void test_source_addresses(void **state)
{
	assert_int_equal(
		rig_run(PLACE_HOST,
			"echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; "
			"echo 0 >/proc/sys/net/ipv4/conf/rwg1-test/rp_filter"),
		0
	);
	assert_true(spoof("10.1.0.2", RIG_ARRIVES_MS));
	assert_false(spoof("10.2.0.9", RIG_LOST_MS));
	assert_false(spoof("198.51.100.7", RIG_LOST_MS));
	assert_int_equal(
		rig_run(PLACE_HOST,
			"nft delete table inet $(nft list tables inet | cut -d' ' -f3)"),
		0
	);
	assert_true(spoof("198.51.100.7", RIG_ARRIVES_MS));
	struct rwy_err err = {0};
	assert_int_equal(firewall_check(firewall, &err), 1);
	assert_false(spoof("198.51.100.7", RIG_LOST_MS));
}

// A client that keeps its port has to reach the container that has the published port now.
static void test_republish(void **state)
{
	struct firewall_publish old = publish(IPPROTO_UDP, "", 8053, "10.1.0.2", 53);
	struct firewall_publish new = publish(IPPROTO_UDP, "", 8053, "10.1.0.3", 53);
	struct endpoint old_place = {PLACE_A1, "10.1.0.2", 53};
	struct endpoint new_place = {PLACE_B1, "10.1.0.3", 53};
	_cleanup_close_ int in_old = rig_serve(&old_place, UDP);
	_cleanup_close_ int in_new = rig_serve(&new_place, UDP);
	_cleanup_close_ int client = rig_socket(PLACE_OUTSIDE, false, UDP, 0);
	_cleanup_close_ int local = rig_socket(PLACE_HOST, false, UDP, 0);
	assert_int_equal(rig_connect(client, "192.0.2.1", 8053), 0);
	assert_int_equal(rig_connect(local, "127.0.0.1", 8053), 0);
	set(&old, 1);
	assert_int_equal(rig_send(client, in_old, RIG_ARRIVES_MS), 0);
	assert_int_equal(rig_send(local, in_old, RIG_ARRIVES_MS), 0);
	// At once, by way of nothing, and again the same: which goes on undisturbed.
	set(&new, 1);
	assert_int_equal(rig_send(client, in_new, RIG_ARRIVES_MS), 0);
	assert_int_equal(rig_send(local, in_new, RIG_ARRIVES_MS), 0);
	set(NULL, 0);
	assert_int_equal(rig_send(client, in_new, RIG_LOST_MS), -ETIMEDOUT);
	set(&old, 1);
	assert_int_equal(rig_send(client, in_old, RIG_ARRIVES_MS), 0);
	assert_int_equal(rig_send(local, in_old, RIG_ARRIVES_MS), 0);
	set(&old, 1);
	assert_int_equal(rig_send(client, in_old, RIG_ARRIVES_MS), 0);
}

// A ringwayd that starts anew knows nothing of what was published before.
static void test_republish_after_restart(void **state)
{
	struct rwy_err err = {0};
	struct firewall_publish old = publish(IPPROTO_UDP, "", 8053, "10.1.0.2", 53);
	struct firewall_publish new = publish(IPPROTO_UDP, "", 8053, "10.1.0.3", 53);
	struct endpoint old_place = {PLACE_A1, "10.1.0.2", 53};
	struct endpoint new_place = {PLACE_B1, "10.1.0.3", 53};
	_cleanup_close_ int in_old = rig_serve(&old_place, UDP);
	_cleanup_close_ int in_new = rig_serve(&new_place, UDP);
	_cleanup_close_ int client = rig_socket(PLACE_OUTSIDE, false, UDP, 0);
	assert_int_equal(rig_connect(client, "192.0.2.1", 8053), 0);
	set(&old, 1);
	assert_int_equal(rig_send(client, in_old, RIG_ARRIVES_MS), 0);
	firewall_close(firewall);
	assert_int_equal(rig_send(client, in_old, RIG_ARRIVES_MS), 0);
	assert_int_equal(firewall_open("/run/ringway-test", &firewall, &err), 0);
	set(&new, 1);
	assert_int_equal(rig_send(client, in_new, RIG_ARRIVES_MS), 0);
}

static void test_established_ends(void **state)
{
	struct endpoint server = {PLACE_A1, "10.1.0.2", 80};
	_cleanup_close_ int listener = rig_serve(&server, TCP);
	_cleanup_close_ int client = rig_socket(PLACE_OUTSIDE, false, TCP, 0);
	_cleanup_close_ int out = rig_socket(PLACE_A1, false, UDP, 0);
	struct endpoint elsewhere = {PLACE_OUTSIDE, "192.0.2.2", 5002};
	_cleanup_close_ int sink = rig_serve(&elsewhere, UDP);
	assert_int_equal(rig_connect(client, "192.0.2.1", 8080), 0);
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	assert_int_equal(poll(&poll_fd, 1, RIG_ARRIVES_MS), 1);
	_cleanup_close_ int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_int_equal(rig_send(client, accepted, RIG_ARRIVES_MS), 0);
	assert_int_equal(rig_connect(out, "192.0.2.2", 5002), 0);
	assert_int_equal(rig_send(out, sink, RIG_ARRIVES_MS), 0);
	// Another port's change does not disturb it, nor does the loss of the table for a moment.
	struct firewall_publish publishes[] = {
		publish(IPPROTO_TCP, "", 8080, "10.1.0.2", 80),
		publish(IPPROTO_TCP, "", 8090, "10.1.0.3", 80),
	};
	set(publishes, 2);
	assert_int_equal(rig_send(client, accepted, RIG_ARRIVES_MS), 0);
	set(&publishes[1], 1);
	assert_int_not_equal(rig_send(client, accepted, RIG_LOST_MS), 0);
	assert_int_equal(rig_send(out, sink, RIG_ARRIVES_MS), 0);
}

static uint32_t crc32c(const uint8_t *bytes, size_t size)
{
	uint32_t crc = ~0U;
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
	}
	return ~crc;
}

// The kernel translates SCTP whether it has sockets of it or not: an INIT chunk by hand.
static void test_sctp(void **state)
{
	uint8_t init[32] = {0x30, 0x39, 8083 >> 8, 8083 & 0xff};
	init[12] = 1;
	init[15] = 20;
	memset(&init[16], 1, 16);
	uint32_t crc = crc32c(init, sizeof(init));
	for (int i = 0; i < 4; i++)
		init[8 + i] = (uint8_t)(crc >> 8 * i);
	uint8_t got[128];
	_cleanup_close_ int client = rig_socket(PLACE_OUTSIDE, false, SOCK_RAW, IPPROTO_SCTP);
	_cleanup_close_ int server = rig_socket(PLACE_A1, false, SOCK_RAW, IPPROTO_SCTP);
	assert_int_equal(rig_connect(client, "192.0.2.1", 0), 0);
	assert_int_equal(send(client, init, sizeof(init), 0), sizeof(init));
	struct pollfd poll_fd = {.fd = server, .events = POLLIN};
	assert_int_equal(poll(&poll_fd, 1, RIG_ARRIVES_MS), 1);
	assert_int_equal(recv(server, got, sizeof(got), 0), 20 + sizeof(init));
	assert_int_equal(got[22] << 8 | got[23], 84);
	// Whole, with the checksum of what it says now.
	uint8_t *sctp = got + 20;
	uint32_t told = sctp[8] | sctp[9] << 8 | sctp[10] << 16 | (uint32_t)sctp[11] << 24;
	memset(sctp + 8, 0, 4);
	assert_int_equal(told, crc32c(sctp, sizeof(init)));
}

static void test_docker_rules(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(
		rig_run(PLACE_HOST,
			"for i in iptables ip6tables; do $i -P FORWARD DROP && $i -N DOCKER-USER && "
			"$i -A FORWARD -j DOCKER-USER && "
			"$i -A DOCKER-USER -p tcp --dport 99 -j DROP && $i -A DOCKER-USER -j RETURN || exit 1; done"
		),
		0
	);
	refuse(TCP, &a1, at(&outside, 5000), "192.0.2.2", 5000);
	refuse(TCP, &outside, at(&a1, 80), "192.0.2.1", 8080);
	_cleanup_free_ char *before = rig_output(PLACE_HOST, "iptables -S; ip6tables -S");
	assert_int_equal(firewall_check(firewall, &err), 1);
	assert_int_equal(firewall_check(firewall, &err), 0);
	_cleanup_free_ char *rules = rig_output(PLACE_HOST, "iptables -S DOCKER-USER");
	assert_non_null(strstr(rules, "-j DROP\n-A DOCKER-USER -i rwg1-test "));
	assert_non_null(strstr(rules, "-A DOCKER-USER -j RETURN\n"));
	expect(TCP, &a1, at(&outside, 5000), "192.0.2.2", 5000, "192.0.2.1");
	expect(TCP, &a1, at(&outside, 5000), "2001:db8::2", 5000, "2001:db8::1");
	expect(TCP, &outside, at(&a1, 80), "192.0.2.1", 8080, "192.0.2.2");
	// The administrator's rules count, and so does our own table.
	refuse(TCP, &a1, at(&outside, 99), "192.0.2.2", 99);
	test_isolation(state);
	test_internal(state);
	// Docker, or a firewall's reload, throws them away.
	assert_int_equal(rig_run(PLACE_HOST, "iptables -F DOCKER-USER"), 0);
	assert_int_equal(firewall_check(firewall, &err), 1);
	expect(TCP, &a1, at(&outside, 5000), "192.0.2.2", 5000, "192.0.2.1");
	assert_int_equal(
		rig_run(PLACE_HOST,
			"iptables -F DOCKER-USER; iptables -A DOCKER-USER "
			"-p tcp -m tcp --dport 99 -j DROP; iptables -A DOCKER-USER -j RETURN"),
		0
	);
	assert_int_equal(firewall_check(firewall, &err), 1);
	// Without networks they go, and only they.
	assert_int_equal(firewall_set(firewall, NULL, 0, NULL, 0, &err), 0);
	_cleanup_free_ char *after = rig_output(PLACE_HOST, "iptables -S; ip6tables -S");
	assert_string_equal(after, before);
	assert_int_equal(
		rig_run(PLACE_HOST,
			"for i in iptables ip6tables; do $i -P FORWARD ACCEPT; $i -F; $i -X; done"),
		0
	);
}

static char *rules_of_the_host(void)
{
	// The counters of policies go on counting.
	return rig_output(
		PLACE_HOST,
		"nft list ruleset; (iptables-save; ip6tables-save) | "
		"grep -v '^#' | sed 's/\\[[0-9:]*\\]//'"
	);
}

static void test_nothing_is_left(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(firewall_set(firewall, NULL, 0, NULL, 0, &err), 0);
	// Something of somebody else's.
	assert_int_equal(
		rig_run(PLACE_HOST,
			"nft add table inet ringway; "
			"iptables -P FORWARD DROP; iptables -A FORWARD -i eth9 -j ACCEPT"),
		0
	);
	_cleanup_free_ char *before = rules_of_the_host();
	set_usual();
	_cleanup_free_ char *between = rules_of_the_host();
	assert_string_not_equal(before, between);
	assert_non_null(strstr(between, "-A FORWARD -o rwg2-test "));
	assert_int_equal(firewall_set(firewall, NULL, 0, NULL, 0, &err), 0);
	_cleanup_free_ char *after = rules_of_the_host();
	assert_string_equal(before, after);
	assert_int_equal(
		rig_run(PLACE_HOST,
			"nft delete table inet ringway; "
			"iptables -P FORWARD ACCEPT; iptables -F"),
		0
	);
}

int main(void)
{
	struct rwy_err err = {0};
	if (!rig_make())
		return SKIPPED;
	(void)rig_run(PLACE_HOST, "echo 0 >/proc/sys/net/ipv4/ip_forward");
	if (firewall_open("/run/ringway-test", &firewall, &err)) {
		(void)fprintf(stderr, "skipped: %s\n", err.msg);
		return SKIPPED;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_out, setup),
		cmocka_unit_test_setup(test_published_from_outside, setup),
		cmocka_unit_test_setup(test_published_from_the_host, setup),
		cmocka_unit_test_setup(test_published_from_containers, setup),
		cmocka_unit_test_setup(test_isolation, setup),
		cmocka_unit_test_setup(test_internal, setup),
		cmocka_unit_test_setup(test_loopback_is_closed, setup),
		cmocka_unit_test_setup(test_source_addresses, setup),
		cmocka_unit_test_setup(test_republish, setup),
		cmocka_unit_test_setup(test_republish_after_restart, setup),
		cmocka_unit_test_setup(test_established_ends, setup),
		cmocka_unit_test_setup(test_sctp, setup),
		cmocka_unit_test_setup(test_docker_rules, setup),
		cmocka_unit_test_setup(test_nothing_is_left, setup),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	firewall_close(firewall);
	return failed;
}
