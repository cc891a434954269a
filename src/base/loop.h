// SPDX-License-Identifier: BSD-3-Clause
// One thread's event loop over epoll: descriptors and timers. All calls from the loop's own thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;

// `events` are epoll's (EPOLLIN, ..). The callback may remove any source, its own included.
typedef void loop_fd_cb(void *arg, uint32_t events);
typedef void loop_timer_cb(void *arg);

// NULL with errno on failure.
struct loop *loop_new(void);
// Frees the loop and every source still in it; descriptors stay their owners'.
void loop_free(struct loop *loop);

// Watches fd, level-triggered unless events have EPOLLET. The descriptor stays the caller's and must stay open until the
// source is removed. NULL with errno on failure.
struct loop_source *loop_add_fd(
	struct loop *loop,
	int fd,
	uint32_t events,
	loop_fd_cb *cb,
	void *arg
);

// Changes what is watched for; with EPOLLET what is ready comes once more. 0 or a negative errno.
int loop_set_events(struct loop_source *source, uint32_t events);

// A timer: first after `first_ms`, then every `every_ms` (0: once, and the source stays until it is
// removed or set again). NULL with errno on failure.
struct loop_source *loop_add_timer(
	struct loop *loop,
	uint64_t first_ms,
	uint64_t every_ms,
	loop_timer_cb *cb,
	void *arg
);

// Sets a timer anew; first_ms 0 stops it. 0 or a negative errno.
int loop_set_timer(struct loop_source *source, uint64_t first_ms, uint64_t every_ms);

// Accepts NULL. The memory goes away after the current turn, so a stale event finds nothing.
void loop_remove(struct loop_source *source);

// Runs until loop_stop(). 0 or a negative errno.
int loop_run(struct loop *loop);
// One turn: waits at most timeout_ms (-1: for ever) and handles what is ready. 0 or negative errno.
int loop_turn(struct loop *loop, int timeout_ms);
void loop_stop(struct loop *loop);
