// SPDX-License-Identifier: BSD-3-Clause
// Judges and maps memory regions (vhost-user, "Memory region description"). Owns the mappings and their
// descriptors. Control thread.
#include "vhost/memory.h"

#include "base/cleanup.h"
#include "vhost/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

// What all memories have of the shared part together.
static struct memory_share shared;

static struct memory_share share_of(uint64_t size, uint32_t regions)
{
	return (struct memory_share){
		.size = size > MEMORY_SIZE_OWN ? size - MEMORY_SIZE_OWN : 0,
		.regions = regions > MEMORY_REGIONS_OWN ? regions - MEMORY_REGIONS_OWN : 0,
	};
}

// Moves the sums to what the memory has now, or to nothing.
static void set_share(struct memory *memory, struct memory_share share)
{
	shared.size += share.size - memory->share.size;
	shared.regions += share.regions - memory->share.regions;
	memory->share = share;
}

static bool share_fits(const struct memory *memory, uint64_t size)
{
	struct memory_share share = share_of(memory->size + size, memory->mem.count + 1);

	return shared.size - memory->share.size + share.size <= MEMORY_SIZE_SHARED &&
		shared.regions - memory->share.regions + share.regions <= MEMORY_REGIONS_SHARED;
}

struct memory *memory_new(atomic_bool *lost)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	if (memory)
		memory->lost = lost;
	return memory;
}

static void unmap(struct memory_mapping *mapping)
{
	guard_remove(mapping->guard);
	(void)munmap(mapping->addr, mapping->size); // Cannot fail for a mapping of ours.
	fd_close(&mapping->fd);
}

void memory_free(struct memory *memory)
{
	if (!memory)
		return;
	for (uint32_t i = 0; i < memory->mem.count; i++)
		unmap(&memory->mapping[i]);
	set_share(memory, (struct memory_share){0});
	free(memory);
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size; // Neither wraps: checked before.
}

static int check_region(
	const struct memory *memory,
	const struct message_region *region,
	struct rwy_err *err
)
{
	uint64_t size = region->size;

	if (memory->mem.count == VRING_REGIONS_MAX)
		return err_set(err, -ENOSPC, "more than %u memory regions", VRING_REGIONS_MAX);
	if (!size || size > MEMORY_SIZE_MAX - memory->size)
		return err_set(err, -EINVAL, "memory region of 0x%" PRIx64 " bytes", size);
	if (!share_fits(memory, size))
		return err_set(
			err,
			-ENOSPC,
			"memory region of 0x%" PRIx64
			" bytes: other ports have what there is beyond %llu GiB and %d regions each",
			size,
			MEMORY_SIZE_OWN >> 30,
			MEMORY_REGIONS_OWN
		);
	if (region->gpa > UINT64_MAX - size || region->user > UINT64_MAX - size ||
	    region->offset > INT64_MAX - size)
		return err_set(
			err,
			-EINVAL,
			"memory region at 0x%" PRIx64 ", user 0x%" PRIx64 ", offset 0x%" PRIx64
			" wraps",
			region->gpa,
			region->user,
			region->offset
		);
	for (uint32_t i = 0; i < memory->mem.count; i++) {
		const struct vring_region *other = &memory->mem.region[i];
		if (overlaps(region->gpa, size, other->gpa, other->size) ||
		    overlaps(region->user, size, other->user, other->size))
			return err_set(
				err,
				-EINVAL,
				"memory region at 0x%" PRIx64 " overlaps another",
				region->gpa
			);
	}
	return 0;
}

static int look_at_file(int fd, struct statx *ret_stat)
{
	return statx(
		fd,
		"",
		AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		STATX_TYPE | STATX_SIZE | STATX_INO,
		ret_stat
	);
}

static bool is_file(const struct statx *stat, uint64_t inode, const uint32_t device[2])
{
	return stat->stx_ino == inode && stat->stx_dev_major == device[0] &&
		stat->stx_dev_minor == device[1];
}

