// SPDX-License-Identifier: BSD-3-Clause
// Takes one stream that the other side sends without end. The load's thread.
#include "bench/inet/inet.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

// So that the thread sees when it has to stop.
static const struct timeval patience = {.tv_usec = 100000};

static int fetch_open(struct inet_load *load)
{
	load->fd[0] = inet_connect(load->config, SOCK_STREAM, INET_SILENT);
	if (load->fd[0] < 0)
		return load->fd[0];
	if (setsockopt(load->fd[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return inet_fail(-errno, "cannot limit how long a read takes");
	return 0;
}

static int fetch_turn(struct inet_load *load)
{
	static char block[INET_BLOCK];
	ssize_t size = recv(load->fd[0], block, sizeof(block), 0);
	if (size > 0)
		inet_add(&load->done, (uint64_t)size);
	else if (size == 0 || errno != EAGAIN)
		return inet_fail(size ? -errno : -ECONNRESET, "the stream broke");
	return 0;
}

static int fetch_look(struct inet_load *load)
{
	const uint64_t values[3] = {atomic_load(&load->done)};
	inet_note(load, values);
	return 0;
}

static void fetch_print(struct inet_load *load)
{
	uint64_t bytes = load->last[0] - load->first[0];
	printf(", \"bytes\": %llu, \"gbit_per_s\": %.6f",
	       (unsigned long long)bytes,
	       (double)bytes * 8 / load->elapsed / 1e9);
}

const struct inet_mode inet_fetch = {"fetch", fetch_open, fetch_turn, fetch_look, fetch_print};
