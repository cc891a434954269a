// SPDX-License-Identifier: BSD-3-Clause
// Packed rings (virtio 1.1, 2.7): the sizes, places and areas that they may have, and each that is refused.
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"

#include <string.h>

#define FEATURES \
	(VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_RING_PACKED | VHOST_FEATURE_PROTOCOL_FEATURES)
#define SPLIT (VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_PROTOCOL_FEATURES)
// Both halves at the first entry, both wrap counters 1.
#define START 0x80008000u

static void send_state(struct rig *rig, uint32_t request, uint32_t index, uint32_t num)
{
	struct message_ring_state state = {index, num};
	assert_int_equal(front_request(rig->front, request, &state, sizeof(state)), 0);
}

static uint32_t get_base(struct rig *rig, uint32_t index)
{
	union message_body body;
	send_state(rig, MESSAGE_GET_VRING_BASE, index, 0);
	assert_int_equal(front_reply(rig->front, MESSAGE_GET_VRING_BASE, &body), 0);
	return body.state.num;
}

static void kick(struct rig *rig, uint32_t index)
{
	uint64_t none = index | MESSAGE_RING_NOFD;
	assert_int_equal(front_request(rig->front, MESSAGE_SET_VRING_KICK, &none, sizeof(none)), 0);
}

// Everything of ring 1 but its size, place and kick.
static void prepare(struct rig *rig, uint64_t features)
{
	rig_init(rig, RIG_CONFIG, &(struct front_config){.features = features});
	assert_int_equal(front_negotiate(rig->front), 0);
	assert_int_equal(front_share_memory(rig->front), 0);
	struct message_ring_addr addr = front_addr_message(rig->front, 1);
	assert_int_equal(front_request(rig->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0);
	assert_int_equal(front_enable_queue(rig->front, 1, true), 0);
	assert_int_equal(rig_pump(rig), 0);
}

static void test_any_size(void **state)
{
	static const uint32_t sizes[] = {1, 2, 3, 100, 255, 256};
	struct rig rig;

	prepare(&rig, FEATURES);
	const struct vhost_queue *queue = vhost_conn_queue(rig.conn, 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		send_state(&rig, MESSAGE_SET_VRING_NUM, 1, sizes[i]);
		kick(&rig, 1);
		assert_int_equal(rig_pump(&rig), 0);
		assert_true(queue->live && queue->ring.packed);
		assert_int_equal(queue->ring.size, sizes[i]);
		// Nobody said where it stands: at its beginning.
		assert_int_equal(get_base(&rig, 1), START);
	}
	rig_fini(&rig);
}

// The largest has 512 KiB of descriptors.
static void test_largest(void **state)
{
	struct front_config config = {
		.features = FEATURES,
		.ring_size = 32768,
		.rx_buffer_size = 64,
		.frame_size_max = 64};
	struct rig rig;

	rig_init(&rig, &(struct vhost_conn_config){.queue_pairs = 1}, &config);
	rig_start(&rig);
	assert_true(vhost_conn_queue(rig.conn, 0)->live);
	assert_true(vhost_conn_queue(rig.conn, 1)->live);
	assert_int_equal(vhost_conn_queue(rig.conn, 1)->ring.size, 32768);
	rig_fini(&rig);
}

static void test_refuses_bad_states(void **state)
{
	static const struct {
		uint64_t features;
		uint32_t request;
		uint32_t num;
		bool starts; // It is judged when the ring is.
		const char *reason;
	} cases[] = {
		{FEATURES,
		 MESSAGE_SET_VRING_NUM,
		 0,
		 false,
		 "ring 1: 0 entries, not from 1 to 32768"},
		{FEATURES, MESSAGE_SET_VRING_NUM, 32769, false, "ring 1: 32769 entries"},
		{FEATURES, MESSAGE_SET_VRING_NUM, UINT32_MAX, false, "ring 1: 4294967295 entries"},
		{SPLIT, MESSAGE_SET_VRING_NUM, 3, false, "ring 1: 3 entries, not a power of two"},
		{SPLIT, MESSAGE_SET_VRING_BASE, START, false, "ring 1 at index"},
		{FEATURES, MESSAGE_SET_VRING_BASE, 0x8064, true, "100 entries, at index 100"},
		{FEATURES, MESSAGE_SET_VRING_BASE, 0x7fff, true, "100 entries, at index 32767"},
		{FEATURES, MESSAGE_SET_VRING_BASE, 0x80648000, true, "100 entries, at index 100"},
		{FEATURES, MESSAGE_SET_VRING_BASE, UINT32_MAX, true, "100 entries, at index 32767"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig rig;
		prepare(&rig, cases[i].features);
		send_state(
			&rig,
			MESSAGE_SET_VRING_NUM,
			1,
			cases[i].features & VHOST_FEATURE_RING_PACKED ? 100 : 128
		);
		send_state(&rig, cases[i].request, 1, cases[i].num);
		if (cases[i].starts) {
			assert_int_equal(rig_pump(&rig), 0);
			kick(&rig, 1);
		}
		rig_expect_break(&rig, cases[i].reason);
		assert_false(vhost_conn_queue(rig.conn, 1)->live);
		rig_fini(&rig);
	}
}

// Places that front ends tell: with both halves, or with the lower alone (DPDK's virtio-user).
static void test_places(void **state)
{
	static const struct {
		uint32_t told;
		uint32_t stands;
	} cases[] = {
		{0x8000, START},
		{START, START},
		{0x00630063, 0x00630063},
		{0x8005, 0x80058005},
		{0x80058005, 0x80058005},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig rig;
		prepare(&rig, FEATURES);
		send_state(&rig, MESSAGE_SET_VRING_NUM, 1, 100);
		send_state(&rig, MESSAGE_SET_VRING_BASE, 1, cases[i].told);
		kick(&rig, 1);
		assert_int_equal(rig_pump(&rig), 0);
		assert_true(vhost_conn_queue(rig.conn, 1)->live);
		assert_int_equal(get_base(&rig, 1), cases[i].stands);
		// It goes on there.
		kick(&rig, 1);
		assert_int_equal(rig_pump(&rig), 0);
		assert_int_equal(get_base(&rig, 1), cases[i].stands);
		rig_fini(&rig);
	}
}

// A size that only one form allows, told before the form: judged when that is known.
static void test_size_before_features(void **state)
{
	static const uint64_t features[] = {SPLIT, FEATURES};

	for (size_t i = 0; i < 2; i++) {
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, &(struct front_config){.features = FEATURES});
		send_state(&rig, MESSAGE_SET_VRING_NUM, 0, 100);
		send_state(&rig, MESSAGE_SET_VRING_BASE, 0, START);
		kick(&rig, 0);
		assert_int_equal(rig_pump(&rig), 0);
		assert_int_equal(
			front_request(rig.front, MESSAGE_SET_FEATURES, &features[i], 8), 0
		);
		if (i)
			assert_int_equal(rig_pump(&rig), 0);
		else
			rig_expect_break(
				&rig, "SET_FEATURES: ring 0: 100 entries, not a power of two"
			);
		rig_fini(&rig);
	}
	// What no form allows is refused at once.
	struct rig rig;
	rig_init(&rig, RIG_CONFIG, NULL);
	send_state(&rig, MESSAGE_SET_VRING_NUM, 0, 32769);
	rig_expect_break(&rig, "ring 0: 32769 entries");
	rig_fini(&rig);
}

// Each moves the addresses of ring 1, which runs, to a place where it cannot be.
static void test_refuses_bad_addresses(void **state)
{
	static const struct {
		int64_t desc, driver, device;
		const char *reason;
	} cases[] = {
		{8, 0, 0, "descriptor ring at"},
		{0, 2, 0, "driver event area at"},
		{0, 0, 2, "device event area at"},
		{0, 0, 1, "is misaligned"},
		{0, 1ll << 40, 0, "driver event area at"},
		{0, 0, -(1ll << 40), "lies outside"},
		{1ll << 62, 0, 0, "lies outside"},
		{64, 0, 0, "descriptor ring and driver event area overlap"},
		{0, -4, 0, "descriptor ring and driver event area overlap"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig rig;
		struct front_config config = {.features = FEATURES, .queue_pairs = 2};
		rig_init(&rig, RIG_CONFIG, &config);
		rig_start(&rig);
		struct message_ring_addr addr = front_addr_message(rig.front, 1);
		addr.desc += (uint64_t)cases[i].desc;
		addr.avail += (uint64_t)cases[i].driver;
		addr.used += (uint64_t)cases[i].device;
		assert_int_equal(
			front_request(rig.front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0
		);
		rig_expect_break(&rig, cases[i].reason);
		assert_true(vhost_conn_queue(rig.conn, 0)->live);
		rig_fini(&rig);
	}
}

// virtio 1.1, 2.7: 4 bytes are all that an event area has, and both may lie side by side.
static void test_areas_of_four_bytes(void **state)
{
	struct front_config config = {.features = FEATURES};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	struct front_region *region = &rig.front->region[0];
	struct message_ring_addr addr = front_addr_message(rig.front, 1);
	addr.used = (uintptr_t)region->addr + region->size - 4;
	addr.avail = addr.used - 4;
	assert_int_equal(front_request(rig.front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(vhost_conn_queue(rig.conn, 1)->live);
	addr.avail = addr.used;
	assert_int_equal(front_request(rig.front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0);
	rig_expect_break(&rig, "driver event area and device event area overlap");
	rig_fini(&rig);
}

// 2.6.6 and 2.6.8: event words are part of a split ring's areas, where they were negotiated.
static void test_event_words_need_room(void **state)
{
	for (int with = 0; with < 2; with++) {
		struct front_config config = {
			.features = SPLIT | (with ? VHOST_FEATURE_RING_EVENT_IDX : 0)};
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, &config);
		rig_start(&rig);
		struct front_region *region = &rig.front->region[0];
		struct message_ring_addr addr = front_addr_message(rig.front, 1);
		addr.avail = (uintptr_t)region->addr + region->size - (4 + 2 * 256);
		assert_int_equal(
			front_request(rig.front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0
		);
		if (with)
			rig_expect_break(&rig, "available ring at");
		else
			assert_int_equal(rig_pump(&rig), 0);
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_size),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_refuses_bad_states),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_size_before_features),
		cmocka_unit_test(test_refuses_bad_addresses),
		cmocka_unit_test(test_areas_of_four_bytes),
		cmocka_unit_test(test_event_words_need_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
