// SPDX-License-Identifier: BSD-3-Clause
// What switches are started from: a file that is opened once and checked, so that whatever becomes of its path, the spare and
// the switch after it are the same program. Any thread, under the lock.
#include "base/cleanup.h"
#include "daemon/switchlink/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_file(const char *path, const struct stat *st, struct rwy_err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, -EINVAL, "'%.200s' is no file", path);
	// Root's, or ours where we are not root.
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(
			err, -EINVAL, "'%.200s' belongs to user %u, not to root", path, st->st_uid
		);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, -EINVAL, "others than root may write to '%.200s'", path);
	if (st->st_mode & (S_ISUID | S_ISGID))
		return err_set(err, -EINVAL, "'%.200s' gives its user other rights", path);
	if (!(st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return err_set(err, -EINVAL, "'%.200s' is not executable", path);
	return 0;
}

int binary_open(
	struct link *link,
	const char *path,
	bool check,
	struct binary *ret_binary,
	struct rwy_err *err
)
{
	struct stat st;
	if (check && path[0] != '/')
		return err_set(err, -EINVAL, "'%.200s' is not an absolute path", path);
	if (strlen(path) >= sizeof(ret_binary->path))
		return err_set(err, -EINVAL, "the path of the program is too long");
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return err_set(
			err, -EINVAL, "cannot open the program '%.200s': %s", path, strerror(errno)
		);
	int r = check ? check_file(path, &st, err) : 0;
	if (r)
		return r;
	ret_binary->fd = fd_take(&fd);
	ret_binary->device = st.st_dev;
	ret_binary->inode = st.st_ino;
	ret_binary->serial = ++link->serials;
	(void)memmove(ret_binary->path, path, strlen(path) + 1); // It may be the same.
	return 0;
}

void binary_close(struct binary *program)
{
	fd_close(&program->fd);
	program->serial = 0;
}

void binary_of_process(struct link *link, uint32_t pid)
{
	char exe[32];
	char path[PATH_MAX];
	struct binary program = {.fd = -1};
	struct binary *wanted = &link->binary;
	(void)snprintf(exe, sizeof(exe), "/proc/%u/exe", pid); // It fits.
	if (wanted->fd >= 0 || binary_open(link, exe, false, &program, NULL))
		return; // Or the path will do.
	(void)memcpy(path, wanted->path, sizeof(path));
	*wanted = program;
	(void)memcpy(wanted->path, path, sizeof(path));
}
