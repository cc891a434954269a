// SPDX-License-Identifier: BSD-3-Clause
// Which addresses the program lets a kernel port speak for, what a port may learn, and that networks share no frame. As root.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/host/frames.h"

#include <linux/if_ether.h>
#include <string.h>

#define OTHER_NETWORK 8
#define RA 134
#define NS 135
#define NA 136
#define REDIRECT 137
#define ECHO 128
#define PASSES HOST_DROP_COUNT

static struct rig rig;
static uint8_t mac[RIG_PORTS][MAC_SIZE];
static const uint8_t station[MAC_SIZE] = {2, 0, 0, 0, 0x30, 9};
static const uint8_t stranger[MAC_SIZE] = {2, 0, 0, 0, 0x40, 1};

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

// Sends at port 0 and says why it was refused; HOST_DROP_COUNT: it came to port 1.
static enum host_drop send_first(const struct rig_frame *frame)
{
	const struct host_counters before = rig_counters(&rig, 0);
	uint64_t came = rig_counters(&rig, 1).tx_frames;
	rig_send(&rig, 0, frame);
	const struct host_counters after = rig_counters(&rig, 0);
	assert_int_equal(after.rx_frames - before.rx_frames, 1);
	came = rig_counters(&rig, 1).tx_frames - came;
	for (unsigned int i = 0; i < HOST_DROP_COUNT; i++) {
		if (after.drops[i] == before.drops[i])
			continue;
		assert_int_equal(came, 0);
		return (enum host_drop)i;
	}
	assert_int_equal(came, 1);
	return PASSES;
}

// Port 0 is pinned to these; port 1 hears it.
static void add_pinned(const char *ip, const char *ip6)
{
	struct host_port port = rig_port(0);
	port.pin_address = true;
	strcpy(port.pin_ip, ip);
	strcpy(port.pin_ip6, ip6);
	rig_add(&rig, 0, &port, NULL);
	port = rig_port(1);
	rig_add(&rig, 1, &port, NULL);
}

static void test_pinned_ip4(void **state)
{
	struct rig_frame frame;
	const uint8_t options[4] = {1, 1, 1, 1};
	add_pinned("10.9.0.1", "fd09::1");
	frames_udp(&frame, mac[0], "10.9.0.1", 1000, 1000);
	assert_int_equal(send_first(&frame), PASSES);
	frames_udp(&frame, mac[0], "10.9.0.2", 1000, 1000);
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_insert(&frame, 34, options, sizeof(options));
	frame.bytes[14] = 0x46;
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_udp(&frame, mac[0], "10.9.0.2", 1000, 1000);
	frame.bytes[20] = 0x20; // A fragment, and a later one.
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frame.bytes[21] = 9;
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frame.size = 30; // Less than a header.
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_udp(&frame, mac[0], "0.0.0.0", 1000, 1000);
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_udp(&frame, mac[0], "0.0.0.0", 68, 67);
	assert_int_equal(send_first(&frame), PASSES);
	frame.bytes[20] = 0x20;
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_udp(&frame, stranger, "10.9.0.1", 1000, 1000);
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE);
}

static void test_pinned_arp(void **state)
{
	struct rig_frame frame;
	add_pinned("10.9.0.1", "fd09::1");
	frames_arp(&frame, mac[0], 1, "10.9.0.1", "10.9.0.2");
	assert_int_equal(send_first(&frame), PASSES);
	frames_arp(&frame, mac[0], 1, "10.9.0.1", "10.9.0.1"); // An announcement.
	assert_int_equal(send_first(&frame), PASSES);
	frames_arp(&frame, mac[0], 2, "10.9.0.2", "10.9.0.3");
	assert_int_equal(send_first(&frame), HOST_DROP_ARP);
	frames_arp(&frame, mac[0], 1, "10.9.0.2", "10.9.0.2");
	assert_int_equal(send_first(&frame), HOST_DROP_ARP);
	frames_arp(&frame, mac[0], 1, "0.0.0.0", "10.9.0.1");
	assert_int_equal(send_first(&frame), PASSES);
	frames_arp(&frame, mac[0], 2, "0.0.0.0", "10.9.0.1");
	assert_int_equal(send_first(&frame), HOST_DROP_ARP);
	frames_arp(&frame, mac[0], 2, "10.9.0.1", "10.9.0.2");
	frame.bytes[22] ^= 4; // Another's hardware address.
	assert_int_equal(send_first(&frame), HOST_DROP_ARP);
	frames_arp(&frame, mac[0], 1, "10.9.0.1", "10.9.0.2");
	frame.bytes[15] = 6; // IEEE 802's type, which Linux takes for Ethernet's.
	assert_int_equal(send_first(&frame), HOST_DROP_ARP);
	frames_arp(&frame, mac[0], 3, "0.0.0.0", "0.0.0.0"); // RARP, as QEMU announces itself.
	frame.bytes[12] = ETH_P_RARP >> 8;
	frame.bytes[13] = ETH_P_RARP & 0xff;
	assert_int_equal(send_first(&frame), PASSES);
	frame.bytes[31] = 9;
	assert_int_equal(send_first(&frame), HOST_DROP_ARP);
}

