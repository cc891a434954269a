// SPDX-License-Identifier: BSD-3-Clause
// Sockets to the server, and how failures are said. Any thread.
#include "bench/inet/inet.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS 10000000000ull
#define RETRY_NS 50000000

int inet_fail(int error, const char *fmt, ...)
{
	char text[200];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); // Cut at the buffer's end.
	va_end(ap);
	(void)fprintf(stderr, "inet: %s: %s\n", text, strerror(-error));
	return error;
}

static int try_connect(const struct inet_config *config, int type)
{
	int fd = socket(config->to.any.sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM && config->congestion &&
	    setsockopt(
		    fd,
		    IPPROTO_TCP,
		    TCP_CONGESTION,
		    config->congestion,
		    (socklen_t)strlen(config->congestion)
	    )) {
		int error = -errno;
		(void)close(fd); // The failure is told.
		return error;
	}
	if (connect(fd, &config->to.any, config->to_length) == 0)
		return fd;
	int r = -errno;
	(void)close(fd); // Nothing was sent.
	return r;
}

// The server, or the network to it, may still be about to come.
static bool is_early(int r)
{
	return r == -ECONNREFUSED || r == -EHOSTUNREACH || r == -ENETUNREACH || r == -ETIMEDOUT;
}

static int introduce(int fd, enum inet_kind kind)
{
	const int one = 1;
	const char byte = (char)kind;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		return -errno;
	if (kind != INET_SILENT && send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return -errno;
	return 0;
}

int inet_connect(const struct inet_config *config, int type, enum inet_kind kind)
{
	const struct timespec rest = {.tv_nsec = RETRY_NS};
	uint64_t end = cycles_clock_ns() + PATIENCE_NS;
	int fd = try_connect(config, type);

	while (is_early(fd) && cycles_clock_ns() < end) {
		(void)nanosleep(&rest, NULL); // Shorter is as good.
		fd = try_connect(config, type);
	}
	if (fd < 0)
		return inet_fail(fd, "cannot connect to port %u", config->port);
	int r = type == SOCK_STREAM ? introduce(fd, kind) : 0;
	if (!r)
		return fd;
	(void)close(fd); // The failure is told.
	return inet_fail(r, "cannot speak to port %u", config->port);
}
