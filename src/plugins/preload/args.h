// SPDX-License-Identifier: BSD-3-Clause
// Which of our EAL arguments an application gets: those that its own do not rule out. Pure, and free of the
// C library, because it runs inside any process. docs/preload.md has the rules in words.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGS_MAX 64
#define ARGS_CORES_SIZE 32

// What an argument is about, as bits.
enum args_topic {
	ARGS_VDEV = 1 << 0,
	ARGS_PREFIX = 1 << 1,	  // --file-prefix
	ARGS_AMOUNT = 1 << 2,	  // -m: how much memory
	ARGS_SOCKET = 1 << 3,	  // --socket-mem, --socket-limit: how much, where, and of hugepages
	ARGS_KIND = 1 << 4,	  // what sort of memory
	ARGS_SHCONF = 1 << 5,	  // --no-shconf
	ARGS_PCI = 1 << 6,	  // which PCI devices
	ARGS_TELEMETRY = 1 << 7,  // --telemetry and --no-telemetry
	ARGS_CORES = 1 << 8,	  // which cores
	ARGS_IOVA = 1 << 9,	  // --iova-mode
	ARGS_SECONDARY = 1 << 10, // --proc-type=secondary: the primary decides memory and devices
};

// Splits text into its lines, in place; empty lines are left out. Returns the count, or -1 when there are more
// than ARGS_MAX.
int args_split(char *text, const char *ret_lines[ARGS_MAX]);

// The topics of the EAL arguments in argv[first] to argv[argc - 1], up to "--".
uint32_t args_topics(int argc, const char *const *argv, int first);

// Copies to ret_chosen those of our arguments that do not conflict with what the application gave. Returns
// their count.
int args_choose(
	uint32_t given,
	int count,
	const char *const *ours,
	const char *ret_chosen[ARGS_MAX]
);

// When the CPU set (as sched_getaffinity fills it) holds exactly one CPU: writes an argument that gives the process
// a main and a worker lcore there. Returns whether it did.
bool args_share_cpu(const uint8_t *set, size_t set_size, char ret_arg[ARGS_CORES_SIZE]);