// Another encapsulation changes nothing.
static void test_pinned_hidden(void **state)
{
	struct rig_frame frame;
	const uint8_t snap[] = {0, 36, 0xaa, 0xaa, 3, 0, 0, 0};
	const uint8_t bridge[] = {0, 38, 0x42, 0x42, 3};
	add_pinned("10.9.0.1", "fd09::1");
	for (uint16_t vlan = 0; vlan < 10; vlan += 5) {
		frames_arp(&frame, mac[0], 2, "10.9.0.2", "10.9.0.3");
		frames_add_tag(&frame, ETH_P_8021Q, vlan); // The kernel takes it off.
		assert_int_equal(send_first(&frame), HOST_DROP_ARP);
		frames_add_tag(&frame, ETH_P_8021AD, vlan);
		assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
		frames_arp(&frame, mac[0], 2, "10.9.0.1", "10.9.0.3");
		frames_add_tag(&frame, ETH_P_8021Q, vlan);
		assert_int_equal(send_first(&frame), PASSES);
	}
	frames_arp(&frame, mac[0], 2, "10.9.0.2", "10.9.0.3");
	frames_insert(&frame, 12, snap, sizeof(snap));
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	rig_build(&frame, NULL, mac[0], 0);
	memcpy(frame.bytes + 12, bridge, sizeof(bridge));
	assert_int_equal(send_first(&frame), PASSES);
}

static void test_pinned_ip6(void **state)
{
	struct rig_frame frame;
	add_pinned("10.9.0.1", "fd09::1");
	frames_icmp6(&frame, mac[0], ECHO, "fd09::1", "::");
	assert_int_equal(send_first(&frame), PASSES);
	frames_icmp6(&frame, mac[0], ECHO, "fd09::2", "::");
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	// 02:00:00:00:10:00 as a modified EUI-64.
	frames_icmp6(&frame, mac[0], ECHO, "fe80::ff:fe00:1000", "::");
	assert_int_equal(send_first(&frame), PASSES);
	frames_icmp6(&frame, mac[0], ECHO, "fe80::ff:fe00:1001", "::");
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_icmp6(&frame, mac[0], ECHO, "::", "::");
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_icmp6(&frame, mac[0], 143, "::", "::"); // MLDv2 report.
	assert_int_equal(send_first(&frame), PASSES);
	for (unsigned int i = 0; i < 2; i++) {
		frames_icmp6(&frame, mac[0], ECHO, i ? "fd09::1" : "fd09::2", "::");
		frame.bytes[20] = 17; // UDP, which most is.
		assert_int_equal(send_first(&frame), i ? PASSES : HOST_DROP_SOURCE_IP);
	}
	frames_icmp6(&frame, mac[0], ECHO, "::", "::");
	frame.bytes[20] = 17;
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
}

