// SPDX-License-Identifier: BSD-3-Clause
// Frees a worker that a front end's eventfd holds up. The eventfd is the front end's: it can fill it and make
// it blocking again, and then the worker's write to it would wait for ever.
#pragma once

#include "switch/worker.h"

#include <pthread.h>
#include <stdbool.h>

struct watchdog {
	const struct worker *worker;
	const struct port *calling; // What it saw last.
	uint64_t turns;
	pthread_t thread;
	bool started;
	bool stop;
};

// Starts the watchdog's thread. 0 or a negative errno with err set.
int watchdog_start(struct watchdog *watchdog, const struct worker *worker, struct rwy_err *err);

// Ends it, once the worker has ended. Safe when it was never started.
void watchdog_stop(struct watchdog *watchdog);
