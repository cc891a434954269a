// SPDX-License-Identifier: BSD-3-Clause
// Runs the engine's command line as a child. One thread, blocked while the child runs; signals come
// through a signalfd.
#include "cli/child.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static const int held[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};

struct child {
	pid_t pid;
	int pid_fd;		       // Readable when it has ended.
	int pipe;		       // What it writes, or -1.
	struct child_capture *capture; // NULL exactly when there was no pipe.
};

static void held_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		sigaddset(set, held[i]);
}

void child_signals_hold(sigset_t *ret_before)
{
	sigset_t set;
	held_set(&set);
	(void)sigprocmask(SIG_BLOCK, &set, ret_before); // Fails for wrong arguments only.
}

void child_signals_release(const sigset_t *before)
{
	(void)sigprocmask(SIG_SETMASK, before, NULL); // Fails for wrong arguments only.
}

static int start(
	const struct strv *argv,
	const struct child_capture *capture,
	int pipe_end,
	const sigset_t *mask,
	pid_t *ret_pid
)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r) {
		(void)posix_spawn_file_actions_destroy(&actions); // Cannot fail once made.
		return -r;
	}
	r = posix_spawnattr_setsigmask(&attributes, mask);
	if (!r)
		r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	int stream = capture && capture->from_stderr ? STDERR_FILENO : STDOUT_FILENO;
	if (!r && capture)
		r = posix_spawn_file_actions_adddup2(&actions, pipe_end, stream);
	if (!r && stream == STDERR_FILENO)
		r = posix_spawn_file_actions_addopen(
			&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0
		);
	if (!r)
		r = posix_spawnp(
			ret_pid, argv->items[0], &actions, &attributes, argv->items, environ
		);
	(void)posix_spawnattr_destroy(&attributes);	  // Cannot fail once made.
	(void)posix_spawn_file_actions_destroy(&actions); // Cannot fail once made.
	return -r;
}

// What does not fit is read and dropped, so that the child never waits.
static void read_pipe(struct child *child)
{
	char data[4096];
	ssize_t size = read(child->pipe, data, sizeof(data));
	if (size < 0 && errno == EINTR)
		return;
	if (size <= 0) {
		fd_close(&child->pipe);
		return;
	}
	struct child_capture *capture = child->capture;
	size_t room = sizeof(capture->text) - 1 - capture->used;
	size_t taken = (size_t)size < room ? (size_t)size : room;
	memcpy(capture->text + capture->used, data, taken);
	capture->used += taken;
}

static void end_capture(struct child_capture *capture)
{
	while (capture->used > 0 && capture->text[capture->used - 1] == '\n')
		capture->used--;
	capture->text[capture->used] = '\0';
}

static void pass_signal(const struct child *child, int number)
{
	bool typed = number == SIGINT || number == SIGQUIT;
	bool terminal = isatty(STDIN_FILENO) || isatty(STDOUT_FILENO) || isatty(STDERR_FILENO);
	if (typed && terminal)
		return;
	(void)kill(child->pid, number); // It may have ended just now.
}

// Waits for the child's end while reading what it writes. 0 or a negative errno.
static int attend(struct child *child, int signal_fd)
{
	struct pollfd fds[3] = {{.fd = child->pid_fd, .events = POLLIN}};
	while (!fds[0].revents) {
		struct signalfd_siginfo info;
		fds[1] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
		fds[2] = (struct pollfd){.fd = child->pipe, .events = POLLIN};
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[2].revents)
			read_pipe(child);
		if (fds[1].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info))
			pass_signal(child, (int)info.ssi_signo);
	}
	// What it left in the pipe, but not what a child of its own may still write.
	struct pollfd rest = {.fd = child->pipe, .events = POLLIN};
	while (child->pipe >= 0 && poll(&rest, 1, 0) > 0)
		read_pipe(child);
	return 0;
}

static int run_started(struct child *child, int *ret_status)
{
	sigset_t set;
	int ended = 0;
	held_set(&set);
	_cleanup_close_ int signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	child->pid_fd = pidfd_open(child->pid, 0);
	int r = signal_fd < 0 || child->pid_fd < 0 ? -errno : attend(child, signal_fd);
	fd_close(&child->pipe);
	fd_close(&child->pid_fd);
	// Without attention it is still waited for.
	if (waitpid(child->pid, &ended, 0) != child->pid)
		return r ? r : -errno;
	if (r)
		return r;
	if (child->capture)
		end_capture(child->capture);
	*ret_status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
	return 0;
}

int child_run(
	const struct strv *argv,
	struct child_capture *capture,
	int *ret_status,
	struct rwy_err *err
)
{
	struct child child = {.pid_fd = -1, .pipe = -1, .capture = capture};
	int ends[2] = {-1, -1};
	sigset_t mask;
	if (argv->failed || !argv->items)
		return err_set(err, -ENOMEM, "cannot run the engine's command: no memory");
	if (capture && pipe2(ends, O_CLOEXEC))
		return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	child.pipe = ends[0];
	_cleanup_close_ int write_end = ends[1];
	// The child gets the usual handling of signals, whoever holds them here.
	(void)sigprocmask(SIG_SETMASK, NULL, &mask); // Fails for wrong arguments only.
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		sigdelset(&mask, held[i]);
	int r = start(argv, capture, write_end, &mask, &child.pid);
	if (r)
		fd_close(&child.pipe);
	if (r == -ENOENT) {
		err_set(err, r, "cannot run '%s': there is no such program", argv->items[0]);
		return err_hint(err, "install Docker's command line, or name it in RINGWAY_DOCKER");
	}
	if (r)
		return err_set(err, r, "cannot run '%s': %s", argv->items[0], strerror(-r));
	fd_close(&write_end);
	r = run_started(&child, ret_status);
	if (r)
		return err_set(err, r, "cannot wait for '%s': %s", argv->items[0], strerror(-r));
	return 0;
}
