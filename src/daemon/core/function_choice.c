// SPDX-License-Identifier: BSD-3-Clause
// Which function a port gets, and which ones are kept for a place. Any thread, under the service's lock.
#include "daemon/core/functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPUS 64

// The nodes of some CPUs, a bit each. 0: not known.
static uint64_t nodes_of(uint64_t cpus)
{
	uint64_t nodes = 0;
	for (unsigned int node = 0; cpus && node < CPUS; node++) {
		for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
			char path[80];
			if (!(cpus >> cpu & 1))
				continue;
			(void)snprintf( // It fits.
				path,
				sizeof(path),
				"/sys/devices/system/node/node%u/cpu%u",
				node,
				cpu
			);
			if (access(path, F_OK) == 0)
				nodes |= UINT64_C(1) << node;
		}
	}
	return nodes;
}

static int node_of(struct daemon *d, struct function *function)
{
	struct function_info info;
	if (function->numa_node < 0 && !functions_get(d->pci, function->row.address, &info, NULL))
		function->numa_node = info.numa_node;
	return function->numa_node;
}

struct wanted {
	const struct network *network;
	const char *function; // Empty: any.
	const char *key;
	uint64_t nodes;
	int64_t since_ms; // Refused since then: no more.
};

// How well it fits; negative: not at all.
static int fitness(struct daemon *d, struct function *function, const struct wanted *wanted)
{
	const struct store_function *row = &function->row;
	if (row->network != wanted->network->info.id || row->state != FUNCTION_FREE ||
	    function->busy || (wanted->since_ms && function->refused_ms >= wanted->since_ms))
		return -1;
	if (wanted->function[0] && strcmp(row->address, wanted->function) != 0)
		return -1;
	int node = node_of(d, function);
	bool near = node < 0 || node >= CPUS || !wanted->nodes || wanted->nodes >> node & 1;
	if (row->key[0] && strcmp(row->key, wanted->key) == 0)
		return 4;
	return (row->key[0] ? 0 : 2) + near;
}

static struct function *find_best(struct daemon *d, const struct wanted *wanted)
{
	struct function *function;
	struct function *best = NULL;
	int best_fitness = -1;
	TAILQ_FOREACH (function, &d->functions, entry) {
		int fits = fitness(d, function, wanted);
		if (fits > best_fitness) {
			best = function;
			best_fitness = fits;
		}
	}
	return best;
}

// Who has them, in a few words.
static int none_free(struct daemon *d, const struct wanted *wanted, struct rwy_err *err)
{
	const struct function *function;
	char who[160] = "";
	size_t used = 0;
	TAILQ_FOREACH (function, &d->functions, entry) {
		const struct port *port = daemon_find_port_id(d, function->row.port);
		if (function->row.network != wanted->network->info.id || used > 100)
			continue;
		int size = snprintf(
			who + used,
			sizeof(who) - used,
			"%s%s",
			used ? ", " : "",
			port ? port->info.spec.name : function_state_text(function->row.state)
		);
		used += size > 0 ? (size_t)size : 0;
		if (used >= sizeof(who))
			used = sizeof(who) - 1;
	}
	err_set(err,
		-EBUSY,
		"no function of network '%s' is free: %s",
		wanted->network->info.spec.name,
		who);
	return err_hint(err, "stop a container that has one, or make a network with more of them");
}

// A certain one that cannot be had.
static int not_that(struct daemon *d, const struct wanted *wanted, struct rwy_err *err)
{
	const struct function *function = function_find(d, wanted->function);
	const char *name = wanted->network->info.spec.name;
	if (!function || function->row.network != wanted->network->info.id) {
		err_set(err, -ENOENT, "network '%s' has no function %s", name, wanted->function);
		return err_hint(err, "`ringway network inspect %s` lists those it has", name);
	}
	const struct port *port = daemon_find_port_id(d, function->row.port);
	err_set(err,
		-EBUSY,
		"function %s is %s%s%s%s",
		wanted->function,
		port ? "port '" : function_state_text(function->row.state),
		port ? port->info.spec.name : "",
		port ? "'s" : "",
		function->reason[0] ? ", which waits" : "");
	return err_hint(err, "stop who has it, or take any");
}