// Only files that live in memory: on any other a page fault may wait for whoever serves the file, and
// stop a worker. Never asks a file system of which that is not known, for the same reason: seals exist exactly on
// tmpfs (memfd too) and hugetlbfs files, and statx takes what is cached. What the kernel may seal one day is refused by its
// file system's name. `saved`: see memory_restore(); NULL for a new region.
static int check_file(
	int fd,
	const struct message_region *region,
	const struct vhost_state_region *saved,
	struct statx *ret_stat,
	struct rwy_err *err
)
{
	struct statfs fs;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) != O_RDWR)
		return err_set(err, -EINVAL, "memory region's file is not open for writing");
	if (fcntl(fd, F_GET_SEALS) < 0 || fstatfs(fd, &fs) ||
	    (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC))
		return err_set(err, -EINVAL, "memory region's descriptor is not shared memory");
	if (look_at_file(fd, ret_stat))
		return err_set(err, -errno, "cannot look at a region's file: %s", strerror(errno));
	if (!S_ISREG(ret_stat->stx_mode))
		return err_set(err, -EINVAL, "memory region's descriptor is not a file");
	if (saved && !is_file(ret_stat, saved->inode, saved->device))
		return err_set(
			err, -EPROTO, "memory region at 0x%" PRIx64 " is another file", region->gpa
		);
	if (!saved && region->offset + region->size > ret_stat->stx_size)
		return err_set(
			err,
			-EINVAL,
			"memory region at 0x%" PRIx64 " ends beyond its file",
			region->gpa
		);
	return 0;
}

struct mapped {
	struct memory_mapping mapping;
	struct vring_region region;
};

// Maps whole pages around the region and enters them with the guard.
static int map_region(
	const struct memory *memory,
	const struct message_region *region,
	const struct vhost_state_region *saved,
	int fd,
	struct mapped *ret_mapped,
	struct rwy_err *err
)
{
	struct statx stat = {0};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int r = check_file(fd, region, saved, &stat, err);
	if (r)
		return r;
	// Huge pages: the file's block is its page.
	if (stat.stx_blksize > page && !(stat.stx_blksize & (stat.stx_blksize - 1)))
		page = stat.stx_blksize;
	uint64_t start = region->offset & ~(uint64_t)(page - 1);
	size_t size = (region->offset - start + region->size + page - 1) & ~(page - 1);
	int flags = MAP_SHARED | MAP_NORESERVE;
	uint8_t *addr = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, (off_t)start);
	if (addr == MAP_FAILED)
		return err_set(
			err,
			errno == EAGAIN ? -ENOMEM : -errno,
			"cannot map a memory region: %s",
			strerror(errno)
		);
	int guard = guard_add(addr, size, memory->lost);
	if (guard < 0) {
		(void)munmap(addr, size); // Cannot fail for a mapping of ours.
		return err_set(err, guard, "this switch holds too many memory regions");
	}
	(void)madvise(addr, size, MADV_DONTDUMP); // Only keeps core dumps small.
	ret_mapped->mapping = (struct memory_mapping){
		.addr = addr,
		.size = size,
		.guard = guard,
		.offset = region->offset,
		.inode = stat.stx_ino,
		.device = {stat.stx_dev_major, stat.stx_dev_minor},
		.fd = fd,
	};
	ret_mapped->region = (struct vring_region){
		.gpa = region->gpa,
		.size = region->size,
		.user = region->user,
		.host = addr + (region->offset - start),
	};
	return 0;
}

// The index of the region with these addresses and this size; mem.count when there is none.
static uint32_t find_region(const struct memory *memory, const struct message_region *region)
{
	uint32_t i;

	for (i = 0; i < memory->mem.count; i++) {
		const struct vring_region *r = &memory->mem.region[i];
		if (r->gpa == region->gpa && r->user == region->user && r->size == region->size)
			break;
	}
	return i;
}

// vring_mem is sorted by guest address: everything from `at` on makes room, or closes up.
static void move_regions(struct memory *memory, uint32_t at, int by)
{
	uint32_t from = by < 0 ? at + 1 : at;
	uint32_t count = memory->mem.count - from;
	uint32_t to = by < 0 ? at : at + 1;

	memmove(&memory->mem.region[to],
		&memory->mem.region[from],
		count * sizeof(memory->mem.region[0]));
	memmove(&memory->mapping[to], &memory->mapping[from], count * sizeof(memory->mapping[0]));
	memory->mem.count = by < 0 ? memory->mem.count - 1 : memory->mem.count + 1;
}

