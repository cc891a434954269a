// SPDX-License-Identifier: BSD-3-Clause
// A process of nothing but this process' memory, which ends a moment after it. The kernel gives a process' memory back, guest memory and
// asynchronous I/O (call.h) among it, before it closes the last descriptor and tells the parent; that takes tens of
// milliseconds, for which the next switch would wait. So somebody else has the memory last.
#pragma once

#include "base/err.h"

// Starts it: it shares the memory and nothing else, has one descriptor, and may make two system calls. Once, before the system calls
// are filtered. 0 or a negative errno with err set: all goes without it, only slower.
int memhold_start(struct rwy_err *err);
