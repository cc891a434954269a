// SPDX-License-Identifier: BSD-3-Clause
// Lists of CPUs as text. No state; any thread.
#pragma once

#include "base/err.h"

// Checks that text is a list like "2", "2-3" or "1,3-5": CPUs from 0 to 1023, ranges upward, none twice, at most as
// many as a switch has workers. -EINVAL.
int cores_check(const char *text, struct rwy_err *err);
// How many CPUs it names, if it is one. -EINVAL.
int cores_count(const char *text, struct rwy_err *err);
