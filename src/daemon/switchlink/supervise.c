// SPDX-License-Identifier: BSD-3-Clause
// The switch's life: find or start, greet, beat, end, start anew. Main thread, under the lock. A
// process that we know is always known by a pidfd, so that no signal ever reaches another one.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/switchlink/internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_sock(struct link *link)
{
	loop_remove(link->sock_source);
	link->sock_source = NULL;
	fd_close(&link->sock);
	enum link_state before = link->state;
	link->state = LINK_DOWN;
	if (before == LINK_READY)
		link->config.ops->down(link->config.arg);
}

static void forget_process(struct link *link)
{
	loop_remove(link->pidfd_source);
	link->pidfd_source = NULL;
	fd_close(&link->pidfd);
	link->pid = 0;
}

static void retry_later(struct link *link, uint64_t delay_ms)
{
	// Cannot fail with a valid timer; 0 would stop it.
	(void)loop_set_timer(link->retry, delay_ms ? delay_ms : 1, 0);
}

// A growing wait when switches end as soon as they begin.
static void back_off(struct link *link)
{
	bool quick = link_now_ms() - link->started_ms < LINK_QUICK_MS;
	uint64_t delay = link->backoff_ms;
	if (!quick)
		delay = link->backoff_ms = 0;
	retry_later(link, delay);
	if (!quick)
		return;
	link->backoff_ms = delay ? delay * 2 : LINK_BACKOFF_FIRST_MS;
	if (link->backoff_ms > LINK_BACKOFF_LAST_MS)
		link->backoff_ms = LINK_BACKOFF_LAST_MS;
}

