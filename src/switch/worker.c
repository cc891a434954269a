// SPDX-License-Identifier: BSD-3-Clause
// A worker's life and loop: one turn polls the queues of some ports. Runs on its own lcore, pinned. Reports a quiescent
// state once a turn, and is off line to RCU while it sleeps. turns.h says whose turn it is, poll.c who sleeps.
#include "switch/worker.h"

#include "switch/board.h"
#include "switch/call.h"
#include "switch/count.h"
#include "switch/forward.h"
#include "switch/poll.h"
#include "switch/tap.h"
#include "switch/tapbatch.h"

#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring_elem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

// How often a busy worker looks for kicks, a second. A look is a system call of less than half a microsecond, so this
// takes less than 1 % of a worker; a sleeping queue of a busy worker waits for 50 us at most.
#define LOOKS_A_SECOND 20000

static int open_descriptors(struct worker *worker)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = POLL_ID_WAKE};

	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->epoll_fd < 0 || worker->wake_fd < 0 ||
	    epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->wake_fd, &event))
		return -errno;
	return 0;
}

static int make_parts(struct worker *worker, const struct worker_config *config)
{
	char name[RTE_RING_NAMESIZE];

	int r = open_descriptors(worker);
	if (r)
		return r;
	if (turns_init(&worker->set, config->quiet_cycles))
		return -ENOMEM;
	worker->split = offload_split_new();
	worker->calls = call_ring_new();			      // It goes without, too,
	worker->batch = tap_batch_new();			      // and without this.
	(void)snprintf(name, sizeof(name), "learn%u", config->index); // It fits.
	worker->learn_ring = rte_ring_create_elem(
		name,
		sizeof(struct learn_post),
		WORKER_LEARN_RING,
		SOCKET_ID_ANY,
		RING_F_SP_ENQ | RING_F_SC_DEQ
	);
	if (!worker->split || !worker->learn_ring)
		return -ENOMEM;
	return rte_rcu_qsbr_thread_register(config->qsbr, config->index) ? -EINVAL : 0;
}

struct worker *worker_new(const struct worker_config *config, struct rwy_err *err)
{
	size_t size = (sizeof(struct worker) + 63) & ~(size_t)63;
	struct worker *worker = aligned_alloc(64, size);

	if (worker) {
		memset(worker, 0, size);
		worker->core = config->core;
		worker->index = config->index;
		worker->guarded = config->guarded;
		worker->fault_fd = config->fault_fd;
		worker->board = config->board;
		worker->tsc_hz = config->tsc_hz;
		worker->start_tsc = worker->next_second = config->start_tsc;
		worker->look_cycles = config->tsc_hz / LOOKS_A_SECOND;
		worker->ports = config->ports;
		worker->fdb = config->fdb;
		worker->stations = config->stations;
		worker->qsbr = config->qsbr;
		worker->epoll_fd = worker->wake_fd = -1;
	}
	int r = worker ? make_parts(worker, config) : -ENOMEM;
	if (r == 0)
		return worker;
	worker_free(worker);
	(void)err_set(err, r, "cannot make worker %u: %s", config->index, strerror(-r));
	errno = -r;
	return NULL;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->epoll_fd >= 0)
		(void)close(worker->epoll_fd); // Only waited on.
	if (worker->wake_fd >= 0)
		(void)close(worker->wake_fd); // The same.
	turns_fini(&worker->set);
	offload_split_free(worker->split);
	tap_io_free(worker->tap);
	tap_batch_free(worker->batch);
	call_ring_free(worker->calls);
	rte_ring_free(worker->learn_ring);
	free(worker);
}

// All workers count the same seconds, also those that slept through some.
static void tick(struct worker *worker)
{
	if (__builtin_expect(worker->now < worker->next_second, 1))
		return;
	uint64_t seconds = (worker->now - worker->start_tsc) / worker->tsc_hz;
	worker->now_s = (uint32_t)seconds;
	worker->next_second = worker->start_tsc + (seconds + 1) * worker->tsc_hz;
}

static uint32_t do_poll(void *ctx, struct port_queue *queue, uint32_t max, uint64_t now)
{
	struct worker *worker = ctx;
	worker->now = now;
	return forward_queue(worker, queue, max);
}

static uint64_t do_clock(void *ctx)
{
	return rte_rdtsc();
}

static bool do_sleep(void *ctx, struct turn_queue *queue, uint64_t now)
{
	return poll_arm(ctx, queue, now);
}

static const struct turn_ops ops = {
	.poll = do_poll,
	.clock = do_clock,
	.sleep = do_sleep,
};

static void run_turn(struct worker *worker)
{
	struct turn_sum sum = {0};
	uint64_t now = worker->now;

	turns_run(&worker->set, &ops, worker, &sum, &now);
	worker->now = now;
	count_add(&worker->busy_cycles, sum.busy);
	count_add(&worker->idle_cycles, sum.idle);
	count_add(&worker->frames, sum.frames);
	count_add(&worker->turns, 1);
	if (!sum.frames)
		rte_pause();
}

int worker_main(void *arg)
{
	struct worker *worker = arg;

	board_thread((int)worker->index);
	__atomic_store_n(&worker->tid, gettid(), __ATOMIC_RELEASE);
	worker->now = rte_rdtsc();
	rte_rcu_qsbr_thread_online(worker->qsbr, worker->index);
	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		rte_rcu_qsbr_quiescent(worker->qsbr, worker->index);
		fdb_cache_refresh(worker->fdb, &worker->cache);
		poll_refresh(worker);
		if (worker->set.count == 0) {
			poll_sleep(worker);
			continue;
		}
		tick(worker);
		run_turn(worker);
		poll_look(worker);
	}
	rte_rcu_qsbr_thread_offline(worker->qsbr, worker->index);
	return 0;
}
