// SPDX-License-Identifier: BSD-3-Clause
// One function an action. Each takes the service lock for itself and looks its row up again: between decision and
// deed a driver call may have changed it. Sync thread.
#include "daemon/docker/apply.h"

#include "base/log.h"
#include "daemon/docker/docker.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/reconcile.h"
#include "daemon/docker/snapshot.h"

#include <errno.h>
#include <string.h>

struct apply {
	struct docker *docker;
	const struct snapshot *snapshot;
	const struct reconcile_action *action;
};

typedef int apply_fn(const struct apply *apply, struct rwy_err *err);

static const struct reconcile_network *network_of(const struct apply *apply)
{
	return &((const struct reconcile_network *)apply->snapshot->networks.data
	)[apply->action->index];
}

static int remove_port(const struct apply *apply, struct rwy_err *err)
{
	const struct reconcile_port *port =
		&((const struct reconcile_port *)apply->snapshot->ports.data)[apply->action->index];
	struct docker *docker = apply->docker;
	struct port_info info;
	service_lock(docker->daemon);
	int r = service_port_by_endpoint(docker->daemon, port->endpoint_id, &info, err);
	if (!r)
		r = place_remove_port(docker, &info, err);
	service_unlock(docker->daemon);
	if (!r)
		log_info("port '%s' collected: Docker has forgotten its endpoint", port->name);
	return r == -ENOENT ? 0 : r;
}

static int remove_place(const struct apply *apply, struct rwy_err *err)
{
	const struct reconcile_place *place =
		&((const struct reconcile_place *)apply->snapshot->places.data
		)[apply->action->index];
	service_lock(apply->docker->daemon);
	int r = place_remove(apply->docker, place->key, err);
	service_unlock(apply->docker->daemon);
	if (!r)
		log_info("place '%s' collected: no container has it", place->key);
	return r == -ENOENT ? 0 : r;
}

static int remove_network(const struct apply *apply, struct rwy_err *err)
{
	const struct reconcile_network *network = network_of(apply);
	service_lock(apply->docker->daemon);
	int r = network_forget(apply->docker, network->docker_id, err);
	service_unlock(apply->docker->daemon);
	if (!r)
		log_info("network '%s': Docker has it no more", network->name);
	return r;
}

static int create_network(const struct apply *apply, struct rwy_err *err)
{
	const struct reconcile_network *network = network_of(apply);
	struct docker *docker = apply->docker;
	struct network_info info;
	service_lock(docker->daemon);
	int r = service_network_get(docker->daemon, network->name, &info, err);
	service_unlock(docker->daemon);
	if (r == -ENOENT)
		return 0;
	return r ? r : docker_network_create(docker, &info, err);
}

static int rename_network(const struct apply *apply, struct rwy_err *err)
{
	const struct reconcile_network *network = network_of(apply);
	const struct reconcile_listed *listed =
		&((const struct reconcile_listed *)apply->snapshot->listed.data
		)[apply->action->listed];
	struct docker *docker = apply->docker;
	struct network_info info, other;
	service_lock(docker->daemon);
	int r = service_network_by_docker_id(docker->daemon, network->docker_id, &info, err);
	bool due = !r && reconcile_is_provisional(info.spec.name, info.spec.docker_id);
	// The name may be another network's here: then the provisional one is what it is called.
	bool taken = service_network_get(docker->daemon, listed->name, &other, NULL) == 0;
	if (due && !taken)
		r = service_network_bind(
			docker->daemon, info.id, listed->name, true, info.spec.docker_id, err
		);
	service_unlock(docker->daemon);
	return r == -ENOENT ? 0 : r;
}

static int set_range(const struct apply *apply, struct rwy_err *err)
{
	const struct reconcile_network *network = network_of(apply);
	const struct reconcile_listed *listed =
		&((const struct reconcile_listed *)apply->snapshot->listed.data
		)[apply->action->listed];
	struct docker *docker = apply->docker;
	struct network_spec picked = {0};
	struct network_info info;
	memcpy(picked.ip_range, listed->ip_range, sizeof(picked.ip_range));
	service_lock(docker->daemon);
	int r = service_network_by_docker_id(docker->daemon, network->docker_id, &info, err);
	if (!r)
		r = service_network_set_addresses(docker->daemon, info.id, &picked, err);
	service_unlock(docker->daemon);
	return r == -ENOENT ? 0 : r;
}

static int adopt_network(const struct apply *apply, struct rwy_err *err)
{
	size_t index = apply->action->listed;
	const struct driver_network *network =
		&((const struct driver_network *)apply->snapshot->described.data)[index];
	const struct reconcile_listed *listed =
		&((const struct reconcile_listed *)apply->snapshot->listed.data)[index];
	service_lock(apply->docker->daemon);
	int r = network_adopt(apply->docker, network, listed->name, err);
	service_unlock(apply->docker->daemon);
	if (!r)
		log_info("network '%s' (%.12s) adopted from Docker", listed->name, network->id);
	return r;
}

static int do_nothing(const struct apply *apply, struct rwy_err *err)
{
	return 0; // The next comparison adopts it if it is still there.
}

static apply_fn *const apply_table[RECONCILE_OP_COUNT] = {
	[RECONCILE_PORT_REMOVE] = remove_port,
	[RECONCILE_PLACE_REMOVE] = remove_place,
	[RECONCILE_NETWORK_REMOVE] = remove_network,
	[RECONCILE_NETWORK_CREATE] = create_network,
	[RECONCILE_NETWORK_RENAME] = rename_network,
	[RECONCILE_NETWORK_RANGE] = set_range,
	[RECONCILE_NETWORK_ADOPT] = adopt_network,
	[RECONCILE_STRANGER] = do_nothing,
};

int apply_plan(
	struct docker *docker,
	const struct snapshot *snapshot,
	const struct reconcile_plan *plan
)
{
	int failures = 0;
	for (size_t i = 0; i < plan->count; i++) {
		struct apply apply = {docker, snapshot, &plan->actions[i]};
		struct rwy_err err = {0};
		if (apply_table[plan->actions[i].op](&apply, &err)) {
			log_err(&err, "cannot follow the engine");
			failures++;
		}
	}
	return failures;
}
