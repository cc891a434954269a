// SPDX-License-Identifier: BSD-3-Clause
// ringwayd's requests over the control socket: one table of handlers. Control thread. The socket is
// non-blocking: a ringwayd that does not read its replies loses its connection, never the switch.
#include "base/cleanup.h"
#include "base/log.h"
#include "switch/board.h"
#include "switch/count.h"
#include "switch/switch.h"
#include "switch/trunk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_REQUESTS_A_TURN 16

// Handles sw->request, fills sw->reply's args. 0 or a negative errno with err set.
typedef int control_handler(struct switch_state *sw, struct rwy_err *err);

static int on_hello(struct switch_state *sw, struct rwy_err *err)
{
	if (sw->request.args.hello.version != WIRE_VERSION)
		return err_set(
			err,
			-EPROTO,
			"ringwayd speaks version %u of the switch's protocol, this switch %d",
			sw->request.args.hello.version,
			WIRE_VERSION
		);
	sw->greeted = true;
	sw->reply.args.hello = (struct wire_hello){
		.version = WIRE_VERSION,
		.program = "ringway-switch " RINGWAY_VERSION,
		.pid = (uint32_t)getpid(),
		.start_ns = sw->start_ns,
		.state_size = sizeof(struct port_state),
		.state_form = PORT_STATE_FORM,
		.active = sw->active,
		.has_board = true,
		.has_listener = sw->listen_fd >= 0,
	};
	sw->reply.fds[sw->reply.fd_count++] = sw->board_fd;
	if (sw->listen_fd >= 0)
		sw->reply.fds[sw->reply.fd_count++] = sw->listen_fd;
	return 0;
}

// The sum of all workers' turns would hide one that hangs, so this counts pings at which all were well.
static int on_ping(struct switch_state *sw, struct rwy_err *err)
{
	uint32_t asleep = 0;
	uint32_t stuck = 0;

	for (uint32_t i = 0; i < sw->worker_count; i++) {
		const struct worker *worker = sw->workers[i];
		uint64_t turns = count_read(&worker->turns) + count_read(&worker->sleeps);
		bool sleeps = __atomic_load_n(&worker->asleep, __ATOMIC_ACQUIRE);
		bool hangs = !sleeps && turns == sw->ping_seen[i];
		asleep += sleeps;
		stuck += hangs;
		board_note(&sw->board->worker[i].hung, hangs);
		sw->ping_seen[i] = turns;
	}
	sw->ping_turns += stuck == 0;
	sw->reply.args.pong = (struct wire_pong){
		.workers = sw->worker_count,
		.turns = sw->ping_turns,
		.asleep = asleep == sw->worker_count,
	};
	return 0;
}

static int on_network_add(struct switch_state *sw, struct rwy_err *err)
{
	return table_add_network(sw, &sw->request.args.network, err);
}

static int on_network_del(struct switch_state *sw, struct rwy_err *err)
{
	return table_remove_network(sw, sw->request.args.ref.id, err);
}

static int add_trunk(
	struct switch_state *sw,
	const struct wire_port *spec,
	int saved_fd,
	const int *fds,
	struct rwy_err *err
)
{
	int r = trunk_check_queues(fds, spec->queues, err);
	if (r)
		return err_prefix(err, "cannot add port '%s': ", spec->name);
	return trunk_add(sw, spec, saved_fd, fds, err);
}

static int on_port_add(struct switch_state *sw, struct rwy_err *err)
{
	const struct wire_port *spec = &sw->request.args.port;
	const int *fds = sw->request.fds + spec->has_state;
	int saved_fd = spec->has_state ? sw->request.fds[0] : -1;
	int listener_fd = sw->request.fd_count > (uint32_t)spec->has_state ? fds[0] : -1;
	int r;

	if (spec->kind == WIRE_PORT_TAP)
		r = add_trunk(sw, spec, saved_fd, fds, err);
	else if (spec->kind == WIRE_PORT_VHOST)
		r = table_add_port(sw, spec, saved_fd, listener_fd, err);
	else
		r =
			err_set(err,
				-EOPNOTSUPP,
				"cannot add port '%s': this switch has no ports of kind %u",
				spec->name,
				spec->kind);
	if (r == 0)
		sw->request.fd_count = 0; // The table's now.
	return r;
}

static int on_port_set(struct switch_state *sw, struct rwy_err *err)
{
	return table_set_limits(sw, &sw->request.args.port, err);
}

static int on_port_del(struct switch_state *sw, struct rwy_err *err)
{
	return table_remove_port(sw, sw->request.args.ref.id, err);
}

