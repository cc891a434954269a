// SPDX-License-Identifier: BSD-3-Clause
// Giving a switch everything that the last one had. Under the service's lock; the main thread, or that of a handover.
#pragma once

#include "daemon/core/daemon.h"

// Tells a switch that was never started all networks, ports, connections and stations. What fails for one port is logged, and
// costs that port its connection. -EAGAIN: the switch ended meanwhile.
int takeover_prepare(struct daemon *d, struct rwy_err *err);

// Takes what the switch that runs has of its ports, for the next one.
void takeover_adopt(struct daemon *d);

// A switch has ended, and may have named who made it.
void takeover_note_end(struct daemon *d, const struct link_end *end);
// What it says while it runs: WIRE_KEEP, WIRE_DROP.
void takeover_note_kept(struct daemon *d, struct wire_msg *msg);