static void test_pinned_nd(void **state)
{
	const struct {
		uint8_t type;
		const char *source, *target;
		enum host_drop result;
	} cases[] = {
		{NS, "::", "fd09::1", PASSES},
		{NS, "::", "fd09::2", HOST_DROP_ND}, // It looks whether it may have another's.
		{NS, "fd09::1", "fd09::2", PASSES},
		{NS, "fd09::2", "fd09::3", HOST_DROP_SOURCE_IP},
		{NA, "fd09::1", "fd09::1", PASSES},
		{NA, "fd09::1", "fd09::2", HOST_DROP_ND},
		{NA, "fe80::ff:fe00:1000", "fe80::ff:fe00:1000", PASSES},
		{NA, "fd09::1", "fe80::ff:fe00:1001", HOST_DROP_ND},
		{NA, "::", "fd09::1", HOST_DROP_ND},
		{RA, "fe80::ff:fe00:1000", "::", HOST_DROP_ND},
		{REDIRECT, "fe80::ff:fe00:1000", "fd09::2", HOST_DROP_ND},
	};
	struct rig_frame frame;
	add_pinned("10.9.0.1", "fd09::1");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		frames_icmp6(&frame, mac[0], cases[i].type, cases[i].source, cases[i].target);
		assert_int_equal(send_first(&frame), cases[i].result);
		frames_add_tag(&frame, ETH_P_8021Q, 0);
		assert_int_equal(send_first(&frame), cases[i].result);
	}
	// The link-layer address in it.
	for (uint8_t option = 1; option <= 2; option++) {
		frames_icmp6(&frame, mac[0], NA, "fd09::1", "fd09::1");
		frames_add_option(&frame, 14, stranger); // A nonce, or anything.
		frames_add_option(&frame, option, mac[0]);
		assert_int_equal(send_first(&frame), PASSES);
		frames_add_option(&frame, option, mac[1]);
		assert_int_equal(send_first(&frame), HOST_DROP_ND);
	}
	frames_icmp6(&frame, mac[0], NA, "fd09::1", "fd09::1");
	frames_add_option(&frame, 2, mac[0]);
	frame.bytes[79] = 0; // A size that none has.
	assert_int_equal(send_first(&frame), HOST_DROP_ND);
	frames_icmp6(&frame, mac[0], NA, "fd09::1", "fd09::1");
	for (int i = 0; i < 9; i++)
		frames_add_option(&frame, 14, stranger);
	assert_int_equal(send_first(&frame), HOST_DROP_ND);
}

// RFC 8200's headers before it, and fragments, which nobody shall take for Neighbor Discovery (RFC 6980).
static void test_nd_behind_headers(void **state)
{
	struct rig_frame frame;
	add_pinned("10.9.0.1", "fd09::1");
	frames_icmp6(&frame, mac[0], NA, "fd09::1", "fd09::2");
	frames_add_extension(&frame, 60);
	frames_add_extension(&frame, 0);
	assert_int_equal(send_first(&frame), HOST_DROP_ND);
	frames_icmp6(&frame, mac[0], NA, "fd09::1", "fd09::1");
	for (int i = 0; i < 8; i++)
		frames_add_extension(&frame, i % 2 ? 43 : 60);
	assert_int_equal(send_first(&frame), PASSES);
	frames_add_extension(&frame, 60);
	assert_int_equal(send_first(&frame), HOST_DROP_ND);
	frames_icmp6(&frame, mac[0], NA, "fd09::1", "fd09::1");
	frames_add_extension(&frame, 44);
	assert_int_equal(send_first(&frame), HOST_DROP_ND);
	frames_icmp6(&frame, mac[0], ECHO, "fd09::1", "::");
	frames_add_extension(&frame, 44);
	assert_int_equal(send_first(&frame), PASSES);
	frames_icmp6(&frame, mac[0], NA, "fd09::1", "fd09::2");
	frames_add_extension(&frame, 44);
	frame.bytes[57] = 8; // Not the first: what is in it is no header.
	assert_int_equal(send_first(&frame), PASSES);
}

// A family without an address has none to speak for.
static void test_pinned_one_family(void **state)
{
	struct rig_frame frame;
	add_pinned("10.9.0.1", "");
	frames_icmp6(&frame, mac[0], ECHO, "fd09::1", "::");
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_icmp6(&frame, mac[0], NA, "fe80::ff:fe00:1000", "fd09::1");
	assert_int_equal(send_first(&frame), HOST_DROP_ND);
	frames_icmp6(&frame, mac[0], ECHO, "::", "::");
	frame.bytes[20] = 6;
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_icmp6(&frame, mac[0], NS, "::", "fe80::ff:fe00:1000");
	assert_int_equal(send_first(&frame), PASSES);
	add_pinned("", "fd09::1");
	frames_udp(&frame, mac[0], "10.9.0.1", 1000, 1000);
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_udp(&frame, mac[0], "0.0.0.0", 1000, 1000);
	assert_int_equal(send_first(&frame), HOST_DROP_SOURCE_IP);
	frames_arp(&frame, mac[0], 1, "0.0.0.0", "10.9.0.1");
	assert_int_equal(send_first(&frame), PASSES);
}

