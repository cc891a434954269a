// SPDX-License-Identifier: BSD-3-Clause
// What one burst does: who gets a frame, who does not, and what is counted where.
#include "switch/forward.h"
#include "tests/lib/unit.h"
#include "tests/unit/switch/rig.h"

#include <rte_ring_elem.h>

#include <sys/eventfd.h>

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_c[MAC_SIZE] = {2, 0, 0, 0, 0, 0xc};
static const uint8_t mac_x[MAC_SIZE] = {2, 0, 0, 0, 9, 9};
static const uint8_t broadcast[MAC_SIZE] = {255, 255, 255, 255, 255, 255};

// a, b and c on network 1, d on network 2 with a's address: networks share nothing.
struct scene {
	struct rig *rig;
	struct rig_end *a, *b, *c, *d;
};

static int set_up(void **state)
{
	static struct scene scene;
	struct rig *rig = rig_new();
	scene = (struct scene){
		.rig = rig,
		.a = rig_live(rig, 1, mac_a, false),
		.b = rig_live(rig, 1, mac_b, false),
		.c = rig_live(rig, 1, mac_c, true),
		.d = rig_live(rig, 2, mac_a, false),
	};
	for (uint32_t i = 0; i < rig->end_count; i++)
		rig_refill(&rig->end[i], 8);
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	rig_free(scene->rig);
	return 0;
}

// Every frame of the source was given back, and nothing is left anywhere.
static void expect_quiet(struct scene *scene, struct rig_end *from)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	while (drv_ring_collect(from->from, &used))
		;
	assert_int_equal(from->from->outstanding, 0);
	for (uint32_t i = 0; i < scene->rig->end_count; i++)
		assert_int_equal(rig_receive(&scene->rig->end[i]), -1);
}

static void test_unicast_reaches_its_port_only(void **state)
{
	struct scene *s = *state;
	rig_send(s->a, mac_b, mac_a, 60, 7);
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	assert_int_equal(rig_receive(s->b), 7);
	expect_quiet(s, s->a);
	assert_int_equal(s->a->port->counters[0].rx_frames, 1);
	assert_int_equal(s->a->port->counters[0].rx_bytes, 60);
	assert_int_equal(s->b->port->counters[0].tx_frames, 1);
	assert_int_equal(s->b->port->counters[0].tx_bytes, 60);
}

static void expect_flooded(struct scene *s, const uint8_t *to)
{
	rig_send(s->a, to, mac_a, 60, 9);
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	assert_int_equal(rig_receive(s->b), 9);
	assert_int_equal(rig_receive(s->c), 9);
	expect_quiet(s, s->a); // Not back to a, and not to d.
}

static void test_broadcast_reaches_every_port_of_the_network_once(void **state)
{
	expect_flooded(*state, broadcast);
}

static void test_unknown_unicast_is_flooded(void **state)
{
	expect_flooded(*state, mac_x);
}

static void test_order_is_kept_in_a_mixed_burst(void **state)
{
	struct scene *s = *state;
	for (uint8_t i = 0; i < 4; i++) {
		rig_send(s->a, mac_b, mac_a, 60, (uint8_t)(10 + i));
		rig_send(s->a, i == 2 ? broadcast : mac_c, mac_a, 60, (uint8_t)(20 + i));
	}
	assert_int_equal(rig_forward(s->rig, s->a), 8);
	static const int at_b[] = {10, 11, 12, 22, 13};
	static const int at_c[] = {20, 21, 22, 23};
	for (size_t i = 0; i < sizeof(at_b) / sizeof(at_b[0]); i++)
		assert_int_equal(rig_receive(s->b), at_b[i]);
	for (size_t i = 0; i < sizeof(at_c) / sizeof(at_c[0]); i++)
		assert_int_equal(rig_receive(s->c), at_c[i]);
	expect_quiet(s, s->a);
}

static void test_foreign_source_is_dropped(void **state)
{
	struct scene *s = *state;
	rig_send(s->a, mac_b, mac_x, 60, 1);
	rig_send(s->a, mac_b, mac_b, 60, 2);
	assert_int_equal(rig_forward(s->rig, s->a), 2);
	expect_quiet(s, s->a);
	assert_int_equal(s->a->port->counters[0].drops[DROP_SOURCE], 2);
}

static void test_learning_port_is_heard_but_cannot_pose(void **state)
{
	struct scene *s = *state;
	struct learn_post post = {0};

	rig_send(s->c, mac_b, mac_x, 60, 1); // From behind c: passes, and is reported.
	rig_send(s->c, mac_b, mac_a, 60, 2); // As a: never.
	assert_int_equal(rig_forward(s->rig, s->c), 2);
	assert_int_equal(rig_receive(s->b), 1);
	expect_quiet(s, s->c);
	assert_int_equal(s->c->port->counters[0].drops[DROP_SOURCE], 1);
	assert_int_equal(
		rte_ring_sc_dequeue_elem(s->rig->worker->learn_ring, &post, sizeof(post)), 0
	);
	assert_int_equal(post.port, s->c->port->spec.port);
	fdb_learn(s->rig->fdb, post.key, s->c->port, 1);
	rig_send(s->a, mac_x, mac_a, 60, 3);
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	assert_int_equal(rig_receive(s->c), 3);
	expect_quiet(s, s->a);
}

static void test_mtu_counts_without_ethernet_header(void **state)
{
	struct scene *s = *state;
	rig_send(s->a, mac_b, mac_a, 1514, 1);
	rig_send(s->a, mac_b, mac_a, 1515, 2);
	assert_int_equal(rig_forward(s->rig, s->a), 2);
	assert_int_equal(rig_receive(s->b), 1);
	expect_quiet(s, s->a);
	assert_int_equal(s->a->port->counters[0].drops[DROP_MTU], 1);
}

