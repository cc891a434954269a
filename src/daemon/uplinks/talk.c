// SPDX-License-Identifier: BSD-3-Clause
// What is said to an uplink's process, and what it answers. The uplinks' thread, under the lock.
#include "base/log.h"
#include "daemon/uplinks/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_text(char *text, size_t size, const char *value)
{
	(void)snprintf(text, size, "%s", value); // A cut reason still says the most.
}

static void set_state(struct uplink_join *join, enum uplink_state state, const char *reason)
{
	join->state = state;
	set_text(join->reason, sizeof(join->reason), reason);
}

// 0: it could not be sent; the connection's end shows why.
static uint32_t send_request(struct uplink_device *device, struct uplink_msg *msg)
{
	struct rwy_err err = {0};
	device->next_id = device->next_id % INT32_MAX + 1;
	msg->id = device->next_id;
	if (!uplink_send(device->conn, msg, &err))
		return msg->id;
	log_err(&err, "uplink '%s'", device->args);
	(void)shutdown(device->conn, SHUT_RDWR); // The loop sees it and goes on from there.
	return 0;
}

int talk_greet(struct uplink_device *device)
{
	struct uplink_msg msg = {.op = UPLINK_HELLO};
	msg.args.hello.version = UPLINK_WIRE_VERSION;
	msg.args.hello.pid = (uint32_t)getpid();
	set_text(
		msg.args.hello.program, sizeof(msg.args.hello.program), "ringwayd " RINGWAY_VERSION
	);
	return send_request(device, &msg) ? 0 : -EPIPE;
}

void talk_ask(struct uplink_device *device)
{
	struct uplink_msg msg = {.op = UPLINK_STATE};
	if (device->asked)
		return;
	device->asked = send_request(device, &msg) != 0;
	device->wanted = false;
}

void talk_stop(struct uplink_device *device)
{
	struct uplink_msg msg = {.op = UPLINK_STOP};
	(void)send_request(device, &msg); // Logged.
	device->ending = true;
}

static bool is_same(const struct uplink_port_msg *has, const struct uplink_port *wants)
{
	return has->port == wants->id && has->vlan == wants->vlan && has->mtu == wants->mtu &&
		memcmp(has->mac, wants->mac, MAC_SIZE) == 0 &&
		strcmp(has->socket, wants->socket) == 0;
}

static struct uplink_join *find_join(const struct uplink_device *device, uint32_t id)
{
	struct uplink_join *join;
	TAILQ_FOREACH (join, &device->uplinks->joins, entry)
		if (join->device == device && join->port.id == id)
			return join;
	return NULL;
}

static void remove_told(struct uplink_device *device, uint32_t index)
{
	struct uplink_state_msg *told = &device->told;
	struct uplink_msg msg = {.op = UPLINK_PORT_DEL};
	msg.args.ref.port = told->ports[index].spec.port;
	told->port_count--;
	memmove(&told->ports[index],
		&told->ports[index + 1],
		(told->port_count - index) * sizeof(told->ports[0]));
	(void)send_request(device, &msg); // Logged.
	device->deleting++;
}

static void add(struct uplink_device *device, struct uplink_join *join)
{
	const struct uplink_port *port = &join->port;
	struct uplink_msg msg = {.op = UPLINK_PORT_ADD};
	struct uplink_port_msg *to = &msg.args.port;
	to->port = port->id;
	to->vlan = port->vlan;
	to->mtu = port->mtu;
	memcpy(to->mac, port->mac, sizeof(to->mac));
	set_text(to->socket, sizeof(to->socket), port->socket);
	join->add_id = send_request(device, &msg);
}

static bool is_told(const struct uplink_device *device, const struct uplink_join *join)
{
	for (uint32_t i = 0; i < device->told.port_count; i++)
		if (is_same(&device->told.ports[i].spec, &join->port))
			return true;
	return false;
}

