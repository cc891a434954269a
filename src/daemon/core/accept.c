// SPDX-License-Identifier: BSD-3-Clause
// Connections of ports: taken from their listeners, or made by us for ports that connect, and
// handed to the switch. Listeners come and go in any thread under the lock; connections are
// handled in the main thread.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/daemon.h"
#include "daemon/ports/connect.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define ACCEPT_EVENTS 32
// After each connection a listener rests, so that a container that connects in a loop takes
// nobody's time, nor ours.
#define ACCEPT_REST_MS 50
#define CONNECT_FIRST_MS 200
#define CONNECT_LAST_MS 1000
#define ACCEPT_TIMER_ID 0 // No port has this id.
#define FILES_CHECK_MS 3000

static bool port_connects(const struct port *port)
{
	return port->info.spec.connect[0] != '\0';
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

// Sets the timer for the port that connects, or listens again, next.
static void arm_timer(struct daemon *d)
{
	const struct port *port;
	uint64_t first = 0;
	TAILQ_FOREACH (port, &d->ports, entry)
		first = sooner(sooner(first, port->connect_at_ms), port->accept_at_ms);
	struct itimerspec spec = {
		.it_value = {(time_t)(first / 1000), (long)(first % 1000) * 1000000},
	};
	// Cannot fail: valid times of a timerfd. Zero stops it.
	(void)timerfd_settime(d->accept_timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void accept_port_waits(struct daemon *d, struct port *port)
{
	if (!port_connects(port))
		return;
	uint64_t delay = port->connect_delay_ms;
	port->connect_delay_ms = delay ? delay * 2 : CONNECT_FIRST_MS;
	if (port->connect_delay_ms > CONNECT_LAST_MS)
		port->connect_delay_ms = CONNECT_LAST_MS;
	port->connect_at_ms = (uint64_t)daemon_now_ms() + (delay ? delay : 1);
	arm_timer(d);
}

// 0 when the switch has the connection; ours is kept for the next switch, or closed.
static int hand_over(struct daemon *d, struct port *port, int fd)
{
	struct rwy_err err = {0};
	_cleanup_close_ int conn = fd;
	struct wire_msg *msg = link_msg(d->link, WIRE_CONN_ADD);
	msg->args.ref.id = port->info.id;
	msg->fds[0] = conn;
	msg->fd_count = 1;
	int r = link_request(d->link, msg, &err);
	if (r && !port->refusal_logged)
		log_info("port '%s' refuses a connection: %s", port->info.spec.name, err.msg);
	else if (!r && port->info.state == WIRE_PORT_WAITING)
		port->info.state = WIRE_PORT_CONNECTED;
	// Where the switch ended meanwhile, the next one may get it, unless there is another that lives.
	if (!r || (r == -EAGAIN && port->keep.conn < 0))
		keep_connect(&port->keep, fd_take(&conn), r != 0);
	port->refusal_logged = r != 0;
	return r;
}

static void try_connect(struct daemon *d, struct port *port)
{
	int fd = socket_connect(port->info.spec.connect);
	if (fd == -ELOOP && !port->refusal_logged) {
		log_warn(
			"port '%s' does not connect to '%s': there is a symbolic link on the way (name the socket without it)",
			port->info.spec.name,
			port->info.spec.connect
		);
		port->refusal_logged = true;
	}
	if (fd < 0 || hand_over(d, port, fd))
		accept_port_waits(d, port);
	else
		port->connect_delay_ms = CONNECT_FIRST_MS;
}

static int watch_listener(struct daemon *d, const struct port *port, int op)
{
	// One event, then it rests.
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLONESHOT,
		.data.u32 = port->info.id,
	};
	return epoll_ctl(d->accept_fd, op, port->listener, &event) ? -errno : 0;
}

static void on_port_timer(struct daemon *d, struct port *port, uint64_t now)
{
	if (port->accept_at_ms && port->accept_at_ms <= now) {
		port->accept_at_ms = 0;
		if (watch_listener(d, port, EPOLL_CTL_MOD))
			log_error("cannot watch port '%s'", port->info.spec.name);
	}
	if (port->connect_at_ms && port->connect_at_ms <= now) {
		port->connect_at_ms = 0;
		if (port->info.state == WIRE_PORT_WAITING)
			try_connect(d, port);
	}
}

static void on_timer(struct daemon *d)
{
	struct port *port;
	uint64_t now = (uint64_t)daemon_now_ms();
	TAILQ_FOREACH (port, &d->ports, entry)
		on_port_timer(d, port, now);
	arm_timer(d);
}

static void take_connection(struct daemon *d, uint32_t id)
{
	struct port *port = daemon_find_port_id(d, id);
	if (!port || port->listener < 0)
		return; // Removed since the event.
	port->accept_at_ms = (uint64_t)daemon_now_ms() + ACCEPT_REST_MS;
	arm_timer(d);
	// Those of a connection are more than one, and calls need some, too: it waits in the queue.
	if (!check_descriptors_left()) {
		if (!port->refusal_logged)
			log_warn(
				"port '%s' takes no connection: no descriptors are left (raise the "
				"hard limit of open files, LimitNOFILE=)",
				port->info.spec.name
			);
		port->refusal_logged = true;
		return;
	}
	int fd = accept4(port->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		(void)hand_over(d, port, fd); // Refused: logged and closed.
	else if (errno != EAGAIN && errno != ECONNABORTED && !port->refusal_logged) {
		// It stays in the queue, and is tried again when the listener has rested.
		log_warn(
			"cannot take a connection of port '%s': %s",
			port->info.spec.name,
			strerror(errno)
		);
		port->refusal_logged = true;
	}
}

static void on_accept(void *arg, uint32_t events)
{
	struct daemon *d = arg;
	struct epoll_event ready[ACCEPT_EVENTS];
	service_lock(d);
	int count = epoll_wait(d->accept_fd, ready, ACCEPT_EVENTS, 0);
	for (int i = 0; i < count; i++) {
		if (ready[i].data.u32 == ACCEPT_TIMER_ID)
			on_timer(d);
		else
			take_connection(d, ready[i].data.u32);
	}
	service_unlock(d);
}

// Makes a socket anew that somebody removed, or put another one in place of: its connection goes on meanwhile.
static int renew_socket(struct daemon *d, struct port *port, struct rwy_err *err)
{
	char place[NAME_SIZE];
	char name[16];
	port_place(&port->info.spec, place, name);
	if (portdir_is_socket(&d->portdir, place, name, port->listener))
		return 0;
	int r = portdir_make_place(&d->portdir, place, err);
	int fd = r ? r : portdir_listen(&d->portdir, place, name, err);
	if (fd < 0)
		return fd;
	// The switch may hold a copy, which would keep the socket in the set.
	(void)epoll_ctl(d->accept_fd, EPOLL_CTL_DEL, port->listener, NULL);
	fd_close(&port->listener);
	port->listener = fd;
	port->accept_at_ms = 0;
	log_warn("the socket '%s' was removed: made anew", port->info.socket);
	r = watch_listener(d, port, EPOLL_CTL_ADD);
	return r ? err_set(err, r, "cannot watch the socket '%s'", port->info.socket) : 0;
}

static void check_ports(struct daemon *d)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err err = {0};
		if (port->listener < 0)
			continue; // Not yet found, or there is none.
		int r = renew_socket(d, port, &err);
		if (r && !port->loss_logged)
			log_err(&err, "port '%s'", port->info.spec.name);
		port->loss_logged = r != 0;
	}
}

static void on_files(void *arg)
{
	struct daemon *d = arg;
	struct rwy_err err = {0};
	service_lock(d);
	bool gone = !portdir_is_there(&d->portdir);
	if (gone && !d->run_dir_gone)
		log_error(
			"the run directory '%s' was removed, and all sockets with it: restart "
			"ringwayd",
			d->portdir.run_dir
		);
	if (!gone && portdir_renew(&d->portdir, &err))
		log_err(&err, "the directory of all ports was removed");
	else if (!gone)
		check_ports(d);
	d->run_dir_gone = gone;
	service_unlock(d);
}

int accept_init(struct daemon *d, struct rwy_err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = ACCEPT_TIMER_ID};
	d->accept_fd = epoll_create1(EPOLL_CLOEXEC);
	d->accept_timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->accept_fd < 0 || d->accept_timer_fd < 0 ||
	    epoll_ctl(d->accept_fd, EPOLL_CTL_ADD, d->accept_timer_fd, &event))
		return err_set(err, -errno, "cannot watch ports: %s", strerror(errno));
	d->accept_source = loop_add_fd(d->loop, d->accept_fd, 0, on_accept, d);
	d->files_timer = loop_add_timer(d->loop, FILES_CHECK_MS, FILES_CHECK_MS, on_files, d);
	if (!d->accept_source || !d->files_timer)
		return err_set(err, -errno, "cannot watch ports: %s", strerror(errno));
	return 0;
}

