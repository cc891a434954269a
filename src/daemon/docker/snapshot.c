// SPDX-License-Identifier: BSD-3-Clause
// Fills a snapshot. The engine is asked first and our rows are read last; whichever order, a row counts as missing
// only when it is older than the first request (reconcile.h). Runs on the sync thread.
#include "daemon/docker/snapshot.h"

#include "base/fields.h"
#include "base/log.h"
#include "daemon/docker/engine.h"
#include "daemon/docker/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *snapshot_push(struct snapshot_vec *vec, size_t size)
{
	if (vec->count == vec->room) {
		size_t room = vec->room ? 2 * vec->room : 16;
		void *grown = reallocarray(vec->data, room, size);
		if (!grown)
			return NULL;
		vec->data = grown;
		vec->room = room;
	}
	void *element = (char *)vec->data + vec->count++ * size;
	memset(element, 0, size);
	return element;
}

static void copy_text(char *out, size_t size, const char *text)
{
	(void)snprintf(out, size, "%s", text); // Cut: then it equals no id of ours.
}

static int push_id(struct snapshot_vec *vec, const char *text)
{
	struct reconcile_id *id = snapshot_push(vec, sizeof(*id));
	if (!id)
		return -ENOMEM;
	copy_text(id->text, sizeof(id->text), text);
	return 0;
}

int snapshot_add_listed(struct snapshot *snapshot, json_t *network)
{
	struct driver_network described;
	char name[NAME_SIZE];
	struct rwy_err err = {0};
	if (driver_parse_listed(network, &described, name, &err)) {
		log_err(&err, "docker: a network is left alone");
		return 0;
	}
	struct driver_network *kept = snapshot_push(&snapshot->described, sizeof(*kept));
	struct reconcile_listed *listed = snapshot_push(&snapshot->listed, sizeof(*listed));
	if (!kept || !listed)
		return -ENOMEM;
	*kept = described;
	memcpy(listed->docker_id, described.id, sizeof(listed->docker_id));
	memcpy(listed->name, name, sizeof(listed->name));
	memcpy(listed->ip_range, described.spec.ip_range, sizeof(listed->ip_range));
	listed->named = described.spec.name[0] != '\0';
	return 0;
}

int snapshot_add_endpoints(struct snapshot *snapshot, json_t *network)
{
	const char *container;
	json_t *value;
	json_object_foreach(json_object_get(network, "Containers"), container, value)
	{
		const char *id = json_string_value(json_object_get(value, "EndpointID"));
		if (id && push_id(&snapshot->endpoints, id))
			return -ENOMEM;
	}
	return 0;
}

int snapshot_add_key(struct snapshot *snapshot, json_t *container)
{
	json_t *labels = json_object_get(container, "Labels");
	const char *key = json_string_value(json_object_get(labels, DOCKER_KEY_LABEL));
	return key ? push_id(&snapshot->keys, key) : 0;
}

static int list_networks(struct docker *docker, struct snapshot *snapshot, struct rwy_err *err)
{
	char filters[NAME_SIZE + 32];
	char path[512];
	(void)snprintf(filters, sizeof(filters), "{\"driver\":[\"%s\"]}", docker->name); // It fits.
	char *escaped = engine_escape(filters, false);
	if (!escaped)
		return -ENOMEM;
	(void)snprintf(path, sizeof(path), "/networks?filters=%s", escaped); // It fits, tripled.
	free(escaped);
	_cleanup_json_ json_t *list = NULL;
	int r = engine_get(docker->engine_socket, path, JSON_ARRAY, &list, err);
	size_t i;
	json_t *network;
	json_array_foreach(list, i, network)
	{
		const char *driver = json_string_value(json_object_get(network, "Driver"));
		// The engine matches parts of names.
		if (!r && driver && strcmp(driver, docker->name) == 0)
			r = snapshot_add_listed(snapshot, network);
	}
	return r;
}

// The list of networks has no endpoints; each network by itself has.
static int list_endpoints(struct docker *docker, struct snapshot *snapshot, struct rwy_err *err)
{
	struct reconcile_listed *listed = snapshot->listed.data;
	for (size_t i = 0; i < snapshot->listed.count; i++) {
		char path[128];
		_cleanup_json_ json_t *network = NULL;
		(void)snprintf(path, sizeof(path), "/networks/%s", listed[i].docker_id); // It fits.
		int r = engine_get(docker->engine_socket, path, JSON_OBJECT, &network, err);
		if (r == -ENOENT)
			continue; // Removed meanwhile.
		if (!r)
			r = snapshot_add_endpoints(snapshot, network);
		if (r)
			return r;
		listed[i].endpoints_known = true;
	}
	return 0;
}

static int list_keys(struct docker *docker, struct snapshot *snapshot, struct rwy_err *err)
{
	_cleanup_json_ json_t *list = NULL;
	int r = containers_list_engine(docker, &list, err);
	size_t i;
	json_t *container;
	json_array_foreach(list, i, container)
	{
		if (!r)
			r = snapshot_add_key(snapshot, container);
	}
	return r;
}

