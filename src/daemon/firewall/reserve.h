// SPDX-License-Identifier: BSD-3-Clause
// Ports of the host that are taken for published ports. Whoever holds the service's lock.
#pragma once

#include "daemon/firewall/firewall.h"

struct reservation {
	struct firewall_publish publish;
	int fds[2]; // -1: not of this family, or a protocol that the kernel has no sockets of.
};

struct reservations {
	struct reservation *list;
	size_t count;
	uint16_t next_free; // Where the search for a free port goes on.
};

// See firewall_reserve() and firewall_release().
int reservations_add(
	struct reservations *reservations,
	struct firewall_publish *io,
	struct rwy_err *err
);
void reservations_remove(struct reservations *reservations, uint32_t port_id);
void reservations_fini(struct reservations *reservations);
