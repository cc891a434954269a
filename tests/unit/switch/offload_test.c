// SPDX-License-Identifier: BSD-3-Clause
// Requests on their way through the switch: whole to a front end that takes them over, done in software for one that
// does not, refused when they are bad or too large. What software makes of them is checked by src/packet's oracle.
#include "switch/forward.h"
#include "tests/lib/unit.h"
#include "tests/unit/packet/maker.h"
#include "tests/unit/packet/oracle.h"
#include "tests/unit/switch/rig.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 12
#define ALL ORACLE_ALL

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_c[MAC_SIZE] = {2, 0, 0, 0, 0, 0xc};
static const uint8_t broadcast[MAC_SIZE] = {255, 255, 255, 255, 255, 255};

struct scene {
	struct rig *rig;
	struct rig_end *a, *b, *c;
	struct drv_ring *from;
	struct vring back;
};

// a asks for everything, b takes nothing over, c everything.
static int set_up(void **state)
{
	static struct scene s;
	const struct vring_config config = {
		.size = RIG_RING, .header_size = HEADER, .indirect = true, .offloads = true};
	struct rig *rig = rig_new();
	struct drv_layout large = drv_layout_one(70000);

	s = (struct scene){
		.rig = rig,
		.a = rig_live(rig, 1, mac_a, false),
		.b = rig_live(rig, 1, mac_b, false),
		.c = rig_live(rig, 1, mac_c, false),
	};
	s.from = drv_ring_new(s.a->memory, &config);
	s.back = drv_ring_attach(s.from, 0);
	s.a->path.rx[0].ring = &s.back;
	s.a->path.asks = ALL;
	s.c->path.accepts = ALL;
	rig_refill(s.b, RIG_RING);
	for (int i = 0; i < 4; i++)
		assert_true(drv_ring_post(s.c->to, &large, NULL, 0));
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	drv_ring_check(s->from);
	drv_ring_free(s->from);
	rig_free(s->rig);
	return 0;
}

static struct made *make_tcp(const uint8_t *to, uint16_t gso_size, uint32_t payload)
{
	struct recipe recipe = {
		.version = 4,
		.tcp_option_words = 3,
		.tcp_flags = 0x18,
		.sequence = 77,
		.payload = payload,
		.gso_type = FRAME_GSO_TCPV4,
		.gso_size = gso_size,
	};
	struct made *made = maker_make(&recipe);

	memcpy(made->data, to, MAC_SIZE);
	memcpy(made->data + MAC_SIZE, mac_a, MAC_SIZE);
	maker_cut(made);
	return made;
}

static struct made *make_datagrams(const uint8_t *to, uint16_t gso_size, uint32_t payload)
{
	struct recipe recipe = {
		.version = 6,
		.udp = true,
		.payload = payload,
		.gso_type = FRAME_GSO_UDP_L4,
		.gso_size = gso_size,
	};
	struct made *made = maker_make(&recipe);

	memcpy(made->data, to, MAC_SIZE);
	memcpy(made->data + MAC_SIZE, mac_a, MAC_SIZE);
	maker_cut(made);
	return made;
}

static void send_made(struct scene *s, const struct made *made)
{
	struct drv_layout layout = drv_layout_one(HEADER + made->size);
	uint8_t *bytes = calloc(1, HEADER + made->size);

	assert_non_null(bytes);
	memcpy(bytes, &made->frame.offload, sizeof(made->frame.offload));
	memcpy(bytes + HEADER, made->data, made->size);
	assert_true(drv_ring_post(s->from, &layout, bytes, 0));
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	free(bytes);
}

// Everything that arrived at b are parts of `made`, complete.
static void check_parts(struct scene *s, const struct made *made)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	struct offload_plan plan;
	struct oracle oracle = {.made = made, .plan = &plan};

	assert_int_equal(offload_judge(&made->frame, ALL, &plan), 0);
	while (drv_ring_collect(s->b->to, &used)) {
		struct frame_seg seg = {bytes + HEADER, used.size - HEADER};
		struct frame part = {
			.head = seg.addr,
			.segs = &seg,
			.size = seg.size,
			.head_size =
				(uint16_t)(seg.size < FRAME_HEAD_SIZE ? seg.size : FRAME_HEAD_SIZE),
			.seg_count = 1,
		};
		memcpy(&part.offload, bytes, sizeof(part.offload));
		oracle_check_frame(&oracle, &part);
	}
	assert_true(oracle.is_done);
}

static void expect_whole(struct scene *s, const struct made *made)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	struct frame_offload offload;

	assert_true(drv_ring_collect(s->c->to, &used));
	assert_int_equal(used.size, HEADER + made->size);
	assert_memory_equal(bytes + HEADER, made->data, made->size);
	memcpy(&offload, bytes, sizeof(offload));
	assert_int_equal(offload.gso_type, made->recipe.gso_type);
	assert_int_equal(offload.gso_size, made->recipe.gso_size);
	assert_int_equal(offload.flags, FRAME_F_NEEDS_CSUM);
	assert_int_equal(offload.hdr_len, made->headers);
	assert_false(drv_ring_collect(s->c->to, &used));
}

