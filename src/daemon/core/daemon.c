// SPDX-License-Identifier: BSD-3-Clause
// Start and stop: loads the store, finishes what was half done, opens what the switch does not
// have. Main thread.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void service_lock(struct daemon *daemon)
{
	pthread_mutex_lock(&daemon->lock);
}

void service_unlock(struct daemon *daemon)
{
	pthread_mutex_unlock(&daemon->lock);
}

const char *service_run_dir(const struct daemon *d)
{
	return d->portdir.run_dir;
}

const char *service_state_dir(const struct daemon *d)
{
	return d->state_dir;
}

const char *service_preload_path(const struct daemon *d)
{
	return d->preload;
}

static int load_network(void *arg, const struct network_info *info, enum store_state state)
{
	return daemon_keep_network(arg, info, state) ? 0 : -ENOMEM;
}

static int load_port(
	void *arg,
	uint32_t network_id,
	const struct port_info *info,
	enum store_state state
)
{
	struct daemon *d = arg;
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry)
		if (network->info.id == network_id)
			return daemon_keep_port(d, network, info, state) ? 0 : -ENOMEM;
	return -EILSEQ;
}

static int load_container(void *arg, const struct container_info *info)
{
	return daemon_keep_container(arg, info) ? 0 : -ENOMEM;
}

static int load_published(void *arg, uint32_t port_id, const struct port_publish *publish)
{
	struct port *port = daemon_find_port_id(arg, port_id);
	if (!port)
		return -EILSEQ;
	struct port_publish *list =
		reallocarray(port->published, port->published_count + 1, sizeof(*port->published));
	if (!list)
		return -ENOMEM;
	list[port->published_count++] = *publish;
	port->published = list;
	return 0;
}

static int load_parent(void *arg, const struct store_parent *parent)
{
	return parent_keep(arg, parent) ? 0 : -ENOMEM;
}

static int load_function(void *arg, const struct store_function *function)
{
	return function_keep(arg, function) ? 0 : -ENOMEM;
}

// What was begun and not finished when ringwayd ended is undone (creating) or finished
// (removing). The switch is brought in line afterwards, like all else.
static int settle_rows(struct daemon *d, struct rwy_err *err)
{
	struct port *port = TAILQ_FIRST(&d->ports);
	struct network *network = TAILQ_FIRST(&d->networks);
	while (port) {
		struct port *next = TAILQ_NEXT(port, entry);
		if (port->state != STORE_READY) {
			log_info("port '%s' was half done: removed", port->info.spec.name);
			int r = port_remove(d, port, err);
			if (r)
				return r;
			next = TAILQ_FIRST(&d->ports); // Others may have gone with it.
		}
		port = next;
	}
	while (network) {
		struct network *next = TAILQ_NEXT(network, entry);
		if (network->state != STORE_READY && !network->info.ports) {
			log_info("network '%s' was half done: removed", network->info.spec.name);
			int r = network_remove(d, network, err);
			if (r)
				return r;
		}
		network = next;
	}
	return 0;
}

static bool place_is_used(void *arg, const char *place)
{
	struct daemon *d = arg;
	const struct port *port = daemon_find_port(d, place);
	return daemon_find_container(d, place) ||
		(port && !port->info.spec.key[0] && port_is_switched(port));
}

static int make_places(struct daemon *d, struct rwy_err *err)
{
	const struct container *container;
	struct port *port;
	portdir_sweep(&d->portdir, place_is_used, d);
	TAILQ_FOREACH (container, &d->containers, entry) {
		int r = portdir_make_place(&d->portdir, container->info.key, err);
		if (r)
			return r;
	}
	TAILQ_FOREACH (port, &d->ports, entry) {
		char place[NAME_SIZE];
		char name[16];
		struct rwy_err why = {0};
		if (port->info.spec.connect[0] || !port_is_switched(port))
			continue;
		port_place(&port->info.spec, place, name);
		if (portdir_make_place(&d->portdir, place, &why) ||
		    portdir_path(&d->portdir, place, name, port->info.socket, &why))
			log_err(&why, "port '%s'", port->info.spec.name);
	}
	return 0;
}

static int load(struct daemon *d, struct rwy_err *err)
{
	static const struct store_visit visit = {
		load_network,
		load_port,
		load_container,
		load_published,
		load_parent,
		load_function};
	int r = store_load(d->store, &visit, d, err);
	if (!r)
		r = settle_rows(d, err);
	return r ? r : make_places(d, err);
}

