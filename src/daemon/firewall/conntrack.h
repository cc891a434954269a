// SPDX-License-Identifier: BSD-3-Clause
// The kernel's table of flows. Whoever holds the service's lock, in the host's namespace.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where a flow was sent to, and who answers it. IPv4 takes the first four bytes, all others are zero.
struct conntrack_flow {
	uint8_t family; // 0: IPv4, 1: IPv6.
	uint8_t proto;
	uint16_t to_port;
	uint16_t from_port;
	uint8_t to[16];
	uint8_t from[16];
};

// Whether this flow is to be forgotten.
typedef bool conntrack_judge(void *arg, const struct conntrack_flow *flow);

// Asks about every flow of the default zone, and forgets those that are judged so. *ret_count: how many. Negative errno.
int conntrack_cut(conntrack_judge *judge, void *arg, size_t *ret_count);
