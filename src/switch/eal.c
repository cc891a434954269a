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
// Characters that the workers' part of --lcores may take.
#define LCORES_SIZE (WIRE_WORKERS_MAX * 12 + 8)

// CPUs of the control thread: all, and those without a worker.
static cpu_set_t all_cpus;
static cpu_set_t other_cpus;

static int allowed_cpus(cpu_set_t *ret_set, struct rwy_err *err)
{
	if (sched_getaffinity(0, sizeof(*ret_set), ret_set))
		return err_set(
			err, -errno, "cannot read the CPUs of this process: %s", strerror(errno)
		);
	return 0;
}

static int refuse(const char *text, const char *why, struct rwy_err *err)
{
	(void)err_set(err, -EINVAL, "cannot use --cores '%s': %s", text, why);
	return err_hint(err, "give CPUs and ranges of CPUs, such as 2-3 or 1,3-5");
}

// A number at *at, which moves behind it. -1: there is none.
static long read_number(const char **at)
{
	char *end;

	if (**at < '0' || **at > '9')
		return -1;
	errno = 0;
	long number = strtol(*at, &end, 10);
	*at = end;
	return errno || number > CPU_SETSIZE ? CPU_SETSIZE : number;
}

static int add_core(
	const char *text,
	long cpu,
	const cpu_set_t *allowed,
	struct eal_cores *cores,
	struct rwy_err *err
)
{
	if (cpu >= CPU_SETSIZE || !CPU_ISSET((size_t)cpu, allowed))
		return err_set(
			err,
			-EINVAL,
			"cannot use --cores '%s': this process may not run on CPU %ld",
			text,
			cpu
		);
	for (uint32_t i = 0; i < cores->count; i++)
		if (cores->cpu[i] == (unsigned int)cpu)
			return err_set(
				err,
				-EINVAL,
				"cannot use --cores '%s': CPU %ld is there twice",
				text,
				cpu
			);
	if (cores->count == WIRE_WORKERS_MAX)
		return err_set(
			err,
			-EINVAL,
			"cannot use --cores '%s': there may be %d workers at most",
			text,
			WIRE_WORKERS_MAX
		);
	cores->cpu[cores->count++] = (unsigned int)cpu;
	return 0;
}

// "3" or "2-5" at *at, which moves behind it.
static int add_range(
	const char *text,
	const char **at,
	const cpu_set_t *allowed,
	struct eal_cores *cores,
	struct rwy_err *err
)
{
	long first = read_number(at);
	long last = first;

	if (**at == '-') {
		(*at)++;
		last = read_number(at);
	}
	if (first < 0 || last < 0)
		return refuse(text, "it is not a list of CPUs", err);
	if (last < first)
		return refuse(text, "a range ends before it begins", err);
	for (long cpu = first; cpu <= last; cpu++) {
		int r = add_core(text, cpu, allowed, cores, err);
		if (r)
			return r;
	}
	return 0;
}

static void last_allowed(const cpu_set_t *allowed, struct eal_cores *cores)
{
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, allowed))
			cores->cpu[0] = cpu;
	cores->count = 1;
}

int eal_parse_cores(const char *text, struct eal_cores *ret_cores, struct rwy_err *err)
{
	struct eal_cores cores = {0};
	const char *at = text;
	cpu_set_t allowed;
	int r = allowed_cpus(&allowed, err);

	if (r)
		return r;
	if (!*text)
		last_allowed(&allowed, &cores);
	while (cores.count == 0 || *at) {
		r = add_range(text, &at, &allowed, &cores, err);
		if (r)
			return r;
		if (*at && *at != ',')
			return refuse(text, "it is not a list of CPUs", err);
		if (*at && !*++at)
			return refuse(text, "it ends with a comma", err);
	}
	*ret_cores = cores;
	return 0;
}

// "0@(0,1,5),1@4,2@5": the control thread floats, workers are pinned.
static void format_lcores(
	const cpu_set_t *set,
	const struct eal_cores *cores,
	char *text,
	size_t size
)
{
	size_t used = (size_t)snprintf(text, size, "--lcores=0@(");
	const char *comma = "";
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE && used + LCORES_SIZE < size; cpu++) {
		if (!CPU_ISSET(cpu, set))
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%u", comma, cpu);
		comma = ",";
	}
	used += (size_t)snprintf(text + used, size - used, ")");
	for (uint32_t i = 0; i < cores->count; i++) // Room was left.
		used += (size_t
		)snprintf(text + used, size - used, ",%u@%u", EAL_WORKER_LCORE + i, cores->cpu[i]);
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

int eal_start(const struct eal_cores *cores, struct rwy_err *err)
{
	static char lcores[CPU_SETSIZE * 5 + LCORES_SIZE]; // The EAL keeps its arguments.
	static char *argv[FIXED_ARGS + 2];
	cpu_set_t set;
	int r = allowed_cpus(&set, err);
	if (r)
		return r;
	all_cpus = other_cpus = set;
	for (uint32_t i = 0; i < cores->count; i++)
		CPU_CLR(cores->cpu[i], &other_cpus);
	format_lcores(&set, cores, lcores, sizeof(lcores));
	for (size_t i = 0; i < FIXED_ARGS; i++)
		argv[i] = fixed_args[i];
	argv[FIXED_ARGS] = lcores;
	if (rte_eal_init((int)FIXED_ARGS + 1, argv) < 0)
		return err_set(
			err,
			-ENODEV,
			"cannot start DPDK's EAL for %u workers: %s",
			cores->count,
			rte_strerror(rte_errno)
		);
	return 0;
}

void eal_keep_off_workers(bool off)
{
	bool others = CPU_COUNT(&other_cpus) > 0;

	// Where it is refused (a cpuset that changed) the thread runs where it ran.
	(void)sched_setaffinity(0, sizeof(all_cpus), off && others ? &other_cpus : &all_cpus);
}
