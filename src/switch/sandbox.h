// SPDX-License-Identifier: BSD-3-Clause
// What the switch gives up before it reads the first byte of a peer.
#pragma once

#include "base/err.h"

#include <stdint.h>

// Gives up every capability and the way back to one. 0 or a negative errno.
int sandbox_drop_privileges(struct rwy_err *err);

// Filters the system calls of every thread: from here on the process can open no path and no socket,
// start no program and reach no other process. A call that is not on the list ends the process.
int sandbox_filter(struct rwy_err *err);

// Raises the limit of open descriptors to what is allowed: each port needs about 10. Returns it; 0: unknown.
uint64_t sandbox_raise_limits(void);
