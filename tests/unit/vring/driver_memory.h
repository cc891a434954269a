// SPDX-License-Identifier: BSD-3-Clause
// Pieces of the test driver's guest memory. Inside the driver.
#pragma once

#include "tests/unit/vring/driver.h"

// A piece in any arena that has room for it and for its guard; false when none has.
bool drv_take_piece(
	struct drv_memory *memory,
	struct drv_random *random,
	uint32_t size,
	uint32_t align,
	struct drv_piece *ret_piece
);
void drv_give_piece(struct drv_memory *memory, const struct drv_piece *piece);
