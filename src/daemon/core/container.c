// SPDX-License-Identifier: BSD-3-Clause
// Containers' places of service.h. Any thread, under the lock.
#include "daemon/core/daemon.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void fill(const struct daemon *d, const struct container *c, struct container_info *ret)
{
	*ret = c->info;
	// It fits: a run dir leaves room for a socket's path.
	(void
	)snprintf(ret->dir, sizeof(ret->dir), "%.200s/ports/%s", d->portdir.run_dir, c->info.key);
}

int service_container_add(
	struct daemon *d,
	const char *key,
	struct container_info *ret,
	struct rwy_err *err
)
{
	struct container_info info = {.created = time(NULL), .created_ms = daemon_now_ms()};
	int r = model_check_key(key, err);
	if (r)
		return r;
	if (daemon_find_container(d, key) || daemon_find_port(d, key))
		return err_set(err, -EEXIST, "cannot make the place %s: there is one", key);
	(void)memcpy(info.key, key, sizeof(info.key));
	r = store_container_insert(d->store, &info, err);
	if (r)
		return r;
	struct container *container = daemon_keep_container(d, &info);
	if (!container) {
		(void
		)store_container_delete(d->store, key, NULL); // Left: a place that nobody uses.
		return err_set(err, -ENOMEM, "cannot make the place %s: no memory", key);
	}
	r = portdir_make_place(&d->portdir, key, err);
	if (!r) {
		fill(d, container, ret);
		return 0;
	}
	daemon_drop_container(d, container);
	(void)store_container_delete(d->store, key, NULL);
	return r;
}

static int not_found(const char *key, struct rwy_err *err)
{
	return err_set(err, -ENOENT, "there is no container with the key '%.40s'", key);
}

int service_container_get(
	struct daemon *d,
	const char *key,
	struct container_info *ret,
	struct rwy_err *err
)
{
	const struct container *container = daemon_find_container(d, key);
	if (!container)
		return not_found(key, err);
	fill(d, container, ret);
	return 0;
}

int service_container_remove(struct daemon *d, const char *key, struct rwy_err *err)
{
	struct container *container = daemon_find_container(d, key);
	const struct port *port;
	if (!container)
		return not_found(key, err);
	TAILQ_FOREACH (port, &d->ports, entry)
		if (strcmp(port->info.spec.key, key) == 0) {
			err_set(err,
				-EBUSY,
				"cannot remove the place %s: it has port '%s'",
				key,
				port->info.spec.name);
			return err_hint(err, "stop its container first");
		}
	int r = store_container_delete(d->store, key, err);
	if (r)
		return r;
	service_functions_let_go(d, key);
	portdir_remove_place(&d->portdir, key); // What stays is swept at the next start.
	daemon_drop_container(d, container);
	return 0;
}

void service_each_container(struct daemon *d, container_visit *visit, void *arg)
{
	const struct container *container;
	TAILQ_FOREACH (container, &d->containers, entry) {
		struct container_info info;
		fill(d, container, &info);
		visit(arg, &info);
	}
}

void service_make_key(struct daemon *d, char ret_key[KEY_SIZE])
{
	do {
		uint64_t number = 0;
		// The kernel's pool is ready long before ringwayd, and 8 bytes are never cut.
		(void)!getrandom(&number, sizeof(number), 0);
		(void)snprintf(ret_key, KEY_SIZE, "%016llx", (unsigned long long)number); // Fits.
	} while (daemon_find_container(d, ret_key) || daemon_find_port(d, ret_key));
}
