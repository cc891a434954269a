// SPDX-License-Identifier: BSD-3-Clause
// The network namespace of ringwayd's own: made by a thread that lives for nothing else, and mounted at RUN_DIR/netns/own,
// which keeps it when ringwayd ends. Other threads visit it, each by itself.
#include "base/cleanup.h"
#include "daemon/host/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define THREAD_NETNS "/proc/thread-self/ns/net"

static bool is_netns(const char *path)
{
	struct statfs fs;
	return !statfs(path, &fs) && fs.f_type == NSFS_MAGIC;
}

struct maker {
	const char *path;
	int error;
	const char *tried;
};

// An interface that comes up must not send anything of its own. A kernel without IPv6 has nothing to turn off.
static int quiet_namespace(void)
{
	int r = netlink_sysctl("ipv6/conf/default/disable_ipv6", "1");
	if (!r)
		r = netlink_sysctl("ipv6/conf/all/disable_ipv6", "1");
	return r == -ENOENT ? 0 : r;
}

static void *make_namespace(void *arg)
{
	struct maker *maker = arg;
	maker->tried = "make a network namespace";
	if (unshare(CLONE_NEWNET)) {
		maker->error = -errno;
		return NULL;
	}
	maker->tried = "turn IPv6 off in the network namespace";
	maker->error = quiet_namespace();
	if (maker->error)
		return NULL;
	maker->tried = "mount the network namespace";
	if (mount(THREAD_NETNS, maker->path, NULL, MS_BIND, NULL) ||
	    mount(NULL, maker->path, NULL, MS_PRIVATE, NULL))
		maker->error = -errno;
	return NULL;
}

static int make_mounted(struct host *host, struct rwy_err *err)
{
	if (mkdir(host->netns_dir, 0700) && errno != EEXIST)
		return err_set(
			err, -errno, "cannot make '%s': %s", host->netns_dir, strerror(errno)
		);
	_cleanup_close_ int fd = open(host->netns_path, O_RDONLY | O_CREAT | O_CLOEXEC, 0400);
	if (fd < 0)
		return err_set(
			err, -errno, "cannot make '%s': %s", host->netns_path, strerror(errno)
		);
	struct maker maker = {.path = host->netns_path};
	pthread_t thread;
	int r = pthread_create(&thread, NULL, make_namespace, &maker);
	if (r)
		return err_set(err, -r, "cannot start a thread: %s", strerror(r));
	(void)pthread_join(thread, NULL); // It was started and nobody else joins it.
	if (!maker.error)
		return 0;
	err_set(err,
		maker.error == -EPERM || maker.error == -EROFS ? -EOPNOTSUPP : maker.error,
		"cannot %s at '%s': %s",
		maker.tried,
		host->netns_path,
		strerror(-maker.error));
	return err_hint(
		err, "kernel ports need CAP_SYS_ADMIN, CAP_NET_ADMIN and a writable /proc/sys/net"
	);
}

static int open_netns(const char *path, int *ret, struct rwy_err *err)
{
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret >= 0)
		return 0;
	return err_set(err, -errno, "cannot open the namespace '%s': %s", path, strerror(errno));
}

int netns_open(struct host *host, struct rwy_err *err)
{
	int r = open_netns(THREAD_NETNS, &host->home_netns, err);
	if (!r && !is_netns(host->netns_path)) {
		host->made_netns = true;
		r = make_mounted(host, err);
	}
	if (!r)
		r = open_netns(host->netns_path, &host->own_netns, err);
	if (r)
		return r;
	// Tried once, so that nobody finds out half-way.
	r = netlink_enter(host->own_netns);
	if (!r) {
		netlink_leave(host->home_netns);
		return 0;
	}
	err_set(err, -EOPNOTSUPP, "cannot enter '%s': %s", host->netns_path, strerror(-r));
	return err_hint(err, "kernel ports need CAP_SYS_ADMIN");
}

void netns_remove(const struct host *host)
{
	// What is not there need not go.
	(void)umount2(host->netns_path, MNT_DETACH);
	(void)unlink(host->netns_path);
	(void)rmdir(host->netns_dir);
}
