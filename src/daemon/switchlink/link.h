// SPDX-License-Identifier: BSD-3-Clause
// The connection to the switch, and the switch's life: found or started, greeted, watched, ended
// when it hangs, started anew when it ends. The main thread runs it; requests come from any
// thread. All share the lock that link_new() is given.
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "daemon/switchlink/spawn.h"
#include "wire/wire.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

struct link;

// Called with the lock held.
struct link_ops {
	void (*ready)(void *arg); // Main thread: a switch answers; it may have ports or none.
	void (*down)(void *arg);  // Main thread: it does no more.
	void (*port_event)(void *arg, const struct wire_port_event *event); // Any thread.
};

struct link_config {
	const char *socket_path;
	struct spawn_config spawn;
	const struct link_ops *ops;
	void *arg;
	pthread_mutex_t *lock;
	struct loop *loop;
};

// Everything config points to must outlive the link. NULL with errno.
struct link *link_new(const struct link_config *config);
// Finds or starts a switch and goes on from there in the loop. Main thread, lock held.
void link_start(struct link *link);
// Leaves the switch alone or ends it and waits for that. Main thread, lock held. Accepts NULL.
void link_free(struct link *link, bool end_switch);

// Waits up to timeout_ms for a switch that answers, letting go of the lock meanwhile: call it
// before anything was looked up. Never on the main thread. -EAGAIN: none came.
int link_wait(struct link *link, int timeout_ms, struct rwy_err *err);
bool link_is_ready(const struct link *link);

// A message for requests, zeroed: the link's own, valid until the lock is let go.
struct wire_msg *link_msg(struct link *link, enum wire_op op);

// Sends msg, which becomes the reply: the caller closes the reply's descriptors. The request's
// stay open. Lock held. -EAGAIN: no switch answers, in which case it may or may not have acted
// (link_take_doubt()); others are the switch's own.
int link_request(struct link *link, struct wire_msg *msg, struct rwy_err *err);

// Whether a request's fate is unknown since the last call, so that intent and switch must be
// compared.
bool link_take_doubt(struct link *link);

// Adds "switch": {"state","pid","program","restarts"} to object.
void link_describe(const struct link *link, json_t *object);
uint32_t link_pid(const struct link *link);
