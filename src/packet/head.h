// SPDX-License-Identifier: BSD-3-Clause
// A larger private copy of a frame's first bytes than the one that it was taken with. Any thread; no state.
#pragma once

#include "vring/frame.h"

#include <stdint.h>

// Copies the first `max` bytes, or all of a shorter frame: its private head, then from its segments what lies behind
// that, each byte read once. Returns their number.
uint32_t head_copy(const struct frame *frame, uint8_t *to, uint32_t max);
