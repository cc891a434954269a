// SPDX-License-Identifier: BSD-3-Clause
// Patience with functions that are on their way back: a container that is started again, or right after another one, finds
// them free a moment later.
#pragma once

#include "daemon/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETURNING_MS 10000 // A reset and two drivers take a second or two.

struct docker;

// True: a function of the network is being returned, and it is not yet then (CLOCK_MONOTONIC); the service lock was let go of
// for a moment, so that what was looked up before may be gone. Service lock held.
bool returning_wait(struct docker *docker, const char *network, int64_t until_ms);
// The same for certain functions, of whatever network.
bool returning_wait_named(
	struct docker *docker,
	const char (*addresses)[FUNCTION_SIZE],
	size_t count,
	int64_t until_ms
);
