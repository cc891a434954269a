// SPDX-License-Identifier: BSD-3-Clause
// A packed ring's notification both ways, and showing what was used. Runs on the ring's worker, or on the
// control thread while the port is quiesced. packed_take.c and packed_deliver.c move the frames.
//
// Memory ordering of the shared words:
//   a descriptor's flags  read with acquire, before the rest of it, of its chain and of their buffers: a driver
//                         writes the first descriptor's flags last (2.7.13);
//   a used descriptor     len, id and flags are one aligned 64-bit store, all in packed_show(). They are relaxed, but
//                         for the first, which is stored last and with release: the driver passes it before it
//                         looks at the others, so nothing is seen before all of the burst is there;
//   the driver's events   one aligned 32-bit load, relaxed, behind a full fence that stands behind the store of
//                         the used descriptors; the driver writes its wish, fences and looks at its next descriptor,
//                         so one of the two sees the other (2.7.14);
//   the device's events   one aligned 32-bit store, relaxed, before a full fence behind which the ring is looked at
//                         once more; the driver writes its descriptor, fences and looks at the wish;
//   everything else       is plain, ordered by the descriptors' flags.
#include "vring/packed.h"

bool packed_has_work(const struct vring *ring)
{
	return packed_is_available(packed_read(ring, ring->next_avail).flags, ring->avail_wrap);
}

// virtio 1.1, 2.7.14: with VIRTIO_F_EVENT_IDX the driver notifies when it makes the one descriptor available that we
// meet next, and for no further one.
void packed_set_notify(struct vring *ring, bool notify)
{
	uint32_t event = (uint32_t)PACKED_EVENT_DISABLE << 16;

	if (notify && ring->event_idx)
		event = (uint32_t)PACKED_EVENT_DESC << 16 | (ring->avail_wrap ? PACKED_WRAP : 0) |
			ring->next_avail;
	else if (notify)
		event = (uint32_t)PACKED_EVENT_ENABLE << 16;
	__atomic_store_n(ring->device_event, event, __ATOMIC_RELAXED);
	if (notify)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void packed_store_pending(const struct vring *ring, uint32_t count)
{
	const struct vring_place *place = ring->place;

	for (uint32_t i = count - 1; i > 0; i--) {
		vring_storing();
		__atomic_store_n(
			packed_word(ring, place->index[i]), place->word[i], __ATOMIC_RELAXED
		);
	}
	vring_storing();
	__atomic_store_n(packed_word(ring, place->index[0]), place->word[0], __ATOMIC_RELEASE);
}

// The place says what is being shown before any of it is stored, and where the ring stands once all is. Who reads it
// does so after this process's end, when every store that was executed is there: of them the compiler alone could change
// the order, so its order is what is kept.
void packed_show(struct vring *ring)
{
	struct vring_place *place = ring->place;

	if (ring->unshown == 0)
		return;
	place->next = packed_place_word((struct packed_place){ring->next_used, ring->used_wrap});
	vring_storing();
	__atomic_store_n(&place->count, ring->pending_count, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	packed_store_pending(ring, ring->pending_count);
	vring_storing();
	__atomic_store_n(&place->base, place->next, __ATOMIC_RELEASE);
	vring_storing();
	__atomic_store_n(&place->count, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ring->pending_count = 0;
	ring->used_shown = ring->next_used;
	ring->shown_wrap = ring->used_wrap;
	// Two laps and more are as good as two.
	ring->uncalled += ring->unshown;
	if (ring->uncalled > 2 * ring->size)
		ring->uncalled = 2 * ring->size;
	ring->unshown = 0;
}

// Counts descriptors along two laps, after which index and wrap counter are what they were.
static uint32_t along(const struct vring *ring, uint32_t index, bool wrap)
{
	return index + (wrap ? 0 : ring->size);
}

bool packed_wants_call(struct vring *ring)
{
	uint32_t event = __atomic_load_n(ring->driver_event, __ATOMIC_RELAXED);
	vring_fetched(ring->driver_event, sizeof(event));
	uint32_t flags = event >> 16 & PACKED_EVENT_MASK;
	uint32_t uncalled = ring->uncalled;

	ring->uncalled = 0;
	// virtio 1.1, 2.7.14: DESC is for VIRTIO_F_EVENT_IDX alone; 3 is reserved. Too many calls harm no one.
	if (flags != PACKED_EVENT_DESC || !ring->event_idx)
		return flags != PACKED_EVENT_DISABLE;
	uint32_t index = event & (PACKED_WRAP - 1);
	if (index >= ring->size)
		return true;
	// A call is due when the descriptor at this offset and wrap counter is among the last `uncalled`.
	uint32_t shown = along(ring, ring->used_shown, ring->shown_wrap);
	uint32_t at = along(ring, index, event & PACKED_WRAP);
	uint32_t back = (shown + 2 * ring->size - at - 1) % (2 * ring->size);
	return back < uncalled;
}
