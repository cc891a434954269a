// SPDX-License-Identifier: BSD-3-Clause
// Functions of NICs in the API's objects and bodies. Pure; any thread.
#include "base/cpumask.h"
#include "base/fields.h"
#include "daemon/api/objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const links[] = {"auto", "enable", "disable"};
#define LINKS (sizeof(links) / sizeof(links[0]))

// Adds a number that is known.
static int add_number(json_t *object, const char *name, int64_t value)
{
	return value < 0 ? 0 : json_object_set_new(object, name, json_integer(value));
}

static int add_switch(json_t *object, const char *name, int value)
{
	return value < 0 ? 0 : json_object_set_new(object, name, json_boolean(value));
}

static int add_text(json_t *object, const char *name, const char *text)
{
	return text[0] ? json_object_set_new(object, name, json_string(text)) : 0;
}

static int add_mac(json_t *object, const uint8_t mac[MAC_SIZE])
{
	char text[MAC_TEXT_SIZE];
	mac_format(mac, text);
	return mac_is_zero(mac) ? 0 : json_object_set_new(object, "mac", json_string(text));
}

int api_add_network_functions(json_t *object, const struct network_functions *functions)
{
	const char *link = "";
	if (functions->noiommu && json_object_set_new(object, "noiommu", json_true()))
		return -ENOMEM;
	if (!functions->parent[0])
		return 0;
	if (functions->link_state >= 0 && (size_t)functions->link_state < LINKS)
		link = links[functions->link_state];
	if (add_text(object, "parent", functions->parent) ||
	    add_text(object, "pf", functions->pf) || add_number(object, "vfs", functions->vfs) ||
	    add_switch(object, "trust", functions->trust) ||
	    add_switch(object, "spoof_check", functions->spoof_check) ||
	    add_text(object, "link_state", link) ||
	    add_number(object, "rate_min", functions->rate_min) ||
	    add_number(object, "rate_max", functions->rate_max))
		return -ENOMEM;
	return 0;
}

