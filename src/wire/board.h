// SPDX-License-Identifier: BSD-3-Clause
// What a switch that is gone was doing: a small memory of the switch's, which ringwayd has a descriptor of and reads with
// pread(2) when the switch has ended. Written by the switch's threads in single 32-bit words, relaxed: the memory is
// whole whenever the process ends.
#pragma once

#include "wire/wire.h"

#include <stdint.h>

#define BOARD_MAGIC 0x52574244u // "RWBD"

// Ports by id; 0: none.
struct board_worker {
	uint32_t source;      // Whose queue is being polled, or was polled last.
	uint32_t destination; // Whose ring is being written to, right now.
	uint32_t hung;	      // It stood still since the last ping.
	uint32_t pad[13];     // A cache line each.
};

struct board {
	uint32_t magic;
	uint32_t
		signal; // The fault that ended the process (SIGSEGV, ..), stored by its handler; 0: none.
	int32_t thread;	  // Which thread that was: a worker's index, or -1 for the control thread.
	uint32_t control; // The port whose front end's message is being handled.
	uint32_t pad[12];
	struct board_worker worker[WIRE_WORKERS_MAX];
};