static int choose(
	struct daemon *d,
	const struct wanted *wanted,
	struct function **ret_function,
	struct rwy_err *err
)
{
	int r = functions_available(d, err);
	if (r)
		return r;
	*ret_function = find_best(d, wanted);
	if (*ret_function)
		return 0;
	return wanted->function[0] ? not_that(d, wanted, err) : none_free(d, wanted, err);
}

int function_choose(
	struct daemon *d,
	const struct network *network,
	const struct port_spec *spec,
	int64_t since_ms,
	struct function **ret_function,
	struct rwy_err *err
)
{
	const struct wanted wanted = {
		.network = network,
		.function = spec->function,
		.key = spec->key,
		.nodes = nodes_of(spec->cpus),
		.since_ms = since_ms,
	};
	return choose(d, &wanted, ret_function, err);
}

// What is known, and what the host says now.
static void fill(struct daemon *d, const struct function *function, struct service_function *ret)
{
	const struct store_function *row = &function->row;
	const struct port *port = daemon_find_port_id(d, row->port);
	const struct network *network;
	*ret = (struct service_function){
		.number = row->number,
		.state = row->state,
		.iommu_group = -1,
		.numa_node = -1,
	};
	(void)memcpy(ret->address, row->address, sizeof(ret->address));
	(void)memcpy(ret->pf, row->pf, sizeof(ret->pf));
	(void)memcpy(ret->key, row->key, sizeof(ret->key));
	(void)memcpy(ret->reason, function->reason, sizeof(ret->reason));
	TAILQ_FOREACH (network, &d->networks, entry)
		if (network->info.id == row->network)
			(void)memcpy(ret->network, network->info.spec.name, NAME_SIZE);
	if (port) {
		(void)memcpy(ret->port, port->info.spec.name, NAME_SIZE);
		(void)memcpy(ret->mac, port->info.spec.mac, MAC_SIZE);
	}
}

static void fill_attributes(
	struct daemon *d,
	const struct function_info *info,
	struct service_function *ret
)
{
	static const char *const links[FUNCTION_LINK_STATE_COUNT] = {"auto", "enable", "disable"};
	struct function_attributes attributes = FUNCTION_ATTRIBUTES_KEEP;
	if (!info->is_virtual ||
	    functions_get_attributes(d->pci, info->address, &attributes, NULL, NULL))
		return;
	if (!mac_is_zero(attributes.mac))
		(void)memcpy(ret->mac, attributes.mac, MAC_SIZE);
	if (attributes.vlan > 0)
		ret->vlan = (uint16_t)attributes.vlan;
	if (attributes.link_state >= 0 && attributes.link_state < FUNCTION_LINK_STATE_COUNT)
		(void)snprintf( // It fits.
			ret->link,
			sizeof(ret->link),
			"%s",
			links[attributes.link_state]
		);
}

static void fill_host(struct daemon *d, struct service_function *ret)
{
	struct function_info info;
	_Static_assert(sizeof(ret->vfio) == FUNCTION_PATH_SIZE, "paths differ");
	_Static_assert(sizeof(ret->rdma) == FUNCTION_RDMA_SIZE, "names differ");
	_Static_assert(sizeof(ret->driver) == FUNCTION_DRIVER_SIZE, "names differ");
	if (!d->pci || functions_get(d->pci, ret->address, &info, NULL))
		return;
	ret->there = true;
	ret->iommu_group = info.iommu_group;
	ret->numa_node = info.numa_node;
	ret->noiommu = info.noiommu;
	(void)memcpy(ret->driver, info.driver, sizeof(ret->driver));
	(void)memcpy(ret->interface, info.interface, sizeof(ret->interface));
	(void)memcpy(ret->rdma, info.rdma, sizeof(ret->rdma));
	// One that has no group has no node either.
	if (functions_vfio_path(d->pci, ret->address, ret->vfio, NULL))
		ret->vfio[0] = '\0';
	fill_attributes(d, &info, ret);
}

