// SPDX-License-Identifier: BSD-3-Clause
// Short connections: connect, one request, its answer, and the server closes. Several at the same time. The load's
// thread.
#include "bench/inet/inet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// Begins one anew.
static int begin(struct inet_load *load, uint32_t index)
{
	const struct inet_config *config = load->config;
	struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};
	int fd = socket(config->to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return inet_fail(-errno, "cannot make a socket");
	load->fd[index] = fd;
	load->begun[index] = cycles_now();
	if (connect(fd, &config->to.any, config->to_length) && errno != EINPROGRESS)
		return inet_fail(-errno, "cannot connect to port %u", config->port);
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event))
		return inet_fail(-errno, "cannot watch a connection");
	return 0;
}

static int connects_open(struct inet_load *load)
{
	// One to wait for the server.
	int fd = inet_connect(load->config, SOCK_STREAM, INET_SINK);
	int r = 0;
	if (fd < 0)
		return fd;
	(void)close(fd); // It has done its work.
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->epoll < 0)
		return inet_fail(-errno, "cannot watch connections");
	for (uint32_t i = 0; i < load->config->streams && !r; i++)
		r = begin(load, i);
	return r;
}

static int finish(struct inet_load *load, uint32_t index, bool good)
{
	inet_add(good ? &load->done : &load->failed, 1);
	if (good && inet_is_measuring(load))
		hist_add(&load->hist, cycles_now() - load->begun[index]);
	(void)close(load->fd[index]); // The server closed before.
	load->fd[index] = -1;
	return begin(load, index);
}

static bool ask(struct inet_load *load, uint32_t index)
{
	static const char request[INET_REQUEST] = {INET_ONCE};
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
	return send(load->fd[index], request, sizeof(request), MSG_NOSIGNAL) ==
		(ssize_t)sizeof(request) &&
		epoll_ctl(load->epoll, EPOLL_CTL_MOD, load->fd[index], &event) == 0;
}

// 1: the answer and the end came, 0: not yet, or a negative errno.
static int read_answer(int fd)
{
	char answer[2 * INET_REQUEST];
	ssize_t size = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (size < 0)
		return errno == EAGAIN ? 0 : -errno;
	return size == 0;
}

static int connects_turn(struct inet_load *load)
{
	struct epoll_event events[INET_STREAMS_MAX];
	int count = epoll_wait(load->epoll, events, INET_STREAMS_MAX, 100);
	int r = 0;
	for (int i = 0; i < count && !r && !atomic_load(&load->stop); i++) {
		uint32_t index = events[i].data.u32;
		if (events[i].events & EPOLLOUT) {
			if (!ask(load, index))
				r = finish(load, index, false);
			continue;
		}
		int end = read_answer(load->fd[index]);
		if (end)
			r = finish(load, index, end == 1);
	}
	return r;
}

static int connects_look(struct inet_load *load)
{
	const uint64_t values[3] = {atomic_load(&load->done), atomic_load(&load->failed)};
	inet_note(load, values);
	return 0;
}

static void connects_print(struct inet_load *load)
{
	printf(", \"at_once\": %u, \"connects_per_s\": %.1f, \"failed\": %llu",
	       load->config->streams,
	       (double)(load->last[0] - load->first[0]) / load->elapsed,
	       (unsigned long long)(load->last[1] - load->first[1]));
	inet_print_hist(load, "connect_us");
}

const struct inet_mode inet_connects =
	{"connects", connects_open, connects_turn, connects_look, connects_print};
