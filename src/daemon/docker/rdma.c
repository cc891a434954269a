// SPDX-License-Identifier: BSD-3-Clause
// Asks the mechanism of functions, opened for the moment, since few plans have RDMA devices. Any thread.
#include "daemon/docker/rdma.h"

#include "base/log.h"
#include "daemon/docker/runplan_settle.h"
#include "daemon/functions/functions.h"

#include <string.h>

static void add_node(struct runplan *plan, const char *path)
{
	for (size_t i = 0; i < plan->node_count; i++)
		if (strcmp(plan->nodes[i], path) == 0)
			return; // rdma_cm is all devices'.
	if (plan->node_count < RUNPLAN_NODES)
		memcpy(plan->nodes[plan->node_count++], path, FUNCTION_PATH_SIZE);
}

static void add_nodes_of(struct functions *functions, const char *rdma, struct runplan *plan)
{
	char paths[FUNCTION_NODES_MAX][FUNCTION_PATH_SIZE];
	size_t count = 0;
	struct rwy_err err = {0};
	if (functions_rdma_nodes(functions, rdma, paths, &count, &err))
		log_err(&err, "a container gets no RDMA device");
	for (size_t i = 0; i < count; i++)
		add_node(plan, paths[i]);
}

void rdma_add_nodes(struct runplan *plan)
{
	static const struct functions_config config = {.sysfs = "/sys", .dev = "/dev"};
	struct functions *functions = NULL;
	struct rwy_err err = {0};
	_Static_assert(sizeof(plan->nodes[0]) == FUNCTION_PATH_SIZE, "paths differ");
	for (uint32_t i = 0; i < plan->network_count; i++) {
		const struct runplan_network *network = &plan->networks[i];
		const char *rdma = plan->functions[network->first].rdma;
		if (!runplan_is(network, "vf-kernel") || !rdma[0])
			continue;
		if (!functions && functions_open(&config, &functions, &err)) {
			log_err(&err, "a container gets no RDMA device");
			return;
		}
		if (functions_rdma_mode(functions) == FUNCTION_RDMA_SHARED)
			add_nodes_of(functions, rdma, plan);
	}
	functions_close(functions);
}
