// SPDX-License-Identifier: BSD-3-Clause
// Whose addresses a port of the switch may speak for, that bursts do not hide a frame, and that networks share none.
#include "switch/forward.h"
#include "tests/lib/unit.h"
#include "tests/unit/packet/maker.h"
#include "tests/unit/switch/rig.h"

#include <rte_ring.h>

#include <string.h>
#include <unistd.h>

#define HEADER 12
#define PASSES DROP_COUNT
#define RA 134
#define NS 135
#define NA 136
#define REDIRECT 137
#define ECHO 128

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_c[MAC_SIZE] = {2, 0, 0, 0, 0, 0xc};
static const uint8_t mac_l[MAC_SIZE] = {2, 0, 0, 0, 0, 0xd};
static const uint8_t mac_s[MAC_SIZE] = {2, 0, 0, 0, 0, 0xe};
static const uint8_t mac_k[MAC_SIZE] = {2, 0, 0, 0, 1, 1};
static const uint8_t mac_x[MAC_SIZE] = {2, 0, 0, 0, 9, 9};

// Of an address 10.0.0.N, fd00::N, or with `ll` fe80:: and the modified EUI-64 of 02:00:00:00:0H:LL.
struct ip6 {
	uint8_t bytes[16];
};

static struct ip6 global(uint8_t n)
{
	return (struct ip6){{0xfd, [15] = n}};
}

static struct ip6 link_local(const uint8_t *mac)
{
	return (struct ip6
	){{0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}};
}

static const struct ip6 nobody;

// On network 1 a vhost port (a), one that hears all (b), a pinned one (c), one that learns as an uplink does (l), one that may
// spoof (s), and k behind the TAP. On network 2 a port that must hear nothing.
struct scene {
	struct rig *rig;
	struct rig_end *a, *b, *c, *l, *s, *other;
	struct port *trunk;
	int peer;
};

static int set_up(void **state)
{
	static struct scene s;
	const struct wire_port pinned = {
		.network = 1, .pin_address = true, .ip = "10.0.0.12", .ip6 = "fd00::c"};
	const struct wire_port spoofs = {.network = 1, .allow_spoof = true};
	struct rig *rig = rig_new();

	s = (struct scene){.rig = rig};
	s.a = rig_live(rig, 1, mac_a, false);
	s.b = rig_live(rig, 1, mac_b, false);
	s.c = rig_live_as(rig, &pinned, mac_c);
	s.l = rig_live(rig, 1, mac_l, true);
	s.s = rig_live_as(rig, &spoofs, mac_s);
	s.other = rig_live(rig, 2, mac_b, false);
	s.trunk = rig_trunk(rig, 1, 1, 0, &s.peer);
	assert_int_equal(rig_station(rig, s.a->port, mac_a, 1, "10.0.0.10", "fd00::a"), 0);
	assert_int_equal(rig_station(rig, s.b->port, mac_b, 1, "10.0.0.11", "fd00::b"), 0);
	assert_int_equal(rig_station(rig, s.c->port, mac_c, 1, "10.0.0.12", "fd00::c"), 0);
	assert_int_equal(rig_station(rig, s.trunk, mac_k, 1, "10.0.0.1", "fd00::1"), 0);
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	rig_free(s->rig);
	close(s->peer);
	return 0;
}

struct bytes {
	uint8_t data[1600];
	uint32_t size;
};

static void begin(struct bytes *b, const uint8_t *from, uint16_t type)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->data, mac_b, MAC_SIZE);
	memcpy(b->data + MAC_SIZE, from, MAC_SIZE);
	b->data[12] = (uint8_t)(type >> 8);
	b->data[13] = (uint8_t)type;
	b->size = 60;
}

static void make_arp(struct bytes *b, const uint8_t *from, uint8_t operation, uint8_t sender)
{
	const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, operation};

	begin(b, from, 0x0806);
	memcpy(b->data + 14, arp, sizeof(arp));
	memcpy(b->data + 22, from, MAC_SIZE);
	if (sender)
		memcpy(b->data + 28, (uint8_t[]){10, 0, 0, sender}, 4);
	memcpy(b->data + 38, (uint8_t[]){10, 0, 0, 11}, 4);
}

static void make_ip4(struct bytes *b, const uint8_t *from, uint8_t source)
{
	begin(b, from, 0x0800);
	b->data[14] = 0x45;
	b->data[23] = 17;
	memcpy(b->data + 26, (uint8_t[]){10, 0, 0, source}, 4);
}

static void insert(struct bytes *b, uint32_t at, const void *data, uint32_t size)
{
	memmove(b->data + at + size, b->data + at, b->size - at);
	memcpy(b->data + at, data, size);
	b->size += size;
}

