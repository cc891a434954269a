// SPDX-License-Identifier: BSD-3-Clause
// Whose turn it is, with a clock that stands still but for what a made-up poll costs: shares are exact, nothing is timed.
#include "switch/turns.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#define PORTS 64
#define EMPTY_COST 30

// What a port's frames cost, and how many wait in each of its queues (or always a full ring).
struct source {
	uint64_t cost;
	bool endless;
	uint64_t waiting;
	uint64_t used; // Cycles that went to it.
	uint64_t taken;
	uint64_t longest; // Cycles of one poll.
	struct port port;
	struct port_queue queue[VHOST_QUEUE_PAIRS_MAX];
	struct port_pair pair[VHOST_QUEUE_PAIRS_MAX];
};

struct scene {
	uint64_t now;
	uint64_t polls, wasted;
	uint64_t slept;
	bool may_sleep;
	struct turns turns;
	struct source source[PORTS];
};

static uint32_t fake_poll(void *ctx, struct port_queue *queue, uint32_t max, uint64_t now)
{
	struct scene *scene = ctx;
	struct source *source = &scene->source[queue->port->slot];
	uint32_t taken = source->endless || source->waiting > max ? max : (uint32_t)source->waiting;
	uint64_t cost = EMPTY_COST + taken * source->cost;

	assert_int_equal(now, scene->now);
	if (!source->endless)
		source->waiting -= taken;
	scene->now += cost;
	scene->polls++;
	scene->wasted += taken == 0;
	source->used += cost;
	source->taken += taken;
	source->longest = cost > source->longest ? cost : source->longest;
	return taken;
}

static uint64_t fake_clock(void *ctx)
{
	const struct scene *scene = ctx;
	return scene->now;
}

static bool fake_sleep(void *ctx, struct turn_queue *queue, uint64_t now)
{
	struct scene *scene = ctx;
	scene->slept += scene->may_sleep;
	queue->last = now;
	return scene->may_sleep;
}

static const struct turn_ops ops = {.poll = fake_poll, .clock = fake_clock, .sleep = fake_sleep};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene || turns_init(&scene->turns, UINT64_MAX))
		return -1;
	for (uint16_t i = 0; i < PORTS; i++)
		scene->source[i].port.slot = i;
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	turns_fini(&scene->turns);
	free(scene);
	return 0;
}

static struct source *add(struct scene *scene, uint16_t slot, uint16_t queues, uint64_t cost)
{
	struct source *source = &scene->source[slot];

	source->cost = cost;
	for (uint16_t i = 0; i < queues; i++) {
		source->queue[i] = (struct port_queue){.port = &source->port, .pair = i};
		source->pair[i].burst = TURN_BURST_FIRST;
		turns_put(&scene->turns, slot, &source->queue[i], &source->pair[i], scene->now);
	}
	return source;
}

static void run_until(struct scene *scene, uint64_t end)
{
	uint64_t now = scene->now;
	int turns = 0;

	while (scene->now < end) {
		struct turn_sum sum = {0};
		uint64_t before = scene->now;
		turns_run(&scene->turns, &ops, scene, &sum, &now);
		assert_int_equal(now, scene->now);
		assert_int_equal(sum.busy + sum.idle, scene->now - before);
		// A turn may pass over all, but the next ones may not.
		turns = scene->now == before ? turns + 1 : 0;
		assert_true(turns < 2000);
	}
}

static void run(struct scene *scene, uint64_t cycles)
{
	run_until(scene, scene->now + cycles);
}

// Permille of all cycles since the counters were cleared.
static uint64_t share(const struct scene *scene, const struct source *source)
{
	uint64_t all = 0;
	for (int i = 0; i < PORTS; i++)
		all += scene->source[i].used;
	return source->used * 1000 / all;
}

static void test_a_flood_takes_its_share_only(void **state)
{
	struct scene *scene = *state;
	struct source *small = add(scene, 0, 1, 100);
	struct source *flood = add(scene, 1, 16, 100000); // 16 queues, each frame to 1,000 ports.

	small->endless = flood->endless = true;
	run(scene, 1000000000);
	assert_in_range(share(scene, small), 480, 520);
	assert_in_range(share(scene, flood), 480, 520);
}