static int on_conn_add(struct switch_state *sw, struct rwy_err *err)
{
	struct port *port = table_port(sw, sw->request.args.ref.id);
	if (!port)
		return err_set(err, -ENOENT, "cannot attach: no port %u", sw->request.args.ref.id);
	sw->request.fd_count = 0; // attach_connection() takes it in any case.
	return attach_connection(sw, port, sw->request.fds[0], err);
}

static int on_conn_restore(struct switch_state *sw, struct rwy_err *err)
{
	const struct wire_kept *args = &sw->request.args.kept;
	struct vhost_kept kept[VHOST_KEPT_MAX];
	struct port *port = table_port(sw, args->port);

	if (!port)
		return err_set(err, -ENOENT, "cannot restore: no port %u", args->port);
	if (!args->has_conn || args->has_state)
		return err_set(
			err, -EPROTO, "cannot restore port '%s': no connection", port->spec.name
		);
	for (uint32_t i = 0; i < args->id_count; i++)
		kept[i] = (struct vhost_kept){args->ids[i].id, sw->request.fds[i + 1]};
	sw->request.fd_count = 0; // attach_restore() takes them in any case.
	return attach_restore(sw, port, sw->request.fds[0], kept, args->id_count, err);
}

static int on_port_fds(struct switch_state *sw, struct rwy_err *err)
{
	const struct port *port = table_port(sw, sw->request.args.ref.id);
	if (!port)
		return err_set(err, -ENOENT, "there is no port %u", sw->request.args.ref.id);
	handover_fds(port, &sw->reply.args.kept, sw->reply.fds, &sw->reply.fd_count);
	return 0;
}

static int on_start(struct switch_state *sw, struct rwy_err *err)
{
	int r = handover_start(sw, sw->request.fd_count ? sw->request.fds[0] : -1, err);
	if (r == 0)
		sw->request.fd_count = 0; // Taken.
	return r;
}

static int on_freeze(struct switch_state *sw, struct rwy_err *err)
{
	handover_freeze(sw);
	return 0;
}

static int on_release(struct switch_state *sw, struct rwy_err *err)
{
	handover_release(sw);
	return 0;
}

static int on_station_add(struct switch_state *sw, struct rwy_err *err)
{
	const struct wire_station *spec = &sw->request.args.station;
	struct port *port = table_port(sw, spec->port);
	if (!port || port->spec.network != spec->network)
		return err_set(
			err,
			-ENOENT,
			"cannot add a station: network %u has no port %u",
			spec->network,
			spec->port
		);
	return stations_add(sw->stations, spec, port, err);
}

static int on_station_del(struct switch_state *sw, struct rwy_err *err)
{
	const struct wire_station *spec = &sw->request.args.station;
	const struct network *network = table_network(sw, spec->network);
	if (network && stations_remove(sw->stations, network->slot, spec->mac))
		return 0;
	return err_set(
		err, -ENOENT, "cannot remove a station: network %u has none such", spec->network
	);
}

static int on_station_sweep(struct switch_state *sw, struct rwy_err *err)
{
	stations_sweep(sw->stations, sw->request.args.epoch.epoch);
	return 0;
}

static int on_stats(struct switch_state *sw, struct rwy_err *err)
{
	pages_stats(sw, sw->request.args.after.after, &sw->reply.args.stats);
	return 0;
}

static int on_state(struct switch_state *sw, struct rwy_err *err)
{
	pages_state(
		sw,
		sw->request.args.after.after,
		&sw->reply.args.state,
		sw->reply.fds,
		&sw->reply.fd_count
	);
	return 0;
}

static int on_stop(struct switch_state *sw, struct rwy_err *err)
{
	loop_stop(sw->loop);
	return 0;
}

static control_handler *const handlers[WIRE_OP_COUNT] = {
	[WIRE_HELLO] = on_hello,
	[WIRE_PING] = on_ping,
	[WIRE_NETWORK_ADD] = on_network_add,
	[WIRE_NETWORK_DEL] = on_network_del,
	[WIRE_PORT_ADD] = on_port_add,
	[WIRE_PORT_SET] = on_port_set,
	[WIRE_PORT_DEL] = on_port_del,
	[WIRE_CONN_ADD] = on_conn_add,
	[WIRE_CONN_RESTORE] = on_conn_restore,
	[WIRE_PORT_FDS] = on_port_fds,
	[WIRE_START] = on_start,
	[WIRE_FREEZE] = on_freeze,
	[WIRE_RELEASE] = on_release,
	[WIRE_STATION_ADD] = on_station_add,
	[WIRE_STATION_DEL] = on_station_del,
	[WIRE_STATION_SWEEP] = on_station_sweep,
	[WIRE_STATS] = on_stats,
	[WIRE_STATE] = on_state,
	[WIRE_STOP] = on_stop,
};

