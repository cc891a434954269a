// SPDX-License-Identifier: BSD-3-Clause
// Neighbour requests on a network that has them answered: who is answered, who is asked as ever, and what is counted. What is a
// request is src/packet's test.
#include "switch/forward.h"
#include "switch/tap.h"
#include "tests/lib/unit.h"
#include "tests/unit/packet/maker.h"
#include "tests/unit/switch/rig.h"

#include <string.h>
#include <unistd.h>

#define HEADER 12
#define ARP_SIZE 42
#define ND_SIZE 86

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_c[MAC_SIZE] = {2, 0, 0, 0, 0, 0xc};
static const uint8_t mac_k[MAC_SIZE] = {2, 0, 0, 0, 1, 1};
static const uint8_t mac_l[MAC_SIZE] = {2, 0, 0, 0, 1, 2};
static const uint8_t broadcast[MAC_SIZE] = {255, 255, 255, 255, 255, 255};

// a, b and c, and k and l behind the TAP, on network 1, d on network 2. Of each the last byte of its address.
struct scene {
	struct rig *rig;
	struct rig_end *a, *b, *c, *d;
	struct port *trunk;
	int peer;
};

static int set_up(void **state)
{
	static struct scene s;
	struct rig *rig = rig_new();

	s = (struct scene){
		.rig = rig,
		.a = rig_live(rig, 1, mac_a, false),
		.b = rig_live(rig, 1, mac_b, false),
		.c = rig_live(rig, 1, mac_c, false),
		.d = rig_live(rig, 2, mac_a, false),
	};
	s.trunk = rig_trunk(rig, 1, 1, 0, &s.peer);
	for (uint32_t i = 0; i < rig->end_count; i++)
		rig_refill(&rig->end[i], 8);
	table_network(&rig->sw, 1)->spec.proxy_neighbors = true;
	assert_int_equal(rig_station(rig, s.a->port, mac_a, 1, "10.0.0.10", "fd00::10"), 0);
	assert_int_equal(rig_station(rig, s.b->port, mac_b, 1, "10.0.0.11", "fd00::11"), 0);
	assert_int_equal(rig_station(rig, s.trunk, mac_k, 1, "10.0.0.21", "fd00::21"), 0);
	assert_int_equal(rig_station(rig, s.trunk, mac_l, 1, "10.0.0.22", NULL), 0);
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

static void make_arp(uint8_t *frame, const uint8_t *from, uint8_t from_ip, uint8_t target)
{
	const uint8_t rest[ARP_SIZE - 12] = {
		8,	 6,	  0,	   1,	    8,
		0,	 6,	  4,	   0,	    1, // Type, kinds, request
		from[0], from[1], from[2], from[3], from[4],
		from[5], 10,	  0,	   0,	    from_ip, // Sender
		0,	 0,	  0,	   0,	    0,
		0,	 10,	  0,	   0,	    target, // Target
	};

	memcpy(frame, broadcast, MAC_SIZE);
	memcpy(frame + MAC_SIZE, from, MAC_SIZE);
	memcpy(frame + 12, rest, sizeof(rest));
}

// Of fd00::10 for fd00::TARGET.
static void make_nd(uint8_t *frame, uint8_t target)
{
	const uint8_t pseudo[4] = {0, 32, 0, 58};
	const uint8_t bytes[ND_SIZE] = {
		0x33, 0x33, 0xff, 0, 0, target, 2,  0,	 0, 0, 0, 0xa, 0x86, 0xdd,	      //
		0x60, 0,    0,	  0, 0, 32,	58, 255,				      //
		0xfd, 0,    0,	  0, 0, 0,	0,  0,	 0, 0, 0, 0,   0,    0,	   0, 0x10,   //
		0xff, 2,    0,	  0, 0, 0,	0,  0,	 0, 0, 0, 1,   0xff, 0,	   0, target, //
		135,  0,    0,	  0, 0, 0,	0,  0,					      //
		0xfd, 0,    0,	  0, 0, 0,	0,  0,	 0, 0, 0, 0,   0,    0,	   0, target, //
		1,    1,    2,	  0, 0, 0,	0,  0xa,				      //
	};

	memcpy(frame, bytes, ND_SIZE);
	uint16_t sum =
		maker_sum(maker_sum(maker_sum(0, pseudo, 4), bytes + 22, 32), bytes + 54, 32);
	frame[56] = (uint8_t)((uint16_t)~sum >> 8);
	frame[57] = (uint8_t)~sum;
}

static void send_frame(struct scene *s, struct rig_end *end, const uint8_t *frame, uint32_t size)
{
	rig_send_typed(end, frame, frame + MAC_SIZE, size, frame + 12, size - 12);
	assert_int_equal(rig_forward(s->rig, end), 1);
}

static void ask(struct scene *s, uint8_t target)
{
	uint8_t frame[ARP_SIZE];

	make_arp(frame, mac_a, 10, target);
	send_frame(s, s->a, frame, ARP_SIZE);
}

static uint32_t receive(struct rig_end *end, uint8_t *ret_frame)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};

	if (!drv_ring_collect(end->to, &used))
		return 0;
	memcpy(ret_frame, bytes + HEADER, used.size - HEADER);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(bytes[i], 0); // It asks for nothing.
	return used.size - HEADER;
}

