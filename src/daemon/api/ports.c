// SPDX-License-Identifier: BSD-3-Clause
// Calls about ports. HTTP server's threads.
#include "base/fields.h"
#include "daemon/api/handlers.h"
#include "daemon/api/objects.h"
#include "daemon/core/stats.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct port_body {
	char
		name[NAME_SIZE *
		     8]; // Room for names that are too long, which get a message of their own.
	char network[NAME_SIZE * 8];
	char attach[16];
	uint8_t mac[MAC_SIZE];
	char ip[ADDR_TEXT_SIZE];
	uint16_t queues;
	bool learning;
	bool allow_spoof;
	bool offloads;
	struct port_limits limits;
	char connect[PATH_TEXT_SIZE];
	char ip6[ADDR_TEXT_SIZE];
	bool pin_address;
	char netns[PATH_TEXT_SIZE];
	char interface[NAME_SIZE]; // As name: its length gets a message of its own.
	char device[PATH_TEXT_SIZE];
	uint16_t vlan;
};

static const struct field port_fields[] = {
	FIELD(struct port_body, name, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct port_body, network, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct port_body, attach, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct port_body, mac, FIELD_MAC, 0),
	FIELD(struct port_body, ip, FIELD_STR, 0),
	FIELD(struct port_body, queues, FIELD_U16, 0),
	FIELD(struct port_body, learning, FIELD_BOOL, 0),
	FIELD(struct port_body, allow_spoof, FIELD_BOOL, 0),
	FIELD(struct port_body, offloads, FIELD_BOOL, 0),
	FIELD_STRUCT(struct port_body, limits, port_limits_fields),
	FIELD(struct port_body, connect, FIELD_STR, 0),
	FIELD(struct port_body, ip6, FIELD_STR, 0),
	FIELD(struct port_body, pin_address, FIELD_BOOL, 0),
	FIELD(struct port_body, netns, FIELD_STR, 0),
	FIELD(struct port_body, interface, FIELD_STR, 0),
	FIELD(struct port_body, device, FIELD_STR, 0),
	FIELD(struct port_body, vlan, FIELD_U16, 0),
};

struct port_listing {
	struct daemon *daemon;
	const char *network; // NULL: all.
	json_t *ports;
};

// Under the lock. Out of memory: parts are missing.
static json_t *port_json(struct daemon *d, const struct port_info *info)
{
	struct port_publish published[PUBLISH_MAX];
	json_t *object = api_port_json(info);
	size_t count = service_port_published(d, info->id, published, PUBLISH_MAX);
	if (object && count)
		(void
		)json_object_set_new(object, "published", api_published_json(published, count));
	return object;
}

static void list_port(void *arg, const struct port_info *info)
{
	const struct port_listing *listing = arg;
	if (!listing->network || strcmp(info->spec.network, listing->network) == 0)
		// Out of memory: one is missing.
		(void)json_array_append_new(listing->ports, port_json(listing->daemon, info));
}

int api_ports_list(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	struct port_listing listing = {
		api->daemon, http_request_query(request, "network"), json_array()};
	struct network_info network;
	int r = 0;
	service_lock(api->daemon);
	if (listing.network)
		r = service_network_get(api->daemon, listing.network, &network, err);
	if (!r)
		service_each_port(api->daemon, list_port, &listing);
	// Without a switch the ports are listed all the same.
	if (!r)
		(void)stats_add_queues(api->daemon, listing.ports, NULL);
	if (!r)
		stats_add_uplinks(api->daemon, listing.ports);
	service_unlock(api->daemon);
	if (r) {
		json_decref(listing.ports);
		return r;
	}
	return json_object_set_new(reply, "ports", listing.ports) ? -ENOMEM : 200;
}

// A process stands for its namespace.
static void copy_netns(const char *text, char ret_path[PATH_TEXT_SIZE])
{
	if (text[0] && strspn(text, "0123456789") == strlen(text))
		(void)snprintf(ret_path, PATH_TEXT_SIZE, "/proc/%.20s/ns/net", text); // Fits.
	else
		(void)memcpy(ret_path, text, PATH_TEXT_SIZE);
}

