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

// virtio 1.1, 2.6.5, 2.6.6 and 2.6.8; used_event and avail_event lie behind the rings. 2.7.13 and 2.7.14.
uint64_t vring_area_size(const struct vring_config *config, enum vring_area area)
{
	uint64_t size = config->size;
	uint64_t event = config->event_idx ? 2 : 0;

	switch (area) {
	case VRING_AREA_DESC:
		return 16 * size;
	case VRING_AREA_AVAIL:
		return config->packed ? 4 : 4 + 2 * size + event;
	default:
		return config->packed ? 4 : 4 + 8 * size + event;
	}
}

// virtio 1.1, 2.6 and 2.7.
uint32_t vring_area_align(const struct vring_config *config, enum vring_area area)
{
	static const uint32_t align[2][VRING_AREA_COUNT] = {{16, 2, 4}, {16, 4, 4}};
	return align[config->packed][area];
}

static bool is_aligned(const struct vring_config *config, enum vring_area area, const void *at)
{
	return (uintptr_t)at % vring_area_align(config, area) == 0;
}

// The one place that a packed ring goes on from, see vring_config.
static uint16_t packed_base(const struct vring_config *config)
{
	uint16_t used = (uint16_t)(config->base >> 16);
	return used ? used : (uint16_t)config->base;
}

static int check_config(
	const struct vring_areas *areas,
	const struct vring_config *config,
	const struct vring_mem *mem
)
{
	if (!vring_size_is_valid(config->packed, config->size))
		return -EINVAL;
	if (config->packed && config->recover && !config->place)
		return -EINVAL;
	if (config->packed && !config->recover && packed_base(config) % PACKED_WRAP >= config->size)
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

static void packed_set_base(struct vring *ring, uint16_t base)
{
	bool wrap = base & PACKED_WRAP;

	ring->next_avail = base % PACKED_WRAP;
	ring->next_used = ring->next_avail;
	ring->used_shown = ring->next_avail;
	ring->avail_wrap = wrap;
	ring->used_wrap = wrap;
	ring->shown_wrap = wrap;
}

// Where the ring begins: where the configuration says, or where the last process left it.
static int start_packed(struct vring *ring, const struct vring_config *config)
{
	uint16_t base = packed_base(config);

	ring->place = config->place ? config->place : &ring->own;
	if (config->recover) {
		int r = packed_recover(ring, &base);
		if (r)
			return r;
	} else {
		__atomic_store_n(&ring->place->count, 0, __ATOMIC_RELEASE);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		ring->place->base = base;
	}
	packed_set_base(ring, base);
	return 0;
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
	if (config->packed)
		return start_packed(ring, config);
	if (config->recover)
		vring_adopt_used(ring);
	else
		split_set_base(ring, (uint16_t)config->base);
	return 0;
}

uint32_t vring_base(const struct vring *ring)
{
	if (!ring->packed)
		return ring->next_avail;
	uint32_t avail = ring->next_avail | (ring->avail_wrap ? PACKED_WRAP : 0);
	uint32_t used = ring->used_shown | (ring->shown_wrap ? PACKED_WRAP : 0);
	return avail | used << 16;
}

void vring_adopt_used(struct vring *ring)
{
	if (!ring->packed)
		split_set_base(ring, half_read(&ring->used->idx, __ATOMIC_ACQUIRE));
}

void vring_set_notify(struct vring *ring, bool notify)
{
	if (ring->packed)
		packed_set_notify(ring, notify);
	else
		split_set_notify(ring, notify);
}

bool vring_has_work(const struct vring *ring)
{
	if (ring->fault != VRING_FAULT_NONE)
		return false;
	return ring->packed ? packed_has_work(ring) : split_has_work(ring);
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
	burst->bytes = 0;
	ring->taken_count = 0;
	if (ring->fault != VRING_FAULT_NONE)
		return 0;
	if (ring->packed)
		packed_take(ring, burst, max, ret_drops);
	else
		split_take(ring, burst, max, ret_drops);
	return burst->count;
}

void vring_complete(struct vring *ring)
{
	if (ring->packed)
		packed_put_taken(ring);
	else
		split_put_taken(ring);
	ring->taken_count = 0;
	vring_show(ring);
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
	if (ring->packed)
		return packed_deliver(ring, frames, count, ret_drop);
	return split_deliver(ring, frames, count, ret_drop);
}

void vring_show(struct vring *ring)
{
	if (ring->packed)
		packed_show(ring);
	else
		split_show(ring);
}

bool vring_wants_call_fenced(struct vring *ring)
{
	return ring->packed ? packed_wants_call(ring) : split_wants_call(ring);
}

bool vring_wants_call(struct vring *ring)
{
	vring_fence();
	return vring_wants_call_fenced(ring);
}
