// SPDX-License-Identifier: BSD-3-Clause
// Capabilities, namespaces, seccomp and limits of the switch. Control thread: once before there are others, once before the first
// connection.
#include "switch/sandbox.h"

#include "base/log.h"
#include "base/walls.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int keeper = -1; // The other end of ours (walls.h), from sandbox_enter() to sandbox_lock().

// ringwayd gave us namespaces and their keeper; under a unit that leaves us the capability for it, we make them.
static int find_keeper(struct rwy_err *err)
{
	const char *given = getenv(WALLS_ENV);
	if (given) {
		keeper = (int)strtol(given, NULL, 10);
		if (fcntl(keeper, F_SETFD, FD_CLOEXEC))
			return err_set(
				err,
				-EINVAL,
				"cannot use " WALLS_ENV "=%s: %s",
				given,
				strerror(errno)
			);
		return 0;
	}
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN))
		return 0;
	keeper = walls_open();
	return keeper < 0 ? err_set(err, keeper, "cannot make namespaces: %s", strerror(-keeper))
			  : 0;
}

int sandbox_enter(bool walled, struct rwy_err *err)
{
	if (capng_get_caps_process())
		return err_set(err, -EIO, "cannot read capabilities");
	int r = walled ? find_keeper(err) : 0;
	if (r)
		return r;
	// Without it (it was empty already, or whoever started us may not) no_new_privs makes the bounding set worthless.
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		(void)walls_drop_bounding();
	capng_clear(CAPNG_SELECT_BOTH);
	// Ambient ones go with the inheritable ones.
	if (capng_apply(CAPNG_SELECT_CAPS))
		return err_set(err, -EPERM, "cannot give up capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_set(err, -errno, "cannot set no_new_privs: %s", strerror(errno));
	// Nothing of the same user reads our memory or takes our descriptors, and no core file holds guests' frames.
	if (walled && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return err_set(err, -errno, "cannot turn off core dumps: %s", strerror(errno));
	return 0;
}

uint64_t sandbox_raise_limits(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); // As many ports as fit otherwise.
	return getrlimit(RLIMIT_NOFILE, &limit) ? 0 : limit.rlim_cur;
}

// No path is among them: newfstatat only with an empty one (fstat), nothing that opens, makes a socket or connects, and nothing that
// makes a process or a thread.
static const int allowed_calls[] = {
	// Connections, eventfds, timers, TAPs.
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(lseek),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	// Contexts that were made before (call.c); they read and write descriptors, as read and write do. No new one can be made.
	SCMP_SYS(io_submit),
	SCMP_SYS(io_destroy),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	// Guest memory and the allocator.
	SCMP_SYS(munmap),
	SCMP_SYS(madvise),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	// Threads, time, the end.
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
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
	SCMP_SYS(getrandom),
	// A new thread's first: the filter may come before it is so far.
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

// Allowed when one argument is right.
struct conditional {
	int call;
	struct scmp_arg_cmp only;
};

static int add_rules(scmp_filter_ctx filter)
{
	const struct conditional conditionals[] = {
		// Memory may be mapped and protected, but never made executable.
		{SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		{SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		// Connections of ports, and ringwayd's.
		{SCMP_SYS(accept4),
		 SCMP_A3(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), 0)},
		{SCMP_SYS(getsockopt), SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET, 0)},
		{SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ, 0)},
		// Rings that were made before and can do nothing but write. No new ring can be made.
		{SCMP_SYS(io_uring_enter),
		 SCMP_A3(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)IORING_ENTER_GETEVENTS, 0)},
		// What a received descriptor is; the flag is there for an empty path.
		{SCMP_SYS(statx), SCMP_A2(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH)},
		{SCMP_SYS(newfstatat), SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH)},
		// Flags of received descriptors; not F_SETOWN or leases.
		{SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL, 0)},
		{SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFL, 0)},
		{SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFD, 0)},
		{SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFD, 0)},
		{SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GET_SEALS, 0)},
		// The watchdog's signal, to threads of this process only.
		{SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)},
		// The control thread's own.
		{SCMP_SYS(sched_setaffinity), SCMP_A0(SCMP_CMP_EQ, 0, 0)},
	};
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof(allowed_calls) / sizeof(allowed_calls[0]); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
	for (size_t i = 0; r == 0 && i < sizeof(conditionals) / sizeof(conditionals[0]); i++)
		r = seccomp_rule_add_array(
			filter, SCMP_ACT_ALLOW, conditionals[i].call, 1, &conditionals[i].only
		);
	if (r == 0) // Where in a connection's stream to look (vhost/channel.c).
		r = seccomp_rule_add(
			filter,
			SCMP_ACT_ALLOW,
			SCMP_SYS(setsockopt),
			2,
			SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET, 0),
			SCMP_A2(SCMP_CMP_EQ, SO_PEEK_OFF, 0)
		);
	return r;
}

static int filter_calls(struct rwy_err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return err_set(err, -ENOMEM, "cannot make the system call filter: out of memory");
	// The workers and the EAL's threads run already.
	int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	// Calls in the way of another architecture, whose numbers mean something else.
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = add_rules(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r ? err_set(err, r, "cannot filter system calls: %s", strerror(-r)) : 0;
}

static bool root_is_empty(void)
{
	struct statvfs status;
	DIR *dir = opendir("/");
	const struct dirent *entry;
	bool empty = dir && statvfs("/", &status) == 0 && (status.f_flag & ST_RDONLY);
	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			empty = false;
	if (dir)
		(void)closedir(dir); // Read only.
	return empty;
}

// Nothing but the loopback interface, which each network namespace has.
static bool network_is_empty(void)
{
	struct if_nameindex *all = if_nameindex();
	bool empty = all != NULL;
	for (const struct if_nameindex *at = all; at && at->if_index; at++)
		if (strcmp(at->if_name, "lo") != 0)
			empty = false;
	if (all)
		if_freenameindex(all);
	return empty;
}

// By what is seen from here, not by what was asked for.
static int check_privileges(struct rwy_err *err)
{
	if (capng_get_caps_process() || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return err_set(err, -EPERM, "this process still has capabilities");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_set(err, -EPERM, "this process may still gain privileges or be read");
	return 0;
}

static void tell(const struct walls *walls)
{
	const uint32_t own = walls->standing;
	bool root = root_is_empty();
	bool network = network_is_empty();
	log_info(
		"locked in: user %u, no capability%s%s%s%s%s, system calls filtered",
		getuid(),
		capng_have_capabilities(CAPNG_SELECT_BOUNDS) == CAPNG_NONE ? " to be had" : "",
		root ? ", empty root" : "",
		network ? ", empty network" : "",
		own & WALL_IPC ? ", own IPC" : "",
		own & WALL_UTS ? ", own UTS" : ""
	);
	if (!root || !network)
		log_warn(
			"locked in without %s%s%s: %s; the filter of system calls stands in front of it",
			root ? "" : "an empty root",
			root || network ? "" : " and ",
			network ? "" : "an empty network",
			walls->error ? strerror(-walls->error)
				     : "whoever started the switch may not make it"
		);
}

int sandbox_lock(struct rwy_err *err)
{
	struct walls walls = {0};
	if (keeper >= 0) {
		int r = walls_close(keeper, &walls);
		keeper = -1;
		if (r)
			return err_set(err, r, "cannot leave the host's files: %s", strerror(-r));
	}
	int r = check_privileges(err);
	if (r)
		return r;
	tell(&walls);
	return filter_calls(err);
}
