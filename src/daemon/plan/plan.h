// SPDX-License-Identifier: BSD-3-Clause
// Intent against reality: the steps that make the switch what the store says. Pure; any thread.
#pragma once

#include "wire/wire.h"

#include <stddef.h>

// Networks and ports as ringwayd wants them or as the switch has them, in order of id.
struct plan_set {
	struct wire_network *networks;
	size_t network_count;
	struct wire_port *ports;
	size_t port_count;
};

enum plan_act {
	PLAN_PORT_DEL,
	PLAN_NETWORK_DEL,
	PLAN_NETWORK_ADD,
	PLAN_PORT_ADD,
	PLAN_PORT_SET, // Of its limits, and of a trunk's allow_spoof.
	PLAN_ACT_COUNT
};

struct plan_step {
	enum plan_act act;
	uint32_t id;
};

struct plan {
	struct plan_step *steps; // plan_fini() frees it.
	size_t count;
};

// Steps in an order in which each is possible: ports go before their networks and come after
// them. Limits of ports are set; what differs in anything that a switch cannot change is removed and added
// anew; names of networks, and of trunks all but the network, may differ. -ENOMEM.
int plan_make(const struct plan_set *want, const struct plan_set *have, struct plan *ret_plan);
void plan_fini(struct plan *plan);

void plan_set_fini(struct plan_set *set);
