// SPDX-License-Identifier: BSD-3-Clause
// The thread that keeps our rows and the engine's of one mind: it follows the engine's events and compares the
// lists of both sides (reconcile.h) when one says that something changed, and every 30 seconds.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct docker;
struct sync;

int sync_start(struct docker *docker, struct sync **ret_sync, struct rwy_err *err);
// Ends and joins the thread: at most a request to the engine later. Accepts NULL.
void sync_stop(struct sync *sync);
// A comparison is due. Any thread; accepts NULL.
void sync_wake(struct sync *sync);
// The engine's name of a network, as last listed; empty when it is not known. Any thread; accepts NULL.
void sync_network_name(struct sync *sync, const char *docker_id, char *ret_name, size_t size);
// Adds "reachable" and "version" of the engine. Any thread; accepts NULL.
void sync_engine_state(struct sync *sync, json_t *object);
