// SPDX-License-Identifier: BSD-3-Clause
// Compares two sets by binary search over their ids. Pure; any thread.
#include "daemon/plan/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Both structs begin with their id.
_Static_assert(offsetof(struct wire_network, network) == 0, "a network begins with its id");
_Static_assert(offsetof(struct wire_port, port) == 0, "a port begins with its id");

static int compare_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static const struct wire_network *find_network(const struct plan_set *set, uint32_t id)
{
	if (!set->network_count)
		return NULL;
	return bsearch(&id, set->networks, set->network_count, sizeof(*set->networks), compare_id);
}

static const struct wire_port *find_port(const struct plan_set *set, uint32_t id)
{
	if (!set->port_count)
		return NULL;
	return bsearch(&id, set->ports, set->port_count, sizeof(*set->ports), compare_id);
}

// Whether the other set has the same network, so that it may stay.
static bool network_stays(const struct wire_network *network, const struct plan_set *other)
{
	const struct wire_network *twin = find_network(other, network->network);
	return twin && twin->mtu == network->mtu &&
		twin->proxy_neighbors == network->proxy_neighbors;
}

static bool port_stays(
	const struct wire_port *port,
	const struct plan_set *own,
	const struct plan_set *other
)
{
	const struct wire_port *twin = find_port(other, port->port);
	const struct wire_network *network = find_network(own, port->network);
	if (!twin || !network || !network_stays(network, other))
		return false;
	// A trunk is what it was opened as: how many queues it has is no reason to open it anew.
	if (port->kind == WIRE_PORT_TAP)
		return twin->kind == WIRE_PORT_TAP && twin->network == port->network;
	if (twin->kind != port->kind || twin->network != port->network ||
	    twin->queues != port->queues || twin->learning != port->learning ||
	    twin->allow_spoof != port->allow_spoof || twin->pin_address != port->pin_address ||
	    strcmp(twin->ip, port->ip) != 0 || strcmp(twin->ip6, port->ip6) != 0 ||
	    twin->no_offloads != port->no_offloads || strcmp(twin->name, port->name) != 0 ||
	    memcmp(twin->mac, port->mac, MAC_SIZE) != 0)
		return false;
	return true;
}

// What a port can be told while it runs. Only trunks that stay differ in allow_spoof.
static bool settings_differ(const struct wire_port *port, const struct plan_set *other)
{
	const struct wire_port *twin = find_port(other, port->port);
	// Limits are of 64-bit members alone, so without padding.
	return twin &&
		(memcmp(&twin->limits, &port->limits, sizeof(port->limits)) != 0 ||
		 twin->allow_spoof != port->allow_spoof);
}

static void add_step(struct plan *plan, enum plan_act act, uint32_t id)
{
	plan->steps[plan->count++] = (struct plan_step){act, id};
}

int plan_make(const struct plan_set *want, const struct plan_set *have, struct plan *ret_plan)
{
	size_t most =
		want->network_count + want->port_count + have->network_count + have->port_count;
	struct plan plan = {.steps = calloc(most ? most : 1, sizeof(*plan.steps))};
	if (!plan.steps)
		return -ENOMEM;
	for (size_t i = 0; i < have->port_count; i++)
		if (!port_stays(&have->ports[i], have, want))
			add_step(&plan, PLAN_PORT_DEL, have->ports[i].port);
	for (size_t i = 0; i < have->network_count; i++)
		if (!network_stays(&have->networks[i], want))
			add_step(&plan, PLAN_NETWORK_DEL, have->networks[i].network);
	for (size_t i = 0; i < want->network_count; i++)
		if (!network_stays(&want->networks[i], have))
			add_step(&plan, PLAN_NETWORK_ADD, want->networks[i].network);
	for (size_t i = 0; i < want->port_count; i++) {
		const struct wire_port *port = &want->ports[i];
		if (!port_stays(port, want, have))
			add_step(&plan, PLAN_PORT_ADD, port->port);
		else if (settings_differ(port, have))
			add_step(&plan, PLAN_PORT_SET, port->port);
	}
	*ret_plan = plan;
	return 0;
}

void plan_fini(struct plan *plan)
{
	free(plan->steps);
	*plan = (struct plan){0};
}

void plan_set_fini(struct plan_set *set)
{
	free(set->networks);
	free(set->ports);
	*set = (struct plan_set){0};
}
