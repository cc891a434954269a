// SPDX-License-Identifier: BSD-3-Clause
// One byte there and back over a connection, one after another: what a request costs at least.
#include "bench/inet/inet.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

// So that the thread sees when it has to stop.
static const struct timeval patience = {.tv_usec = 100000};

static int pingpong_open(struct inet_load *load)
{
	load->fd[0] = inet_connect(load->config, SOCK_STREAM, INET_ECHO);
	if (load->fd[0] < 0)
		return load->fd[0];
	if (setsockopt(load->fd[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return inet_fail(-errno, "cannot limit how long an answer takes");
	return 0;
}

static int pingpong_turn(struct inet_load *load)
{
	char byte = 'x';
	uint64_t begun = cycles_now();
	ssize_t size = send(load->fd[0], &byte, 1, MSG_NOSIGNAL);
	if (size == 1)
		size = recv(load->fd[0], &byte, 1, 0);
	while (size < 0 && errno == EAGAIN && !atomic_load(&load->stop))
		size = recv(load->fd[0], &byte, 1, 0);
	if (size != 1)
		return atomic_load(&load->stop) ? 0 : inet_fail(-EIO, "the connection broke");
	inet_add(&load->done, 1);
	if (inet_is_measuring(load))
		hist_add(&load->hist, cycles_now() - begun);
	return 0;
}

static int pingpong_look(struct inet_load *load)
{
	const uint64_t values[3] = {atomic_load(&load->done)};
	inet_note(load, values);
	return 0;
}

static void pingpong_print(struct inet_load *load)
{
	printf(", \"per_s\": %.1f", (double)(load->last[0] - load->first[0]) / load->elapsed);
	inet_print_hist(load, "rtt_us");
}

const struct inet_mode inet_pingpong =
	{"pingpong", pingpong_open, pingpong_turn, pingpong_look, pingpong_print};
