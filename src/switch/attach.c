// SPDX-License-Identifier: BSD-3-Clause
// A port's vhost-user connection: from ringwayd's hand to live queues, and its end, good or bad. Control
// thread. A front end that breaks a rule loses its own port and nothing else.
#include "base/log.h"
#include "switch/board.h"
#include "switch/switch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void set_state(
	struct switch_state *sw,
	struct port *port,
	enum wire_port_state state,
	const char *reason
)
{
	if (port->state == state && strcmp(port->reason, reason) == 0)
		return;
	if (port->state == WIRE_PORT_QUARANTINED || state == WIRE_PORT_QUARANTINED)
		portstate_note_quarantine(
			port->saved, state == WIRE_PORT_QUARANTINED ? reason : NULL
		);
	port->state = state;
	(void)snprintf(port->reason, sizeof(port->reason), "%s", reason); // Cut if too long.
	control_port_event(sw, port);
}

static void on_quiesce(void *ctx)
{
	struct port *port = ctx;
	publish_remove(port->sw, port);
}

static void on_resume(void *ctx)
{
	struct port *port = ctx;

	if (publish_add(port->sw, port))
		log_error("cannot publish the queues of port '%s': out of memory", port->spec.name);
	bool running = port->path != NULL;
	set_state(port->sw, port, running ? WIRE_PORT_RUNNING : WIRE_PORT_CONNECTED, "");
}

// The guest says where it lives now (vhost-user, VHOST_USER_SEND_RARP). Its own address is pinned; nothing
// else has to be learned from it.
static void on_announce(void *ctx, const uint8_t mac[MAC_SIZE])
{
	const struct port *port = ctx;
	if (memcmp(mac, port->spec.mac, MAC_SIZE) != 0)
		log_debug("port '%s' announced an address that is not its own", port->spec.name);
}

static int on_keep(void *ctx, const struct vhost_kept *kept, uint32_t count)
{
	struct port *port = ctx;
	return keep_fds(port->sw, port, kept, count);
}

static void on_drop(void *ctx, const uint32_t *ids, uint32_t count)
{
	const struct port *port = ctx;
	keep_drop(port->sw, port, ids, count);
}

static const struct vhost_conn_ops attach_ops = {
	.quiesce = on_quiesce,
	.resume = on_resume,
	.announce = on_announce,
	.keep = on_keep,
	.drop = on_drop,
};

static void close_connection(struct port *port)
{
	if (!port->conn)
		return; // A TAP has none.
	loop_remove(port->source);
	port->source = NULL;
	struct vhost_conn *conn = port->conn;
	vhost_conn_free(conn); // Calls on_quiesce, which still finds the port.
	port->conn = NULL;
	port->restored = port->keep_waits = false;
}

void attach_close(struct switch_state *sw, struct port *port)
{
	if (!port->conn)
		return;
	close_connection(port);
	publish_remove(sw, port);
	__atomic_store_n(&port->fault, 0, __ATOMIC_RELAXED);
	set_state(sw, port, WIRE_PORT_WAITING, "");
}

void attach_quarantine(struct switch_state *sw, struct port *port, const char *reason)
{
	log_warn("port '%s' is quarantined: %s", port->spec.name, reason);
	close_connection(port);
	publish_remove(sw, port);
	set_state(sw, port, WIRE_PORT_QUARANTINED, reason);
}

static const char *find_fault(struct port *port)
{
	uint32_t fault = __atomic_load_n(&port->fault, __ATOMIC_ACQUIRE);

	if (fault == PORT_FAULT_CALL)
		return "its call eventfd blocked the switch";
	if (fault == PORT_FAULT_TAP)
		return "its TAP is gone";
	if (fault == PORT_FAULT_MEMORY || (port->conn && vhost_conn_memory_lost(port->conn)))
		return "it took back memory that it had shared";
	return fault ? vring_fault_text(fault) : NULL;
}

// The front end hung up. What a worker found broken before that counts all the same: no worker uses the rings any more
// when it is looked for.
static void on_hang_up(struct port *port)
{
	publish_remove(port->sw, port);
	const char *reason = find_fault(port);
	if (reason)
		attach_quarantine(port->sw, port, reason);
	else
		attach_close(port->sw, port);
}

// What was seen of the connection so far does not come again (EPOLLET): attach_look() asks for it.
static void on_ready(void *arg, uint32_t events)
{
	struct port *port = arg;
	struct switch_state *sw = port->sw;
	struct rwy_err err = {0};

	if (sw->frozen || port->restored)
		return; // Until the start.
	uint32_t waited_for = vhost_conn_events(port->conn);
	board_note(&sw->board->control, port->spec.port);
	int r = vhost_conn_process(port->conn, &err);
	board_note(&sw->board->control, 0);
	if (r == -EAGAIN)
		return; // Until ringwayd has room.
	if (r > 0 || (r == 0 && vhost_conn_events(port->conn) != waited_for))
		r = loop_set_events(port->source, vhost_conn_events(port->conn));
	if (r == 0)
		return;
	if (r == -EPIPE)
		on_hang_up(port);
	else
		attach_quarantine(sw, port, err.msg[0] ? err.msg : strerror(-r));
}

