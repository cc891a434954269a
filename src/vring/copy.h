// SPDX-License-Identifier: BSD-3-Clause
// Copying a frame's bytes: short ones inline, long ones by the widest variant that the CPU has. Inside
// src/vring/.
#pragma once

#include "vring/vring.h"

#include <string.h>

// From this size on a call is worth its price. The variants rely on it.
#define COPY_WIDE_MIN 256

struct copy_variant {
	const char *name;
	vring_copy_fn *copy;
	bool (*is_supported)(void);
};

// All variants of this architecture, the best last; the first runs anywhere.
extern const struct copy_variant copy_variants[];
extern const uint32_t copy_variant_count;

// The best variant that this CPU supports. Asked once for each ring, at set-up.
vring_copy_fn *copy_choose(void);

// Sizes below 64: two moves of a constant size each, which overlap where they must.
static inline void copy_short(uint8_t *to, const uint8_t *from, uint32_t size)
{
	if (size >= 32) {
		memcpy(to, from, 32);
		memcpy(to + size - 32, from + size - 32, 32);
	} else if (size >= 16) {
		memcpy(to, from, 16);
		memcpy(to + size - 16, from + size - 16, 16);
	} else if (size >= 8) {
		memcpy(to, from, 8);
		memcpy(to + size - 8, from + size - 8, 8);
	} else if (size >= 4) {
		memcpy(to, from, 4);
		memcpy(to + size - 4, from + size - 4, 4);
	} else {
		for (uint32_t i = 0; i < size; i++)
			to[i] = from[i];
	}
}

// Any size, 0 included, without overlap.
static inline void copy_bytes(vring_copy_fn *wide, uint8_t *to, const uint8_t *from, uint32_t size)
{
	if (size >= COPY_WIDE_MIN) {
		wide(to, from, size);
		return;
	}
	if (size < 64) {
		copy_short(to, from, size);
		return;
	}
	for (uint32_t i = 0; i + 64 < size; i += 64)
		memcpy(to + i, from + i, 64);
	memcpy(to + size - 64, from + size - 64, 64);
}