static void on_doubt_timer(void *arg)
{
	struct daemon *d = arg;
	service_lock(d);
	if (link_is_ready(d->link) && link_take_doubt(d->link))
		daemon_link_ops.ready(d, false);
	else if (link_is_ready(d->link))
		trunk_mend(d);
	service_unlock(d);
}

static int start_link(struct daemon *d, const struct daemon_config *config, struct rwy_err *err)
{
	// It fits: the run dir's length was checked.
	(void)snprintf(
		d->switch_socket, sizeof(d->switch_socket), "%.200s/switch.sock", d->portdir.run_dir
	);
	struct link_config link_config = {
		.socket_path = d->switch_socket,
		.spawn = config->spawn,
		.no_spare = config->no_spare,
		.ops = &daemon_link_ops,
		.arg = d,
		.lock = &d->lock,
		.loop = d->loop,
	};
	d->doubt_timer = loop_add_timer(d->loop, 0, 0, on_doubt_timer, d);
	d->link = link_new(&link_config);
	if (!d->link || !d->doubt_timer)
		return err_set(err, -ENOMEM, "cannot watch the switch: %s", strerror(errno));
	return 0;
}

static int start(struct daemon *d, const struct daemon_config *config, struct rwy_err *err)
{
	int r = portdir_init(config->run_dir, &d->portdir, err);
	if (!r)
		r = store_open(config->state_dir, &d->store, err);
	if (!r)
		kernel_open(d, config);
	if (!r)
		r = accept_init(d, err);
	if (!r)
		r = start_link(d, config, err);
	if (!r)
		r = load(d, err);
	if (!r)
		r = kernel_start(d, err);
	if (!r)
		r = functions_start(d, err);
	if (!r)
		link_start(d->link);
	return r;
}

static void free_rows(struct daemon *d)
{
	while (!TAILQ_EMPTY(&d->ports)) {
		struct port *port = TAILQ_FIRST(&d->ports);
		fd_close(&port->listener);
		daemon_drop_port(d, port);
	}
	while (!TAILQ_EMPTY(&d->networks))
		daemon_drop_network(d, TAILQ_FIRST(&d->networks));
	while (!TAILQ_EMPTY(&d->containers))
		daemon_drop_container(d, TAILQ_FIRST(&d->containers));
}

int daemon_start(
	const struct daemon_config *config,
	struct daemon **ret_daemon,
	struct rwy_err *err
)
{
	struct daemon *d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(err, -ENOMEM, "cannot start: no memory");
	(void)pthread_mutex_init(&d->lock, NULL); // Cannot fail on Linux.
	TAILQ_INIT(&d->networks);
	TAILQ_INIT(&d->ports);
	TAILQ_INIT(&d->containers);
	d->loop = config->loop;
	d->accept_fd = d->accept_timer_fd = -1;
	d->portdir.run_fd = d->portdir.ports_fd = -1;
	// Paths that are cut here could not have been opened.
	(void)snprintf(d->state_dir, sizeof(d->state_dir), "%s", config->state_dir);
	(void)snprintf(d->preload, sizeof(d->preload), "%s", config->preload);
	service_lock(d);
	int r = functions_init(d, err);
	if (!r)
		r = start(d, config, err);
	service_unlock(d);
	if (r) {
		daemon_stop(d, false);
		return r;
	}
	*ret_daemon = d;
	return 0;
}

static bool has_switch_ports(const struct daemon *d)
{
	const struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port_is_switched(port))
			return true;
	return false;
}

void daemon_stop(struct daemon *d, bool end_switch)
{
	if (!d)
		return;
	functions_stop(d);
	service_lock(d);
	bool started = d->link != NULL;
	// A switch without ports has nothing to do; kernel ports do without it.
	bool idle = !has_switch_ports(d);
	// Nobody finds it again without its socket.
	bool lost = !portdir_is_there(&d->portdir);
	link_free(d->link, started && (end_switch || idle || lost));
	d->link = NULL;
	kernel_close(d, end_switch || (started && TAILQ_EMPTY(&d->networks)));
	if (started && idle && TAILQ_EMPTY(&d->containers))
		portdir_remove(&d->portdir);
	loop_remove(d->doubt_timer);
	accept_fini(d);
	free_rows(d);
	functions_fini(d);
	portdir_fini(&d->portdir);
	store_close(d->store);
	service_unlock(d);
	(void)pthread_mutex_destroy(&d->lock); // Nobody uses it any more.
	free(d);
}