void attach_look(struct port *port)
{
	if (port->conn && loop_set_events(port->source, vhost_conn_events(port->conn)))
		attach_quarantine(port->sw, port, strerror(errno));
}

static int check_free(struct switch_state *sw, struct port *port, struct rwy_err *err)
{
	if (port->spec.kind != WIRE_PORT_VHOST)
		return err_set(
			err,
			-EINVAL,
			"cannot attach to port '%s': it is a TAP, which takes no connection",
			port->spec.name
		);
	if (port->state == WIRE_PORT_QUARANTINED)
		return err_set(
			err,
			-EPERM,
			"cannot attach to port '%s': it is quarantined: %s",
			port->spec.name,
			port->reason
		);
	if (port->conn && !vhost_conn_is_gone(port->conn))
		return err_set(
			err,
			-EBUSY,
			"cannot attach to port '%s': it has a living connection",
			port->spec.name
		);
	attach_close(sw, port); // A peer that hung up and was not noticed yet.
	return 0;
}

static struct vhost_conn_config make_config(struct port *port)
{
	return (struct vhost_conn_config){
		.queue_pairs = port->spec.queues,
		.mtu = (uint16_t)port->network->spec.mtu,
		.offloads = !port->spec.no_offloads,
		.state = &port->saved->vhost,
	};
}

static int watch_connection(struct switch_state *sw, struct port *port, struct rwy_err *err)
{
	port->source = loop_add_fd(
		sw->loop, vhost_conn_fd(port->conn), vhost_conn_events(port->conn), on_ready, port
	);
	if (port->source)
		return 0;
	int r = -errno;
	close_connection(port);
	return err_set(err, r, "cannot attach to port '%s': %s", port->spec.name, strerror(-r));
}

int attach_connection(struct switch_state *sw, struct port *port, int fd, struct rwy_err *err)
{
	const struct vhost_conn_config config = make_config(port);
	int r = check_free(sw, port, err);
	if (r) {
		(void)close(fd); // Refused; its peer sees the end.
		return r;
	}
	port->conn = vhost_conn_new(fd, &config, &attach_ops, port);
	if (!port->conn)
		return err_set(
			err,
			-errno,
			"cannot attach to port '%s': %s",
			port->spec.name,
			strerror(errno)
		);
	r = watch_connection(sw, port, err);
	if (r == 0)
		set_state(sw, port, WIRE_PORT_CONNECTED, "");
	return r;
}

static void close_all(int fd, const struct vhost_kept *kept, uint32_t count)
{
	(void)close(fd); // Refused; its peer sees the end.
	for (uint32_t i = 0; i < count; i++)
		(void)close(kept[i].fd); // The same.
}

int attach_restore(
	struct switch_state *sw,
	struct port *port,
	int fd,
	const struct vhost_kept *kept,
	uint32_t count,
	struct rwy_err *err
)
{
	const struct vhost_conn_config config = make_config(port);
	int r = check_free(sw, port, err);
	if (r) {
		close_all(fd, kept, count);
		return r;
	}
	board_note(&sw->board->control, port->spec.port);
	port->conn = vhost_conn_restore(fd, &config, &attach_ops, port, kept, count, err);
	board_note(&sw->board->control, 0);
	if (!port->conn)
		return err_prefix(
			err, "cannot restore port '%s': ", port->spec.name
		); // Never without err.
	port->restored = true;
	r = watch_connection(sw, port, err);
	if (r == 0)
		port->state = WIRE_PORT_CONNECTED; // ringwayd knows.
	if (r == 0 && sw->running) {
		attach_go(sw, port);
		attach_look(port);
	}
	return r;
}

void attach_go(struct switch_state *sw, struct port *port)
{
	if (!port->restored) { // This switch had it all the time.
		on_resume(port);
		return;
	}
	port->restored = false;
	board_note(&sw->board->control, port->spec.port);
	vhost_conn_go(port->conn);
	board_note(&sw->board->control, 0);
}

void attach_check_faults(struct switch_state *sw)
{
	if (sw->frozen)
		return; // The next switch finds them, too.
	for (struct port *port = sw->ports; port; port = port->next) {
		const char *reason = find_fault(port);
		if (reason && port->state != WIRE_PORT_QUARANTINED)
			attach_quarantine(sw, port, reason);
	}
}
