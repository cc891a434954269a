// SPDX-License-Identifier: BSD-3-Clause
// The table of the API's calls, and the two that are about ringwayd as a whole. HTTP server's
// threads.
#include "daemon/api/api.h"

#include "daemon/api/handlers.h"
#include "daemon/core/stats.h"

#include <errno.h>
#include <unistd.h>

static const struct http_route routes[] = {
	{"GET", "/v1/version", api_version},
	{"GET", "/v1/stats", api_stats},
	{"GET", "/v1/switch", api_switch_get},
	{"POST", "/v1/switch/restart", api_switch_restart},
	{"GET", "/v1/networks", api_networks_list},
	{"POST", "/v1/networks", api_networks_create},
	{"GET", "/v1/networks/*", api_networks_get},
	{"DELETE", "/v1/networks/*", api_networks_remove},
	{"GET", "/v1/ports", api_ports_list},
	{"POST", "/v1/ports", api_ports_create},
	{"GET", "/v1/ports/*", api_ports_get},
	{"PATCH", "/v1/ports/*", api_ports_change},
	{"DELETE", "/v1/ports/*", api_ports_remove},
};

struct http_table api_routes(struct api *api)
{
	return (struct http_table){routes, sizeof(routes) / sizeof(routes[0]), api};
}

// Containers need an engine's side, which --no-docker leaves out.
static int no_containers(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	(void)err_set(err, -EAGAIN, "this ringwayd serves no containers: it runs with --no-docker");
	return err_hint(err, "start it without --no-docker");
}

static const struct http_route no_docker_routes[] = {
	{"GET", "/v1/containers", no_containers},
	{"POST", "/v1/containers", no_containers},
	{"POST", "/v1/containers/*/settle", no_containers},
	{"DELETE", "/v1/containers/*", no_containers},
};

struct http_table api_no_docker_routes(void)
{
	return (struct http_table
	){no_docker_routes, sizeof(no_docker_routes) / sizeof(no_docker_routes[0]), NULL};
}

int api_version(void *ctx, const struct http_request *request, json_t *reply, struct rwy_err *err)
{
	struct api *api = ctx;
	json_t *engine = json_object();
	if (api->engine.docker)
		api->engine.describe(api->engine.docker, engine);
	else
		(void)json_object_set_new(engine, "reachable", json_false());
	service_lock(api->daemon);
	int r = json_object_update_new(
		reply,
		json_pack(
			"{s:s, s:s, s:I, s:s, s:s, s:s, s:o}",
			"version",
			RINGWAY_VERSION,
			"api",
			"v1",
			"pid",
			(json_int_t)getpid(),
			"run_dir",
			service_run_dir(api->daemon),
			"state_dir",
			service_state_dir(api->daemon),
			"preload",
			service_preload_path(api->daemon),
			"engine",
			engine
		)
	);
	stats_describe_switch(api->daemon, reply);
	stats_describe_kernel(api->daemon, reply);
	service_unlock(api->daemon);
	return r ? err_set(err, -ENOMEM, "no memory for an answer") : 200;
}

int api_stats(void *ctx, const struct http_request *request, json_t *reply, struct rwy_err *err)
{
	struct api *api = ctx;
	const char *port = http_request_query(request, "port");
	service_lock(api->daemon);
	int r = service_stats(api->daemon, port, reply, err);
	service_unlock(api->daemon);
	return r ? r : 200;
}
