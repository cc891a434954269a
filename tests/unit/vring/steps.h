// SPDX-License-Identifier: BSD-3-Clause
// Watches how a function changes memory, one machine instruction at a time: what another process would find had this
// one ended there. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEPS_PIECES_MAX 4

struct steps {
	// What is watched. The calling process keeps its own copy up to date while the function runs in a child.
	struct {
		void *at;
		size_t size;
	} piece[STEPS_PIECES_MAX];
	uint32_t piece_count;
	void (*act)(void *ctx); // Runs in the child.
	// Runs in the calling process: before the first instruction (step 0), and whenever an instruction changed a piece.
	// What it writes into the pieces is written into the child, too.
	void (*seen)(void *ctx, uint32_t step);
	void *ctx;
};

// Returns the number of the last step. -ENOSYS where processes cannot be traced (emulators).
int steps_run(const struct steps *steps);
// Runs a check in a child, which may end by a failed assertion: what it changes stays there. Whether all held.
bool steps_check(void (*check)(void *ctx), void *ctx);
