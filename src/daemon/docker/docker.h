// SPDX-License-Identifier: BSD-3-Clause
// Docker: the network driver that the engine calls, and the engine that ringwayd asks. Start and stop
// are the main thread's; the rest says where it may be called. Nothing here is called with the service
// lock held: the engine answers only after the driver has, and the driver takes that lock.
#pragma once

#include "base/err.h"
#include "daemon/http/server.h"
#include "daemon/service.h"

#include <jansson.h>

struct docker;

struct docker_config {
	const char *name;	   // The driver's name in Docker: "ringway".
	const char *plugin_socket; // "/run/docker/plugins/ringway.sock"; its directory is made.
	const char *engine_socket; // "/var/run/docker.sock"
};

// Listens for the engine and starts the thread that follows it. No engine has to be there. -EADDRINUSE:
// another ringwayd answers at plugin_socket.
int docker_start(
	struct daemon *daemon,
	const struct docker_config *config,
	struct docker **ret_docker,
	struct rwy_err *err
);

// Ends the thread and the driver and removes the plugin socket. Accepts NULL.
void docker_stop(struct docker *docker);

// The handlers of /v1/containers (docs/api.md), for the API's server.
struct http_table docker_api_routes(struct docker *docker);

// Adds {"reachable":bool,"version"}, as last seen, to object. Any thread.
void docker_engine_state(struct docker *docker, json_t *object);

// Makes the network in Docker; the engine's call of the driver binds the row to it. Nothing is done when
// no engine answers (0: it is made as soon as one does) or when the row is bound already. Any thread, may take
// seconds. Docker's refusal is -EEXIST (its name or subnet is taken), -EINVAL or -EIO.
int docker_network_create(
	struct docker *docker,
	const struct network_info *network,
	struct rwy_err *err
);

// Removes the network from Docker; 0 too when it is not there or no engine answers. The engine calls the driver,
// which removes the row if that is still there. -EBUSY: containers are on it. Any thread, may take seconds.
int docker_network_remove(struct docker *docker, const char *docker_id, struct rwy_err *err);
