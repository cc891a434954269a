// SPDX-License-Identifier: BSD-3-Clause
// The switch's board (wire/board.h): says what this process was doing when it ended. Threads note the port that they work
// for; a handler notes the fault.
#pragma once

#include "base/err.h"
#include "wire/board.h"

#define BOARD_CONTROL (-1) // board_thread() of the control thread.

// Makes it: a sealed memfd, and the handlers of faults. Once a process, before threads are started. NULL with err set.
struct board *board_new(int *ret_fd, struct rwy_err *err);

// Says which thread calls: a worker's index or BOARD_CONTROL.
void board_thread(int thread);

// NOLINTNEXTLINE(readability-non-const-parameter): written by the builtin.
static inline void board_note(uint32_t *word, uint32_t port)
{
	__atomic_store_n(word, port, __ATOMIC_RELAXED);
	// Behind it comes what it is about, also for the compiler.
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
