// SPDX-License-Identifier: BSD-3-Clause
// Namespaces of a process that needs none of the host's, and the way out of the host's file system once the process has
// started. What can be done before a program runs is async-signal-safe: a fork of a process with threads may do it.
#pragma once

#include <stdint.h>

enum wall {
	WALL_ROOT = 1 << 0, // A mount namespace whose root is empty.
	WALL_NETWORK = 1 << 1,
	WALL_IPC = 1 << 2,
	WALL_UTS = 1 << 3,
};

struct walls {
	uint32_t standing; // Of enum wall.
	int32_t error;	   // Why one is missing: a negative errno. 0: none is.
};

// The environment variable that tells a program which descriptor its keeper holds the other end of.
#define WALLS_ENV "RINGWAY_KEEPER"

// Gives this process namespaces of its own, as far as it may, and starts its child, the *keeper*, which keeps the privileges that it
// takes to leave the host's file system: the process itself can give up all of its own before it loads or parses anything. Moves
// to "/". Needs a single thread. Returns the descriptor (16 or above, close-on-exec) for walls_close(); or a negative errno: a
// namespace was allowed and failed.
int walls_open(void);

// Has the keeper replace the root of this process, of all of its threads, by an empty directory; waits for its end and closes
// fd. The process has no other child. 0 with what stands, or a negative errno: the keeper is gone, or failed where it may not.
int walls_close(int fd, struct walls *ret_walls);

// Empties the bounding set of this thread: what it executes can get no capability. 0 or a negative errno.
int walls_drop_bounding(void);
