// SPDX-License-Identifier: BSD-3-Clause
// Networks and ports as the API shows them. Pure; any thread.
#include "daemon/api/objects.h"

#include "base/fields.h"
#include "wire/wire.h"

#include <time.h>

void api_format_time(int64_t seconds, char ret_text[API_TIME_SIZE])
{
	struct tm tm = {0};
	time_t when = (time_t)seconds;
	// Times of this age fit; another one leaves an empty text.
	if (!gmtime_r(&when, &tm) || !strftime(ret_text, API_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		ret_text[0] = '\0';
}

// One level out of struct network_info and struct port_info; empty strings are left out.
struct network_view {
	char name[NAME_SIZE];
	uint32_t id;
	char subnet[ADDR_TEXT_SIZE];
	char gateway[ADDR_TEXT_SIZE];
	uint32_t mtu;
	char driver[8];
	bool docker;
	char docker_id[DOCKER_ID_SIZE];
	uint32_t ports;
	char created[API_TIME_SIZE];
};

static const struct field network_fields[] = {
	FIELD(struct network_view, name, FIELD_STR, 0),
	FIELD(struct network_view, id, FIELD_U32, 0),
	FIELD(struct network_view, subnet, FIELD_STR, 0),
	FIELD(struct network_view, gateway, FIELD_STR, 0),
	FIELD(struct network_view, mtu, FIELD_U32, 0),
	FIELD(struct network_view, driver, FIELD_STR, 0),
	FIELD(struct network_view, docker, FIELD_BOOL, 0),
	FIELD(struct network_view, docker_id, FIELD_STR, 0),
	FIELD(struct network_view, ports, FIELD_U32, 0),
	FIELD(struct network_view, created, FIELD_STR, 0),
};

static const struct field port_info_fields[] = {
	FIELD(struct port_info, id, FIELD_U32, 0),
	FIELD(struct port_info, gateway, FIELD_STR, 0),
	FIELD(struct port_info, mtu, FIELD_U32, 0),
	FIELD(struct port_info, socket, FIELD_STR, 0),
	FIELD(struct port_info, reason, FIELD_STR, 0),
};

static const struct field port_spec_fields[] = {
	FIELD(struct port_spec, name, FIELD_STR, 0),
	FIELD(struct port_spec, network, FIELD_STR, 0),
	FIELD(struct port_spec, attach, FIELD_STR, 0),
	FIELD(struct port_spec, mac, FIELD_MAC, 0),
	FIELD(struct port_spec, ip, FIELD_STR, 0),
	FIELD(struct port_spec, queues, FIELD_U16, 0),
	FIELD(struct port_spec, learning, FIELD_BOOL, 0),
	FIELD(struct port_spec, connect, FIELD_STR, 0),
};

#define COPY(to, from)                                                                   \
	do {                                                                             \
		_Static_assert(sizeof(to) == sizeof(from), "a member has another size"); \
		__builtin_memcpy(to, from, sizeof(to));                                  \
	} while (0)

json_t *api_network_json(const struct network_info *info)
{
	struct network_view view = {
		.id = info->id,
		.mtu = info->spec.mtu,
		.driver = "switch",
		.docker = info->spec.docker,
		.ports = info->ports,
	};
	COPY(view.name, info->spec.name);
	COPY(view.subnet, info->spec.subnet);
	COPY(view.gateway, info->spec.gateway);
	COPY(view.docker_id, info->spec.docker_id);
	api_format_time(info->created, view.created);
	json_t *object = json_object();
	if (object && fields_encode(&view, network_fields, FIELD_COUNT(network_fields), object)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *api_port_json(const struct port_info *info)
{
	char created[API_TIME_SIZE];
	json_t *object = json_object();
	api_format_time(info->created, created);
	if (object &&
	    (fields_encode(&info->spec, port_spec_fields, FIELD_COUNT(port_spec_fields), object) ||
	     fields_encode(info, port_info_fields, FIELD_COUNT(port_info_fields), object) ||
	     json_object_set_new(object, "offloads", json_boolean(!info->spec.no_offloads)) ||
	     json_object_set_new(object, "limits", port_limits_json(&info->spec.limits)) ||
	     json_object_set_new(object, "state", json_string(wire_port_state_text(info->state))) ||
	     (info->spec.key[0] &&
	      json_object_set_new(object, "container", json_string(info->spec.key))) ||
	     json_object_set_new(object, "created", json_string(created)))) {
		json_decref(object);
		return NULL;
	}
	return object;
}