static void make_icmpv6(
	struct bytes *b,
	const uint8_t *from,
	uint8_t type,
	struct ip6 source,
	struct ip6 target
)
{
	const uint8_t ip[8] = {0x60, 0, 0, 0, 0, 24, 58, 255};

	begin(b, from, 0x86dd);
	memcpy(b->data + 14, ip, sizeof(ip));
	memcpy(b->data + 22, &source, sizeof(source));
	b->data[54] = type;
	memcpy(b->data + 62, &target, sizeof(target));
	b->size = 78;
}

static void add_option(struct bytes *b, uint8_t type, const uint8_t *mac)
{
	uint8_t option[8] = {type, 1};

	memcpy(option + 2, mac, MAC_SIZE);
	insert(b, b->size, option, sizeof(option));
	b->data[19] += 8;
}

static void add_extension(struct bytes *b, uint8_t type)
{
	const uint8_t header[8] = {b->data[20]};

	insert(b, 54, header, sizeof(header));
	b->data[20] = type;
	b->data[19] += 8;
}

static void add_tag(struct bytes *b, uint8_t vlan)
{
	const uint8_t tag[4] = {0x81, 0, 0, vlan};

	insert(b, 12, tag, sizeof(tag));
}

static void put(struct rig_end *end, const struct bytes *b)
{
	rig_send_typed(end, b->data, b->data + MAC_SIZE, b->size, b->data + 12, b->size - 12);
}

// Whether the frame came to b, byte by byte.
static bool has_come(struct scene *s, const struct bytes *b)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};

	if (!drv_ring_collect(s->b->to, &used))
		return false;
	assert_int_equal(used.size, HEADER + b->size);
	assert_memory_equal(bytes + HEADER, b->data, b->size);
	return true;
}

// Sends to b, and says why it did not come.
static enum drop_reason send_from(struct scene *s, struct rig_end *end, const struct bytes *b)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	const struct port_counters before = end->port->counters[0];

	rig_refill(s->b, s->b->to->outstanding ? 0 : 1);
	put(end, b);
	assert_int_equal(rig_forward(s->rig, end), 1);
	assert_true(drv_ring_collect(end->from, &used));
	bool came = has_come(s, b);
	for (uint32_t i = 0; i < DROP_COUNT; i++) {
		if (end->port->counters[0].drops[i] == before.drops[i])
			continue;
		assert_false(came);
		return (enum drop_reason)i;
	}
	assert_true(came);
	return PASSES;
}

static void test_pinned(void **state)
{
	struct scene *s = *state;
	struct bytes b;

	make_ip4(&b, mac_c, 12);
	assert_int_equal(send_from(s, s->c, &b), PASSES);
	make_ip4(&b, mac_c, 13);
	assert_int_equal(send_from(s, s->c, &b), DROP_SOURCE_IP);
	for (int tags = 0; tags < 4; tags++) {
		add_tag(&b, (uint8_t)tags);
		assert_int_equal(send_from(s, s->c, &b), DROP_SOURCE_IP);
	}
	make_ip4(&b, mac_c, 12);
	add_tag(&b, 5);
	add_tag(&b, 0);
	assert_int_equal(send_from(s, s->c, &b), PASSES);
	make_arp(&b, mac_c, 2, 12);
	assert_int_equal(send_from(s, s->c, &b), PASSES);
	make_arp(&b, mac_c, 1, 0);
	assert_int_equal(send_from(s, s->c, &b), PASSES);
	make_arp(&b, mac_c, 2, 0);
	assert_int_equal(send_from(s, s->c, &b), DROP_ARP);
	make_arp(&b, mac_c, 2, 77); // Nobody's, and not the port's.
	assert_int_equal(send_from(s, s->c, &b), DROP_ARP);
	make_arp(&b, mac_c, 2, 12);
	b.data[27] ^= 1;
	assert_int_equal(send_from(s, s->c, &b), DROP_ARP);
	begin(&b, mac_c, 8);
	memset(b.data + 14, 0xaa, 2); // SNAP.
	assert_int_equal(send_from(s, s->c, &b), DROP_SOURCE_IP);
	begin(&b, mac_c, 0x88b5);
	assert_int_equal(send_from(s, s->c, &b), PASSES);
	make_ip4(&b, mac_x, 12);
	assert_int_equal(send_from(s, s->c, &b), DROP_SOURCE);
}

