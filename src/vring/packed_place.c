// SPDX-License-Identifier: BSD-3-Clause
// Where a packed ring goes on whose last back end was lost, from the place that outlived it. Runs on the control
// thread before the ring is used. packed_show() writes the place.
//
// The last process ended at one of these points:
//   nothing was being shown, or all of it was and the place said so: the ring stands at `base`;
//   the first used descriptor was not stored: the driver passes it before it looks at the others, so it has seen none and
//   the descriptors are as it left them or already used. All are stored again; their frames were delivered, and those of
//   a transmit ring shown at their destinations;
//   it was stored: all were, and the driver may have made them available for its next lap. Nothing is stored.
#include "vring/kind.h"
#include "vring/packed.h"

#include <errno.h>

static bool is_in_ring(const struct vring *ring, uint32_t word)
{
	return word <= UINT16_MAX && packed_place_of(word).index < ring->size;
}

// Descriptors from the one place on to the other, along two laps.
static uint32_t distance(const struct vring *ring, struct packed_place from, struct packed_place to)
{
	uint32_t two = 2 * ring->size;
	uint32_t lap = from.wrap == to.wrap ? 0 : ring->size;
	return (to.index + lap + two - from.index) % two;
}

// virtio 1.1, 2.7.4: both flags as the wrap counter, WRITE where it has a length, nothing else.
static bool is_used_word(uint64_t word, bool wrap)
{
	uint16_t flags = (uint16_t)(word >> 48);
	uint16_t both = wrap ? PACKED_F_AVAIL | PACKED_F_USED : 0;
	return flags == (both | ((uint32_t)word ? DESC_F_WRITE : 0));
}

// What was being shown begins at `base`, goes on in the order of the ring, and ends before `next`, a lap further at
// most.
static bool is_sound(const struct vring *ring, uint32_t count)
{
	const struct vring_place *place = ring->place;
	struct packed_place base = packed_place_of(place->base);
	uint32_t end = distance(ring, base, packed_place_of(place->next));
	uint32_t least = 0;

	if (count > VRING_PENDING_MAX || end > ring->size || place->index[0] != base.index)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t index = place->index[i];
		if (index >= ring->size)
			return false;
		struct packed_place at = {index, index < base.index ? !base.wrap : base.wrap};
		uint32_t ahead = distance(ring, base, at);
		if (ahead < least || ahead >= end || !is_used_word(place->word[i], at.wrap))
			return false;
		least = ahead + 1;
	}
	return true;
}

int packed_recover(struct vring *ring, uint16_t *ret_base)
{
	struct vring_place *place = ring->place;
	uint32_t count = __atomic_load_n(&place->count, __ATOMIC_ACQUIRE);

	if (!is_in_ring(ring, place->base))
		return -EINVAL;
	if (count && place->next != place->base) {
		if (!is_in_ring(ring, place->next) || !is_sound(ring, count))
			return -EINVAL;
		struct packed_place at = packed_place_of(place->base);
		if (packed_is_available(packed_read(ring, at.index).flags, at.wrap))
			packed_store_pending(ring, count);
		__atomic_store_n(&place->base, place->next, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&place->count, 0, __ATOMIC_RELEASE);
	*ret_base = (uint16_t)place->base;
	return 0;
}
