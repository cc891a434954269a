// SPDX-License-Identifier: BSD-3-Clause
// Frames between two front ends over their connections' rings, as a worker moves them: every layout, every
// region. Shows that what the connections set up is what the rings need.
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"

#include <errno.h>
#include <string.h>

#define FRAMES 2000
// So few that the largest frames find buffers for all of them.
#define TURN 8

#define BASIC (VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF | VHOST_FEATURE_PROTOCOL_FEATURES)

// The forms that rings can have, whatever lies in them.
static const uint64_t forms[] = {
	BASIC,
	BASIC | VHOST_FEATURE_RING_EVENT_IDX,
	BASIC | VHOST_FEATURE_IN_ORDER,
	BASIC | VHOST_FEATURE_IN_ORDER | VHOST_FEATURE_RING_EVENT_IDX,
	BASIC | VHOST_FEATURE_RING_PACKED,
	BASIC | VHOST_FEATURE_RING_PACKED | VHOST_FEATURE_RING_EVENT_IDX,
	BASIC | VHOST_FEATURE_RING_PACKED | VHOST_FEATURE_IN_ORDER,
	BASIC | VHOST_FEATURE_RING_PACKED | VHOST_FEATURE_IN_ORDER | VHOST_FEATURE_RING_EVENT_IDX,
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

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
		int r;
		while ((r = front_receive(b.front, 0, got, sizeof(got))) > 0) {
			assert_int_equal(r, size);
			fill_frame(sent, size, in++);
			assert_memory_equal(got, sent, size);
		}
		assert_int_equal(r, 0);
		assert_false(a.front->queue[1].broken);
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

// Frames through every form of ring, in every layout and some sizes of ring. The front end checks ids and order.
static void test_every_form(void **state)
{
	static const uint32_t sizes[] = {16, 256, 1024};
	static const uint32_t packed_sizes[] = {13, 250, 1021}; // No chain's length divides them.

	for (size_t i = 0; i < FORMS; i++) {
		for (int layout = 0; layout < FRONT_LAYOUT_COUNT; layout++) {
			struct front_config config = {
				.features = forms[i] | VHOST_FEATURE_RING_INDIRECT_DESC,
				.layout = (enum front_layout)layout,
				.ring_size = forms[i] & VHOST_FEATURE_RING_PACKED
					? packed_sizes[i % 3]
					: sizes[i % 3],
			};
			exchange(&config, 60);
			exchange(&config, 1514);
		}
	}
}

static void test_plain_forms(void **state)
{
	for (size_t i = 0; i < FORMS; i++) {
		struct front_config config = {
			.features = forms[i] & ~VHOST_FEATURE_MRG_RXBUF, .layout = FRONT_APART};
		exchange(&config, 1514);
	}
}

static void send_one(struct rig *rig)
{
	static const uint8_t frame[60];
	assert_int_equal(front_send(rig->front, 0, frame, sizeof(frame)), 0);
	front_kick(rig->front, 1);
}

// virtio 1.1, 2.6.10 and 2.7.14: a back end that polls is not kicked; one that sleeps is, once with event indices.
static void test_kicks_only_when_armed(void **state)
{
	static struct frame_burst burst;
	uint64_t drops[VRING_DROP_COUNT] = {0};

	for (size_t i = 0; i < FORMS; i++) {
		struct front_config config = {.features = forms[i]};
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, &config);
		rig_start(&rig);
		struct vring *tx = &vhost_conn_queue(rig.conn, 1)->ring;
		// Many laps of the ring, so that indices wrap.
		for (int turn = 0; turn < 1000; turn++) {
			vring_set_notify(tx, false);
			uint64_t kicks = rig.front->kicks;
			send_one(&rig);
			send_one(&rig);
			assert_int_equal(rig.front->kicks, kicks);
			assert_int_equal(vring_take(tx, &burst, TURN, drops), 2);
			vring_complete(tx);
			vring_set_notify(tx, true);
			assert_false(vring_has_work(tx));
			send_one(&rig);
			assert_int_equal(rig.front->kicks, kicks + 1);
			send_one(&rig);
			bool once = forms[i] & VHOST_FEATURE_RING_EVENT_IDX;
			assert_int_equal(rig.front->kicks, kicks + (once ? 1 : 2));
			assert_true(vring_has_work(tx));
			assert_int_equal(vring_take(tx, &burst, TURN, drops), 2);
			vring_complete(tx);
		}
		rig_fini(&rig);
	}
}

