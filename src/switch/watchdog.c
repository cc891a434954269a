// SPDX-License-Identifier: BSD-3-Clause
// The watchdog's thread. It has one of its own because the control thread waits for the workers whenever queues
// change, so it cannot be the one that ends a worker's wait.
#include "switch/watchdog.h"

#include "switch/count.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WATCH_NS 20000000

// The handler only has to exist, so that a blocked write() returns EINTR.
static void on_interrupt(int signal)
{
}

// A worker that is in the same call of the same port as 20 ms ago, without a turn in between, is blocked.
// The signal ends the write; the worker then gives the port up. Should the signal come just before the
// write blocks, the next look sends another.
static void look(struct watchdog_view *view)
{
	const struct worker *worker = view->worker;
	const struct port *calling = __atomic_load_n(&worker->calling, __ATOMIC_RELAXED);
	uint64_t turns = count_read(&worker->turns);

	if (calling && calling == view->calling && turns == view->turns)
		(void)tgkill(getpid(), __atomic_load_n(&worker->tid, __ATOMIC_ACQUIRE), SIGUSR1);
	view->calling = calling;
	view->turns = turns;
}

static void *watch(void *arg)
{
	struct watchdog *watchdog = arg;
	const struct timespec pause = {.tv_nsec = WATCH_NS};

	while (!__atomic_load_n(&watchdog->stop, __ATOMIC_ACQUIRE)) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL); // Sooner is no harm.
		for (uint32_t i = 0; i < watchdog->count; i++)
			look(&watchdog->view[i]);
	}
	return NULL;
}

int watchdog_start(
	struct watchdog *watchdog,
	struct worker *const *workers,
	uint32_t count,
	struct rwy_err *err
)
{
	struct sigaction action = {.sa_handler = on_interrupt}; // No SA_RESTART: its purpose.

	if (sigaction(SIGUSR1, &action, NULL))
		return err_set(err, -errno, "cannot catch SIGUSR1: %s", strerror(errno));
	for (uint32_t i = 0; i < count; i++)
		watchdog->view[i].worker = workers[i];
	watchdog->count = count;
	int r = pthread_create(&watchdog->thread, NULL, watch, watchdog);
	if (r)
		return err_set(err, -r, "cannot start the watchdog: %s", strerror(r));
	watchdog->started = true;
	return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (!watchdog->started)
		return;
	__atomic_store_n(&watchdog->stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(watchdog->thread, NULL); // It exists and ends.
}