json_t *api_function_json(const struct service_function *function)
{
	json_t *object = json_pack(
		"{s:s, s:i, s:s}",
		"address",
		function->address,
		"number",
		(int)function->number,
		"state",
		function_state_text(function->state)
	);
	const char *reason = function->reason;
	if (!function->there && !reason[0])
		reason = "the host does not have it now";
	if (!object)
		return NULL;
	if (add_text(object, "port", function->port) || add_text(object, "key", function->key) ||
	    add_text(object, "driver", function->driver) ||
	    add_text(object, "interface", function->interface) ||
	    add_text(object, "rdma", function->rdma) ||
	    add_number(object, "iommu_group", function->iommu_group) ||
	    add_number(object, "numa_node", function->numa_node) ||
	    add_mac(object, function->mac) ||
	    add_number(object, "vlan", function->vlan ? function->vlan : -1) ||
	    add_text(object, "link", function->link) || add_text(object, "reason", reason)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int api_add_port_function(json_t *object, const struct port_info *info)
{
	if (add_text(object, "function", info->spec.function) ||
	    add_text(object, "vfio", info->vfio) || add_text(object, "rdma", info->rdma) ||
	    add_text(object, "with", info->with))
		return -ENOMEM;
	return 0;
}

struct functions_body {
	char parent[PATH_TEXT_SIZE];
	int32_t vfs; // Signed, so that what is out of range gets the range's message.
	bool noiommu;
	bool trust;
	bool spoof_check;
	char link_state[16];
	int32_t rate_min, rate_max;
};

static const struct field functions_fields[] = {
	FIELD(struct functions_body, parent, FIELD_STR, 0),
	FIELD(struct functions_body, vfs, FIELD_S32, 0),
	FIELD(struct functions_body, noiommu, FIELD_BOOL, 0),
	FIELD(struct functions_body, trust, FIELD_BOOL, 0),
	FIELD(struct functions_body, spoof_check, FIELD_BOOL, 0),
	FIELD(struct functions_body, link_state, FIELD_STR, 0),
	FIELD(struct functions_body, rate_min, FIELD_S32, 0),
	FIELD(struct functions_body, rate_max, FIELD_S32, 0),
};

static int read_link(const char *text, int8_t *ret_link, struct rwy_err *err)
{
	if (!text[0])
		return 0;
	for (size_t i = 0; i < LINKS; i++)
		if (strcmp(text, links[i]) == 0) {
			*ret_link = (int8_t)i;
			return 0;
		}
	err_set(err, -EINVAL, "there is no link state '%s'", text);
	return err_hint(err, "use auto, enable or disable");
}

// The members that are of functions, out of `io_body`, which keeps the others.
static json_t *take_members(json_t *io_body)
{
	json_t *own = json_object();
	for (size_t i = 0; i < FIELD_COUNT(functions_fields); i++) {
		const char *name = functions_fields[i].name;
		json_t *value = json_object_get(io_body, name);
		if (!value)
			continue;
		(void)json_object_set(own, name, value); // Out of memory: it is not given.
		(void)json_object_del(io_body, name);
	}
	return own;
}

int api_read_network_functions(
	json_t *io_body,
	struct network_functions *ret_functions,
	struct rwy_err *err
)
{
	struct functions_body body = {.rate_min = -1, .rate_max = -1};
	struct network_functions functions = NETWORK_FUNCTIONS_NONE;
	_cleanup_json_ json_t *own = take_members(io_body);
	int r = fields_decode(own, functions_fields, FIELD_COUNT(functions_fields), &body, err);
	if (!r)
		r = read_link(body.link_state, &functions.link_state, err);
	if (!r && (body.vfs < 0 || body.vfs > UINT16_MAX))
		r = err_set(err, -EINVAL, "%d functions are not to be had", body.vfs);
	if (r)
		return r;
	(void)memcpy(functions.parent, body.parent, sizeof(functions.parent));
	functions.vfs = (uint16_t)body.vfs;
	functions.noiommu = body.noiommu;
	functions.rate_min = body.rate_min;
	functions.rate_max = body.rate_max;
	if (json_object_get(own, "trust"))
		functions.trust = body.trust;
	if (json_object_get(own, "spoof_check"))
		functions.spoof_check = body.spoof_check;
	*ret_functions = functions;
	return 0;
}

struct port_body {
	char function[FUNCTION_SIZE * 2]; // What is too long gets a message of its own.
	uint16_t vfs;
	uint32_t uid;
	char cpus[CPUMASK_TEXT_SIZE];
};

static const struct field port_fields[] = {
	FIELD(struct port_body, function, FIELD_STR, 0),
	FIELD(struct port_body, vfs, FIELD_U16, 0),
	FIELD(struct port_body, uid, FIELD_U32, 0),
	FIELD(struct port_body, cpus, FIELD_STR, 0),
};

int api_read_port_function(json_t *io_body, struct port_spec *spec, struct rwy_err *err)
{
	struct port_body body = {.vfs = 1};
	_cleanup_json_ json_t *own = json_object();
	for (size_t i = 0; i < FIELD_COUNT(port_fields); i++) {
		json_t *value = json_object_get(io_body, port_fields[i].name);
		if (!value)
			continue;
		(void)json_object_set(own, port_fields[i].name, value); // As above.
		(void)json_object_del(io_body, port_fields[i].name);
	}
	int r = fields_decode(own, port_fields, FIELD_COUNT(port_fields), &body, err);
	if (!r)
		r = cpumask_parse(body.cpus, &spec->cpus, err);
	if (!r && strlen(body.function) >= FUNCTION_SIZE)
		r = err_set(err, -EINVAL, "'%s' is no PCI function's address", body.function);
	if (!r && !body.vfs)
		r = err_set(err, -EINVAL, "0 functions are too few");
	if (r)
		return r;
	spec->vfs = body.vfs;
	spec->owner_uid = body.uid;
	(void)snprintf(spec->function, sizeof(spec->function), "%.12s", body.function); // Checked.
	return 0;
}
