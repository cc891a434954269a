// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment for the switch: one lcore a worker and one for the control thread, no device, no hugepage, no file.
#pragma once

#include "base/err.h"
#include "wire/wire.h"

#include <stdbool.h>

// The workers' CPUs, one each.
struct eal_cores {
	uint32_t count;
	unsigned int cpu[WIRE_WORKERS_MAX];
};

// Reads a CPU list as `--cores` takes it: numbers and ranges, "3", "2-3" or "1,3-5". Empty: the last CPU that this process
// may use. 0 or -EINVAL: not a list, a CPU twice, too many, or one where this process may not run.
int eal_parse_cores(const char *text, struct eal_cores *ret_cores, struct rwy_err *err);

// Starts the EAL: lcore 0 is the calling thread on any CPU, EAL_WORKER_LCORE + i the worker on cpu[i].
int eal_start(const struct eal_cores *cores, struct rwy_err *err);

// Whether the calling thread, which is the control thread, keeps off the workers' CPUs, where there are others. While frames move
// it should: a front end that keeps it busy must not take a worker's time. While none do it may use them.
void eal_keep_off_workers(bool off);

#define EAL_WORKER_LCORE 1
