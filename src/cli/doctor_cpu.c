// SPDX-License-Identifier: BSD-3-Clause
// Checks of processors: what DPDK is compiled for, which are kept free for polling, how fast they may run. One thread.
#include "base/cleanup.h"
#include "cli/doctor_read.h"

#include <stdio.h>
#include <string.h>

#define CPU_DIR "/sys/devices/system/cpu"

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);
	while ((text = strstr(text, word))) {
		bool starts = text[-1] == ' ' ||
			text[-1] == '\t'; // A value follows its name, never first.
		text += length;
		if (starts && (*text == ' ' || *text == '\0'))
			return true;
	}
	return false;
}

// proc(5)'s first processor; x86 names what it can "flags".
static void find_flags(const char *info, char ret[4096])
{
	const char *line = info ? strstr(info, "\nflags") : NULL;
	const char *colon = line ? strchr(line, ':') : NULL;
	ret[0] = '\0';
	if (colon)
		(void
		)snprintf(ret, 4096, "%.*s", (int)strcspn(colon, "\n"), colon); // Cut is enough.
}

static void judge_cpu(
	const struct doctor *d,
	const char *info,
	const char *flags,
	struct doctor_result *result
)
{
	static const char *const needed[] = {"sse4_2", "popcnt"};
	if (!info) {
		doctor_saw(result, DOCTOR_UNKNOWN, "/proc/cpuinfo cannot be read");
		return;
	}
	if (!flags[0]) {
		doctor_saw(result, DOCTOR_OK, "no x86; DPDK asks for nothing special");
		return;
	}
	for (size_t i = 0; i < 2; i++)
		if (!has_word(flags, needed[i]))
			doctor_saw(
				result,
				doctor_lack(d, DOCTOR_ALL),
				"no %s, which DPDK's programs are compiled for",
				i ? "POPCNT" : "SSE4.2"
			);
	if (result->status == DOCTOR_OK) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"SSE4.2 and POPCNT%s%s",
			has_word(flags, "avx2") ? ", AVX2" : "",
			has_word(flags, "pdpe1gb") ? ", pages of 1 GiB" : ""
		);
		return;
	}
	if (has_word(flags, "hypervisor")) {
		doctor_advise(
			result,
			"give this virtual machine a CPU model that has them, x86-64-v2 for one:"
		);
		doctor_command(result, "qemu-system-x86_64 -cpu host ..");
	} else
		doctor_advise(result, "DPDK needs a processor of 2009 or later");
}

static void check_cpu(const struct doctor *d, struct doctor_result *result)
{
	char flags[4096];
	_cleanup_free_ char *info = doctor_read_all(d, "/proc/cpuinfo");
	find_flags(info, flags);
	judge_cpu(d, info, flags, result);
}

// How many CPUs a list ("0-3,8") names.
static long count_cpus(const char *list)
{
	long count = 0;
	while (*list) {
		char *end = NULL;
		long first = strtol(list, &end, 10), last = first;
		if (end == list)
			return count;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		count += last >= first ? last - first + 1 : 0;
		list = *end == ',' ? end + 1 : end;
		if (*end != ',' && *end)
			return count;
	}
	return count;
}

struct isolation {
	char online[READ_LINE_SIZE], allowed[READ_LINE_SIZE];
	char isolated[READ_LINE_SIZE], nohz_full[READ_LINE_SIZE];
};

static void read_isolation(const struct doctor *d, struct isolation *cpus)
{
	_cleanup_free_ char *status = doctor_read_all(d, "/proc/self/status");
	// Empty where the kernel does not say.
	(void)doctor_read(d, cpus->online, sizeof(cpus->online), CPU_DIR "/online");
	(void)doctor_read(d, cpus->isolated, sizeof(cpus->isolated), CPU_DIR "/isolated");
	(void)doctor_read(d, cpus->nohz_full, sizeof(cpus->nohz_full), CPU_DIR "/nohz_full");
	doctor_find_line(status, "Cpus_allowed_list", cpus->allowed, sizeof(cpus->allowed));
	// "(null)" is how the kernel prints none.
	if (cpus->nohz_full[0] == '(' || strcmp(cpus->nohz_full, "0") == 0)
		cpus->nohz_full[0] = '\0';
}

