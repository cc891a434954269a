// SPDX-License-Identifier: BSD-3-Clause
// The connection to the switch, and the life of switches: one runs, found or started, greeted, watched, ended when it hangs;
// another one, the spare, waits for its end. The main thread runs it; requests come from any thread. All share the lock that
// link_new() is given.
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "daemon/switchlink/spawn.h"
#include "wire/wire.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

struct link;

// How a switch ended that was not asked to.
struct link_end {
	char text[128];	 // "switch 7 ended: signal 11 (Segmentation fault)"
	uint32_t blamed; // The port in whose service a fault was; 0: none, or none is to blame.
};

// Called with the lock held.
struct link_ops {
	// A switch that was never started is there: tell it everything, by link_queue(). 0: it may be started. The thread that has
	// the lock; main, or that of a handover.
	int (*prepare)(void *arg, struct rwy_err *err);
	// Main thread: a switch answers and runs. `found`: it ran before, and may have ports; otherwise it was prepared.
	void (*ready)(void *arg, bool found);
	void (*down)(void *arg); // Main thread: it does no more; its last events were told.
	void (*ended)(void *arg, const struct link_end *end); // Main thread, after down().
	void (*port_event)(void *arg, const struct wire_port_event *event); // Any thread.
	// WIRE_KEEP or WIRE_DROP. Descriptors that are taken are -1 afterwards. Any thread.
	void (*kept)(void *arg, struct wire_msg *msg);
};

struct link_config {
	const char *socket_path;
	struct spawn_config spawn;
	bool no_spare;
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

// What the switch that requests go to said of itself, or zero.
const struct wire_hello *link_hello(const struct link *link);

// A message for requests, zeroed: the link's own, valid until the lock is let go.
struct wire_msg *link_msg(struct link *link, enum wire_op op);

// Sends msg, which becomes the reply: the caller closes the reply's descriptors. The request's
// stay open. Lock held. -EAGAIN: no switch answers, in which case it may or may not have acted
// (link_take_doubt()); others are the switch's own.
int link_request(struct link *link, struct wire_msg *msg, struct rwy_err *err);

// Requests that need not wait for each other. `reply` has its error, or its args and descriptors; what is left of these is
// closed after. `ref` is the caller's.
typedef void link_answer(void *arg, uint32_t ref, struct wire_msg *reply);
// Sends msg; while too many are unanswered, takes answers first. 0, or as link_request() when no switch answers, after
// which there are no more answers.
int link_queue(
	struct link *link,
	struct wire_msg *msg,
	link_answer *answer,
	void *arg,
	uint32_t ref
);
// Takes all answers that are due.
int link_settle(struct link *link, struct rwy_err *err);

// Whether a request's fate is unknown since the last call, so that intent and switch must be
// compared.
bool link_take_doubt(struct link *link);

struct link_handover {
	uint64_t gap_us; // From release of the old one to the answer of the new one's start.
	uint32_t pid;
};

// Hands over to a new switch, as service_switch_restart() says. Lets go of the lock while it waits for one.
int link_handover(
	struct link *link,
	const char *path,
	struct link_handover *ret,
	struct rwy_err *err
);

struct link_info {
	const char *state;
	uint32_t pid, spare_pid;
	bool spare_wanted;
	char program[32];
	const char *path;
	uint32_t restarts, handovers;
	uint64_t last_gap_us;
};
// What it points to is the link's, valid while the lock is held.
void link_get(const struct link *link, struct link_info *ret_info);

// Adds "switch": {"state","pid","program","restarts"} to object.
void link_describe(const struct link *link, json_t *object);
uint32_t link_pid(const struct link *link);
