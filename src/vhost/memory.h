// SPDX-License-Identifier: BSD-3-Clause
// The memory a front end shares, mapped into this process. Changed by the control thread while no
// ring of the connection is live; workers read `mem` only.
#pragma once

#include "base/err.h"
#include "vhost/message.h"
#include "vhost/state.h"
#include "vring/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What one connection may map together: more than any guest here has.
#define MEMORY_SIZE_MAX (1ull << 40)
// What any connection may have in any case: 4096 of them fit the process' addresses (2^47 bytes) and mappings
// (vm.max_map_count, 65530 by default). What is beyond that comes out of what is left for all together, so that some that take
// much leave the others theirs.
#define MEMORY_SIZE_OWN (16ull << 30)
#define MEMORY_REGIONS_OWN 8
#define MEMORY_SIZE_SHARED (32ull << 40)
#define MEMORY_REGIONS_SHARED 24576

// Of the shared part.
struct memory_share {
	uint64_t size;
	uint32_t regions;
};

struct memory_mapping {
	uint8_t *addr; // Whole pages of the file's own size around the region.
	size_t size;
	int guard;	    // Entry of the SIGBUS guard.
	uint32_t additions; // How often it was added, less how often it was removed.
	uint64_t offset;    // Of the region in its file, which is known by
	uint64_t inode;	    // its number on
	uint32_t device[2]; // its file system.
	int fd;		    // Owned. Not used here: kept for the process that comes after this one.
	uint32_t id;	    // Its number (struct vhost_kept).
};

struct memory {
	struct vring_mem mem;
	struct memory_mapping mapping[VRING_REGIONS_MAX]; // Of mem.region[] at the same index.
	uint64_t size;					  // Bytes of all regions.
	struct memory_share share;			  // What it has of it.
	atomic_bool *lost;				  // Set when a SIGBUS hits any of them.
};

// An empty memory, or NULL. `lost` must outlive it.
struct memory *memory_new(atomic_bool *lost);
// Unmaps everything, closes the descriptors. Accepts NULL.
void memory_free(struct memory *memory);

// Maps a region of fd, whose number is id; takes it over, unless it fails. Nothing has changed on failure: -EINVAL for
// a region that is malformed, overlaps another or lies beyond its file, or an unfit file; -ENOSPC.
int memory_add(
	struct memory *memory,
	const struct message_region *region,
	int fd,
	uint32_t id,
	struct rwy_err *err
);

// Maps a region that another process had mapped of the same file, by the same rules but one: that the file may have
// become smaller meanwhile. Whoever touches what is gone meets the guard, as it would have in that process; a region that
// nobody touches there goes on, as it would have too. Takes fd over, unless it fails. -EPROTO: it is another file.
int memory_restore(
	struct memory *memory,
	const struct vhost_state_region *saved,
	int fd,
	struct rwy_err *err
);

// What memory_restore() needs of every region, mem.count of them.
void memory_save(const struct memory *memory, struct vhost_state_region *ret_saved);

// Counts one more addition of a region that is there already, of the same file. False when there is none like it. QEMU
// before 8.2 adds and removes every region once for each queue pair, and starts no queue when one of them fails.
bool memory_add_again(struct memory *memory, const struct message_region *region, int fd);

// Unmaps the region with these addresses and this size, if it was not added more often than removed, and closes its
// descriptor, whose number goes to *ret_id; 0: it is still there. -ENOENT when there is none.
int memory_remove(
	struct memory *memory,
	const struct message_region *region,
	uint32_t *ret_id,
	struct rwy_err *err
);

// Where a range of user addresses lies in this process; NULL unless one region holds all of it.
void *memory_find_user(const struct memory *memory, uint64_t user, uint64_t size);
