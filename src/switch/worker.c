// SPDX-License-Identifier: BSD-3-Clause
// A worker's loop: one turn polls every queue of the poll list once. Runs on its own lcore, pinned. Reports
// a quiescent state once a turn, and is off line to RCU while it sleeps.
#include "switch/worker.h"

#include "switch/count.h"
#include "switch/forward.h"

#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void tick(struct worker *worker, uint64_t now)
{
	if (__builtin_expect(now < worker->next_second, 1))
		return;
	worker->now_s++;
	worker->next_second = now + worker->tsc_hz;
}

// Blocks until the control thread has something new. It publishes first and writes wake_fd then, so the
// news is seen after the read: no wake-up is lost.
static void sleep_until_woken(struct worker *worker)
{
	eventfd_t value;

	rte_rcu_qsbr_thread_offline(worker->qsbr, worker->index);
	__atomic_store_n(&worker->asleep, true, __ATOMIC_RELEASE);
	while (eventfd_read(worker->wake_fd, &value) && errno == EINTR)
		;
	__atomic_store_n(&worker->asleep, false, __ATOMIC_RELEASE);
	rte_rcu_qsbr_thread_online(worker->qsbr, worker->index);
}

static uint32_t poll_once(struct worker *worker, const struct poll_list *list)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < list->count; i++)
		taken += forward_queue(worker, list->queue[i], FRAME_BURST_MAX);
	return taken;
}

int worker_main(void *arg)
{
	struct worker *worker = arg;
	uint64_t start = rte_rdtsc();

	__atomic_store_n(&worker->tid, gettid(), __ATOMIC_RELEASE);
	worker->next_second = start + worker->tsc_hz;
	rte_rcu_qsbr_thread_online(worker->qsbr, worker->index);
	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		rte_rcu_qsbr_quiescent(worker->qsbr, worker->index);
		fdb_cache_refresh(worker->fdb, &worker->cache);
		const struct poll_list *list = __atomic_load_n(&worker->poll, __ATOMIC_ACQUIRE);
		if (!list || list->count == 0) {
			sleep_until_woken(worker);
			start = rte_rdtsc();
			continue;
		}
		uint32_t taken = poll_once(worker, list);
		uint64_t now = rte_rdtsc();
		count_add(taken ? &worker->busy_cycles : &worker->idle_cycles, now - start);
		count_add(&worker->frames, taken);
		count_add(&worker->turns, 1);
		start = now;
		tick(worker, now);
		if (!taken)
			rte_pause();
	}
	rte_rcu_qsbr_thread_offline(worker->qsbr, worker->index);
	return 0;
}
