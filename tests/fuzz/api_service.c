// SPDX-License-Identifier: BSD-3-Clause
// daemon/service.h and daemon/core/stats.h for the API's fuzzer. Every function fails without the lock. One thread.
#include "api_service.h"

#include "daemon/model/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void insist(bool holds)
{
	if (!holds)
		abort();
}

void service_lock(struct daemon *d)
{
	insist(!d->locked);
	d->locked = true;
}

void service_unlock(struct daemon *d)
{
	insist(d->locked);
	d->locked = false;
}

static struct network_info *find_network(struct daemon *d, const char *name)
{
	insist(d->locked);
	for (int i = 0; i < SERVICE_ROWS; i++)
		if (d->networks[i].id && strcmp(d->networks[i].spec.name, name) == 0)
			return &d->networks[i];
	return NULL;
}

static struct port_info *find_port(struct daemon *d, const char *name)
{
	insist(d->locked);
	for (int i = 0; i < SERVICE_ROWS; i++)
		if (d->ports[i].id && strcmp(d->ports[i].spec.name, name) == 0)
			return &d->ports[i];
	return NULL;
}

int service_network_add(
	struct daemon *d,
	const struct network_spec *spec,
	struct network_info *ret,
	struct rwy_err *err
)
{
	struct network_spec checked = *spec;

	if (find_network(d, spec->name))
		return err_set(err, -EEXIST, "there is one");
	int r = model_check_network(&checked, err);
	if (r)
		return r;
	// Its normal form is a good one, and is its own.
	struct network_spec again = checked;
	insist(model_check_network(&again, NULL) == 0);
	insist(!memcmp(&again, &checked, sizeof(again)));
	model_choose_gateways(&checked);
	for (int i = 0; i < SERVICE_ROWS; i++)
		if (d->networks[i].id && model_check_overlap(&checked, &d->networks[i].spec, err))
			return -EEXIST;
	for (int i = 0; i < SERVICE_ROWS; i++) {
		if (d->networks[i].id)
			continue;
		d->networks[i] = (struct network_info){.id = ++d->last_id, .spec = checked};
		*ret = d->networks[i];
		return 0;
	}
	return err_set(err, -ENOSPC, "there are enough");
}

int service_network_get(
	struct daemon *d,
	const char *name,
	struct network_info *ret,
	struct rwy_err *err
)
{
	const struct network_info *row = find_network(d, name);
	if (!row)
		return err_set(err, -ENOENT, "there is none");
	*ret = *row;
	return 0;
}

int service_network_remove(struct daemon *d, const char *name, struct rwy_err *err)
{
	struct network_info *row = find_network(d, name);
	if (!row)
		return err_set(err, -ENOENT, "there is none");
	if (row->ports)
		return err_set(err, -EBUSY, "it has ports");
	row->id = 0;
	return 0;
}

int service_port_add(
	struct daemon *d,
	const struct port_spec *spec,
	struct port_info *ret,
	struct rwy_err *err
)
{
	struct network_info *network = find_network(d, spec->network);
	struct port_spec checked = *spec;

	if (!network)
		return err_set(err, -ENOENT, "there is no network");
	if (find_port(d, spec->name))
		return err_set(err, -EEXIST, "there is one");
	int r = model_check_port(&checked, &network->spec, err);
	if (r)
		return r;
	struct port_spec again = checked;
	insist(model_check_port(&again, &network->spec, NULL) == 0);
	insist(!memcmp(&again, &checked, sizeof(again)));
	for (int i = 0; i < SERVICE_ROWS; i++)
		if (d->ports[i].id && model_check_clash(&checked, &d->ports[i].spec, err))
			return -EEXIST;
	for (int i = 0; i < SERVICE_ROWS; i++) {
		if (d->ports[i].id)
			continue;
		d->ports[i] = (struct port_info
		){.id = ++d->last_id, .spec = checked, .mtu = network->spec.mtu};
		network->ports++;
		*ret = d->ports[i];
		return 0;
	}
	return err_set(err, -ENOSPC, "there are enough");
}

