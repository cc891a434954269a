// SPDX-License-Identifier: BSD-3-Clause
// Networks that are in Docker too: rows from Docker's side, Docker networks from ours. The first half runs
// with the service lock, the second without.
#include "base/fields.h"
#include "base/log.h"
#include "daemon/docker/engine.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BOUND_MS 60000 // Longer than any reconciliation's grace.

// The row of that name takes the Docker network, if it was waiting for one.
static int bind_row(
	struct docker *docker,
	const struct network_info *row,
	const struct driver_network *network,
	struct rwy_err *err
)
{
	if (row->spec.docker_id[0] || !row->spec.docker) {
		err_set(err,
			-EEXIST,
			"network '%s' exists%s",
			row->spec.name,
			row->spec.docker_id[0] ? " and has another Docker network"
					       : " and is kept out of Docker");
		return err_hint(err, "choose another ringway.name");
	}
	if (network->mtu && network->mtu != row->spec.mtu)
		return err_set(
			err,
			-EINVAL,
			"network '%s' has MTU %u, not %u",
			row->spec.name,
			row->spec.mtu,
			network->mtu
		);
	int r = 0;
	struct network_spec given = {0};
	memcpy(given.subnet, network->subnet, sizeof(given.subnet));
	memcpy(given.gateway, network->gateway, sizeof(given.gateway));
	if (network->subnet[0])
		r = service_network_set_addresses(docker->daemon, row->id, &given, err);
	return r ? r : service_network_bind(docker->daemon, row->id, "", true, network->id, err);
}

static int add_row(
	struct docker *docker,
	const struct driver_network *network,
	const char *name,
	struct rwy_err *err
)
{
	struct network_spec spec = {.mtu = network->mtu, .docker = true};
	struct network_info added;
	memcpy(spec.subnet, network->subnet, sizeof(spec.subnet));
	memcpy(spec.gateway, network->gateway, sizeof(spec.gateway));
	memcpy(spec.docker_id, network->id, sizeof(spec.docker_id));
	if (*name)
		memcpy(spec.name, name, strlen(name) + 1);
	else
		(void)snprintf( // Cut on purpose.
			spec.name,
			sizeof(spec.name),
			"%.*s",
			DOCKER_SHORT_ID,
			network->id
		);
	return service_network_add(docker->daemon, &spec, &added, err);
}

int network_adopt(
	struct docker *docker,
	const struct driver_network *network,
	const char *docker_name,
	struct rwy_err *err
)
{
	struct network_info row;
	if (service_network_by_docker_id(docker->daemon, network->id, &row, NULL) == 0)
		return 0;
	const char *name = network->name[0] ? network->name : docker_name;
	bool named = *name && service_network_get(docker->daemon, name, &row, NULL) == 0;
	int r;
	if (named && (network->name[0] || (row.spec.docker && !row.spec.docker_id[0])))
		r = bind_row(docker, &row, network, err);
	else // A Docker name that is taken here leaves the provisional one.
		r = add_row(docker, network, named ? "" : name, err);
	if (r)
		return err_prefix(err, "cannot create network '%.12s': ", network->id);
	docker_mark_set(docker, &docker->bound, network->id, docker_now_ms(), BOUND_MS);
	return 0;
}

int network_forget(struct docker *docker, const char *docker_id, struct rwy_err *err)
{
	struct network_info row;
	if (service_network_by_docker_id(docker->daemon, docker_id, &row, NULL))
		return 0;
	int r = service_network_remove(docker->daemon, row.spec.name, err);
	if (r != -EBUSY)
		return r == -ENOENT ? 0 : r;
	// Ports that Docker knows nothing of are on it. They keep their network; Docker's part of it is over, and
	// what somebody removed there on purpose must not come back by itself.
	log_info("network '%s' stays without Docker: it has ports", row.spec.name);
	return service_network_bind(docker->daemon, row.id, "", false, "", err);
}

static json_t *make_body(struct docker *docker, const struct network_spec *spec)
{
	char mtu[16];
	(void)snprintf(mtu, sizeof(mtu), "%u", spec->mtu); // It fits: ten digits at most.
	_cleanup_json_ json_t *config = json_array();
	if (spec->subnet[0]) {
		json_t *pool = json_pack("{s:s}", "Subnet", spec->subnet);
		if (pool && spec->gateway[0])
			(void)json_object_set_new(pool, "Gateway", json_string(spec->gateway));
		if (json_array_append_new(config, pool))
			return NULL;
	}
	return json_pack(
		"{s:s, s:b, s:s, s:{s:O}, s:{s:s, s:s}}",
		"Name",
		spec->name,
		"CheckDuplicate",
		1,
		"Driver",
		docker->name,
		"IPAM",
		"Config",
		config,
		"Options",
		"ringway.name",
		spec->name,
		"mtu",
		mtu
	);
}

static int create_in_engine(
	struct docker *docker,
	const struct network_spec *spec,
	struct rwy_err *err
)
{
	_cleanup_json_ json_t *body = make_body(docker, spec);
	if (!body)
		return err_set(err, -ENOMEM, "no memory");
	struct engine_request request = {"POST", "/networks/create", body, ENGINE_LONG_MS};
	struct engine_answer answer = {0};
	int r = engine_call(docker->engine_socket, &request, &answer, err);
	if (r)
		return r;
	// 201: the driver bound the row while the engine was in the call.
	r = answer.status == 201 ? 0 : engine_refused(&answer, err);
	json_decref(answer.body);
	if (r == -EEXIST)
		err_hint(err, "see `docker network ls`, or choose another name");
	return r;
}

int docker_network_create(
	struct docker *docker,
	const struct network_info *network,
	struct rwy_err *err
)
{
	struct network_info row;
	// Under this lock nobody else can have made it between the look and the call.
	(void)pthread_mutex_lock(&docker->create_lock); // A plain mutex does not fail.
	service_lock(docker->daemon);
	int r = service_network_get(docker->daemon, network->spec.name, &row, NULL);
	service_unlock(docker->daemon);
	bool due = !r && row.id == network->id && row.spec.docker && !row.spec.docker_id[0];
	r = due ? create_in_engine(docker, &row.spec, err) : 0;
	(void)pthread_mutex_unlock(&docker->create_lock);
	if (r == -ECONNREFUSED) {
		if (err)
			*err = (struct rwy_err){0};
		return 0;
	}
	return r ? err_prefix(err, "cannot create network '%s' in Docker: ", network->spec.name)
		 : 0;
}

int docker_network_remove(struct docker *docker, const char *docker_id, struct rwy_err *err)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "/networks/%.64s", docker_id); // It fits.
	struct engine_request request = {"DELETE", path, NULL, ENGINE_LONG_MS};
	struct engine_answer answer = {0};
	int r = engine_call(docker->engine_socket, &request, &answer, err);
	if (!r) {
		bool gone = answer.status == 200 || answer.status == 204 || answer.status == 404;
		r = gone ? 0 : engine_refused(&answer, err);
		json_decref(answer.body);
	}
	if (r == -ECONNREFUSED) {
		if (err)
			*err = (struct rwy_err){0};
		return 0;
	}
	if (r == -EPERM && err) // Docker's 403: "has active endpoints".
		r = err->code = -EBUSY;
	return r ? err_prefix(err, "cannot remove network '%.12s' from Docker: ", docker_id) : 0;
}
