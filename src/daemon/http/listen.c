// SPDX-License-Identifier: BSD-3-Clause
// Listening unix sockets at a path. No state; any thread.
#include "base/cleanup.h"
#include "daemon/http/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define HTTP_BACKLOG 128

static int bind_path(int fd, const char *path, unsigned int mode, int group)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (unlink(path) && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	// Nobody can connect before listen(), so the mode of the moment between does no harm.
	if (chmod(path, mode))
		return -errno;
	if (group >= 0 && chown(path, (uid_t)-1, (gid_t)group))
		return -errno;
	return listen(fd, HTTP_BACKLOG) ? -errno : 0;
}

int http_listen(const char *path, unsigned int mode, int group, struct rwy_err *err)
{
	struct sockaddr_un address;
	if (strlen(path) >= sizeof(address.sun_path)) {
		err_set(err,
			-ENAMETOOLONG,
			"cannot listen on '%s': the path has %zu bytes, a socket's limit is %zu",
			path,
			strlen(path),
			sizeof(address.sun_path) - 1);
		return err_hint(err, "use a shorter directory");
	}
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : bind_path(fd, path, mode, group);
	if (r)
		return err_set(err, r, "cannot listen on '%s': %s", path, strerror(-r));
	return fd_take(&fd);
}
