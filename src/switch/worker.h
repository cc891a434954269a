// SPDX-License-Identifier: BSD-3-Clause
// A worker: the thread that moves frames. It polls the queues of its poll list, which the control thread
// replaces under RCU; everything else here is the worker's own.
#pragma once

#include "packet/offload.h"
#include "switch/fdb.h"
#include "switch/port.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_rcu_qsbr;
struct rte_ring;

#define WORKER_LEARN_RING 1024	// Addresses waiting for the control thread; a power of two.
#define WORKER_TOUCHED_MAX 1024 // Destination queues that one burst shows together.

struct poll_list {
	uint32_t count;
	struct port_queue *queue[];
};

// An address that a worker saw behind a learning port.
struct learn_post {
	uint64_t key;
	uint32_t port; // The port's id: the port may be gone when this is read.
	uint32_t pad;
};

struct worker {
	// Shared with the control thread.
	struct poll_list *poll;	     // Published.
	struct rte_ring *learn_ring; // struct learn_post, single producer and consumer.
	struct rte_rcu_qsbr *qsbr;
	const struct fdb *fdb;
	unsigned int core;  // The CPU it runs on.
	unsigned int index; // 0 .. WIRE_WORKERS_MAX - 1; also its number with qsbr.
	bool guarded;	    // There are several workers: destination queues have to be locked.
	int wake_fd;	    // eventfd: the control thread wakes a sleeping worker.
	int fault_fd;	    // eventfd: the worker reports a port's fault.
	bool stop;
	bool asleep;	      // Nothing to poll.
	int tid;	      // Linux thread id, for the watchdog's signal.
	struct port *calling; // Whose call eventfd is being written; NULL otherwise.
	uint64_t turns, busy_cycles, idle_cycles, frames;

	// The worker's own.
	uint32_t now_s;
	uint64_t now;	      // TSC, read before each queue is polled.
	uint64_t next_second; // TSC.
	uint64_t tsc_hz;
	struct fdb_cache cache;
	struct frame_burst burst;
	uint32_t touched_count;
	struct port_queue *touched[WORKER_TOUCHED_MAX];
	struct offload_split *split;
	struct offload_plan
		plan[FRAME_BURST_MAX]; // Of those frames of the burst that have a request.
};

// The thread's function (an rte_eal_remote_launch callback): runs until stop is set and wake_fd written.
int worker_main(void *arg);
