// SPDX-License-Identifier: BSD-3-Clause
// Functions that networks have of their parents: claimed when a network is made, with more of them where nobody uses any, and
// given back with it. Any thread, under the service's lock; what takes long is done by the thread of function_thread.c, and
// waited for without it.
#include "base/cleanup.h"
#include "daemon/core/functions.h"
#include "wire/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int functions_available(const struct daemon *d, struct rwy_err *err)
{
	if (d->pci)
		return 0;
	return err_set(
		err, -ENOSYS, "there are no functions of NICs here: %s", d->functions_reason
	);
}

int functions_check_network(struct daemon *d, struct network_spec *spec, struct rwy_err *err)
{
	struct network_functions *functions = &spec->functions;
	struct function_info info;
	if (!functions->parent[0])
		return 0;
	int r = functions_available(d, err);
	if (!r)
		r = functions_find_parent(d->pci, functions->parent, &info, err);
	if (r)
		return r;
	if (functions->vfs > info.vfs_max) {
		err_set(err,
			-EINVAL,
			"%s has %u functions at most, not %u",
			functions->parent,
			info.vfs_max,
			functions->vfs);
		return err_hint(err, "ask for as many as it has, or fewer");
	}
	(void)memcpy(functions->pf, info.address, sizeof(functions->pf));
	return 0;
}

// The device of an uplink that was there before it: its VLANs are not ours to give.
static bool is_uplinks(const struct daemon *d, const char *address)
{
	const struct port *port;
	char device[UPLINK_PCI_SIZE];
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port->info.spec.attach[0] == 'e' &&
		    uplink_read_pci(port->info.spec.device, device) && strcmp(device, address) == 0)
			return true;
	return false;
}

struct pool {
	char addresses[FUNCTION_VFS_MAX][FUNCTION_ADDRESS_SIZE];
	struct rwy_err used; // Who has the first one that cannot be had.
	bool free[FUNCTION_VFS_MAX];
	size_t count;
};

// Whom the host has its functions for. Without the lock.
static int look(struct daemon *d, const char *pf, struct pool *pool, struct rwy_err *err)
{
	service_unlock(d);
	int r = functions_list_vfs(d->pci, pf, pool->addresses, &pool->count, err);
	for (size_t i = 0; !r && i < pool->count; i++) {
		struct rwy_err why = {0};
		pool->free[i] =
			!functions_check_free(d->pci, pool->addresses[i], false, false, &why);
		if (!pool->free[i] && !pool->used.code)
			pool->used = why;
	}
	service_lock(d);
	return r;
}

// Takes the lowest that nobody has. -EAGAIN: they are too few, and nothing was taken.
static int claim(
	struct daemon *d,
	const struct network *network,
	const struct pool *pool,
	struct rwy_err *err
)
{
	const struct network_functions *functions = &network->info.spec.functions;
	struct store_function list[FUNCTIONS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < pool->count && count < functions->vfs; i++) {
		const char *address = pool->addresses[i];
		if (!pool->free[i] || function_find(d, address) || is_uplinks(d, address))
			continue;
		struct store_function *row = &list[count++];
		*row = (struct store_function){
			.number = (uint16_t)i,
			.network = network->info.id,
			.state = FUNCTION_FREE,
		};
		(void)memcpy(row->address, address, sizeof(row->address));
		(void)memcpy(row->pf, functions->pf, sizeof(row->pf));
	}
	if (count < functions->vfs)
		return -EAGAIN;
	int r = store_functions_put(d->store, list, count, err);
	for (size_t i = 0; !r && i < count; i++)
		if (!function_keep(d, &list[i]))
			r = err_set(err, -ENOMEM, "no memory for functions");
	return r;
}

// How many of the parent's networks have; -EBUSY: one is in use, and whose.
static int count_ours(struct daemon *d, const char *pf, struct rwy_err *err)
{
	const struct function *function;
	int count = 0;
	TAILQ_FOREACH (function, &d->functions, entry) {
		const struct store_function *row = &function->row;
		const struct port *port = daemon_find_port_id(d, row->port);
		if (strcmp(row->pf, pf) != 0)
			continue;
		count++;
		if (row->state == FUNCTION_FREE)
			continue;
		err_set(err,
			-EBUSY,
			"%s has too few functions, and their count cannot change while %s is in use by %s%s%s",
			pf,
			row->address,
			port ? "port '" : "one that gives it back",
			port ? port->info.spec.name : "",
			port ? "'" : "");
		return err_hint(err, "ask for fewer, or stop who uses them first");
	}
	return count;
}

// Asks the thread for another count, and waits.
static int raise_count(struct daemon *d, struct parent *parent, uint16_t count, struct rwy_err *err)
{
	struct store_parent row = parent->row;
	const int64_t until = daemon_now_ms() + FUNCTION_WAIT_MS;
	row.vfs = count;
	int r = store_parent_put(d->store, &row, err);
	if (r)
		return r;
	const uint16_t before = parent->row.vfs;
	parent->row = row;
	parent->want = count;
	functions_kick(d);
	// It is there as long as it is busy.
	while (parent->want && functions_wait(d, until))
		;
	r = parent->want ? err_set(err, -ETIMEDOUT, "%s takes too long to make them", row.pf)
			 : parent->result;
	if (!r)
		return 0;
	if (!parent->want && err)
		*err = parent->err;
	parent->want = 0;
	parent->row.vfs = row.vfs = before;
	(void)store_parent_put(d->store, &row, NULL); // More than there are is made anew, no more.
	return r;
}

