// SPDX-License-Identifier: BSD-3-Clause
// Neighbour requests that the program answers, and addresses that it holds a port to. As root.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/host/rig.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

static struct rig rig;

static const uint8_t station[MAC_SIZE] = {2, 0, 0, 0, 0x30, 9};
static uint8_t mac[RIG_PORTS][MAC_SIZE];

static int setup(void **state)
{
	rig_make(&rig);
	for (unsigned int i = 0; i < RIG_PORTS; i++)
		rig_mac(i, mac[i]);
	return 0;
}

static int teardown(void **state)
{
	rig_remove(&rig);
	return 0;
}

// A network that answers, two ports, a station behind the trunk.
static int setup_answers(void **state)
{
	struct rwy_err err = {0};
	const struct host_network network = {
		.id = RIG_NETWORK, .mtu = 1500, .proxy_neighbors = true};
	(void)setup(state); // Always 0.
	assert_int_equal(host_network_add(rig.host, &network, &err), 0);
	rig_add_all(&rig, 2);
	rig_open_trunk(&rig, 1);
	assert_int_equal(
		host_station_add(rig.host, RIG_NETWORK, station, "10.9.0.9", "fd09::9", &err), 0
	);
	assert_int_equal(
		host_station_add(rig.host, RIG_NETWORK, mac[0], "10.9.0.1", "fd09::1", &err), 0
	);
	return 0;
}

static void put_ip(uint8_t *at, const char *text)
{
	assert_int_equal(inet_pton(AF_INET, text, at), 1);
}

static void put_ip6(uint8_t *at, const char *text)
{
	assert_int_equal(inet_pton(AF_INET6, text, at), 1);
}

// RFC 826, to everybody.
static void build_arp(
	struct rig_frame *frame,
	const uint8_t *from,
	uint8_t operation,
	const char *sender,
	const char *target
)
{
	const uint8_t head[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation};
	rig_build(frame, NULL, from, 0);
	memcpy(frame->bytes + 12, head, sizeof(head));
	memcpy(frame->bytes + 22, from, MAC_SIZE);
	put_ip(frame->bytes + 28, sender);
	put_ip(frame->bytes + 38, target);
}

static uint16_t sum(uint32_t start, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i += 2)
		start += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return (uint16_t)start;
}

// The sum over an ICMPv6 message with its pseudo header; 0xffff when the checksum in it is right.
static uint16_t icmp6_sum(const struct rig_frame *frame)
{
	size_t size = (size_t)frame->bytes[18] << 8 | frame->bytes[19];
	return sum(sum((uint32_t)size + 58, frame->bytes + 22, 32), frame->bytes + 54, size);
}

// An ICMPv6 message of `size` bytes with a target: a solicitation (RFC 4861 4.3) or an advertisement (4.4).
static void build_icmp6(
	struct rig_frame *frame,
	const uint8_t *from,
	uint8_t type,
	const char *source,
	const char *target
)
{
	const uint8_t multicast[MAC_SIZE] = {0x33, 0x33, 0xff, 0, 0, 9};
	rig_build(frame, multicast, from, 0);
	frame->size = 14 + 40 + 24;
	frame->bytes[12] = ETH_P_IPV6 >> 8;
	frame->bytes[13] = ETH_P_IPV6 & 0xff;
	frame->bytes[14] = 0x60;
	frame->bytes[19] = 24;
	frame->bytes[20] = 58;
	frame->bytes[21] = 255;
	put_ip6(frame->bytes + 22, source);
	memset(frame->bytes + 54, 0, 24);
	frame->bytes[54] = type;
	put_ip6(frame->bytes + 62, target);
	// RFC 4291 2.7.1: the target's solicited-node address.
	put_ip6(frame->bytes + 38, "ff02::1:ff00:0");
	memcpy(frame->bytes + 51, frame->bytes + 75, 3);
	uint16_t check = (uint16_t)~icmp6_sum(frame);
	frame->bytes[56] = (uint8_t)(check >> 8);
	frame->bytes[57] = (uint8_t)check;
}

