// SPDX-License-Identifier: BSD-3-Clause
// The decisions of reconcile.h, one question a function. Lists are short (hundreds), so they are searched from
// end to end. Pure; any thread.
#include "daemon/docker/reconcile.h"

#include "daemon/docker/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_LISTED ((size_t)-1)

static bool has_id(const struct reconcile_id *ids, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(ids[i].text, text) == 0)
			return true;
	return false;
}

static size_t find_listed(const struct reconcile_input *input, const char *docker_id)
{
	for (size_t i = 0; i < input->listed_count; i++)
		if (strcmp(input->listed[i].docker_id, docker_id) == 0)
			return i;
	return NO_LISTED;
}

static bool is_old(const struct reconcile_input *input, int64_t since_ms, int64_t grace_ms)
{
	return input->begin_ms - since_ms > grace_ms;
}

bool reconcile_is_provisional(const char *name, const char *docker_id)
{
	return strlen(name) == DOCKER_SHORT_ID && strncmp(name, docker_id, DOCKER_SHORT_ID) == 0;
}

static void plan_add(struct reconcile_plan *plan, enum reconcile_op op, size_t index, size_t listed)
{
	plan->actions[plan->count++] =
		(struct reconcile_action){.op = op, .index = index, .listed = listed};
}

static void judge_port(
	const struct reconcile_input *input,
	size_t index,
	struct reconcile_plan *plan
)
{
	const struct reconcile_port *port = &input->ports[index];
	if (has_id(input->endpoints, input->endpoint_count, port->endpoint_id))
		return;
	size_t listed = find_listed(input, port->network_docker_id);
	// A network that went away while its endpoints were asked for tells nothing about them.
	bool known = listed == NO_LISTED || input->listed[listed].endpoints_known;
	if (known && is_old(input, port->since_ms, RECONCILE_GRACE_MS))
		plan_add(plan, RECONCILE_PORT_REMOVE, index, NO_LISTED);
	else
		plan->again = true;
}

static void judge_place(
	const struct reconcile_input *input,
	size_t index,
	struct reconcile_plan *plan
)
{
	const struct reconcile_place *place = &input->places[index];
	// An image made of a container inherits its label, so that a key may have several containers:
	// only a list without it counts, never the event alone.
	if (has_id(input->keys, input->key_count, place->key))
		return;
	if (has_id(input->destroyed, input->destroyed_count, place->key) ||
	    is_old(input, place->since_ms, RECONCILE_PLACE_GRACE_MS))
		plan_add(plan, RECONCILE_PLACE_REMOVE, index, NO_LISTED);
	else
		plan->again = true;
}

static void judge_network(
	const struct reconcile_input *input,
	size_t index,
	struct reconcile_plan *plan
)
{
	const struct reconcile_network *network = &input->networks[index];
	bool old = is_old(input, network->since_ms, RECONCILE_GRACE_MS);
	if (!network->docker_id[0] && !network->docker)
		return;
	size_t listed = find_listed(input, network->docker_id);
	if (network->docker_id[0] && listed != NO_LISTED) {
		if (!input->listed[listed].named && input->listed[listed].name[0] &&
		    reconcile_is_provisional(network->name, network->docker_id))
			plan_add(plan, RECONCILE_NETWORK_RENAME, index, listed);
		if (input->listed[listed].ip_range[0] && !network->ip_range[0])
			plan_add(plan, RECONCILE_NETWORK_RANGE, index, listed);
		return;
	}
	if (!old)
		plan->again = true;
	else if (network->docker_id[0])
		plan_add(plan, RECONCILE_NETWORK_REMOVE, index, NO_LISTED);
	else
		plan_add(plan, RECONCILE_NETWORK_CREATE, index, NO_LISTED);
}

// A network that was removed here and is about to be removed in Docker looks like a stranger for a moment:
// it is adopted only when it is there still after a while.
static void judge_listed(
	const struct reconcile_input *input,
	size_t index,
	struct reconcile_plan *plan
)
{
	const struct reconcile_listed *listed = &input->listed[index];
	for (size_t i = 0; i < input->network_count; i++)
		if (strcmp(input->networks[i].docker_id, listed->docker_id) == 0)
			return;
	for (size_t i = 0; i < input->stranger_count; i++) {
		const struct reconcile_stranger *stranger = &input->strangers[i];
		if (strcmp(stranger->docker_id, listed->docker_id) == 0 &&
		    is_old(input, stranger->first_ms, RECONCILE_STRANGER_MS)) {
			plan_add(plan, RECONCILE_NETWORK_ADOPT, 0, index);
			return;
		}
	}
	plan_add(plan, RECONCILE_STRANGER, 0, index);
	plan->again = true;
}

int reconcile_decide(const struct reconcile_input *input, struct reconcile_plan *ret_plan)
{
	// A network may be renamed and get its range.
	size_t most = input->port_count + input->place_count + 2 * input->network_count +
		input->listed_count;
	struct reconcile_plan plan = {.actions = calloc(most + 1, sizeof(*plan.actions))};
	if (!plan.actions)
		return -ENOMEM;
	for (size_t i = 0; i < input->listed_count; i++)
		judge_listed(input, i, &plan);
	for (size_t i = 0; i < input->port_count; i++)
		judge_port(input, i, &plan);
	for (size_t i = 0; i < input->place_count; i++)
		judge_place(input, i, &plan);
	// Last, since a network can go only after its ports.
	for (size_t i = 0; i < input->network_count; i++)
		judge_network(input, i, &plan);
	*ret_plan = plan;
	return 0;
}

void reconcile_plan_fini(struct reconcile_plan *plan)
{
	free(plan->actions);
	*plan = (struct reconcile_plan){0};
}
