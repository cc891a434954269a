// SPDX-License-Identifier: BSD-3-Clause
// Requests to the switch and what it says unasked. Any thread that holds the lock; supervise.c
// runs the switch's life on the main thread.
#include "base/fields.h"
#include "daemon/switchlink/internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

uint64_t link_now_ms(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // Cannot fail for this clock.
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool link_is_ready(const struct link *link)
{
	return link->state == LINK_READY;
}

uint32_t link_pid(const struct link *link)
{
	return link->pid;
}

bool link_take_doubt(struct link *link)
{
	bool doubt = link->doubt;
	link->doubt = false;
	return doubt;
}

static int unavailable(struct rwy_err *err, const char *why)
{
	err_set(err, -EAGAIN, "the switch does not answer: %s", why);
	err_hint(err, "it is being started anew; try again in a moment, or read ringwayd's log");
	return -EAGAIN;
}

int link_wait(struct link *link, int timeout_ms, struct rwy_err *err)
{
	struct timespec until = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &until); // Cannot fail for this clock.
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	while (link->state != LINK_READY)
		if (pthread_cond_timedwait(&link->ready_cond, link->config.lock, &until))
			return unavailable(err, "none is running");
	return 0;
}

struct wire_msg *link_msg(struct link *link, enum wire_op op)
{
	memset(&link->request, 0, sizeof(link->request));
	link->request.op = op;
	return &link->request;
}

void link_break(struct link *link)
{
	// The main thread's loop sees the end of the socket and goes on from there.
	if (link->sock >= 0)
		(void)shutdown(link->sock, SHUT_RDWR); // Fails when the peer did it already.
}

int link_post(struct link *link, struct wire_msg *msg)
{
	link->next_id = link->next_id % INT32_MAX + 1;
	msg->id = link->next_id;
	msg->is_reply = false;
	int r = wire_send(link->sock, msg, NULL);
	if (r == -EPIPE || r == -EAGAIN)
		link_break(link);
	return r;
}

static void take_pong(struct link *link, const struct wire_pong *pong)
{
	if (pong->asleep || pong->turns != link->turns)
		link->alive = true;
	link->turns = pong->turns;
}

void link_dispatch(struct link *link, struct wire_msg *msg)
{
	if (msg->op == WIRE_PORT_EVENT)
		link->config.ops->port_event(link->config.arg, &msg->args.event);
	else if (msg->op == WIRE_PING && !msg->error.code)
		take_pong(link, &msg->args.pong);
	// The rest are replies to requests that were given up: their fate is in doubt already.
	wire_msg_close_fds(msg);
}

// Waits for the reply to `id`; whatever else comes is handled on the way.
static int await_reply(struct link *link, uint32_t id, struct wire_msg *ret_reply)
{
	uint64_t until = link_now_ms() + LINK_REQUEST_MS;
	for (;;) {
		uint64_t now = link_now_ms();
		struct pollfd wait = {.fd = link->sock, .events = POLLIN};
		if (now >= until)
			return -ETIMEDOUT;
		if (poll(&wait, 1, (int)(until - now)) < 0 && errno != EINTR)
			return -errno;
		int r = wire_recv(link->sock, true, MSG_DONTWAIT, &link->incoming, NULL);
		if (r == -EAGAIN)
			continue;
		if (r)
			return r;
		if (link->incoming.is_reply && link->incoming.id == id) {
			*ret_reply = link->incoming;
			link->incoming.fd_count = 0; // They moved.
			return 0;
		}
		link_dispatch(link, &link->incoming);
	}
}

int link_request(struct link *link, struct wire_msg *msg, struct rwy_err *err)
{
	if (link->state != LINK_READY)
		return unavailable(err, "none is running");
	int r = link_post(link, msg);
	if (r == -EINVAL || r == -EPROTO || r == -EMSGSIZE || r == -ENOMEM)
		return err_set(err, -EINVAL, "the switch cannot be asked this");
	if (!r)
		r = await_reply(link, msg->id, msg);
	if (r) {
		link->doubt = true;
		if (r != -ETIMEDOUT)
			link_break(link);
		return unavailable(err, r == -ETIMEDOUT ? "it takes too long" : "it ended");
	}
	if (!msg->error.code)
		return 0;
	wire_msg_close_fds(msg);
	if (err)
		*err = msg->error;
	return msg->error.code;
}

void link_describe(const struct link *link, json_t *object)
{
	static const char *const text[LINK_STATE_COUNT] = {"stopped", "starting", "running"};
	json_t *entry = json_pack(
		"{s:s, s:I}",
		"state",
		text[link->state],
		"restarts",
		(json_int_t)(link->starts ? link->starts - 1 : 0)
	);
	// Out of memory shows as a missing member.
	if (link->state == LINK_READY) {
		(void)json_object_set_new(entry, "pid", json_integer(link->pid));
		(void)json_object_set_new(entry, "program", json_string(link->program));
	}
	(void)json_object_set_new(object, "switch", entry);
}
