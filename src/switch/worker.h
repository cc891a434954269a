// SPDX-License-Identifier: BSD-3-Clause
// A worker: the thread that moves frames. It polls the receive queues that the control thread put it in charge of, and
// sleeps when they do. docs/workers.md has the memory ordering of what is shared.
#pragma once

#include "packet/neighbor.h"
#include "packet/offload.h"
#include "packet/source.h"
#include "switch/fdb.h"
#include "switch/port.h"
#include "switch/turns.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_rcu_qsbr;
struct rte_ring;
struct stations;
struct call_ring;
struct tap_batch;
struct tap_io;

#define WORKER_LEARN_RING 1024	// Addresses waiting for the control thread; a power of two.
#define WORKER_TOUCHED_MAX 1024 // Destination queues that one burst shows together.

// An address that a worker saw behind a learning port.
struct learn_post {
	uint64_t key;
	uint32_t port; // The port's id: the port may be gone when this is read.
	uint32_t pad;
};

#define POLL_NEWS 512		// A power of two.
#define POLL_ID_WAKE UINT32_MAX // The wake_fd's id in the epoll set; others are slot << 4 | pair.

// Queues that the worker shall begin to poll, and ports whose queues it shall look up again. One producer, the control
// thread, and one consumer.
struct poll_news {
	uint32_t head; // Next to write. Stored with release.
	bool lost;     // There was no room: the worker looks at all ports.
	uint32_t id[POLL_NEWS];
	uint32_t tail __attribute__((aligned(64))); // Next to read. Stored with release.
};

// A frame of the switch's own.
struct worker_answer {
	struct frame frame;
	struct frame_seg seg;
	uint8_t bytes[NEIGHBOR_ANSWER_SIZE_MAX];
};

struct worker {
	// Constant while it runs.
	const struct port_table *ports;
	struct rte_ring *learn_ring; // struct learn_post, single producer and consumer.
	struct rte_rcu_qsbr *qsbr;
	const struct fdb *fdb;
	const struct stations *stations;
	unsigned int core;  // The CPU it runs on.
	unsigned int index; // 0 .. WIRE_WORKERS_MAX - 1; also its number with qsbr.
	bool guarded;	    // There are several workers: destination queues have to be locked.
	int epoll_fd;	    // Kick descriptors of its queues, and wake_fd.
	int wake_fd;	    // eventfd: the control thread wakes a sleeping worker.
	int fault_fd;	    // eventfd of all workers: one reports a port's fault.
	struct board_worker *board; // Its part of the switch's board.
	uint64_t tsc_hz;
	uint64_t start_tsc;   // Where now_s is 0; the same for all workers.
	uint64_t look_cycles; // Between two looks for kicks.

	// Written by the control thread.
	bool stop __attribute__((aligned(64)));
	uint32_t assigned; // Receive queues that it is in charge of. Relaxed.
	struct poll_news news;

	// Written by the worker, read by other threads. Relaxed where nothing else is said.
	bool asleep __attribute__((aligned(64))); // Blocks, or is about to.
	int tid;				  // Linux thread id, for the watchdog's signal.
	struct port *calling; // Whose call eventfd is being written; NULL otherwise.
	uint64_t turns, busy_cycles, idle_cycles, frames, sleeps;
	uint32_t awake; // Receive queues that it polls now.

	// The worker's own.
	uint32_t now_s;	      // Seconds since start_tsc. The control thread's is switch_seconds().
	uint64_t now;	      // TSC, read before each queue is polled.
	uint64_t next_second; // TSC.
	uint64_t next_look;   // TSC.
	struct turns set;     // The queues that it polls.
	struct fdb_cache cache;
	struct port *source;	 // Whose burst is in the air.
	struct tap_io *tap;	 // NULL as long as there is no TAP. The control thread makes it.
	struct call_ring *calls; // NULL: call eventfds are written to.
	struct tap_batch *batch; // NULL: frames are written to TAPs one by one.
	struct frame_burst burst;
	uint32_t touched_count;
	struct port_queue *touched[WORKER_TOUCHED_MAX];
	struct offload_split *split;
	struct offload_plan
		plan[FRAME_BURST_MAX]; // Of those frames of the burst that have a request.
	uint8_t look[FRAME_BURST_MAX][SOURCE_HEAD_MAX]; // Longer private heads of this burst.
	struct worker_answer answer;			// To a neighbour request of this burst.
};

// What a worker is made of. The tables are its users' and stay until it is freed.
struct worker_config {
	unsigned int index, core;
	bool guarded;
	int fault_fd;
	struct board_worker *board; // Never NULL.
	uint64_t quiet_cycles;	    // UINT64_MAX: queues never sleep.
	uint64_t tsc_hz, start_tsc;
	const struct port_table *ports;
	const struct fdb *fdb;
	const struct stations *stations;
	struct rte_rcu_qsbr *qsbr; // The worker registers with it under its index.
};

// NULL with err set. The EAL runs.
struct worker *worker_new(const struct worker_config *config, struct rwy_err *err);
// Once its thread has ended. Accepts NULL.
void worker_free(struct worker *worker);

// The thread's function (an rte_eal_remote_launch callback): runs until stop is set and it is woken.
int worker_main(void *arg);