static void on_exit_of_switch(void *arg, uint32_t events)
{
	struct link *link = arg;
	siginfo_t info = {0};
	pthread_mutex_lock(link->config.lock);
	// -ECHILD: not our child, but that of an earlier ringwayd or of systemd.
	if (waitid(P_PIDFD, (id_t)link->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid)
		log_warn(
			"switch %u ended: %s %d",
			link->pid,
			info.si_code == CLD_EXITED ? "exit status" : "signal",
			info.si_status
		);
	else
		log_warn("switch %u ended", link->pid);
	forget_process(link);
	close_sock(link);
	back_off(link);
	pthread_mutex_unlock(link->config.lock);
}

static int watch_process(struct link *link, pid_t pid)
{
	forget_process(link);
	link->pidfd = pidfd_open(pid, 0);
	if (link->pidfd < 0)
		return -errno;
	link->pid = (uint32_t)pid;
	link->pidfd_source =
		loop_add_fd(link->config.loop, link->pidfd, EPOLLIN, on_exit_of_switch, link);
	if (link->pidfd_source)
		return 0;
	int r = -errno;
	forget_process(link);
	return r;
}

static void kill_process(const struct link *link)
{
	if (link->pidfd >= 0 && pidfd_send_signal(link->pidfd, SIGKILL, NULL, 0))
		log_error("cannot end switch %u: %s", link->pid, strerror(errno));
}

// -EPROTO: whoever greeted is none that we can watch.
static int check_hello(struct link *link, const struct wire_hello *hello, uint32_t peer)
{
	int off = 0;
	if (hello->version != WIRE_VERSION || !peer || hello->pid != peer)
		return -EPROTO;
	if (link->pid != peer && watch_process(link, (pid_t)peer))
		return -EPROTO;
	// Credentials have served their end. Failing leaves them in later messages, where they do
	// no harm.
	(void)setsockopt(link->sock, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
	return 0;
}

static void take_hello(struct link *link, const struct wire_msg *msg, uint32_t peer)
{
	const struct wire_hello *hello = &msg->args.hello;
	if (msg->op != WIRE_HELLO || msg->error.code || check_hello(link, hello, peer)) {
		log_error(
			"'%.60s' on '%s' is no switch for this ringwayd: %s",
			msg->op == WIRE_HELLO ? hello->program : "",
			link->config.socket_path,
			msg->error.code ? msg->error.msg : "wrong version or process"
		);
		// It holds our socket, and no other switch can take its place while it does.
		if (link->pidfd < 0 && peer && watch_process(link, (pid_t)peer))
			log_error("cannot watch process %u: %s", peer, strerror(errno));
		kill_process(link);
		close_sock(link);
		retry_later(link, LINK_BACKOFF_LAST_MS);
		return;
	}
	(void)memcpy(link->program, hello->program, sizeof(link->program));
	link->state = LINK_READY;
	link->misses = 0;
	link->alive = true;
	log_info("%s runs as process %u", link->program, link->pid);
	link->config.ops->ready(link->config.arg);
	pthread_cond_broadcast(&link->ready_cond);
}

static void sock_ended(struct link *link)
{
	close_sock(link);
	// Usually its process has ended too, and the pidfd says so in a moment.
	retry_later(link, LINK_BACKOFF_FIRST_MS);
}

static void on_sock(void *arg, uint32_t events)
{
	struct link *link = arg;
	pthread_mutex_lock(link->config.lock);
	while (link->sock >= 0) {
		struct rwy_err err = {0};
		uint32_t peer = link->state == LINK_GREETING ? link_peer_pid(link->sock) : 0;
		int r = wire_recv(link->sock, true, MSG_DONTWAIT, &link->incoming, &err);
		if (r == -EAGAIN)
			break;
		if (r) {
			if (r != -EPIPE)
				log_err(&err, "switch %u", link->pid);
			sock_ended(link);
		} else if (link->state == LINK_GREETING) {
			take_hello(link, &link->incoming, peer); // The table gives a hello no fds.
		} else {
			link_dispatch(link, &link->incoming);
		}
	}
	pthread_mutex_unlock(link->config.lock);
}

static int send_hello(struct link *link)
{
	struct wire_msg *msg = link_msg(link, WIRE_HELLO);
	msg->args.hello = (struct wire_hello){
		.version = WIRE_VERSION,
		.program = "ringwayd " RINGWAY_VERSION,
		.pid = (uint32_t)getpid(),
		.start_ns = link_now_ms() * 1000000,
	};
	return link_post(link, msg);
}

static int greet(struct link *link, int sock)
{
	link->sock = sock;
	link->sock_source = loop_add_fd(link->config.loop, sock, EPOLLIN, on_sock, link);
	int r = link->sock_source ? send_hello(link) : -errno;
	if (r) {
		close_sock(link);
		return r;
	}
	link->state = LINK_GREETING;
	link->misses = 0;
	return 0;
}

static int start_process(struct link *link, struct rwy_err *err)
{
	pid_t pid;
	if (link->listen_fd < 0)
		link->listen_fd = link_listen(link->config.socket_path, err);
	if (link->listen_fd < 0)
		return link->listen_fd;
	link->started_ms = link_now_ms();
	link->starts++;
	int r = spawn_switch(&link->config.spawn, link->listen_fd, &pid, err);
	if (r)
		return r;
	r = watch_process(link, pid);
	if (!r)
		return 0;
	(void)kill(pid, SIGKILL); // Our own child, not yet waited for: the pid is still its.
	(void)waitpid(pid, NULL, 0);
	return err_set(err, r, "cannot watch switch %d: %s", (int)pid, strerror(-r));
}

void link_start(struct link *link)
{
	struct rwy_err err = {0};
	if (link->state != LINK_DOWN)
		return;
	// With the listening socket in our hands a connect would only reach its backlog.
	bool own = link->listen_fd >= 0 && link->pidfd < 0;
	int sock = own ? -ECONNREFUSED : link_connect(link->config.socket_path);
	int r = sock < 0 ? sock : 0;
	if ((r == -ECONNREFUSED || r == -ENOENT) && link->pidfd < 0) {
		r = start_process(link, &err);
		sock = r ? r : link_connect(link->config.socket_path);
	}
	if (!r && sock >= 0)
		r = greet(link, sock);
	else if (!r)
		r = sock;
	if (!r)
		return;
	if (!err.code)
		err_set(&err, r, "cannot reach '%s': %s", link->config.socket_path, strerror(-r));
	log_err(&err, "no switch");
	back_off(link);
}

static void on_retry(void *arg)
{
	struct link *link = arg;
	pthread_mutex_lock(link->config.lock);
	link_start(link);
	pthread_mutex_unlock(link->config.lock);
}

static void beat_ready(struct link *link)
{
	link->misses = link->alive ? 0 : link->misses + 1;
	link->alive = false;
	if (link->misses >= LINK_MISSES_MAX) {
		log_error("switch %u hangs: it is ended", link->pid);
		kill_process(link);
		return;
	}
	(void)link_post(link, link_msg(link, WIRE_PING)); // A failure shows as silence.
}

static void beat_greeting(struct link *link)
{
	if (++link->misses < LINK_GREETING_TICKS)
		return;
	log_error("the switch on '%s' does not greet", link->config.socket_path);
	kill_process(link);
	close_sock(link);
	retry_later(link, LINK_BACKOFF_LAST_MS);
}

static void on_beat(void *arg)
{
	struct link *link = arg;
	pthread_mutex_lock(link->config.lock);
	if (link->state == LINK_READY)
		beat_ready(link);
	else if (link->state == LINK_GREETING)
		beat_greeting(link);
	pthread_mutex_unlock(link->config.lock);
}

struct link *link_new(const struct link_config *config)
{
	pthread_condattr_t attr;
	struct link *link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->config = *config;
	link->sock = link->listen_fd = link->pidfd = -1;
	// These fail only for want of memory, which the timers would show too.
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&link->ready_cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	link->beat = loop_add_timer(config->loop, LINK_BEAT_MS, LINK_BEAT_MS, on_beat, link);
	link->retry = loop_add_timer(config->loop, 0, 0, on_retry, link);
	if (!link->beat || !link->retry) {
		link_free(link, false);
		errno = ENOMEM;
		return NULL;
	}
	return link;
}

// Asks the switch to end, waits, and makes sure.
static void end_switch_process(struct link *link)
{
	struct pollfd ended = {.fd = link->pidfd, .events = POLLIN};
	struct rwy_err err = {0};
	if (link->pidfd < 0)
		return;
	if (link_is_ready(link) && link_request(link, link_msg(link, WIRE_STOP), &err))
		log_err(&err, "cannot stop switch %u gently", link->pid);
	if (!link_is_ready(link) || poll(&ended, 1, LINK_REQUEST_MS) <= 0)
		kill_process(link);
	(void)poll(&ended, 1, LINK_REQUEST_MS); // What SIGKILL does not end, nothing does.
	(void
	)waitid(P_PIDFD, (id_t)link->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG
	); // Perhaps no child.
}

void link_free(struct link *link, bool end_switch)
{
	if (!link)
		return;
	if (end_switch)
		end_switch_process(link);
	loop_remove(link->beat);
	loop_remove(link->retry);
	loop_remove(link->sock_source);
	loop_remove(link->pidfd_source);
	fd_close(&link->sock);
	fd_close(&link->pidfd);
	fd_close(&link->listen_fd);
	if (end_switch && !link_is_listened(link->config.socket_path))
		(void)unlink(link->config.socket_path); // May be gone.
	(void)pthread_cond_destroy(&link->ready_cond);
	free(link);
}
