// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment for the switch: two lcores, no device, no hugepage, no file.
#pragma once

#include "base/err.h"

// Reads a CPU list as `--cores` takes it: "3". Empty: the last CPU this process may use. Exactly one for now. 0 or
// -EINVAL.
int eal_parse_cores(const char *text, unsigned int *ret_core, struct rwy_err *err);

// Starts the EAL: lcore 0 is the calling thread on any CPU, lcore 1 the worker on `core`.
int eal_start(unsigned int core, struct rwy_err *err);

#define EAL_WORKER_LCORE 1