static void test_pinned_nd(void **state)
{
	const struct {
		uint8_t type;
		struct ip6 source, target;
		enum drop_reason result;
	} cases[] = {
		{ECHO, global(0xc), nobody, PASSES},
		{ECHO, global(0xd), nobody, DROP_SOURCE_IP},
		{ECHO, link_local(mac_c), nobody, PASSES},
		{ECHO, link_local(mac_b), nobody, DROP_SOURCE_IP},
		{ECHO, nobody, nobody, DROP_SOURCE_IP},
		{143, nobody, nobody, PASSES},
		{NS, nobody, global(0xc), PASSES},
		{NS, nobody, global(0xd), DROP_ND},
		{NS, global(0xc), global(0xd), PASSES},
		{NS, global(0xd), global(0xc), DROP_SOURCE_IP},
		{NA, global(0xc), global(0xc), PASSES},
		{NA, global(0xc), global(0xd), DROP_ND},
		{RA, link_local(mac_c), nobody, DROP_ND},
		{REDIRECT, link_local(mac_c), global(0xd), DROP_ND},
	};
	struct scene *s = *state;
	struct bytes b;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_icmpv6(&b, mac_c, cases[i].type, cases[i].source, cases[i].target);
		assert_int_equal(send_from(s, s->c, &b), cases[i].result);
		add_extension(&b, 60);
		assert_int_equal(send_from(s, s->c, &b), cases[i].result);
		add_tag(&b, 0);
		assert_int_equal(send_from(s, s->c, &b), cases[i].result);
	}
	make_icmpv6(&b, mac_c, NA, global(0xc), global(0xc));
	add_option(&b, 2, mac_c);
	assert_int_equal(send_from(s, s->c, &b), PASSES);
	add_option(&b, 1, mac_b);
	assert_int_equal(send_from(s, s->c, &b), DROP_ND);
	make_icmpv6(&b, mac_c, NA, global(0xc), global(0xc));
	for (int i = 0; i < 25; i++)
		add_option(&b, 14, mac_b);
	assert_int_equal(send_from(s, s->c, &b), DROP_ND); // More than is looked at.
	make_icmpv6(&b, mac_c, NA, global(0xc), global(0xc));
	add_extension(&b, 44);
	assert_int_equal(send_from(s, s->c, &b), DROP_ND);
}

// As it is, and behind tags that Linux takes off.
static void send_arp(
	struct scene *s,
	struct rig_end *end,
	const uint8_t *from,
	uint8_t operation,
	uint8_t sender,
	enum drop_reason result
)
{
	struct bytes b;

	make_arp(&b, from, operation, sender);
	assert_int_equal(send_from(s, end, &b), result);
	for (int tags = 0; tags < 4; tags++) {
		add_tag(&b, 0);
		assert_int_equal(send_from(s, end, &b), result);
	}
}

// All that could move b's, or the gateway's, address to `from`.
static void send_claims(
	struct scene *s,
	struct rig_end *end,
	const uint8_t *from,
	enum drop_reason arp,
	enum drop_reason nd
)
{
	static const uint8_t ip[] = {11, 1, 12};
	const struct ip6 ip6[] = {
		global(0xb), global(1), global(0xc), link_local(mac_b), link_local(mac_k)};
	struct bytes b;

	for (size_t i = 0; i < sizeof(ip); i++) {
		send_arp(s, end, from, 1, ip[i], arp);
		send_arp(s, end, from, 2, ip[i], arp);
	}
	for (size_t i = 0; i < sizeof(ip6) / sizeof(ip6[0]); i++) {
		make_icmpv6(&b, from, NA, global(0x77), ip6[i]);
		assert_int_equal(send_from(s, end, &b), nd);
		add_tag(&b, 0);
		assert_int_equal(send_from(s, end, &b), nd);
		make_icmpv6(&b, from, NS, ip6[i], global(0x77));
		add_option(&b, 1, from);
		assert_int_equal(send_from(s, end, &b), nd);
		add_extension(&b, 0);
		add_extension(&b, 43);
		assert_int_equal(send_from(s, end, &b), nd);
		make_icmpv6(&b, from, RA, ip6[i], nobody);
		assert_int_equal(send_from(s, end, &b), nd);
		make_icmpv6(&b, from, REDIRECT, ip6[i], nobody);
		assert_int_equal(send_from(s, end, &b), nd);
	}
}

