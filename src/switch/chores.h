// SPDX-License-Identifier: BSD-3-Clause
// What the control thread does regularly beside requests: broken ports and learned addresses.
#pragma once

#include "switch/switch.h"

// Makes the timers, at rest, and watches for faults. 0 or a negative errno with err set.
int chores_init(struct switch_state *sw, struct rwy_err *err);
// Starts the timers: a spare has nothing to look after.
void chores_start(struct switch_state *sw);
