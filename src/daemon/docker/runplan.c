// SPDX-License-Identifier: BSD-3-Clause
// Builds the plan of a container from its networks. Its arguments are those that the driver writes into eal-args when
// the container starts: both come from eal_make_args(), and the MACs are fixed here. Pure; any thread.
#include "daemon/docker/runplan.h"

#include "base/cleanup.h"
#include "base/cpumask.h"
#include "base/fields.h"
#include "daemon/docker/parse.h"
#include "daemon/docker/parse_value.h"
#include "daemon/docker/runplan_settle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_MIB_MIN 16
#define MEMORY_MIB_MAX 1048576
#define MEMLOCK_MORE_MIB 64 // Rings and tables beside EAL's memory.

static const struct field network_fields[] = {
	FIELD(struct runplan_network, network, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct runplan_network, attach, FIELD_STR, 0),
	FIELD(struct runplan_network, queues, FIELD_U16, 0),
	FIELD(struct runplan_network, mac, FIELD_MAC, 0),
	FIELD(struct runplan_network, ip, FIELD_STR, 0),
	FIELD(struct runplan_network, learning, FIELD_BOOL, 0),
	FIELD(struct runplan_network, offloads, FIELD_BOOL, 0),
	FIELD(struct runplan_network, allow_spoof, FIELD_BOOL, 0),
	FIELD(struct runplan_network, pin_address, FIELD_BOOL, 0),
	FIELD_STRUCT(struct runplan_network, limits, port_limits_fields),
	FIELD(struct runplan_network, vfs, FIELD_U16, 0),
	FIELD(struct runplan_network, function, FIELD_STR, 0),
};

static const struct field plan_fields[] = {
	FIELD(struct runplan, name, FIELD_STR, 0),
	FIELD(struct runplan, image, FIELD_STR, 0),
	FIELD(struct runplan, dry_run, FIELD_BOOL, 0),
	FIELD(struct runplan, memory, FIELD_U32, 0),
	FIELD(struct runplan, queues, FIELD_U16, 0),
	FIELD(struct runplan, vfs, FIELD_U16, 0),
	FIELD(struct runplan, uid, FIELD_U32, 0),
	FIELD(struct runplan, cpus, FIELD_STR, 0),
	FIELD_LIST(struct runplan, networks, network_count, network_fields),
};

static int check_ip(const char *ip, struct rwy_err *err)
{
	struct in6_addr address;
	if (!*ip || inet_pton(AF_INET, ip, &address) == 1 || inet_pton(AF_INET6, ip, &address) == 1)
		return 0;
	return err_set(err, -EINVAL, "'%s' is not an IP address", ip);
}

static int check_attach(const char *attach, struct rwy_err *err)
{
	static const char *const words[] = {"", "vhost", "kernel", "vf", "vf-kernel"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(attach, words[i]) == 0)
			return 0;
	err_set(err, -EINVAL, "attachment '%s' is not for containers", attach);
	return err_hint(err, "use vhost, kernel, vf or vf-kernel");
}

static int check_network(struct runplan_network *network, struct rwy_err *err)
{
	int r = check_attach(network->attach, err);
	if (r)
		return r;
	if (network->queues > QUEUES_MAX)
		return err_set(
			err, -EINVAL, "%u queues; 1 to %d are possible", network->queues, QUEUES_MAX
		);
	if (mac_is_multicast(network->mac)) {
		char mac[MAC_TEXT_SIZE];
		mac_format(network->mac, mac);
		err_set(err, -EINVAL, "MAC address %s is a multicast address", mac);
		return err_hint(err, "the first octet must be even, for example 02:..");
	}
	if (network->function[0])
		r = parse_read_function("function", network->function, network->function, err);
	if (!r)
		r = port_limits_check(&network->limits, err);
	return r ? r : check_ip(network->ip, err);
}

// The engine has a container on a network at most once, and so does a manifest.
static int check_pairs(const struct runplan *plan, struct rwy_err *err)
{
	for (uint32_t i = 0; i < plan->network_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(plan->networks[i].network, plan->networks[j].network) == 0)
				return err_set(
					err,
					-EINVAL,
					"cannot run on network '%s' twice",
					plan->networks[i].network
				);
	return 0;
}