static void test_a_segment_travels_whole(void **state)
{
	struct scene *s = *state;
	struct made *made = make_tcp(mac_c, 1448, 60000);

	made->frame.offload.hdr_len = 3; // A hint, and a wrong one.
	send_made(s, made);
	expect_whole(s, made);
	assert_int_equal(s->c->port->counters[0].tx_frames, 1);
	assert_int_equal(s->c->port->counters[0].tx_bytes, made->size);
	maker_free(made);
}

static void test_a_segment_is_cut_for_who_does_not_take_it(void **state)
{
	struct scene *s = *state;
	struct made *made = make_tcp(mac_b, 1448, 60000);

	send_made(s, made);
	check_parts(s, made);
	assert_int_equal(s->b->port->counters[0].tx_frames, 42); // 60,000 / 1,448, rounded up.
	maker_free(made);
}

static void test_a_broadcast_is_whole_here_and_cut_there(void **state)
{
	struct scene *s = *state;
	struct made *made = make_tcp(broadcast, 1000, 5000);

	send_made(s, made);
	check_parts(s, made);
	expect_whole(s, made);
	maker_free(made);
}

static void test_datagrams_are_whole_here_and_cut_there(void **state)
{
	struct scene *s = *state;
	struct made *made = make_datagrams(broadcast, 1000, 5000);

	send_made(s, made);
	check_parts(s, made);
	expect_whole(s, made);
	assert_int_equal(s->b->port->counters[0].tx_frames, 5);
	s->c->path.accepts = ALL & ~OFFLOAD_USO; // It takes all but these.
	send_made(s, made);
	for (int i = 0; i < 5; i++)
		assert_int_not_equal(rig_receive(s->b), -1);
	for (int i = 0; i < 3; i++) // For as many buffers as it has left.
		assert_int_not_equal(rig_receive(s->c), -1);
	assert_int_equal(s->c->port->counters[0].tx_frames, 1 + 3);
	assert_int_equal(s->c->port->counters[0].drops[DROP_FULL], 2);
	maker_free(made);
}

// A ring that is full in the middle: what did not fit is counted, segment by segment.
static void test_segments_that_do_not_fit_are_counted(void **state)
{
	struct scene *s = *state;
	struct made *made = make_tcp(mac_b, 500, 50000);

	send_made(s, made); // 100 segments for 64 buffers.
	assert_int_equal(s->b->port->counters[0].tx_frames, RIG_RING);
	assert_int_equal(s->b->port->counters[0].drops[DROP_FULL], 100 - RIG_RING);
	for (int i = 0; i < RIG_RING; i++)
		assert_int_not_equal(rig_receive(s->b), -1);
	maker_free(made);
}

// What counts is what comes out on the wire: 1,448 bytes behind 52 of headers are 1,500.
static void test_segments_obey_the_mtu(void **state)
{
	struct scene *s = *state;
	struct made *fits = make_tcp(mac_c, 1448, 4000);
	struct made *over = make_tcp(mac_c, 1449, 4000);

	send_made(s, over);
	assert_int_equal(s->a->port->counters[0].drops[DROP_MTU], 1);
	send_made(s, fits);
	expect_whole(s, fits);
	maker_free(fits);
	maker_free(over);
}

static void test_bad_requests_are_dropped_and_counted(void **state)
{
	struct scene *s = *state;
	struct made *made = make_tcp(mac_c, 1448, 4000);
	const struct frame_offload good = made->frame.offload;

	made->frame.offload.gso_size = 0;
	send_made(s, made);
	made->frame.offload = good;
	made->frame.offload.csum_start = 65535;
	send_made(s, made);
	made->frame.offload = good;
	made->frame.offload.gso_type = 2;
	send_made(s, made);
	assert_int_equal(s->a->port->counters[0].drops[DROP_OFFLOAD], 3);
	made->frame.offload = good;
	s->a->path.asks = OFFLOAD_CSUM; // Not negotiated.
	send_made(s, made);
	assert_int_equal(s->a->port->counters[0].drops[DROP_OFFLOAD], 4);
	assert_int_equal(rig_receive(s->c), -1);
	maker_free(made);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_segment_travels_whole),
		TEST(test_a_segment_is_cut_for_who_does_not_take_it),
		TEST(test_a_broadcast_is_whole_here_and_cut_there),
		TEST(test_datagrams_are_whole_here_and_cut_there),
		TEST(test_segments_that_do_not_fit_are_counted),
		TEST(test_segments_obey_the_mtu),
		TEST(test_bad_requests_are_dropped_and_counted),
	};
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
