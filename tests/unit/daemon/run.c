// SPDX-License-Identifier: BSD-3-Clause
// Starts and ends ringwayd and talks to its API, for tests. One thread.
#include "tests/unit/daemon/run.h"

#include "base/cleanup.h"
#include "base/fields.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_TRIES 3000
#define RUN_PAUSE_US 10000

void run_make(struct run *run)
{
	*run = (struct run){0};
	(void)snprintf(run->dir, sizeof(run->dir), "/tmp/ringwayd-test-XXXXXX");
	assert_non_null(mkdtemp(run->dir));
	assert_int_equal(chmod(run->dir, 0755), 0);
	(void)snprintf(run->run_dir, sizeof(run->run_dir), "%s/run", run->dir);
	(void)snprintf(run->state_dir, sizeof(run->state_dir), "%s/state", run->dir);
	(void)snprintf(run->log, sizeof(run->log), "%s/log", run->dir);
}

static void print_log(const struct run *run)
{
	char text[8192] = "";
	_cleanup_close_ int fd = open(run->log, O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, text, sizeof(text) - 1);
	text[size > 0 ? size : 0] = '\0';
	print_message("%s", text);
}

static void fork_ringwayd(struct run *run)
{
	run->pid = fork();
	assert_true(run->pid >= 0);
	if (run->pid)
		return;
	int log = open(run->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int null = open("/dev/null", O_RDWR);
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0)
		_exit(99);
	const char *program = getenv("RINGWAYD");
	if (!program)
		_exit(97);
	(void
	)execl(program,
	       "ringwayd",
	       "--run-dir",
	       run->run_dir,
	       "--state-dir",
	       run->state_dir,
	       "--switch-binary",
	       getenv("FAKE_SWITCH"),
	       "--switch-user",
	       "nobody",
	       "--no-docker",
	       "--no-kernel-ports",
	       "--group",
	       "root",
	       run->no_spare ? "--no-spare" : NULL,
	       NULL);
	_exit(98);
}

void run_start(struct run *run)
{
	fork_ringwayd(run);
	for (int i = 0; i < RUN_TRIES; i++) {
		if (waitpid(run->pid, NULL, WNOHANG) != 0) {
			run->pid = 0;
			break;
		}
		if (run_switch_pid(run))
			return;
		(void)usleep(RUN_PAUSE_US);
	}
	print_log(run);
	fail_msg("ringwayd does not serve");
}

int run_fork(struct run *run)
{
	int status = 0;
	fork_ringwayd(run);
	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	run->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void run_kill(struct run *run, int signal)
{
	int status = 0;
	assert_int_equal(kill(run->pid, signal), 0);
	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	run->pid = 0;
	if (signal != SIGKILL && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		print_log(run);
		fail_msg("ringwayd ended with wait status 0x%x", status);
	}
}

static int remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void run_remove(struct run *run)
{
	if (run->pid)
		run_kill(run, SIGINT);
	// Switches that came to us when their ringwayd was killed; all have ended.
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	assert_int_equal(nftw(run->dir, remove_file, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int run_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	return fd_take(&fd);
}

static size_t exchange(const struct run *run, const char *request, char *answer, size_t size)
{
	char path[128];
	size_t used = 0;
	ssize_t n;
	(void)snprintf(path, sizeof(path), "%s/api.sock", run->run_dir);
	_cleanup_close_ int fd = run_connect(path);
	if (fd < 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return 0;
	while ((n = recv(fd, answer + used, size - 1 - used, 0)) > 0)
		used += (size_t)n;
	answer[used] = '\0';
	return used;
}

int run_call(
	const struct run *run,
	const char *method,
	const char *url,
	const char *body,
	json_t **ret_answer
)
{
	static char answer[262144];
	char request[8192];
	int size = snprintf(
		request,
		sizeof(request),
		"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
		method,
		url,
		strlen(body),
		body
	);
	assert_true(size > 0 && (size_t)size < sizeof(request));
	*ret_answer = NULL;
	if (!exchange(run, request, answer, sizeof(answer)))
		return 0;
	char *text = strstr(answer, "\r\n\r\n");
	int status = (int)strtol(answer + strlen("HTTP/1.1 "), NULL, 10);
	assert_non_null(text);
	*ret_answer = json_loads(text, 0, NULL);
	assert_true(json_is_object(*ret_answer));
	return status;
}

void run_expect(
	const struct run *run,
	const char *call,
	const char *body,
	int status,
	const char *part
)
{
	char method[16];
	char url[256];
	json_t *answer = NULL;
	assert_int_equal(sscanf(call, "%15s %255s", method, url), 2);
	int got = run_call(run, method, url, body, &answer);
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	if (got != status || !text || !strstr(text, part)) {
		print_log(run);
		fail_msg("%s %s: wanted %d %s, got %d %s", call, body, status, part, got, text);
	}
	free(text);
	json_decref(answer);
}

void run_await(const struct run *run, const char *url, const char *part)
{
	for (int i = 0; i < RUN_TRIES; i++) {
		json_t *answer = NULL;
		(void)run_call(run, "GET", url, "", &answer); // Tried again.
		char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
		bool found = text && strstr(text, part);
		free(text);
		json_decref(answer);
		if (found)
			return;
		(void)usleep(RUN_PAUSE_US);
	}
	print_log(run);
	fail_msg("%s never has %s", url, part);
}

bool run_has_file(const struct run *run, const char *name)
{
	char path[256];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", run->dir, name);
	return lstat(path, &st) == 0;
}

pid_t run_switch_pid(const struct run *run)
{
	json_t *answer = NULL;
	json_int_t pid = 0;
	if (run_call(run, "GET", "/v1/version", "", &answer) == 200)
		pid = json_integer_value(json_object_get(json_object_get(answer, "switch"), "pid"));
	json_decref(answer);
	return (pid_t)pid;
}

void run_make_port(const struct run *run, const char *name, const char *more)
{
	char body[512];
	(void)snprintf(
		body,
		sizeof(body),
		"{\"name\":\"%s\",\"network\":\"n\",\"attach\":\"vhost\"%s}",
		name,
		more
	);
	run_expect(run, "POST /v1/ports", body, 201, "\"state\":\"waiting\"");
}

void run_make_network(const struct run *run)
{
	run_expect(
		run,
		"POST /v1/networks",
		"{\"name\":\"n\",\"subnet\":\"10.0.0.0/24\",\"gateway\":\"10.0.0.1\"}",
		201,
		"\"mtu\":1500"
	);
}
