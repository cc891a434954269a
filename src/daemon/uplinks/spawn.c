// SPDX-License-Identifier: BSD-3-Clause
// fork and exec of ringway-uplink: a process of its own session, which outlives us. The uplinks' thread; the child does only
// what is async-signal-safe, since other threads may hold locks at the fork.
#include "base/cleanup.h"
#include "daemon/uplinks/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL_FD 3
#define FD_LOW 16 // Ours move up here, out of the way of descriptor 3.

struct child {
	const char *binary;
	int control_fd;
	int report_fd; // The child writes its errno here; exec closes it.
	const char *args[8];
};

static void run(const struct child *child)
{
	sigset_t none;
	sigemptyset(&none);
	// These have no way to fail with these arguments.
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() >= 0 && dup2(child->control_fd, CONTROL_FD) >= 0) {
		// All of ours are close-on-exec; a library's may not be. Older kernels lack the call.
		(void)close_range(CONTROL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
		(void
		)execv(child->binary, (char *const *)child->args); // Returns only when it failed.
	}
	int code = errno;
	ssize_t written = write(child->report_fd, &code, sizeof(code));
	_exit(written == sizeof(code) ? 126 : 127);
}

// Waits until the child runs the program or says why it does not.
static int read_report(int fd)
{
	int code = 0;
	ssize_t size;
	do
		size = read(fd, &code, sizeof(code));
	while (size < 0 && errno == EINTR);
	return size == sizeof(code) ? -code : 0;
}

int uplinks_spawn(const char *binary, const char *args, uint32_t mtu, int listen_fd, pid_t *ret_pid)
{
	int pipe_fds[2];
	char mtu_text[16];
	(void)snprintf(mtu_text, sizeof(mtu_text), "%u", mtu); // It fits.
	if (pipe2(pipe_fds, O_CLOEXEC))
		return -errno;
	_cleanup_close_ int read_end = pipe_fds[0];
	_cleanup_close_ int write_end = pipe_fds[1];
	_cleanup_close_ int report = fcntl(write_end, F_DUPFD_CLOEXEC, FD_LOW);
	_cleanup_close_ int control = fcntl(listen_fd, F_DUPFD_CLOEXEC, FD_LOW);
	if (report < 0 || control < 0)
		return -errno;
	const struct child child = {
		.binary = binary,
		.control_fd = control,
		.report_fd = report,
		.args =
			{"ringway-uplink",
			 "--control-fd=3",
			 "--device",
			 args,
			 "--mtu",
			 mtu_text,
			 NULL},
	};
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(&child);
	fd_close(&report);
	fd_close(&write_end);
	int r = read_report(read_end);
	if (r) {
		(void)waitpid(pid, NULL, 0); // It has ended; its status says no more.
		return r;
	}
	*ret_pid = pid;
	return 0;
}