static void test_shares_are_equal_whatever_frames_cost(void **state)
{
	static const uint64_t costs[] = {60, 100, 400, 1500, 10000, 30000, 100, 250};
	static const uint16_t queues[] = {1, 2, 4, 8, 16, 1, 16, 3};
	struct scene *scene = *state;

	for (uint16_t i = 0; i < 8; i++)
		add(scene, i, queues[i], costs[i])->endless = true;
	run(scene, 1000000000);
	for (uint16_t i = 0; i < 8; i++)
		assert_in_range(share(scene, &scene->source[i]), 118, 132);
}

// A port that wants less than its share gets all that it wants, next to one that takes all it can.
static void test_a_small_demand_is_met(void **state)
{
	struct scene *scene = *state;
	struct source *small = add(scene, 0, 1, 100);
	struct source *flood = add(scene, 1, 4, 12000);
	uint64_t offered = 0;
	uint64_t most = 0;

	flood->endless = true;
	for (uint64_t i = 1; i <= 10000; i++) {
		run_until(scene, i * 100000);
		small->waiting += 200; // 20,000 cycles of 100,000.
		offered += 200;
		most = small->waiting > most ? small->waiting : most;
	}
	assert_true(offered - small->taken <= 400);
	assert_true(most <= 400);
	assert_in_range(share(scene, flood), 750, 820);
}

// What one does not use goes to the other; the worker hardly ever polls for nothing.
static void test_the_worker_is_never_idle_beside_work(void **state)
{
	struct scene *scene = *state;
	struct source *busy = add(scene, 0, 1, 12000);

	busy->endless = true;
	for (uint16_t i = 1; i < 9; i++)
		add(scene, i, 1, 100); // Awake, with nothing to do.
	run(scene, 100000000);
	assert_true(share(scene, busy) >= 980);
}

// Many quiet ones in the way: the busy one gets more at a time.
static void test_polling_the_quiet_is_bounded(void **state)
{
	struct scene *scene = *state;
	struct source *busy = add(scene, 0, 1, 100);

	busy->endless = true;
	for (uint16_t i = 1; i < PORTS; i++)
		add(scene, i, 16, 100);
	run(scene, 100000000);
	assert_true(share(scene, busy) >= 480);
}

static void test_expensive_bursts_become_short(void **state)
{
	struct scene *scene = *state;
	struct source *flood = add(scene, 0, 1, 100000);

	flood->endless = true;
	run(scene, 10000000);
	assert_int_equal(flood->pair[0].burst, 1);
	flood->cost = 100;
	run(scene, 10000000);
	assert_int_equal(flood->pair[0].burst, FRAME_BURST_MAX);
	flood->longest = 0;
	flood->cost = 5000; // 32 of them are too many, 13 are not.
	run(scene, 1000000);
	flood->longest = 0;
	run(scene, 100000000);
	assert_true(flood->longest <= TURN_BURST_CYCLES + 2 * 5000 + EMPTY_COST);
}

// Leaving the set does not clear a debt.
static void test_debt_stays(void **state)
{
	struct scene *scene = *state;
	struct source *small = add(scene, 0, 1, 100);
	struct source *flood = add(scene, 1, 1, 100000);

	small->endless = flood->endless = true;
	for (int i = 0; i < 10000; i++) {
		run(scene, 50000);
		if (!scene->turns.place[1])
			continue;
		turns_take_out(&scene->turns, &scene->turns.turn[scene->turns.place[1] - 1], 0);
		add(scene, 1, 1, 100000);
		flood->pair[0].burst = 1;
	}
	assert_in_range(share(scene, flood), 400, 560);
}

// Cycles from its last frame until the only queue leaves, after it had `frames` since it was woken.
static uint64_t time_to_leave(struct scene *scene, uint64_t frames)
{
	struct source *source = add(scene, 3, 1, 100);
	uint64_t now = scene->now;
	uint64_t last = now;

	source->waiting = frames;
	scene->may_sleep = true;
	scene->turns.quiet = 100000;
	while (scene->turns.count) {
		struct turn_sum sum = {0};
		turns_run(&scene->turns, &ops, scene, &sum, &now);
		last = sum.frames ? scene->now : last;
	}
	return scene->now - last;
}

