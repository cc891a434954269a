// SPDX-License-Identifier: BSD-3-Clause
// Visits to other network namespaces. The calling thread alone goes there.
#include "base/cleanup.h"
#include "daemon/netlink/rtnetlink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int netlink_enter(int netns)
{
	return setns(netns, CLONE_NEWNET) ? -errno : 0;
}

void netlink_leave(int home_netns)
{
	if (setns(home_netns, CLONE_NEWNET))
		abort();
}

int netlink_sysctl(const char *name, const char *value)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s", name); // Short names of our own.
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}