static bool tap_has(const struct scene *s, uint8_t *ret_frame)
{
	uint8_t bytes[200];
	ssize_t size = read(s->peer, bytes, sizeof(bytes));

	if (size <= HEADER)
		return false;
	memcpy(ret_frame, bytes + HEADER, (size_t)size - HEADER);
	return true;
}

// Who got how many. d never gets any.
static void expect_frames(struct scene *s, uint32_t a, uint32_t b, uint32_t c, uint32_t tap)
{
	uint8_t frame[2048];
	const uint32_t expected[] = {a, b, c, 0};
	struct rig_end *ends[] = {s->a, s->b, s->c, s->d};

	for (int i = 0; i < 4; i++) {
		uint32_t count = 0;
		while (receive(ends[i], frame))
			count++;
		assert_int_equal(count, expected[i]);
	}
	uint32_t count = 0;
	while (tap_has(s, frame))
		count++;
	assert_int_equal(count, tap);
}

static uint64_t answers(const struct rig_end *end)
{
	return end->port->counters[0].neighbor_answers;
}

static void test_a_request_is_answered_and_goes_no_further(void **state)
{
	struct scene *s = *state;
	uint8_t frame[2048];

	ask(s, 11);
	assert_int_equal(receive(s->a, frame), ARP_SIZE);
	assert_memory_equal(frame, mac_a, MAC_SIZE);
	assert_memory_equal(frame + MAC_SIZE, mac_b, MAC_SIZE);
	assert_int_equal(frame[21], 2); // A reply.
	assert_memory_equal(frame + 22, mac_b, MAC_SIZE);
	assert_int_equal(frame[31], 11);
	assert_int_equal(frame[41], 10);
	expect_frames(s, 0, 0, 0, 0);
	assert_int_equal(answers(s->a), 1);
	assert_int_equal(s->a->port->counters[0].rx_frames, 1);
	assert_int_equal(s->a->port->counters[0].tx_frames, 1);
	assert_int_equal(s->a->port->counters[0].tx_bytes, ARP_SIZE);
	for (int i = 0; i < DROP_COUNT; i++)
		assert_int_equal(s->a->port->counters[0].drops[i], 0);
}

static void test_a_station_behind_the_tap_is_known(void **state)
{
	struct scene *s = *state;
	uint8_t frame[2048];

	ask(s, 22);
	assert_int_equal(receive(s->a, frame), ARP_SIZE);
	assert_memory_equal(frame + 22, mac_l, MAC_SIZE);
	expect_frames(s, 0, 0, 0, 0);
}

static void test_a_solicitation_is_answered(void **state)
{
	struct scene *s = *state;
	uint8_t frame[2048];

	make_nd(frame, 0x21);
	send_frame(s, s->a, frame, ND_SIZE);
	assert_int_equal(receive(s->a, frame), ND_SIZE);
	assert_memory_equal(frame, mac_a, MAC_SIZE);
	assert_memory_equal(frame + 80, mac_k, MAC_SIZE);
	assert_int_equal(frame[54], 136);
	expect_frames(s, 0, 0, 0, 0);
	assert_int_equal(answers(s->a), 1);
	make_nd(frame, 0x22); // It has no such address.
	send_frame(s, s->a, frame, ND_SIZE);
	expect_frames(s, 0, 1, 1, 1);
	assert_int_equal(answers(s->a), 1);
}

static void send_to_tap(struct scene *s, const uint8_t *bytes, size_t size)
{
	struct port_queue *queue = &s->trunk->path->rx[0];

	assert_int_equal(write(s->peer, bytes, size), size);
	tap_wake(queue);
	assert_int_equal(forward_queue(s->rig->worker, queue, FRAME_BURST_MAX), 1);
}