void service_each_function(struct daemon *d, const char *network, function_visit *visit, void *arg)
{
	const struct network *of;
	const struct function *function;
	// Those without a network are uplinks'.
	TAILQ_FOREACH (function, &d->functions, entry) {
		struct service_function shown;
		if (network || function->row.network)
			continue;
		fill(d, function, &shown);
		fill_host(d, &shown);
		visit(arg, &shown);
	}
	TAILQ_FOREACH (of, &d->networks, entry) {
		if (network && strcmp(of->info.spec.name, network) != 0)
			continue;
		TAILQ_FOREACH (function, &d->functions, entry) {
			struct service_function shown;
			if (function->row.network != of->info.id)
				continue;
			fill(d, function, &shown);
			fill_host(d, &shown);
			visit(arg, &shown);
		}
	}
}

static void set_key(struct daemon *d, struct function *function, const char *key)
{
	(void)snprintf(function->row.key, sizeof(function->row.key), "%s", key); // It fits.
	// A wish that is not written down is none after a restart.
	store_function_put_surely(d->store, &function->row);
}

// Marks are set in memory while the rest is looked for, and taken back when there are too few.
static int keep(
	struct daemon *d,
	const struct function_wish *wish,
	struct wanted *wanted,
	struct function **list,
	struct rwy_err *err
)
{
	bool vfio = strcmp(wish->attach, "vf") == 0;
	bool noiommu = wanted->network->info.spec.functions.noiommu;
	uint16_t count = 0;
	int r = 0;
	while (!r && count < wish->count) {
		struct function *function = NULL;
		wanted->function = count ? "" : wish->function;
		r = choose(d, wanted, &function, err);
		if (r)
			break;
		struct rwy_err why = {0};
		int refused =
			functions_check_free(d->pci, function->row.address, vfio, noiommu, &why);
		function->refused_ms = wanted->since_ms; // Not once more in this round.
		if (!refused) {
			list[count++] = function;
			continue;
		}
		if (err)
			*err = why;
		if (refused == -ENOTSUP || refused == -EXDEV || wanted->function[0])
			r = refused;
	}
	return r;
}

int service_functions_keep(
	struct daemon *d,
	const struct function_wish *wish,
	struct service_function *ret_list,
	struct rwy_err *err
)
{
	const struct network *network = daemon_find_network(d, wish->network);
	struct function *list[FUNCTIONS_MAX];
	if (!network)
		return err_set(err, -ENOENT, "there is no network '%.80s'", wish->network);
	struct wanted wanted = {
		.network = network,
		.key = wish->key,
		.nodes = nodes_of(wish->cpus),
		.since_ms = daemon_now_ms() + 1,
	};
	if (!network->info.spec.functions.parent[0])
		return err_set(
			err, -EINVAL, "network '%s' has no functions of a NIC", wish->network
		);
	if (wish->count > FUNCTIONS_MAX)
		return err_set(err, -EINVAL, "%u functions are too many", wish->count);
	int r = keep(d, wish, &wanted, list, err);
	struct function *function;
	TAILQ_FOREACH (function, &d->functions, entry)
		if (function->refused_ms == wanted.since_ms)
			function->refused_ms = 0;
	if (r)
		return err_prefix(err, "cannot get functions of network '%s': ", wish->network);
	for (uint16_t i = 0; i < wish->count; i++) {
		if (!wish->dry)
			set_key(d, list[i], wish->key);
		fill(d, list[i], &ret_list[i]);
		fill_host(d, &ret_list[i]);
	}
	return 0;
}

void service_functions_let_go(struct daemon *d, const char *key)
{
	struct function *function;
	TAILQ_FOREACH (function, &d->functions, entry)
		if (key[0] && strcmp(function->row.key, key) == 0)
			set_key(d, function, "");
}
