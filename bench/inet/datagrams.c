// SPDX-License-Identifier: BSD-3-Clause
// Small datagrams as fast as they go out; the server counts those that arrive, and says so over a connection.
#include "bench/inet/inet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST 64
#define SIZE_MAX_SENT 1472

static int datagrams_open(struct inet_load *load)
{
	// The connection first: it waits for the server.
	load->control = inet_connect(load->config, SOCK_STREAM, INET_COUNT);
	if (load->control < 0)
		return load->control;
	load->fd[0] = inet_connect(load->config, SOCK_DGRAM, INET_COUNT);
	return load->fd[0] < 0 ? load->fd[0] : 0;
}

static int datagrams_turn(struct inet_load *load)
{
	static char payload[SIZE_MAX_SENT];
	struct iovec iov = {payload, load->config->size};
	struct mmsghdr messages[BURST];
	for (int i = 0; i < BURST; i++)
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int sent = sendmmsg(load->fd[0], messages, BURST, 0);
	if (sent > 0)
		inet_add(&load->sent, (uint64_t)sent);
	// What the path refuses is not sent; a receiver that is not there yet shows as a refused connection.
	if (sent >= 0 || errno == ENOBUFS || errno == ECONNREFUSED || errno == EAGAIN ||
	    atomic_load(&load->stop))
		return 0;
	return inet_fail(-errno, "cannot send datagrams");
}

static int datagrams_look(struct inet_load *load)
{
	uint64_t values[3] = {atomic_load(&load->sent), 0, 0};
	const char byte = INET_COUNT;
	if (send(load->control, &byte, 1, MSG_NOSIGNAL) != 1 ||
	    recv(load->control, &values[1], sizeof(values[1]), MSG_WAITALL) !=
		    (ssize_t)sizeof(values[1]))
		return inet_fail(-EIO, "the server does not say what it received");
	inet_note(load, values);
	return 0;
}

static void datagrams_print(struct inet_load *load)
{
	double sent = (double)(load->last[0] - load->first[0]);
	double received = (double)(load->last[1] - load->first[1]);
	printf(", \"size\": %u, \"sent_per_s\": %.1f, \"received_per_s\": %.1f, \"loss\": %.6f",
	       load->config->size,
	       sent / load->elapsed,
	       received / load->elapsed,
	       sent > received ? (sent - received) / sent : 0);
}

const struct inet_mode inet_datagrams =
	{"datagrams", datagrams_open, datagrams_turn, datagrams_look, datagrams_print};
