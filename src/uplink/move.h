// SPDX-License-Identifier: BSD-3-Clause
// One burst each way. The worker's thread.
#pragma once

#include "uplink/worker.h"

// Frames that the device's queue had; they are with their ports, or dropped and counted, on return.
uint32_t move_from_device(struct worker *worker, const struct view *view, uint16_t queue);
// The same for the port in a slot.
uint32_t move_to_device(struct worker *worker, const struct view *view, uint32_t slot);
