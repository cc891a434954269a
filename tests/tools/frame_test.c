// SPDX-License-Identifier: BSD-3-Clause
// The exchange program finds what it is there to find: any changed byte, a wrong length, order, repetition.
#include "tests/lib/unit.h"
#include "tests/tools/frame.h"

#include <string.h>

static void build(uint64_t number, uint16_t flow, size_t size, uint8_t *ret_bytes)
{
	const struct frame_head head = {
		.destination = {2, 0, 0, 0, 0, 1},
		.source = {2, 0, 0, 0, 0, 2},
		.flow = flow,
		.type = FRAME_DATA,
		.run = 77,
		.number = number,
	};
	frame_build(&head, size, ret_bytes);
}

static void test_round_trip(void **state)
{
	uint8_t bytes[NUMBERED_SIZE_MAX];
	for (size_t size = NUMBERED_SIZE_MIN; size < 200; size++) {
		struct frame_head head;
		uint16_t flow = (uint16_t)(size % 3);
		build(size, flow, size, bytes);
		assert_int_equal(frame_check(bytes, size, size, &head), FRAME_GOOD);
		assert_int_equal(head.number, size);
		assert_int_equal(head.run, 77);
		assert_int_equal(head.flow, flow);
		assert_int_equal(frame_check(bytes, size, 0, &head), FRAME_GOOD);
		assert_int_equal(frame_check(bytes, size, size + 1, &head), FRAME_MALFORMED);
	}
}

static void test_every_changed_byte_is_noticed(void **state)
{
	uint8_t bytes[97];
	struct frame_head head;
	for (uint16_t flow = 0; flow < 2; flow++) {
		build(5, flow, sizeof(bytes), bytes);
		for (size_t i = 12; i < sizeof(bytes); i++) {
			bytes[i] ^= 1;
			assert_int_not_equal(
				frame_check(bytes, sizeof(bytes), 97, &head), FRAME_GOOD
			);
			bytes[i] ^= 1;
		}
		assert_int_equal(frame_check(bytes, sizeof(bytes), 97, &head), FRAME_GOOD);
	}
}

static void test_foreign(void **state)
{
	uint8_t bytes[64] = {0};
	struct frame_head head;
	assert_int_equal(frame_check(bytes, sizeof(bytes), 64, &head), FRAME_FOREIGN);
	assert_int_equal(frame_check(bytes, 0, 64, &head), FRAME_FOREIGN);
}

static void test_tally(void **state)
{
	struct tally tally;
	assert_int_equal(tally_init(&tally, 10, 1), 0);
	static const uint64_t numbers[] = {0, 1, 3, 2, 3, 9, 0, 10};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		tally_note(&tally, numbers[i]);
	assert_int_equal(tally.received, 5);
	assert_int_equal(tally.misordered, 1);
	assert_int_equal(tally.duplicated, 2);
	assert_int_equal(tally.beyond, 1);
	assert_int_equal(tally_passed(&tally), 10);
	tally_fini(&tally);
	// Lanes have each their own order.
	assert_int_equal(tally_init(&tally, 10, 2), 0);
	static const uint64_t lanes[] = {0, 2, 4, 1, 3, 6, 8, 7, 5};
	for (size_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		tally_note(&tally, lanes[i]);
	assert_int_equal(tally.received, 9);
	assert_int_equal(tally.misordered, 1);
	assert_int_equal(tally_passed(&tally), 8);
	assert_int_equal(tally_highest(&tally), 9);
	tally_fini(&tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_changed_byte_is_noticed),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_tally),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
