// SPDX-License-Identifier: BSD-3-Clause
// A split ring's life: set-up, notification both ways, showing what was used. Runs on the ring's
// worker, or on the control thread while the port is quiesced. take.c and deliver.c move the frames.
//
// Memory ordering of the shared words:
//   avail->idx    acquire, before the entries and descriptors that it makes available are read;
//   used->idx     release, after the used entries and the frames' bytes were written;
//   avail->flags  read after a full fence behind the store of used->idx: a front end clears the flag,
//                 fences and looks at used->idx, so one of the two sees the other (2.6.7.1);
//   used->flags   relaxed: it is a hint; after clearing it the ring is looked at once more.
#include "vring/layout.h"
#include "vring/vring.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

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

int vring_init(
	struct vring *ring,
	const struct vring_areas *areas,
	const struct vring_config *config,
	const struct vring_mem *mem
)
{
	uint16_t base = (uint16_t)config->base;

	if (config->packed || !vring_size_is_valid(false, config->size))
		return -EINVAL;
	if ((uintptr_t)areas->desc % 16 || (uintptr_t)areas->avail % 2 ||
	    (uintptr_t)areas->used % 4)
		return -EINVAL;
	if (mem->count == 0)
		return -EINVAL;
	*ring = (struct vring){
		.desc = areas->desc,
		.avail = areas->avail,
		.used = areas->used,
		.mem = mem,
		.cache = &mem->region[0],
		.size = config->size,
		.mask = (uint16_t)(config->size - 1),
		.next_avail = base,
		.avail_seen = base,
		.next_used = base,
		.used_shown = base,
		.header_size = config->header_size,
		.mergeable = config->mergeable,
		.indirect = config->indirect,
	};
	return 0;
}

uint32_t vring_base(const struct vring *ring)
{
	return ring->next_avail;
}

void vring_adopt_used(struct vring *ring)
{
	uint16_t used = __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);

	ring->next_avail = used;
	ring->avail_seen = used;
	ring->next_used = used;
	ring->used_shown = used;
}

void vring_set_notify(struct vring *ring, bool notify)
{
	__atomic_store_n(&ring->used->flags, notify ? 0 : USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
	if (notify)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool vring_has_work(const struct vring *ring)
{
	return ring->fault == VRING_FAULT_NONE &&
		__atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE) != ring->next_avail;
}

void vring_show(struct vring *ring)
{
	if (ring->used_shown == ring->next_used)
		return;
	__atomic_store_n(&ring->used->idx, ring->next_used, __ATOMIC_RELEASE);
	ring->used_shown = ring->next_used;
}

bool vring_wants_call(struct vring *ring)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) & AVAIL_F_NO_INTERRUPT);
}
