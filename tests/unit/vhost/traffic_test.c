// SPDX-License-Identifier: BSD-3-Clause
// Frames between two front ends over their connections' rings, as a worker moves them: every layout, every
// region. Shows that what the connections set up is what the rings need.
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"

#include <string.h>

#define FRAMES 2000
// So few that the largest frames find buffers for all of them.
#define TURN 8

// One turn of a worker: from one's transmit ring to the other's receive ring.
static void forward(struct rig *from, struct rig *to, struct frame_burst *burst)
{
	struct vring *tx = &vhost_conn_queue(from->conn, 1)->ring;
	struct vring *rx = &vhost_conn_queue(to->conn, 0)->ring;
	const struct frame *frames[TURN];
	uint64_t drops[VRING_DROP_COUNT] = {0};
	enum vring_drop drop = VRING_DROP_NONE;

	burst->count = burst->seg_count = 0;
	uint32_t count = vring_take(tx, burst, TURN, drops);
	assert_int_equal(tx->fault, VRING_FAULT_NONE);
	for (uint32_t i = 0; i < count; i++)
		frames[i] = &burst->frame[i];
	assert_int_equal(vring_deliver(rx, frames, count, &drop), count);
	vring_show(rx);
	vring_complete(tx);
	for (int i = 0; i < VRING_DROP_COUNT; i++)
		assert_int_equal(drops[i], 0);
}

static void fill_frame(uint8_t *frame, uint32_t size, uint32_t number)
{
	for (uint32_t i = 0; i < size; i++)
		frame[i] = (uint8_t)(number * 31 + i);
}

static void exchange(const struct front_config *config, uint32_t size)
{
	static struct frame_burst burst;
	uint8_t sent[9000], got[9000];
	uint32_t out = 0, in = 0;
	struct rig a, b;

	rig_init(&a, RIG_CONFIG, config);
	rig_start(&a);
	rig_init(&b, RIG_CONFIG, config);
	rig_start(&b);
	while (in < FRAMES) {
		fill_frame(sent, size, out);
		if (out < FRAMES && front_send(a.front, 0, sent, size) == 0) {
			out++;
			continue;
		}
		forward(&a, &b, &burst);
		while (front_receive(b.front, 0, got, sizeof(got)) == (int)size) {
			fill_frame(sent, size, in++);
			assert_memory_equal(got, sent, size);
		}
	}
	assert_int_equal(front_in_flight(a.front, 0), 0);
	assert_int_equal(front_receive(b.front, 0, got, sizeof(got)), 0);
	// In reverse order: the second counted what the first had open.
	assert_int_equal(front_stop(b.front), 0);
	rig_fini(&b);
	assert_int_equal(front_stop(a.front), 0);
	rig_fini(&a);
}

static void test_every_layout(void **state)
{
	for (int layout = 0; layout < FRONT_LAYOUT_COUNT; layout++) {
		struct front_config config = {.layout = (enum front_layout)layout};
		exchange(&config, 60);
		exchange(&config, 1514);
	}
}

static void test_32_regions(void **state)
{
	struct front_config config = {
		.regions = 32, .add_regions = true, .layout = FRONT_CHAIN, .ring_size = 128};
	exchange(&config, 1514);
}

static void test_merged_and_legacy(void **state)
{
	struct front_config merged = {.rx_buffer_size = 512, .frame_size_max = 9000};
	struct front_config legacy = {.features = VHOST_FEATURE_ANY_LAYOUT, .regions = 8};
	exchange(&merged, 9000);
	exchange(&legacy, 1514);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_layout),
		cmocka_unit_test(test_32_regions),
		cmocka_unit_test(test_merged_and_legacy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
