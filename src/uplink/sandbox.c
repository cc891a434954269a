// SPDX-License-Identifier: BSD-3-Clause
// Lists of system calls: what every uplink needs for ports of the switch, and what its device adds. Control thread, once, over
// all threads.
#include "uplink/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

// Ports of the switch come and go: DPDK's virtio-user connects, shares its memory and makes eventfds. The device is read, written
// and asked for its counters.
static const int common_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(connect),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(ioctl),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(fcntl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(pipe2),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(getdents64),
	SCMP_SYS(readlinkat),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(lseek),
	// Memory, threads, time, the end.
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(mincore),
	SCMP_SYS(get_mempolicy),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getrandom),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
#ifdef __x86_64__
	SCMP_SYS(epoll_create),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(access),
	SCMP_SYS(readlink),
#endif
};

// What nothing in an uplink ever does, whatever its device.
static const int fatal_calls[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kexec_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(mount),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(setuid),
	SCMP_SYS(setresuid),
	SCMP_SYS(capset),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(io_uring_setup),
};

static const int no_calls[] = {0};
// At its end libxdp takes its sockets out of the map and the program off the interface, under a lock below /sys/fs/bpf.
static const int xdp_calls[] = {
	SCMP_SYS(bpf),
	SCMP_SYS(bind), // Of netlink sockets.
	SCMP_SYS(statfs),
	SCMP_SYS(flock),
	SCMP_SYS(mkdirat),
#ifdef __x86_64__
	SCMP_SYS(mkdir),
#endif
};
// Memory, made for each connection; the socket's file, which a server removes.
static const int memif_calls[] = {
	SCMP_SYS(memfd_create),
	SCMP_SYS(ftruncate),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(unlinkat),
#ifdef __x86_64__
	SCMP_SYS(unlink),
#endif
};

struct kind {
	const char *prefix;
	const int *calls;
	size_t count;
	bool netlink; // Sockets for requests to the kernel, besides those that are open.
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

// Those that tests drive. Others (NICs by PCI address, DPDK's further drivers) may call what no list here knows: of them only what is
// fatal is filtered.
static const struct kind kinds[] = {
	{"net_af_packet", no_calls, 0, false},
	{"net_af_xdp", xdp_calls, COUNT(xdp_calls), true},
	{"net_memif", memif_calls, COUNT(memif_calls), false},
	{"net_null", no_calls, 0, false},
	{"net_pcap", no_calls, 0, false},
	{"net_ring", no_calls, 0, false},
};

static const struct kind *find_kind(const char *device)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strncmp(device, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return &kinds[i];
	return NULL;
}

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = seccomp_rule_add(filter, action, calls[i], 0);
	return r;
}

// Allowed when one argument is right.
static int add_conditionals(scmp_filter_ctx filter, bool netlink)
{
	const scmp_datum_t written = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
	const struct {
		int call;
		struct scmp_arg_cmp only;
	} rules[] = {
		{SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		{SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		{SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, written, 0)},
		{SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0)},
		{SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)},
		{SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0)}, // The last: see below.
	};
	int r = 0;
	for (size_t i = 0; r == 0 && i < COUNT(rules) - !netlink; i++)
		r = seccomp_rule_add_array(
			filter, SCMP_ACT_ALLOW, rules[i].call, 1, &rules[i].only
		);
	return r;
}

static int add_rules(scmp_filter_ctx filter, const struct kind *kind)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = add_calls(filter, SCMP_ACT_KILL_PROCESS, fatal_calls, COUNT(fatal_calls));
	if (r || !kind)
		return r;
	r = add_calls(filter, SCMP_ACT_ALLOW, common_calls, COUNT(common_calls));
	if (r == 0)
		r = add_calls(filter, SCMP_ACT_ALLOW, kind->calls, kind->count);
	return r ? r : add_conditionals(filter, kind->netlink);
}

int sandbox_filter(const char *device, struct rwy_err *err)
{
	const struct kind *kind = find_kind(device);
	scmp_filter_ctx filter = seccomp_init(kind ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
	if (!filter)
		return err_set(err, -ENOMEM, "cannot make the system call filter: out of memory");
	int r = add_rules(filter, kind);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r ? err_set(err, r, "cannot filter system calls: %s", strerror(-r)) : 0;
}