static int add_region(
	struct memory *memory,
	const struct message_region *region,
	const struct vhost_state_region *saved,
	int fd,
	struct memory_mapping **ret_mapping,
	struct rwy_err *err
)
{
	struct mapped mapped;
	uint32_t at = 0;

	int r = check_region(memory, region, err);
	if (r)
		return r;
	r = map_region(memory, region, saved, fd, &mapped, err);
	if (r)
		return r;
	while (at < memory->mem.count && memory->mem.region[at].gpa < region->gpa)
		at++;
	move_regions(memory, at, 1);
	memory->mem.region[at] = mapped.region;
	memory->mapping[at] = mapped.mapping;
	memory->size += region->size;
	set_share(memory, share_of(memory->size, memory->mem.count));
	*ret_mapping = &memory->mapping[at];
	return 0;
}

int memory_add(
	struct memory *memory,
	const struct message_region *region,
	int fd,
	uint32_t id,
	struct rwy_err *err
)
{
	struct memory_mapping *mapping;
	int r = add_region(memory, region, NULL, fd, &mapping, err);

	if (r)
		return r;
	mapping->additions = 1;
	mapping->id = id;
	return 0;
}

int memory_restore(
	struct memory *memory,
	const struct vhost_state_region *saved,
	int fd,
	struct rwy_err *err
)
{
	const struct message_region region = {
		.gpa = saved->gpa,
		.size = saved->size,
		.user = saved->user,
		.offset = saved->offset,
	};
	struct memory_mapping *mapping;

	if (!saved->additions)
		return err_set(err, -EPROTO, "memory region at 0x%" PRIx64 " is none", saved->gpa);
	int r = add_region(memory, &region, saved, fd, &mapping, err);
	if (r)
		return r;
	mapping->additions = saved->additions;
	mapping->id = saved->id;
	return 0;
}

void memory_save(const struct memory *memory, struct vhost_state_region *ret_saved)
{
	for (uint32_t i = 0; i < memory->mem.count; i++) {
		const struct vring_region *region = &memory->mem.region[i];
		const struct memory_mapping *mapping = &memory->mapping[i];
		ret_saved[i] = (struct vhost_state_region){
			.gpa = region->gpa,
			.size = region->size,
			.user = region->user,
			.offset = mapping->offset,
			.inode = mapping->inode,
			.device = {mapping->device[0], mapping->device[1]},
			.additions = mapping->additions,
			.id = mapping->id,
		};
	}
}

bool memory_add_again(struct memory *memory, const struct message_region *region, int fd)
{
	uint32_t i = find_region(memory, region);
	struct memory_mapping *mapping = &memory->mapping[i];
	struct statx stat = {0};

	if (i == memory->mem.count || mapping->additions == UINT32_MAX)
		return false;
	if (look_at_file(fd, &stat) || !is_file(&stat, mapping->inode, mapping->device) ||
	    region->offset != mapping->offset)
		return false;
	mapping->additions++;
	return true;
}

int memory_remove(
	struct memory *memory,
	const struct message_region *region,
	uint32_t *ret_id,
	struct rwy_err *err
)
{
	uint32_t i = find_region(memory, region);

	if (i == memory->mem.count)
		return err_set(err, -ENOENT, "no memory region at 0x%" PRIx64, region->gpa);
	*ret_id = 0;
	if (--memory->mapping[i].additions > 0)
		return 0;
	*ret_id = memory->mapping[i].id;
	memory->size -= memory->mem.region[i].size;
	unmap(&memory->mapping[i]);
	move_regions(memory, i, -1);
	set_share(memory, share_of(memory->size, memory->mem.count));
	return 0;
}

void *memory_find_user(const struct memory *memory, uint64_t user, uint64_t size)
{
	for (uint32_t i = 0; i < memory->mem.count; i++) {
		const struct vring_region *r = &memory->mem.region[i];
		uint64_t offset = user - r->user; // Wraps to something huge below the region.
		if (offset < r->size && size <= r->size - offset)
			return r->host + offset;
	}
	return NULL;
}
