// SPDX-License-Identifier: BSD-3-Clause
// What an uplink may still ask of the kernel once its device is open. Control thread, once.
#pragma once

#include "base/err.h"

// Filters the system calls of all threads by the kind of the device. A call that is not on the kind's list fails with EPERM; one that
// only a process that was taken over makes (executing, tracing, ..) ends the process. 0 or a negative errno.
int sandbox_filter(const char *device, struct rwy_err *err);
