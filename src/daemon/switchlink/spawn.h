// SPDX-License-Identifier: BSD-3-Clause
// Starting the switch: a process of its own session and user, which outlives us. Main thread.
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct spawn_config {
	const char *binary;
	const char *cores; // --cores of the switch, or NULL.
	const char *poll;  // --poll, or NULL.
	const char *quiet; // --quiet, or NULL.
	const char *user;  // Falls back to nobody, with a warning.
};

// Starts the switch from the program that binary_fd (O_PATH) is, as a spare: sock is its descriptor 3, a connection with us. 0
// once the program runs, with its pid; or a negative errno of whatever kept it from running.
int spawn_switch(
	const struct spawn_config *config,
	int binary_fd,
	int sock,
	pid_t *ret_pid,
	struct rwy_err *err
);
