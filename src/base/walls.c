// SPDX-License-Identifier: BSD-3-Clause
// unshare, pivot_root and the keeper. The thread that calls, which is its process's only one.
#include "base/walls.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_LOW 16 // Out of the way of descriptors with a meaning.
#define CAPS_MAX 64

// A kernel, or a container around us, that has no such namespace for us: the wall is missing, and that is said.
static int is_refusal(int code)
{
	return code == EPERM || code == EACCES || code == EINVAL || code == ENOSYS;
}

static int unshare_all(struct walls *walls)
{
	static const struct {
		int flag;
		enum wall wall;
	} kinds[] = {
		{CLONE_NEWNS, WALL_ROOT},
		{CLONE_NEWNET, WALL_NETWORK},
		{CLONE_NEWIPC, WALL_IPC},
		{CLONE_NEWUTS, WALL_UTS},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (unshare(kinds[i].flag) == 0)
			walls->standing |= kinds[i].wall;
		else if (is_refusal(errno))
			walls->error = -errno;
		else
			return -errno;
	}
	// What the host unmounts meanwhile goes here, too; nothing that is done here goes there.
	if ((walls->standing & WALL_ROOT) && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return -errno;
	return 0;
}

// The root of every process here that has the old one becomes an empty file system that cannot be written. /proc is only a place
// to mount it that each host has.
static int empty_root(void)
{
	if (mount("none",
		  "/proc",
		  "tmpfs",
		  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0555,size=4k,nr_inodes=2") ||
	    chdir("/proc") || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) ||
	    chdir("/"))
		return -errno;
	return 0;
}

// Ends with the process that it serves, whichever way that ends.
static void keep(int fd, struct walls walls)
{
	char byte;
	// Neither can fail with these arguments; kernels that lack the first leave descriptors that nothing here uses.
	(void)close_range(0, (unsigned int)fd - 1, 0);
	(void)close_range((unsigned int)fd + 1, ~0U, 0);
	if (read(fd, &byte, 1) != 1)
		_exit(0);
	if (walls.standing & WALL_ROOT) {
		int r = empty_root();
		if (r) {
			walls.error = r;
			walls.standing &= ~(uint32_t)WALL_ROOT;
		}
	}
	_exit(write(fd, &walls, sizeof(walls)) == sizeof(walls) ? 0 : 1);
}

// Both ends moved up. 0 or a negative errno.
static int make_pair(int *ret_pair)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ret_pair[0] = fcntl(pair[0], F_DUPFD_CLOEXEC, FD_LOW);
	ret_pair[1] = fcntl(pair[1], F_DUPFD_CLOEXEC, FD_LOW);
	int r = ret_pair[0] < 0 || ret_pair[1] < 0 ? -errno : 0;
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return r;
}

int walls_open(void)
{
	struct walls walls = {0};
	int pair[2] = {-1, -1};
	if (chdir("/")) // A working directory below the old root would lead back there.
		return -errno;
	int r = unshare_all(&walls);
	if (!r)
		r = make_pair(pair);
	if (r)
		return r;
	pid_t pid = _Fork();
	if (pid < 0) {
		r = -errno;
		fd_close(&pair[0]);
		fd_close(&pair[1]);
		return r;
	}
	if (pid == 0)
		keep(pair[1], walls);
	fd_close(&pair[1]);
	return pair[0];
}

int walls_close(int fd, struct walls *ret_walls)
{
	_cleanup_close_ int keeper = fd;
	struct walls walls;
	int r = -EPIPE;
	if (send(keeper, "", 1, MSG_NOSIGNAL) == 1 &&
	    recv(keeper, &walls, sizeof(walls), 0) == sizeof(walls))
		r = walls.error && !is_refusal(-walls.error) ? walls.error : 0;
	fd_close(&keeper);
	while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
		;
	if (!r)
		*ret_walls = walls;
	return r;
}

int walls_drop_bounding(void)
{
	for (unsigned long c = 0; c < CAPS_MAX; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0))
			return errno == EINVAL ? 0 : -errno; // There are no more of them.
	return 0;
}