struct collect {
	struct docker *docker;
	struct snapshot *snapshot;
	int r;
};

static void collect_network(void *arg, const struct network_info *info)
{
	struct collect *collect = arg;
	struct reconcile_network *network =
		snapshot_push(&collect->snapshot->networks, sizeof(*network));
	uint32_t *id = snapshot_push(&collect->snapshot->network_ids, sizeof(*id));
	if (!network || !id) {
		collect->r = -ENOMEM;
		return;
	}
	*id = info->id;
	copy_text(network->name, sizeof(network->name), info->spec.name);
	copy_text(network->docker_id, sizeof(network->docker_id), info->spec.docker_id);
	memcpy(network->ip_range, info->spec.ip_range, sizeof(network->ip_range));
	network->docker = info->spec.docker;
	network->ports = info->ports;
	struct docker *docker = collect->docker;
	network->since_ms = info->created_ms ? info->created_ms : docker->started_ms;
	if (network->docker_id[0])
		network->since_ms = docker_mark_get(
			docker, &docker->bound, network->docker_id, docker->started_ms
		);
}

static void collect_port(void *arg, const struct port_info *info)
{
	struct collect *collect = arg;
	if (!info->spec.endpoint_id[0])
		return;
	struct reconcile_port *port = snapshot_push(&collect->snapshot->ports, sizeof(*port));
	if (!port) {
		collect->r = -ENOMEM;
		return;
	}
	copy_text(port->name, sizeof(port->name), info->spec.name);
	copy_text(port->endpoint_id, sizeof(port->endpoint_id), info->spec.endpoint_id);
	const struct reconcile_network *networks = collect->snapshot->networks.data;
	for (size_t i = 0; i < collect->snapshot->networks.count; i++)
		if (strcmp(networks[i].name, info->spec.network) == 0)
			copy_text(
				port->network_docker_id,
				sizeof(port->network_docker_id),
				networks[i].docker_id
			);
	port->since_ms = info->created_ms ? info->created_ms : collect->docker->started_ms;
}

static void collect_place(void *arg, const struct container_info *info)
{
	struct collect *collect = arg;
	struct docker *docker = collect->docker;
	struct reconcile_place *place = snapshot_push(&collect->snapshot->places, sizeof(*place));
	if (!place) {
		collect->r = -ENOMEM;
		return;
	}
	copy_text(place->key, sizeof(place->key), info->key);
	int64_t since_ms = info->created_ms ? info->created_ms : docker->started_ms;
	// A place that waits for an image to be fetched is not old before that can have happened.
	place->since_ms = docker_mark_get(docker, &docker->patience, info->key, since_ms);
}

static int read_rows(struct docker *docker, struct snapshot *snapshot)
{
	struct collect collect = {
		.docker = docker,
		.snapshot = snapshot,
	};
	service_lock(docker->daemon);
	service_each_network(docker->daemon, collect_network, &collect);
	service_each_port(docker->daemon, collect_port, &collect);
	service_each_container(docker->daemon, collect_place, &collect);
	service_unlock(docker->daemon);
	return collect.r;
}

int snapshot_take(struct docker *docker, struct snapshot *ret_snapshot, struct rwy_err *err)
{
	struct snapshot snapshot = {.begin_ms = docker_now_ms()};
	int r = list_networks(docker, &snapshot, err);
	if (!r)
		r = list_endpoints(docker, &snapshot, err);
	if (!r)
		r = list_keys(docker, &snapshot, err);
	if (!r)
		r = read_rows(docker, &snapshot);
	if (r) {
		snapshot_fini(&snapshot);
		return r == -ENOMEM ? err_set(err, r, "cannot list the engine's objects: no memory")
				    : r;
	}
	*ret_snapshot = snapshot;
	return 0;
}

void snapshot_fini(struct snapshot *snapshot)
{
	free(snapshot->listed.data);
	free(snapshot->described.data);
	free(snapshot->endpoints.data);
	free(snapshot->keys.data);
	free(snapshot->networks.data);
	free(snapshot->network_ids.data);
	free(snapshot->ports.data);
	free(snapshot->places.data);
	*snapshot = (struct snapshot){0};
}

struct reconcile_input snapshot_input(const struct snapshot *snapshot)
{
	return (struct reconcile_input){
		.networks = snapshot->networks.data,
		.network_count = snapshot->networks.count,
		.ports = snapshot->ports.data,
		.port_count = snapshot->ports.count,
		.places = snapshot->places.data,
		.place_count = snapshot->places.count,
		.listed = snapshot->listed.data,
		.listed_count = snapshot->listed.count,
		.endpoints = snapshot->endpoints.data,
		.endpoint_count = snapshot->endpoints.count,
		.keys = snapshot->keys.data,
		.key_count = snapshot->keys.count,
		.begin_ms = snapshot->begin_ms,
	};
}
