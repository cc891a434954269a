// SPDX-License-Identifier: BSD-3-Clause
// The remote network driver: one handler a call of libnetwork's protocol; those of endpoints are in endpoint.c and
// publish.c. Handlers run in the plugin server's threads, hold the service lock for as long as the change takes, and
// never ask the engine anything: it waits for their answer. Each may come twice, and any may never come (facts of
// Docker), so all are idempotent.
#include "base/fields.h"
#include "base/log.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// The engine shows the text as it is, so message and hint make one line.
void driver_error_body(json_t *reply, int status, const struct rwy_err *err)
{
	char text[ERR_MSG_SIZE + ERR_HINT_SIZE + 4];
	(void)snprintf( // Its parts are bounded and so is it.
		text,
		sizeof(text),
		"%s%s%s%s",
		err->msg,
		err->hint[0] ? " (" : "",
		err->hint,
		err->hint[0] ? ")" : ""
	);
	// Text of a peer that is not UTF-8 has no JSON string.
	json_t *value = json_string(text);
	(void)json_object_set_new( // Without memory the engine sees the status alone.
		reply,
		"Err",
		value ? value : json_string("the request is not valid UTF-8")
	);
}

// 404 tells the engine that the driver has no such call, and some calls are then skipped without a word.
int driver_refuse(int r, const char *call, struct rwy_err *err)
{
	log_err(err, "docker: %s", call);
	if (r == -ENOENT)
		err->code = -EINVAL;
	return r == -ENOENT ? -EINVAL : r;
}

static int on_activate(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	// The engine has just started, or just found us: what it knows may have changed meanwhile.
	sync_wake(docker->sync);
	json_object_set_new(reply, "Implements", json_pack("[s]", "NetworkDriver"));
	return 200;
}

static int on_capabilities(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	json_object_set_new(reply, "Scope", json_string("local"));
	json_object_set_new(reply, "ConnectivityScope", json_string("local"));
	return 200;
}

static int on_nothing(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	return 200;
}

static int on_create_network(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	struct driver_network network;
	int r = driver_parse_network(request->body, &network, err);
	if (!r) {
		service_lock(docker->daemon);
		r = network_adopt(docker, &network, "", err);
		service_unlock(docker->daemon);
	}
	if (r)
		return driver_refuse(r, "CreateNetwork", err);
	// Only the engine's list says what the network is called, and it has it after this answer.
	sync_wake(docker->sync);
	return 200;
}

static int on_delete_network(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	struct driver_ids ids;
	int r = driver_parse_ids(request->body, DRIVER_IDS_NETWORK, &ids, err);
	if (!r) {
		service_lock(docker->daemon);
		r = network_forget(docker, ids.network_id, err);
		service_unlock(docker->daemon);
	}
	return r ? driver_refuse(r, "DeleteNetwork", err) : 200;
}

static const struct http_route routes[] = {
	{"POST", "/Plugin.Activate", on_activate},
	{"POST", "/NetworkDriver.GetCapabilities", on_capabilities},
	{"POST", "/NetworkDriver.CreateNetwork", on_create_network},
	// Swarm's pair: it asks the manager's driver for options to hand to the workers. Scope "local" has none.
	{"POST", "/NetworkDriver.AllocateNetwork", on_nothing},
	{"POST", "/NetworkDriver.FreeNetwork", on_nothing},
	{"POST", "/NetworkDriver.DeleteNetwork", on_delete_network},
	{"POST", "/NetworkDriver.CreateEndpoint", endpoint_on_create},
	{"POST", "/NetworkDriver.EndpointOperInfo", endpoint_on_info},
	{"POST", "/NetworkDriver.Join", endpoint_on_join},
	{"POST", "/NetworkDriver.Leave", endpoint_on_leave},
	{"POST", "/NetworkDriver.DeleteEndpoint", endpoint_on_delete},
	// Other nodes of a cluster, which a local driver has no use for.
	{"POST", "/NetworkDriver.DiscoverNew", on_nothing},
	{"POST", "/NetworkDriver.DiscoverDelete", on_nothing},
	// Published ports: asked for only where a gateway was answered, which no vhost port does.
	{"POST", "/NetworkDriver.ProgramExternalConnectivity", publish_on_program},
	{"POST", "/NetworkDriver.RevokeExternalConnectivity", publish_on_revoke},
};

struct http_table driver_routes(struct docker *docker)
{
	return (struct http_table){
		.routes = routes,
		.count = sizeof(routes) / sizeof(routes[0]),
		.ctx = docker,
	};
}