static int check_numbers(const struct runplan *plan, const json_t *body, struct rwy_err *err)
{
	if (plan->memory && (plan->memory < MEMORY_MIB_MIN || plan->memory > MEMORY_MIB_MAX))
		return err_set(
			err,
			-EINVAL,
			"cannot plan the container: memory is %u MiB, not %d to %d",
			plan->memory,
			MEMORY_MIB_MIN,
			MEMORY_MIB_MAX
		);
	if (json_object_get(body, "vfs") && (plan->vfs < 1 || plan->vfs > RUNPLAN_PORTS))
		return err_set(
			err,
			-EINVAL,
			"cannot plan the container: %u functions; 1 to %d are possible",
			plan->vfs,
			RUNPLAN_PORTS
		);
	if (plan->queues > QUEUES_MAX)
		return err_set(
			err,
			-EINVAL,
			"cannot plan the container: %u queues; 1 to %d are possible",
			plan->queues,
			QUEUES_MAX
		);
	return 0;
}

static int check_networks(struct runplan *plan, const json_t *body, struct rwy_err *err)
{
	for (uint32_t i = 0; i < plan->network_count; i++) {
		struct runplan_network *network = &plan->networks[i];
		const json_t *given = json_array_get(json_object_get(body, "networks"), i);
		network->pin_given = json_object_get(given, "pin_address") != NULL;
		int r = check_network(network, err);
		if (!r && json_object_get(given, "vfs") &&
		    (network->vfs < 1 || network->vfs > RUNPLAN_PORTS))
			r =
				err_set(err,
					-EINVAL,
					"%u functions; 1 to %d are possible",
					network->vfs,
					RUNPLAN_PORTS);
		if (r)
			return err_prefix(err, "cannot run on network '%s': ", network->network);
	}
	return check_pairs(plan, err);
}

int runplan_parse(json_t *body, struct runplan *ret_plan, struct rwy_err *err)
{
	struct runplan plan = {0};
	size_t asked = json_array_size(json_object_get(body, "networks"));
	if (asked > RUNPLAN_NETWORKS)
		return err_set(
			err,
			-EINVAL,
			"cannot run on %zu networks: a container has at most %d",
			asked,
			RUNPLAN_NETWORKS
		);
	for (size_t i = 0; i < RUNPLAN_NETWORKS; i++)
		plan.networks[i].offloads = true;
	int r = fields_decode(body, plan_fields, FIELD_COUNT(plan_fields), &plan, err);
	if (r)
		return err_prefix(err, "cannot plan the container: ");
	if (!plan.network_count)
		return err_set(err, -EINVAL, "cannot plan the container: it has no network");
	r = check_numbers(&plan, body, err);
	if (!r && cpumask_parse(plan.cpus, &plan.cpu_mask, err))
		r = err_prefix(err, "cannot plan the container: ");
	if (!r)
		r = check_networks(&plan, body, err);
	if (!r)
		*ret_plan = plan;
	return r;
}

static uint16_t add_function_ports(
	const struct runplan *plan,
	const struct runplan_network *network,
	struct eal_port *ret_ports
)
{
	for (uint16_t i = 0; i < network->vfs; i++) {
		const struct service_function *function = &plan->functions[network->first + i];
		ret_ports[i] = (struct eal_port){.noiommu = function->noiommu};
		memcpy(ret_ports[i].pci, function->address, FUNCTION_SIZE);
	}
	return network->vfs;
}

static json_t *make_args(const struct runplan *plan)
{
	struct eal_port ports[RUNPLAN_PORTS];
	uint16_t count = 0, sockets = 0;
	for (uint32_t i = 0; i < plan->network_count; i++) {
		const struct runplan_network *network = &plan->networks[i];
		if (runplan_is(network, "vf"))
			count += add_function_ports(plan, network, ports + count);
		if (!runplan_is(network, "vhost"))
			continue;
		ports[count] = (struct eal_port){.index = sockets++, .queues = network->queues};
		memcpy(ports[count].mac, network->mac, MAC_SIZE);
		count++;
	}
	return eal_make_args(&plan->eal_memory, ports, count);
}

