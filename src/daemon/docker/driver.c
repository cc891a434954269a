// SPDX-License-Identifier: BSD-3-Clause
// The remote network driver: one handler a call of libnetwork's protocol. Handlers run in the plugin server's
// threads, hold the service lock for as long as the change takes, and never ask the engine anything: it waits for
// their answer. Each may come twice, and any may never come (facts of Docker), so all are idempotent.
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
static int refuse(int r, const char *call, struct rwy_err *err)
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
		return refuse(r, "CreateNetwork", err);
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
	return r ? refuse(r, "DeleteNetwork", err) : 200;
}

// KEY.NETWORK says most; both parts together may be longer than a name.
static void default_name(const struct driver_endpoint *endpoint, const char *network, char *name)
{
	char text[KEY_SIZE + NAME_SIZE + 8];
	if (endpoint->key[0])
		(void)snprintf(text, sizeof(text), "%s.%s", endpoint->key, network);
	else
		(void)snprintf(text, sizeof(text), "ep-%.*s", DOCKER_SHORT_ID, endpoint->id);
	if (strlen(text) >= NAME_SIZE)
		(void)snprintf(text, sizeof(text), "%s.net%u", endpoint->key, endpoint->index);
	memcpy(name, text, strlen(text) + 1);
}

// A name that somebody else has is no reason to fail a container: it may be that of a killed one's port that is
// not collected yet.
static void choose_name(
	struct docker *docker,
	const struct driver_endpoint *endpoint,
	struct port_spec *spec
)
{
	struct port_info other;
	default_name(endpoint, spec->network, spec->name);
	if (!endpoint->name[0])
		return;
	bool taken = service_port_get(docker->daemon, endpoint->name, &other, NULL) == 0 &&
		strcmp(other.spec.endpoint_id, endpoint->id) != 0;
	// What holds our own place and index is about to be replaced, name and all.
	bool replaced = taken && endpoint->key[0] && strcmp(other.spec.key, endpoint->key) == 0 &&
		other.spec.index == endpoint->index;
	if (!taken || replaced)
		memcpy(spec->name, endpoint->name, sizeof(spec->name));
	else
		log_warn("port name '%s' is taken; '%s' it is", endpoint->name, spec->name);
}

static int add_port(
	struct docker *docker,
	const struct driver_endpoint *endpoint,
	struct port_info *ret_port,
	struct rwy_err *err
)
{
	struct network_info network;
	struct container_info place;
	int r = service_network_by_docker_id(docker->daemon, endpoint->network_id, &network, err);
	if (r) {
		err_set(err, r, "network '%.12s' is unknown to ringwayd", endpoint->network_id);
		return err_hint(err, "try again in a few seconds, or make the network anew");
	}
	if (endpoint->key[0]) {
		r = service_container_get(docker->daemon, endpoint->key, &place, err);
		if (r) {
			err_set(err, r, "there is no place with key '%s'", endpoint->key);
			return err_hint(err, "start the container with `ringway run`");
		}
	}
	struct port_spec spec = {
		.attach = "vhost",
		.queues = endpoint->queues,
		.learning = endpoint->learning,
		.no_offloads = endpoint->no_offloads,
		.limits = endpoint->limits.values,
		.index = endpoint->index,
	};
	memcpy(spec.network, network.spec.name, sizeof(spec.network));
	memcpy(spec.mac, endpoint->mac, sizeof(spec.mac));
	memcpy(spec.ip, endpoint->ip, sizeof(spec.ip));
	memcpy(spec.endpoint_id, endpoint->id, sizeof(spec.endpoint_id));
	memcpy(spec.key, endpoint->key, sizeof(spec.key));
	choose_name(docker, endpoint, &spec);
	return service_port_add(docker->daemon, &spec, ret_port, err);
}

// The port and, before the engine hears of it, the manifest that names it.
static int create_endpoint(
	struct docker *docker,
	const struct driver_endpoint *endpoint,
	struct port_info *ret_port,
	struct rwy_err *err
)
{
	int r = add_port(docker, endpoint, ret_port, err);
	if (r || !endpoint->key[0])
		return r;
	r = place_update(docker, endpoint->key, endpoint->memory_mib, err);
	if (r) // The engine will not ask for its removal: to it the endpoint never was.
		(void)service_port_remove(docker->daemon, ret_port->spec.name, NULL);
	return r;
}

static int on_create_endpoint(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	struct driver_endpoint endpoint;
	struct port_info port;
	int r = driver_parse_endpoint(request->body, &endpoint, err);
	if (!r) {
		service_lock(docker->daemon);
		r = create_endpoint(docker, &endpoint, &port, err);
		service_unlock(docker->daemon);
		if (r)
			err_prefix(err, "cannot create endpoint '%.12s': ", endpoint.id);
	}
	if (r)
		return refuse(r, "CreateEndpoint", err);
	if (endpoint.mac_given)
		return 200; // An answer about an address that it gave fails the endpoint.
	char mac[MAC_TEXT_SIZE];
	mac_format(port.spec.mac, mac);
	json_object_set_new(reply, "Interface", json_pack("{s:s}", "MacAddress", mac));
	return 200;
}

