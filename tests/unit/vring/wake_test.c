// SPDX-License-Identifier: BSD-3-Clause
// A front end and a back end on two threads, each asleep whenever it finds nothing to do: whoever sleeps is woken,
// with flags, event indices and event structures. A wake-up that is lost leaves both asleep. The front end is the
// test's thread; the other one owns the back end.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FRAMES 10000
#define SIZE 60
// Nobody sleeps so long whom anybody wakes.
#define LOST_MS 20000

struct wake {
	struct bench *bench;
	int kick_fd; // Wakes the back end,
	int call_fd; // and the front end.
	struct drv_random random;
	struct drv_random back_random;
	uint64_t back_sleeps;
	const char *back_error; // Read when its thread has ended.
};

static bool sleep_on(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	uint64_t count;

	return poll(&poll_fd, 1, LOST_MS) == 1 && read(fd, &count, sizeof(count)) == sizeof(count);
}

static bool wake_up(int fd)
{
	uint64_t one = 1;
	return write(fd, &one, sizeof(one)) == sizeof(one);
}

// Lets the other one run in a place where it matters.
static void maybe_yield(struct drv_random *random)
{
	if (drv_random_below(random, 4) == 0)
		sched_yield();
}

// What a worker does when a queue is quiet: arm, look once more, sleep. False: nobody woke it.
static bool back_idle(struct wake *wake)
{
	struct vring *ring = &wake->bench->back;

	maybe_yield(&wake->back_random);
	vring_set_notify(ring, true);
	if (!vring_has_work(ring)) {
		wake->back_sleeps++;
		if (!sleep_on(wake->kick_fd))
			return false;
	}
	vring_set_notify(ring, false);
	return true;
}

static const char *back_run(struct wake *wake)
{
	struct bench *bench = wake->bench;
	uint32_t left = FRAMES;

	while (left) {
		uint32_t max = 1 + drv_random_below(&wake->back_random, FRAME_BURST_MAX);
		uint32_t count = vring_take(&bench->back, &bench->burst, max, bench->drops);
		if (count != bench->back.taken_count || count > left)
			return "frames that were not sent";
		left -= count;
		vring_complete(&bench->back);
		if (count && vring_wants_call(&bench->back) && !wake_up(wake->call_fd))
			return "the front end's event does not work";
		if (!count && !back_idle(wake))
			return "the back end was not woken";
		maybe_yield(&wake->back_random);
	}
	return NULL;
}

static void *back_thread(void *opaque)
{
	struct wake *wake = opaque;
	wake->back_error = back_run(wake);
	return NULL;
}

static uint32_t front_collect(struct bench *bench)
{
	uint32_t count = 0;

	while (drv_ring_collect(bench->front, &bench->used))
		count++;
	return count;
}

// Asks to be woken by one of the outstanding chains, looks once more, sleeps. Returns what it found.
static uint32_t front_idle(struct wake *wake)
{
	struct drv_ring *front = wake->bench->front;
	uint32_t later = drv_random_below(&wake->random, front->outstanding);
	bool event = drv_random_below(&wake->random, 2);

	maybe_yield(&wake->random);
	drv_ring_wish(front, event ? DRV_WISH_AFTER : DRV_WISH_ALWAYS, later);
	uint32_t found = front_collect(wake->bench);
	if (!found && !sleep_on(wake->call_fd))
		fail_msg("the front end was not woken");
	drv_ring_wish(front, DRV_WISH_NEVER, 0);
	return found;
}

static void front_run(struct wake *wake)
{
	struct bench *bench = wake->bench;
	uint32_t sent = 0;
	uint32_t collected = 0;

	while (collected < FRAMES) {
		uint32_t burst = 1 + drv_random_below(&wake->random, bench->front->size);
		uint32_t room = bench->front->size - bench->front->outstanding;
		burst = burst < room ? burst : room;
		burst = burst < FRAMES - sent ? burst : FRAMES - sent;
		for (uint32_t i = 0; i < burst; i++)
			bench_send(bench, DRV_SHAPE_ONE, SIZE, sent++);
		if (drv_ring_kick_due(bench->front))
			assert_true(wake_up(wake->kick_fd));
		maybe_yield(&wake->random);
		collected += front_collect(bench);
		if (bench->front->outstanding && drv_random_below(&wake->random, 2))
			collected += front_idle(wake);
	}
}

static void run(struct drv_random *random, bool packed, bool event_idx, uint32_t size)
{
	struct vring_config config = {
		.packed = packed,
		.event_idx = event_idx,
		.size = size,
		.header_size = 12,
		.base = packed ? 0x8000 : 65530,
	};
	struct wake wake = {
		.bench = bench_new_config(&config),
		.kick_fd = eventfd(0, EFD_CLOEXEC),
		.call_fd = eventfd(0, EFD_CLOEXEC),
		.random = {drv_random_next(random) | 1},
		.back_random = {drv_random_next(random) | 1},
	};
	pthread_t thread;

	assert_true(wake.kick_fd >= 0 && wake.call_fd >= 0);
	drv_ring_wish(wake.bench->front, DRV_WISH_NEVER, 0);
	assert_int_equal(pthread_create(&thread, NULL, back_thread, &wake), 0);
	front_run(&wake);
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (wake.back_error)
		fail_msg("%s", wake.back_error);
	// Otherwise nobody had to be woken.
	assert_true(wake.back_sleeps > 0);
	close(wake.kick_fd);
	close(wake.call_fd);
	bench_free(wake.bench);
}

static void test_whoever_sleeps_is_woken(void **state)
{
	static const uint32_t sizes[] = {2, 8, 128};
	struct drv_random random = drv_random_seeded();

	for (uint32_t i = 0; i < 4; i++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			run(&random, i & 1, i & 2, sizes[s]);
	run(&random, true, true, 1);
	run(&random, true, true, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_whoever_sleeps_is_woken)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
