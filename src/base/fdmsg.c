// SPDX-License-Identifier: BSD-3-Clause
// sendmsg() and recvmsg() with SCM_RIGHTS, where a peer's extra or cut descriptors never leak.
// No state; any thread.
#include "base/fdmsg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union fdmsg_control {
	char bytes[CMSG_SPACE(sizeof(int) * FDMSG_FDS_MAX)];
	struct cmsghdr align;
};

ssize_t fdmsg_send(
	int sock,
	const void *data,
	size_t size,
	const int *fds,
	size_t fd_count,
	int flags
)
{
	union fdmsg_control control;
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count > FDMSG_FDS_MAX)
		return -EMSGSIZE;
	if (fd_count) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		memset(control.bytes, 0, msg.msg_controllen);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
	}
	ssize_t sent;
	do
		sent = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

// Moves the descriptors of one control message into buf; closes those that find no room and returns
// false then.
static bool keep_rights(struct cmsghdr *cmsg, struct fdmsg_buf *buf)
{
	bool fits = true;
	size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
		if (buf->fd_count < buf->fd_max) {
			buf->fds[buf->fd_count++] = fd;
			continue;
		}
		(void)close(fd); // Not wanted; nothing to do about a failing close.
		fits = false;
	}
	return fits;
}

// The same for every control message that came.
static bool keep_fds(struct msghdr *msg, struct fdmsg_buf *buf)
{
	bool fits = true;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		if (!keep_rights(cmsg, buf))
			fits = false;
	}
	return fits;
}

ssize_t fdmsg_recv(int sock, struct fdmsg_buf *buf, int flags)
{
	union fdmsg_control control;
	struct iovec iov = {.iov_base = buf->data, .iov_len = buf->data_size};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t size;

	buf->fd_count = 0;
	do
		size = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	bool fits = keep_fds(&msg, buf);
	if (fits && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return size;
	for (size_t i = 0; i < buf->fd_count; i++)
		(void)close(buf->fds[i]); // Refused with the whole message.
	buf->fd_count = 0;
	return -EMSGSIZE;
}
