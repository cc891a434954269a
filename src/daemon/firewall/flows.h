// SPDX-License-Identifier: BSD-3-Clause
// Which flows published ports have, and which have to end when the ports change. Pure but for flows_cut().
#pragma once

#include "daemon/firewall/conntrack.h"
#include "daemon/firewall/firewall.h"

// A published port of one family. Zeros where nothing is said, so that it can be compared as bytes.
struct flows_target {
	uint8_t family;
	uint8_t proto;
	bool any; // All addresses of the host.
	uint8_t host[16];
	uint8_t address[16]; // The container's.
	uint16_t host_port;
	uint16_t container_port;
};

struct flows_targets {
	struct flows_target *list; // Sorted.
	size_t count;
};

// The targets of those that have an effect. -ENOMEM. The caller calls flows_targets_fini().
int flows_targets_make(
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count,
	struct flows_targets *ret
);
void flows_targets_fini(struct flows_targets *targets);

// Whether a flow has to end when `before` becomes `after`: it goes to a container by a port that is published there no
// more, or it goes elsewhere although a newly published port is its destination (is_local says whether an address is
// the host's).
bool flows_ends(
	const struct flows_targets *before,
	const struct flows_targets *after,
	const struct conntrack_flow *flow,
	bool is_local(const struct conntrack_flow *flow)
);

bool flows_targets_equal(const struct flows_targets *a, const struct flows_targets *b);

// Ends those of the kernel. Nothing is asked where nothing changed. Negative errno.
int flows_cut(const struct flows_targets *before, const struct flows_targets *after);
