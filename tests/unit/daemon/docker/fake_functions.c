// SPDX-License-Identifier: BSD-3-Clause
// Functions of the service in memory: those of a network are made with it.
#include "tests/unit/daemon/docker/fake_rows.h"
#include "tests/unit/daemon/docker/fake_service.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

// 0000:PP:10.0 and so on, each in a group of its own, on two NUMA nodes in turn.
void fake_functions_make(struct daemon *d, const struct network_spec *spec)
{
	static unsigned int parents;
	unsigned int parent = spec->functions.parent[0] ? ++parents : 0;
	struct service_function *row = d->functions;
	for (uint16_t i = 0; parent && i < spec->functions.vfs; i++) {
		while (row->address[0])
			row++;
		assert(row < d->functions + ROWS && spec->functions.vfs <= 8);
		*row = (struct service_function
		){.number = i, .there = true, .iommu_group = 10 + i, .numa_node = i % 2};
		snprintf(row->address, FUNCTION_SIZE, "0000:%02x:10.%u", parent % 256U, i % 8U);
		snprintf(row->vfio, sizeof(row->vfio), "/dev/vfio/%d", row->iommu_group);
		memcpy(row->network, spec->name, NAME_SIZE);
		row->noiommu = spec->functions.noiommu;
	}
}

static bool is_for(
	const struct service_function *row,
	const char *network,
	const char *key,
	const char *address
)
{
	return row->address[0] && strcmp(row->network, network) == 0 && !row->port[0] &&
		row->state == FUNCTION_FREE && (!row->key[0] || strcmp(row->key, key) == 0) &&
		(!*address || strcmp(row->address, address) == 0);
}

// What is kept for the key first.
static struct service_function *find_function(
	struct daemon *d,
	const char *network,
	const char *key,
	const char *address
)
{
	struct service_function *found = NULL;
	for (int i = ROWS - 1; i >= 0; i--) {
		struct service_function *row = &d->functions[i];
		if (!is_for(row, network, key, address))
			continue;
		if (!found || row->key[0] || !found->key[0])
			found = row;
	}
	return found;
}

int service_functions_keep(
	struct daemon *d,
	const struct function_wish *wish,
	struct service_function *ret_list,
	struct rwy_err *err
)
{
	static const char mark[] = "kept";
	struct service_function before[ROWS];
	held(d);
	memcpy(before, d->functions, sizeof(before));
	for (uint16_t i = 0; i < wish->count; i++) {
		struct service_function *row =
			find_function(d, wish->network, "", i ? "" : wish->function);
		if (!row) {
			memcpy(d->functions, before, sizeof(before));
			return err_set(
				err,
				-EBUSY,
				"cannot keep %u functions: too few are free",
				wish->count
			);
		}
		snprintf(row->key, KEY_SIZE, "%s", *wish->key ? wish->key : mark);
		ret_list[i] = *row;
	}
	if (wish->dry)
		memcpy(d->functions, before, sizeof(before));
	return 0;
}

void service_functions_let_go(struct daemon *d, const char *key)
{
	held(d);
	for (int i = 0; i < ROWS; i++)
		if (strcmp(d->functions[i].key, key) == 0)
			d->functions[i].key[0] = '\0';
}

void service_each_function(struct daemon *d, const char *network, function_visit *visit, void *arg)
{
	held(d);
	for (int i = 0; i < ROWS; i++)
		if (d->functions[i].address[0] &&
		    (!network || strcmp(d->functions[i].network, network) == 0))
			visit(arg, &d->functions[i]);
	// Seen for the last time on its way back.
	bool back = d->looks && --d->looks == 0;
	for (int i = 0; back && i < ROWS; i++)
		d->functions[i].state = FUNCTION_FREE;
}

void fake_service_return_all(struct daemon *d, unsigned int looks)
{
	d->looks = looks;
	for (int i = 0; i < ROWS; i++)
		d->functions[i].state = FUNCTION_RETURNING;
}

unsigned int fake_service_kept(struct daemon *d)
{
	unsigned int count = 0;
	for (int i = 0; i < ROWS; i++)
		count += d->functions[i].key[0] != '\0';
	return count;
}

int fake_functions_take(
	struct daemon *d,
	struct port_info *port,
	const char *key,
	struct rwy_err *err
)
{
	struct port_spec *spec = &port->spec;
	if (strncmp(spec->attach, "vf", 2) != 0)
		return 0;
	struct service_function *function = find_function(d, spec->network, key, spec->function);
	if (!function)
		return err_set(
			err, -EBUSY, "cannot create port '%s': no free function", spec->name
		);
	memcpy(function->port, spec->name, NAME_SIZE);
	memcpy(spec->function, function->address, FUNCTION_SIZE);
	if (strcmp(spec->attach, "vf") == 0)
		memcpy(port->vfio, function->vfio, sizeof(function->vfio));
	else
		snprintf(port->ifname_host, sizeof(port->ifname_host), "eth9v%u", function->number);
	return 0;
}

void fake_functions_drop(struct daemon *d, const char *port)
{
	for (int i = 0; i < ROWS; i++)
		if (strcmp(d->functions[i].port, port) == 0)
			d->functions[i].port[0] = '\0';
}

void fake_functions_forget(struct daemon *d, const char *network)
{
	for (int i = 0; i < ROWS; i++)
		if (strcmp(d->functions[i].network, network) == 0)
			d->functions[i] = (struct service_function){0};
}