int service_port_get(struct daemon *d, const char *name, struct port_info *ret, struct rwy_err *err)
{
	const struct port_info *row = find_port(d, name);
	if (!row)
		return err_set(err, -ENOENT, "there is none");
	*ret = *row;
	return 0;
}

int service_port_set_limits(
	struct daemon *d,
	const char *name,
	const struct port_limits_given *given,
	struct port_info *ret,
	struct rwy_err *err
)
{
	struct port_info *row = find_port(d, name);
	if (!row)
		return err_set(err, -ENOENT, "there is none");
	port_limits_apply(&row->spec.limits, given);
	*ret = *row;
	return 0;
}

int service_port_remove(struct daemon *d, const char *name, struct rwy_err *err)
{
	struct port_info *row = find_port(d, name);
	if (!row)
		return err_set(err, -ENOENT, "there is none");
	find_network(d, row->spec.network)->ports--;
	row->id = 0;
	return 0;
}

size_t service_port_published(
	struct daemon *d,
	uint32_t id,
	struct port_publish *ret_list,
	size_t max
)
{
	return 0;
}

void service_each_network(struct daemon *d, network_visit *visit, void *arg)
{
	insist(d->locked);
	for (int i = 0; i < SERVICE_ROWS; i++)
		if (d->networks[i].id)
			visit(arg, &d->networks[i]);
}

void service_each_port(struct daemon *d, port_visit *visit, void *arg)
{
	insist(d->locked);
	for (int i = 0; i < SERVICE_ROWS; i++)
		if (d->ports[i].id)
			visit(arg, &d->ports[i]);
}

// Each network of functions has one, which says as little as one that the host has lost.
void service_each_function(struct daemon *d, const char *network, function_visit *visit, void *arg)
{
	insist(d->locked);
	for (int i = 0; i < SERVICE_ROWS; i++) {
		const struct network_info *row = &d->networks[i];
		struct service_function function = {.iommu_group = -1, .numa_node = -1};
		if (!row->id || !row->spec.functions.vfs ||
		    (network && strcmp(row->spec.name, network) != 0))
			continue;
		memcpy(function.network, row->spec.name, sizeof(function.network));
		visit(arg, &function);
	}
}

const char *service_run_dir(const struct daemon *d)
{
	return "/run/ringway";
}

const char *service_state_dir(const struct daemon *d)
{
	return "/var/lib/ringway";
}

const char *service_preload_path(const struct daemon *d)
{
	return "/usr/lib/ringway/libringway-preload.so";
}

void service_switch_get(struct daemon *d, struct service_switch_info *ret)
{
	insist(d->locked);
	*ret = (struct service_switch_info){.state = "running", .pid = 7};
}

int service_switch_restart(
	struct daemon *d,
	const char *path,
	struct service_handover *ret,
	struct rwy_err *err
)
{
	insist(d->locked);
	insist(!path || path[0] == '/');
	*ret = (struct service_handover){.pid = 8};
	return 0;
}

int service_stats(struct daemon *d, const char *port, json_t *ret_object, struct rwy_err *err)
{
	insist(d->locked);
	return 0;
}

int stats_add_port(struct daemon *d, const char *name, json_t *object, struct rwy_err *err)
{
	return err_set(err, -EAGAIN, "no switch");
}

int stats_add_queues(struct daemon *d, json_t *ports, struct rwy_err *err)
{
	return err_set(err, -EAGAIN, "no switch");
}

void stats_add_uplinks(struct daemon *d, json_t *ports)
{
}

void stats_describe_switch(struct daemon *d, json_t *object)
{
}

void stats_add_trunk(struct daemon *d, uint32_t network, json_t *object)
{
}

void stats_describe_kernel(const struct daemon *d, json_t *object)
{
}