void accept_fini(struct daemon *d)
{
	loop_remove(d->files_timer);
	loop_remove(d->accept_source);
	fd_close(&d->accept_fd);
	fd_close(&d->accept_timer_fd);
}

void accept_enable(struct daemon *d, bool on)
{
	if (loop_set_events(d->accept_source, on ? EPOLLIN : 0))
		log_error("cannot watch ports: %s", strerror(errno));
}

int accept_open(struct daemon *d, struct port *port, struct rwy_err *err)
{
	char place[NAME_SIZE];
	char name[16];
	if (port_connects(port)) {
		accept_port_waits(d, port);
		return 0;
	}
	port_place(&port->info.spec, place, name);
	int r = portdir_path(&d->portdir, place, name, port->info.socket, err);
	if (!r)
		r = portdir_make_place(&d->portdir, place, err);
	if (r)
		return r;
	if (port->listener < 0)
		port->listener = portdir_listen(&d->portdir, place, name, err);
	if (port->listener < 0)
		return port->listener;
	r = watch_listener(d, port, EPOLL_CTL_ADD);
	if (!r)
		return 0;
	err_set(err, r, "cannot watch the socket '%s': %s", port->info.socket, strerror(-r));
	accept_close(d, port, true);
	return r;
}

void accept_close(struct daemon *d, struct port *port, bool remove_files)
{
	char place[NAME_SIZE];
	char name[16];
	port->connect_at_ms = 0;
	port->accept_at_ms = 0;
	// The switch may hold a copy, which would keep the socket in the set; and it may not be
	// in it.
	if (port->listener >= 0)
		(void)epoll_ctl(d->accept_fd, EPOLL_CTL_DEL, port->listener, NULL);
	fd_close(&port->listener);
	if (!remove_files || port_connects(port))
		return;
	port_place(&port->info.spec, place, name);
	portdir_remove_socket(&d->portdir, place, name);
	if (!port->info.spec.key[0])
		portdir_remove_place(&d->portdir, place);
}
