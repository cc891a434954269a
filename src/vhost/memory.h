// SPDX-License-Identifier: BSD-3-Clause
// The memory a front end shares, mapped into this process. Changed by the control thread while no
// ring of the connection is live; workers read `mem` only.
#pragma once

#include "base/err.h"
#include "vhost/message.h"
#include "vring/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Of one connection together: more virtual memory than any guest here has, and far less than what
// the process has for all.
#define MEMORY_SIZE_MAX (1ull << 40)

struct memory_mapping {
	uint8_t *addr; // Whole pages of the file's own size around the region.
	size_t size;
	int guard;	    // Entry of the SIGBUS guard.
	uint32_t additions; // How often it was added, less how often it was removed.
	uint64_t offset;    // Of the region in its file, which is known by
	uint64_t inode;	    // its number on
	uint32_t device[2]; // its file system.
};

struct memory {
	struct vring_mem mem;
	struct memory_mapping mapping[VRING_REGIONS_MAX]; // Of mem.region[] at the same index.
	uint64_t size;					  // Bytes of all regions.
	atomic_bool *lost;				  // Set when a SIGBUS hits any of them.
};

// An empty memory, or NULL. `lost` must outlive it.
struct memory *memory_new(atomic_bool *lost);
// Unmaps everything. Accepts NULL.
void memory_free(struct memory *memory);

// Maps a region of fd, which stays the caller's. Nothing has changed on failure: -EINVAL for
// a region that is malformed, overlaps another or lies beyond its file, or an unfit file; -ENOSPC.
int memory_add(
	struct memory *memory,
	const struct message_region *region,
	int fd,
	struct rwy_err *err
);

// Counts one more addition of a region that is there already, of the same file. False when there is none like it. QEMU
// before 8.2 adds and removes every region once for each queue pair, and starts no queue when one of them fails.
bool memory_add_again(struct memory *memory, const struct message_region *region, int fd);

// Unmaps the region with these addresses and this size, if it was not added more often than removed. -ENOENT when
// there is none.
int memory_remove(struct memory *memory, const struct message_region *region, struct rwy_err *err);

// Where a range of user addresses lies in this process; NULL unless one region holds all of it.
void *memory_find_user(const struct memory *memory, uint64_t user, uint64_t size);
