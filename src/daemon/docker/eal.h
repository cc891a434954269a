// SPDX-License-Identifier: BSD-3-Clause
// The EAL arguments that a container's DPDK application is given. Pure, but for what the host has.
#pragma once

#include "base/mac.h"
#include "daemon/service.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where a container finds its place.
#define EAL_PLACE_DIR "/run/ringway"

// A port of a container's DPDK application: a socket, or a function of a NIC.
struct eal_port {
	uint16_t index;
	uint16_t queues;
	uint8_t mac[MAC_SIZE];
	char pci[FUNCTION_SIZE]; // The function's address; empty: a socket.
	bool noiommu;		 // The function's group is one of VFIO's no-IOMMU mode.
};

struct eal_memory {
	bool hugepages;
	uint32_t
		size_mib; // Without hugepages: how much may be used; only what is touched is taken.
};

// MiB of 4 KiB pages that dpdk-testpmd's default pools of packet buffers need on so many CPUs, and some
// for rings and the like.
uint32_t eal_default_mib(unsigned int cpus);

// want_mib 0: the default for this host. huge_mib: free hugepages of 2 MiB.
struct eal_memory eal_choose_memory(uint32_t want_mib, uint32_t cpus, uint64_t huge_mib);

// An array of strings, one an argument; NULL without memory. The caller's.
json_t *eal_make_args(
	const struct eal_memory *memory,
	const struct eal_port *ports,
	size_t port_count
);

// The strings with `separator` behind each (or between them); NULL without memory. The caller frees it.
char *eal_join_args(json_t *args, char separator, bool behind_each);

// What the host has: MiB of free 2 MiB pages that nobody has reserved (0 when it cannot be read), and CPUs.
uint64_t eal_host_huge_mib(void);
unsigned int eal_host_cpus(void);