void control_drop_daemon(struct switch_state *sw, const char *why)
{
	if (sw->daemon_fd < 0)
		return;
	log_info("ringwayd's connection ended: %s", why);
	sw->keep_since_s = 0;
	loop_remove(sw->daemon_source);
	sw->daemon_source = NULL;
	fd_close(&sw->daemon_fd);
	sw->greeted = false;
	// Nobody else can ever start it, or somebody else was started in its place.
	if ((sw->spare && !sw->active) || handover_is_succeeded(sw))
		loop_stop(sw->loop);
	keep_look(sw); // The next ringwayd asks for what it has to keep.
}

static void handle_request(struct switch_state *sw)
{
	struct wire_msg *request = &sw->request;
	struct wire_msg *reply = &sw->reply;
	struct rwy_err err = {0};

	wire_msg_init(reply, request->op, true);
	reply->id = request->id;
	int r;
	if (!handlers[request->op] || request->id == 0)
		r = err_set(&err, -EPROTO, "not a request");
	else if (!sw->greeted && request->op != WIRE_HELLO)
		r = err_set(&err, -EPROTO, "the first message must be hello");
	else
		r = handlers[request->op](sw, &err);
	wire_msg_close_fds(request);
	if (r) {
		reply->error = err;
		reply->error.code = r;
		reply->fd_count = 0;
	}
	// An event that could not be sent may have ended the connection meanwhile.
	if (sw->daemon_fd >= 0 && wire_send(sw->daemon_fd, reply, &err))
		control_drop_daemon(sw, err.msg);
}

static void on_daemon(void *arg, uint32_t events)
{
	struct switch_state *sw = arg;

	if (events & EPOLLOUT)
		keep_room(sw);
	for (int i = 0; i < CONTROL_REQUESTS_A_TURN && sw->daemon_fd >= 0; i++) {
		struct rwy_err err = {0};
		int r = wire_recv(sw->daemon_fd, false, MSG_DONTWAIT, &sw->request, &err);
		if (r == -EAGAIN)
			return;
		if (r)
			control_drop_daemon(sw, r == -EPIPE ? "it closed" : err.msg);
		else
			handle_request(sw);
	}
}

// Root or our own user: nobody else may steer the switch, whatever the socket's mode.
static bool peer_allowed(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return false;
	return peer.uid == 0 || peer.uid == getuid();
}

static int take_daemon(struct switch_state *sw, int fd)
{
	sw->daemon_source = loop_add_fd(sw->loop, fd, EPOLLIN, on_daemon, sw);
	if (!sw->daemon_source)
		return -errno;
	sw->daemon_fd = fd;
	return 0;
}

// The newest ringwayd is the right one: state-dir's lock lets only one run.
static void on_listen(void *arg, uint32_t events)
{
	struct switch_state *sw = arg;
	_cleanup_close_ int fd = accept4(sw->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 || !peer_allowed(fd))
		return;
	control_drop_daemon(sw, "another one came");
	if (take_daemon(sw, fd))
		log_error("cannot watch ringwayd's connection: %s", strerror(errno));
	else
		(void)fd_take(&fd);
}

int control_listen(struct switch_state *sw, int fd, struct rwy_err *err)
{
	struct loop_source *source = loop_add_fd(sw->loop, fd, EPOLLIN, on_listen, sw);
	if (!source)
		return err_set(
			err,
			-errno,
			"cannot watch the control socket (descriptor %d): %s",
			fd,
			strerror(errno)
		);
	loop_remove(sw->listen_source);
	fd_close(&sw->listen_fd);
	sw->listen_source = source;
	sw->listen_fd = fd;
	return 0;
}

int control_start(struct switch_state *sw, int inherited_fd, struct rwy_err *err)
{
	sw->daemon_fd = sw->listen_fd = -1;
	if (!sw->spare)
		return control_listen(sw, inherited_fd, err);
	int flags = fcntl(inherited_fd, F_GETFL);
	if (flags < 0 || fcntl(inherited_fd, F_SETFL, flags | O_NONBLOCK) ||
	    take_daemon(sw, inherited_fd))
		return err_set(
			err, -errno, "cannot watch ringwayd's connection: %s", strerror(errno)
		);
	return 0;
}

void control_stop(struct switch_state *sw)
{
	control_drop_daemon(sw, "the switch stops");
}

void control_port_event(struct switch_state *sw, const struct port *port)
{
	static struct wire_msg event; // Large; one thread.
	struct rwy_err err = {0};

	if (sw->daemon_fd < 0 || !sw->greeted)
		return; // A later ringwayd asks for the state.
	event.op = WIRE_PORT_EVENT;
	event.args.event.port = port->spec.port;
	event.args.event.state = port->state;
	memcpy(event.args.event.reason, port->reason, sizeof(event.args.event.reason));
	if (wire_send(sw->daemon_fd, &event, &err))
		control_drop_daemon(sw, err.msg);
}
