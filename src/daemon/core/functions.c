// SPDX-License-Identifier: BSD-3-Clause
// Rows of functions and of their parents in memory, and the beginning and end of the thread that works on them. Any thread, under
// the service's lock.
#include "daemon/core/functions.h"

#include "base/log.h"
#include "daemon/model/functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000
#define TICK_MS 1000 // How often it is looked at what waits.

bool network_is_sriov(const struct network *network)
{
	return model_is_sriov(&network->info.spec);
}

struct function *function_find(struct daemon *d, const char *address)
{
	struct function *function;
	TAILQ_FOREACH (function, &d->functions, entry)
		if (strcmp(function->row.address, address) == 0)
			return function;
	return NULL;
}

struct function *function_of_port(const struct daemon *d, uint32_t port)
{
	struct function *function;
	TAILQ_FOREACH (function, &d->functions, entry)
		if (port && function->row.port == port)
			return function;
	return NULL;
}

static bool comes_after(const struct store_function *a, const struct store_function *b)
{
	int order = strcmp(a->pf, b->pf);
	return order ? order > 0 : a->number > b->number;
}

struct function *function_keep(struct daemon *d, const struct store_function *row)
{
	struct function *next;
	struct function *function = calloc(1, sizeof(*function));
	if (!function)
		return NULL;
	function->row = *row;
	function->numa_node = -1;
	function->since_ms = daemon_now_ms();
	TAILQ_FOREACH (next, &d->functions, entry)
		if (comes_after(&next->row, row))
			break;
	if (next)
		TAILQ_INSERT_BEFORE(next, function, entry);
	else
		TAILQ_INSERT_TAIL(&d->functions, function, entry);
	return function;
}

void function_drop(struct daemon *d, struct function *function)
{
	TAILQ_REMOVE(&d->functions, function, entry);
	free(function);
}

void function_set_state(struct daemon *d, struct function *function, enum function_state state)
{
	struct store_function *row = &function->row;
	row->state = state;
	if (state == FUNCTION_RETURNING || state == FUNCTION_FREE)
		row->port = 0;
	if (state == FUNCTION_FREE)
		row->noted = false;
	function->since_ms = daemon_now_ms();
	function->again_ms = 0;
	function->reason[0] = '\0';
	function->lost = function->away = false;
	function->checked = state == FUNCTION_TAKEN;
	if (state == FUNCTION_FREE && !row->network) {
		store_function_delete(d->store, row->address);
		if (!function->busy)
			function_drop(d, function);
		return;
	}
	store_function_put_surely(d->store, row);
}

struct parent *parent_find(struct daemon *d, const char *pf)
{
	struct parent *parent;
	TAILQ_FOREACH (parent, &d->parents, entry)
		if (strcmp(parent->row.pf, pf) == 0)
			return parent;
	return NULL;
}

struct parent *parent_keep(struct daemon *d, const struct store_parent *row)
{
	struct parent *parent = calloc(1, sizeof(*parent));
	if (!parent)
		return NULL;
	parent->row = *row;
	TAILQ_INSERT_TAIL(&d->parents, parent, entry);
	return parent;
}

void parent_drop(struct daemon *d, struct parent *parent)
{
	TAILQ_REMOVE(&d->parents, parent, entry);
	free(parent);
}

bool parent_is_used(const struct daemon *d, const char *pf)
{
	const struct function *function;
	const struct network *network;
	TAILQ_FOREACH (function, &d->functions, entry)
		if (strcmp(function->row.pf, pf) == 0)
			return true;
	TAILQ_FOREACH (network, &d->networks, entry)
		if (strcmp(network->info.spec.functions.pf, pf) == 0)
			return true;
	return false;
}

void functions_kick(struct daemon *d)
{
	d->functions_due = true;
	(void)pthread_cond_broadcast(&d->functions_cond); // Cannot fail.
}

bool functions_wait(struct daemon *d, int64_t until_ms)
{
	int64_t now = daemon_now_ms();
	// Not for longer than a tick, so that nobody depends on being woken.
	int64_t to = until_ms < now + TICK_MS ? until_ms : now + TICK_MS;
	struct timespec at = {
		.tv_sec = (time_t)(to / 1000),
		.tv_nsec = (long)(to % 1000) * NS_PER_MS,
	};
	if (now >= until_ms)
		return false;
	// Woken or not, the caller looks.
	(void)pthread_cond_timedwait(&d->functions_cond, &d->lock, &at);
	return true;
}

int functions_init(struct daemon *d, struct rwy_err *err)
{
	const struct functions_config config = {.sysfs = "/sys", .dev = "/dev"};
	pthread_condattr_t attr;
	struct rwy_err why = {0};
	TAILQ_INIT(&d->functions);
	TAILQ_INIT(&d->parents);
	// None of these can fail with a clock that there is.
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	int r = pthread_cond_init(&d->functions_cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (r)
		return err_set(err, -r, "cannot wait for functions: %s", strerror(r));
	if (functions_open(&config, &d->pci, &why)) {
		d->pci = NULL;
		(void)snprintf( // It fits.
			d->functions_reason,
			sizeof(d->functions_reason),
			"%s",
			why.msg
		);
		log_warn("no functions of NICs: %s", why.msg);
	}
	return 0;
}

// What an earlier ringwayd left: every function is some port's, on its way back, or free.
static void settle(struct daemon *d)
{
	struct function *function = TAILQ_FIRST(&d->functions);
	while (function) {
		struct function *next = TAILQ_NEXT(function, entry);
		const struct port *port = daemon_find_port_id(d, function->row.port);
		bool whole = port && function->row.state == FUNCTION_TAKEN;
		if (function->row.key[0] && !daemon_find_container(d, function->row.key))
			function->row.key[0] = '\0';
		if (function->row.state != FUNCTION_FREE && !whole)
			function_set_state(d, function, FUNCTION_RETURNING);
		function = next;
	}
}

int functions_start(struct daemon *d, struct rwy_err *err)
{
	settle(d);
	if (!d->pci)
		return 0;
	int r = pthread_create(&d->functions_thread, NULL, functions_run, d);
	if (r)
		return err_set(err, -r, "cannot start a thread: %s", strerror(r));
	d->functions_running = true;
	return 0;
}

void functions_stop(struct daemon *d)
{
	if (!d->functions_running)
		return;
	service_lock(d);
	d->functions_stop = true;
	functions_kick(d);
	service_unlock(d);
	(void)pthread_join(d->functions_thread, NULL); // It was started, and is joined once.
	d->functions_running = false;
}

void functions_fini(struct daemon *d)
{
	while (!TAILQ_EMPTY(&d->functions))
		function_drop(d, TAILQ_FIRST(&d->functions));
	while (!TAILQ_EMPTY(&d->parents))
		parent_drop(d, TAILQ_FIRST(&d->parents));
	functions_close(d->pci);
	(void)pthread_cond_destroy(&d->functions_cond); // Nobody waits any more.
}
