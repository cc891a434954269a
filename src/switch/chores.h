// SPDX-License-Identifier: BSD-3-Clause
// What the control thread does regularly beside requests: broken ports and learned addresses.
#pragma once

#include "switch/switch.h"

// Starts the timers. 0 or a negative errno with err set.
int chores_start(struct switch_state *sw, struct rwy_err *err);
