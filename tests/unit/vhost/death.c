// SPDX-License-Identifier: BSD-3-Clause
// Kills a child at a chosen system call or instruction by ptrace(2). Runs on the test's only thread.
#include "tests/unit/vhost/death.h"

#include "tests/lib/unit.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNTRACED 77

_Noreturn static void run_child(void (*act)(void *ctx), void *ctx)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(UNTRACED);
	(void)raise(SIGSTOP);
	act(ctx);
	_exit(0);
}

// Goes on to the next stop; false: it has ended by itself, as it should.
static bool go_on(pid_t pid, bool by_instruction)
{
	int status;

	assert_int_equal(
		ptrace(by_instruction ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, pid, NULL, NULL), 0
	);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return false;
	}
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), SIGTRAP);
	return true;
}

enum death death_run(void (*act)(void *ctx), void *ctx, unsigned int stop, unsigned int steps)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		run_child(act, ctx);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == UNTRACED)
		return DEATH_UNTRACED;
	assert_true(WIFSTOPPED(status));
	for (unsigned int i = 0; i < stop + steps; i++)
		if (!go_on(pid, i >= stop))
			return DEATH_AFTER;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return DEATH_MET;
}
