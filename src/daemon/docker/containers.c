// SPDX-License-Identifier: BSD-3-Clause
// The handlers of /v1/containers. They run in the API server's threads; the engine is asked before or after the
// service lock, never under it.
#include "base/cleanup.h"
#include "base/fields.h"
#include "base/log.h"
#include "daemon/api/objects.h"
#include "daemon/docker/engine.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/rdma.h"
#include "daemon/docker/returning.h"
#include "daemon/docker/runplan.h"
#include "daemon/docker/sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PULL_MS 900000 // For an image that the engine has to fetch first.

int containers_list_engine(struct docker *docker, json_t **ret_array, struct rwy_err *err)
{
	_cleanup_free_ char *filters =
		engine_escape("{\"label\":[\"" DOCKER_KEY_LABEL "\"]}", false);
	char path[256];
	if (!filters)
		return err_set(err, -ENOMEM, "cannot list containers: no memory");
	(void)snprintf(path, sizeof(path), "/containers/json?all=1&filters=%s", filters);
	return engine_get(docker->engine_socket, path, JSON_ARRAY, ret_array, err);
}

struct mac_search {
	const struct runplan_network *network;
	char found[NAME_SIZE];
};

static void search_mac(void *arg, const struct port_info *info)
{
	struct mac_search *search = arg;
	if (strcmp(info->spec.network, search->network->network) == 0 &&
	    memcmp(info->spec.mac, search->network->mac, MAC_SIZE) == 0)
		memcpy(search->found, info->spec.name, sizeof(search->found));
}

static int choose_mac(struct docker *docker, struct runplan_network *network, struct rwy_err *err)
{
	struct mac_search search = {.network = network};
	bool given = !mac_is_zero(network->mac);
	if (!given && !docker_mac_of_address(network->ip, network->mac))
		return service_make_mac(docker->daemon, network->network, network->mac, err);
	service_each_port(docker->daemon, search_mac, &search);
	if (!search.found[0])
		return 0;
	if (!given)
		return service_make_mac(docker->daemon, network->network, network->mac, err);
	char mac[MAC_TEXT_SIZE];
	mac_format(network->mac, mac);
	return err_set(err, -EEXIST, "MAC address %s is taken by port '%s'", mac, search.found);
}

