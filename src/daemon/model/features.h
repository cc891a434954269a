// SPDX-License-Identifier: BSD-3-Clause
// Negotiated virtio features as words. No state; any thread.
#pragma once

#include <jansson.h>
#include <stdint.h>

// The names of the bits that are set, in order: ["csum","tso4",..]; a bit without a name is "bit41". NULL without
// memory.
json_t *features_json(uint64_t features);
