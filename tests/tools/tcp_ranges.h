// SPDX-License-Identifier: BSD-3-Clause
// Which bytes of a stream have come: all up to one place, and a few ranges behind it. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TCP_RANGES_MAX 32

struct tcp_range {
	uint64_t from, to;
};

struct tcp_ranges {
	uint64_t next; // All before it have come.
	uint32_t count;
	struct tcp_range range[TCP_RANGES_MAX]; // In order, none touches another or next.
};

// Adds the bytes from `from` to before `to`. False: there is no place for one more range, and nothing was added.
bool tcp_ranges_add(struct tcp_ranges *ranges, uint64_t from, uint64_t to);
