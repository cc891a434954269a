// SPDX-License-Identifier: BSD-3-Clause
// The driver's calls about endpoints: a port is made of one, joins a container's namespace, leaves it and goes. Plugin
// server's threads, under the service lock (driver.c).
#include "base/fields.h"
#include "base/log.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/returning.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool driver_is_kernel(const struct port_info *port)
{
	return strcmp(port->spec.attach, "kernel") == 0;
}

bool driver_is_interface(const struct port_info *port)
{
	return driver_is_kernel(port) || strcmp(port->spec.attach, "vf-kernel") == 0;
}

bool driver_is_function(const struct port_info *port)
{
	return strncmp(port->spec.attach, "vf", 2) == 0;
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

struct mac_search {
	const struct port_spec *spec;
	bool taken;
};

static void search_mac(void *arg, const struct port_info *info)
{
	struct mac_search *search = arg;
	const struct port_spec *spec = search->spec;
	// A forgotten endpoint with our address is about to be replaced, MAC and all.
	if (strcmp(info->spec.network, spec->network) == 0 &&
	    strcmp(info->spec.endpoint_id, spec->endpoint_id) != 0 &&
	    strcmp(info->spec.ip, spec->ip) != 0 &&
	    memcmp(info->spec.mac, spec->mac, MAC_SIZE) == 0)
		search->taken = true;
}

static void choose_mac(struct docker *docker, struct port_spec *spec)
{
	struct mac_search search = {.spec = spec};
	if (!mac_is_zero(spec->mac) || !docker_mac_of_address(spec->ip, spec->mac))
		return;
	service_each_port(docker->daemon, search_mac, &search);
	if (search.taken) // The service makes a free one.
		memset(spec->mac, 0, sizeof(spec->mac));
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
		err_set(err,
			r,
			"cannot create endpoint '%.12s': network '%.12s' is unknown to ringwayd",
			endpoint->id,
			endpoint->network_id);
		return err_hint(err, "try again in a few seconds, or make the network anew");
	}
	if (endpoint->key[0]) {
		r = service_container_get(docker->daemon, endpoint->key, &place, err);
		if (r) {
			err_set(err,
				r,
				"cannot create endpoint '%.12s': there is no place with key '%s'",
				endpoint->id,
				endpoint->key);
			return err_hint(err, "start the container with `ringway run`");
		}
	}
	struct port_spec spec = {
		.queues = endpoint->queues,
		.learning = endpoint->learning,
		.allow_spoof = endpoint->allow_spoof,
		.pin_address = endpoint->pin_address,
		.no_offloads = endpoint->no_offloads,
		.limits = endpoint->limits.values,
		.index = endpoint->index,
		.vfs = endpoint->vfs,
		.owner_uid = endpoint->owner_uid,
		.cpus = endpoint->cpus,
	};
	const char *attach = driver_attach_text(endpoint->attach, network.spec.driver);
	memcpy(spec.attach, attach, strlen(attach) + 1);
	memcpy(spec.network, network.spec.name, sizeof(spec.network));
	memcpy(spec.mac, endpoint->mac, sizeof(spec.mac));
	memcpy(spec.ip, endpoint->ip, sizeof(spec.ip));
	memcpy(spec.ip6, endpoint->ip6, sizeof(spec.ip6));
	memcpy(spec.endpoint_id, endpoint->id, sizeof(spec.endpoint_id));
	memcpy(spec.key, endpoint->key, sizeof(spec.key));
	memcpy(spec.function, endpoint->functions[0], sizeof(spec.function));
	if (!endpoint->pin_given)
		spec.pin_address = model_pins_address(&spec);
	choose_name(docker, endpoint, &spec);
	choose_mac(docker, &spec);
	return service_port_add(docker->daemon, &spec, ret_port, err);
}

struct functions_search {
	const struct driver_endpoint *endpoint;
	const struct port_info *port;
	char other[FUNCTION_SIZE]; // One that the container has no node of.
};

static bool is_named(const struct driver_endpoint *endpoint, const char *address)
{
	for (uint16_t i = 0; i < endpoint->function_count; i++)
		if (strcmp(endpoint->functions[i], address) == 0)
			return true;
	return false;
}

static void search_other(void *arg, const struct port_info *info)
{
	struct functions_search *search = arg;
	bool is_its = strcmp(info->spec.name, search->port->spec.name) == 0 ||
		strcmp(info->with, search->port->spec.name) == 0;
	if (is_its && !is_named(search->endpoint, info->spec.function))
		memcpy(search->other, info->spec.function, sizeof(search->other));
}

// A container has the nodes of certain functions, and can use no other. They are kept for it while it is stopped, but somebody
// else may have needed one.
static int functions_check(
	struct docker *docker,
	const struct driver_endpoint *endpoint,
	const struct port_info *port,
	struct rwy_err *err
)
{
	struct functions_search search = {.endpoint = endpoint, .port = port};
	if (!endpoint->vfs || endpoint->function_count < endpoint->vfs)
		return 0;
	service_each_port(docker->daemon, search_other, &search);
	if (!search.other[0])
		return 0;
	(void)service_port_remove(docker->daemon, port->spec.name, NULL); // It was just made.
	err_set(err,
		-EBUSY,
		"cannot create endpoint '%.12s': a function that the container was made with is in use, and %s is not its",
		endpoint->id,
		search.other);
	return err_hint(
		err, "end who has it (`ringway network ls --functions`), or make the container anew"
	);
}

