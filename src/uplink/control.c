// SPDX-License-Identifier: BSD-3-Clause
// The control socket, ports that come and go, and what the device tells. Control thread; worker.h says how the worker
// learns of changes.
#include "uplink/control.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RETRY_FIRST_MS 50
#define RETRY_LAST_MS 1000
#define REPORT_MS 1000
#define LOSS_MS 1000 // Who removes the port says so sooner.

static void init_view(struct view *view)
{
	memset(view, 0, sizeof(*view));
	vlans_clear(&view->vlans);
	for (uint32_t i = 0; i < UPLINK_PORTS_MAX; i++)
		view->ports[i].id = PORT_NO_ETHDEV;
}

// Makes the worker see what is in ports now.
static void publish(struct control *c)
{
	struct view *view = &c->views[!c->view_index];
	init_view(view);
	for (uint32_t i = 0; i < UPLINK_PORTS_MAX; i++) {
		struct port *port = &c->ports[i];
		if (!c->used[i])
			continue;
		view->vlans.port_of[port->spec.vlan] = (uint8_t)i;
		view->ports[i] = (struct view_port){
			.port = port,
			.id = c->lost[i] ? PORT_NO_ETHDEV : port->id,
			.vlan = port->spec.vlan,
			.call_fd = port->call_fd,
			// Networks of containers that use tags of their own.
			.size_max = port->spec.mtu + FRAME_ETH_SIZE + FRAME_TAG_SIZE,
			.checksums = port->checksums,
		};
	}
	worker_set_view(c->worker, view);
	c->view_index = !c->view_index;
}

static void fill_drops(const uint64_t *counters, struct uplink_drop_msg *drops, uint32_t *ret_count)
{
	uint32_t count = 0;
	for (uint32_t reason = 0; reason < UPLINK_DROP_COUNT && count < UPLINK_WIRE_DROPS;
	     reason++) {
		uint64_t frames = worker_read(&counters[reason]);
		if (frames)
			drops[count++] = (struct uplink_drop_msg){reason, frames};
	}
	*ret_count = count;
}

static void fill_port(const struct port *port, bool joined, struct uplink_port_state *ret)
{
	const struct port_counters *from = &port->counters;
	*ret = (struct uplink_port_state){
		.spec = port->spec,
		.joined = joined,
		.rx_frames = worker_read(&from->rx_frames),
		.rx_bytes = worker_read(&from->rx_bytes),
		.tx_frames = worker_read(&from->tx_frames),
		.tx_bytes = worker_read(&from->tx_bytes),
	};
	memcpy(ret->reason, port->reason, sizeof(ret->reason));
	fill_drops(from->drops, ret->drops, &ret->drop_count);
}

static void fill_state(struct control *c, struct uplink_state_msg *ret)
{
	uint64_t drops[UPLINK_DROP_COUNT];
	memset(ret, 0, sizeof(*ret));
	for (uint32_t reason = 0; reason < UPLINK_DROP_COUNT; reason++)
		drops[reason] = worker_read(&c->worker->drops[reason]);
	device_read_losses(c->device, &drops[UPLINK_DROP_MISSED], &drops[UPLINK_DROP_DEVICE_ERROR]);
	memcpy(ret->driver, c->device->driver, sizeof(ret->driver));
	device_read_link(c->device, &ret->link, &ret->mbps);
	ret->mtu = c->device->mtu;
	fill_drops(drops, ret->drops, &ret->drop_count);
	for (uint32_t i = 0; i < UPLINK_PORTS_MAX; i++)
		if (c->used[i])
			fill_port(
				&c->ports[i],
				c->ports[i].id != PORT_NO_ETHDEV && !c->lost[i],
				&ret->ports[ret->port_count++]
			);
}

static void close_conn(struct control *c)
{
	loop_remove(c->conn_source);
	c->conn_source = NULL;
	fd_close(&c->conn);
}

static void send_msg(struct control *c, const struct uplink_msg *msg)
{
	// A ringwayd that does not read is left alone: it asks again when it is back.
	if (c->conn >= 0 && uplink_send(c->conn, msg, NULL) == -EPIPE)
		close_conn(c);
}

static void tell_state(struct control *c)
{
	static struct uplink_msg msg; // One thread.
	msg = (struct uplink_msg){.op = UPLINK_STATE};
	fill_state(c, &msg.args.state);
	send_msg(c, &msg);
}

