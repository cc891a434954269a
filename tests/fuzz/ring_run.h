// SPDX-License-Identifier: BSD-3-Clause
// The ring fuzzers' common part.
#pragma once

#include "ring_world.h"

int ring_run(bool packed, const uint8_t *data, size_t size);
