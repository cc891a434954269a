// SPDX-License-Identifier: BSD-3-Clause
// Where new queues go, and when one moves. No threads, no clock.
#include "switch/balance.h"
#include "tests/lib/unit.h"

#include <stdlib.h>

#define INTERVAL 1000000ull

static void test_new_queues_spread(void **state)
{
	struct balance_worker workers[3] = {0};
	uint32_t got[3] = {0};

	for (int i = 0; i < 12; i++) {
		uint32_t to = balance_place(workers, 3);
		workers[to].fresh++;
		workers[to].queues++;
		got[to]++;
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(got[i], 4);
}

static void test_a_busy_worker_gets_no_more(void **state)
{
	struct balance_worker workers[2] = {
		{.busy_permille = 900, .queues = 1},
		{.busy_permille = 10, .queues = 5},
	};

	assert_int_equal(balance_place(workers, 2), 1);
}

// Loads that differ by noise do not pile queues up on one worker.
static void test_noise_does_not_count(void **state)
{
	struct balance_worker workers[2] = {
		{.busy_permille = 12, .queues = 3},
		{.busy_permille = 4, .queues = 4},
	};

	assert_int_equal(balance_place(workers, 2), 0);
}

static bool pick(
	struct balance_queue *queues,
	uint32_t count,
	uint32_t workers,
	struct balance_move *move
)
{
	return balance_pick(queues, count, workers, INTERVAL, move);
}

static void test_the_right_queue_moves(void **state)
{
	struct balance_queue queues[] = {
		{.worker = 0, .settled = true, .cycles = 550000},
		{.worker = 0, .settled = true, .cycles = 350000},
		{.worker = 0, .settled = true, .cycles = 50000},
		{.worker = 1, .settled = true, .cycles = 100000},
		{.worker = 2, .settled = true, .cycles = 400000},
	};
	struct balance_move move;

	assert_true(pick(queues, 5, 3, &move));
	assert_int_equal(move.queue, 1);
	assert_int_equal(move.from, 0);
	assert_int_equal(move.to, 1);
}

static void test_one_heavy_queue_stays(void **state)
{
	struct balance_queue queues[] = {
		{.worker = 0, .settled = true, .cycles = 990000},
		{.worker = 0, .settled = true, .cycles = 5000},
		{.worker = 1, .settled = true, .cycles = 0},
	};
	struct balance_move move;

	assert_false(pick(queues, 3, 2, &move));
}

static void test_light_loads_stay(void **state)
{
	struct balance_queue queues[] = {
		{.worker = 0, .settled = true, .cycles = 150000},
		{.worker = 0, .settled = true, .cycles = 150000},
	};
	struct balance_move move;

	assert_false(pick(queues, 2, 2, &move));
}

static void test_a_queue_that_moved_stays(void **state)
{
	struct balance_queue queues[] = {
		{.worker = 0, .settled = false, .cycles = 450000},
		{.worker = 0, .settled = true, .cycles = 450000},
	};
	struct balance_move move;

	assert_true(pick(queues, 2, 2, &move));
	assert_int_equal(move.queue, 1);
	queues[1].settled = false;
	assert_false(pick(queues, 2, 2, &move));
}

static void test_one_worker_and_no_queue(void **state)
{
	struct balance_queue queue = {.worker = 0, .settled = true, .cycles = 900000};
	struct balance_move move;

	assert_false(pick(&queue, 1, 1, &move));
	assert_false(pick(&queue, 0, 2, &move));
}

// With loads that do not change, moves come to an end, whatever the loads are, even if nothing ever had to settle.
static void test_it_comes_to_rest(void **state)
{
	struct balance_queue queues[24];
	struct balance_move move;

	srandom(1);
	for (int round = 0; round < 1000; round++) {
		uint32_t workers = 2 + (uint32_t)random() % 5;
		for (int i = 0; i < 24; i++)
			queues[i] = (struct balance_queue){
				.worker = (uint16_t)((uint32_t)random() % workers),
				.settled = true,
				.cycles = (uint64_t)random() % (INTERVAL / 8),
			};
		int moves = 0;
		while (pick(queues, 24, workers, &move)) {
			assert_int_equal(queues[move.queue].worker, move.from);
			queues[move.queue].worker = move.to;
			assert_true(++moves < 200);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_queues_spread),
		cmocka_unit_test(test_a_busy_worker_gets_no_more),
		cmocka_unit_test(test_noise_does_not_count),
		cmocka_unit_test(test_the_right_queue_moves),
		cmocka_unit_test(test_one_heavy_queue_stays),
		cmocka_unit_test(test_light_loads_stay),
		cmocka_unit_test(test_a_queue_that_moved_stays),
		cmocka_unit_test(test_one_worker_and_no_queue),
		cmocka_unit_test(test_it_comes_to_rest),
	};
	return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