static int on_delete_endpoint(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	struct driver_ids ids;
	struct port_info port;
	int r = driver_parse_ids(request->body, DRIVER_IDS_ENDPOINT, &ids, err);
	if (!r) {
		service_lock(docker->daemon);
		r = service_port_by_endpoint(docker->daemon, ids.endpoint_id, &port, err);
		if (!r)
			r = place_remove_port(docker, &port, err);
		service_unlock(docker->daemon);
	}
	if (r == -ENOENT)
		return 200; // Collected before, or deleted twice.
	return r ? refuse(r, "DeleteEndpoint", err) : 200;
}

static int on_endpoint_info(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct docker *docker = ctx;
	struct driver_ids ids;
	struct port_info port;
	json_t *value = json_object();
	json_object_set_new(reply, "Value", value);
	int r = driver_parse_ids(request->body, DRIVER_IDS_ENDPOINT, &ids, err);
	if (r)
		return refuse(r, "EndpointOperInfo", err);
	service_lock(docker->daemon);
	r = service_port_by_endpoint(docker->daemon, ids.endpoint_id, &port, err);
	service_unlock(docker->daemon);
	if (r) // An error here fails the container's start; nothing to tell is no error.
		return 200;
	json_object_set_new(value, "ringway.port", json_string(port.spec.name));
	json_object_set_new(value, "ringway.socket", json_string(port.socket));
	return 200;
}

static int set_sandbox(struct docker *docker, const struct driver_ids *ids, struct rwy_err *err)
{
	struct port_info port;
	service_lock(docker->daemon);
	int r = service_port_by_endpoint(docker->daemon, ids->endpoint_id, &port, err);
	if (!r)
		r = service_port_set_sandbox(docker->daemon, port.id, ids->sandbox, false, err);
	service_unlock(docker->daemon);
	return r;
}

// A vhost port is a socket in a directory, so there is no interface to move and no gateway to install. An empty
// InterfaceName says just that, and DisableGatewayService keeps Docker from adding a bridge of its own.
static int on_join(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct driver_ids ids;
	int r = driver_parse_ids(request->body, DRIVER_IDS_SANDBOX, &ids, err);
	if (!r) {
		r = set_sandbox(ctx, &ids, err);
		if (r)
			err_prefix(err, "cannot join endpoint '%.12s': ", ids.endpoint_id);
	}
	if (r)
		return refuse(r, "Join", err);
	json_object_set_new(reply, "InterfaceName", json_object());
	json_object_set_new(reply, "DisableGatewayService", json_true());
	return 200;
}

// The namespace that goes away now must not count as a sign of a forgotten endpoint.
static int on_leave(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct driver_ids ids;
	int r = driver_parse_ids(request->body, DRIVER_IDS_ENDPOINT, &ids, err);
	if (!r)
		r = set_sandbox(ctx, &ids, err);
	if (r == -ENOENT)
		return 200;
	return r ? refuse(r, "Leave", err) : 200;
}

static const struct http_route routes[] = {
	{"POST", "/Plugin.Activate", on_activate},
	{"POST", "/NetworkDriver.GetCapabilities", on_capabilities},
	{"POST", "/NetworkDriver.CreateNetwork", on_create_network},
	// Swarm's pair: it asks the manager's driver for options to hand to the workers. Scope "local" has none.
	{"POST", "/NetworkDriver.AllocateNetwork", on_nothing},
	{"POST", "/NetworkDriver.FreeNetwork", on_nothing},
	{"POST", "/NetworkDriver.DeleteNetwork", on_delete_network},
	{"POST", "/NetworkDriver.CreateEndpoint", on_create_endpoint},
	{"POST", "/NetworkDriver.EndpointOperInfo", on_endpoint_info},
	{"POST", "/NetworkDriver.Join", on_join},
	{"POST", "/NetworkDriver.Leave", on_leave},
	{"POST", "/NetworkDriver.DeleteEndpoint", on_delete_endpoint},
	// Other nodes of a cluster, which a local driver has no use for.
	{"POST", "/NetworkDriver.DiscoverNew", on_nothing},
	{"POST", "/NetworkDriver.DiscoverDelete", on_nothing},
	// Published ports: asked for only where a gateway was answered, which no vhost port does.
	{"POST", "/NetworkDriver.ProgramExternalConnectivity", on_nothing},
	{"POST", "/NetworkDriver.RevokeExternalConnectivity", on_nothing},
};

struct http_table driver_routes(struct docker *docker)
{
	return (struct http_table){
		.routes = routes,
		.count = sizeof(routes) / sizeof(routes[0]),
		.ctx = docker,
	};
}
