// SPDX-License-Identifier: BSD-3-Clause
// Frees a worker that a front end's eventfd holds up. The eventfd is the front end's: it can fill it and make
// it blocking again, and then the worker's write to it would wait for ever.
#pragma once

#include "switch/worker.h"

#include <pthread.h>
#include <stdbool.h>

// A worker and what was seen of it last.
struct watchdog_view {
	const struct worker *worker;
	const struct port *calling;
	uint64_t turns;
};

struct watchdog {
	struct watchdog_view view[WIRE_WORKERS_MAX];
	uint32_t count;
	pthread_t thread;
	bool started;
	bool stop;
};

// Starts the watchdog's thread for so many workers. 0 or a negative errno with err set.
int watchdog_start(
	struct watchdog *watchdog,
	struct worker *const *workers,
	uint32_t count,
	struct rwy_err *err
);

// Ends it, once the workers have ended. Safe when it was never started.
void watchdog_stop(struct watchdog *watchdog);