// 2.6.7 and 2.7.14: a front end that polls is not called; one that sleeps is.
static void test_calls_only_when_wanted(void **state)
{
	static struct frame_burst burst;
	uint64_t drops[VRING_DROP_COUNT] = {0};

	for (size_t i = 0; i < FORMS; i++) {
		struct front_config config = {.features = forms[i], .with_calls = true};
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, &config);
		rig_start(&rig);
		struct vring *tx = &vhost_conn_queue(rig.conn, 1)->ring;
		for (int turn = 0; turn < 1000; turn++) {
			front_disarm(rig.front, 1);
			send_one(&rig);
			assert_int_equal(vring_take(tx, &burst, TURN, drops), 1);
			vring_complete(tx);
			assert_false(vring_wants_call(tx));
			assert_false(front_arm(rig.front, 1));
			assert_int_equal(front_in_flight(rig.front, 0), 0);
			assert_true(front_arm(rig.front, 1));
			send_one(&rig);
			assert_int_equal(vring_take(tx, &burst, TURN, drops), 1);
			vring_complete(tx);
			assert_true(vring_wants_call(tx));
			assert_int_equal(front_in_flight(rig.front, 0), 0);
		}
		rig_fini(&rig);
	}
}

// Stops a ring, and starts it again where GET_VRING_BASE said that it stands.
static uint32_t restart_ring(struct rig *rig, uint32_t index)
{
	struct message_ring_state ask = {index, 0};
	uint64_t none = index | MESSAGE_RING_NOFD;
	union message_body body;

	assert_int_equal(front_request(rig->front, MESSAGE_GET_VRING_BASE, &ask, sizeof(ask)), 0);
	assert_int_equal(front_reply(rig->front, MESSAGE_GET_VRING_BASE, &body), 0);
	assert_int_equal(
		front_request(rig->front, MESSAGE_SET_VRING_BASE, &body, sizeof(body.state)), 0
	);
	assert_int_equal(front_request(rig->front, MESSAGE_SET_VRING_KICK, &none, sizeof(none)), 0);
	assert_int_equal(rig_pump(rig), 0);
	return body.state.num;
}

static void loop_frames(struct rig *rig, int count)
{
	static struct frame_burst burst;
	uint8_t got[1514];

	for (int i = 0; i < count; i++)
		send_one(rig);
	forward(rig, rig, &burst);
	for (int i = 0; i < count; i++)
		assert_int_equal(front_receive(rig->front, 0, got, sizeof(got)), 60);
	assert_int_equal(front_receive(rig->front, 0, got, sizeof(got)), 0);
}

static void stop_and_go_on(uint64_t features)
{
	struct front_config config = {.features = features, .ring_size = 16};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	uint32_t stood[2] = {restart_ring(&rig, 0), restart_ring(&rig, 1)};
	for (int turn = 0; turn < 100; turn++) {
		loop_frames(&rig, turn % 5 + 1);
		for (uint32_t q = 0; q < 2; q++) {
			uint32_t stands = restart_ring(&rig, q);
			assert_int_not_equal(stands, stood[q]);
			stood[q] = stands;
		}
	}
	rig_fini(&rig);
}

// At any place in the ring, and over its end.
static void test_goes_on_after_a_stop(void **state)
{
	for (size_t i = 0; i < FORMS; i++)
		stop_and_go_on(forms[i]);
}

