// SPDX-License-Identifier: BSD-3-Clause
// Capabilities of ringway-uplink: what opening its device takes, then less. Control thread.
#pragma once

#include "base/err.h"

// Leaves what a device of this kind needs to be opened, and no way to get more. Before there is a second thread.
int privileges_limit(const char *args, struct rwy_err *err);
// Leaves what it needs afterwards, which is nothing for most, in all threads. Once: it takes SIGUSR2 for that.
int privileges_drop(const char *args, struct rwy_err *err);
