// SPDX-License-Identifier: BSD-3-Clause
// Starts DPDK's EAL for the switch. Control thread, once. The switch drives no device and shares no DPDK
// memory: a few MiB of ordinary memory for the hash and rings are enough.
#include "switch/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EAL_MEMORY_MIB "24"

static int allowed_cpus(cpu_set_t *ret_set, struct rwy_err *err)
{
	if (sched_getaffinity(0, sizeof(*ret_set), ret_set))
		return err_set(
			err, -errno, "cannot read the CPUs of this process: %s", strerror(errno)
		);
	return 0;
}

int eal_parse_cores(const char *text, unsigned int *ret_core, struct rwy_err *err)
{
	cpu_set_t set;
	int r = allowed_cpus(&set, err);
	if (r)
		return r;
	if (!*text) {
		for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				*ret_core = cpu;
		return 0;
	}
	char *end;
	errno = 0;
	unsigned long cpu = strtoul(text, &end, 10);
	if (errno || *end || *text == '-')
		return err_set(
			err, -EINVAL, "cannot use --cores '%s': give one CPU's number", text
		);
	if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &set))
		return err_set(
			err, -EINVAL, "cannot use --cores %lu: this process may not run there", cpu
		);
	*ret_core = (unsigned int)cpu;
	return 0;
}

// "0@(0,1,5),1@5": the control thread floats, the worker is pinned.
static void format_lcores(const cpu_set_t *set, unsigned int core, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "--lcores=0@(");
	const char *comma = "";
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE && used + 32 < size; cpu++) {
		if (!CPU_ISSET(cpu, set))
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%u", comma, cpu);
		comma = ",";
	}
	(void
	)snprintf(text + used, size - used, "),%d@%u", EAL_WORKER_LCORE, core); // Room was left.
}

// The EAL may write into its arguments.
static char fixed_args[][20] = {
	"ringway-switch",
	"--no-huge",
	"-m",
	EAL_MEMORY_MIB,
	"--no-pci",
	"--no-shconf",
	"--no-telemetry",
	"--no-hpet",
	"--log-level=error",
	"--iova-mode=va",
};

#define FIXED_ARGS (sizeof(fixed_args) / sizeof(fixed_args[0]))

int eal_start(unsigned int core, struct rwy_err *err)
{
	static char lcores[CPU_SETSIZE * 5]; // The EAL keeps its arguments.
	static char *argv[FIXED_ARGS + 2];
	cpu_set_t set;
	int r = allowed_cpus(&set, err);
	if (r)
		return r;
	format_lcores(&set, core, lcores, sizeof(lcores));
	for (size_t i = 0; i < FIXED_ARGS; i++)
		argv[i] = fixed_args[i];
	argv[FIXED_ARGS] = lcores;
	if (rte_eal_init((int)FIXED_ARGS + 1, argv) < 0)
		return err_set(
			err,
			-ENODEV,
			"cannot start DPDK's EAL on CPU %u: %s",
			core,
			rte_strerror(rte_errno)
		);
	return 0;
}
