// SPDX-License-Identifier: BSD-3-Clause
// What ringwayd may do. Main thread, before there are others.
#pragma once

#include "base/err.h"

// Raises the limit of descriptors and gives up every capability that is not needed.
int privileges_drop(struct rwy_err *err);
