// SPDX-License-Identifier: BSD-3-Clause
// DPDK's EAL for one device. Control thread, once.
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define EAL_WORKER_LCORE 1

// `pci`: the device is a PCI function, which needs the bus and hugepages; others need neither. `core`: the worker's
// CPU, or -1: any that this process may use.
int eal_start(bool pci, int core, bool verbose, struct rwy_err *err);