// Those whose nodes a container was made with are on their way back where it has just ended.
static int add_port_patiently(
	struct docker *docker,
	const struct driver_endpoint *endpoint,
	struct port_info *ret_port,
	struct rwy_err *err
)
{
	int64_t until_ms = docker_now_ms() + RETURNING_MS;
	struct network_info network;
	while (endpoint->function_count &&
	       returning_wait_named(docker, endpoint->functions, endpoint->function_count, until_ms)
	)
		continue;
	for (;;) {
		int r = add_port(docker, endpoint, ret_port, err);
		if (!r)
			r = functions_check(docker, endpoint, ret_port, err);
		if (r != -EBUSY ||
		    service_network_by_docker_id(
			    docker->daemon, endpoint->network_id, &network, NULL
		    ) ||
		    !returning_wait(docker, network.spec.name, until_ms))
			return r;
	}
}

// The port and, before the engine hears of it, the manifest that names it.
static int create_endpoint(
	struct docker *docker,
	const struct driver_endpoint *endpoint,
	struct port_info *ret_port,
	struct rwy_err *err
)
{
	int r = add_port_patiently(docker, endpoint, ret_port, err);
	if (r || !endpoint->key[0])
		return r;
	r = place_update(docker, endpoint->key, endpoint->memory_mib, err);
	if (!r)
		return 0;
	// The engine will not ask for its removal: to it the endpoint never was.
	(void)service_port_remove(docker->daemon, ret_port->spec.name, NULL);
	return err_prefix(err, "cannot create endpoint '%.12s': ", endpoint->id);
}

int endpoint_on_create(
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
	}
	if (r)
		return driver_refuse(r, "CreateEndpoint", err);
	if (endpoint.mac_given)
		return 200; // An answer about an address that it gave fails the endpoint.
	char mac[MAC_TEXT_SIZE];
	mac_format(port.spec.mac, mac);
	json_object_set_new(reply, "Interface", json_pack("{s:s}", "MacAddress", mac));
	return 200;
}

int endpoint_on_delete(
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
	return r ? driver_refuse(r, "DeleteEndpoint", err) : 200;
}

int endpoint_on_info(
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
		return driver_refuse(r, "EndpointOperInfo", err);
	service_lock(docker->daemon);
	r = service_port_by_endpoint(docker->daemon, ids.endpoint_id, &port, err);
	service_unlock(docker->daemon);
	if (r) // An error here fails the container's start; nothing to tell is no error.
		return 200;
	// Names of our own only: the engine takes values under its own names for types of its own and dies of others.
	json_object_set_new(value, "ringway.port", json_string(port.spec.name));
	json_object_set_new(value, "ringway.attach", json_string(port.spec.attach));
	if (driver_is_function(&port))
		json_object_set_new(value, "ringway.function", json_string(port.spec.function));
	if (driver_is_interface(&port))
		json_object_set_new(value, "ringway.interface", json_string(port.ifname_host));
	if (port.socket[0])
		json_object_set_new(value, "ringway.socket", json_string(port.socket));
	return 200;
}

static int set_sandbox(
	struct docker *docker,
	const struct driver_ids *ids,
	struct port_info *ret_port,
	struct rwy_err *err
)
{
	service_lock(docker->daemon);
	int r = service_port_by_endpoint(docker->daemon, ids->endpoint_id, ret_port, err);
	if (!r)
		r = service_port_set_sandbox(
			docker->daemon, ret_port->id, ids->sandbox, false, err
		);
	service_unlock(docker->daemon);
	return r;
}

// A vhost port is a socket in a directory, and a function under VFIO a device node, so there is no interface to move and no
// gateway to install. An empty InterfaceName says just that. An interface the engine moves, names and addresses. One of a
// network of functions has a gateway only where the network was given one: nothing of the host answers there.
static void answer_join(const struct port_info *port, json_t *reply)
{
	json_t *interface = json_object();
	json_object_set_new(reply, "InterfaceName", interface);
	bool routed = driver_is_interface(port) && !port->internal;
	bool gateway = routed && port->spec.ip[0] && port->gateway[0];
	if (driver_is_interface(port)) {
		json_object_set_new(interface, "SrcName", json_string(port->ifname_host));
		json_object_set_new(interface, "DstPrefix", json_string("eth"));
	}
	if (gateway)
		json_object_set_new(reply, "Gateway", json_string(port->gateway));
	if (routed && port->spec.ip6[0] && port->gateway6[0])
		json_object_set_new(reply, "GatewayIPv6", json_string(port->gateway6));
	// Without a gateway of IPv4 Docker would add a bridge of its own.
	if (!gateway)
		json_object_set_new(reply, "DisableGatewayService", json_true());
}

int endpoint_on_join(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct driver_ids ids;
	struct port_info port;
	int r = driver_parse_ids(request->body, DRIVER_IDS_SANDBOX, &ids, err);
	if (!r) {
		r = set_sandbox(ctx, &ids, &port, err);
		if (r)
			err_prefix(err, "cannot join endpoint '%.12s': ", ids.endpoint_id);
	}
	if (r)
		return driver_refuse(r, "Join", err);
	answer_join(&port, reply);
	return 200;
}

// The namespace that goes away now must not count as a sign of a forgotten endpoint.
int endpoint_on_leave(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct driver_ids ids;
	struct port_info port;
	int r = driver_parse_ids(request->body, DRIVER_IDS_ENDPOINT, &ids, err);
	if (!r)
		r = set_sandbox(ctx, &ids, &port, err);
	if (r == -ENOENT)
		return 200;
	return r ? driver_refuse(r, "Leave", err) : 200;
}
