// SPDX-License-Identifier: BSD-3-Clause
// One uplink's process: found by its socket or started, greeted, watched, started again when it ends. The uplinks' thread,
// under the lock.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/uplinks/internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_address(const char *path, struct sockaddr_un *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	*ret = address;
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address;
	int r = make_address(path, &address);
	if (r)
		return r;
	_cleanup_close_ int sock =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return fd_take(&sock);
}

static int listen_on(const char *path)
{
	struct sockaddr_un address;
	int r = make_address(path, &address);
	if (r)
		return r;
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0 || (unlink(path) && errno != ENOENT) ||
	    bind(sock, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600) ||
	    listen(sock, 8))
		return -errno;
	return fd_take(&sock);
}

static bool is_wanted(const struct uplink_device *device)
{
	const struct uplink_join *join;
	TAILQ_FOREACH (join, &device->uplinks->joins, entry)
		if (join->device == device)
			return true;
	return false;
}

static uint32_t largest_mtu(const struct uplink_device *device)
{
	const struct uplink_join *join;
	uint32_t mtu = 0;
	TAILQ_FOREACH (join, &device->uplinks->joins, entry)
		if (join->device == device && join->port.mtu > mtu)
			mtu = join->port.mtu;
	return mtu;
}

static void close_conn(struct uplink_device *device)
{
	loop_remove(device->conn_source);
	device->conn_source = NULL;
	fd_close(&device->conn);
	device->state = PROCESS_DOWN;
}

static void forget_process(struct uplink_device *device)
{
	close_conn(device);
	loop_remove(device->pidfd_source);
	device->pidfd_source = NULL;
	fd_close(&device->pidfd);
	device->pid = 0;
	device->ending = false;
}

static void kill_process(const struct uplink_device *device)
{
	if (device->pidfd >= 0)
		(void)pidfd_send_signal(device->pidfd, SIGKILL, NULL, 0); // It may have ended.
}

// Starts again a while later; the longer, the less it ran.
static void back_off(struct uplink_device *device)
{
	if (uplinks_now_ms() - device->started_ms > UPLINKS_STEADY_MS)
		device->backoff_ms = 0;
	uint64_t delay = device->backoff_ms ? device->backoff_ms : UPLINKS_BACKOFF_FIRST_MS;
	device->backoff_ms =
		delay * 2 < UPLINKS_BACKOFF_LAST_MS ? delay * 2 : UPLINKS_BACKOFF_LAST_MS;
	(void)loop_set_timer(device->timer, delay, 0); // Cannot fail: a timerfd and a valid time.
}

// It ended, or cannot be started.
static void on_down(struct uplink_device *device)
{
	bool ending = device->ending;
	forget_process(device);
	if (!is_wanted(device) && device->uplinks->settled) {
		(void)unlink(device->path); // May be gone.
		talk_lost(device, "");
		device_free(device);
		return;
	}
	if (!device->reason[0] && !ending)
		(void)snprintf(
			device->reason,
			sizeof(device->reason),
			"its process ended and did not say why: see the log"
		); // It fits.
	talk_lost(device, device->reason);
	if (!ending) {
		back_off(device);
		return;
	}
	// It was to end, and is wanted again: that counts as no restart.
	device->starts = 0;
	device->backoff_ms = 0;
	(void)loop_set_timer(device->timer, 1, 0); // Cannot fail: a timerfd and a valid time.
}

static void on_exit_event(void *arg, uint32_t events)
{
	struct uplink_device *device = arg;
	struct uplinks *uplinks = device->uplinks;
	siginfo_t info = {0};
	pthread_mutex_lock(&uplinks->lock);
	// It may be no child of ours: an earlier ringwayd's.
	(void)waitid(P_PIDFD, (id_t)device->pidfd, &info, WEXITED | WNOHANG);
	if (!device->ending)
		log_warn(
			"uplink '%s' ended (process %d%s%.0d)",
			device->args,
			device->pid,
			info.si_code == CLD_EXITED ? ", status "
				: info.si_pid	   ? ", signal "
						   : "",
			info.si_pid ? info.si_status : 0
		);
	// What it said last is the best reason there is.
	if (device->conn >= 0 && device->state == PROCESS_GREETING)
		(void)talk_read(device);
	on_down(device);
	pthread_mutex_unlock(&uplinks->lock);
}

static void watch_process(struct uplink_device *device)
{
	if (device->pidfd >= 0 || device->pid <= 0)
		return;
	device->pidfd = pidfd_open(device->pid, 0);
	if (device->pidfd < 0)
		return; // It ended: the connection says so.
	device->pidfd_source =
		loop_add_fd(device->uplinks->loop, device->pidfd, EPOLLIN, on_exit_event, device);
}

static void on_conn(void *arg, uint32_t events)
{
	struct uplink_device *device = arg;
	struct uplinks *uplinks = device->uplinks;
	pthread_mutex_lock(&uplinks->lock);
	bool was_ready = device->state == PROCESS_READY;
	int r = talk_read(device);
	if (r) {
		close_conn(device);
		if (device->pidfd < 0) {
			on_down(device);
		} else {
			// Its end comes by the pidfd. One that only closed the connection is of no use.
			if (was_ready && !device->ending)
				kill_process(device);
		}
	} else if (!was_ready && device->state == PROCESS_READY) {
		watch_process(device);
		(void)loop_set_timer(device->timer, 0, 0); // The greeting came.
		device_sync(device);
	}
	pthread_mutex_unlock(&uplinks->lock);
}

