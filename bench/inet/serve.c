// SPDX-License-Identifier: BSD-3-Clause
// The server of all modes: one thread, TCP and UDP on one port, both families.
#include "bench/inet/inet.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64
#define BURST 64
#define DATAGRAM_SIZE 2048
#define BACKLOG 4096

struct connection {
	int fd;
	char kind; // 0: not said yet.
	size_t received;
};

struct server {
	int epoll;
	struct connection listener; // Told from others by address.
	struct connection datagrams;
	uint64_t datagram_count;
};

static int watch(struct server *server, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, connection->fd, &event) ? -errno : 0;
}

static int open_socket(const struct inet_config *config, int type)
{
	const int off = 0;
	const int on = 1;
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(config->port),
		.sin6_addr = in6addr_any};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(config->port)};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_ipv6 = fd >= 0;
	if (!is_ipv6) // A container without IPv6.
		fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (is_ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) ||
	    bind(fd,
		 is_ipv6 ? (struct sockaddr *)&any : (struct sockaddr *)&any4,
		 is_ipv6 ? sizeof(any) : sizeof(any4)) ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG))) {
		int r = -errno;
		(void)close(fd); // Nothing was received.
		return r;
	}
	return fd;
}

static void take_connection(struct server *server)
{
	const int one = 1;
	int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *connection = fd < 0 ? NULL : calloc(1, sizeof(*connection));
	if (!connection) {
		if (fd >= 0)
			(void)close(fd); // No memory: the client sees it.
		return;
	}
	connection->fd = fd;
	// Without it, answers are late and no more.
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (watch(server, connection)) {
		(void)close(fd); // As above.
		free(connection);
	}
}

static void take_datagrams(struct server *server)
{
	static char payload[BURST][DATAGRAM_SIZE];
	struct iovec iov[BURST];
	struct mmsghdr messages[BURST];
	for (int i = 0; i < BURST; i++) {
		iov[i] = (struct iovec){payload[i], DATAGRAM_SIZE};
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
	}
	int count = recvmmsg(server->datagrams.fd, messages, BURST, MSG_DONTWAIT, NULL);
	if (count > 0)
		server->datagram_count += (uint64_t)count;
}

// Answers what was received. False: the connection is at its end.
static bool answer(struct server *server, struct connection *connection, char *data, size_t size)
{
	static const char once[INET_REQUEST];
	switch (connection->kind) {
	case INET_SINK:
		return true;
	case INET_ECHO:
		return send(connection->fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
	case INET_COUNT:
		return send(connection->fd,
			    &server->datagram_count,
			    sizeof(server->datagram_count),
			    MSG_NOSIGNAL) == (ssize_t)sizeof(server->datagram_count);
	case INET_ONCE:
		connection->received += size;
		if (connection->received < INET_REQUEST - 1)
			return true;
		(void)send(connection->fd, once, sizeof(once), MSG_NOSIGNAL); // The end, too.
		return false;
	default:
		return false;
	}
}

static bool serve_connection(struct server *server, struct connection *connection)
{
	static char block[INET_BLOCK];
	char *data = block;
	ssize_t size = recv(connection->fd, block, sizeof(block), MSG_DONTWAIT);
	if (size < 0)
		return errno == EAGAIN;
	if (size == 0)
		return false;
	if (!connection->kind) {
		connection->kind = *data++;
		size--;
	}
	return size == 0 || answer(server, connection, data, (size_t)size);
}

static void handle(struct server *server, struct connection *connection)
{
	if (connection == &server->listener) {
		take_connection(server);
		return;
	}
	if (connection == &server->datagrams) {
		take_datagrams(server);
		return;
	}
	if (serve_connection(server, connection))
		return;
	(void)close(connection->fd); // Also takes it out of the epoll set.
	free(connection);
}

static int open_server(struct server *server, const struct inet_config *config)
{
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll < 0)
		return -errno;
	server->listener.fd = open_socket(config, SOCK_STREAM);
	if (server->listener.fd < 0)
		return server->listener.fd;
	server->datagrams.fd = open_socket(config, SOCK_DGRAM);
	if (server->datagrams.fd < 0)
		return server->datagrams.fd;
	int r = watch(server, &server->listener);
	return r ? r : watch(server, &server->datagrams);
}

int inet_serve(const struct inet_config *config)
{
	struct server server = {0};
	struct epoll_event events[EVENTS];
	int r = open_server(&server, config);
	if (r)
		return inet_fail(r, "cannot serve port %u", config->port);
	(void)signal(SIGPIPE, SIG_IGN); // A client that is gone is an error of the send.
	for (;;) {
		int count = epoll_wait(server.epoll, events, EVENTS, -1);
		if (count < 0 && errno != EINTR)
			return inet_fail(-errno, "cannot wait for clients");
		for (int i = 0; i < count; i++)
			handle(&server, events[i].data.ptr);
	}
}
