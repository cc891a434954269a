// SPDX-License-Identifier: BSD-3-Clause
// Which queue a flow goes to, and what a port's limits let through.
#include "switch/deliver.h"
#include "tests/lib/unit.h"
#include "tests/unit/switch/rig.h"

#include <string.h>

#define HZ 1000000000ull
#define FLOWS 8

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_c[MAC_SIZE] = {2, 0, 0, 0, 0, 0xc};
static const uint8_t nobody[MAC_SIZE] = {2, 0, 0, 0, 7, 7};
static const uint8_t broadcast[MAC_SIZE] = {255, 255, 255, 255, 255, 255};

struct scene {
	struct rig *rig;
	struct rig_end *a, *b, *c;
};

static int set_up(void **state)
{
	static struct scene scene;
	struct rig *rig = rig_new();
	scene = (struct scene){
		.rig = rig,
		.a = rig_live(rig, 1, mac_a, true),
		.b = rig_live(rig, 1, mac_b, false),
		.c = rig_live(rig, 1, mac_c, false),
	};
	for (uint32_t i = 0; i < rig->end_count; i++)
		rig_refill(&rig->end[i], 32);
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	rig_free(scene->rig);
	return 0;
}

static void set_limits(struct rig_end *end, struct wire_limits spec)
{
	limits_init(&end->port->limits, &spec, HZ, 0);
}

static uint32_t receive_all(struct rig_end *end)
{
	uint32_t count = 0;
	while (rig_receive(end) >= 0)
		count++;
	return count;
}

// The tag, which lies where IPv4 has its version and length, is the flow here: frames with a type that is
// no IP are told apart by their addresses only, so sources differ.
static void send_flows(struct scene *s, uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds * FLOWS; i++) {
		uint8_t source[MAC_SIZE] = {2, 0, 0, 0, 8, (uint8_t)(i % FLOWS)};
		rig_send(s->a, mac_b, source, 60, (uint8_t)i);
	}
}

// Adds receive queues to b.
static void add_queues(
	struct rig_end *end,
	struct drv_ring **rings,
	struct vring *backs,
	uint16_t count
)
{
	const struct vring_config config = {.size = RIG_RING, .header_size = 12};
	struct drv_layout layout = drv_layout_one(2048);

	for (uint16_t i = 1; i < count; i++) {
		rings[i] = drv_ring_new(end->memory, &config);
		backs[i] = drv_ring_attach(rings[i], 0);
		end->path.tx[i] = (struct port_queue
		){.port = end->port, .ring = &backs[i], .call_fd = -1, .pair = i};
		for (int j = 0; j < 32; j++)
			assert_true(drv_ring_post(rings[i], &layout, NULL, 0));
	}
	end->path.tx_count = count;
}

// Tags of a queue come in order for each flow, and a flow is in one queue only.
static void check_queue(
	struct drv_ring *ring,
	uint16_t queue,
	int *queue_of,
	int *last,
	uint32_t *total
)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};

	while (drv_ring_collect(ring, &used)) {
		int tag = bytes[12 + 14];
		int flow = tag % FLOWS;
		assert_true(queue_of[flow] == -1 || queue_of[flow] == queue);
		assert_true(tag > last[flow]);
		queue_of[flow] = queue;
		last[flow] = tag;
		(*total)++;
	}
}

static void test_a_flow_stays_in_one_queue_and_in_order(void **state)
{
	struct scene *s = *state;
	struct drv_ring *rings[4] = {s->b->to};
	struct vring backs[4];
	int queue_of[FLOWS], last[FLOWS];
	uint32_t total = 0;
	uint32_t used_queues = 0;

	add_queues(s->b, rings, backs, 4);
	send_flows(s, 4);
	assert_int_equal(rig_forward(s->rig, s->a), 32);
	memset(queue_of, -1, sizeof(queue_of));
	memset(last, -1, sizeof(last));
	for (uint16_t i = 0; i < 4; i++) {
		uint32_t before = total;
		check_queue(rings[i], i, queue_of, last, &total);
		used_queues += total > before;
	}
	assert_int_equal(total, 32);
	assert_true(used_queues > 1);
	assert_int_equal(s->b->port->counters[0].tx_frames, 32);
	for (uint16_t i = 1; i < 4; i++) {
		drv_ring_check(rings[i]);
		drv_ring_free(rings[i]);
	}
}

static void test_frames_over_the_destinations_limit_are_dropped_there(void **state)
{
	struct scene *s = *state;

	set_limits(s->b, (struct wire_limits){.tx_fps = 1000, .tx_frame_burst = 5});
	for (int i = 0; i < 8; i++)
		rig_send(s->a, mac_b, mac_a, 60, 1);
	rig_send(s->a, mac_c, mac_a, 60, 1);
	assert_int_equal(rig_forward(s->rig, s->a), 9);
	assert_int_equal(receive_all(s->b), 5);
	assert_int_equal(receive_all(s->c), 1);
	assert_int_equal(s->b->port->counters[0].drops[DROP_RATE], 3);
	s->rig->worker->now = HZ / 100; // Ten more, of which the bucket holds five.
	for (int i = 0; i < 8; i++)
		rig_send(s->a, mac_b, mac_a, 60, 1);
	assert_int_equal(rig_forward(s->rig, s->a), 8);
	assert_int_equal(receive_all(s->b), 5);
}

// A sender over its limit is not heard, and loses nothing.
static void test_a_sender_over_its_limit_waits(void **state)
{
	struct scene *s = *state;

	set_limits(s->a, (struct wire_limits){.rx_fps = 1000, .rx_frame_burst = 4});
	for (int i = 0; i < 8; i++)
		rig_send(s->a, mac_b, mac_a, 60, (uint8_t)i);
	assert_int_equal(rig_forward(s->rig, s->a), 4);
	assert_int_equal(rig_forward(s->rig, s->a), 0);
	s->rig->worker->now = HZ / 1000 * 2;
	assert_int_equal(rig_forward(s->rig, s->a), 2);
	s->rig->worker->now = HZ;
	assert_int_equal(rig_forward(s->rig, s->a), 2);
	for (int i = 0; i < 8; i++)
		assert_int_equal(rig_receive(s->b), i);
	for (int i = 0; i < DROP_COUNT; i++)
		assert_int_equal(s->a->port->counters[0].drops[i], 0);
}

static void test_only_frames_to_everybody_are_policed(void **state)
{
	struct scene *s = *state;

	set_limits(s->a, (struct wire_limits){.flood_fps = 1, .flood_burst = 2});
	rig_send(s->a, broadcast, mac_a, 60, 1);
	rig_send(s->a, nobody, mac_a, 60, 2);
	rig_send(s->a, broadcast, mac_a, 60, 3);
	rig_send(s->a, nobody, mac_a, 60, 4);
	rig_send(s->a, mac_b, mac_a, 60, 5);
	assert_int_equal(rig_forward(s->rig, s->a), 5);
	assert_int_equal(rig_receive(s->b), 1);
	assert_int_equal(rig_receive(s->b), 2);
	assert_int_equal(rig_receive(s->b), 5);
	assert_int_equal(receive_all(s->c), 2);
	assert_int_equal(s->a->port->counters[0].drops[DROP_FLOOD], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_flow_stays_in_one_queue_and_in_order),
		TEST(test_frames_over_the_destinations_limit_are_dropped_there),
		TEST(test_a_sender_over_its_limit_waits),
		TEST(test_only_frames_to_everybody_are_policed),
	};
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
