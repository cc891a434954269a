// SPDX-License-Identifier: BSD-3-Clause
// Who has a device of VFIO's open: found by looking at all processes' descriptors, since VFIO itself does not tell. A node that was
// made anew in a container's /dev is the same device by its number. No state.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

struct wanted {
	bool there[2];
	struct stat stat[2];
	const char *tail[2]; // "/vfio/12", "/vfio/devices/vfio0"
};

static void look_at_nodes(const struct opened_nodes *nodes, struct wanted *wanted)
{
	for (int i = 0; i < 2; i++) {
		const char *tail = nodes->path[i][0] ? strstr(nodes->path[i], "/vfio/") : NULL;
		for (const char *at = tail; at; at = strstr(at + 1, "/vfio/"))
			tail = at;
		wanted->tail[i] = tail;
		wanted->there[i] = tail && !stat(nodes->path[i], &wanted->stat[i]);
	}
}

static bool is_same(const struct stat *one, const struct stat *other)
{
	if (S_ISCHR(one->st_mode) && S_ISCHR(other->st_mode))
		return one->st_rdev == other->st_rdev;
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

// The names first: asking a descriptor of any other kind what it is may wait for a file server that is gone.
static bool is_wanted(int dir, const char *name, const struct wanted *wanted)
{
	char link[PATH_MAX];
	struct stat stat;
	ssize_t length = readlinkat(dir, name, link, sizeof(link) - 1);
	if (length <= 0)
		return false;
	link[length] = '\0';
	for (int i = 0; i < 2; i++) {
		size_t tail = wanted->there[i] ? strlen(wanted->tail[i]) : 0;
		if (!tail || (size_t)length < tail ||
		    strcmp(link + length - tail, wanted->tail[i]) != 0)
			continue;
		if (!fstatat(dir, name, &stat, 0) && is_same(&stat, &wanted->stat[i]))
			return true;
	}
	return false;
}

static bool has_one(const char *pid, const struct wanted *wanted)
{
	char path[64];
	bool found = false;
	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid); // It fits.
	DIR *dir = opendir(path);
	if (!dir)
		return false; // It ended.
	for (const struct dirent *entry = readdir(dir); !found && entry; entry = readdir(dir)) {
		if (isdigit((unsigned char)entry->d_name[0]))
			found = is_wanted(dirfd(dir), entry->d_name, wanted);
	}
	(void)closedir(dir); // Only read.
	return found;
}

static void name_process(const char *pid, char ret_who[OPENED_TEXT_SIZE])
{
	char path[64], name[32];
	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid); // It fits.
	if (sysfs_read(path, name, sizeof(name)))
		(void)snprintf(name, sizeof(name), "?"); // It fits.
	// It fits.
	(void)snprintf(ret_who, OPENED_TEXT_SIZE, "process %.12s (%s)", pid, name);
}

static bool find_process(const struct wanted *wanted, char ret_who[OPENED_TEXT_SIZE])
{
	bool found = false;
	char self[16];
	(void)snprintf(self, sizeof(self), "%d", (int)getpid()); // It fits.
	DIR *dir = opendir("/proc");
	if (!dir)
		return false;
	for (const struct dirent *entry = readdir(dir); !found && entry; entry = readdir(dir)) {
		// This process has one for a moment only, to keep others out.
		if (!isdigit((unsigned char)entry->d_name[0]) || !strcmp(entry->d_name, self))
			continue;
		found = has_one(entry->d_name, wanted);
		if (found)
			name_process(entry->d_name, ret_who);
	}
	(void)closedir(dir); // Only read.
	return found;
}

bool opened_by(const struct opened_nodes *nodes, char ret_who[OPENED_TEXT_SIZE])
{
	struct wanted wanted = {0};
	int fd = -1;
	look_at_nodes(nodes, &wanted);
	if (!wanted.there[0] && !wanted.there[1])
		return false;
	if (find_process(&wanted, ret_who))
		return true;
	// A descriptor that is on its way through a socket, or a virtual machine's own, is no process's.
	int r = opened_keep_out(nodes, &fd);
	fd_close(&fd);
	if (r != -EBUSY)
		return false;
	(void)snprintf(ret_who, OPENED_TEXT_SIZE, "somebody"); // It fits.
	return true;
}

int opened_keep_out(const struct opened_nodes *nodes, int *ret_fd)
{
	*ret_fd = -1;
	if (!nodes->path[0][0])
		return 0;
	int fd = open(nodes->path[0], O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == EBUSY ? -EBUSY : 0;
	*ret_fd = fd;
	return 0;
}