// One tag (802.1Q) and two (802.1ad) come on top of the MTU; a third is payload.
static void test_mtu_counts_without_tags(void **state)
{
	static const uint8_t tags[][12] = {
		{0x81, 0, 0, 5, 8, 0},
		{0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0},
		{0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7},
	};
	static const uint32_t most[] = {1518, 1522, 1522};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		rig_send_typed(s->a, mac_b, mac_a, most[i], tags[i], sizeof(tags[i]));
		rig_send_typed(s->a, mac_b, mac_a, most[i] + 1, tags[i], sizeof(tags[i]));
		assert_int_equal(rig_forward(s->rig, s->a), 2);
		assert_int_not_equal(rig_receive(s->b), -1);
		assert_int_equal(rig_receive(s->b), -1);
		assert_int_equal(s->a->port->counters[0].drops[DROP_MTU], i + 1);
	}
}

static void test_full_destination_drops_there_and_holds_up_nobody(void **state)
{
	struct scene *s = *state;
	for (uint8_t i = 0; i < 12; i++) // b has 8 buffers.
		rig_send(s->a, mac_b, mac_a, 60, i);
	rig_send(s->a, mac_c, mac_a, 60, 99);
	assert_int_equal(rig_forward(s->rig, s->a), 13);
	for (int i = 0; i < 8; i++)
		assert_int_equal(rig_receive(s->b), i);
	assert_int_equal(rig_receive(s->c), 99);
	expect_quiet(s, s->a);
	assert_int_equal(s->b->port->counters[0].drops[DROP_FULL], 4);
	assert_int_equal(s->b->port->counters[0].tx_frames, 8);
}

static void test_port_without_front_end_is_down(void **state)
{
	struct scene *s = *state;
	s->b->port->path = NULL;
	rig_send(s->a, mac_b, mac_a, 60, 1);
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	expect_quiet(s, s->a);
	assert_int_equal(s->b->port->counters[0].drops[DROP_DOWN], 1);
	assert_int_equal(s->b->port->counters[0].tx_frames, 0);
}

static void test_own_address_as_destination(void **state)
{
	struct scene *s = *state;
	rig_send(s->a, mac_a, mac_a, 60, 1);
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	expect_quiet(s, s->a);
	assert_int_equal(s->a->port->counters[0].drops[DROP_LOCAL], 1);
}

static void test_alone_on_the_network(void **state)
{
	struct scene *s = *state;
	rig_send(s->d, broadcast, mac_a, 60, 1);
	assert_int_equal(rig_forward(s->rig, s->d), 1);
	expect_quiet(s, s->d);
	assert_int_equal(s->d->port->counters[0].drops[DROP_NO_PORT], 1);
}

static void test_too_small_a_buffer_costs_one_frame(void **state)
{
	struct scene *s = *state;
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	struct drv_layout layout = drv_layout_one(12 + 100);

	while (drv_ring_collect(s->b->to, &used))
		;
	for (int i = 0; i < 8; i++) { // The posted 2048-byte buffers go first.
		rig_send(s->a, mac_b, mac_a, 60, (uint8_t)i);
		assert_int_equal(rig_forward(s->rig, s->a), 1);
		assert_int_equal(rig_receive(s->b), i);
	}
	for (int i = 0; i < 2; i++)
		assert_true(drv_ring_post(s->b->to, &layout, NULL, 0));
	rig_send(s->a, mac_b, mac_a, 60, 50);
	rig_send(s->a, mac_b, mac_a, 200, 51);
	rig_send(s->a, mac_b, mac_a, 60, 52);
	assert_int_equal(rig_forward(s->rig, s->a), 3);
	assert_int_equal(rig_receive(s->b), 50);
	assert_int_equal(rig_receive(s->b), 52);
	expect_quiet(s, s->a);
	assert_int_equal(s->b->port->counters[0].drops[DROP_BUFFER], 1);
}

static void test_broken_ring_is_reported_once(void **state)
{
	struct scene *s = *state;
	eventfd_t value;

	drv_ring_put_index(s->a->from, RIG_RING + 1);
	assert_int_equal(rig_forward(s->rig, s->a), 0);
	assert_int_equal(rig_forward(s->rig, s->a), 0);
	assert_int_equal(s->a->port->fault, VRING_FAULT_AVAIL_JUMP);
	assert_int_equal(eventfd_read(s->rig->worker->fault_fd, &value), 0);
	assert_int_equal(value, 1);
	rig_send(s->b, mac_c, mac_b, 60, 5); // The others go on.
	assert_int_equal(rig_forward(s->rig, s->b), 1);
	assert_int_equal(rig_receive(s->c), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unicast_reaches_its_port_only),
		TEST(test_broadcast_reaches_every_port_of_the_network_once),
		TEST(test_unknown_unicast_is_flooded),
		TEST(test_order_is_kept_in_a_mixed_burst),
		TEST(test_foreign_source_is_dropped),
		TEST(test_learning_port_is_heard_but_cannot_pose),
		TEST(test_mtu_counts_without_ethernet_header),
		TEST(test_mtu_counts_without_tags),
		TEST(test_full_destination_drops_there_and_holds_up_nobody),
		TEST(test_port_without_front_end_is_down),
		TEST(test_own_address_as_destination),
		TEST(test_alone_on_the_network),
		TEST(test_too_small_a_buffer_costs_one_frame),
		TEST(test_broken_ring_is_reported_once),
	};
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
