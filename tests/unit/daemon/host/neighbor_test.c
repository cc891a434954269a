// SPDX-License-Identifier: BSD-3-Clause
// Neighbour requests that the program answers. As root.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/host/frames.h"

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

static void test_arp_answer(void **state)
{
	struct rig_frame frame, got;
	uint8_t header[12];
	frames_arp(&frame, mac[1], 1, "10.9.0.2", "10.9.0.9");
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
		{"10.9.0.2", "10.9.0.2", 1},  // An announcement.
		{"0.0.0.0", "10.9.0.1", 0},   // A probe for its own.
		{"10.9.0.5", "10.9.0.1", 0},
	};
	struct rig_frame frame, got;
	uint8_t header[12];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		frames_arp(&frame, mac[cases[i].port], 1, cases[i].sender, cases[i].target);
		rig_send(&rig, cases[i].port, &frame);
		rig_receive(&rig, !cases[i].port, ETH_P_ARP, &got);
		assert_memory_equal(got.bytes, frame.bytes, frame.size);
		assert_true(rig_trunk_receive(&rig, ETH_P_ARP, header, &got));
	}
	// A probe for somebody else's is.
	frames_arp(&frame, mac[1], 1, "0.0.0.0", "10.9.0.1");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 1, ETH_P_ARP, &got);
	assert_memory_equal(got.bytes + 22, mac[0], MAC_SIZE);
	// Not any more, when the station has gone, or has another address.
	assert_int_equal(
		host_station_add(rig.host, RIG_NETWORK, station, "10.9.0.10", NULL, &err), 0
	);
	assert_int_equal(host_station_remove(rig.host, RIG_NETWORK, mac[0], &err), 0);
	for (int i = 0; i < 2; i++) {
		frames_arp(&frame, mac[1], 1, "10.9.0.2", i ? "10.9.0.1" : "10.9.0.9");
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
	frames_arp(&frame, mac[1], 1, "10.9.0.2", "10.9.0.1");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 0, ETH_P_ARP, &got);
	frames_arp(&frame, mac[1], 1, "10.9.0.2", "10.9.0.9");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 1, ETH_P_ARP, &got);
	assert_int_equal(got.bytes[21], 2);
}

static void test_solicitation_answer(void **state)
{
	struct rig_frame frame, got;
	uint8_t header[12];
	frames_icmp6(&frame, mac[1], 135, "fd09::2", "fd09::9");
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
	assert_int_equal(frames_icmp6_sum(&got), 0xffff);
	assert_int_equal(rig_counters(&rig, 0).tx_frames, 0);
	assert_false(rig_trunk_receive(&rig, ETH_P_IPV6, header, &got));
}

// RFC 4862 5.4: the one who has the address is told so in its place, and never tells itself.
static void test_duplicate_address_detection(void **state)
{
	struct rig_frame frame, got;
	uint8_t all_nodes[16];
	frames_put_ip6(all_nodes, "ff02::1");
	frames_icmp6(&frame, mac[1], 135, "::", "fd09::1");
	rig_send(&rig, 1, &frame);
	rig_receive(&rig, 1, ETH_P_IPV6, &got);
	assert_memory_equal(got.bytes + 38, all_nodes, 16);
	assert_int_equal(got.bytes[58], 0x20);
	assert_int_equal(frames_icmp6_sum(&got), 0xffff);
	frames_icmp6(&frame, mac[0], 135, "::", "fd09::1");
	rig_send(&rig, 0, &frame);
	rig_receive(&rig, 1, ETH_P_IPV6, &got);
	assert_memory_equal(got.bytes, frame.bytes, frame.size);
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
	};
	const char *reason = rig_enter();
	if (reason) {
		print_message("skipped: %s\n", reason);
		return 77; // meson: skipped.
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