static int copy_body(const struct port_body *body, struct port_spec *ret_spec, struct rwy_err *err)
{
	struct port_spec spec = {
		.queues = body->queues,
		.learning = body->learning,
		.allow_spoof = body->allow_spoof,
		.no_offloads = !body->offloads,
		.limits = body->limits,
		.pin_address = body->pin_address,
		.vlan = body->vlan,
	};
	if (body->interface[0] && model_check_ifname(body->interface, err))
		return err_prefix(err, "cannot create port '%s': ", body->name);
	(void)memcpy(spec.name, body->name, NAME_SIZE);
	(void)memcpy(spec.network, body->network, NAME_SIZE);
	(void)memcpy(spec.attach, body->attach, sizeof(body->attach));
	(void)memcpy(spec.mac, body->mac, MAC_SIZE);
	(void)memcpy(spec.ip, body->ip, ADDR_TEXT_SIZE);
	(void)memcpy(spec.ip6, body->ip6, ADDR_TEXT_SIZE);
	(void)memcpy(spec.connect, body->connect, PATH_TEXT_SIZE);
	(void)memcpy(spec.ifname, body->interface, IFNAME_SIZE);
	(void)memcpy(spec.device, body->device, PATH_TEXT_SIZE);
	copy_netns(body->netns, spec.netns);
	*ret_spec = spec;
	return 0;
}

static void copy_function(const struct port_spec *from, struct port_spec *spec)
{
	spec->vfs = from->vfs;
	spec->owner_uid = from->owner_uid;
	spec->cpus = from->cpus;
	(void)memcpy(spec->function, from->function, sizeof(spec->function));
}

static int read_spec(
	const struct http_request *request,
	struct port_spec *ret_spec,
	struct rwy_err *err
)
{
	struct port_body body = {.queues = 1, .offloads = true};
	struct port_spec function = {0};
	_cleanup_json_ json_t *rest = json_copy(request->body);
	int r = api_read_port_function(rest, &function, err);
	if (!r)
		r = fields_decode(rest, port_fields, FIELD_COUNT(port_fields), &body, err);
	if (r)
		return err_prefix(err, "cannot create port: ");
	if (strlen(body.name) >= NAME_SIZE)
		return err_set(
			err,
			-EINVAL,
			"cannot create port '%.20s..': the name has %zu characters, the limit is %d",
			body.name,
			strlen(body.name),
			NAME_SIZE - 1
		);
	if (strlen(body.network) >= NAME_SIZE)
		return err_set(
			err,
			-ENOENT,
			"cannot create port '%s': there is no network '%.20s..'",
			body.name,
			body.network
		);
	if (!body.queues)
		return err_set(
			err, -EINVAL, "cannot create port '%s': 0 queues are too few", body.name
		);
	r = copy_body(&body, ret_spec, err);
	if (!r)
		copy_function(&function, ret_spec);
	if (!r && !json_object_get(request->body, "pin_address"))
		ret_spec->pin_address = model_pins_address(ret_spec);
	return r;
}

int api_ports_create(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	struct port_spec spec = {0};
	struct port_info info;
	int r = read_spec(request, &spec, err);
	if (r)
		return r;
	service_lock(api->daemon);
	r = service_port_add(api->daemon, &spec, &info, err);
	service_unlock(api->daemon);
	if (r)
		return r;
	return json_object_update_new(reply, api_port_json(&info)) ? -ENOMEM : 201;
}

int api_ports_get(void *ctx, const struct http_request *request, json_t *reply, struct rwy_err *err)
{
	struct api *api = ctx;
	struct port_info info;
	service_lock(api->daemon);
	int r = service_port_get(api->daemon, request->params[0], &info, err);
	if (!r && json_object_update_new(reply, port_json(api->daemon, &info)))
		r = -ENOMEM;
	// Without a switch the port is shown all the same, only its counters are not there.
	if (!r)
		(void)stats_add_port(api->daemon, request->params[0], reply, NULL);
	service_unlock(api->daemon);
	return r ? r : 200;
}

int api_ports_change(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	const char *name = request->params[0];
	struct port_info info;
	struct port_limits_given given = {0};
	json_t *limits = json_object_get(request->body, "limits");
	int r = 0;
	// Whatever else a port has is fixed while it lives.
	if (!limits || json_object_size(request->body) != 1)
		r = err_set(err, -EINVAL, "only 'limits' can be changed, and must be given");
	else
		r = port_limits_given_decode(limits, &given, err);
	if (r)
		return err_prefix(err, "cannot change port '%.80s': ", name);
	service_lock(api->daemon);
	r = service_port_set_limits(api->daemon, name, &given, &info, err);
	service_unlock(api->daemon);
	if (r)
		return r;
	return json_object_update_new(reply, api_port_json(&info)) ? -ENOMEM : 200;
}

int api_ports_remove(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	struct port_info info;
	const char *name = request->params[0];
	service_lock(api->daemon);
	int r = service_port_get(api->daemon, name, &info, err);
	if (!r && (info.spec.key[0] || info.spec.endpoint_id[0])) {
		r = err_set(
			err, -EBUSY, "cannot remove port '%s': it belongs to a container", name
		);
		err_hint(err, "stop the container: its ports go with it");
	} else if (!r) {
		r = service_port_remove(api->daemon, name, err);
	}
	service_unlock(api->daemon);
	return r ? r : 200;
}
