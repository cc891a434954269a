// SPDX-License-Identifier: BSD-3-Clause
// Network namespaces by their paths. Any thread; no state.
#include "base/cleanup.h"
#include "daemon/core/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

// What cannot be opened, in the words of whoever asked: a process's namespace was asked for by its number.
static int cannot_open(const char *path, int code, struct rwy_err *err)
{
	static const char begin[] = "/proc/";
	static const char end[] = "/ns/net";
	bool in_proc = strncmp(path, begin, strlen(begin)) == 0;
	const char *pid = in_proc ? path + strlen(begin) : "";
	size_t digits = strspn(pid, "0123456789");
	if (digits && strcmp(pid + digits, end) == 0 && (code == ENOENT || code == ESRCH)) {
		err_set(err, -ENOENT, "there is no process %.*s", (int)digits, pid);
		return err_hint(err, "give the id of a process that runs in the namespace");
	}
	return err_set(
		err, -code, "cannot open the network namespace '%s': %s", path, strerror(code)
	);
}

int namespace_open(const char *path, int *ret_fd, struct rwy_err *err)
{
	struct statfs fs;
	char own[32];
	// Looked at before it is opened: an open of what else a path may lead to can have effects.
	_cleanup_close_ int place = open(path, O_PATH | O_CLOEXEC);
	if (place < 0)
		return cannot_open(path, errno, err);
	_cleanup_close_ int fd = -1;
	(void)snprintf(own, sizeof(own), "/proc/self/fd/%d", place); // It fits.
	if (fstatfs(place, &fs) == 0 && fs.f_type == NSFS_MAGIC)
		fd = open(own, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		err_set(err, -EINVAL, "'%s' is no network namespace", path);
		return err_hint(err, "give a process id or a path like /run/netns/NAME");
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

uint64_t namespace_inode(int fd)
{
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

uint64_t namespace_own_inode(void)
{
	struct stat st;
	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}

bool namespace_is_own(int fd)
{
	uint64_t own = namespace_own_inode();
	return own && own == namespace_inode(fd);
}
