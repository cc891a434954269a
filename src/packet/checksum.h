// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum (RFC 1071) over plain memory and over frames. Any thread; no state. Sums are
// taken and given in memory order: what checksum_fold() returns is stored as it is, on any CPU.
#pragma once

#include "vring/frame.h"

#include <stdint.h>

// Adds `size` bytes to a sum. The first byte stands at an even place of what is summed; so an odd size is the last.
uint64_t checksum_add(uint64_t sum, const uint8_t *data, uint32_t size);

// The 16 bits of a sum, not inverted.
uint16_t checksum_fold(uint64_t sum);

// The sum of a frame's bytes from `from` on: of its private head, then of its segments, odd sizes included. `from`
// beyond the frame: 0.
uint64_t checksum_frame(const struct frame *frame, uint32_t from);

// The sum of one of the pseudo headers of IPv4 (RFC 793) and IPv6 (RFC 8200, 8.1): addresses of `size` bytes in all,
// upper protocol, bytes of its header and payload.
uint64_t checksum_pseudo(const uint8_t *addresses, uint32_t size, uint8_t proto, uint32_t length);

// The ways to add, for tests: the first runs anywhere; one that this CPU lacks has add == NULL.
struct checksum_variant {
	const char *name;
	uint64_t (*add)(uint64_t sum, const uint8_t *data, uint32_t size);
};
#define CHECKSUM_VARIANTS 2
void checksum_variants(struct checksum_variant ret_variants[CHECKSUM_VARIANTS]);
