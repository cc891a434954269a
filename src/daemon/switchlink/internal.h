// SPDX-License-Identifier: BSD-3-Clause
// What the files of switchlink/ share: link.c (requests), connect.c (sockets), supervise.c (the
// switch's life). Under the lock of the config.
#pragma once

#include "daemon/switchlink/link.h"

#define LINK_REQUEST_MS 2000
#define LINK_GREETING_TICKS 5 // Heartbeats until a switch that does not greet is given up.
#define LINK_MISSES_MAX 3     // Heartbeats without a sign of life.
#define LINK_BEAT_MS 1000
#define LINK_BACKOFF_FIRST_MS 100
#define LINK_BACKOFF_LAST_MS 5000
#define LINK_QUICK_MS 1000 // A switch that lives shorter makes the next one wait.

enum link_state {
	LINK_DOWN,     // Nothing there; the retry timer runs.
	LINK_GREETING, // Connected, hello sent.
	LINK_READY,
	LINK_STATE_COUNT
};

struct link {
	struct link_config config;
	enum link_state state;
	int sock;
	struct loop_source *sock_source;
	int listen_fd; // -1 when someone else holds it: systemd, or a switch of an earlier ringwayd.
	int pidfd;     // -1: not known yet.
	struct loop_source *pidfd_source;
	struct loop_source *beat;
	struct loop_source *retry;
	pthread_cond_t ready_cond;
	uint32_t pid;
	char program[32];
	uint32_t starts;
	uint64_t started_ms;
	uint64_t backoff_ms;
	uint32_t next_id;
	uint32_t hello_id;
	// Heartbeat: whether the last beat's ping came back with progress, and how many did not.
	bool alive;
	uint64_t turns;
	uint32_t misses;
	bool doubt;
	struct wire_msg request;  // link_msg().
	struct wire_msg incoming; // What comes while nobody waits for it.
};

uint64_t link_now_ms(void);

// Handles a message that no request waits for: event, pong, hello, late reply.
void link_dispatch(struct link *link, struct wire_msg *msg);
// Sends a request without waiting. 0 or a negative errno.
int link_post(struct link *link, struct wire_msg *msg);

// Connects to the socket's path with credentials on. The socket or a negative errno.
int link_connect(const char *path);
// Binds and listens on it, replacing a dead one. The socket or a negative errno.
int link_listen(const char *path, struct rwy_err *err);
// The pid of the process that sent the message waiting on sock, from the kernel; 0: not known.
uint32_t link_peer_pid(int sock);
// Whether any process listens on path.
bool link_is_listened(const char *path);

// The switch greeted. Main thread.
void link_greeted(struct link *link, const struct wire_hello *hello);
// The connection ended. Any thread: the main thread will notice and go on.
void link_break(struct link *link);
