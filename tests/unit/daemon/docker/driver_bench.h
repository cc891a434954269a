// SPDX-License-Identifier: BSD-3-Clause
// A driver in front of a service in memory: its handlers are called as the server calls them. The engine is never
// asked (there is none).
#pragma once

#include "daemon/docker/internal.h"

#include <jansson.h>

#define NET "c578499a13119da8ae94cb2b2a69f0243c6045cbdcf9f64ff577cae141904b8d"

struct driver_bench {
	char dir[64];
	struct docker docker;
	json_t *reply; // Of the last call.
	struct rwy_err err;
};

int driver_bench_setup(void **state);
// Fails where the service lock was left held.
int driver_bench_teardown(void **state);

// Makes a call of the driver; what its handler returned.
int driver_bench_call(struct driver_bench *bench, const char *name, const char *body);
void driver_bench_expect(struct driver_bench *bench, const char *text);
// The call failed, with a text for the engine that says this in one line, and once what could not be done.
void driver_bench_refused(struct driver_bench *bench, int r, const char *said);
// CreateNetwork of NET with 10.1.0.0/24.
void driver_bench_network(struct driver_bench *bench);
// A call that names an endpoint of NET and a sandbox.
int driver_bench_endpoint(struct driver_bench *bench, const char *name, const char *id);
