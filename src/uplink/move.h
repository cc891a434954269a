// SPDX-License-Identifier: BSD-3-Clause
// One burst each way. The worker's thread.
#pragma once

#include "uplink/worker.h"

// Frames that the device's queue had; they are with their ports, kept for them, or dropped and counted, on return. While a
// port's ring is full, frames stay with the device: the frames that were kept then count.
uint32_t move_from_device(struct worker *worker, const struct view *view, uint16_t queue);
// The same for the port in a slot.
uint32_t move_to_device(struct worker *worker, const struct view *view, uint32_t slot);

// Drops and counts what is kept for the port in a slot, and from it. Before another one has the slot.
void move_forget(struct worker *worker, uint32_t slot, struct port *port);
// Whether frames are kept for want of room.
bool move_is_waiting(const struct worker *worker);
