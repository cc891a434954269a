// SPDX-License-Identifier: BSD-3-Clause
// A receive queue, whatever it is: a front end's transmit ring, or a TAP's queue. Asked once a burst, so that rings pay
// nothing for there being something else. Runs on the worker in charge of the queue.
#pragma once

#include "switch/deliver.h"
#include "switch/tap.h"

// Takes at most `max` frames into the worker's burst. Returns how many chains or frames it took in all, dropped ones (added to
// ret_drops) included. A burst that took some is to be completed. Faults are reported.
static inline uint32_t source_take(
	struct worker *worker,
	struct port_queue *queue,
	uint32_t max,
	uint64_t ret_drops[VRING_DROP_COUNT]
)
{
	struct vring *ring = queue->ring;

	if (__builtin_expect(!ring, 0))
		return tap_take(worker, queue, max, ret_drops);
	(void)vring_take(ring, &worker->burst, max, ret_drops); // The count is in the burst.
	if (__builtin_expect(ring->fault != VRING_FAULT_NONE, 0))
		deliver_report_fault(worker, queue->port, ring->fault);
	return ring->taken_count;
}

// Gives back what was taken. What was read from a TAP is the switch's already: a crash loses the burst.
static inline void source_complete(struct port_queue *queue)
{
	if (__builtin_expect(queue->ring != NULL, 1))
		vring_complete(queue->ring);
}

// Behind a full fence: signals the front end for what was completed, if it wants that.
static inline void source_signal(struct worker *worker, struct port_queue *queue)
{
	if (queue->call_fd >= 0 && vring_wants_call_fenced(queue->ring))
		deliver_call(worker, queue);
}

// The queue is polled from now on.
static inline void source_wake(struct port_queue *queue)
{
	if (queue->ring)
		vring_set_notify(queue->ring, false);
	else
		tap_wake(queue);
}

// Makes sure that work which comes from now on is an event of the worker's epoll set. To be followed by a look at
// source_has_work(). docs/workers.md says why no wake-up is lost.
static inline void source_arm(struct port_queue *queue)
{
	// A TAP's descriptor is in the set all the time, and every frame is an event.
	if (queue->ring)
		vring_set_notify(queue->ring, true);
}

static inline bool source_has_work(const struct port_queue *queue)
{
	return queue->ring ? vring_has_work(queue->ring) : tap_has_work(queue);
}
