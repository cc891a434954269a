// SPDX-License-Identifier: BSD-3-Clause
// The life of the switch that moves frames: found or started, told everything, beaten, ended, followed by the spare or another
// one. Main thread, but for supervise_run() and supervise_listen(); under the lock.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/switchlink/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void retry_later(struct link *link, uint64_t delay_ms)
{
	// Cannot fail with a valid timer; 0 would stop it.
	(void)loop_set_timer(link->retry, delay_ms ? delay_ms : 1, 0);
}

void supervise_back_off(uint64_t *io_delay_ms)
{
	*io_delay_ms = *io_delay_ms ? *io_delay_ms * 2 : LINK_BACKOFF_FIRST_MS;
	if (*io_delay_ms > LINK_BACKOFF_LAST_MS)
		*io_delay_ms = LINK_BACKOFF_LAST_MS;
}

static void swap_active(struct link *link, struct peer **io_peer)
{
	struct peer *peer = *io_peer;
	*io_peer = link->active;
	link->active = link->target = peer;
}

int supervise_listen(struct link *link, struct rwy_err *err)
{
	if (link->listen_fd >= 0)
		return 0;
	// A switch that we found has a socket that may be systemd's, which would start another one there.
	const char *path = link->found ? link->spare_path : link->config.socket_path;
	link->listen_fd = link_listen(path, err);
	return link->listen_fd < 0 ? link->listen_fd : 0;
}

int supervise_run(struct link *link, struct peer *peer, struct rwy_err *err)
{
	// One that somebody else started listens already.
	bool listens = peer->hello.has_listener;
	int r = listens ? 0 : supervise_listen(link, err);
	if (r)
		return r;
	struct wire_msg *msg = link_msg(link, WIRE_START);
	if (!listens)
		msg->fds[msg->fd_count++] = link->listen_fd;
	r = link_ask(link, peer, msg, err);
	if (r)
		return r;
	peer->started = peer->ran = true;
	peer->since_ms = link_now_ms();
	link->found = listens;
	return 0;
}

static void is_ready(struct link *link, bool found)
{
	log_info("%s runs as process %u", link->active->hello.program, link->active->pid);
	link->config.ops->ready(link->config.arg, found);
	pthread_cond_broadcast(&link->ready_cond);
	spare_later(link, link->backoff_ms);
}

static void note_gap(struct link *link)
{
	if (!link->ends)
		return;
	link->restarts++;
	link->ends = 0;
	link->last_gap_us = link_now_us() - link->down_us;
}

// The active peer has greeted, and knows nothing yet.
static void begin(struct link *link)
{
	struct peer *peer = link->active;
	struct rwy_err err = {0};
	int r = peer->prepared ? 0 : link->config.ops->prepare(link->config.arg, &err);
	if (!r)
		r = supervise_run(link, peer, &err);
	if (r) {
		// Its end says the rest.
		log_err(&err, "switch %u cannot begin", peer->pid);
		peer_kill(peer);
		return;
	}
	note_gap(link);
	is_ready(link, false);
}

// A switch that runs already: of an earlier ringwayd, or of systemd.
static void join(struct link *link)
{
	struct peer *peer = link->active;
	struct rwy_err err = {0};
	link->found = true;
	peer->since_ms = link_now_ms();
	// An earlier ringwayd may have ended while it had it let go of its ports for another one. It refuses if that one has them.
	if (link_ask(link, peer, link_msg(link, WIRE_START), &err)) {
		log_err(&err, "switch %u is not taken", peer->pid);
		supervise_hung_up(peer);
		return;
	}
	peer->started = peer->ran = true;
	binary_of_process(link, peer->pid);
	is_ready(link, true);
}

void supervise_greeted(struct peer *peer)
{
	struct link *link = peer->link;
	if (peer == link->spare) {
		spare_greeted(link);
		// It was waited for.
		if (peer->state == PEER_READY && peer_is_free(link->active)) {
			swap_active(link, &link->spare);
			begin(link);
		}
		return;
	}
	if (peer->hello.active)
		join(link);
	else
		begin(link);
}

// Nobody runs. The spare, if it is ready, or on its way; otherwise another one, in a while.
static void go_on(struct link *link)
{
	if (link->spare->state == PEER_READY) {
		swap_active(link, &link->spare);
		begin(link);
	} else if (link->spare->state != PEER_GREETING) {
		retry_later(link, link->backoff_ms);
	}
}