static uint64_t now_ms(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // Cannot fail for this clock.
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void retry_soon(struct control *c, uint32_t after_ms)
{
	(void)loop_set_timer(c->retry, after_ms, 0); // Cannot fail: a timerfd and a valid time.
}

// The switch closed the connection, which on_retry() logs when nobody removed the port. virtio-user's own thread sees that too and is let finish first.
static void on_port_socket(void *arg, uint32_t events)
{
	struct control *c = arg;
	for (uint32_t i = 0; i < UPLINK_PORTS_MAX; i++) {
		struct pollfd state = {.fd = c->ports[i].socket, .events = POLLRDHUP};
		if (!c->port_sources[i] || poll(&state, 1, 0) <= 0)
			continue;
		loop_remove(c->port_sources[i]);
		c->port_sources[i] = NULL;
		c->lost[i] = true;
		(void)snprintf( // It fits.
			c->ports[i].reason,
			sizeof(c->ports[i].reason),
			"the switch closed the connection"
		);
		c->lost_ms[i] = now_ms();
	}
	publish(c);
	c->retry_ms = RETRY_FIRST_MS;
	retry_soon(c, c->retry_ms);
	tell_state(c);
}

static int join(struct control *c, uint32_t slot, struct rwy_err *err)
{
	struct port *port = &c->ports[slot];
	int r = port_join(port, c->device, err);
	if (r)
		return r;
	c->port_sources[slot] = loop_add_fd(c->loop, port->socket, EPOLLRDHUP, on_port_socket, c);
	if (!c->port_sources[slot]) {
		port_leave(port);
		return err_set(err, -ENOMEM, "cannot watch '%s'", port->spec.socket);
	}
	log_info("VLAN %u: joined by '%s'", port->spec.vlan, port->spec.socket);
	return 0;
}

static void log_loss(struct control *c, uint32_t slot, bool joined)
{
	uint64_t ms = now_ms() - c->lost_ms[slot];
	if (!c->lost_ms[slot] || (!joined && ms < LOSS_MS))
		return;
	c->lost_ms[slot] = 0;
	if (joined)
		log_warn(
			"VLAN %u: the switch closed the connection; joined again after %llu ms",
			c->ports[slot].spec.vlan,
			(unsigned long long)ms
		);
	else
		log_warn(
			"VLAN %u: the switch closed the connection; since then: %s",
			c->ports[slot].spec.vlan,
			c->ports[slot].reason
		);
}

static void on_retry(void *arg)
{
	struct control *c = arg;
	bool changed = false;
	bool waiting = false;
	for (uint32_t i = 0; i < UPLINK_PORTS_MAX; i++) {
		if (!c->used[i] || (c->ports[i].id != PORT_NO_ETHDEV && !c->lost[i]))
			continue;
		if (c->lost[i])
			port_leave(&c->ports[i]); // The worker let go of it when it was lost.
		c->lost[i] = false;
		bool joined = join(c, i, NULL) == 0;
		log_loss(c, i, joined);
		changed |= joined;
		waiting |= !joined;
	}
	if (changed)
		publish(c);
	if (waiting)
		retry_soon(c, c->retry_ms);
	c->retry_ms = c->retry_ms * 2 < RETRY_LAST_MS ? c->retry_ms * 2 : RETRY_LAST_MS;
	if (changed)
		tell_state(c);
}

static int find_slot(const struct control *c, uint32_t id)
{
	for (int i = 0; i < UPLINK_PORTS_MAX; i++)
		if (c->used[i] && c->ports[i].spec.port == id)
			return i;
	return -1;
}

static int add_port(struct control *c, const struct uplink_port_msg *spec, struct rwy_err *err)
{
	int slot = -1;
	if (spec->vlan >= FRAME_VLAN_MASK || spec->mtu < 68 || spec->mtu > 65521 - FRAME_HEAD_SIZE)
		return err_set(
			err,
			-EINVAL,
			"cannot add port %u: VLAN %u, MTU %u",
			spec->port,
			spec->vlan,
			spec->mtu
		);
	for (int i = UPLINK_PORTS_MAX - 1; i >= 0; i--) {
		if (!c->used[i])
			slot = i;
		else if (c->ports[i].spec.port == spec->port || c->ports[i].spec.vlan == spec->vlan)
			return err_set(
				err,
				-EEXIST,
				"cannot add port %u: VLAN %u has port %u",
				spec->port,
				spec->vlan,
				c->ports[i].spec.port
			);
	}
	if (slot < 0)
		return err_set(
			err,
			-ENOSPC,
			"cannot add port %u: a device serves %d VLANs",
			spec->port,
			UPLINK_PORTS_MAX
		);
	c->ports[slot] = (struct port
	){.spec = *spec, .slot = (uint32_t)slot, .id = PORT_NO_ETHDEV, .socket = -1, .call_fd = -1};
	if (spec->mtu > c->device->mtu)
		log_warn(
			"VLAN %u has MTU %u, the device has %u: longer frames are dropped",
			spec->vlan,
			spec->mtu,
			c->device->mtu
		);
	c->used[slot] = true;
	if (join(c, (uint32_t)slot, NULL)) { // It is tried again; the state says why.
		log_warn("VLAN %u: %s", spec->vlan, c->ports[slot].reason);
		c->retry_ms = RETRY_FIRST_MS;
		retry_soon(c, c->retry_ms);
	}
	publish(c);
	return 0;
}

static int remove_port(struct control *c, uint32_t id, struct rwy_err *err)
{
	int slot = find_slot(c, id);
	if (slot < 0)
		return err_set(err, -ENOENT, "there is no port %u", id);
	c->used[slot] = c->lost[slot] = false;
	c->lost_ms[slot] = 0;
	publish(c); // The worker lets go.
	loop_remove(c->port_sources[slot]);
	c->port_sources[slot] = NULL;
	if (c->ports[slot].id != PORT_NO_ETHDEV)
		port_leave(&c->ports[slot]);
	log_info("VLAN %u: left", c->ports[slot].spec.vlan);
	return 0;
}

static int greet(const struct uplink_hello *hello, struct uplink_hello *ret, struct rwy_err *err)
{
	if (hello->version != UPLINK_WIRE_VERSION)
		return err_set(
			err,
			-EPROTO,
			"version %u of the control protocol is not %d",
			hello->version,
			UPLINK_WIRE_VERSION
		);
	*ret = (struct uplink_hello){
		.version = UPLINK_WIRE_VERSION,
		.program = "ringway-uplink " RINGWAY_VERSION,
		.pid = (uint32_t)getpid(),
	};
	return 0;
}

static void handle(struct control *c, struct uplink_msg *msg)
{
	struct rwy_err *err = &msg->error;
	msg->is_reply = true;
	switch (msg->op) {
	case UPLINK_HELLO:
		(void)greet(&msg->args.hello, &msg->args.hello, err); // The reply has the error.
		break;
	case UPLINK_STATE:
		fill_state(c, &msg->args.state);
		break;
	case UPLINK_PORT_ADD:
		(void)add_port(c, &msg->args.port, err); // The reply has the error.
		break;
	case UPLINK_PORT_DEL:
		(void)remove_port(c, msg->args.ref.port, err); // The reply has the error.
		break;
	case UPLINK_STOP:
		loop_stop(c->loop);
		break;
	case UPLINK_OP_COUNT:
		return;
	}
	send_msg(c, msg);
}

static void on_conn(void *arg, uint32_t events)
{
	static struct uplink_msg msg; // One thread.
	struct rwy_err err = {0};
	struct control *c = arg;
	int r = uplink_recv(c->conn, false, MSG_DONTWAIT, &msg, &err);
	if (r == -EAGAIN)
		return;
	if (r) {
		if (r != -EPIPE)
			log_err(&err, "ringwayd's connection");
		close_conn(c);
		return;
	}
	handle(c, &msg);
}

// Only the owner of this process, or root, may ask.
static bool is_allowed(int sock)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
		(who.uid == 0 || who.uid == geteuid());
}

