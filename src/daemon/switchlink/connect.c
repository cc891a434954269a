// SPDX-License-Identifier: BSD-3-Clause
// The control socket's two ends. No state; main thread.
#include "base/cleanup.h"
#include "daemon/switchlink/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	*ret_address = address;
	return 0;
}

// A switch that no longer reads must not hold us up; credentials are asked for before it can send.
static int prepare(int sock)
{
	struct timeval limit = {.tv_sec = LINK_REQUEST_MS / 1000};
	int on = 1;
	if (setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return -errno;
	return 0;
}

int link_connect(const char *path)
{
	struct sockaddr_un address;
	int r = make_address(path, &address);
	if (r)
		return r;
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	r = sock < 0 ? -errno : prepare(sock);
	if (!r && connect(sock, (struct sockaddr *)&address, sizeof(address)))
		r = -errno;
	return r ? r : fd_take(&sock);
}

int link_pair(int ret_socks[2])
{
	int socks[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
		return -errno;
	int r = prepare(socks[0]);
	if (r) {
		fd_close(&socks[0]);
		fd_close(&socks[1]);
		return r;
	}
	(void)memcpy(ret_socks, socks, sizeof(socks));
	return 0;
}

static int bind_path(int sock, const char *path)
{
	struct sockaddr_un address;
	int r = make_address(path, &address);
	if (r)
		return r;
	if (unlink(path) && errno != ENOENT)
		return -errno;
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600) ||
	    listen(sock, SOMAXCONN))
		return -errno;
	return 0;
}

int link_listen(const char *path, struct rwy_err *err)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r = sock < 0 ? -errno : bind_path(sock, path);
	if (r)
		return err_set(err, r, "cannot listen on '%s': %s", path, strerror(-r));
	return fd_take(&sock);
}

uint32_t link_peer_pid(int sock)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	if (recvmsg(sock, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		struct ucred who;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&who, CMSG_DATA(c), sizeof(who));
		return who.pid > 0 ? (uint32_t)who.pid : 0;
	}
	return 0;
}

bool link_is_listened(const char *path)
{
	char line[512];
	bool found = false;
	FILE *file = fopen("/proc/net/unix", "re");
	if (!file)
		return true; // Not known: leave the path alone.
	// "Num RefCount Protocol Flags Type St Inode Path"; flag 0x10000 is a listening socket's.
	while (!found && fgets(line, sizeof(line), file)) {
		char flags[16];
		char name[256];
		if (sscanf(line, "%*s %*s %*s %15s %*s %*s %*s %255s", flags, name) == 2)
			found = strcmp(flags, "00010000") == 0 && strcmp(name, path) == 0;
	}
	(void)fclose(file); // Read only.
	return found;
}
