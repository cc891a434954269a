// SPDX-License-Identifier: BSD-3-Clause
// A ring's life, and the way from vring.h's functions to those of its kind: split*.c and packed*.c. Runs on the
// ring's worker, or on the control thread while the port is quiesced.
#include "vring/vring.h"

#include "vring/copy.h"
#include "vring/kind.h"
#include "vring/layout.h"

#include <errno.h>

static const char *const fault_text[VRING_FAULT_COUNT] = {
	[VRING_FAULT_NONE] = "none",
	[VRING_FAULT_AVAIL_JUMP] = "the available index jumped by more than the ring's size",
	[VRING_FAULT_HEAD] = "a descriptor index is outside of its table",
	[VRING_FAULT_LOOP] = "a descriptor chain is longer than its table",
	[VRING_FAULT_ADDRESS] = "a buffer lies outside of the shared memory",
	[VRING_FAULT_INDIRECT] = "an indirect descriptor is malformed or was not negotiated",
	[VRING_FAULT_DIRECTION] = "a buffer is writable where readable is due, or the reverse",
};

const char *vring_fault_text(enum vring_fault fault)
{
	return (unsigned int)fault < VRING_FAULT_COUNT ? fault_text[fault] : "unknown";
}

// virtio 1.1, 2.6: 16, 6 and 6 bytes and so many an entry; used_event and avail_event lie behind the rings.
uint64_t vring_area_size(const struct vring_config *config, enum vring_area area)
{
	uint64_t size = config->size;
	uint64_t event = config->event_idx ? 2 : 0;

	switch (area) {
	case VRING_AREA_DESC:
		return 16 * size;
	case VRING_AREA_AVAIL:
		return 4 + 2 * size + event;
	default:
		return 4 + 8 * size + event;
	}
}

uint32_t vring_area_align(const struct vring_config *config, enum vring_area area)
{
	static const uint32_t align[VRING_AREA_COUNT] = {16, 2, 4};
	return align[area];
}

static bool is_aligned(const struct vring_config *config, enum vring_area area, const void *at)
{
	return (uintptr_t)at % vring_area_align(config, area) == 0;
}

static int check_config(
	const struct vring_areas *areas,
	const struct vring_config *config,
	const struct vring_mem *mem
)
{
	if (config->packed || !vring_size_is_valid(config->packed, config->size))
		return -EINVAL;
	if (!is_aligned(config, VRING_AREA_DESC, areas->desc) ||
	    !is_aligned(config, VRING_AREA_AVAIL, areas->avail) ||
	    !is_aligned(config, VRING_AREA_USED, areas->used))
		return -EINVAL;
	return mem->count ? 0 : -EINVAL;
}

static void split_set_base(struct vring *ring, uint16_t base)
{
	ring->next_avail = base;
	ring->avail_seen = base;
	ring->next_used = base;
	ring->used_shown = base;
	ring->used_called = base;
}

int vring_init(
	struct vring *ring,
	const struct vring_areas *areas,
	const struct vring_config *config,
	const struct vring_mem *mem
)
{
	int r = check_config(areas, config, mem);
	if (r)
		return r;
	*ring = (struct vring){
		.desc = areas->desc,
		.avail = areas->avail,
		.used = areas->used,
		.mem = mem,
		.cache = &mem->region[0],
		.copy = copy_choose(),
		.size = config->size,
		.mask = (uint16_t)(config->size - 1),
		.header_size = config->header_size,
		.packed = config->packed,
		.mergeable = config->mergeable,
		.indirect = config->indirect,
		.event_idx = config->event_idx,
		.in_order = config->in_order,
		.offloads = config->offloads,
	};
	split_set_base(ring, (uint16_t)config->base);
	return 0;
}

uint32_t vring_base(const struct vring *ring)
{
	return ring->next_avail;
}

void vring_adopt_used(struct vring *ring)
{
	split_set_base(ring, __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE));
}

void vring_set_notify(struct vring *ring, bool notify)
{
	split_set_notify(ring, notify);
}

bool vring_has_work(const struct vring *ring)
{
	return ring->fault == VRING_FAULT_NONE && split_has_work(ring);
}

uint32_t vring_take(
	struct vring *ring,
	struct frame_burst *burst,
	uint32_t max,
	uint64_t ret_drops[VRING_DROP_COUNT]
)
{
	burst->count = 0;
	burst->seg_count = 0;
	ring->taken_count = 0;
	if (ring->fault != VRING_FAULT_NONE)
		return 0;
	split_take(ring, burst, max, ret_drops);
	return burst->count;
}

void vring_complete(struct vring *ring)
{
	split_put_taken(ring);
	ring->taken_count = 0;
	split_show(ring);
}

uint32_t vring_deliver(
	struct vring *ring,
	const struct frame *const *frames,
	uint32_t count,
	enum vring_drop *ret_drop
)
{
	if (ring->fault != VRING_FAULT_NONE) {
		*ret_drop = VRING_DROP_FULL;
		return 0;
	}
	return split_deliver(ring, frames, count, ret_drop);
}

void vring_show(struct vring *ring)
{
	split_show(ring);
}

bool vring_wants_call(struct vring *ring)
{
	return split_wants_call(ring);
}