static int greet(struct uplink_device *device, int sock)
{
	device->conn = sock;
	device->state = PROCESS_GREETING;
	device->conn_source = loop_add_fd(device->uplinks->loop, sock, EPOLLIN, on_conn, device);
	int r = device->conn_source ? talk_greet(device) : -ENOMEM;
	if (r)
		close_conn(device);
	else
		(void)loop_set_timer(device->timer, UPLINKS_GREET_MS, 0); // Cannot fail.
	return r;
}

// A new process. Its socket, connected, or a negative errno.
static int start_process(struct uplink_device *device)
{
	struct rwy_err err = {0};
	char args[UPLINK_DEVICE_SIZE];
	// A device that is not there needs no process to say so.
	if (uplinks_check_device(device->args, args, &err)) {
		(void)snprintf(device->reason, sizeof(device->reason), "%s", err.msg); // Same size.
		return err.code;
	}
	_cleanup_close_ int listener = listen_on(device->path);
	if (listener < 0)
		return listener;
	int r = uplinks_spawn(
		device->uplinks->binary, device->args, largest_mtu(device), listener, &device->pid
	);
	if (r) {
		(void)snprintf( // A cut path still says the most.
			device->reason,
			sizeof(device->reason),
			"cannot start '%s': %s",
			device->uplinks->binary,
			strerror(-r)
		);
		return r;
	}
	device->starts++;
	device->started_ms = uplinks_now_ms();
	log_info("uplink '%s' starts (process %d)", device->args, device->pid);
	watch_process(device);
	return connect_to(device->path);
}

static void start(struct uplink_device *device)
{
	device->reason[0] = '\0';
	int r = connect_to(device->path);
	if (r == -ECONNREFUSED || r == -ENOENT) {
		if (!device->args[0] || !is_wanted(device)) {
			on_down(device);
			return;
		}
		r = start_process(device);
	}
	if (r >= 0)
		r = greet(device, r);
	if (r >= 0 || device->pidfd >= 0)
		return; // A process that is there says itself what is wrong, by its end.
	if (!device->reason[0])
		(void)snprintf( // A cut path still says the most.
			device->reason,
			sizeof(device->reason),
			"cannot reach the uplink by '%s': %s",
			device->path,
			strerror(-r)
		);
	log_warn("uplink '%s': %s", device->args, device->reason);
	on_down(device);
}

static void on_timer(void *arg)
{
	struct uplink_device *device = arg;
	struct uplinks *uplinks = device->uplinks;
	pthread_mutex_lock(&uplinks->lock);
	if (device->ending) {
		kill_process(device); // It was asked, and had its time.
	} else if (device->state == PROCESS_GREETING) {
		log_error("uplink '%s' does not greet: it is ended", device->args);
		kill_process(device);
		if (device->pidfd < 0)
			on_down(device);
	} else if (device->state == PROCESS_DOWN && device->pidfd < 0) {
		start(device);
	}
	pthread_mutex_unlock(&uplinks->lock);
}

struct uplink_device *device_new(struct uplinks *uplinks, const char *path)
{
	struct uplink_device *device = calloc(1, sizeof(*device));
	if (!device)
		return NULL;
	device->uplinks = uplinks;
	device->conn = device->pidfd = -1;
	(void)snprintf(device->path, sizeof(device->path), "%s", path); // Same size.
	TAILQ_INSERT_TAIL(&uplinks->devices, device, entry);
	return device;
}

void device_free(struct uplink_device *device)
{
	TAILQ_REMOVE(&device->uplinks->devices, device, entry);
	loop_remove(device->timer);
	loop_remove(device->conn_source);
	loop_remove(device->pidfd_source);
	fd_close(&device->conn);
	fd_close(&device->pidfd);
	free(device);
}

void device_sync(struct uplink_device *device)
{
	// The loop is this thread's alone, so the timer is made here.
	if (!device->timer) {
		device->timer = loop_add_timer(device->uplinks->loop, 0, 0, on_timer, device);
		if (!device->timer)
			return; // Out of memory: the next change tries again.
		start(device);
		return;
	}
	if (device->state == PROCESS_READY && !device->ending) {
		if (!is_wanted(device) && device->uplinks->settled) {
			talk_stop(device);
			(void)loop_set_timer(device->timer, UPLINKS_END_MS, 0); // Cannot fail.
		} else if (device->wanted) {
			talk_ask(device);
		} else {
			talk_sync(device);
		}
	} else if (device->state == PROCESS_DOWN && device->pidfd < 0 && !is_wanted(device) &&
		   device->uplinks->settled) {
		on_down(device);
	}
}

void device_end(struct uplink_device *device)
{
	struct pollfd ended = {.fd = device->pidfd, .events = POLLIN};
	if (device->state == PROCESS_READY)
		talk_stop(device);
	if (device->pidfd >= 0) {
		if (device->state != PROCESS_READY || poll(&ended, 1, UPLINKS_END_MS) <= 0)
			kill_process(device);
		(void)poll(&ended, 1, UPLINKS_END_MS); // What SIGKILL does not end, nothing does.
		(void
		)waitid(P_PIDFD, (id_t)device->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG
		); // Or no child.
	}
	(void)unlink(device->path); // May be gone.
}