// More of them, where nobody uses any.
static int get_more(
	struct daemon *d,
	struct network *network,
	struct parent *parent,
	struct pool *pool,
	struct rwy_err *err
)
{
	const struct network_functions *functions = &network->info.spec.functions;
	struct function_info info;
	int ours = count_ours(d, functions->pf, err);
	if (ours < 0)
		return ours;
	if (pool->used.code) {
		err_set(err,
			-EBUSY,
			"%s has too few functions, and their count cannot change: %.300s",
			functions->parent,
			pool->used.msg);
		return err_hint(err, "ask for fewer, or stop who uses them first");
	}
	int r = functions_get(d->pci, functions->pf, &info, err);
	int want = ours + functions->vfs;
	if (r)
		return r;
	if (want > info.vfs_max) {
		err_set(err,
			-ENOSPC,
			"%s has %u functions at most, and other networks have %d",
			functions->parent,
			info.vfs_max,
			ours);
		return err_hint(err, "ask for fewer, or remove the other network");
	}
	r = raise_count(d, parent, (uint16_t)want, err);
	return r ? r : look(d, functions->pf, pool, err);
}

// The parent's row, which remembers the count of before, and nobody else's hands on it.
static int hold_parent(
	struct daemon *d,
	const char *pf,
	struct parent **ret_parent,
	struct rwy_err *err
)
{
	struct function_info info;
	struct parent *parent = parent_find(d, pf);
	const int64_t until = daemon_now_ms() + FUNCTION_WAIT_MS;
	while (parent && parent->busy) {
		if (!functions_wait(d, until))
			return err_set(
				err, -EBUSY, "another network's functions of %s are being made", pf
			);
		parent = parent_find(d, pf);
	}
	if (!parent) {
		int r = functions_get(d->pci, pf, &info, err);
		struct store_parent row = {.vfs_before = info.vfs, .vfs = info.vfs};
		(void)memcpy(row.pf, pf, sizeof(row.pf));
		if (!r)
			r = store_parent_put(d->store, &row, err);
		if (r)
			return r;
		parent = parent_keep(d, &row);
		if (!parent) {
			store_parent_delete(d->store, pf);
			return err_set(err, -ENOMEM, "no memory for functions");
		}
	}
	parent->busy = true;
	*ret_parent = parent;
	return 0;
}

int functions_add_network(struct daemon *d, struct network *network, struct rwy_err *err)
{
	struct parent *parent = NULL;
	const struct network_functions *functions = &network->info.spec.functions;
	if (!functions->parent[0])
		return 0;
	_cleanup_free_ struct pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return err_set(err, -ENOMEM, "no memory for functions");
	int r = hold_parent(d, functions->pf, &parent, err);
	if (r || !parent)
		return r;
	r = look(d, functions->pf, pool, err);
	if (!r)
		r = claim(d, network, pool, err);
	if (r == -EAGAIN) {
		r = get_more(d, network, parent, pool, err);
		if (!r)
			r = claim(d, network, pool, err);
	}
	if (r == -EAGAIN)
		r =
			err_set(err,
				-EBUSY,
				"%s has not as many functions as it was asked for",
				functions->parent);
	parent->busy = false;
	functions_kick(d);
	return r;
}

static struct function *find_unsettled(struct daemon *d, uint32_t id)
{
	struct function *function;
	TAILQ_FOREACH (function, &d->functions, entry)
		if (function->row.network == id &&
		    (function->row.state != FUNCTION_FREE || function->busy))
			return function;
	return NULL;
}

int functions_settle_network(struct daemon *d, uint32_t id, struct rwy_err *err)
{
	const int64_t until = daemon_now_ms() + FUNCTION_BACK_MS;
	const struct function *function;
	while ((function = find_unsettled(d, id)) && functions_wait(d, until))
		;
	if (!function)
		return 0;
	err_set(err,
		-EBUSY,
		"function %s is %s%s%s",
		function->row.address,
		function->row.state == FUNCTION_RETURNING ? "on its way back" : "in use",
		function->reason[0] ? ": " : "",
		function->reason);
	return err_hint(err, "end who has it, and try again");
}

void functions_remove_network(struct daemon *d, uint32_t id)
{
	struct function *function = TAILQ_FIRST(&d->functions);
	while (function) {
		struct function *next = TAILQ_NEXT(function, entry);
		if (function->row.network == id)
			function_drop(d, function); // Its row goes with the network's.
		function = next;
	}
	functions_kick(d);
}

void functions_wait_parent(struct daemon *d, const char *pf)
{
	const int64_t until = daemon_now_ms() + FUNCTION_WAIT_MS;
	while (pf[0] && d->functions_running && parent_find(d, pf) && !parent_is_used(d, pf) &&
	       functions_wait(d, until))
		;
}
