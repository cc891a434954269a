// SPDX-License-Identifier: BSD-3-Clause
// inject TID CALL: has a thread of a running process make a system call, as one that a peer has taken over would, and says what became of it:
//   "returned N"   the call came back, and the process goes on as before
//   "ended by N"   the process was killed by signal N
// Exit status 0 in both cases, 1 where it could not be done, 77 on machines that it is not made for. Root only.
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
int main(void)
{
	(void)puts("made for x86-64");
	return 77;
}
#else
#include <sys/user.h>

#define TEXT_BELOW 4096 // Below the stack pointer and what a function may keep there.
#define SYSCALL_SIZE 2	// 0f 05.

// An argument that is the address of the text below.
#define TEXT INT64_MIN

static const char text[16] = "/etc/passwd";

static const struct call {
	const char *name;
	long number;
	int64_t args[6];
} calls[] = {
	{"getpid",
	 SYS_getpid,
	 {0}}, // Allowed: shows that the rest is not ended by the way it is made.
	{"openat", SYS_openat, {-100, TEXT, 0}},
	{"open", SYS_open, {TEXT, 0}},
	{"openat-write", SYS_openat, {-100, TEXT, 1}},
	{"socket", SYS_socket, {1, 1, 0}},
	{"socket-inet", SYS_socket, {2, 1, 0}},
	{"socket-packet", SYS_socket, {17, 3, 0}},
	{"execve", SYS_execve, {TEXT, 0, 0}},
	{"ptrace", SYS_ptrace, {0}},
	{"fork", SYS_fork, {0}},
	{"clone", SYS_clone, {17}},
	{"kill", SYS_kill, {1, 0}},
	{"mprotect", SYS_mprotect, {0, 4096, 5}},
	{"mount", SYS_mount, {TEXT, TEXT, 0, 0, 0}},
	{"unshare", SYS_unshare, {0x10000000}},
	{"setuid", SYS_setuid, {0}},
	{"prctl", SYS_prctl, {4, 1}},
	{"bpf", SYS_bpf, {0, TEXT, 8}},
	{"io_uring_setup", SYS_io_uring_setup, {1, TEXT}},
	{"process_vm_readv", SYS_process_vm_readv, {1, TEXT, 1, TEXT, 1, 0}},
	{"memfd_create", SYS_memfd_create, {TEXT, 0}},
};

static int fail(const char *what)
{
	(void)fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	return 1;
}

// Until it stops or ends; stops of other kinds go on. The status, or -1.
static int await(pid_t tid)
{
	int status;
	while (waitpid(tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static bool is_syscall(pid_t tid, uint64_t at)
{
	errno = 0;
	long word = ptrace(PTRACE_PEEKTEXT, tid, at, NULL);
	return errno == 0 && (word & 0xffff) == 0x050f;
}

// Stops the thread where the instruction before the next one is a system call: while it sleeps in one, or at the next that it makes.
static int stop_at_call(pid_t tid, struct user_regs_struct *ret_regs)
{
	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, tid, 0, 0) || await(tid) < 0 ||
	    ptrace(PTRACE_GETREGS, tid, 0, ret_regs))
		return -1;
	if (is_syscall(tid, ret_regs->rip - SYSCALL_SIZE))
		return 0;
	// Its entry, then its end.
	for (int i = 0; i < 2; i++)
		if (ptrace(PTRACE_SYSCALL, tid, 0, 0) || await(tid) < 0)
			return -1;
	return ptrace(PTRACE_GETREGS, tid, 0, ret_regs) ? -1 : 0;
}

static int write_text(pid_t tid, uint64_t at)
{
	for (size_t i = 0; i < sizeof(text); i += sizeof(long)) {
		long word;
		memcpy(&word, text + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, tid, at + i, word))
			return -1;
	}
	return 0;
}

static uint64_t value_of(int64_t arg, uint64_t text_at)
{
	return arg == TEXT ? text_at : (uint64_t)arg;
}

static int set_call(pid_t tid, const struct user_regs_struct *before, const struct call *call)
{
	struct user_regs_struct regs = *before;
	uint64_t at = (before->rsp - TEXT_BELOW) & ~UINT64_C(15);
	if (write_text(tid, at))
		return -1;
	regs.rip = before->rip - SYSCALL_SIZE;
	regs.rax = (uint64_t)call->number;
	regs.orig_rax = UINT64_MAX; // No call is to be made again.
	regs.rdi = value_of(call->args[0], at);
	regs.rsi = value_of(call->args[1], at);
	regs.rdx = value_of(call->args[2], at);
	regs.r10 = value_of(call->args[3], at);
	regs.r8 = value_of(call->args[4], at);
	regs.r9 = value_of(call->args[5], at);
	return ptrace(PTRACE_SETREGS, tid, 0, &regs) ? -1 : 0;
}

// Up to the end of the call: 0 with the registers after it, the signal that ended the process, or -1.
static int run_call(pid_t tid, struct user_regs_struct *ret_after)
{
	for (int stops = 0; stops < 2;) {
		if (ptrace(PTRACE_SYSCALL, tid, 0, 0) && errno != ESRCH)
			return -1;
		int status = await(tid);
		if (status >= 0 && WIFSIGNALED(status))
			return WTERMSIG(status);
		if (status < 0 || WIFEXITED(status))
			return -1;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) // Its entry, its end.
			stops++;
	}
	return ptrace(PTRACE_GETREGS, tid, 0, ret_after) ? -1 : 0;
}

// A filter lets the call come back and ends the process only then: it goes on to the next call of its own.
static int restore(pid_t tid, const struct user_regs_struct *before)
{
	if (ptrace(PTRACE_SETREGS, tid, 0, before) || ptrace(PTRACE_SYSCALL, tid, 0, 0))
		return -1;
	int status = await(tid);
	if (status >= 0 && WIFSIGNALED(status))
		return WTERMSIG(status);
	return status < 0 || WIFEXITED(status) ? -1 : 0;
}

static int inject(pid_t tid, const struct call *call)
{
	struct user_regs_struct before;
	struct user_regs_struct after;
	if (stop_at_call(tid, &before))
		return fail("cannot stop it");
	if (set_call(tid, &before, call))
		return fail("cannot set its registers");
	int r = run_call(tid, &after);
	// As if a signal had come: what the kernel would make again by itself (-512 and on) it does not make again from here.
	if ((int64_t)before.rax <= -512 && (int64_t)before.rax >= -516)
		before.rax = (uint64_t)-EINTR;
	before.orig_rax = UINT64_MAX;
	if (r == 0)
		r = restore(tid, &before);
	if (r < 0)
		return fail("cannot run the call");
	if (r > 0)
		(void)printf("ended by %d\n", r);
	else
		(void)printf("returned %lld\n", (long long)after.rax);
	return r == 0 && ptrace(PTRACE_DETACH, tid, 0, 0) ? fail("cannot let it go") : 0;
}

int main(int argc, char **argv)
{
	if (argc == 3) {
		pid_t tid = (pid_t)strtol(argv[1], NULL, 10);
		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			if (strcmp(calls[i].name, argv[2]) == 0)
				return inject(tid, &calls[i]);
	}
	(void)fprintf(stderr, "usage: inject TID CALL, where CALL is one of:");
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		(void)fprintf(stderr, " %s", calls[i].name);
	(void)fputc('\n', stderr);
	return 2;
}
#endif
