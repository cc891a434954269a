// SPDX-License-Identifier: BSD-3-Clause
// What the switch gives up before it reads the first byte of a peer.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

// Before there is a second thread: gives up every capability, in all sets, and the way back to one. `walled` keeps the way open that
// sandbox_lock() takes, and lets no process of the same user read this one. 0 or a negative errno.
int sandbox_enter(bool walled, struct rwy_err *err);

// Once all threads run: leaves the host's files for an empty root, checks and logs which walls stand, and filters the system calls
// of every thread: from here on the process can open no path and no socket, start no program and reach no other process. A
// call that is not on the list ends the process. Namespaces may be missing where the host allows none (a warning says so);
// any other wall that is missing is an error. 0 or a negative errno.
int sandbox_lock(struct rwy_err *err);

// Raises the limit of open descriptors to what is allowed: each port needs about 10. Returns it; 0: unknown.
uint64_t sandbox_raise_limits(void);
