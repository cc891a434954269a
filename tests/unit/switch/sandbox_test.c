// SPDX-License-Identifier: BSD-3-Clause
// The switch's walls, from inside: each attempt is made by a child that has locked itself in as the switch does, and ends it.
#include "base/cleanup.h"
#include "switch/sandbox.h"
#include "tests/lib/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define ANY_FD 0 // Descriptors are not looked at before a call is refused.

// What a child ends with when the call came back.
enum {
	END_RETURNED = 3,
	END_UNLOCKED = 4
};

static char text[] = "/etc/passwd";
static char *no_args[] = {text, NULL};
static char block[PAGE] __attribute__((aligned(PAGE))); // Zeroes, for whatever a call takes.

// A system call that the switch must not be able to make.
struct attempt {
	const char *name;
	long number;
	long args[6];
};

#define P(pointer) ((long)(pointer))

static const struct attempt attempts[] = {
	// Paths.
	{"openat", SYS_openat, {AT_FDCWD, P(text), O_RDONLY}},
	{"openat2", SYS_openat2, {AT_FDCWD, P(text), P(block), 24}},
	{"open_by_handle_at", SYS_open_by_handle_at, {ANY_FD, P(block), O_RDONLY}},
	{"name_to_handle_at", SYS_name_to_handle_at, {AT_FDCWD, P(text), P(block), P(block)}},
	{"newfstatat of a path", SYS_newfstatat, {AT_FDCWD, P(text), P(block), 0}},
	{"statx of a path", SYS_statx, {AT_FDCWD, P(text), 0, STATX_ALL, P(block)}},
	{"faccessat", SYS_faccessat, {AT_FDCWD, P(text), R_OK}},
	{"readlinkat", SYS_readlinkat, {AT_FDCWD, P(text), P(block), PAGE}},
	{"getdents64", SYS_getdents64, {ANY_FD, P(block), PAGE}},
	{"unlinkat", SYS_unlinkat, {AT_FDCWD, P(text), 0}},
	{"renameat2", SYS_renameat2, {AT_FDCWD, P(text), AT_FDCWD, P(text)}},
	{"mkdirat", SYS_mkdirat, {AT_FDCWD, P(text), 0700}},
	{"fchmod", SYS_fchmod, {ANY_FD, 0600}},
	{"fchmodat", SYS_fchmodat, {AT_FDCWD, P(text), 0600}},
	{"fchownat", SYS_fchownat, {AT_FDCWD, P(text), 0, 0, 0}},
	{"truncate", SYS_truncate, {P(text), 0}},
	{"ftruncate", SYS_ftruncate, {ANY_FD, 0}},
	{"chdir", SYS_chdir, {P(text)}},
	{"fchdir", SYS_fchdir, {ANY_FD}},
	{"chroot", SYS_chroot, {P(text)}},
	{"pivot_root", SYS_pivot_root, {P(text), P(text)}},
	{"mount", SYS_mount, {P(text), P(text), 0, MS_ASYNC, 0}},
	{"umount2", SYS_umount2, {P(text), 0}},
	{"fsopen", SYS_fsopen, {P(text), 0}},
	{"open_tree", SYS_open_tree, {AT_FDCWD, P(text), 0}},
	{"move_mount", SYS_move_mount, {ANY_FD, P(text), AT_FDCWD, P(text), 0}},
	{"inotify_init1", SYS_inotify_init1, {0}},
	{"fanotify_init", SYS_fanotify_init, {0, 0}},
	{"memfd_create", SYS_memfd_create, {P(text), 0}},
	// Sockets.
	{"socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
	{"socket, network", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
	{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, P(block)}},
	{"connect", SYS_connect, {ANY_FD, P(block), sizeof(struct sockaddr_un)}},
	{"bind", SYS_bind, {ANY_FD, P(block), sizeof(struct sockaddr_un)}},
	{"listen", SYS_listen, {ANY_FD, 1}},
	{"accept", SYS_accept, {ANY_FD, 0, 0}},
	{"accept4 with other flags", SYS_accept4, {ANY_FD, 0, 0, O_APPEND}},
	{"sendto", SYS_sendto, {ANY_FD, P(text), 1, 0, P(block), sizeof(struct sockaddr_un)}},
	{"setsockopt, network", SYS_setsockopt, {ANY_FD, IPPROTO_TCP, 1, P(block), 4}},
	{"getsockopt, network", SYS_getsockopt, {ANY_FD, IPPROTO_TCP, 1, P(block), P(block)}},
	// Programs, processes, threads.
	{"execve", SYS_execve, {P(text), P(no_args), P(no_args)}},
	{"execveat", SYS_execveat, {ANY_FD, P(text), P(no_args), P(no_args), AT_EMPTY_PATH}},
	{"clone", SYS_clone, {SIGCHLD}},
	{"clone, thread", SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND}},
	{"clone3", SYS_clone3, {P(block), 64}},
	{"ptrace", SYS_ptrace, {PTRACE_TRACEME}},
	{"process_vm_readv", SYS_process_vm_readv, {1, P(block), 1, P(block), 1, 0}},
	{"process_vm_writev", SYS_process_vm_writev, {1, P(block), 1, P(block), 1, 0}},
	{"pidfd_open", SYS_pidfd_open, {1, 0}},
	{"pidfd_getfd", SYS_pidfd_getfd, {ANY_FD, 0, 0}},
	{"pidfd_send_signal", SYS_pidfd_send_signal, {ANY_FD, SIGTERM, 0, 0}},
	{"kcmp", SYS_kcmp, {1, 1, 0, 0, 0}},
	{"kill", SYS_kill, {1, 0}},
	{"tgkill of another", SYS_tgkill, {1, 1, 0}},
	{"tkill", SYS_tkill, {1, 0}},
	{"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {1, 0, P(block)}},
	{"wait4", SYS_wait4, {-1, 0, WNOHANG, 0}},
	{"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}},
	{"seccomp", SYS_seccomp, {0, 0, 0}},
	{"prlimit64", SYS_prlimit64, {1, 7, 0, P(block)}},
	{"sched_setaffinity", SYS_sched_setaffinity, {1, PAGE, P(block)}},
	{"setpriority", SYS_setpriority, {0, 1, 0}},
	// Identity and namespaces.
	{"setuid", SYS_setuid, {0}},
	{"setresuid", SYS_setresuid, {0, 0, 0}},
	{"setgid", SYS_setgid, {0}},
	{"setgroups", SYS_setgroups, {0, 0}},
	{"capset", SYS_capset, {P(block), P(block)}},
	{"unshare", SYS_unshare, {CLONE_NEWUSER}},
	{"setns", SYS_setns, {ANY_FD, 0}},
	{"sethostname", SYS_sethostname, {P(text), 1}},
	{"keyctl", SYS_keyctl, {0, 0}},
	{"add_key", SYS_add_key, {P(text), P(text), 0, 0, 0}},
	// Memory and the kernel.
	{"mmap, executable",
	 SYS_mmap,
	 {0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
	{"mprotect, executable", SYS_mprotect, {P(block), PAGE, PROT_READ | PROT_EXEC}},
	{"pkey_mprotect", SYS_pkey_mprotect, {P(block), PAGE, PROT_READ, -1}},
	{"shmat", SYS_shmat, {0, 0, 0}},
	{"shmget", SYS_shmget, {0, PAGE, 0}},
	{"remap_file_pages", SYS_remap_file_pages, {P(block), PAGE, 0, 0, 0}},
	{"userfaultfd", SYS_userfaultfd, {0}},
	{"bpf", SYS_bpf, {BPF_MAP_CREATE, P(block), 64}},
	{"perf_event_open", SYS_perf_event_open, {P(block), 0, -1, -1, 0}},
	{"io_uring_setup", SYS_io_uring_setup, {4, P(block)}},
	{"io_uring_register", SYS_io_uring_register, {ANY_FD, IORING_REGISTER_FILES, P(block), 1}},
	{"io_uring_enter with other flags",
	 SYS_io_uring_enter,
	 {ANY_FD, 0, 0, IORING_ENTER_SQ_WAKEUP, 0, 0}},
	{"io_setup", SYS_io_setup, {4, P(block)}},
	{"ioctl", SYS_ioctl, {ANY_FD, 0x5412, P(block)}}, // TIOCSTI.
	{"fcntl, owner", SYS_fcntl, {ANY_FD, F_SETOWN, 1}},
	{"fcntl, lease", SYS_fcntl, {ANY_FD, F_SETLEASE, F_RDLCK}},
	{"splice", SYS_splice, {ANY_FD, 0, ANY_FD, 0, 1, 0}},
	{"vmsplice", SYS_vmsplice, {ANY_FD, P(block), 0, 0}},
	{"init_module", SYS_init_module, {P(block), PAGE, P(text)}},
	{"kexec_load", SYS_kexec_load, {0, 0, 0, 0}},
	{"reboot", SYS_reboot, {0, 0, 0, 0}},
	{"personality", SYS_personality, {0}},
#ifdef __x86_64__
	// Those that other machines do not have.
	{"open", SYS_open, {P(text), O_RDONLY}},
	{"creat", SYS_creat, {P(text), 0600}},
	{"stat", SYS_stat, {P(text), P(block)}},
	{"access", SYS_access, {P(text), R_OK}},
	{"readlink", SYS_readlink, {P(text), P(block), PAGE}},
	{"fork", SYS_fork, {0}},
	{"vfork", SYS_vfork, {0}},
	{"arch_prctl", SYS_arch_prctl, {0x1003, P(block)}},
	{"modify_ldt", SYS_modify_ldt, {0, P(block), 16}},
	// getpid() itself is allowed; as x32's it is another architecture's.
	{"a call of x32", 0x40000000 | SYS_getpid, {0}},
#endif
};

// The log line of each of so many children says nothing here.
static void be_quiet(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(END_UNLOCKED);
	(void)close(null);
}

static void lock_in(void)
{
	struct rwy_err err = {0};
	be_quiet();
	if (sandbox_enter(true, &err) || sandbox_lock(&err))
		_exit(END_UNLOCKED);
}

// Not _exit(), at which sanitizers make calls that are not allowed; nor told to be the end, before which they do, too.
static void leave(int status)
{
	(void)syscall(SYS_exit_group, status);
}

// How a child ends that locks itself in and runs `act`.
static int status_of(void (*act)(const void *arg), const void *arg)
{
	int status = 0;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		lock_in();
		act(arg);
		leave(END_RETURNED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void make_attempt(const void *arg)
{
	const struct attempt *a = arg;
	const long *v = a->args;
	(void)syscall(a->number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

static void test_every_attempt_ends_the_process(void **state)
{
	int failed = 0;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		int status = status_of(make_attempt, &attempts[i]);
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			continue;
		print_error("%s: the process ended with status %#x\n", attempts[i].name, status);
		failed++;
	}
	assert_int_equal(failed, 0);
}

#ifdef __x86_64__
// Number 20 is writev() for 64 bits, which is allowed, and getpid() for 32.
static void make_32_bit_call(const void *arg)
{
	long result = 20;
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
}

static void test_calls_of_32_bit_end_the_process(void **state)
{
	int status = status_of(make_32_bit_call, NULL);
	// A kernel without 32-bit calls has no such way: SIGSEGV.
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
}
#endif

static void *attempt_in_thread(void *arg)
{
	const int *fds = arg;
	char byte;
	if (read(fds[0], &byte, 1) == 1)
		make_attempt(&attempts[0]);
	return NULL;
}

// The threads that run already are locked in with the first.
static void test_all_threads(void **state)
{
	int status = 0;
	int fds[2];
	pthread_t thread;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rwy_err err = {0};
		be_quiet();
		if (sandbox_enter(true, &err) ||
		    pthread_create(&thread, NULL, attempt_in_thread, fds) || sandbox_lock(&err))
			_exit(END_UNLOCKED);
		if (write(fds[1], "", 1) == 1)
			(void)pthread_join(thread, NULL);
		leave(END_RETURNED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

// What the switch lives on, so that the attempts above do not just end anything.
static void do_allowed(const void *arg)
{
	const int *fds = arg;
	struct pollfd wait = {.fd = fds[0], .events = POLLIN};
	struct stat status;
	char byte;
	void *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory, PAGE, PROT_READ | PROT_WRITE) ||
	    munmap(memory, PAGE))
		leave(1);
	if (write(fds[1], "x", 1) != 1 || poll(&wait, 1, 0) != 1 || read(fds[0], &byte, 1) != 1)
		leave(1);
	if (fstat(fds[0], &status) || fcntl(fds[0], F_GETFL) < 0 ||
	    syscall(SYS_tgkill, getpid(), gettid(), 0))
		leave(1);
	leave(0);
}

static void test_what_it_needs_is_left(void **state)
{
	int fds[2];
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	int status = status_of(do_allowed, fds);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

// A line of /proc/PID/status, as a number of base 16.
static uint64_t status_field(pid_t pid, const char *name)
{
	char path[64];
	char line[256];
	uint64_t value = UINT64_MAX;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid); // It fits.
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name), NULL, 16);
	(void)fclose(file);
	return value;
}

static bool shares_namespace(pid_t pid, const char *kind)
{
	char path[64];
	struct stat ours;
	struct stat theirs;
	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kind); // Both fit.
	assert_int_equal(stat(path, &ours), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	assert_int_equal(stat(path, &theirs), 0);
	return ours.st_ino == theirs.st_ino;
}

static int entries_of_root(pid_t pid)
{
	char path[64];
	int count = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/root/", (int)pid); // It fits.
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

static void check_walls(pid_t pid)
{
	static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
	static const char *const kinds[] = {"mnt", "net", "ipc", "uts"};
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		assert_int_equal(status_field(pid, sets[i]), 0);
	assert_int_equal(status_field(pid, "NoNewPrivs:"), 1);
	assert_int_equal(status_field(pid, "Seccomp:"), 2);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_false(shares_namespace(pid, kinds[i]));
	assert_int_equal(entries_of_root(pid), 2); // "." and "..".
}

// From outside, where root may look; the process that served it has ended.
static void test_walls_from_outside(void **state)
{
	int fds[2];
	char byte;
	if (geteuid() != 0)
		skip(); // Needs root: namespaces.
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		lock_in();
		if (write(fds[1], "", 1) != 1 || read(fds[1], &byte, 1) != 1)
			leave(1);
		leave(0);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	check_walls(pid);
	assert_int_equal(write(fds[0], "", 1), 1);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_attempt_ends_the_process),
#ifdef __x86_64__
		cmocka_unit_test(test_calls_of_32_bit_end_the_process),
#endif
		cmocka_unit_test(test_all_threads),
		cmocka_unit_test(test_what_it_needs_is_left),
		cmocka_unit_test(test_walls_from_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
