// SPDX-License-Identifier: BSD-3-Clause
// Streams: one thread keeps all of them full, as iperf3's does. What was acknowledged counts.
#include "bench/inet/inet.h"

#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char block[INET_BLOCK];

static int open_stream(struct inet_load *load, uint32_t index)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};
	int fd = inet_connect(load->config, SOCK_STREAM, INET_SINK);
	if (fd < 0)
		return fd;
	load->fd[index] = fd;
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event))
		return inet_fail(-errno, "cannot watch a stream");
	return 0;
}

static int stream_open(struct inet_load *load)
{
	int r = 0;
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->epoll < 0)
		return inet_fail(-errno, "cannot watch streams");
	for (uint32_t i = 0; i < load->config->streams && !r; i++)
		r = open_stream(load, i);
	return r;
}

static int stream_turn(struct inet_load *load)
{
	struct epoll_event events[INET_STREAMS_MAX];
	int count = epoll_wait(load->epoll, events, INET_STREAMS_MAX, 100);
	for (int i = 0; i < count; i++) {
		int fd = load->fd[events[i].data.u32];
		ssize_t sent = send(fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && !atomic_load(&load->stop))
			return inet_fail(-errno, "a stream broke");
	}
	return 0;
}

static int stream_look(struct inet_load *load)
{
	uint64_t values[3] = {0};
	for (uint32_t i = 0; i < load->config->streams; i++) {
		struct tcp_info info = {0};
		socklen_t size = sizeof(info);
		if (getsockopt(load->fd[i], IPPROTO_TCP, TCP_INFO, &info, &size))
			return inet_fail(-errno, "cannot ask for a stream's counters");
		values[0] += info.tcpi_bytes_acked;
		values[1] += info.tcpi_total_retrans;
	}
	inet_note(load, values);
	return 0;
}

static void stream_print(struct inet_load *load)
{
	uint64_t bytes = load->last[0] - load->first[0];
	printf(", \"streams\": %u, \"bytes\": %llu, \"gbit_per_s\": %.6f, \"retransmits\": %llu",
	       load->config->streams,
	       (unsigned long long)bytes,
	       (double)bytes * 8 / load->elapsed / 1e9,
	       (unsigned long long)(load->last[1] - load->first[1]));
}

const struct inet_mode inet_stream =
	{"stream", stream_open, stream_turn, stream_look, stream_print};