void talk_sync(struct uplink_device *device)
{
	struct uplink_join *join;
	if (device->asked)
		return; // Its answer leads here again.
	for (uint32_t i = device->told.port_count; i-- > 0;) {
		const struct uplink_port_msg *has = &device->told.ports[i].spec;
		join = find_join(device, has->port);
		// Before settling, who is not attached may still be.
		if (join ? !is_same(has, &join->port) : device->uplinks->settled)
			remove_told(device, i);
	}
	TAILQ_FOREACH (join, &device->uplinks->joins, entry)
		if (join->device == device && !join->add_id && join->state != UPLINK_FAILED &&
		    !is_told(device, join))
			add(device, join);
}

static void take_state(struct uplink_device *device, const struct uplink_state_msg *state)
{
	device->told = *state;
	device->told_ms = uplinks_now_ms();
	for (uint32_t i = 0; i < state->port_count; i++) {
		const struct uplink_port_state *port = &state->ports[i];
		struct uplink_join *join = find_join(device, port->spec.port);
		if (join && is_same(&port->spec, &join->port))
			set_state(
				join, port->joined ? UPLINK_RUNNING : UPLINK_STARTING, port->reason
			);
	}
}

static void take_added(struct uplink_device *device, const struct uplink_msg *msg)
{
	struct uplink_join *join;
	TAILQ_FOREACH (join, &device->uplinks->joins, entry)
		if (join->device == device && join->add_id == msg->id)
			break;
	if (!join)
		return; // It was detached meanwhile.
	join->add_id = 0;
	if (!msg->error.code)
		return;
	set_state(join, UPLINK_FAILED, msg->error.msg);
	log_err(&msg->error, "uplink '%s'", device->args);
}

static int take_hello(struct uplink_device *device, const struct uplink_msg *msg)
{
	if (msg->error.code) {
		set_text(device->reason, sizeof(device->reason), msg->error.msg);
		return -ECONNABORTED;
	}
	if (msg->args.hello.version != UPLINK_WIRE_VERSION) {
		set_text(
			device->reason, sizeof(device->reason), "the uplink speaks another version"
		);
		return -EPROTO;
	}
	struct uplink_join *join;
	device->state = PROCESS_READY;
	device->reason[0] = '\0';
	device->pid = (pid_t)msg->args.hello.pid;
	TAILQ_FOREACH (join, &device->uplinks->joins, entry)
		if (join->device == device)
			set_state(join, UPLINK_STARTING, "");
	talk_ask(device);
	return 0;
}

static int take(struct uplink_device *device, const struct uplink_msg *msg)
{
	if (msg->op == UPLINK_HELLO && msg->is_reply)
		return take_hello(device, msg);
	if (msg->op == UPLINK_STATE && !msg->error.code) {
		if (msg->is_reply)
			device->asked = false;
		take_state(device, &msg->args.state);
		talk_sync(device);
	} else if (msg->op == UPLINK_PORT_ADD) {
		take_added(device, msg);
		talk_ask(device);
	} else if (msg->op == UPLINK_PORT_DEL) {
		device->deleting -= device->deleting > 0;
		if (msg->error.code && msg->error.code != -ENOENT)
			log_err(&msg->error, "uplink '%s'", device->args);
	}
	return 0;
}

int talk_read(struct uplink_device *device)
{
	static struct uplink_msg msg; // One thread.
	struct rwy_err err = {0};
	int r = uplink_recv(device->conn, true, MSG_DONTWAIT, &msg, &err);
	if (r == -EAGAIN)
		return 0;
	if (!r)
		r = take(device, &msg);
	else if (r != -EPIPE)
		log_err(&err, "uplink '%s'", device->args);
	pthread_cond_broadcast(&device->uplinks->changed);
	return r;
}

void talk_lost(struct uplink_device *device, const char *reason)
{
	struct uplink_join *join;
	device->asked = false;
	device->deleting = 0;
	memset(&device->told, 0, sizeof(device->told));
	TAILQ_FOREACH (join, &device->uplinks->joins, entry) {
		if (join->device != device)
			continue;
		join->add_id = 0;
		set_state(join, reason[0] ? UPLINK_FAILED : UPLINK_STARTING, reason);
	}
	pthread_cond_broadcast(&device->uplinks->changed);
}
