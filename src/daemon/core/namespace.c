// SPDX-License-Identifier: BSD-3-Clause
// Network namespaces by their paths. Any thread; no state.
#include "base/cleanup.h"
#include "daemon/core/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

// What cannot be opened, in the words of whoever asked: a process's namespace was asked for by its number.
static int cannot_open(const char *path, int code, struct rwy_err *err)
{
	unsigned int pid = 0;
	int used = 0;
	(void)sscanf(path, "/proc/%u/ns/net%n", &pid, &used); // No match leaves used at 0.
	if (used && !path[used] && (code == ENOENT || code == ESRCH)) {
		err_set(err, -ENOENT, "there is no process %u", pid);
		return err_hint(err, "give the id of a process that runs in the namespace");
	}
	return err_set(
		err, -code, "cannot open the network namespace '%s': %s", path, strerror(code)
	);
}

int namespace_open(const char *path, int *ret_fd, struct rwy_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return cannot_open(path, errno, err);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
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

bool namespace_is_own(int fd)
{
	struct stat st;
	return stat("/proc/self/ns/net", &st) == 0 && st.st_ino == namespace_inode(fd);
}
