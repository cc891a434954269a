// SPDX-License-Identifier: BSD-3-Clause
// Checks of what holds a process' memory: the control group's limit of hugepages, locked memory, memory policies. One thread.
#include "base/cleanup.h"
#include "cli/doctor_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIB (1024ull * 1024)
#define CAP_IPC_LOCK_BIT 14 // linux/capability.h
#define CAP_SYS_RESOURCE_BIT 24

// The smallest limit of 2 MiB pages on the way from this process' control group to the root.
struct hugetlb_limit {
	bool known;
	unsigned long long bytes; // UINT64_MAX: none.
	char file[512];		  // That says so.
};

// Where the hierarchy is mounted and what of it is (mountinfo's fields 5 and 4); `v1` wants the controller hugetlb.
static bool find_hierarchy(
	const struct doctor *d,
	bool v1,
	char ret_mount[READ_LINE_SIZE],
	char ret_top[READ_LINE_SIZE]
)
{
	_cleanup_free_ char *text = doctor_read_all(d, "/proc/self/mountinfo");
	char *rest = text;
	for (char *line = text ? strsep(&rest, "\n") : NULL; line; line = strsep(&rest, "\n")) {
		const char *tail = strstr(line, " - ");
		char kind[16], options[READ_LINE_SIZE];
		if (!tail || sscanf(tail, " - %15s %*s %255s", kind, options) != 2 ||
		    sscanf(line, "%*s %*s %*s %255s %255s", ret_top, ret_mount) != 2)
			continue;
		if (strcmp(kind, v1 ? "cgroup" : "cgroup2") == 0 &&
		    (!v1 || strstr(options, "hugetlb")))
			return true;
	}
	return false;
}

// "4:hugetlb:/docker/12ab", "0::/user.slice": the group of this process in the hierarchy.
static bool find_group(const struct doctor *d, bool v1, char ret[READ_LINE_SIZE])
{
	_cleanup_free_ char *text = doctor_read_all(d, "/proc/self/cgroup");
	char *rest = text;
	for (char *line = text ? strsep(&rest, "\n") : NULL; line; line = strsep(&rest, "\n")) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		if (v1 ? strstr(controllers, "hugetlb") != NULL : strcmp(controllers, ":") == 0) {
			(void
			)snprintf(ret, READ_LINE_SIZE, "%s", path); // Longer ones are not found.
			return true;
		}
	}
	return false;
}

static void read_level(
	const struct doctor *d,
	bool v1,
	const char *dir,
	struct hugetlb_limit *limit
)
{
	const char *name = v1 ? "hugetlb.2MB.limit_in_bytes" : "hugetlb.2MB.max";
	char text[64];
	if (doctor_read(d, text, sizeof(text), "%s/%s", dir, name))
		return;
	limit->known = true;
	if (strcmp(text, "max") == 0)
		return;
	char *end = NULL;
	unsigned long long bytes = strtoull(text, &end, 10);
	// Version 1's "none" is the largest number of pages.
	if (end == text || bytes >= UINT64_MAX / 4 || bytes >= limit->bytes)
		return;
	limit->bytes = bytes;
	(void)snprintf(limit->file, sizeof(limit->file), "%s/%s", dir, name); // Both are short.
}

static void read_hierarchy(const struct doctor *d, bool v1, struct hugetlb_limit *limit)
{
	char mount[READ_LINE_SIZE], top[READ_LINE_SIZE], group[READ_LINE_SIZE];
	char dir[2 * READ_LINE_SIZE];
	if (!find_hierarchy(d, v1, mount, top) || !find_group(d, v1, group))
		return;
	// What is mounted may be a part of the hierarchy: then the group's path begins with it.
	size_t skip = strcmp(top, "/") == 0 ? 0 : strlen(top);
	const char *below = strncmp(group, top, skip) == 0 ? group + skip : "";
	if (strcmp(below, "/") == 0)
		below = "";
	(void)snprintf(dir, sizeof(dir), "%s%s", mount, below); // Both fit.
	size_t least = strlen(mount);
	while (strlen(dir) >= least) {
		read_level(d, v1, dir, limit);
		char *slash = strrchr(dir, '/');
		if (!slash || slash == dir)
			return;
		*slash = '\0';
	}
}

