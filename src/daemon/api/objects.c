// SPDX-License-Identifier: BSD-3-Clause
// Networks and ports as the API shows them. Pure; any thread.
#include "daemon/api/objects.h"

#include "base/fields.h"
#include "wire/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
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
	char subnet6[ADDR_TEXT_SIZE];
	char gateway6[ADDR_TEXT_SIZE];
	char ip_range[ADDR_TEXT_SIZE];
	uint32_t mtu;
	bool internal;
	bool proxy_neighbors;
	bool gateway_port;
	char uplink[PATH_TEXT_SIZE];
	char driver[16];
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
	FIELD(struct network_view, subnet6, FIELD_STR, 0),
	FIELD(struct network_view, gateway6, FIELD_STR, 0),
	FIELD(struct network_view, ip_range, FIELD_STR, 0),
	FIELD(struct network_view, mtu, FIELD_U32, 0),
	FIELD(struct network_view, internal, FIELD_BOOL, 0),
	FIELD(struct network_view, proxy_neighbors, FIELD_BOOL, 0),
	FIELD(struct network_view, gateway_port, FIELD_BOOL, 0),
	FIELD(struct network_view, uplink, FIELD_STR, 0),
	FIELD(struct network_view, driver, FIELD_STR, 0),
	FIELD(struct network_view, docker, FIELD_BOOL, 0),
	FIELD(struct network_view, docker_id, FIELD_STR, 0),
	FIELD(struct network_view, ports, FIELD_U32, 0),
	FIELD(struct network_view, created, FIELD_STR, 0),
};

static const struct field port_info_fields[] = {
	FIELD(struct port_info, id, FIELD_U32, 0),
	FIELD(struct port_info, gateway, FIELD_STR, 0),
	FIELD(struct port_info, gateway6, FIELD_STR, 0),
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
	FIELD(struct port_spec, ip6, FIELD_STR, 0),
	FIELD(struct port_spec, queues, FIELD_U16, 0),
	FIELD(struct port_spec, learning, FIELD_BOOL, 0),
	FIELD(struct port_spec, allow_spoof, FIELD_BOOL, 0),
	FIELD(struct port_spec, pin_address, FIELD_BOOL, 0),
	FIELD(struct port_spec, connect, FIELD_STR, 0),
	FIELD(struct port_spec, netns, FIELD_STR, 0),
	FIELD(struct port_spec, device, FIELD_STR, 0),
};

#define COPY(to, from)                                                                   \
	do {                                                                             \
		_Static_assert(sizeof(to) == sizeof(from), "a member has another size"); \
		__builtin_memcpy(to, from, sizeof(to));                                  \
	} while (0)

// "name=address,.." as an object.
static json_t *aux_json(const char *aux)
{
	json_t *object = json_object();
	char text[AUX_TEXT_SIZE];
	(void)snprintf(text, sizeof(text), "%s", aux); // It fits.
	char *rest = NULL;
	for (char *at = strtok_r(text, ",", &rest); at; at = strtok_r(NULL, ",", &rest)) {
		char *address = strchr(at, '=');
		if (!address)
			continue; // Checked when the network was made.
		*address++ = '\0';
		// Out of memory: one is missing.
		(void)json_object_set_new(object, at, json_string(address));
	}
	return object;
}

json_t *api_network_json(const struct network_info *info)
{
	struct network_view view = {
		.id = info->id,
		.mtu = info->spec.mtu,
		.internal = info->spec.internal,
		.proxy_neighbors = info->spec.proxy_neighbors,
		.gateway_port = !info->spec.no_gateway,
		.docker = info->spec.docker,
		.ports = info->ports,
	};
	COPY(view.name, info->spec.name);
	COPY(view.subnet, info->spec.subnet);
	COPY(view.gateway, info->spec.gateway);
	COPY(view.subnet6, info->spec.subnet6);
	COPY(view.gateway6, info->spec.gateway6);
	COPY(view.ip_range, info->spec.ip_range);
	COPY(view.uplink, info->spec.uplink);
	COPY(view.docker_id, info->spec.docker_id);
	(void)snprintf( // It fits.
		view.driver,
		sizeof(view.driver),
		"%s",
		info->spec.driver[0] ? info->spec.driver : "switch"
	);
	api_format_time(info->created, view.created);
	json_t *object = json_object();
	if (object &&
	    (fields_encode(&view, network_fields, FIELD_COUNT(network_fields), object) ||
	     (info->spec.vlan && json_object_set_new(object, "vlan", json_integer(info->spec.vlan))
	     ) ||
	     api_add_network_functions(object, &info->spec.functions) ||
	     (info->spec.aux[0] && json_object_set_new(object, "aux", aux_json(info->spec.aux))))) {
		json_decref(object);
		return NULL;
	}
	return object;
}

// What only some ports have.
static int add_rest(const struct port_info *info, json_t *object)
{
	const struct port_spec *spec = &info->spec;
	// Where ringwayd did not put it into a namespace, it is known by its name in the host's.
	const char *ifname = spec->ifname[0] ? spec->ifname : info->ifname_host;
	if ((ifname[0] && json_object_set_new(object, "interface", json_string(ifname))) ||
	    (spec->vlan && json_object_set_new(object, "vlan", json_integer(spec->vlan))) ||
	    (info->sandbox[0] && json_object_set_new(object, "sandbox", json_string(info->sandbox))
	    ) ||
	    (spec->of_network && json_object_set_new(object, "owner", json_string("network"))) ||
	    (spec->key[0] && json_object_set_new(object, "container", json_string(spec->key))))
		return -ENOMEM;
	return 0;
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
	     add_rest(info, object) || api_add_port_function(object, info) ||
	     json_object_set_new(object, "created", json_string(created)))) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static const char *proto_text(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	default:
		return "tcp";
	}
}

json_t *api_published_json(const struct port_publish *list, size_t count)
{
	json_t *published = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *entry = json_pack(
			"{s:s, s:I, s:I}",
			"proto",
			proto_text(list[i].proto),
			"host_port",
			(json_int_t)list[i].bound,
			"container_port",
			(json_int_t)list[i].container_port
		);
		// Out of memory: one is missing.
		if (entry && list[i].host_ip[0])
			(void)json_object_set_new(entry, "host_ip", json_string(list[i].host_ip));
		(void)json_array_append_new(published, entry);
	}
	return published;
}
