// SPDX-License-Identifier: BSD-3-Clause
// The host's layer as a whole: opened, compared with the store at start and every few seconds, and let go or removed.
// Main thread, under the lock.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define KERNEL_CHECK_MS 3000
#define FIREWALL_CHECK_MS 1000
#define NAMES_TRIED 16 // Of an interface that Docker had named: eth0, eth1, ..

static void note_missing(char ret_reason[ERR_MSG_SIZE], const char *what, const struct rwy_err *why)
{
	(void)snprintf(ret_reason, ERR_MSG_SIZE, "%s", why->msg); // It fits.
	log_warn("%s: %s", what, why->msg);
}

void kernel_open(struct daemon *d, const struct daemon_config *config)
{
	const struct host_config host_config = {.run_dir = d->portdir.run_dir};
	const struct uplinks_config uplinks_config = {
		.run_dir = d->portdir.run_dir,
		.binary = config->uplink_binary,
	};
	struct rwy_err err = {0};
	d->workers = config->workers ? config->workers : 1;
	if (uplinks_new(&uplinks_config, &d->uplinks, &err))
		note_missing(d->uplinks_reason, "no ether ports", &err);
	if (config->no_kernel_ports) {
		(void)snprintf(
			d->host_reason,
			sizeof(d->host_reason),
			"ringwayd runs with --no-kernel-ports"
		);
		return;
	}
	if (host_open(&host_config, &d->host, &err)) {
		d->host = NULL;
		note_missing(d->host_reason, "no kernel ports", &err);
		return;
	}
	if (firewall_open(d->portdir.run_dir, &d->firewall, &err)) {
		d->firewall = NULL;
		note_missing(
			d->firewall_reason, "no published ports, no way out of networks", &err
		);
	}
}

static void set_reason(struct port *port, const char *reason)
{
	if (strcmp(port->info.reason, reason) == 0)
		return;
	(void)snprintf(port->info.reason, sizeof(port->info.reason), "%.150s", reason); // Cut.
	if (reason[0])
		log_warn("port '%s' waits: %s", port->info.spec.name, reason);
}

// Makes the pair anew and moves its end into the namespace. A name that is not ours to choose is the first that is free.
static int put_back(
	struct daemon *d,
	struct port *port,
	int netns_fd,
	const char *name,
	struct rwy_err *err
)
{
	int r = kernel_make(d, port, err);
	for (unsigned int i = 0; !r && !name && i < NAMES_TRIED; i++) {
		char eth[IFNAME_SIZE];
		(void)snprintf(eth, sizeof(eth), "eth%u", i); // It fits.
		r = kernel_place(d, port, netns_fd, eth, err);
		if (r != -EEXIST)
			break;
		r = i + 1 < NAMES_TRIED ? 0 : r;
	}
	if (!r && name)
		r = kernel_place(d, port, netns_fd, name, err);
	if (r)
		(void)host_port_remove(d->host, port->info.id, NULL); // As it was.
	return r;
}

// A process's number may be another process's by now.
static bool is_same_netns(const struct port *port, uint64_t inode)
{
	return strncmp(port->info.spec.netns, "/proc/", 6) != 0 || !port->info.netns_inode ||
		port->info.netns_inode == inode;
}

static int repair_in_netns(
	struct daemon *d,
	struct port *port,
	const char *path,
	const char *name,
	struct rwy_err *err
)
{
	_cleanup_close_ int fd = -1;
	if (namespace_open(path, &fd, err) || (name && !is_same_netns(port, namespace_inode(fd))))
		return err_set(err, -ENOENT, "its namespace is gone");
	return put_back(d, port, fd, name, err);
}

// What to do where the pair is gone: whoever took it away, or a namespace that ended.
static int repair(struct daemon *d, struct port *port, struct rwy_err *err)
{
	const struct port_spec *spec = &port->info.spec;
	if (spec->of_network)
		return put_back(d, port, -1, port->info.ifname_host, err);
	if (spec->netns[0])
		return repair_in_netns(d, port, spec->netns, spec->ifname, err);
	if (port->info.sandbox[0])
		return repair_in_netns(d, port, port->info.sandbox, NULL, err);
	return kernel_make(d, port, err); // Not yet moved by whoever asked for it.
}

// Whether something was made anew.
static bool check_port(struct daemon *d, struct port *port, bool there)
{
	struct rwy_err err = {0};
	if (!there && repair(d, port, &err)) {
		set_reason(port, err.msg);
		return false;
	}
	if (!there)
		log_info("port '%s' was gone from the kernel: made anew", port->info.spec.name);
	set_reason(port, "");
	return !there;
}

static void remove_unknown(
	struct daemon *d,
	uint32_t id,
	int (*take)(struct host *, uint32_t, struct rwy_err *)
)
{
	struct rwy_err err = {0};
	if (take(d->host, id, &err))
		log_err(&err, "cannot remove what the kernel has and the store has not");
}