static int set_text(json_t *object, const char *name, const char *text)
{
	return json_object_set_new(object, name, json_string(text));
}

static int set_number(json_t *object, const char *name, uint32_t value)
{
	char text[16];
	(void)snprintf(text, sizeof(text), "%u", value); // It fits: ten digits at most.
	return set_text(object, name, text);
}

// Written as people write them, which is what the driver reads.
static int set_limits(json_t *options, const struct port_limits *limits)
{
	static const char *const names[PORT_LIMITS_OPTION_COUNT] = {
		"ringway.rate", "ringway.burst", "ringway.flood-rate"};
	int r = 0;
	for (int i = 0; i < PORT_LIMITS_OPTION_COUNT; i++) {
		char text[PORT_LIMITS_TEXT_SIZE];
		port_limits_format((enum port_limits_option)i, limits, text);
		if (*text)
			r |= set_text(options, names[i], text);
	}
	return r;
}

static int rank_of(const struct runplan_network *network)
{
	if (runplan_is(network, "vhost"))
		return 0;
	return runplan_is(network, "vf") ? 1 : 2;
}

// Which of the place's ports it is: sockets are counted from 0 without gaps, after them functions, and then interfaces.
static uint32_t place_index(const struct runplan *plan, uint32_t index)
{
	int rank = rank_of(&plan->networks[index]);
	uint32_t before = 0;
	for (uint32_t i = 0; i < plan->network_count; i++) {
		const struct runplan_network *other = &plan->networks[i];
		bool is_before = rank_of(other) < rank || (rank_of(other) == rank && i < index);
		if (is_before)
			before += other->vfs ? other->vfs : 1;
	}
	return before;
}

static int set_functions(
	const struct runplan *plan,
	const struct runplan_network *network,
	json_t *options
)
{
	char text[RUNPLAN_PORTS * FUNCTION_SIZE] = "";
	for (uint16_t i = 0; i < network->vfs; i++) {
		size_t used = strlen(text);
		(void)snprintf( // It fits: each has room for its blank.
			text + used,
			sizeof(text) - used,
			"%s%s",
			used ? " " : "",
			plan->functions[network->first + i].address
		);
	}
	return set_text(options, "ringway.function", text);
}

static int add_function_options(
	const struct runplan *plan,
	const struct runplan_network *network,
	json_t *options
)
{
	char cpus[CPUMASK_TEXT_SIZE];
	int r = 0;
	if (!network->vfs)
		return 0;
	cpumask_format(plan->cpu_mask, cpus);
	if (network->vfs > 1)
		r |= set_number(options, "ringway.vfs", network->vfs);
	// Their device nodes are part of the container, so no others will do at the next start.
	if (runplan_is(network, "vf"))
		r |= set_functions(plan, network, options);
	else if (network->function[0])
		r |= set_text(options, "ringway.function", network->function);
	if (runplan_is(network, "vf") && plan->uid)
		r |= set_number(options, "ringway.uid", plan->uid);
	if (cpus[0])
		r |= set_text(options, "ringway.cpus", cpus);
	return r;
}

static json_t *make_options(const struct runplan *plan, uint32_t index)
{
	const struct runplan_network *network = &plan->networks[index];
	char mac[MAC_TEXT_SIZE];
	char name[sizeof(plan->name) + NAME_SIZE];
	json_t *options = json_object();
	mac_format(network->mac, mac);
	int r = set_text(options, "ringway.attach", network->attach);
	r |= set_text(options, "ringway.key", plan->key);
	r |= set_number(options, "ringway.index", place_index(plan, index));
	r |= set_text(options, "ringway.mac", mac);
	if (network->queues > 1)
		r |= set_number(options, "ringway.queues", network->queues);
	if (network->learning)
		r |= set_text(options, "ringway.learning", "on");
	if (!network->offloads)
		r |= set_text(options, "ringway.offloads", "off");
	if (network->allow_spoof)
		r |= set_text(options, "ringway.allow-spoof", "on");
	if (network->pin_given)
		r |= set_text(options, "ringway.pin-address", network->pin_address ? "on" : "off");
	r |= set_limits(options, &network->limits);
	if (plan->memory && rank_of(network) < 2)
		r |= set_number(options, "ringway.memory", plan->memory);
	r |= add_function_options(plan, network, options);
	// Where the container has a name, its ports are called after it; otherwise after the key.
	(void)snprintf(name, sizeof(name), "%s.%s", plan->name, network->network); // It fits.
	if (plan->name[0] && driver_name_is_valid(name))
		r |= set_text(options, "ringway.name", name);
	if (!r)
		return options;
	json_decref(options);
	return NULL;
}

