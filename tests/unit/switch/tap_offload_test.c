// SPDX-License-Identifier: BSD-3-Clause
// Requests of frames to and from a TAP: whole where they are taken over, done in software where they are not, and the kernel's judged
// like a front end's.
#include "tests/lib/unit.h"
#include "tests/unit/switch/tap_scene.h"

#include <string.h>

// The kernel gets the frame as it was made, in one of the queues.
static void expect_whole(struct tap_scene *s, const struct made *made)
{
	static uint8_t frame[ROOM];
	struct frame_offload offload;
	uint32_t size = tap_get(s, 0, &offload, frame);

	if (!size)
		size = tap_get(s, 1, &offload, frame);
	assert_int_equal(size, made->size);
	assert_memory_equal(frame, made->data, made->size);
	assert_int_equal(offload.gso_type, made->recipe.gso_type);
	assert_int_equal(offload.gso_size, made->recipe.gso_size);
	assert_int_equal(offload.flags, FRAME_F_NEEDS_CSUM);
	assert_int_equal(offload.csum_start, made->l4);
	assert_int_equal(offload.csum_offset, 16);
}

static void test_requests_go_to_the_kernel_whole(void **state)
{
	struct tap_scene *s = *state;
	struct made *large = tap_make_tcp(mac_k, mac_a, 1448, 60000);
	struct made *small = tap_make_tcp(mac_k, mac_a, 0, 100);

	large->frame.offload.hdr_len = 3; // A hint, and a wrong one.
	tap_send(s, &large->frame.offload, large->data, large->size);
	expect_whole(s, large);
	tap_send(s, &small->frame.offload, small->data, small->size);
	expect_whole(s, small);
	assert_int_equal(s->trunk->counters[0].tx_frames, 2);
	assert_int_equal(s->trunk->counters[0].tx_bytes, large->size + small->size);
	maker_free(large);
	maker_free(small);
}

static void check_parts(
	struct oracle *oracle,
	// NOLINTNEXTLINE(readability-non-const-parameter): a segment's address.
	uint8_t *bytes,
	uint32_t size,
	const struct frame_offload *offload
)
{
	struct frame_seg seg = {bytes, size};
	struct frame part = {
		.head = bytes,
		.segs = &seg,
		.size = size,
		.head_size = (uint16_t)(size < FRAME_HEAD_SIZE ? size : FRAME_HEAD_SIZE),
		.seg_count = 1,
		.offload = *offload,
	};
	oracle_check_frame(oracle, &part);
}

static void test_requests_are_done_for_a_tap_that_takes_none(void **state)
{
	struct tap_scene *s = *state;
	struct made *made = tap_make_tcp(mac_k, mac_a, 1000, 5500);
	struct offload_plan plan;
	struct oracle oracle = {.made = made, .plan = &plan};
	struct frame_offload offload;
	static uint8_t frame[ROOM];
	uint32_t size;

	assert_int_equal(offload_judge(&made->frame, ORACLE_ALL, &plan), 0);
	tap_send(s, &made->frame.offload, made->data, made->size);
	for (int queue = 0; queue < 2; queue++)
		while ((size = tap_get(s, queue, &offload, frame)))
			check_parts(&oracle, frame, size, &offload);
	assert_true(oracle.is_done);
	assert_int_equal(s->trunk->counters[0].tx_frames, 6);
	maker_free(made);
}

static void test_requests_of_the_kernel(void **state)
{
	struct tap_scene *s = *state;
	struct made *made = tap_make_tcp(mac_b, mac_k, 1448, 60000);
	struct drv_layout large = drv_layout_one(70000);
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	struct offload_plan plan;
	struct oracle oracle = {.made = made, .plan = &plan};

	assert_int_equal(offload_judge(&made->frame, ORACLE_ALL, &plan), 0);
	// Done in software: b takes nothing over.
	tap_put(s, 0, &made->frame.offload, made->data, made->size);
	assert_int_equal(tap_forward(s, 0), 1);
	while (drv_ring_collect(s->b->to, &used)) {
		struct frame_offload offload;
		memcpy(&offload, bytes, sizeof(offload));
		check_parts(&oracle, bytes + HEADER, used.size - HEADER, &offload);
	}
	assert_true(oracle.is_done);
	assert_int_equal(s->b->port->counters[0].tx_frames, 42); // 60,000 / 1,448, rounded up.
	// Whole: it takes everything.
	while (s->b->to->outstanding) {
		tap_put_plain(s, 0, mac_b, mac_k, 1);
		assert_int_equal(tap_forward(s, 0), 1);
		assert_true(drv_ring_collect(s->b->to, &used));
	}
	s->b->path.accepts = ORACLE_ALL;
	assert_true(drv_ring_post(s->b->to, &large, NULL, 0));
	tap_put(s, 0, &made->frame.offload, made->data, made->size);
	assert_int_equal(tap_forward(s, 0), 1);
	assert_true(drv_ring_collect(s->b->to, &used));
	assert_int_equal(used.size, HEADER + made->size);
	assert_memory_equal(bytes + HEADER, made->data, made->size);
	assert_int_equal(bytes[1], FRAME_GSO_TCPV4);
	maker_free(made);
}

// What the kernel says of a frame is what a container told it.
static void test_requests_of_the_kernel_are_judged(void **state)
{
	struct tap_scene *s = *state;
	struct made *made = tap_make_tcp(mac_b, mac_k, 1448, 4000);
	const struct frame_offload good = made->frame.offload;
	struct frame_offload bad[4] = {good, good, good, good};

	s->b->path.accepts = ORACLE_ALL;
	bad[0].csum_start = 4;
	bad[1].gso_size = 0;
	bad[2].gso_type = FRAME_GSO_TCPV6;
	bad[3].flags = 0;
	for (int i = 0; i < 4; i++)
		tap_put(s, 0, &bad[i], made->data, made->size);
	assert_int_equal(tap_forward(s, 0), 4);
	assert_int_equal(tap_drops(s->trunk, DROP_OFFLOAD), 4);
	struct frame_offload over = good;
	over.gso_size = 1449;
	tap_put(s, 0, &over, made->data, made->size);
	assert_int_equal(tap_forward(s, 0), 1);
	assert_int_equal(tap_drops(s->trunk, DROP_MTU), 1);
	assert_int_equal(rig_receive(s->b), -1);
	maker_free(made);
}

// DATA_VALID is the kernel's word about a frame that it received, not about one that is sent on.
static void test_what_the_kernel_found_right_is_not_passed_on(void **state)
{
	struct tap_scene *s = *state;
	const struct frame_offload valid = {.flags = FRAME_F_DATA_VALID};
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	uint8_t frame[60];

	s->b->path.accepts = ORACLE_ALL;
	tap_make_plain(frame, mac_b, mac_k, 1);
	tap_put(s, 0, &valid, frame, sizeof(frame));
	assert_int_equal(tap_forward(s, 0), 1);
	assert_true(drv_ring_collect(s->b->to, &used));
	assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0\0\0", 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tap_set_up, tap_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests_go_to_the_kernel_whole),
		cmocka_unit_test_setup_teardown(
			test_requests_are_done_for_a_tap_that_takes_none,
			tap_set_up_plain,
			tap_tear_down
		),
		TEST(test_requests_of_the_kernel),
		TEST(test_requests_of_the_kernel_are_judged),
		TEST(test_what_the_kernel_found_right_is_not_passed_on),
	};
	int failed = cmocka_run_group_tests_name("in batches", tests, rig_start_eal, NULL);
	tap_without_batches = true;
	return failed + cmocka_run_group_tests_name("one by one", tests, NULL, NULL);
}