static void test_arp_answer(void **state)
{
	struct rig_frame frame, got;
	uint8_t header[12];
	build_arp(&frame, mac[1], 1, "10.9.0.2", "10.9.0.9");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 1, ETH_P_ARP, &got);
	assert_memory_equal(got.bytes, mac[1], MAC_SIZE);
	assert_memory_equal(got.bytes + 6, station, MAC_SIZE);
	assert_int_equal(got.bytes[21], 2);
	assert_memory_equal(got.bytes + 22, station, MAC_SIZE);
	assert_memory_equal(got.bytes + 28, frame.bytes + 38, 4);
	assert_memory_equal(got.bytes + 32, mac[1], MAC_SIZE);
	assert_memory_equal(got.bytes + 38, frame.bytes + 28, 4);
	// Nobody else heard of it.
	assert_int_equal(rig_counters(&rig, 0).tx_frames, 0);
	assert_false(rig_trunk_receive(&rig, ETH_P_ARP, header, &got));
	assert_int_equal(rig_counters(&rig, 1).tx_frames, 1);
	assert_int_equal(rig_counters(&rig, 1).neighbor_answers, 1);
}

// Each goes to everybody instead.
static void test_arp_not_answered(void **state)
{
	struct rwy_err err = {0};
	const struct {
		const char *sender, *target;
		unsigned int port;
	} cases[] = {
		{"10.9.0.2", "10.9.0.77", 1}, // Unknown.
		{"10.9.0.9", "10.9.0.9", 1},  // An announcement.
		{"0.0.0.0", "10.9.0.1", 0},   // A probe for its own.
		{"10.9.0.5", "10.9.0.1", 0},
	};
	struct rig_frame frame, got;
	uint8_t header[12];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build_arp(&frame, mac[cases[i].port], 1, cases[i].sender, cases[i].target);
		rig_send(&rig, cases[i].port, &frame);
		rig_receive(&rig, !cases[i].port, ETH_P_ARP, &got);
		assert_memory_equal(got.bytes, frame.bytes, frame.size);
		assert_true(rig_trunk_receive(&rig, ETH_P_ARP, header, &got));
	}
	// A probe for somebody else's is.
	build_arp(&frame, mac[1], 1, "0.0.0.0", "10.9.0.1");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 1, ETH_P_ARP, &got);
	assert_memory_equal(got.bytes + 22, mac[0], MAC_SIZE);
	// Not any more, when the station has gone, or has another address.
	assert_int_equal(
		host_station_add(rig.host, RIG_NETWORK, station, "10.9.0.10", NULL, &err), 0
	);
	assert_int_equal(host_station_remove(rig.host, RIG_NETWORK, mac[0], &err), 0);
	for (int i = 0; i < 2; i++) {
		build_arp(&frame, mac[1], 1, "10.9.0.2", i ? "10.9.0.1" : "10.9.0.9");
		rig_send(&rig, 1, &frame);
		rig_receive(&rig, 0, ETH_P_ARP, &got);
		assert_int_equal(got.bytes[21], 1);
	}
}

static void test_stations_kept(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame, got;
	const uint8_t keep[1][MAC_SIZE] = {{2, 0, 0, 0, 0x30, 9}};
	assert_int_equal(host_station_keep(rig.host, RIG_NETWORK, keep, 1, &err), 0);
	build_arp(&frame, mac[1], 1, "10.9.0.2", "10.9.0.1");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 0, ETH_P_ARP, &got);
	build_arp(&frame, mac[1], 1, "10.9.0.2", "10.9.0.9");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 1, ETH_P_ARP, &got);
	assert_int_equal(got.bytes[21], 2);
}

