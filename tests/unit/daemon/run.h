// SPDX-License-Identifier: BSD-3-Clause
// A ringwayd of one's own with the fake switch, in a directory of its own, for tests. Needs root.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct run {
	char dir[64];	  // Holds all of it.
	char run_dir[96]; // dir/run
	char state_dir[96];
	char log[96];
	pid_t pid; // 0: not running.
	bool no_spare;
};

void run_make(struct run *run);	 // Makes the directories.
void run_start(struct run *run); // Starts ringwayd and waits until it serves and has a switch.
int run_fork(struct run *run);	 // Starts it and waits for its end: its exit status.
void run_kill(struct run *run, int signal); // Ends it and waits.
void run_remove(struct run *run);	    // Ends all and removes the directories.

// Calls the API: the status, and the answer's object, which is the caller's.
int run_call(
	const struct run *run,
	const char *method,
	const char *url,
	const char *body,
	json_t **ret_answer
);
// Fails the test unless the status is `status`; "" or a part of the answer's text.
void run_expect(
	const struct run *run,
	const char *call, // "GET /v1/ports"
	const char *body,
	int status,
	const char *part
);
// Waits until the answer to GET url holds part; fails after many tries.
void run_await(const struct run *run, const char *url, const char *part);

int run_connect(const char *path); // To a stream socket: the descriptor, or -1 with errno.
bool run_has_file(const struct run *run, const char *name); // Below dir.
pid_t run_switch_pid(const struct run *run);		    // As the API says; 0: none.

// Makes network n, 10.0.0.0/24.
void run_make_network(const struct run *run);
// Makes a port on it; `more` is further members of the request: ",\"queues\":2".
void run_make_port(const struct run *run, const char *name, const char *more);
