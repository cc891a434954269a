// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of kick and call descriptors: not eventfds, swapped, full and blocking.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// Running rings, one of which gets another kick or call descriptor, ours or a negative errno.
static int play_descriptor(struct play *play, uint32_t request, int fd)
{
	uint64_t ring = TX;

	if (fd < 0)
		return fd;
	int r = play_start(play, NULL);
	if (!r)
		r = front_request_fd(play->front, request, &ring, sizeof(ring), fd);
	(void)close(fd); // It was only sent.
	return r;
}

static int or_errno(int fd)
{
	return fd < 0 ? -errno : fd;
}

static int play_call_with(struct play *play, int fd)
{
	return play_descriptor(play, MESSAGE_SET_VRING_CALL, fd);
}

static int play_kick_with(struct play *play, int fd)
{
	return play_descriptor(play, MESSAGE_SET_VRING_KICK, fd);
}

static int play_call_memfd(struct play *play)
{
	return play_call_with(play, or_errno(memfd_create("call", MFD_CLOEXEC)));
}

// The writing end, which could be full as well.
static int open_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	(void)close(fds[0]); // Not needed.
	return fds[1];
}

static int play_call_pipe(struct play *play)
{
	return play_call_with(play, open_pipe());
}

static int play_call_socket(struct play *play)
{
	return play_call_with(play, or_errno(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

static int play_call_dir(struct play *play)
{
	return play_call_with(play, or_errno(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
}

static int play_call_path(struct play *play)
{
	return play_call_with(play, or_errno(open("/dev/null", O_PATH | O_CLOEXEC)));
}

static int play_call_null(struct play *play)
{
	return play_call_with(play, or_errno(open("/dev/null", O_RDWR | O_CLOEXEC)));
}

static int play_call_epoll(struct play *play)
{
	return play_call_with(play, or_errno(epoll_create1(EPOLL_CLOEXEC)));
}

static int play_call_timer(struct play *play)
{
	return play_call_with(play, or_errno(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)));
}

static int play_call_signal(struct play *play)
{
	sigset_t none;
	(void)sigemptyset(&none); // Cannot fail on a valid set.
	return play_call_with(play, or_errno(signalfd(-1, &none, SFD_CLOEXEC)));
}

static int play_call_inotify(struct play *play)
{
	return play_call_with(play, or_errno(inotify_init1(IN_CLOEXEC)));
}

static int play_call_process(struct play *play)
{
	return play_call_with(play, or_errno((int)syscall(SYS_pidfd_open, getpid(), 0)));
}

// An epoll set asks whoever is in it, which may be somebody who never answers.
static int play_kick_epoll(struct play *play)
{
	return play_kick_with(play, or_errno(epoll_create1(EPOLL_CLOEXEC)));
}

static int play_kick_timer(struct play *play)
{
	const struct itimerspec often = {{.tv_nsec = 1000}, {.tv_nsec = 1000}};
	int fd = or_errno(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));

	if (fd >= 0 && timerfd_settime(fd, 0, &often, NULL))
		return -errno;
	return play_kick_with(play, fd);
}

// The back end's own end of this connection cannot be had; ours can.
static int play_kick_connection(struct play *play)
{
	uint64_t ring = TX;
	int r = play_start(play, NULL);
	if (r)
		return r;
	int fd = play->front->fd;
	return front_request_fd(play->front, MESSAGE_SET_VRING_KICK, &ring, sizeof(ring), fd);
}

static int play_kick_payload(struct play *play)
{
	uint64_t ring = UINT64_MAX & ~MESSAGE_RING_MASK;
	int r = play_start(play, NULL);
	if (r)
		return r;
	int fd = play->front->queue[TX].kick_fd;
	return front_request_fd(play->front, MESSAGE_SET_VRING_KICK, &ring, sizeof(ring), fd);
}

static int play_swaps(struct play *play)
{
	struct front_config config = {.with_calls = true};
	uint64_t count = play_count(play, 1000, 100000);
	int r = play_start(play, &config);

	for (uint64_t i = 0; i < count && !r; i++) {
		uint64_t ring = i % 2;
		struct front_queue *queue = &play->front->queue[ring];
		int call = i / 2 % 2 ? queue->call_fd : queue->kick_fd;
		int kick = i / 2 % 2 ? queue->kick_fd : queue->call_fd;
		r = front_request_fd(play->front, MESSAGE_SET_VRING_CALL, &ring, 8, call);
		if (!r)
			r = front_request_fd(play->front, MESSAGE_SET_VRING_KICK, &ring, 8, kick);
		if (!r && i % 64 == 0)
			r = front_sync(play->front);
	}
	return r;
}

// Each call of the back end's is a kick of its own.
static int play_call_is_kick(struct play *play)
{
	struct front_config config = {.with_calls = true};
	uint64_t ring = TX;
	int r = play_start(play, &config);

	if (!r)
		r = front_request_fd(
			play->front,
			MESSAGE_SET_VRING_CALL,
			&ring,
			8,
			play->front->queue[TX].kick_fd
		);
	for (int i = 0; i < 64 && !r; i++)
		r = play_send_frame(play, 60);
	front_kick(play->front, TX);
	return r ? r : play_await_sent(play);
}

// The switch sets O_NONBLOCK on it; the description is ours as well, and so we take the flag away again.
static int play_call_blocking(struct play *play)
{
	struct front_config config = {.with_calls = true};
	uint64_t full = UINT64_MAX - 1;
	int r = play_start(play, &config);

	if (r)
		return r;
	for (int i = 0; i < 2 && !r; i++) {
		int fd = play->front->queue[i].call_fd;
		bool filled = write(fd, &full, sizeof(full)) > 0 || errno == EAGAIN;
		if (!filled || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK))
			r = -errno;
	}
	for (int i = 0; i < 64 && !r; i++)
		r = play_send_frame(play, 60);
	front_kick(play->front, TX);
	return r;
}

// The same, and it hangs up while the switch waits for the eventfd.
static int play_call_blocking_close(struct play *play)
{
	struct timespec moment = {.tv_nsec = 5000000};
	int r = play_call_blocking(play);
	if (r)
		return r;
	(void)nanosleep(&moment, NULL); // Earlier or later only makes the case miss.
	return shutdown(play->front->fd, SHUT_RDWR) ? -errno : 0;
}

// Full at the very moment when it is written to, sooner or later.
static int play_call_toggled(struct play *play)
{
	uint64_t count = play_count(play, 2000, 1000000);
	uint64_t full = UINT64_MAX - 1;
	int r = play_call_blocking(play);
	int fd = r ? -1 : play->front->queue[TX].call_fd;

	while (!r && count--) {
		uint64_t was;
		if (read(fd, &was, sizeof(was)) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK))
			return -errno;
		(void)play_send_frame(play, 60); // The ring may be full.
		front_kick(play->front, TX);
		if ((write(fd, &full, sizeof(full)) < 0 && errno != EAGAIN) ||
		    fcntl(fd, F_SETFL, 0))
			return -errno;
	}
	return r;
}

// What was sent was taken all the same.
static int judge_sent(struct play *play)
{
	return play_await_sent(play);
}

#define UNFIT QUARANTINED("not an eventfd")

// A case a row.
// clang-format off
const struct hostile_case eventfd_cases[] = {
	{20, "call-memfd", "a memory file as call descriptor", play_call_memfd,
	 .split = UNFIT},
	{20, "call-pipe", "a pipe as call descriptor", play_call_pipe,
	 .split = UNFIT},
	{20, "call-socket", "a socket as call descriptor", play_call_socket,
	 .split = UNFIT},
	{20, "call-dir", "a directory as call descriptor", play_call_dir,
	 .split = UNFIT},
	{20, "call-path", "an O_PATH descriptor as call descriptor", play_call_path,
	 .split = UNFIT},
	{20, "call-null", "/dev/null as call descriptor", play_call_null,
	 .split = UNFIT},
	{20, "call-epoll", "an epoll set as call descriptor", play_call_epoll,
	 .split = UNFIT},
	{20, "call-timer", "a timerfd as call descriptor", play_call_timer,
	 .split = UNFIT},
	{20, "call-signal", "a signalfd as call descriptor", play_call_signal,
	 .split = UNFIT},
	{20, "call-inotify", "an inotify descriptor as call descriptor", play_call_inotify,
	 .split = UNFIT},
	{20, "call-process", "a pidfd as call descriptor", play_call_process,
	 .split = UNFIT},
	{20, "kick-epoll", "an epoll set as kick descriptor", play_kick_epoll,
	 .split = UNFIT},
	{20, "kick-timer", "a timerfd of 1 MHz as kick descriptor", play_kick_timer,
	 .split = UNFIT},
	{20, "kick-connection", "the connection as kick descriptor", play_kick_connection,
	 .split = UNFIT},
	{20, "kick-payload", "a kick descriptor with unknown bits", play_kick_payload,
	 .split = QUARANTINED("payload 0xffffffffffffff00")},
	{20, "eventfd-swaps", "kick and call swapped 100,000 times", play_swaps,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_sync},
	{20, "call-is-kick", "one eventfd for both", play_call_is_kick,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{21, "call-blocking", "full call eventfds that block, on several ports", play_call_blocking,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_sent, .flags = CASE_SEVERAL},
	{21, "call-toggled", "a call eventfd that is full now and then", play_call_toggled,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_sent},
	{21, "call-blocking-close", "the same, and hangs up meanwhile", play_call_blocking_close,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_nothing},
	{0},
};
// clang-format on
