// SPDX-License-Identifier: BSD-3-Clause
// Guest address translation beyond the region of the last hit. Any thread; the table is constant
// while rings use it.
#include "vring/mem.h"

// The region that holds gpa, or NULL. Regions are sorted.
static const struct vring_region *find_region(const struct vring_mem *mem, uint64_t gpa)
{
	uint32_t low = 0;
	uint32_t high = mem->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct vring_region *r = &mem->region[middle];
		if (gpa < r->gpa)
			high = middle;
		else if (gpa - r->gpa >= r->size)
			low = middle + 1;
		else
			return r;
	}
	return NULL;
}

void *vring_mem_find(
	const struct vring_mem *mem,
	const struct vring_region **cache,
	uint64_t gpa,
	uint64_t size
)
{
	const struct vring_region *first = find_region(mem, gpa);
	if (!first)
		return NULL;
	uint64_t offset = gpa - first->gpa;
	uint64_t held = first->size - offset;

	// Into the following regions, as long as both address spaces go on without a gap.
	for (const struct vring_region *r = first; held < size; r++) {
		const struct vring_region *next = r + 1;
		if (next == mem->region + mem->count || next->gpa != r->gpa + r->size ||
		    next->host != r->host + r->size)
			return NULL;
		held += next->size;
	}
	*cache = first;
	return first->host + offset;
}