static void active_is_down(struct link *link)
{
	if (!link->active->started)
		return;
	link->down_us = link_now_us();
	link->ends++;
	link->active->started = false;
	link->config.ops->down(link->config.arg);
}

static void active_ended(struct link *link)
{
	struct peer *peer = link->active;
	struct link_end end;
	bool killed = false;
	bool ran = peer->ran; // Its connection may have ended before it.
	peer_drain(peer);
	blame_end(peer, &end, &killed);
	log_warn("%s", end.text);
	uint64_t lived = link_now_ms() - peer->since_ms;
	link_ground(link);
	active_is_down(link);
	if (!ran || lived < (killed ? LINK_QUICK_KILLED_MS : LINK_QUICK_MS))
		supervise_back_off(&link->backoff_ms);
	else
		link->backoff_ms = 0;
	peer_reset(peer);
	link->config.ops->ended(link->config.arg, &end);
	go_on(link);
}

void supervise_ended(struct peer *peer)
{
	struct link *link = peer->link;
	struct link_end end;
	bool killed = false;
	bool asked = peer->state == PEER_ENDING;
	if (peer == link->active) {
		active_ended(link);
		return;
	}
	blame_end(peer, &end, &killed);
	peer_reset(peer);
	if (asked)
		log_info("%s, as it was asked to", end.text);
	pthread_cond_broadcast(&link->ready_cond); // A handover may wait for its place.
	if (peer == link->spare)
		spare_ended(link, asked, end.text);
	// It was waited for.
	if (peer == link->spare && peer_is_free(link->active))
		retry_later(link, link->backoff_ms);
}

void supervise_hung_up(struct peer *peer)
{
	struct link *link = peer->link;
	enum peer_state before = peer->state;
	peer_hang_up(peer);
	if (peer != link->active) {
		if (before == PEER_ENDING)
			peer->state = PEER_ENDING;
		else
			peer_kill(peer); // It is of no use; its end follows.
		return;
	}
	active_is_down(link);
	link_ground(link);
	// Usually its process has ended too, and the pidfd says so in a moment; otherwise it is still there to be connected to.
	retry_later(link, before == PEER_GREETING ? LINK_BACKOFF_LAST_MS : LINK_BACKOFF_FIRST_MS);
}

// The switch that is there already, or -errno: -ECONNREFUSED and -ENOENT: there is none.
static int find_switch(struct link *link)
{
	// With the listening socket in our hands a connect would only reach its backlog.
	if (link->listen_fd >= 0 && link->active->pidfd < 0)
		return -ECONNREFUSED;
	int sock = link_connect(link->spare_path);
	return sock >= 0 ? sock : link_connect(link->config.socket_path);
}

void link_start(struct link *link)
{
	struct rwy_err err = {0};
	struct peer *peer = link->active;
	if (peer->state != PEER_NONE || link->spare->state == PEER_GREETING)
		return;
	int sock = find_switch(link);
	int r = sock < 0 ? sock : peer_greet(peer, sock);
	if ((r == -ECONNREFUSED || r == -ENOENT) && peer->pidfd < 0)
		r = peer_start(peer, &link->binary, &err);
	if (!r)
		return;
	if (!err.code)
		err_set(&err, r, "cannot reach '%s': %s", link->config.socket_path, strerror(-r));
	log_err(&err, "no switch");
	supervise_back_off(&link->backoff_ms);
	retry_later(link, link->backoff_ms);
}

static void on_retry(void *arg)
{
	struct link *link = arg;
	pthread_mutex_lock(link->config.lock);
	link_start(link);
	pthread_mutex_unlock(link->config.lock);
}

static void beat_ready(struct peer *peer)
{
	peer->misses = peer->alive ? 0 : peer->misses + 1;
	peer->alive = false;
	if (peer->misses >= LINK_MISSES_MAX) {
		log_error("switch %u hangs: it is ended", peer->pid);
		peer->hung = true;
		peer_kill(peer);
		return;
	}
	(void)link_post(peer, link_msg(peer->link, WIRE_PING)); // A failure shows as silence.
}

