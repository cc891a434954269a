// SPDX-License-Identifier: BSD-3-Clause
// Frames into ports: the queue that a flow belongs to, what the port's limits let through, requests that its front end does
// not take over done in software, notification. Runs on a worker; a destination queue is locked where there are several.
#pragma once

#include "switch/worker.h"

// Delivers frames of the worker's burst to one port, those of one flow in order. What cannot be delivered is
// dropped and counted at that port.
void deliver_run(
	struct worker *worker,
	struct port *to,
	const struct frame *const *run,
	uint32_t count
);

// Shows what the burst delivered.
void deliver_show(struct worker *worker);

// Behind a full fence (vring_fence): signals the front ends of what was shown that want it, and forgets it.
void deliver_signal(struct worker *worker);

// Signals the front end that owns the queue.
void deliver_call(struct worker *worker, const struct port_queue *queue);

// Leaves a fault in the port for the control thread. The first one counts.
void deliver_report_fault(struct worker *worker, struct port *port, uint32_t fault);