// A network made in Docker first may be called differently there. Docker's command line reads name=NET,.. in lower
// case, so only the id serves for a name with capitals.
static void name_for_engine(
	struct docker *docker,
	const struct network_info *info,
	struct runplan_network *network
)
{
	char *name = network->engine_name;
	size_t size = sizeof(network->engine_name);
	sync_network_name(docker->sync, info->spec.docker_id, name, size);
	if (!*name)
		(void)snprintf(name, size, "%s", info->spec.name); // It fits.
	if (name[strcspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
		(void)snprintf(name, size, "%s", info->spec.docker_id); // It fits.
}

// What the network must be for a container to be put on it.
static int prepare_network(
	struct docker *docker,
	struct runplan_network *network,
	struct rwy_err *err
)
{
	struct network_info info;
	const char *name = network->network;
	int r = service_network_get(docker->daemon, name, &info, err);
	if (r == -ENOENT)
		return err_set(
			err,
			r,
			"cannot run on network '%s': no such network; `ringway network ls` lists them",
			name
		);
	if (!r && !info.spec.docker_id[0]) {
		err_set(err,
			info.spec.docker ? -EAGAIN : -EPERM,
			"cannot run on network '%s': it has no Docker network",
			name);
		return err_hint(
			err,
			info.spec.docker
				? "is dockerd running? the network is made there within seconds"
				: "it is kept out of Docker; make another network"
		);
	}
	network->sriov = driver_network_is_sriov(&info.spec);
	network->has_functions = info.spec.functions.parent[0] != '\0';
	if (!r && network->ip[0] && !info.spec.subnet[0])
		r = err_set(err, -EINVAL, "an address needs a network with a subnet");
	if (!r)
		r = choose_mac(docker, network, err);
	if (r)
		return err_prefix(err, "cannot run on network '%s': ", name);
	name_for_engine(docker, &info, network);
	return 0;
}

// The place of a plan that failed, and what it kept. Service lock held.
static void forget(struct docker *docker, const struct runplan *plan)
{
	if (plan->dry_run)
		return;
	service_functions_let_go(docker->daemon, plan->key);
	(void
	)service_container_remove(docker->daemon, plan->key, NULL); // The plan's failure counts.
}

static int keep_functions(struct docker *docker, struct runplan *plan, struct rwy_err *err)
{
	int r = 0;
	for (uint32_t i = 0; i < plan->network_count && !r; i++) {
		struct runplan_network *network = &plan->networks[i];
		struct function_wish wish = runplan_wish(plan, network);
		if (!wish.count)
			continue;
		int64_t until_ms = docker_now_ms() + RETURNING_MS;
		do
			r = service_functions_keep(
				docker->daemon, &wish, &plan->functions[network->first], err
			);
		while (r == -EBUSY && returning_wait(docker, wish.network, until_ms));
	}
	return r;
}

// The service's part of a plan: everything is looked up before the place is made. Service lock held.
static int reserve(struct docker *docker, struct runplan *plan, struct rwy_err *err)
{
	struct container_info place;
	for (uint32_t i = 0; i < plan->network_count; i++) {
		int r = prepare_network(docker, &plan->networks[i], err);
		if (r)
			return r;
	}
	int r = runplan_settle(plan, err);
	if (r)
		return r;
	service_make_key(docker->daemon, plan->key);
	if (!plan->dry_run)
		r = service_container_add(docker->daemon, plan->key, &place, err);
	if (r)
		return r;
	r = keep_functions(docker, plan, err);
	if (r)
		forget(docker, plan);
	else
		rdma_add_nodes(plan);
	return r;
}

// null: not known.
static json_t *image_present(struct docker *docker, const char *image)
{
	if (!*image)
		return json_null();
	_cleanup_free_ char *escaped = engine_escape(image, true);
	char path[3 * RUNPLAN_IMAGE_SIZE + 32];
	struct engine_request ask = {"GET", path, NULL, ENGINE_SHORT_MS};
	struct engine_answer answer = {0};
	if (!escaped)
		return json_null();
	(void)snprintf(path, sizeof(path), "/images/%s/json", escaped); // It fits, tripled.
	int r = engine_call(docker->engine_socket, &ask, &answer, NULL);
	if (r)
		return json_null();
	json_decref(answer.body);
	if (answer.status == 404)
		return json_false();
	return answer.status == 200 ? json_true() : json_null();
}

static int on_create(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	_cleanup_free_ struct runplan *plan = calloc(1, sizeof(*plan));
	if (!plan)
		return err_set(err, -ENOMEM, "cannot plan the container: no memory");
	int r = runplan_parse(request->body, plan, err);
	if (r)
		return r;
	json_t *present = image_present(docker, plan->image);
	if (json_object_set_new(reply, "image_present", present))
		return err_set(err, -ENOMEM, "cannot plan the container: no memory");
	plan->run_dir = service_run_dir(docker->daemon);
	plan->preload = service_preload_path(docker->daemon);
	service_lock(docker->daemon);
	r = reserve(docker, plan, err);
	if (!r) {
		plan->eal_memory = plan->dry_run
			? eal_choose_memory(plan->memory, eal_host_cpus(), eal_host_huge_mib())
			: place_choose_memory(docker, plan->key, plan->memory);
		r = runplan_make(plan, reply, err);
		if (r)
			forget(docker, plan);
	}
	service_unlock(docker->daemon);
	if (r)
		return r;
	if (!plan->dry_run && json_is_false(present))
		docker_mark_set(
			docker, &docker->patience, plan->key, docker_now_ms() + PULL_MS, PULL_MS
		);
	return 201;
}

static const char *key_of(json_t *container)
{
	json_t *labels = json_object_get(container, "Labels");
	return json_string_value(json_object_get(labels, DOCKER_KEY_LABEL));
}

// The engine's container with this key; borrowed, NULL when there is none.
static json_t *find_container(json_t *containers, const char *key)
{
	size_t i;
	json_t *container;
	json_array_foreach(containers, i, container)
	{
		const char *label = key_of(container);
		if (label && strcmp(label, key) == 0)
			return container;
	}
	return NULL;
}

static int on_settle(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	const char *key = request->params[0];
	struct container_info place;
	service_lock(docker->daemon);
	int r = service_container_get(docker->daemon, key, &place, err);
	service_unlock(docker->daemon);
	if (r)
		return r;
	_cleanup_json_ json_t *containers = NULL;
	r = containers_list_engine(docker, &containers, err);
	if (r)
		return err_prefix(err, "cannot settle container '%s': ", key);
	bool kept = find_container(containers, key) != NULL;
	if (!kept) {
		// Its caller says that no container comes any more, and the engine says that none is there.
		service_lock(docker->daemon);
		r = place_remove(docker, key, err);
		service_unlock(docker->daemon);
	}
	if (r && r != -ENOENT)
		return r;
	json_object_set_new(reply, "kept", json_boolean(kept));
	return 200;
}

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text && *text)
		json_object_set_new(object, name, json_string(text));
}

