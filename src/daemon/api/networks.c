// SPDX-License-Identifier: BSD-3-Clause
// Calls about networks. An engine is asked without the service's lock, since it calls the driver,
// which takes that. HTTP server's threads.
#include "base/fields.h"
#include "base/log.h"
#include "daemon/api/handlers.h"
#include "daemon/api/objects.h"
#include "daemon/core/stats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct network_body {
	char
		name[NAME_SIZE *
		     8]; // Room for names that are too long, which get a message of their own.
	char subnet[ADDR_TEXT_SIZE];
	char gateway[ADDR_TEXT_SIZE];
	char subnet6[ADDR_TEXT_SIZE];
	char gateway6[ADDR_TEXT_SIZE];
	char ip_range[ADDR_TEXT_SIZE];
	bool internal;
	bool proxy_neighbors;
	bool gateway_port;
	uint16_t vlan;
	char uplink[PATH_TEXT_SIZE];
	int32_t mtu; // Signed, so that what is out of range gets the range's message.
	char driver[16];
	bool docker;
};

static const struct field network_fields[] = {
	FIELD(struct network_body, name, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct network_body, subnet, FIELD_STR, 0),
	FIELD(struct network_body, gateway, FIELD_STR, 0),
	FIELD(struct network_body, subnet6, FIELD_STR, 0),
	FIELD(struct network_body, gateway6, FIELD_STR, 0),
	FIELD(struct network_body, ip_range, FIELD_STR, 0),
	FIELD(struct network_body, internal, FIELD_BOOL, 0),
	FIELD(struct network_body, proxy_neighbors, FIELD_BOOL, 0),
	FIELD(struct network_body, gateway_port, FIELD_BOOL, 0),
	FIELD(struct network_body, vlan, FIELD_U16, 0),
	FIELD(struct network_body, uplink, FIELD_STR, 0),
	FIELD(struct network_body, mtu, FIELD_S32, 0),
	FIELD(struct network_body, driver, FIELD_STR, 0),
	FIELD(struct network_body, docker, FIELD_BOOL, 0),
};

static void list_network(void *arg, const struct network_info *info)
{
	(void)json_array_append_new(arg, api_network_json(info)); // Out of memory: one is missing.
}

int api_networks_list(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	json_t *networks = json_array();
	service_lock(api->daemon);
	service_each_network(api->daemon, list_network, networks);
	service_unlock(api->daemon);
	return json_object_set_new(reply, "networks", networks) ? -ENOMEM : 200;
}

// "aux", an object of any names, as "name=address,..".
static int read_aux(json_t *aux, char ret_text[AUX_TEXT_SIZE], struct rwy_err *err)
{
	const char *name;
	json_t *address;
	size_t used = 0;
	if (aux && !json_is_object(aux))
		return err_set(err, -EINVAL, "'aux' must be an object");
	json_object_foreach(aux, name, address)
	{
		const char *text = json_string_value(address);
		if (!text || !name[0] || strpbrk(name, "=,") || strpbrk(text, "=,"))
			return err_set(
				err, -EINVAL, "auxiliary address '%.40s' is malformed", name
			);
		int size = snprintf(
			ret_text + used,
			AUX_TEXT_SIZE - used,
			"%s%s=%s",
			used ? "," : "",
			name,
			text
		);
		if (size < 0 || (size_t)size >= AUX_TEXT_SIZE - used)
			return err_set(err, -EINVAL, "there are too many auxiliary addresses");
		used += (size_t)size;
	}
	return 0;
}

static int decode_body(
	const struct http_request *request,
	struct network_body *body,
	struct network_spec *spec,
	struct rwy_err *err
)
{
	// Its names are the caller's, so it is no member that the table could have.
	_cleanup_json_ json_t *rest = json_copy(request->body);
	(void)json_object_del(rest, "aux"); // Absent: fine.
	int r = api_read_network_functions(rest, &spec->functions, err);
	if (!r)
		r = fields_decode(rest, network_fields, FIELD_COUNT(network_fields), body, err);
	return r ? r : read_aux(json_object_get(request->body, "aux"), spec->aux, err);
}

static void copy_body(const struct network_body *body, struct network_spec *spec)
{
	spec->docker = body->docker;
	spec->internal = body->internal;
	spec->proxy_neighbors = body->proxy_neighbors;
	spec->no_gateway = !body->gateway_port;
	spec->vlan = body->vlan;
	// No MTU is below 1; 0 would mean the default.
	spec->mtu = body->mtu > 0 ? (uint32_t)body->mtu : 1;
	(void)memcpy(spec->name, body->name, NAME_SIZE);
	(void)memcpy(spec->subnet, body->subnet, ADDR_TEXT_SIZE);
	(void)memcpy(spec->gateway, body->gateway, ADDR_TEXT_SIZE);
	(void)memcpy(spec->subnet6, body->subnet6, ADDR_TEXT_SIZE);
	(void)memcpy(spec->gateway6, body->gateway6, ADDR_TEXT_SIZE);
	(void)memcpy(spec->ip_range, body->ip_range, ADDR_TEXT_SIZE);
	(void)memcpy(spec->uplink, body->uplink, PATH_TEXT_SIZE);
	(void)memcpy(spec->driver, body->driver, sizeof(spec->driver));
}