// Port 0 as it is; 1 and 2 have known addresses, 2 the gateway's, and a station behind the trunk has one.
static void add_known(const struct host_port *first)
{
	struct rwy_err err = {0};
	static const char *const ip[] = {"10.9.0.10", "10.9.0.11", "10.9.0.1"};
	static const char *const ip6[] = {"fd09::10", "fd09::11", "fd09::1"};
	struct host_port port;
	rig_add(&rig, 0, first, NULL);
	for (unsigned int i = 1; i < 3; i++) {
		port = rig_port(i);
		rig_add(&rig, i, &port, NULL);
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(
			host_station_add(rig.host, RIG_NETWORK, mac[i], ip[i], ip6[i], &err), 0
		);
	assert_int_equal(
		host_station_add(rig.host, RIG_NETWORK, station, "10.9.0.9", "fd09::9", &err), 0
	);
	rig_open_trunk(&rig, 1);
}

// All that could move a known address somewhere, from `from`.
static void send_claims(const uint8_t *from, enum host_drop arp, enum host_drop nd)
{
	static const char *const ip[] = {"10.9.0.11", "10.9.0.1", "10.9.0.9"};
	static const char *const ip6[] = {
		"fd09::11", "fd09::1", "fd09::9", "fe80::ff:fe00:1001", "fe80::ff:fe00:3009"};
	struct rig_frame frame;
	for (size_t i = 0; i < sizeof(ip) / sizeof(ip[0]); i++) {
		for (uint8_t operation = 1; operation <= 2; operation++) {
			frames_arp(&frame, from, operation, ip[i], ip[i]);
			assert_int_equal(send_first(&frame), arp);
			frames_arp(&frame, from, operation, ip[i], "10.9.0.10");
			assert_int_equal(send_first(&frame), arp);
			for (int tags = 0; tags < 4; tags++) {
				frames_add_tag(&frame, tags ? ETH_P_8021Q : ETH_P_8021AD, 0);
				assert_int_equal(send_first(&frame), arp);
			}
		}
	}
	for (size_t i = 0; i < sizeof(ip6) / sizeof(ip6[0]); i++) {
		frames_icmp6(&frame, from, NA, ip6[i], ip6[i]);
		assert_int_equal(send_first(&frame), nd);
		frames_icmp6(&frame, from, NA, "fd09::10", ip6[i]);
		assert_int_equal(send_first(&frame), nd);
		frames_add_tag(&frame, ETH_P_8021Q, 0);
		assert_int_equal(send_first(&frame), nd);
		frames_icmp6(&frame, from, NS, ip6[i], "fd09::10");
		frames_add_option(&frame, 1, from);
		assert_int_equal(send_first(&frame), nd);
		frames_add_extension(&frame, 0);
		assert_int_equal(send_first(&frame), nd);
		frames_icmp6(&frame, from, RA, ip6[i], "::");
		assert_int_equal(send_first(&frame), nd);
		frames_icmp6(&frame, from, REDIRECT, ip6[i], "fd09::77");
		assert_int_equal(send_first(&frame), nd);
	}
}

static void test_unpinned_port_cannot_claim(void **state)
{
	struct rig_frame frame;
	struct host_port port = rig_port(0);
	add_known(&port);
	send_claims(mac[0], HOST_DROP_ARP, HOST_DROP_ND);
	frames_icmp6(&frame, mac[0], NA, "fd09::10", "fd09::11");
	frames_add_extension(&frame, 44);
	assert_int_equal(send_first(&frame), HOST_DROP_ND);
	// It may route, and have addresses that nobody knows.
	frames_udp(&frame, mac[0], "10.9.0.11", 1000, 1000);
	assert_int_equal(send_first(&frame), PASSES);
	frames_arp(&frame, mac[0], 2, "10.9.0.10", "10.9.0.11");
	assert_int_equal(send_first(&frame), PASSES);
	frames_arp(&frame, mac[0], 2, "10.9.0.77", "10.9.0.11");
	assert_int_equal(send_first(&frame), PASSES);
	frames_icmp6(&frame, mac[0], NA, "fd09::77", "fd09::77");
	assert_int_equal(send_first(&frame), PASSES);
	frames_icmp6(&frame, mac[0], RA, "fe80::ff:fe00:1000", "::");
	assert_int_equal(send_first(&frame), PASSES);
}

static void test_learning_port_cannot_claim(void **state)
{
	struct rig_frame frame;
	struct host_port port = rig_port(0);
	port.learning = true;
	add_known(&port);
	send_claims(mac[0], HOST_DROP_ARP, HOST_DROP_ND);
	send_claims(stranger, HOST_DROP_ARP, HOST_DROP_ND);
	// Nor any other port's MAC address, of either kind.
	send_claims(mac[1], HOST_DROP_SOURCE, HOST_DROP_SOURCE);
	send_claims(station, HOST_DROP_SOURCE, HOST_DROP_SOURCE);
	frames_arp(&frame, stranger, 2, "10.9.0.78", "10.9.0.11");
	assert_int_equal(send_first(&frame), PASSES);
}

// The station's frames go to the trunk still.
static void expect_at_trunk(const uint8_t *to)
{
	struct rig_frame frame, got;
	uint8_t header[12];
	rig_build(&frame, to, mac[1], 7);
	rig_send(&rig, 1, &frame);
	assert_true(rig_trunk_receive(&rig, RIG_TYPE, header, &got));
	assert_memory_equal(got.bytes, frame.bytes, frame.size);
}

static void test_allow_spoof(void **state)
{
	struct rig_frame frame, got;
	uint8_t header[12];
	struct host_port port = rig_port(0);
	port.allow_spoof = true;
	add_known(&port);
	send_claims(mac[0], PASSES, PASSES);
	send_claims(stranger, PASSES, PASSES);
	// Another port's MAC address is not to be had.
	send_claims(mac[1], HOST_DROP_SOURCE, HOST_DROP_SOURCE);
	send_claims(station, HOST_DROP_SOURCE, HOST_DROP_SOURCE);
	while (rig_trunk_receive(&rig, ETH_P_ARP, header, &got) ||
	       rig_trunk_receive(&rig, ETH_P_IPV6, header, &got))
		;
	// Nothing was learned.
	expect_at_trunk(stranger);
	expect_at_trunk(station);
	for (int i = 0; i < 3; i++) {
		static const uint8_t none[3][MAC_SIZE] = {{1}, {0}, {255, 255, 255, 255, 255, 255}};
		rig_build(&frame, NULL, none[i], 0);
		assert_int_equal(send_first(&frame), HOST_DROP_SOURCE);
	}
}

static void make_mac(uint8_t *address, unsigned int n)
{
	const uint8_t bytes[MAC_SIZE] = {2, 0, 0x50, 0, (uint8_t)(n >> 8), (uint8_t)n};
	memcpy(address, bytes, sizeof(bytes));
}

// Ports 0 and 1 learn. One that sends from many addresses forgets its own ones and nobody else's.
static void test_learned_share(void **state)
{
	struct rig_frame frame;
	uint8_t address[MAC_SIZE];
	struct host_port port = rig_port(0);
	port.learning = true;
	rig_add(&rig, 0, &port, NULL);
	port = rig_port(1);
	port.learning = true;
	rig_add(&rig, 1, &port, NULL);
	port = rig_port(2);
	rig_add(&rig, 2, &port, NULL);
	rig_open_trunk(&rig, 1);
	rig_build(&frame, mac[2], stranger, 1);
	rig_send(&rig, 1, &frame);
	for (unsigned int i = 0; i < 3000; i++) {
		make_mac(address, i);
		rig_build(&frame, mac[2], address, 2);
		rig_send(&rig, 0, &frame);
	}
	rig_build(&frame, stranger, mac[2], 3);
	rig_send(&rig, 2, &frame);
	assert_int_equal(rig_count(&rig, 1, 3), 1);
	unsigned int known = 0;
	for (unsigned int i = 0; i < 3000; i++) {
		uint64_t before = rig_counters(&rig, 0).tx_frames;
		make_mac(address, i);
		rig_build(&frame, address, mac[2], 4);
		rig_send(&rig, 2, &frame);
		known += (unsigned int)(rig_counters(&rig, 0).tx_frames - before);
	}
	assert_int_equal(known, 1024);
}

// What there is besides IP. Each to everybody, to many, to somebody on the other network and to nobody.
static unsigned int build_kind(struct rig_frame *frame, unsigned int kind, const uint8_t *to)
{
	static const uint8_t types[][8] = {
		{0x08, 0x00, 0x45},		       // IPv4
		{0x08, 0x06, 0, 1, 8, 0, 6, 4},	       // ARP
		{0x86, 0xdd, 0x60},		       // IPv6
		{0x00, 38, 0x42, 0x42, 3},	       // IEEE 802.3, LLC: spanning tree
		{0x00, 38, 0xaa, 0xaa, 3, 0, 0, 0x0c}, // SNAP
		{0x88, 0x08, 0, 1, 0xff, 0xff},	       // Pause
		{0x88, 0x09, 1},		       // Slow protocols
		{0x88, 0xcc, 2, 7},		       // LLDP
		{0x88, 0x8e, 2},		       // IEEE 802.1X
		{0x90, 0x00},			       // Loopback
		{0x81, 0x00, 0, 0, 0x08, 0x00, 0x45},  // Priority tag
		{0x81, 0x00, 0, 8, 0x08, 0x00, 0x45},  // The other network's number as a VLAN
		{0x88, 0xa8, 0, 8, 0x81, 0x00, 0, 8},  // Two tags
	};
	const unsigned int count = sizeof(types) / sizeof(types[0]);
	rig_build(frame, to, mac[0], 0);
	memcpy(frame->bytes + 12, types[kind % count], sizeof(types[0]));
	if (kind / count == 1)
		frame->size = 22; // Shorter than any that is on a wire.
	else if (kind / count == 2)
		frame->size = 1514;
	return count * 3;
}

static void test_networks_are_apart(void **state)
{
	static const uint8_t groups[][MAC_SIZE] = {
		{255, 255, 255, 255, 255, 255},
		{1, 0, 0x5e, 0, 0, 1},
		{0x33, 0x33, 0, 0, 0, 1},
		{0x01, 0x80, 0xc2, 0, 0, 0},
		{0x01, 0x80, 0xc2, 0, 0, 1},
		{0x01, 0x80, 0xc2, 0, 0, 2},
		{0x01, 0x80, 0xc2, 0, 0, 3},
		{0x01, 0x80, 0xc2, 0, 0, 0x0e},
		{0xcf, 0, 0, 0, 0, 0},
		{2, 0, 0, 0, 0x10, 2}, // Port 2's, which is on the other network.
		{2, 0, 0, 0, 0x40, 1}, // Nobody's.
		{0, 0, 0, 0, 0, 0},
	};
	struct rwy_err err = {0};
	struct rig_frame frame;
	const struct host_network other = {.id = OTHER_NETWORK, .mtu = 9000};
	struct host_port port;
	assert_int_equal(host_network_add(rig.host, &other, &err), 0);
	rig_add_all(&rig, 2);
	for (unsigned int i = 2; i < 4; i++) {
		port = rig_port(i);
		port.network = OTHER_NETWORK;
		port.learning = i == 3;
		rig_add(&rig, i, &port, NULL);
	}
	rig_open_trunk(&rig, 1);
	unsigned int sent = 0;
	for (size_t to = 0; to < sizeof(groups) / sizeof(groups[0]); to++) {
		unsigned int kinds = 1;
		for (unsigned int kind = 0; kind < kinds; kind++, sent++) {
			kinds = build_kind(&frame, kind, groups[to]);
			rig_send(&rig, 0, &frame);
			rig_trunk_send(&rig, &frame);
		}
	}
	assert_int_equal(rig_counters(&rig, 0).rx_frames, sent);
	assert_true(rig_counters(&rig, 1).tx_frames > sent);
	for (unsigned int i = 2; i < 4; i++) {
		const struct host_counters counters = rig_counters(&rig, i);
		assert_int_equal(counters.tx_frames, 0);
		assert_int_equal(counters.rx_frames, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pinned_ip4, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned_arp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned_ip6, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned_nd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nd_behind_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned_one_family, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unpinned_port_cannot_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_learning_port_cannot_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_allow_spoof, setup, teardown),
		cmocka_unit_test_setup_teardown(test_learned_share, setup, teardown),
		cmocka_unit_test_setup_teardown(test_networks_are_apart, setup, teardown),
	};
	const char *reason = rig_enter();
	if (reason) {
		print_message("skipped: %s\n", reason);
		return 77; // meson: skipped.
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