// Goes through both at once: they are in order of id. Whether something was made anew.
static bool compare_ports(struct daemon *d, const uint32_t *ids, size_t count)
{
	struct port *port;
	size_t at = 0;
	bool changed = false;
	TAILQ_FOREACH (port, &d->ports, entry) {
		if (!port_is_kernel(port))
			continue;
		while (at < count && ids[at] < port->info.id)
			remove_unknown(d, ids[at++], host_port_remove);
		bool known = at < count && ids[at] == port->info.id;
		bool there = known && host_port_exists(d->host, port->info.id);
		at += known;
		if (port->state == STORE_READY)
			changed = check_port(d, port, there) || changed;
	}
	while (at < count)
		remove_unknown(d, ids[at++], host_port_remove);
	return changed;
}

static void compare_networks(struct daemon *d, const uint32_t *ids, size_t count)
{
	const struct network *network;
	size_t at = 0;
	TAILQ_FOREACH (network, &d->networks, entry) {
		while (at < count && ids[at] < network->info.id)
			remove_unknown(d, ids[at++], host_network_remove);
		at += at < count && ids[at] == network->info.id;
	}
	while (at < count)
		remove_unknown(d, ids[at++], host_network_remove);
}

void kernel_reconcile(struct daemon *d)
{
	struct rwy_err err = {0};
	uint32_t *ids = NULL;
	size_t count = 0;
	bool changed = false;
	int r = host_list_ports(d->host, &ids, &count, &err);
	if (!r)
		changed = compare_ports(d, ids, count);
	free(ids);
	ids = NULL;
	if (!r)
		r = host_list_networks(d->host, &ids, &count, &err);
	if (!r)
		compare_networks(d, ids, count);
	free(ids);
	if (r)
		log_err(&err, "cannot compare the kernel with the store");
	if (changed && publish_apply(d, &err))
		log_err(&err, "cannot set the firewall");
}

static void on_check(void *arg)
{
	struct daemon *d = arg;
	service_lock(d);
	kernel_reconcile(d);
	service_unlock(d);
}

static void on_link_change(void *arg, uint32_t events)
{
	struct daemon *d = arg;
	service_lock(d);
	host_watch_read(d->host);
	service_unlock(d);
}

static void on_firewall_check(void *arg)
{
	struct daemon *d = arg;
	struct rwy_err err = {0};
	service_lock(d);
	int r = d->firewall ? firewall_check(d->firewall, &err) : 0;
	if (r > 0)
		log_info("firewall: %s", err.msg);
	else if (r < 0 && !d->firewall_failed)
		log_err(&err, "cannot check the firewall");
	d->firewall_failed = r < 0;
	publish_retry(d);
	service_unlock(d);
}

// What is there already gets the programs, limits and MTU of now.
static void refresh(struct daemon *d)
{
	struct network *network;
	struct port *port;
	TAILQ_FOREACH (network, &d->networks, entry) {
		struct rwy_err err = {0};
		if (kernel_network_add(d, network, &err))
			log_err(&err, "network '%s'", network->info.spec.name);
	}
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err err = {0};
		if (port_is_kernel(port) && host_port_exists(d->host, port->info.id) &&
		    kernel_make(d, port, &err))
			log_err(&err, "port '%s'", port->info.spec.name);
	}
}

int kernel_start(struct daemon *d, struct rwy_err *err)
{
	struct rwy_err why = {0};
	struct port *port;
	if (!d->host) {
		TAILQ_FOREACH (port, &d->ports, entry)
			if (port_is_kernel(port))
				set_reason(port, d->host_reason);
		return 0;
	}
	refresh(d);
	kernel_reconcile(d);
	publish_resume(d);
	if (publish_apply(d, &why))
		log_err(&why, "cannot set the firewall");
	d->kernel_timer = loop_add_timer(d->loop, KERNEL_CHECK_MS, KERNEL_CHECK_MS, on_check, d);
	d->firewall_timer =
		loop_add_timer(d->loop, FIREWALL_CHECK_MS, FIREWALL_CHECK_MS, on_firewall_check, d);
	d->kernel_watch = loop_add_fd(d->loop, host_watch_fd(d->host), EPOLLIN, on_link_change, d);
	if (!d->kernel_timer || !d->firewall_timer || !d->kernel_watch)
		return err_set(err, -errno, "cannot watch the kernel: %s", strerror(errno));
	return 0;
}

static void end_firewall(struct daemon *d)
{
	struct rwy_err err = {0};
	if (d->firewall && firewall_set(d->firewall, NULL, 0, NULL, 0, &err))
		log_err(&err, "the firewall keeps rules of this instance");
}

void kernel_close(struct daemon *d, bool end)
{
	struct rwy_err err = {0};
	struct network *network;
	loop_remove(d->kernel_timer);
	loop_remove(d->kernel_watch);
	loop_remove(d->firewall_timer);
	TAILQ_FOREACH (network, &d->networks, entry)
		trunk_close(network);
	if (end)
		end_firewall(d);
	firewall_close(d->firewall);
	uplinks_free(d->uplinks, end);
	if (end && d->host && host_destroy_all(d->host, &err))
		log_err(&err, "the kernel keeps parts of this instance");
	else if (!end)
		host_close(d->host);
	d->host = NULL;
	d->firewall = NULL;
	d->uplinks = NULL;
}