static json_t *make_networks(const struct runplan *plan)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < plan->network_count; i++) {
		const struct runplan_network *network = &plan->networks[i];
		json_t *entry = json_pack(
			"{s:s, s:o}",
			"network",
			network->engine_name[0] ? network->engine_name : network->network,
			"driver_opts",
			make_options(plan, i)
		);
		if (entry && network->ip[0])
			(void)set_text(entry, "ip", network->ip); // Its text was checked.
		if (json_array_append_new(list, entry)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *make_mounts(const struct runplan *plan)
{
	char dir[PATH_TEXT_SIZE + KEY_SIZE + 16];
	(void)snprintf(dir, sizeof(dir), "%s/ports/%s", plan->run_dir, plan->key); // It fits.
	return json_pack(
		"[{s:s, s:s, s:b}, {s:s, s:s, s:b}]",
		"source",
		dir,
		"target",
		EAL_PLACE_DIR,
		"read_only",
		1,
		"source",
		plan->preload,
		"target",
		RUNPLAN_PRELOAD,
		"read_only",
		1
	);
}

static int add_device(json_t *devices, const char *path, const char *permissions)
{
	size_t i;
	json_t *device;
	json_array_foreach(devices, i, device)
	{
		// Functions of one IOMMU group share their node.
		if (strcmp(json_string_value(json_object_get(device, "path")), path) == 0)
			return 0;
	}
	return json_array_append_new(
		devices, json_pack("{s:s, s:s}", "path", path, "permissions", permissions)
	);
}

// What VFIO and RDMA ask of the container: device nodes, and the right to lock all memory that the devices reach.
static int add_devices(const struct runplan *plan, json_t *reply)
{
	_cleanup_json_ json_t *devices = json_array();
	json_int_t memlock = ((json_int_t)plan->eal_memory.size_mib + MEMLOCK_MORE_MIB) << 20;
	int r = 0;
	for (uint32_t i = 0; i < plan->network_count; i++) {
		const struct runplan_network *network = &plan->networks[i];
		if (!runplan_is(network, "vf"))
			continue;
		r |= add_device(devices, "/dev/vfio/vfio", "rwm");
		for (uint16_t j = 0; j < network->vfs; j++)
			r |= add_device(devices, plan->functions[network->first + j].vfio, "rwm");
	}
	for (size_t i = 0; i < plan->node_count; i++)
		r |= add_device(devices, plan->nodes[i], "rw");
	if (!json_array_size(devices))
		return r;
	r |= json_object_set(reply, "devices", devices);
	return r | json_object_set_new(reply, "ulimits", json_pack("{s:I}", "memlock", memlock));
}

int runplan_make(const struct runplan *plan, json_t *reply, struct rwy_err *err)
{
	_cleanup_json_ json_t *args = make_args(plan);
	_cleanup_free_ char *joined = args ? eal_join_args(args, ' ', false) : NULL;
	if (!joined)
		return err_set(err, -ENOMEM, "cannot plan the container: no memory");
	int r = json_object_set_new(reply, "key", json_string(plan->key));
	r |= json_object_set_new(reply, "mounts", make_mounts(plan));
	r |= json_object_set_new(
		reply,
		"env",
		json_pack("{s:s, s:s}", "LD_PRELOAD", RUNPLAN_PRELOAD, "RINGWAY_EAL_ARGS", joined)
	);
	r |= json_object_set_new(reply, "labels", json_pack("{s:s}", "ringway.key", plan->key));
	r |= json_object_set_new(reply, "networks", make_networks(plan));
	r |= add_devices(plan, reply);
	return r ? err_set(err, -ENOMEM, "cannot plan the container: no memory") : 0;
}