static void beat_greeting(struct peer *peer)
{
	if (++peer->misses < LINK_GREETING_TICKS)
		return;
	log_error("switch %u does not greet", peer->pid);
	peer_kill(peer);
	supervise_hung_up(peer);
}

static void on_beat(void *arg)
{
	struct link *link = arg;
	pthread_mutex_lock(link->config.lock);
	for (size_t i = 0; i < LINK_PEERS; i++) {
		struct peer *peer = &link->peers[i];
		if (peer->state == PEER_READY)
			beat_ready(peer);
		else if (peer->state == PEER_GREETING)
			beat_greeting(peer);
		else if (peer->state == PEER_ENDING && ++peer->misses == LINK_ENDING_TICKS)
			peer_kill(peer);
	}
	pthread_mutex_unlock(link->config.lock);
}

static int make_timers(struct link *link)
{
	struct loop *loop = link->config.loop;
	link->beat = loop_add_timer(loop, LINK_BEAT_MS, LINK_BEAT_MS, on_beat, link);
	link->retry = loop_add_timer(loop, 0, 0, on_retry, link);
	link->spare_timer = loop_add_timer(loop, 0, 0, spare_on_timer, link);
	return link->beat && link->retry && link->spare_timer ? 0 : -ENOMEM;
}

// "/run/ringway/switch.sock": "/run/ringway/switch-spare.sock".
static void make_spare_path(struct link *link)
{
	const char *path = link->config.socket_path;
	size_t size = strlen(path);
	size_t stem = size > 5 && strcmp(path + size - 5, ".sock") == 0 ? size - 5 : size;
	(void)snprintf( // Too long a path could not be bound either.
		link->spare_path,
		sizeof(link->spare_path),
		"%.*s-spare.sock",
		(int)stem,
		path
	);
}

struct link *link_new(const struct link_config *config)
{
	pthread_condattr_t attr;
	struct link *link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->config = *config;
	for (size_t i = 0; i < LINK_PEERS; i++)
		peer_init(&link->peers[i], link);
	link->active = link->target = &link->peers[0];
	link->spare = &link->peers[1];
	link->old = &link->peers[2];
	link->listen_fd = link->binary.fd = link->candidate.fd = -1;
	make_spare_path(link);
	(void)snprintf( // One that is cut is not there.
		link->binary.path,
		sizeof(link->binary.path),
		"%s",
		config->spawn.binary
	);
	// These fail only for want of memory, which the timers would show too.
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&link->ready_cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (make_timers(link)) {
		link_free(link, false);
		errno = ENOMEM;
		return NULL;
	}
	return link;
}

// Asks the switch to end, waits, and makes sure.
static void end_switch_process(struct link *link)
{
	struct rwy_err err = {0};
	bool asked = link_is_ready(link);
	if (asked && link_request(link, link_msg(link, WIRE_STOP), &err)) {
		log_err(&err, "cannot stop switch %u gently", link->active->pid);
		asked = false;
	}
	peer_await_end(link->active, asked ? LINK_REQUEST_MS : 0);
}

// Perhaps it is no child.
static void reap(const struct peer *peer)
{
	siginfo_t info;
	if (peer->pidfd >= 0)
		(void)waitid(P_PIDFD, (id_t)peer->pidfd, &info, WEXITED | WNOHANG);
}

static void remove_socket(const char *path)
{
	if (!link_is_listened(path))
		(void)unlink(path); // May be gone.
}

void link_free(struct link *link, bool end_switch)
{
	if (!link)
		return;
	// One that was never started is of no use to the next ringwayd.
	if (end_switch || (link->active->serial && !link->active->started))
		end_switch_process(link);
	peer_await_end(link->spare, 0);
	peer_await_end(link->old, LINK_REQUEST_MS);
	loop_remove(link->beat);
	loop_remove(link->retry);
	loop_remove(link->spare_timer);
	for (size_t i = 0; i < LINK_PEERS; i++) {
		reap(&link->peers[i]);
		peer_reset(&link->peers[i]);
	}
	fd_close(&link->listen_fd);
	binary_close(&link->binary);
	binary_close(&link->candidate);
	if (end_switch) {
		remove_socket(link->config.socket_path);
		remove_socket(link->spare_path);
	}
	(void)pthread_cond_destroy(&link->ready_cond);
	free(link);
}
