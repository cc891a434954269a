// SPDX-License-Identifier: BSD-3-Clause
// Runs another program to its end. Any thread; it waits, for as long as the caller allows. Input and output are
// files in memory, so neither side can hold up the other.
#include "daemon/firewall/command.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define OUTPUT_MAX (16U << 20) // More than any rule set that a person could have written.

struct streams {
	int fd[3]; // What becomes its standard input, output and error.
};

static void streams_close(struct streams *streams)
{
	for (int i = 0; i < 3; i++)
		fd_close(&streams->fd[i]);
}

static int streams_open(struct streams *streams, const char *input)
{
	for (int i = 0; i < 3; i++) {
		streams->fd[i] = memfd_create("command", MFD_CLOEXEC);
		if (streams->fd[i] < 0)
			return -errno;
	}
	for (size_t left = input ? strlen(input) : 0; left;) {
		ssize_t written = write(streams->fd[0], input, left);
		if (written < 0)
			return -errno;
		input += written;
		left -= (size_t)written;
	}
	return lseek(streams->fd[0], 0, SEEK_SET) < 0 ? -errno : 0;
}

static int read_all(int fd, char **ret_text)
{
	struct stat stat;
	if (fstat(fd, &stat))
		return -errno;
	if (stat.st_size > (off_t)OUTPUT_MAX)
		return -EFBIG;
	size_t size = (size_t)stat.st_size;
	_cleanup_free_ char *text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	size_t used = 0;
	while (used < size) {
		ssize_t got = pread(fd, text + used, size - used, (off_t)used);
		if (got < 0)
			return -errno;
		if (!got)
			break;
		used += (size_t)got;
	}
	text[used] = '\0';
	*ret_text = text;
	text = NULL;
	return 0;
}

// posix_spawn's functions return errno values.
static int start(const char *const *argv, const struct streams *streams, pid_t *ret_pid)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	static char *const environment[] = {path, locale, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	sigset_t all;
	sigemptyset(&none);
	sigfillset(&all);
	int r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	for (int i = 0; i < 3 && !r; i++)
		r = posix_spawn_file_actions_adddup2(&actions, streams->fd[i], i);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (!r)
		r = posix_spawnattr_setsigmask(&attributes, &none);
	if (!r)
		r = posix_spawnattr_setsigdefault(&attributes, &all);
	if (!r)
		r = posix_spawnattr_setflags(
			&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
		);
	if (!r)
		r = posix_spawn(
			ret_pid, argv[0], &actions, &attributes, (char *const *)argv, environment
		);
	// These free memory, at most.
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int await(pid_t pid, int timeout_ms, int *ret_status)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	int r = 0;
	int ready = -1;
	if (pidfd >= 0)
		do
			ready = poll(&poll_fd, 1, timeout_ms);
		while (ready < 0 && errno == EINTR);
	if (ready <= 0) {
		r = ready ? -errno : -ETIMEDOUT;
		(void)kill(pid, SIGKILL); // It is our child, and not yet waited for.
	}
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return r;
}

static int explain(
	const char *program,
	int code,
	const struct streams *streams,
	struct rwy_err *err
)
{
	_cleanup_free_ char *said = NULL;
	if (code != -EIO || read_all(streams->fd[2], &said) || !said || !said[0])
		return err_set(err, code, "cannot run %s: %s", program, strerror(-code));
	said[strcspn(said, "\n")] = '\0';
	return err_set(err, code, "%s failed: %.300s", program, said);
}

int command_run(
	const char *const *argv,
	const char *input,
	int timeout_ms,
	char **ret_output,
	struct rwy_err *err
)
{
	struct streams streams = {{-1, -1, -1}};
	pid_t pid = -1;
	int status = 0;
	int r = streams_open(&streams, input);
	if (!r)
		r = start(argv, &streams, &pid);
	if (!r)
		r = await(pid, timeout_ms, &status);
	if (!r && (!WIFEXITED(status) || WEXITSTATUS(status)))
		r = -EIO;
	if (!r)
		r = read_all(streams.fd[1], ret_output);
	if (r)
		explain(argv[0], r, &streams, err);
	streams_close(&streams);
	return r;
}