static void test_vhost_port_cannot_claim(void **state)
{
	struct scene *s = *state;
	struct bytes b;

	send_claims(s, s->a, mac_a, DROP_ARP, DROP_ND);
	make_arp(&b, mac_a, 2, 10); // Its own, and one that nobody has.
	assert_int_equal(send_from(s, s->a, &b), PASSES);
	make_arp(&b, mac_a, 2, 77);
	assert_int_equal(send_from(s, s->a, &b), PASSES);
	make_icmpv6(&b, mac_a, NA, link_local(mac_a), global(0xa));
	assert_int_equal(send_from(s, s->a, &b), PASSES);
	make_ip4(&b, mac_a, 11); // It may route.
	assert_int_equal(send_from(s, s->a, &b), PASSES);
	make_icmpv6(&b, mac_a, NA, global(0xa), global(0xa));
	add_extension(&b, 44);
	assert_int_equal(send_from(s, s->a, &b), DROP_ND);
	make_icmpv6(&b, mac_a, ECHO, global(0xb), nobody);
	for (int i = 0; i < 9; i++)
		add_extension(&b, 60);
	assert_int_equal(send_from(s, s->a, &b), DROP_ND);
}

// An uplink is one.
static void test_learning_port_cannot_claim(void **state)
{
	struct scene *s = *state;

	send_claims(s, s->l, mac_l, DROP_ARP, DROP_ND);
	send_claims(s, s->l, mac_x, DROP_ARP, DROP_ND);
	send_claims(s, s->l, mac_b, DROP_SOURCE, DROP_SOURCE);
	send_claims(s, s->l, mac_k, DROP_SOURCE, DROP_SOURCE);
	assert_ptr_equal(rig_lookup(s->rig, 1, mac_b)->port, s->b->port);
	assert_ptr_equal(rig_lookup(s->rig, 1, mac_k)->port, s->trunk);
}

static void test_allow_spoof(void **state)
{
	static const uint8_t none[][MAC_SIZE] = {{1}, {0}, {255, 255, 255, 255, 255, 255}};
	struct scene *s = *state;
	struct bytes b;

	send_claims(s, s->s, mac_s, PASSES, PASSES);
	send_claims(s, s->s, mac_x, PASSES, PASSES);
	assert_null(rig_lookup(s->rig, 1, mac_x));
	assert_true(rte_ring_empty(s->rig->worker->learn_ring));
	send_claims(s, s->s, mac_b, DROP_SOURCE, DROP_SOURCE);
	send_claims(s, s->s, mac_k, DROP_SOURCE, DROP_SOURCE);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		make_ip4(&b, none[i], 12);
		assert_int_equal(send_from(s, s->s, &b), DROP_SOURCE);
	}
}

// A frame in the middle of a run is judged as if it were alone.
static void check_run(
	struct scene *s,
	struct rig_end *end,
	const struct bytes *good,
	struct bytes *bad
)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};

	rig_refill(s->b, 6);
	for (int i = 0; i < 9; i++)
		put(end, i % 3 == 1 ? bad : good);
	assert_int_equal(rig_forward(s->rig, end), 9);
	for (int i = 0; i < 6; i++)
		assert_true(has_come(s, good));
	while (drv_ring_collect(end->from, &used))
		;
	assert_int_equal(s->b->to->outstanding, 0);
}

static void test_runs_hide_nothing(void **state)
{
	struct scene *s = *state;
	struct bytes good;
	struct bytes bad;

	make_ip4(&good, mac_a, 10);
	make_arp(&bad, mac_a, 2, 11);
	check_run(s, s->a, &good, &bad);
	assert_int_equal(s->a->port->counters[0].drops[DROP_ARP], 3);
	make_arp(&good, mac_a, 2, 10);
	check_run(s, s->a, &good, &bad);
	assert_int_equal(s->a->port->counters[0].drops[DROP_ARP], 6);
	make_icmpv6(&good, mac_a, ECHO, global(0xa), nobody);
	make_icmpv6(&bad, mac_a, NA, global(0xa), global(0xb));
	check_run(s, s->a, &good, &bad);
	assert_int_equal(s->a->port->counters[0].drops[DROP_ND], 3);
	make_ip4(&good, mac_c, 12);
	make_ip4(&bad, mac_c, 13);
	check_run(s, s->c, &good, &bad);
	assert_int_equal(s->c->port->counters[0].drops[DROP_SOURCE_IP], 3);
	make_ip4(&good, mac_x, 12);
	make_ip4(&bad, mac_b, 12);
	check_run(s, s->s, &good, &bad);
	assert_int_equal(s->s->port->counters[0].drops[DROP_SOURCE], 3);
}