static void list_place(void *arg, const struct container_info *info)
{
	json_t *object = json_pack("{s:s, s:s, s:[]}", "key", info->key, "dir", info->dir, "ports");
	char created[API_TIME_SIZE];
	api_format_time(info->created, created);
	set_text(object, "created", created);
	(void)json_array_append_new(arg, object); // Without memory the list is short.
}

static bool has_port(json_t *place, const char *name)
{
	size_t i;
	json_t *port;
	json_array_foreach(json_object_get(place, "ports"), i, port)
	{
		if (strcmp(json_string_value(json_object_get(port, "name")), name) == 0)
			return true;
	}
	return false;
}

// Ports that were made with one of a place come after it, and have no key of their own.
static void list_port(void *arg, const struct port_info *info)
{
	json_t *places = arg;
	size_t i;
	json_t *place;
	json_array_foreach(places, i, place)
	{
		const char *key = json_string_value(json_object_get(place, "key"));
		bool is_its = info->with[0] ? has_port(place, info->with)
					    : info->spec.key[0] && strcmp(key, info->spec.key) == 0;
		if (is_its)
			(void)json_array_append_new( // Without memory the list is short.
				json_object_get(place, "ports"),
				api_port_json(info)
			);
	}
}

static void describe(json_t *place, json_t *containers)
{
	const char *key = json_string_value(json_object_get(place, "key"));
	json_t *container = find_container(containers, key);
	if (!container)
		return;
	json_t *names = json_object_get(container, "Names");
	const char *name = json_string_value(json_array_get(names, 0));
	set_text(place, "name", name && *name == '/' ? name + 1 : name);
	set_text(place, "id", json_string_value(json_object_get(container, "Id")));
	set_text(place, "image", json_string_value(json_object_get(container, "Image")));
	set_text(place, "state", json_string_value(json_object_get(container, "State")));
}

static int on_list(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	_cleanup_json_ json_t *containers = NULL;
	_cleanup_json_ json_t *places = json_array();
	struct rwy_err silent = {0};
	// Without the engine the list has our half of each container only.
	if (containers_list_engine(docker, &containers, &silent))
		log_debug("containers without the engine's half: %s", silent.msg);
	service_lock(docker->daemon);
	service_each_container(docker->daemon, list_place, places);
	service_each_port(docker->daemon, list_port, places);
	service_unlock(docker->daemon);
	size_t i;
	json_t *place;
	json_array_foreach(places, i, place) describe(place, containers);
	return json_object_set(reply, "containers", places) ? -ENOMEM : 200;
}

static int on_delete(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	service_lock(docker->daemon);
	int r = service_container_remove(docker->daemon, request->params[0], err);
	if (!r)
		service_functions_let_go(docker->daemon, request->params[0]);
	service_unlock(docker->daemon);
	return r ? r : 200;
}

static const struct http_route routes[] = {
	{"POST", "/v1/containers", on_create},
	{"GET", "/v1/containers", on_list},
	{"POST", "/v1/containers/*/settle", on_settle},
	{"DELETE", "/v1/containers/*", on_delete},
};

struct http_table docker_api_routes(struct docker *docker)
{
	return (struct http_table){
		.routes = routes,
		.count = sizeof(routes) / sizeof(routes[0]),
		.ctx = docker,
	};
}