static void advise_isolation(long count, struct doctor_result *result)
{
	if (count < 3) {
		doctor_advise(
			result,
			"with so few CPUs none can be kept free: Ringway sleeps when idle, applications should too"
		);
		return;
	}
	doctor_advise(
		result,
		"for even latency keep CPUs free for containers (--cpuset-cpus): add isolcpus=2-%ld nohz_full=2-%ld rcu_nocbs=2-%ld to the "
		"kernel's command line (Debian: GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub), and reboot",
		count - 1,
		count - 1,
		count - 1
	);
}

static void judge_isolation(
	const struct doctor *d,
	const struct isolation *cpus,
	struct doctor_result *result
)
{
	long count = count_cpus(d->inside ? cpus->allowed : cpus->online);
	if (count == 0) {
		doctor_saw(result, DOCTOR_UNKNOWN, "the kernel does not say which CPUs there are");
		return;
	}
	if (d->inside) {
		doctor_saw(result, DOCTOR_OK, "this container may use CPUs %s", cpus->allowed);
		if (cpus->isolated[0])
			doctor_detail(result, "isolated on the host: %s", cpus->isolated);
		if (count == 1) {
			doctor_saw(
				result, DOCTOR_NOTE, "DPDK's main and worker threads share one CPU"
			);
			doctor_advise(result, "give it two or more: docker run --cpuset-cpus");
		}
		return;
	}
	if (cpus->isolated[0]) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"%s of %s are isolated, %s without ticks",
			cpus->isolated,
			cpus->online,
			cpus->nohz_full[0] ? cpus->nohz_full : "none"
		);
		return;
	}
	doctor_saw(
		result,
		DOCTOR_NOTE,
		"none of %s: threads that poll share their CPUs with all else",
		cpus->online
	);
	advise_isolation(count, result);
}

static void check_isolation(const struct doctor *d, struct doctor_result *result)
{
	struct isolation cpus = {0};
	read_isolation(d, &cpus);
	judge_isolation(d, &cpus, result);
}

struct governors {
	size_t cpus, slow; // That have one; that have another than "performance".
	char first_slow[32];
};

static void read_governors(const struct doctor *d, struct governors *found)
{
	_cleanup_strv_ struct strv names = {0};
	(void)doctor_list(d, &names, CPU_DIR); // Nothing there: nothing to say.
	for (size_t i = 0; i < names.count; i++) {
		char governor[32];
		if (strncmp(names.items[i], "cpu", 3) != 0 ||
		    doctor_read(
			    d,
			    governor,
			    sizeof(governor),
			    CPU_DIR "/%s/cpufreq/scaling_governor",
			    names.items[i]
		    ))
			continue;
		found->cpus++;
		if (strcmp(governor, "performance") == 0)
			continue;
		if (found->slow++ == 0)
			memcpy(found->first_slow, governor, sizeof(governor));
	}
}

static void judge_governors(const struct governors *found, struct doctor_result *result)
{
	if (found->cpus == 0) {
		doctor_saw(
			result, DOCTOR_OK, "no frequency scaling here (virtual machines have none)"
		);
		return;
	}
	if (found->slow == 0) {
		doctor_saw(result, DOCTOR_OK, "performance, on all of %zu CPUs", found->cpus);
		return;
	}
	doctor_saw(
		result,
		DOCTOR_WARNING,
		"%s on %zu of %zu CPUs: rates and latencies vary",
		found->first_slow,
		found->slow,
		found->cpus
	);
	doctor_advise(result, "let them run at full speed:");
	doctor_command(result, "echo performance | tee " CPU_DIR "/cpu*/cpufreq/scaling_governor");
}

static void check_governor(const struct doctor *d, struct doctor_result *result)
{
	struct governors found = {0};
	read_governors(d, &found);
	judge_governors(&found, result);
}

const struct doctor_check doctor_cpu_checks[] = {
	{"cpu", "instructions that DPDK is compiled for", true, true, DOCTOR_ALL, check_cpu},
	{"isolated-cpus",
	 "CPUs that are kept free for polling",
	 true,
	 true,
	 DOCTOR_VHOST | DOCTOR_SRIOV | DOCTOR_UPLINK,
	 check_isolation},
	{"cpu-governor",
	 "frequency scaling",
	 true,
	 false,
	 DOCTOR_VHOST | DOCTOR_SRIOV | DOCTOR_UPLINK,
	 check_governor},
	{0},
};
