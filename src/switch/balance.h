// SPDX-License-Identifier: BSD-3-Clause
// Which worker a receive queue belongs to, by measured load. Pure functions, any thread; assign.c acts on them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// What is known of a worker.
struct balance_worker {
	uint64_t busy_permille; // Of the last interval.
	uint32_t fresh;		// Queues that it got since, whose load is not known yet.
	uint32_t queues;	// All of its queues.
};

// The worker that a new queue goes to: the least loaded one; among those the one with the fewest queues.
uint32_t balance_place(const struct balance_worker *workers, uint32_t count);

// What is known of a receive queue.
struct balance_queue {
	uint16_t worker;
	bool settled;	 // It has not changed hands lately, so it may.
	uint64_t cycles; // Busy cycles of the last interval.
};

struct balance_move {
	uint32_t queue; // Index.
	uint16_t from, to;
};

// Whether one queue should move from the busiest worker to the idlest: the busiest has much to do, and the larger one of both
// loads becomes smaller by a clear amount. interval: cycles that one worker had. With loads that stay as they are the larger
// load falls with every move, so queues never go back and forth.
bool balance_pick(
	const struct balance_queue *queues,
	uint32_t queue_count,
	uint32_t worker_count,
	uint64_t interval,
	struct balance_move *ret_move
);
