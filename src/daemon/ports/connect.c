// SPDX-License-Identifier: BSD-3-Clause
// Connecting to sockets of others by descriptors. Any thread.
#include "daemon/ports/connect.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

int socket_connect(const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int file = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (file < 0)
		return -errno;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	// The file that was found, by whatever names it has now.
	(void
	)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file); // It fits.
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : fd_take(&fd);
}