static void judge_hugetlb_limit(const struct hugetlb_limit *limit, struct doctor_result *result)
{
	if (!limit->known) {
		doctor_saw(result, DOCTOR_OK, "none: no control group counts hugepages here");
		return;
	}
	if (limit->bytes == UINT64_MAX) {
		doctor_saw(result, DOCTOR_OK, "none");
		return;
	}
	bool enough = limit->bytes >= DOCTOR_NEED_MIB * MIB;
	doctor_saw(
		result,
		enough ? DOCTOR_OK : DOCTOR_WARNING,
		"%llu MiB of 2 MiB pages%s",
		limit->bytes / MIB,
		enough ? ""
		       : ": an application that is given hugepages would be killed at more (SIGBUS)"
	);
	if (enough)
		return;
	doctor_advise(
		result,
		"raise the limit (on the host, for a container), or in Kubernetes hugepages-2Mi:"
	);
	doctor_command(
		result,
		"echo %s > %s",
		strstr(limit->file, "limit_in_bytes") ? "-1" : "max",
		limit->file
	);
}

static void check_hugetlb_limit(const struct doctor *d, struct doctor_result *result)
{
	struct hugetlb_limit limit = {.bytes = UINT64_MAX};
	read_hierarchy(d, true, &limit);
	read_hierarchy(d, false, &limit);
	judge_hugetlb_limit(&limit, result);
}

struct memlock {
	uint64_t own;	 // Of this process.
	bool may_lock;	 // CAP_IPC_LOCK: no limit holds.
	uint64_t engine; // Hard limit of the engine's process.
	bool engine_known, engine_may_raise;
	unsigned long long need; // Bytes that a function's container may lock.
};

// As the arguments in the place say ("-m\n704"), else what hugepages are given for.
static unsigned long long read_need(const struct doctor *d)
{
	_cleanup_free_ char *args = doctor_read_all(d, DOCTOR_PLACE "/eal-args");
	const char *at = args ? strstr(args, "-m\n") : NULL;
	unsigned long long mib =
		at && (at == args || at[-1] == '\n') ? strtoull(at + 3, NULL, 10) : 0;
	if (mib == 0 || mib > UINT32_MAX)
		mib = DOCTOR_NEED_MIB;
	return (mib + DOCTOR_MEMLOCK_MIB) * MIB;
}

static bool has_capability(const struct doctor *d, const char *pid, int bit)
{
	char line[64];
	_cleanup_free_ char *status = doctor_read_all(d, "/proc/%s/status", pid);
	doctor_find_line(status, "CapEff", line, sizeof(line));
	return strtoull(line, NULL, 16) >> bit & 1;
}

static void read_engine_limit(const struct doctor *d, struct memlock *lock)
{
	long long pid = doctor_read_number(d, 0, "/run/docker.pid");
	char number[32], hard[32];
	_cleanup_free_ char *limits = doctor_read_all(d, "/proc/%lld/limits", pid);
	const char *line = limits ? strstr(limits, "Max locked memory") : NULL;
	if (!line || sscanf(line, "Max locked memory %*s %31s", hard) != 1)
		return;
	(void)snprintf(number, sizeof(number), "%lld", pid);
	lock->engine_known = true;
	lock->engine = strcmp(hard, "unlimited") == 0 ? UINT64_MAX : strtoull(hard, NULL, 10);
	lock->engine_may_raise = has_capability(d, number, CAP_SYS_RESOURCE_BIT);
}

static void say_limit(uint64_t bytes, char ret[32])
{
	if (bytes == UINT64_MAX)
		(void)snprintf(ret, 32, "no limit");
	else if (bytes >= MIB)
		(void)snprintf(ret, 32, "%" PRIu64 " MiB", (uint64_t)(bytes / MIB));
	else
		(void)snprintf(ret, 32, "%" PRIu64 " KiB", bytes / 1024);
}

static void judge_own_lock(
	const struct doctor *d,
	const struct memlock *lock,
	struct doctor_result *result
)
{
	char text[32];
	say_limit(lock->own, text);
	if (lock->may_lock) {
		doctor_saw(result, DOCTOR_OK, "%s, and CAP_IPC_LOCK is there", text);
		return;
	}
	if (lock->own >= lock->need || !(d->uses & DOCTOR_SRIOV)) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"%s%s",
			text,
			d->uses & DOCTOR_SRIOV ? "" : "; sockets need none"
		);
		return;
	}
	doctor_saw(
		result,
		DOCTOR_MISSING,
		"%s, and a function's DMA memory is locked: up to %llu MiB",
		text,
		lock->need / MIB
	);
	doctor_advise(
		result, "ringway run gives the limit by itself; with Docker alone, on the host:"
	);
	doctor_command(result, "docker run --ulimit memlock=%llu ..", lock->need);
}

