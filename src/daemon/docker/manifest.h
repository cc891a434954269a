// SPDX-License-Identifier: BSD-3-Clause
// What a container's place says about its ports: manifest.json and eal-args. Any thread, one at a time a
// directory.
#pragma once

#include "base/err.h"
#include "daemon/docker/eal.h"
#include "daemon/service.h"

#define MANIFEST_PORTS 16

struct manifest_port {
	struct eal_port eal;
	char name[NAME_SIZE];
	char network[NAME_SIZE];
	char ip[ADDR_TEXT_SIZE];
	char ip6[ADDR_TEXT_SIZE];
	char gateway[ADDR_TEXT_SIZE];
	char gateway6[ADDR_TEXT_SIZE];
	uint32_t mtu;
	// Of a function:
	char vfio[64];			// Its device node.
	int32_t iommu_group, numa_node; // Negative: not known.
};

struct manifest {
	struct eal_memory memory;
	size_t port_count;
	struct manifest_port ports[MANIFEST_PORTS]; // In order of index.
};

// Replaces both files in dir; a reader sees the old or the new one, never half of one. Negative errno:
// what could not be written is as it was.
int manifest_write(const char *dir, const struct manifest *manifest, struct rwy_err *err);

// The memory that dir's manifest speaks of, so that a change of ports keeps it. -ENOENT: none there, or
// not one of ours.
int manifest_read_memory(const char *dir, struct eal_memory *ret_memory);
