// SPDX-License-Identifier: BSD-3-Clause
// The API's handlers for networks, ports, stats and version (docs/api.md). Run by the HTTP server's
// threads; each takes the service's lock for itself.
#pragma once

#include "daemon/http/server.h"
#include "daemon/service.h"

#include <jansson.h>

struct docker;

// What the API asks an engine, without the lock held. docker NULL: there is no engine.
struct api_engine {
	struct docker *docker;
	int (*network_create
	)(struct docker *docker, const struct network_info *network, struct rwy_err *err);
	int (*network_remove)(struct docker *docker, const char *docker_id, struct rwy_err *err);
	void (*describe)(struct docker *docker, json_t *object);
};

struct api {
	struct daemon *daemon;
	struct api_engine engine;
};

// The routes, whose ctx is api; it must outlive the server.
struct http_table api_routes(struct api *api);
// What answers for containers where there is no Docker side: unavailable, and why.
struct http_table api_no_docker_routes(void);
