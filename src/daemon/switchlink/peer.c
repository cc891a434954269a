// SPDX-License-Identifier: BSD-3-Clause
// One switch's process and the connection with it: started or found, greeted, watched. Main thread, but where internal.h says
// otherwise; under the lock. A process that we know is always known by a pidfd, so that no signal ever reaches another one.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/switchlink/internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// Messages that one switch can have left behind; its socket's buffer holds far fewer.
#define PEER_DRAIN_MAX 100000

void peer_init(struct peer *peer, struct link *link)
{
	*peer = (struct peer){.link = link, .sock = -1, .pidfd = -1, .board = -1};
}

bool peer_is_free(const struct peer *peer)
{
	return peer->sock < 0 && peer->pidfd < 0;
}

void peer_hang_up(struct peer *peer)
{
	loop_remove(peer->sock_source);
	peer->sock_source = NULL;
	fd_close(&peer->sock);
	peer->state = PEER_NONE;
}

static void forget_process(struct peer *peer)
{
	loop_remove(peer->pidfd_source);
	peer->pidfd_source = NULL;
	fd_close(&peer->pidfd);
	peer->pid = 0;
}

void peer_reset(struct peer *peer)
{
	peer_hang_up(peer);
	forget_process(peer);
	fd_close(&peer->board);
	peer_init(peer, peer->link);
}

void peer_kill(const struct peer *peer)
{
	if (peer->pidfd >= 0 && pidfd_send_signal(peer->pidfd, SIGKILL, NULL, 0) && errno != ESRCH)
		log_error("cannot end switch %u: %s", peer->pid, strerror(errno));
}

static void on_exit_of_process(void *arg, uint32_t events)
{
	struct peer *peer = arg;
	struct link *link = peer->link;
	pthread_mutex_lock(link->config.lock);
	supervise_ended(peer);
	pthread_mutex_unlock(link->config.lock);
}

int peer_watch(struct peer *peer, uint32_t pid)
{
	struct link *link = peer->link;
	forget_process(peer);
	peer->pidfd = pidfd_open((pid_t)pid, 0);
	if (peer->pidfd < 0)
		return -errno;
	peer->pid = pid;
	peer->pidfd_source =
		loop_add_fd(link->config.loop, peer->pidfd, EPOLLIN, on_exit_of_process, peer);
	if (peer->pidfd_source)
		return 0;
	int r = -errno;
	forget_process(peer);
	return r;
}

