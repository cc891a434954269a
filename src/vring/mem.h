// SPDX-License-Identifier: BSD-3-Clause
// Guest memory as the rings see it: checked translation of guest physical addresses. Built and
// replaced by the vhost layer while no worker uses it; read by workers.
#pragma once

#include <stddef.h>
#include <stdint.h>

// KVM's usual slot count would be 509; no front end we know needs more than a few dozen.
#define VRING_REGIONS_MAX 128

struct vring_region {
	uint64_t gpa;  // Guest physical address of the first byte.
	uint64_t size; // Bytes; gpa + size does not wrap.
	uint64_t user; // The front end's own virtual address (vhost-user: user address).
	uint8_t *host; // Where the first byte lies in this process.
};

// Sorted by gpa, without overlap.
struct vring_mem {
	uint32_t count;
	struct vring_region region[VRING_REGIONS_MAX];
};

// Where [gpa, gpa + size) lies, or NULL when any byte of it lies in no region. A range may cross
// from one region into the next only where both the guest's and this process's addresses go on
// without a gap. *cache is any region of mem, moved to the one that was hit.
void *vring_mem_find(
	const struct vring_mem *mem,
	const struct vring_region **cache,
	uint64_t gpa,
	uint64_t size
);

// A private copy of the region of the last hit, for loops: guest memory and private memory may be the same to the
// compiler, so a region that is read through pointers would be read anew for each buffer.
struct vring_window {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
};

static inline struct vring_window vring_window_at(const struct vring_region *region)
{
	return (struct vring_window
	){.gpa = region->gpa, .size = region->size, .host = region->host};
}

// As vring_mem_at(), moving window and cache.
static inline void *vring_window_find(
	struct vring_window *window,
	const struct vring_mem *mem,
	const struct vring_region **cache,
	uint64_t gpa,
	uint64_t size
)
{
	uint64_t offset = gpa - window->gpa;
	if (__builtin_expect(offset < window->size && size <= window->size - offset, 1))
		return window->host + offset;
	void *host = vring_mem_find(mem, cache, gpa, size);
	*window = vring_window_at(*cache);
	return host;
}

// The common case inline: the range lies in the region that the last one lay in.
static inline void *vring_mem_at(
	const struct vring_mem *mem,
	const struct vring_region **cache,
	uint64_t gpa,
	uint64_t size
)
{
	const struct vring_region *r = *cache;
	uint64_t offset = gpa - r->gpa; // Wraps to something huge below the region.
	if (__builtin_expect(offset < r->size && size <= r->size - offset, 1))
		return r->host + offset;
	return vring_mem_find(mem, cache, gpa, size);
}
