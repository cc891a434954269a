// SPDX-License-Identifier: BSD-3-Clause
// From one switch to the next: what is kept of ports, told to a switch that has nothing; and who is to blame for the end of the
// last one. Requests are sent without waiting for the one before, since no frame moves meanwhile.
#include "daemon/core/takeover.h"

#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

// Two ends in the service of one port within this time, and it is quarantined.
#define BLAME_MS INT64_C(600000)

static void on_network(void *arg, uint32_t id, struct wire_msg *reply)
{
	if (reply->error.code)
		log_err(&reply->error, "the new switch does not take network %u", id);
}

static void on_port(void *arg, uint32_t id, struct wire_msg *reply)
{
	struct port *port = daemon_find_port_id(arg, id);
	if (reply->error.code && port)
		log_err(&reply->error,
			"the new switch does not take port '%s'",
			port->info.spec.name);
}

static void on_trunk(void *arg, uint32_t id, struct wire_msg *reply)
{
	struct daemon *d = arg;
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry) {
		if (network->info.id != id || !reply->error.code)
			continue;
		log_err(&reply->error,
			"the new switch does not take the trunk of '%s'",
			network->info.spec.name);
		trunk_close(network); // Queues that nobody reads would be given frames.
		network->trunk = false;
	}
}

static void on_station(void *arg, uint32_t id, struct wire_msg *reply)
{
	struct port *port = daemon_find_port_id(arg, id);
	if (reply->error.code && port)
		log_err(&reply->error,
			"the new switch does not take the address of port '%s'",
			port->info.spec.name);
}

static void lose_connection(struct daemon *d, struct port *port)
{
	keep_forget(&port->keep);
	if (port->info.state == WIRE_PORT_QUARANTINED)
		return;
	port->info.state = WIRE_PORT_WAITING;
	accept_port_waits(d, port);
}

static void on_connection(void *arg, uint32_t id, struct wire_msg *reply)
{
	struct daemon *d = arg;
	struct port *port = daemon_find_port_id(d, id);
	if (!port)
		return;
	if (!reply->error.code) {
		port->keep.untold = false;
		d->taken_over++;
		return;
	}
	log_err(&reply->error, "port '%s' loses its connection", port->info.spec.name);
	lose_connection(d, port);
}

static int tell_networks(struct daemon *d)
{
	const struct network *network;
	int r = 0;
	TAILQ_FOREACH (network, &d->networks, entry) {
		if (network_is_sriov(network))
			continue;
		struct wire_msg *msg = reconcile_network_msg(d, network);
		if (!r)
			r = link_queue(d->link, msg, on_network, d, network->info.id);
	}
	return r;
}

static int tell_ports(struct daemon *d)
{
	struct port *port;
	int r = 0;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err err = {0};
		struct wire_msg *msg = NULL;
		if (r || !port_is_switched(port))
			continue;
		if (reconcile_port_msg(d, port, &msg, &err))
			log_err(&err, "port '%s'", port->info.spec.name);
		else
			r = link_queue(d->link, msg, on_port, d, port->info.id);
	}
	return r;
}

static int tell_trunks(struct daemon *d)
{
	struct network *network;
	int r = 0;
	TAILQ_FOREACH (network, &d->networks, entry) {
		struct rwy_err err = {0};
		struct wire_msg *msg = NULL;
		if (r || !trunk_is_wanted(d, network))
			continue;
		network->trunk = true;
		if (!trunk_msg(d, network, &msg, &err)) {
			r = link_queue(d->link, msg, on_trunk, d, network->info.id);
			continue;
		}
		log_err(&err, "network '%s'", network->info.spec.name);
		network->trunk = false;
	}
	return r;
}

// Whether no switch has done anything with the connection: the first thing that one does is to set where it peeks.
static bool is_untouched(int conn)
{
	int offset = 0;
	socklen_t size = sizeof(offset);
	return getsockopt(conn, SOL_SOCKET, SO_PEEK_OFF, &offset, &size) == 0 && offset < 0;
}

static int tell_connection(struct daemon *d, struct port *port)
{
	bool anew = port->keep.untold;
	struct wire_msg *msg = link_msg(d->link, anew ? WIRE_CONN_ADD : WIRE_CONN_RESTORE);
	if (anew) {
		msg->args.ref.id = port->info.id;
		msg->fds[msg->fd_count++] = port->keep.conn;
	} else {
		msg->args.kept.port = port->info.id;
	}
	if (anew ? is_untouched(port->keep.conn) : keep_fill(&port->keep, msg))
		return link_queue(d->link, msg, on_connection, d, port->info.id);
	log_warn(
		"port '%s' loses its connection: what was in hand is not known",
		port->info.spec.name
	);
	lose_connection(d, port);
	return 0;
}

