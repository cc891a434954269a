// SPDX-License-Identifier: BSD-3-Clause
// Bytes with descriptors beside them over unix sockets (unix(7), SCM_RIGHTS). Any thread.
#pragma once

#include <stddef.h>
#include <sys/types.h>

// SCM_MAX_FD of the kernel: one message carries no more.
#define FDMSG_FDS_MAX 253

// Sends one datagram, or as much of a stream as goes; descriptors stay the caller's. Never raises
// SIGPIPE. `flags` as for sendmsg(2). Bytes sent or a negative errno (-EAGAIN, -EPIPE, ..).
ssize_t fdmsg_send(
	int sock,
	const void *data,
	size_t size,
	const int *fds,
	size_t fd_count,
	int flags
);

// Where fdmsg_recv() puts a message: data has room for data_size bytes, fds for fd_max descriptors.
struct fdmsg_buf {
	void *data;
	size_t data_size;
	int *fds;
	size_t fd_max;
	size_t fd_count; // Descriptors received: close-on-exec, and the caller's from then on.
};

// Bytes received, 0 at the end of the stream, or a negative errno: -EAGAIN, -EMSGSIZE (data or
// descriptors did not fit), .. On failure every descriptor that came is closed and fd_count is 0.
// `flags` as for recvmsg(2); MSG_PEEK gives copies of the descriptors.
ssize_t fdmsg_recv(int sock, struct fdmsg_buf *buf, int flags);
