// SPDX-License-Identifier: BSD-3-Clause
// A port's limits as token buckets. Bytes are those of frames without FCS; a segment that travels whole counts as one
// frame. A bucket may go into debt by what one burst takes over its level, and pays that back first, so that
// a frame larger than the burst still passes at the right rate.
#pragma once

#include "wire/wire.h"

#include <stdbool.h>
#include <stdint.h>

// Tokens are bytes or frames.
struct bucket {
	uint64_t rate; // Tokens a second. 0: no limit.
	int64_t burst; // Most tokens it holds.
	int64_t level;
	uint64_t filled; // TSC up to which it was filled.
};

// Shared by the workers that poll the port's queues or deliver to it.
struct limits {
	// Read by workers without the lock (limits_are_on()), written by the control thread: the rest is used only where
	// the one that goes with it is true.
	bool has_rx, has_tx, has_flood;
	bool lock; // Taken where there are several workers.
	uint64_t tsc_hz;
	struct bucket rx_bytes, rx_frames;
	struct bucket tx_bytes, tx_frames;
	struct bucket flood;
};

// Full buckets. tsc_hz: cycles a second; now: TSC. Control thread, while no worker uses the port.
void limits_init(
	struct limits *limits,
	const struct wire_limits *spec,
	uint64_t tsc_hz,
	uint64_t now
);

// Turns all limits off. When every worker has then passed a quiescent state, none uses them, and limits_init() may
// change them. Control thread.
void limits_stop(struct limits *limits);

// Whether one of the has_ members is true: pairs with limits_init(), so that who sees it sees the buckets too. Workers.
static inline bool limits_are_on(const bool *has)
{
	return __atomic_load_n(has, __ATOMIC_ACQUIRE);
}

// How many frames may be taken from the port now, at most `max`. Only with has_rx.
uint32_t limits_rx_allowance(struct limits *limits, uint64_t now, uint32_t max);
// Notes what was taken.
void limits_rx_taken(struct limits *limits, uint32_t frames, uint64_t bytes);

// Whether one frame of so many bytes may be delivered to the port now, and notes it. Only with has_tx.
bool limits_tx_pass(struct limits *limits, uint64_t now, uint32_t bytes);

// Whether the port may send one more frame to everybody now, and notes it. Only with has_flood.
bool limits_flood_pass(struct limits *limits, uint64_t now);