// -EPROTO: whoever greeted is none that we can watch.
static int check_hello(struct peer *peer, const struct wire_hello *hello, uint32_t sender)
{
	int off = 0;
	if (hello->version != WIRE_VERSION || !sender || hello->pid != sender)
		return -EPROTO;
	if (peer->pid != sender && (peer->serial || peer_watch(peer, sender)))
		return -EPROTO;
	// Credentials have served their end. Failing leaves them in later messages, where they do
	// no harm.
	(void)setsockopt(peer->sock, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
	return 0;
}

static void refuse_hello(struct peer *peer, struct wire_msg *msg, uint32_t sender)
{
	log_error(
		"'%.60s' is no switch for this ringwayd: %s",
		msg->op == WIRE_HELLO ? msg->args.hello.program : "",
		msg->error.code ? msg->error.msg : "wrong version or process"
	);
	wire_msg_close_fds(msg);
	// It holds our socket, and no other switch can take its place while it does.
	if (peer->pidfd < 0 && sender && peer_watch(peer, sender))
		log_error("cannot watch process %u: %s", sender, strerror(errno));
	peer_kill(peer);
	supervise_hung_up(peer);
}

static void take_hello(struct peer *peer, struct wire_msg *msg, uint32_t sender)
{
	const struct wire_hello *hello = &msg->args.hello;
	if (msg->op != WIRE_HELLO || msg->error.code || check_hello(peer, hello, sender)) {
		refuse_hello(peer, msg, sender);
		return;
	}
	peer->hello = *hello;
	fd_close(&peer->board);
	// The listening socket, which may come as well, is not needed: the next switch gets another one.
	if (hello->has_board) {
		peer->board = msg->fds[0];
		msg->fds[0] = -1;
	}
	wire_msg_close_fds(msg); // Before other messages come in its place.
	peer->state = PEER_READY;
	peer->misses = 0;
	peer->alive = true;
	supervise_greeted(peer);
}

void peer_drain(struct peer *peer)
{
	struct link *link = peer->link;
	bool again = true;
	for (int i = 0; i < PEER_DRAIN_MAX && peer->sock >= 0; i++) {
		int r = wire_recv(peer->sock, true, MSG_DONTWAIT, &link->incoming, NULL);
		if (r == 0)
			link_dispatch(peer, &link->incoming);
		else if (r == -EPROTO)
			continue; // What is behind it may be whole.
		else if (r != -EPIPE || !again)
			return;
		else // Where it left requests unread, the socket says so once, before what it sent.
			again = false;
	}
}

static void on_sock(void *arg, uint32_t events)
{
	struct peer *peer = arg;
	struct link *link = peer->link;
	pthread_mutex_lock(link->config.lock);
	while (peer->sock >= 0) {
		struct rwy_err err = {0};
		uint32_t sender = peer->state == PEER_GREETING ? link_peer_pid(peer->sock) : 0;
		int r = wire_recv(peer->sock, true, MSG_DONTWAIT, &link->incoming, &err);
		if (r == -EAGAIN)
			break;
		if (r) {
			if (r != -EPIPE)
				log_err(&err, "switch %u", peer->pid);
			peer_drain(peer);
			supervise_hung_up(peer);
		} else if (peer->state == PEER_GREETING) {
			take_hello(peer, &link->incoming, sender);
		} else {
			link_dispatch(peer, &link->incoming);
		}
	}
	pthread_mutex_unlock(link->config.lock);
}

static int send_hello(struct peer *peer)
{
	struct wire_msg *msg = link_msg(peer->link, WIRE_HELLO);
	msg->args.hello = (struct wire_hello){
		.version = WIRE_VERSION,
		.program = "ringwayd " RINGWAY_VERSION,
		.pid = (uint32_t)getpid(),
		.start_ns = link_now_ms() * 1000000,
	};
	return link_post(peer, msg);
}

int peer_greet(struct peer *peer, int sock)
{
	peer->sock = sock;
	peer->sock_source = loop_add_fd(peer->link->config.loop, sock, EPOLLIN, on_sock, peer);
	int r = peer->sock_source ? send_hello(peer) : -errno;
	if (r) {
		peer_hang_up(peer);
		return r;
	}
	peer->state = PEER_GREETING;
	peer->misses = 0;
	return 0;
}

// Makes sure that a child that cannot be watched ends.
static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL); // Our own child, not yet waited for: the pid is still its.
	(void)waitpid(pid, NULL, 0);
}

static int spawn(struct peer *peer, const struct binary *program, int sock, struct rwy_err *err)
{
	pid_t pid;
	int r = spawn_switch(&peer->link->config.spawn, program->fd, sock, &pid, err);
	if (r)
		return r;
	r = peer_watch(peer, (uint32_t)pid);
	if (!r)
		return 0;
	end_child(pid);
	return err_set(err, r, "cannot watch it: %s", strerror(-r));
}

int peer_start(struct peer *peer, struct binary *program, struct rwy_err *err)
{
	int socks[2] = {-1, -1};
	int r = 0;
	peer->since_ms = link_now_ms();
	if (program->fd < 0)
		r = binary_open(peer->link, program->path, false, program, err);
	if (!r && (r = link_pair(socks)))
		err_set(err, r, "no sockets: %s", strerror(-r));
	_cleanup_close_ int ours = socks[0];
	_cleanup_close_ int its = socks[1];
	if (!r)
		r = spawn(peer, program, its, err);
	if (r)
		return err_prefix(err, "cannot start the switch '%.200s': ", program->path);
	peer->serial = program->serial;
	r = peer_greet(peer, fd_take(&ours));
	if (!r)
		return 0;
	peer_kill(peer);
	return err_set(err, r, "cannot greet the switch '%.200s': %s", program->path, strerror(-r));
}

void peer_await_end(struct peer *peer, int patience_ms)
{
	struct pollfd ended = {.fd = peer->pidfd, .events = POLLIN};
	if (peer->pidfd < 0)
		return;
	if (!patience_ms || poll(&ended, 1, patience_ms) <= 0)
		peer_kill(peer);
	(void)poll(&ended, 1, LINK_REQUEST_MS); // What SIGKILL does not end, nothing does.
}
