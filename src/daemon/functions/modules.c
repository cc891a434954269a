// SPDX-License-Identifier: BSD-3-Clause
// Kernel modules, by modprobe, which knows where they are and what they need. Any thread; it waits.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
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

int modules_load(const char *name)
{
	pid_t pid;
	int status = 0;
	int r = start(name, &pid);
	if (r)
		return r;
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	// A module whose start hangs in the kernel is left to it.
	if (fd >= 0 && poll(&ready, 1, LOAD_MS) == 0)
		(void)kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOENT;
}