// A pause in steady traffic costs no wake-up, a frame now and then not much polling.
static void test_a_busy_queue_waits_for_longer(void **state)
{
	struct scene *scene = *state;

	assert_in_range(time_to_leave(scene, 1), 100000, 110000);
	assert_in_range(time_to_leave(scene, 100), 1000000, 1200000);
	assert_in_range(time_to_leave(scene, 100000), 9000000, 14000000);
	assert_in_range(time_to_leave(scene, 1), 100000, 110000); // Woken anew.
}

static void test_quiet_queues_leave(void **state)
{
	struct scene *scene = *state;
	struct source *busy = add(scene, 7, 1, 100);

	busy->endless = true;
	scene->turns.quiet = 100000;
	for (uint16_t i = 8; i < 40; i++)
		add(scene, i, 1 + i % 16, 100);
	run(scene, 50000);
	assert_int_equal(scene->turns.count, 33); // Not yet.
	scene->may_sleep = true;
	run(scene, 2000000);
	assert_int_equal(scene->turns.count, 1);
	assert_int_equal(scene->turns.queue_count, 1);
	assert_int_equal(scene->turns.turn[0].slot, 7);
	scene->polls = scene->wasted = 0;
	run(scene, 2000000);
	assert_int_equal(scene->wasted, 0); // The sleeping ones cost nothing.
	busy->endless = false;
	busy->waiting = 0;
	while (scene->turns.count) {
		struct turn_sum sum = {0};
		uint64_t now = scene->now;
		turns_run(&scene->turns, &ops, scene, &sum, &now);
	}
	for (uint16_t i = 0; i < PORTS; i++)
		assert_int_equal(scene->turns.place[i], 0);
}

// Queues come and go in any order; the tables stay consistent, and everyone that is in is polled.
static void test_coming_and_going(void **state)
{
	struct scene *scene = *state;
	bool in[PORTS][VHOST_QUEUE_PAIRS_MAX] = {0};
	uint32_t count = 0;

	srandom(7);
	for (int round = 0; round < 20000; round++) {
		uint16_t slot = (uint16_t)(random() % PORTS);
		uint16_t pair = (uint16_t)(random() % VHOST_QUEUE_PAIRS_MAX);
		struct source *source = &scene->source[slot];
		source->queue[pair] = (struct port_queue){.port = &source->port, .pair = pair};
		source->pair[pair].burst = 1;
		source->cost = 100;
		source->waiting = 1;
		if (!in[slot][pair]) {
			turns_put(
				&scene->turns, slot, &source->queue[pair], &source->pair[pair], 0
			);
			in[slot][pair] = true;
			count++;
		} else {
			struct turn *turn = &scene->turns.turn[scene->turns.place[slot] - 1];
			uint32_t i = 0;
			while (turn->queue[i].pair != pair)
				i++;
			turns_take_out(&scene->turns, turn, i);
			in[slot][pair] = false;
			count--;
		}
		assert_int_equal(scene->turns.queue_count, count);
		struct turn_sum sum = {0};
		uint64_t now = scene->now;
		turns_run(&scene->turns, &ops, scene, &sum, &now);
	}
	for (uint32_t i = 0; i < scene->turns.count; i++) {
		const struct turn *turn = &scene->turns.turn[i];
		assert_int_equal(scene->turns.place[turn->slot], i + 1);
		for (uint32_t j = 0; j < turn->count; j++)
			assert_true(in[turn->slot][turn->queue[j].pair]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_flood_takes_its_share_only, set_up, tear_down
		),
		cmocka_unit_test_setup_teardown(
			test_shares_are_equal_whatever_frames_cost, set_up, tear_down
		),
		cmocka_unit_test_setup_teardown(test_a_small_demand_is_met, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_worker_is_never_idle_beside_work, set_up, tear_down
		),
		cmocka_unit_test_setup_teardown(
			test_polling_the_quiet_is_bounded, set_up, tear_down
		),
		cmocka_unit_test_setup_teardown(
			test_expensive_bursts_become_short, set_up, tear_down
		),
		cmocka_unit_test_setup_teardown(test_debt_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_quiet_queues_leave, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_busy_queue_waits_for_longer, set_up, tear_down
		),
		cmocka_unit_test_setup_teardown(test_coming_and_going, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
