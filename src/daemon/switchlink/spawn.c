// SPDX-License-Identifier: BSD-3-Clause
// fork and exec of the switch. Main thread; the child does only what is async-signal-safe, since
// other threads may hold locks at the fork.
#include "daemon/switchlink/spawn.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/walls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPAWN_SOCK_FD 3 // The switch finds it there; SD_LISTEN_FDS_START of sd_listen_fds(3), too.
#define SPAWN_KEEPER_FD 4 // The keeper of its walls.
#define SPAWN_FD_LOW 16	  // Ours move up here, out of the way of those.
#define SPAWN_ENV_MAX 256
#define SPAWN_ARGS_MAX 9 // The name, an option, three with values, NULL.
#define SPAWN_PID_DIGITS 11

// All that the child needs, made before the fork.
struct spawn {
	int binary_fd; // Opened by us: the switch's user may not reach the path.
	int sock;
	int report_fd; // The child writes its errno here; exec closes it.
	bool drop_user;
	uid_t uid;
	gid_t gid;
	char listen_pid[sizeof("LISTEN_PID=") + SPAWN_PID_DIGITS];
	const char *args[SPAWN_ARGS_MAX];
	const char *env[SPAWN_ENV_MAX];
};

static void write_pid(char *text, pid_t pid)
{
	char digits[SPAWN_PID_DIGITS];
	size_t count = 0;
	do
		digits[count++] = (char)('0' + pid % 10);
	while ((pid /= 10) && count < sizeof(digits));
	while (count)
		*text++ = digits[--count];
	*text = '\0';
}

static void child_fail(const struct spawn *spawn)
{
	int code = errno;
	ssize_t written = write(spawn->report_fd, &code, sizeof(code));
	_exit(written == sizeof(code) ? 126 : 127);
}

// Whatever the program is, it never has a capability: what it takes to leave the host's files stays with its keeper.
static void child_wall_in(const struct spawn *spawn)
{
	int keeper = walls_open();
	if (keeper < 0) {
		errno = -keeper;
		child_fail(spawn);
	}
	if (dup2(keeper, SPAWN_KEEPER_FD) < 0)
		child_fail(spawn);
	(void)walls_drop_bounding(); // Where that is not allowed, no_new_privs makes it worthless.
}

static void child_run(struct spawn *spawn)
{
	sigset_t none;
	sigemptyset(&none);
	// These have no way to fail with these arguments.
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	write_pid(spawn->listen_pid + strlen("LISTEN_PID="), getpid());
	if (setsid() < 0 || dup2(spawn->sock, SPAWN_SOCK_FD) < 0)
		child_fail(spawn);
	child_wall_in(spawn);
	// All of ours are close-on-exec already; a library's may not be. Older kernels lack the
	// call.
	(void)close_range(SPAWN_KEEPER_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	if (spawn->drop_user &&
	    (setgroups(0, NULL) || setresgid(spawn->gid, spawn->gid, spawn->gid) ||
	     setresuid(spawn->uid, spawn->uid, spawn->uid)))
		child_fail(spawn);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		child_fail(spawn);
	(void)execveat(
		spawn->binary_fd,
		"",
		(char *const *)spawn->args,
		(char *const *)spawn->env,
		AT_EMPTY_PATH
	);
	child_fail(spawn);
}

static bool env_is_kept(const char *entry)
{
	static const char *const dropped[] = {
		"LISTEN_PID=",
		"LISTEN_FDS=",
		"LISTEN_FDNAMES=",
		"NOTIFY_SOCKET=",
		"WATCHDOG_",
		(WALLS_ENV "=")};
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (strncmp(entry, dropped[i], strlen(dropped[i])) == 0)
			return false;
	return true;
}

static void fill_env(struct spawn *spawn)
{
	size_t count = 0;
	(void)snprintf(spawn->listen_pid, sizeof(spawn->listen_pid), "LISTEN_PID="); // It fits.
	spawn->env[count++] = "LISTEN_FDS=1";
	spawn->env[count++] = spawn->listen_pid;
	spawn->env[count++] = WALLS_ENV "=4"; // SPAWN_KEEPER_FD.
	for (char **entry = environ; *entry && count < SPAWN_ENV_MAX - 1; entry++)
		if (env_is_kept(*entry))
			spawn->env[count++] = *entry;
}

static void fill_args(struct spawn *spawn, const struct spawn_config *config)
{
	size_t count = 0;
	spawn->args[count++] = "ringway-switch";
	spawn->args[count++] = "--spare";
	const char *const options[][2] = {
		{"--cores", config->cores}, {"--poll", config->poll}, {"--quiet", config->quiet}};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!options[i][1])
			continue;
		spawn->args[count++] = options[i][0];
		spawn->args[count++] = options[i][1];
	}
}

static int find_user(struct spawn *spawn, const char *user, struct rwy_err *err)
{
	if (geteuid() != 0)
		return 0; // Only root can be another one.
	const struct passwd *entry = getpwnam(user);
	if (!entry) {
		log_warn("there is no user '%s': the switch runs as nobody", user);
		entry = getpwnam("nobody");
	}
	if (!entry)
		return err_set(err, -ENOENT, "there is neither a user '%s' nor nobody", user);
	spawn->drop_user = true;
	spawn->uid = entry->pw_uid;
	spawn->gid = entry->pw_gid;
	return 0;
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

static int fork_child(struct spawn *spawn, pid_t *ret_pid)
{
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC))
		return -errno;
	_cleanup_close_ int read_end = pipe_fds[0];
	_cleanup_close_ int write_end = pipe_fds[1];
	_cleanup_close_ int report = fcntl(write_end, F_DUPFD_CLOEXEC, SPAWN_FD_LOW);
	if (report < 0)
		return -errno;
	spawn->report_fd = report;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_run(spawn);
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

int spawn_switch(
	const struct spawn_config *config,
	int binary_fd,
	int sock,
	pid_t *ret_pid,
	struct rwy_err *err
)
{
	struct spawn spawn = {0};
	_cleanup_close_ int binary_high = fcntl(binary_fd, F_DUPFD_CLOEXEC, SPAWN_FD_LOW);
	_cleanup_close_ int sock_high = fcntl(sock, F_DUPFD_CLOEXEC, SPAWN_FD_LOW);
	if (binary_high < 0 || sock_high < 0)
		return err_set(err, -errno, "cannot duplicate descriptors: %s", strerror(errno));
	spawn.binary_fd = binary_high;
	spawn.sock = sock_high;
	fill_env(&spawn);
	fill_args(&spawn, config);
	int r = find_user(&spawn, config->user, err);
	if (r)
		return r;
	r = fork_child(&spawn, ret_pid);
	return r ? err_set(err, r, "%s", strerror(-r)) : 0;
}