static void test_a_station_behind_the_tap_is_answered(void **state)
{
	struct scene *s = *state;
	uint8_t bytes[HEADER + ARP_SIZE] = {0};
	uint8_t frame[200];

	make_arp(bytes + HEADER, mac_k, 21, 11);
	send_to_tap(s, bytes, sizeof(bytes));
	assert_true(tap_has(s, frame));
	assert_memory_equal(frame, mac_k, MAC_SIZE);
	assert_memory_equal(frame + 22, mac_b, MAC_SIZE);
	expect_frames(s, 0, 0, 0, 0);
	assert_int_equal(s->trunk->counters[0].neighbor_answers, 1);
	// l has heard of it itself.
	make_arp(bytes + HEADER, mac_k, 21, 22);
	send_to_tap(s, bytes, sizeof(bytes));
	expect_frames(s, 1, 1, 1, 0);
}

static void test_what_is_not_known_goes_to_all(void **state)
{
	struct scene *s = *state;
	struct network *network = table_network(&s->rig->sw, 1);

	ask(s, 99);
	expect_frames(s, 0, 1, 1, 1);
	ask(s, 10); // Its own: an announcement.
	expect_frames(s, 0, 1, 1, 1);
	network->spec.proxy_neighbors = false;
	ask(s, 11);
	expect_frames(s, 0, 1, 1, 1);
	assert_int_equal(answers(s->a), 0);
}

// a looks whether its own address is free: others may have it, too.
static void test_its_own_address_goes_to_all(void **state)
{
	struct scene *s = *state;
	uint8_t frame[ARP_SIZE];

	make_arp(frame, mac_a, 10, 10);
	memset(frame + 28, 0, 4);
	send_frame(s, s->a, frame, ARP_SIZE);
	expect_frames(s, 0, 1, 1, 1);
	assert_int_equal(answers(s->a), 0);
}

static void test_who_is_not_there_is_not_answered_for(void **state)
{
	struct scene *s = *state;

	s->b->port->path = NULL;
	ask(s, 11);
	expect_frames(s, 0, 0, 1, 1);
	s->b->port->path = &s->b->path;
	ask(s, 11);
	expect_frames(s, 1, 0, 0, 0);
}

static void test_a_tagged_request_goes_to_all(void **state)
{
	struct scene *s = *state;
	uint8_t frame[ARP_SIZE + 4];
	const uint8_t tag[4] = {0x81, 0, 0, 7};

	make_arp(frame, mac_a, 10, 11);
	memmove(frame + 16, frame + 12, ARP_SIZE - 12);
	memcpy(frame + 12, tag, 4);
	send_frame(s, s->a, frame, sizeof(frame));
	expect_frames(s, 0, 1, 1, 1);
}

// The source address is judged first.
static void test_a_forged_request_is_dropped(void **state)
{
	struct scene *s = *state;
	uint8_t frame[ARP_SIZE];

	make_arp(frame, mac_c, 12, 11);
	send_frame(s, s->a, frame, ARP_SIZE);
	expect_frames(s, 0, 0, 0, 0);
	assert_int_equal(answers(s->a), 0);
	assert_int_equal(s->a->port->counters[0].drops[DROP_SOURCE], 1);
}

// What is answered is no flood.
static void test_the_flood_limit_does_not_count_answers(void **state)
{
	struct scene *s = *state;
	struct limits *limits = &s->a->port->limits;
	const struct wire_limits spec = {.flood_fps = 1};
	const uint64_t *drops = s->a->port->counters[0].drops;
	uint8_t frame[2048];

	limits_init(limits, &spec, s->rig->worker->tsc_hz, s->rig->worker->now);
	for (int i = 0; i < 4; i++)
		ask(s, 11);
	expect_frames(s, 4, 0, 0, 0);
	for (int i = 0; i < 1000 && !drops[DROP_FLOOD]; i++) {
		ask(s, 99);
		while (receive(s->b, frame) || receive(s->c, frame) || tap_has(s, frame))
			;
		rig_refill(s->b, s->b->to->outstanding ? 0 : 8);
		rig_refill(s->c, s->c->to->outstanding ? 0 : 8);
	}
	assert_int_equal(drops[DROP_FLOOD], 1);
	ask(s, 11);
	expect_frames(s, 1, 0, 0, 0);
	assert_int_equal(answers(s->a), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_request_is_answered_and_goes_no_further),
		TEST(test_a_station_behind_the_tap_is_known),
		TEST(test_a_solicitation_is_answered),
		TEST(test_a_station_behind_the_tap_is_answered),
		TEST(test_what_is_not_known_goes_to_all),
		TEST(test_its_own_address_goes_to_all),
		TEST(test_who_is_not_there_is_not_answered_for),
		TEST(test_a_tagged_request_goes_to_all),
		TEST(test_a_forged_request_is_dropped),
		TEST(test_the_flood_limit_does_not_count_answers),
	};
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