static void on_listen(void *arg, uint32_t events)
{
	struct control *c = arg;
	_cleanup_close_ int sock = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (sock < 0 || !is_allowed(sock))
		return;
	close_conn(c); // The newest ringwayd is the living one.
	c->conn = fd_take(&sock);
	c->conn_source = loop_add_fd(c->loop, c->conn, EPOLLIN, on_conn, c);
	if (!c->conn_source)
		close_conn(c);
}

static void on_iface(void *arg, bool gone)
{
	struct control *c = arg;
	if (gone) {
		log_error("interface '%s' is gone: the uplink ends", c->device->iface.name);
		c->gone = true;
		loop_stop(c->loop);
		return;
	}
	log_info("'%s' is %s", c->device->iface.name, c->device->iface.up ? "up" : "down");
	tell_state(c);
}

int control_start(struct control *control, struct rwy_err *err)
{
	struct control *c = control;
	c->conn = -1;
	c->retry_ms = RETRY_FIRST_MS;
	init_view(&c->views[0]);
	c->retry = loop_add_timer(c->loop, 0, 0, on_retry, c);
	if (!c->retry || !loop_add_fd(c->loop, c->listen_fd, EPOLLIN, on_listen, c))
		return err_set(err, -errno, "cannot serve the control socket: %s", strerror(errno));
	return iface_watch(&c->device->iface, c->loop, on_iface, c, err);
}

void control_stop(struct control *control)
{
	struct control *c = control;
	for (uint32_t i = 0; i < UPLINK_PORTS_MAX; i++) {
		loop_remove(c->port_sources[i]);
		if (c->used[i] && c->ports[i].id != PORT_NO_ETHDEV)
			port_leave(&c->ports[i]);
	}
	close_conn(c);
}

void control_report_failure(int listen_fd, const struct rwy_err *why)
{
	static struct uplink_msg msg; // One thread.
	struct pollfd wait = {.fd = listen_fd, .events = POLLIN};
	if (poll(&wait, 1, REPORT_MS) <= 0)
		return;
	_cleanup_close_ int sock = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	wait.fd = sock;
	if (sock < 0 || !is_allowed(sock) || poll(&wait, 1, REPORT_MS) <= 0 ||
	    uplink_recv(sock, false, MSG_DONTWAIT, &msg, NULL))
		return;
	msg.is_reply = true;
	msg.error = *why;
	(void)uplink_send(sock, &msg, NULL); // It is in the log too.
}
