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

uint64_t link_now_us(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // Cannot fail for this clock.
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool link_is_ready(const struct link *link)
{
	return link->active->state == PEER_READY && link->active->started;
}

uint32_t link_pid(const struct link *link)
{
	return link->active->pid;
}

const struct wire_hello *link_hello(const struct link *link)
{
	return &link->target->hello;
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
	while (!link_is_ready(link))
		if (pthread_cond_timedwait(&link->ready_cond, link->config.lock, &until))
			return unavailable(err, "none is running");
	return 0;
}

struct wire_msg *link_msg(struct link *link, enum wire_op op)
{
	wire_msg_init(&link->request, op, false);
	return &link->request;
}

// The main thread's loop sees the end of the socket and goes on from there.
static void break_off(const struct peer *peer)
{
	if (peer->sock >= 0)
		(void)shutdown(peer->sock, SHUT_RDWR); // Fails when the peer did it already.
}

int link_post(struct peer *peer, struct wire_msg *msg)
{
	struct link *link = peer->link;
	link->next_id = link->next_id % INT32_MAX + 1;
	msg->id = link->next_id;
	msg->is_reply = false;
	int r = wire_send(peer->sock, msg, NULL);
	if (r == -EPIPE || r == -EAGAIN)
		break_off(peer);
	return r;
}

static void take_pong(struct peer *peer, const struct wire_pong *pong)
{
	// A spare's workers have nothing to do.
	if (pong->asleep || pong->turns != peer->turns || !peer->started)
		peer->alive = true;
	peer->turns = pong->turns;
}

// Whether msg is an answer that link_queue() waits for.
static bool take_answer(struct link *link, struct wire_msg *msg)
{
	for (uint32_t i = 0; i < LINK_FLIGHT_MAX && msg->is_reply; i++) {
		struct flight *flight = &link->flights[i];
		if (flight->id != msg->id)
			continue;
		flight->id = 0;
		link->flying--;
		flight->answer(flight->arg, flight->ref, msg);
		return true;
	}
	return false;
}

void link_ground(struct link *link)
{
	memset(link->flights, 0, sizeof(link->flights));
	link->flying = 0;
}

void link_dispatch(struct peer *peer, struct wire_msg *msg)
{
	struct link *link = peer->link;
	// What a spare, or a switch that has let go, says is of no interest.
	bool counts = peer == link->active || peer == link->target;
	if (msg->op == WIRE_PORT_EVENT && counts)
		link->config.ops->port_event(link->config.arg, &msg->args.event);
	else if ((msg->op == WIRE_KEEP || msg->op == WIRE_DROP) && counts)
		link->config.ops->kept(link->config.arg, msg);
	else if (msg->op == WIRE_PING && !msg->error.code)
		take_pong(peer, &msg->args.pong);
	else if (peer == link->target)
		(void)take_answer(link, msg);
	// The rest are replies to requests that were given up: their fate is in doubt already.
	wire_msg_close_fds(msg);
}

// Receives one message from peer: -EAGAIN when there was none, and the wait was interrupted or its events were of others.
static int await_message(struct peer *peer, uint64_t until)
{
	uint64_t now = link_now_ms();
	struct pollfd wait = {.fd = peer->sock, .events = POLLIN};
	if (now >= until)
		return -ETIMEDOUT;
	if (poll(&wait, 1, (int)(until - now)) < 0 && errno != EINTR)
		return -errno;
	return wire_recv(peer->sock, true, MSG_DONTWAIT, &peer->link->incoming, NULL);
}

// Waits for the reply to `id`; whatever else comes is handled on the way.
static int await_reply(struct peer *peer, uint32_t id, struct wire_msg *ret_reply)
{
	struct link *link = peer->link;
	uint64_t until = link_now_ms() + LINK_REQUEST_MS;
	for (;;) {
		int r = await_message(peer, until);
		if (r == -EAGAIN)
			continue;
		if (r)
			return r;
		if (link->incoming.is_reply && link->incoming.id == id) {
			wire_msg_move(ret_reply, &link->incoming);
			return 0;
		}
		link_dispatch(peer, &link->incoming);
	}
}

// The request's fate is not known.
static int in_doubt(struct peer *peer, int r, struct rwy_err *err)
{
	peer->link->doubt = true;
	if (r != -ETIMEDOUT)
		break_off(peer);
	return unavailable(err, r == -ETIMEDOUT ? "it takes too long" : "it ended");
}

// Nothing was sent.
static bool is_unsendable(int r)
{
	return r == -EINVAL || r == -EPROTO || r == -EMSGSIZE || r == -ENOMEM;
}

int link_ask(struct link *link, struct peer *peer, struct wire_msg *msg, struct rwy_err *err)
{
	if (peer->state != PEER_READY)
		return unavailable(err, "none is running");
	int r = link_post(peer, msg);
	if (is_unsendable(r))
		return err_set(err, -EINVAL, "the switch cannot be asked this");
	if (!r)
		r = await_reply(peer, msg->id, msg);
	if (r)
		return in_doubt(peer, r, err);
	if (!msg->error.code)
		return 0;
	wire_msg_close_fds(msg);
	if (err)
		*err = msg->error;
	return msg->error.code;
}

int link_request(struct link *link, struct wire_msg *msg, struct rwy_err *err)
{
	return link_ask(link, link->target, msg, err);
}

// Takes one message, an answer or something else.
static int take_one(struct link *link, struct rwy_err *err)
{
	int r;
	uint64_t until = link_now_ms() + LINK_REQUEST_MS;
	do
		r = await_message(link->target, until);
	while (r == -EAGAIN);
	if (!r) {
		link_dispatch(link->target, &link->incoming);
		return 0;
	}
	link_ground(link);
	return in_doubt(link->target, r, err);
}

int link_queue(
	struct link *link,
	struct wire_msg *msg,
	link_answer *answer,
	void *arg,
	uint32_t ref
)
{
	struct peer *peer = link->target;
	uint32_t place = 0;
	int r = 0;
	if (peer->state != PEER_READY)
		return -EAGAIN;
	while (link->flying == LINK_FLIGHT_MAX && !r)
		r = take_one(link, NULL);
	while (!r && link->flights[place].id)
		place++;
	if (!r)
		r = link_post(peer, msg);
	if (is_unsendable(r)) {
		err_set(&msg->error, -EINVAL, "the switch cannot be told this");
		answer(arg, ref, msg);
		return 0;
	}
	if (r) {
		link_ground(link);
		return r == -EAGAIN ? r : in_doubt(peer, r, NULL);
	}
	link->flights[place] =
		(struct flight){.id = msg->id, .ref = ref, .answer = answer, .arg = arg};
	link->flying++;
	return 0;
}

int link_settle(struct link *link, struct rwy_err *err)
{
	int r = 0;
	while (link->flying && !r)
		r = take_one(link, err);
	return r;
}

void link_get(const struct link *link, struct link_info *ret_info)
{
	const struct peer *active = link->active;
	const char *state = "stopped";
	if (link_is_ready(link))
		state = "running";
	else if (!peer_is_free(active) || link->spare->state == PEER_GREETING)
		state = "starting";
	*ret_info = (struct link_info){
		.state = state,
		.pid = link_is_ready(link) ? active->pid : 0,
		.spare_pid = link->spare->state == PEER_READY ? link->spare->pid : 0,
		.spare_wanted = !link->config.no_spare,
		.path = link->binary.path,
		.restarts = link->restarts,
		.handovers = link->handovers,
		.last_gap_us = link->last_gap_us,
	};
	if (link_is_ready(link))
		(void)memcpy(ret_info->program, active->hello.program, sizeof(ret_info->program));
}

void link_describe(const struct link *link, json_t *object)
{
	struct link_info info;
	link_get(link, &info);
	json_t *entry =
		json_pack("{s:s, s:I}", "state", info.state, "restarts", (json_int_t)info.restarts);
	// Out of memory shows as a missing member.
	if (link_is_ready(link)) {
		(void)json_object_set_new(entry, "pid", json_integer(info.pid));
		(void)json_object_set_new(entry, "program", json_string(info.program));
	}
	(void)json_object_set_new(object, "switch", entry);
}