static int read_spec(
	const struct http_request *request,
	struct network_spec *ret_spec,
	struct rwy_err *err
)
{
	struct network_body body = {
		.driver = "switch", .docker = true, .mtu = 1500, .gateway_port = true};
	struct network_spec spec = {0};
	int r = decode_body(request, &body, &spec, err);
	if (r)
		return err_prefix(err, "cannot create network: ");
	if (strlen(body.name) >= NAME_SIZE)
		return err_set(
			err,
			-EINVAL,
			"cannot create network '%.20s..': the name has %zu characters, the limit is %d",
			body.name,
			strlen(body.name),
			NAME_SIZE - 1
		);
	copy_body(&body, &spec);
	*ret_spec = spec;
	return 0;
}

static void undo_create(struct api *api, const struct network_info *info)
{
	struct rwy_err err = {0};
	service_lock(api->daemon);
	int r = service_network_remove(api->daemon, info->spec.name, &err);
	service_unlock(api->daemon);
	if (r && r != -ENOENT)
		log_err(&err, "network '%s' stays", info->spec.name);
}

int api_networks_create(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	struct network_spec spec = {0};
	struct network_info info;
	int r = read_spec(request, &spec, err);
	if (r)
		return r;
	service_lock(api->daemon);
	r = service_network_add(api->daemon, &spec, &info, err);
	service_unlock(api->daemon);
	if (r)
		return r;
	if (spec.docker && api->engine.docker)
		r = api->engine.network_create(api->engine.docker, &info, err);
	if (r) {
		undo_create(api, &info);
		return r;
	}
	// The engine may have picked the addresses meanwhile.
	service_lock(api->daemon);
	r = service_network_get(api->daemon, spec.name, &info, err);
	service_unlock(api->daemon);
	if (r)
		return r;
	return json_object_update_new(reply, api_network_json(&info)) ? -ENOMEM : 201;
}

struct names_of {
	const char *network;
	json_t *names;
};

static void list_name(void *arg, const struct port_info *info)
{
	const struct names_of *of = arg;
	if (strcmp(info->spec.network, of->network) == 0)
		(void)json_array_append_new(of->names, json_string(info->spec.name)); // As above.
}

static void list_function(void *arg, const struct service_function *function)
{
	(void)json_array_append_new(arg, api_function_json(function)); // As above.
}

// Under the lock. Out of memory: they are missing.
static void add_functions(struct daemon *d, const struct network_info *info, json_t *object)
{
	if (!info->spec.functions.parent[0])
		return;
	json_t *functions = json_array();
	service_each_function(d, info->spec.name, list_function, functions);
	(void)json_object_set_new(object, "functions", functions);
}

int api_networks_get(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	struct network_info info;
	struct names_of of = {request->params[0], json_array()};
	service_lock(api->daemon);
	int r = service_network_get(api->daemon, request->params[0], &info, err);
	if (!r)
		service_each_port(api->daemon, list_name, &of);
	if (!r && json_object_update_new(reply, api_network_json(&info)))
		r = -ENOMEM;
	if (!r)
		add_functions(api->daemon, &info, reply);
	if (!r)
		stats_add_trunk(api->daemon, info.id, reply);
	service_unlock(api->daemon);
	if (r) {
		json_decref(of.names);
		return r;
	}
	return json_object_set_new(reply, "port_names", of.names) ? -ENOMEM : 200;
}

static int remove_row(struct api *api, const char *name, struct rwy_err *err)
{
	service_lock(api->daemon);
	int r = service_network_remove(api->daemon, name, err);
	service_unlock(api->daemon);
	return r;
}

int api_networks_remove(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	struct network_info info;
	const char *name = request->params[0];
	service_lock(api->daemon);
	int r = service_network_get(api->daemon, name, &info, err);
	service_unlock(api->daemon);
	if (r)
		return r;
	bool asked = !info.ports && info.spec.docker_id[0] && api->engine.docker;
	if (asked)
		r = api->engine.network_remove(api->engine.docker, info.spec.docker_id, err);
	if (r)
		return r;
	r = remove_row(api, name, err);
	// Asked by the engine, the driver may have removed the row already.
	return r && !(asked && r == -ENOENT) ? r : 200;
}
