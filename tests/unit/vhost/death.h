// SPDX-License-Identifier: BSD-3-Clause
// Lets a process die at a chosen instant. One thread.
#pragma once

enum death {
	DEATH_MET,	// It died there.
	DEATH_AFTER,	// It had returned before.
	DEATH_UNTRACED, // Processes cannot be traced here (emulators).
};

// Runs act in a child, which is killed `steps` instructions behind its stop number `stop`: each system call stops it before
// and behind.
enum death death_run(void (*act)(void *ctx), void *ctx, unsigned int stop, unsigned int steps);
