// SPDX-License-Identifier: BSD-3-Clause
// Kills a process at its N-th system call: kill-at PID N. It stops all threads of PID at each call's entry, counts them,
// and sends SIGKILL at the N-th, which is not carried out any more. Says "ready" when it counts; the end of its stdin ends
// the counting and lets PID go on. Then it prints one line: "killed N CALL" or "counted N 0", where CALL is the number of
// the call. N 0 counts only. Children that PID starts are not stopped. One thread.

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 256
#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE)
#define CALL_STOP (SIGTRAP | 0x80) // PTRACE_O_TRACESYSGOOD's mark.

struct tracer {
	pid_t pid;
	uint64_t wanted;
	uint64_t count;
	uint64_t call;
	bool killed;
	bool ended; // PID is gone.
	pid_t known[THREADS_MAX];
	size_t known_count;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "kill-at: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static bool is_known(const struct tracer *tracer, pid_t thread)
{
	for (size_t i = 0; i < tracer->known_count; i++)
		if (tracer->known[i] == thread)
			return true;
	return false;
}

// Seizes the threads that are there and not known yet. How many.
static int seize_new(struct tracer *tracer)
{
	char path[32];
	int count = 0;
	const struct dirent *entry;
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)tracer->pid);
	DIR *dir = opendir(path);
	if (!dir)
		die(path);
	while ((entry = readdir(dir))) {
		pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
		if (thread <= 0 || is_known(tracer, thread) || tracer->known_count == THREADS_MAX)
			continue;
		if (ptrace(PTRACE_SEIZE, thread, NULL, OPTIONS)) {
			if (errno == ESRCH || errno == EPERM)
				continue; // It has ended, or came to us as a thread of one that we have.
			die("PTRACE_SEIZE");
		}
		(void)ptrace(PTRACE_INTERRUPT, thread, NULL, NULL); // It may have ended.
		tracer->known[tracer->known_count++] = thread;
		count++;
	}
	(void)closedir(dir); // Read only.
	return count;
}

// Ends when our stdin does: its end is what waitpid() sees.
static pid_t start_watcher(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	char byte;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(EXIT_FAILURE);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	_exit(EXIT_SUCCESS);
}

static void on_call(struct tracer *tracer, pid_t thread)
{
	struct __ptrace_syscall_info info = {0};
	long size = ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info);
	if (size <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY || tracer->killed)
		return;
	tracer->count++;
	if (tracer->count != tracer->wanted)
		return;
	tracer->call = info.entry.nr;
	tracer->killed = true;
	if (kill(tracer->pid, SIGKILL))
		die("kill");
}

static void on_stop(struct tracer *tracer, pid_t thread, int status)
{
	int signal = WSTOPSIG(status);
	int event = status >> 16;
	if (signal == CALL_STOP)
		on_call(tracer, thread);
	// Stops of ptrace's own are no signals; those of all threads (SIGSTOP) are not used here.
	if (signal == CALL_STOP || event)
		signal = 0;
	(void)ptrace(PTRACE_SYSCALL, thread, NULL, (long)signal); // It may have been killed.
}

static void run(struct tracer *tracer, pid_t watcher)
{
	bool counting = true;
	while (counting || (tracer->killed && !tracer->ended)) {
		int status = 0;
		pid_t thread = waitpid(-1, &status, __WALL);
		if (thread < 0)
			return;
		if (thread == watcher)
			counting = false;
		else if (WIFSTOPPED(status))
			on_stop(tracer, thread, status);
		else if (thread == tracer->pid)
			tracer->ended = true;
	}
}

int main(int argc, char **argv)
{
	struct tracer tracer = {0};
	if (argc == 3) {
		tracer.pid = (pid_t)strtol(argv[1], NULL, 10);
		tracer.wanted = strtoull(argv[2], NULL, 10);
	}
	if (tracer.pid <= 0) {
		(void)fprintf(stderr, "usage: kill-at PID N\n");
		return 2;
	}
	// Threads that come while they are listed show the next time round.
	while (seize_new(&tracer))
		continue;
	pid_t watcher = start_watcher();
	(void)printf("ready\n");
	(void)fflush(stdout); // A reader that is gone shows as the end of stdin.
	run(&tracer, watcher);
	(void
	)printf("%s %llu %llu\n",
		tracer.killed ? "killed" : "counted",
		(unsigned long long)tracer.count,
		(unsigned long long)tracer.call);
	return EXIT_SUCCESS;
}
