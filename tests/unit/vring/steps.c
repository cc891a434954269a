// SPDX-License-Identifier: BSD-3-Clause
// Single steps by ptrace(2): the child runs the function, the parent stops it behind each instruction and compares. Runs on
// the test's only thread.
#include "tests/unit/vring/steps.h"

#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNTRACED 77

_Noreturn static void run_child(const struct steps *steps)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(UNTRACED);
	(void)raise(SIGSTOP);
	steps->act(steps->ctx);
	(void)raise(SIGSTOP); // The rest is not looked at.
	_exit(0);
}

// Where the pieces are.
static uint32_t list_pieces(const struct steps *steps, struct iovec *ret_iov, size_t *ret_size)
{
	*ret_size = 0;
	for (uint32_t i = 0; i < steps->piece_count; i++) {
		ret_iov[i] = (struct iovec){steps->piece[i].at, steps->piece[i].size};
		*ret_size += steps->piece[i].size;
	}
	return steps->piece_count;
}

static void push(const struct steps *steps, pid_t pid)
{
	struct iovec iov[STEPS_PIECES_MAX];
	size_t size;
	uint32_t count = list_pieces(steps, iov, &size);

	assert_int_equal(process_vm_writev(pid, iov, count, iov, count, 0), size);
}

// Whether the child has written to a piece since the last time; then it is copied.
static bool pull(const struct steps *steps, pid_t pid, uint8_t *space)
{
	struct iovec iov[STEPS_PIECES_MAX];
	bool changed = false;
	size_t size;
	uint32_t count = list_pieces(steps, iov, &size);
	struct iovec all = {space, size};

	assert_int_equal(process_vm_readv(pid, &all, 1, iov, count, 0), size);
	for (uint32_t i = 0; i < count; i++) {
		if (memcmp(space, iov[i].iov_base, iov[i].iov_len) != 0) {
			memcpy(iov[i].iov_base, space, iov[i].iov_len);
			changed = true;
		}
		space += iov[i].iov_len;
	}
	return changed;
}

static uint32_t follow(const struct steps *steps, pid_t pid)
{
	struct iovec iov[STEPS_PIECES_MAX];
	size_t size;
	uint32_t step = 0;
	int status;

	(void)list_pieces(steps, iov, &size);
	uint8_t *space = malloc(size ? size : 1);
	assert_non_null(space);
	for (;;) {
		steps->seen(steps->ctx, step);
		push(steps, pid);
		do {
			assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_true(WIFSTOPPED(status));
		} while (WSTOPSIG(status) == SIGTRAP && !pull(steps, pid, space));
		if (WSTOPSIG(status) != SIGTRAP)
			break;
		step++;
	}
	assert_int_equal(WSTOPSIG(status), SIGSTOP);
	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	free(space);
	return step;
}

int steps_run(const struct steps *steps)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		run_child(steps);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == UNTRACED)
		return -ENOSYS;
	assert_true(WIFSTOPPED(status));
	return (int)follow(steps, pid);
}

bool steps_check(void (*check)(void *ctx), void *ctx)
{
	const struct rlimit none = {0, 0};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		// A failed assertion must not go on with the next test here.
		(void)setenv("CMOCKA_TEST_ABORT", "1", 1);
		(void)setrlimit(RLIMIT_CORE, &none);
		check(ctx);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