static int tell_connections(struct daemon *d)
{
	struct port *port;
	int r = 0;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (!r && keep_is_connected(&port->keep))
			r = tell_connection(d, port);
	return r;
}

static int tell_stations(struct daemon *d)
{
	const struct port *port;
	int r = 0;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct wire_msg *msg = r ? NULL : station_msg(d, port);
		if (msg)
			r = link_queue(d->link, msg, on_station, d, port->info.id);
	}
	return r;
}

int takeover_prepare(struct daemon *d, struct rwy_err *err)
{
	d->taken_over = 0;
	reconcile_open_listeners(d);
	int r = tell_networks(d);
	if (!r)
		r = tell_ports(d);
	if (!r)
		r = tell_trunks(d);
	if (!r)
		r = tell_connections(d);
	if (!r)
		r = tell_stations(d);
	if (!r)
		r = link_settle(d->link, err);
	return r ? err_set(err, -EAGAIN, "the new switch ended while it was told of its ports") : 0;
}

static void adopt_port(struct daemon *d, struct port *port)
{
	struct wire_msg *msg = link_msg(d->link, WIRE_PORT_FDS);
	struct rwy_err err = {0};
	msg->args.ref.id = port->info.id;
	if (link_request(d->link, msg, &err)) {
		log_err(&err, "cannot keep what port '%s' has", port->info.spec.name);
		return;
	}
	keep_adopt(&port->keep, msg, link_hello(d->link));
	wire_msg_close_fds(msg);
}

void takeover_adopt(struct daemon *d)
{
	struct network *network;
	struct port *port;
	if (!link_hello(d->link)->state_size)
		return; // It hands nothing over.
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port->of_switch)
			adopt_port(d, port);
	TAILQ_FOREACH (network, &d->networks, entry)
		if (network->trunk && !network->trunk_broken)
			trunk_adopt(d, network);
}

void takeover_note_kept(struct daemon *d, struct wire_msg *msg)
{
	struct port *port = daemon_find_port_id(d, msg->args.kept.port);
	if (!port)
		return; // Removed since.
	if (msg->op == WIRE_KEEP)
		keep_add(&port->keep, msg);
	else
		keep_drop(&port->keep, &msg->args.kept);
}

// Whether this is the second time within a while.
static bool is_again(int64_t *io_before_ms)
{
	int64_t now = daemon_now_ms();
	bool again = *io_before_ms && now - *io_before_ms < BLAME_MS;
	*io_before_ms = now;
	return again;
}

static void blame_port(struct daemon *d, struct port *port, const struct link_end *end)
{
	struct port_info *info = &port->info;
	log_warn("the switch ended in the service of port '%s'", info->spec.name);
	if (!is_again(&port->blamed_ms) || info->state == WIRE_PORT_QUARANTINED)
		return;
	keep_forget(&port->keep);
	info->state = WIRE_PORT_QUARANTINED;
	(void)snprintf( // It fits.
		info->reason,
		sizeof(info->reason),
		"it ended the switch twice: %.128s",
		end->text
	);
	log_warn("port '%s' is quarantined: %s", info->spec.name, info->reason);
}

// A trunk belongs to many, so it goes on; but not with what is queued there.
static void blame_trunk(struct network *network)
{
	log_warn("the switch ended in the service of the trunk of '%s'", network->info.spec.name);
	if (!is_again(&network->blamed_ms))
		return;
	log_warn(
		"the trunk of '%s' is opened anew, and loses what is queued",
		network->info.spec.name
	);
	trunk_close(network);
}

void takeover_note_end(struct daemon *d, const struct link_end *end)
{
	struct network *network;
	struct port *port = end->blamed ? daemon_find_port_id(d, end->blamed) : NULL;
	(void)snprintf( // A name that is cut is still one that says it.
		d->last_end,
		sizeof(d->last_end),
		"%.90s%s%.50s%s",
		end->text,
		port ? " (port '" : "",
		port ? port->info.spec.name : "",
		port ? "')" : ""
	);
	if (port)
		blame_port(d, port, end);
	TAILQ_FOREACH (network, &d->networks, entry)
		if (end->blamed == WIRE_TRUNK_ID(network->info.id))
			blame_trunk(network);
}