static void test_solicitation_answer(void **state)
{
	struct rig_frame frame, got;
	uint8_t header[12];
	build_icmp6(&frame, mac[1], 135, "fd09::2", "fd09::9");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 1, ETH_P_IPV6, &got);
	assert_int_equal(got.size, 14 + 40 + 32);
	assert_memory_equal(got.bytes, mac[1], MAC_SIZE);
	assert_memory_equal(got.bytes + 6, station, MAC_SIZE);
	assert_int_equal(got.bytes[21], 255);
	assert_memory_equal(got.bytes + 22, frame.bytes + 62, 16);
	assert_memory_equal(got.bytes + 38, frame.bytes + 22, 16);
	assert_int_equal(got.bytes[54], 136);
	assert_int_equal(got.bytes[58], 0x60); // Solicited, override.
	assert_memory_equal(got.bytes + 62, frame.bytes + 62, 16);
	assert_int_equal(got.bytes[78], 2);
	assert_int_equal(got.bytes[79], 1);
	assert_memory_equal(got.bytes + 80, station, MAC_SIZE);
	assert_int_equal(icmp6_sum(&got), 0xffff);
	assert_int_equal(rig_counters(&rig, 0).tx_frames, 0);
	assert_false(rig_trunk_receive(&rig, ETH_P_IPV6, header, &got));
}

// RFC 4862 5.4: the one who has the address is told so in its place, and never tells itself.
static void test_duplicate_address_detection(void **state)
{
	struct rig_frame frame, got;
	uint8_t all_nodes[16];
	put_ip6(all_nodes, "ff02::1");
	build_icmp6(&frame, mac[1], 135, "::", "fd09::1");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 1, ETH_P_IPV6, &got);
	assert_memory_equal(got.bytes + 38, all_nodes, 16);
	assert_int_equal(got.bytes[58], 0x20);
	assert_int_equal(icmp6_sum(&got), 0xffff);
	build_icmp6(&frame, mac[0], 135, "::", "fd09::1");
	rig_send(&rig, 0, &frame);
	rig_receive(&rig, 1, ETH_P_IPV6, &got);
	assert_memory_equal(got.bytes, frame.bytes, frame.size);
}

static void add_pinned(void)
{
	struct host_port port = rig_port(0);
	strcpy(port.pin_ip, "10.9.0.1");
	strcpy(port.pin_ip6, "fd09::1");
	rig_add(&rig, 0, &port, NULL);
	port = rig_port(1);
	rig_add(&rig, 1, &port, NULL);
}

static uint64_t refused(void)
{
	return rig_counters(&rig, 0).drops[HOST_DROP_SOURCE];
}

// Sends and says whether it was refused for its source; whether it came, otherwise.
static bool is_refused(const struct rig_frame *frame)
{
	uint64_t before = refused();
	uint64_t came = rig_counters(&rig, 1).tx_frames;
	rig_send(&rig, 0, frame);
	uint64_t more = refused() - before;
	assert_int_equal(rig_counters(&rig, 1).tx_frames - came, 1 - more);
	return more == 1;
}

static void build_udp(struct rig_frame *frame, const char *source, uint16_t from, uint16_t to)
{
	const uint8_t head[] = {0x08, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17};
	rig_build(frame, NULL, mac[0], 0);
	memcpy(frame->bytes + 12, head, sizeof(head));
	put_ip(frame->bytes + 26, source);
	frame->bytes[34] = (uint8_t)(from >> 8);
	frame->bytes[35] = (uint8_t)from;
	frame->bytes[36] = (uint8_t)(to >> 8);
	frame->bytes[37] = (uint8_t)to;
}

