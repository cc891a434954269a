// SPDX-License-Identifier: BSD-3-Clause
// Starts the EAL: one lcore for the control thread, one for the worker. Control thread, once. DPDK is linked as shared
// libraries here, so that every driver that the system has can be named as a device.
#include "uplink/eal.h"

#include "uplink/lastlog.h"

#include <rte_eal.h>
#include <rte_errno.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

// Of memory that is reserved; only what is used is ever touched.
#define MEMORY_MIB "512"
#define LCORES_SIZE (CPU_SETSIZE * 5)
#define ARGS_MAX 16

static int allowed_cpus(char *text, size_t size, struct rwy_err *err)
{
	cpu_set_t set;
	size_t used = 0;
	if (sched_getaffinity(0, sizeof(set), &set))
		return err_set(
			err, -errno, "cannot read the CPUs of this process: %s", strerror(errno)
		);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE && used + 8 < size; cpu++)
		if (CPU_ISSET(cpu, &set))
			used += (size_t
			)snprintf(text + used, size - used, "%s%u", used ? "," : "", cpu);
	return 0;
}

// The EAL keeps its arguments and may write into them.
static char name_arg[] = "ringway-uplink";
static char telemetry_arg[] = "--no-telemetry";
static char shconf_arg[] = "--no-shconf";
static char quiet_arg[] = "--log-level=error";
static char verbose_arg[] = "--log-level=notice";
// A switch that closed its end is no news to virtio-user's log; port.c says what there is to say.
static char virtio_arg[] = "--log-level=pmd.net.virtio.*:critical";
static char in_memory_arg[] = "--in-memory";
static char no_huge_args[][16] = {"--no-huge", "-m", MEMORY_MIB, "--no-pci", "--iova-mode=va"};
static char lcores[LCORES_SIZE * 2 + 32];

static int not_started(struct rwy_err *err)
{
	char why[LASTLOG_SIZE];
	int code = rte_errno;
	lastlog_read(why);
	return err_set(
		err, -ENODEV, "cannot start DPDK's EAL: %s", why[0] ? why : rte_strerror(code)
	);
}

int eal_start(bool pci, int core, bool verbose, struct rwy_err *err)
{
	static char cpus[LCORES_SIZE];
	static char *argv[ARGS_MAX];
	int argc = 0;
	int r = allowed_cpus(cpus, sizeof(cpus), err);
	if (r)
		return r;
	// Both always fit: cpus is cut to its size.
	if (core < 0)
		(void)snprintf(
			lcores,
			sizeof(lcores),
			"--lcores=0@(%s),%d@(%s)",
			cpus,
			EAL_WORKER_LCORE,
			cpus
		);
	else
		(void)snprintf(
			lcores,
			sizeof(lcores),
			"--lcores=0@(%s),%d@%d",
			cpus,
			EAL_WORKER_LCORE,
			core
		);
	argv[argc++] = name_arg;
	argv[argc++] = lcores;
	argv[argc++] = telemetry_arg;
	argv[argc++] = shconf_arg;
	argv[argc++] = verbose ? verbose_arg : quiet_arg;
	argv[argc++] = virtio_arg;
	if (pci)
		argv[argc++] = in_memory_arg;
	for (size_t i = 0; !pci && i < sizeof(no_huge_args) / sizeof(no_huge_args[0]); i++)
		argv[argc++] = no_huge_args[i];
	r = lastlog_open();
	if (r)
		return err_set(err, r, "cannot keep DPDK's log: %s", strerror(-r));
	return rte_eal_init(argc, argv) < 0 ? not_started(err) : 0;
}