static void judge_engine_lock(
	const struct doctor *d,
	const struct memlock *lock,
	struct doctor_result *result
)
{
	char text[32];
	if (!lock->engine_known) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"only functions need it, and ringway run gives it; no engine's process to look at"
		);
		return;
	}
	say_limit(lock->engine, text);
	if (lock->engine_may_raise || lock->engine >= lock->need) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"the engine can give containers what functions need (%llu MiB)",
			lock->need / MIB
		);
		return;
	}
	doctor_saw(
		result,
		d->uses & DOCTOR_SRIOV ? DOCTOR_MISSING : DOCTOR_NOTE,
		"the engine can give containers %s at most, for want of CAP_SYS_RESOURCE; functions need %llu MiB",
		text,
		lock->need / MIB
	);
	doctor_advise(
		result,
		"start the engine with a higher limit: LimitMEMLOCK=infinity in its unit, or"
	);
	doctor_command(
		result,
		"prlimit --pid $(cat /run/docker.pid) --memlock=%llu:%llu",
		lock->need,
		lock->need
	);
}

static void check_memlock(const struct doctor *d, struct doctor_result *result)
{
	struct memlock lock = {.own = d->process.memlock, .need = read_need(d)};
	lock.may_lock = has_capability(d, "self", CAP_IPC_LOCK_BIT);
	if (d->inside) {
		judge_own_lock(d, &lock, result);
		return;
	}
	read_engine_limit(d, &lock);
	judge_engine_lock(d, &lock, result);
}

static bool has_preload(const struct doctor *d)
{
	const char *mode = d->process.preload_mode;
	return d->process.ld_preload && strstr(d->process.ld_preload, "ringway-preload") &&
		!(mode && strcmp(mode, "off") == 0);
}

static void judge_mempolicy(
	const struct doctor *d,
	const char *filter,
	struct doctor_result *result
)
{
	const struct doctor_process *p = &d->process;
	const int refused = p->get_mempolicy ? p->get_mempolicy
		: p->set_mempolicy	     ? p->set_mempolicy
					     : p->mbind;
	if (!refused) {
		doctor_saw(
			result, DOCTOR_OK, "get_mempolicy, set_mempolicy and mbind work%s", filter
		);
		return;
	}
	// DPDK then goes on as on a host with one node; so it does with the preload library.
	if (refused == ENOSYS) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"this kernel has no memory policies; DPDK goes on without%s",
			filter
		);
		return;
	}
	if (has_preload(d)) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"refused (%s)%s; the preload library answers for them",
			strerror(refused),
			filter
		);
		return;
	}
	doctor_saw(
		result,
		DOCTOR_WARNING,
		"refused (%s)%s: DPDK with hugepages ends at its start",
		strerror(refused),
		filter
	);
	doctor_advise(
		result,
		"start the container by ringway run, whose preload library answers; a statically linked application:"
	);
	doctor_command(result, "docker run --cap-add SYS_NICE ..");
}

static void check_mempolicy(const struct doctor *d, struct doctor_result *result)
{
	char mode[16];
	_cleanup_free_ char *status = doctor_read_all(d, "/proc/self/status");
	doctor_find_line(status, "Seccomp", mode, sizeof(mode));
	judge_mempolicy(
		d,
		mode[0] == '2'		 ? "; system calls are filtered (seccomp)"
			: mode[0] == '0' ? "; no filter of system calls"
					 : "",
		result
	);
}

const struct doctor_check doctor_limit_checks[] = {
	{"hugetlb-limit",
	 "the control group's limit of hugepages",
	 true,
	 true,
	 DOCTOR_VHOST | DOCTOR_SRIOV,
	 check_hugetlb_limit},
	{"memlock",
	 "how much memory a container may lock",
	 true,
	 true,
	 DOCTOR_VHOST | DOCTOR_SRIOV,
	 check_memlock},
	{"mempolicy",
	 "memory policies, and the filter of system calls",
	 true,
	 true,
	 DOCTOR_VHOST | DOCTOR_SRIOV,
	 check_mempolicy},
	{0},
};