static void test_pinned_ip4(void **state)
{
	struct rig_frame frame;
	add_pinned();
	build_udp(&frame, "10.9.0.1", 1000, 1000);
	assert_false(is_refused(&frame));
	build_udp(&frame, "10.9.0.2", 1000, 1000);
	assert_true(is_refused(&frame));
	build_udp(&frame, "0.0.0.0", 1000, 1000);
	assert_true(is_refused(&frame));
	build_udp(&frame, "0.0.0.0", 68, 67);
	assert_false(is_refused(&frame));
	frame.bytes[20] = 0x20; // A fragment of one.
	assert_true(is_refused(&frame));
	build_arp(&frame, mac[0], 1, "10.9.0.1", "10.9.0.2");
	assert_false(is_refused(&frame));
	build_arp(&frame, mac[0], 2, "10.9.0.2", "10.9.0.3");
	assert_true(is_refused(&frame));
	build_arp(&frame, mac[0], 1, "0.0.0.0", "10.9.0.1");
	assert_false(is_refused(&frame));
	build_arp(&frame, mac[0], 2, "0.0.0.0", "10.9.0.1");
	assert_true(is_refused(&frame));
	build_arp(&frame, mac[0], 2, "10.9.0.1", "10.9.0.2");
	frame.bytes[22] ^= 4; // Another's hardware address.
	assert_true(is_refused(&frame));
	frame.bytes[12] = 0x88; // Two tags; the outer one is taken off by the kernel.
	frame.bytes[13] = 0xa8;
	frame.bytes[16] = 0x81;
	frame.bytes[17] = 0;
	assert_true(is_refused(&frame));
}

// Puts extension headers of 8 bytes between the IPv6 header and what is behind it.
static void add_extensions(struct rig_frame *frame, unsigned int count)
{
	uint8_t next = frame->bytes[20];
	for (unsigned int i = 0; i < count; i++) {
		memmove(frame->bytes + 62, frame->bytes + 54, frame->size - 54);
		memset(frame->bytes + 54, 0, 8);
		frame->bytes[54] = next;
		frame->bytes[55] = 0;
		frame->bytes[20] = next = 60; // Destination options.
		frame->bytes[19] += 8;
		frame->size += 8;
	}
}

static void test_pinned_ip6(void **state)
{
	struct rig_frame frame;
	add_pinned();
	build_icmp6(&frame, mac[0], 128, "fd09::1", "::");
	assert_false(is_refused(&frame));
	build_icmp6(&frame, mac[0], 128, "fd09::2", "::");
	assert_true(is_refused(&frame));
	// 02:00:00:00:10:00 as a modified EUI-64.
	build_icmp6(&frame, mac[0], 128, "fe80::ff:fe00:1000", "::");
	assert_false(is_refused(&frame));
	build_icmp6(&frame, mac[0], 128, "fe80::ff:fe00:1001", "::");
	assert_true(is_refused(&frame));
	build_icmp6(&frame, mac[0], 135, "::", "fd09::1");
	assert_false(is_refused(&frame));
	build_icmp6(&frame, mac[0], 135, "::", "fd09::2");
	assert_true(is_refused(&frame));
	build_icmp6(&frame, mac[0], 128, "::", "::");
	assert_true(is_refused(&frame));
	build_icmp6(&frame, mac[0], 143, "::", "::"); // MLDv2 report.
	assert_false(is_refused(&frame));
	build_icmp6(&frame, mac[0], 136, "fd09::1", "fd09::1");
	assert_false(is_refused(&frame));
	build_icmp6(&frame, mac[0], 136, "fd09::1", "fd09::2");
	assert_true(is_refused(&frame));
	add_extensions(&frame, 2);
	assert_true(is_refused(&frame));
	build_icmp6(&frame, mac[0], 136, "fd09::1", "fd09::1");
	add_extensions(&frame, 4);
	assert_false(is_refused(&frame));
	add_extensions(&frame, 1);
	assert_true(is_refused(&frame));
	build_icmp6(&frame, mac[0], 128, "::", "::");
	frame.bytes[20] = 17; // UDP from nobody.
	assert_true(is_refused(&frame));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_arp_answer, setup_answers, teardown),
		cmocka_unit_test_setup_teardown(test_arp_not_answered, setup_answers, teardown),
		cmocka_unit_test_setup_teardown(test_stations_kept, setup_answers, teardown),
		cmocka_unit_test_setup_teardown(test_solicitation_answer, setup_answers, teardown),
		cmocka_unit_test_setup_teardown(
			test_duplicate_address_detection, setup_answers, teardown
		),
		cmocka_unit_test_setup_teardown(test_pinned_ip4, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned_ip6, setup, teardown),
	};
	const char *reason = rig_enter();
	if (reason) {
		print_message("skipped: %s\n", reason);
		return 77; // meson: skipped.
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
