// SPDX-License-Identifier: BSD-3-Clause
// The process that has the memory last. It runs on a stack of its own within the shared memory and beside threads that know nothing of
// it, so it calls no library function that keeps state; not even errno is its own.
#include "switch/memhold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE 16384
#define PIPE_FD 0 // The reading end, in that process.

#define ALLOW(call)                                        \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

// Numbers of another architecture mean other calls; there, too, these two are all.
static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(SYS_read),
	ALLOW(SYS_exit),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static struct sock_fprog program = {
	.len = sizeof(filter) / sizeof(filter[0]),
	.filter = filter,
};

static void end(void)
{
	(void)syscall(SYS_exit, 0); // Does not return.
}

// The pipe's other end is the switch's alone: when that is gone, the read ends.
static int hold(void *arg)
{
	const int *pipe_fd = arg;
	char byte;

	if ((*pipe_fd != PIPE_FD && syscall(SYS_dup3, *pipe_fd, PIPE_FD, 0) < 0) ||
	    syscall(SYS_close_range, PIPE_FD + 1, ~0u, 0) < 0 ||
	    syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		end();
	while (syscall(SYS_read, PIPE_FD, &byte, sizeof(byte)) != 0)
		continue;
	end();
	return 0;
}

int memhold_start(struct rwy_err *err)
{
	static int fds[2]; // The child reads them later.
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK;

	uint8_t *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (stack == MAP_FAILED || pipe2(fds, O_CLOEXEC))
		return err_set(err, -errno, "cannot hold the memory: %s", strerror(errno));
	// Its end tells nobody here: there is no handler of SIGCHLD, and no parent when it comes.
	if (clone(hold, stack + STACK_SIZE, CLONE_VM | CLONE_FS | SIGCHLD, &fds[0]) < 0)
		return err_set(err, -errno, "cannot hold the memory: %s", strerror(errno));
	// fds[0] stays open here: whether the child has its copy yet is not known. fds[1] ends with this process.
	return 0;
}