// virtio 1.1, 5.1.6.2: what is asked for in a header arrives, if anything was negotiated that may be asked for.
static void test_requests_travel(void **state)
{
	static const struct vhost_conn_config with = {.queue_pairs = 1, .offloads = true};
	static const uint64_t wanted[] = {0, VHOST_FEATURES_HOST | VHOST_FEATURES_GUEST};
	static struct frame_burst burst;
	const struct frame_offload sent = {
		.flags = FRAME_F_NEEDS_CSUM,
		.gso_type = FRAME_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
	};
	const struct frame_offload none = {0};
	static uint8_t frame[65000], got[65000];

	for (size_t i = 0; i < 2 * FORMS; i++) {
		uint64_t offloads = wanted[i / FORMS];
		struct front_config config = {
			.features = forms[i % FORMS] | offloads, .frame_size_max = sizeof(frame)};
		struct frame_offload offload;
		struct rig rig;
		rig_init(&rig, &with, &config);
		rig_start(&rig);
		struct vring *tx = &vhost_conn_queue(rig.conn, 1)->ring;
		assert_int_equal(tx->offloads, !!offloads);
		assert_false(vhost_conn_queue(rig.conn, 0)->ring.offloads);
		fill_frame(frame, sizeof(frame), (uint32_t)i);
		assert_int_equal(front_send_offload(rig.front, 0, &sent, frame, sizeof(frame)), 0);
		forward(&rig, &rig, &burst);
		int size = front_receive_offload(rig.front, 0, &offload, got, sizeof(got));
		assert_int_equal(size, sizeof(frame));
		assert_memory_equal(got, frame, sizeof(frame));
		assert_memory_equal(&offload, offloads ? &sent : &none, sizeof(offload));
		rig_fini(&rig);
	}
}

static void expect_in_place(struct rig *rig, uint32_t size, uint32_t number)
{
	struct frame_offload offload;
	const uint8_t *got;
	uint8_t expected[4000];

	fill_frame(expected, size, number);
	assert_int_equal(front_receive_place(rig->front, 0, &offload, &got), size);
	assert_memory_equal(got, expected, size);
	assert_int_equal(offload.flags, 0);
}

static void loop_in_place(uint64_t features)
{
	static struct frame_burst burst;
	const struct front_config config = {
		.features = features, .frame_size_max = 4000, .ring_size = 16};
	struct frame_offload offload;
	const uint8_t *got;
	uint8_t *place;
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	for (uint32_t i = 0; i < 100; i++) {
		for (uint32_t j = 0; j < 3; j++) {
			// Every seventh is larger than a receive buffer.
			uint32_t size = (i * 3 + j) % 7 ? 60 + i : 3000;
			assert_int_equal(front_send_place(rig.front, 0, &place), 0);
			fill_frame(place, size, i * 3 + j);
			assert_int_equal(front_send_placed(rig.front, 0, NULL, size), 0);
		}
		forward(&rig, &rig, &burst);
		for (uint32_t j = 0; j < 3; j++) {
			if ((i * 3 + j) % 7)
				expect_in_place(&rig, 60 + i, i * 3 + j);
			else
				assert_int_equal(
					front_receive_place(rig.front, 0, &offload, &got), -EMSGSIZE
				);
		}
		assert_int_equal(front_receive_place(rig.front, 0, &offload, &got), 0);
		assert_int_equal(front_in_flight(rig.front, 0), 0);
	}
	assert_int_equal(front_stop(rig.front), 0);
	rig_fini(&rig);
}

// The front end's frames without a copy, more than its rings have entries.
static void test_in_place(void **state)
{
	for (size_t i = 0; i < FORMS; i++)
		loop_in_place(forms[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_layout),
		cmocka_unit_test(test_32_regions),
		cmocka_unit_test(test_merged_and_legacy),
		cmocka_unit_test(test_every_form),
		cmocka_unit_test(test_plain_forms),
		cmocka_unit_test(test_kicks_only_when_armed),
		cmocka_unit_test(test_calls_only_when_wanted),
		cmocka_unit_test(test_goes_on_after_a_stop),
		cmocka_unit_test(test_requests_travel),
		cmocka_unit_test(test_in_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