// What the TAP may send from: stations, and others once there is a kernel port that may.
static void test_strangers_behind_the_tap(void **state)
{
	struct scene *s = *state;
	struct port_queue *queue = &s->trunk->path->rx[0];
	uint8_t bytes[HEADER + 60] = {0};
	struct wire_port spec = s->trunk->spec;
	struct bytes b;

	rig_refill(s->b, 8);
	for (int i = 0; i < 3; i++) {
		const uint8_t *const from[] = {mac_x, mac_x, mac_a};
		make_arp(&b, from[i], 2, 11);
		memcpy(bytes + HEADER, b.data, 60);
		assert_int_equal(write(s->peer, bytes, sizeof(bytes)), sizeof(bytes));
		spec.allow_spoof = i > 0;
		assert_int_equal(table_set_limits(&s->rig->sw, &spec, NULL), 0);
		fdb_cache_refresh(s->rig->fdb, &s->rig->worker->cache);
		s->rig->worker->now += s->rig->worker->tsc_hz; // It is looked at again.
		assert_int_equal(forward_queue(s->rig->worker, queue, FRAME_BURST_MAX), 1);
		assert_int_equal(has_come(s, &b), i == 1);
	}
	assert_int_equal(s->trunk->counters[0].drops[DROP_SOURCE], 2);
	assert_true(rte_ring_empty(s->rig->worker->learn_ring));
}

static void test_networks_are_apart(void **state)
{
	static const uint8_t to[][MAC_SIZE] = {
		{255, 255, 255, 255, 255, 255},
		{1, 0, 0x5e, 0, 0, 1},
		{0x33, 0x33, 0, 0, 0, 1},
		{0x01, 0x80, 0xc2, 0, 0, 0},
		{0x01, 0x80, 0xc2, 0, 0, 1},
		{0x01, 0x80, 0xc2, 0, 0, 2},
		{0x01, 0x80, 0xc2, 0, 0, 0x0e},
		{0xcf, 0, 0, 0, 0, 0},
		{2, 0, 0, 0, 0, 0xb}, // Somebody's on both.
		{2, 0, 0, 0, 9, 9},   // Nobody's.
		{0, 0, 0, 0, 0, 0},
	};
	static const uint8_t types[][8] = {
		{0x08, 0x00, 0x45},		       // IPv4
		{0x08, 0x06, 0, 1, 8, 0, 6, 4},	       // ARP
		{0x86, 0xdd, 0x60},		       // IPv6
		{0x00, 38, 0x42, 0x42, 3},	       // IEEE 802.3, LLC: spanning tree
		{0x00, 38, 0xaa, 0xaa, 3, 0, 0, 0x0c}, // SNAP
		{0x88, 0x08, 0, 1, 0xff, 0xff},	       // Pause
		{0x88, 0xcc, 2, 7},		       // LLDP
		{0x90, 0x00},			       // Loopback
		{0x81, 0x00, 0, 0, 0x08, 0x00, 0x45},  // Priority tag
		{0x81, 0x00, 0, 2, 0x08, 0x00, 0x45},  // The other network's number as a VLAN
		{0x88, 0xa8, 0, 2, 0x81, 0x00, 0, 2},  // Two tags
	};
	static const uint32_t sizes[] = {14, 60, 1514, 1600};
	struct scene *s = *state;
	struct rig_end *const from[] = {s->a, s->c, s->l, s->s};
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	uint32_t came = 0;

	rig_refill(s->other, 1);
	for (size_t i = 0; i < 4 * sizeof(to) / MAC_SIZE * sizeof(types) / 8 * 4; i++) {
		struct rig_end *end = from[i % 4];
		struct bytes b;
		begin(&b, end->port->spec.mac, 0);
		memcpy(b.data, to[i / 16 % (sizeof(to) / MAC_SIZE)], MAC_SIZE);
		memcpy(b.data + 12, types[i / 16 / (sizeof(to) / MAC_SIZE)], 8);
		b.size = sizes[i / 4 % 4];
		rig_refill(s->b, s->b->to->outstanding ? 0 : 1);
		put(end, &b);
		assert_int_equal(rig_forward(s->rig, end), 1);
		while (drv_ring_collect(end->from, &used))
			;
		while (drv_ring_collect(s->b->to, &used))
			came++;
		while (read(s->peer, bytes, sizeof(bytes)) > 0)
			;
	}
	assert_true(came > 500);
	const struct port_counters *counters = &s->other->port->counters[0];
	assert_int_equal(counters->tx_frames, 0);
	for (uint32_t i = 0; i < DROP_COUNT; i++)
		assert_int_equal(counters->drops[i], 0);
	assert_int_equal(s->other->to->outstanding, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pinned),
		TEST(test_pinned_nd),
		TEST(test_vhost_port_cannot_claim),
		TEST(test_learning_port_cannot_claim),
		TEST(test_allow_spoof),
		TEST(test_runs_hide_nothing),
		TEST(test_strangers_behind_the_tap),
		TEST(test_networks_are_apart),
	};
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
