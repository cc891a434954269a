// SPDX-License-Identifier: BSD-3-Clause
// vfio-pci into the kernel, by modprobe, which knows where it is and what it needs. The main thread, before there are others; it
// waits.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LOAD_MS 10000

// posix_spawn's functions return errno values.
static int start(const char *name, pid_t *ret_pid)
{
	static char program[] = "modprobe", quiet[] = "-q", all[] = "-b", end[] = "--";
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const environment[] = {path, NULL};
	char *const argv[] = {program, quiet, all, end, (char *)name, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	sigemptyset(&none);
	int r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	for (int i = 0; !r && i < 3; i++)
		r = posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
	if (!r)
		r = posix_spawnattr_setsigmask(&attributes, &none);
	if (!r)
		r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (!r)
		r = posix_spawnp(ret_pid, program, &actions, &attributes, argv, environment);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static void load(const char *name)
{
	pid_t pid = -1;
	int status = 0;
	if (start(name, &pid))
		return;
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	// A module whose start hangs in the kernel is left to it.
	if (fd >= 0 && poll(&ready, 1, LOAD_MS) == 0)
		(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0); // What it did shows elsewhere.
}

#define CLASS_NETWORK "0x02" // PCI's base class, the first byte of the class.

static bool is_nic_with_functions(const char *sysfs, const char *address)
{
	char path[PATH_MAX], class[16];
	long max;
	int length = snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/class", sysfs, address);
	if (length < 0 || (size_t)length >= sizeof(path) ||
	    sysfs_read(path, class, sizeof(class)) ||
	    strncmp(class, CLASS_NETWORK, strlen(CLASS_NETWORK)) != 0)
		return false;
	length = snprintf(
		path, sizeof(path), "%s/bus/pci/devices/%s/sriov_totalvfs", sysfs, address
	);
	return length > 0 && (size_t)length < sizeof(path) && !sysfs_read_number(path, &max) &&
		max > 0;
}

bool modules_want_vfio(const char *sysfs)
{
	char path[PATH_MAX];
	bool found = false;
	int length = snprintf(path, sizeof(path), "%s/bus/pci/drivers/" FUNCTION_VFIO, sysfs);
	if (length < 0 || (size_t)length >= sizeof(path) || sysfs_is_there(path))
		return false;
	length = snprintf(path, sizeof(path), "%s/bus/pci/devices", sysfs);
	DIR *dir = length > 0 && (size_t)length < sizeof(path) ? opendir(path) : NULL;
	if (!dir)
		return false;
	for (const struct dirent *entry = readdir(dir); !found && entry; entry = readdir(dir))
		found = entry->d_name[0] != '.' && is_nic_with_functions(sysfs, entry->d_name);
	(void)closedir(dir); // Only read.
	return found;
}

void functions_load_vfio(const char *sysfs)
{
	if (modules_want_vfio(sysfs))
		load(FUNCTION_VFIO);
}
