// SPDX-License-Identifier: BSD-3-Clause
// A split ring's notification both ways, and showing what was used. Runs on the ring's worker, or on the
// control thread while the port is quiesced. split_take.c and split_deliver.c move the frames.
//
// Memory ordering of the shared words:
//   avail->idx    acquire, before the entries and descriptors that it makes available are read;
//   used->idx     release, after the used entries and the frames' bytes were written;
//   avail->flags  or used_event: relaxed, behind a full fence that stands behind the store of used->idx. A front
//                 end writes its wish, fences and looks at used->idx, so one of the two sees the other (2.6.7.1);
//   used->flags   or avail_event: relaxed, before a full fence behind which the ring is looked at once more. A
//                 front end writes avail->idx, fences and looks at the wish (2.6.10);
//   everything else (descriptors, entries, buffers) is plain, ordered by the two indices.
#include "vring/kind.h"
#include "vring/layout.h"

bool split_has_work(const struct vring *ring)
{
	return half_read(&ring->avail->idx, __ATOMIC_ACQUIRE) != ring->next_avail;
}

// virtio 1.1, 2.6.8: avail_event lies behind the used ring, used_event behind the available ring (2.6.6).
static uint16_t *avail_event(const struct vring *ring)
{
	return (uint16_t *)(void *)&ring->used->ring[ring->size];
}

static const uint16_t *used_event(const struct vring *ring)
{
	return &ring->avail->ring[ring->size];
}

// virtio 1.1, 2.6.10: with VIRTIO_F_EVENT_IDX the flag stays 0 and the front end notifies when it fills the entry
// that avail_event names: the next one, or the one that was filled last, which it fills again 65,536 entries later at
// the soonest. There is no better "never".
void split_set_notify(struct vring *ring, bool notify)
{
	uint16_t flags = notify || ring->event_idx ? 0 : USED_F_NO_NOTIFY;

	if (ring->event_idx) {
		uint16_t event = (uint16_t)(ring->next_avail - (notify ? 0 : 1));
		__atomic_store_n(avail_event(ring), event, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&ring->used->flags, flags, __ATOMIC_RELAXED);
	if (notify)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void split_show(struct vring *ring)
{
	if (ring->used_shown == ring->next_used)
		return;
	vring_storing();
	__atomic_store_n(&ring->used->idx, ring->next_used, __ATOMIC_RELEASE);
	ring->used_shown = ring->next_used;
}

bool split_wants_call(struct vring *ring)
{
	if (!ring->event_idx)
		return !(half_read(&ring->avail->flags, __ATOMIC_RELAXED) & AVAIL_F_NO_INTERRUPT);
	// virtio 1.1, 2.6.7.2: the flag is ignored, and a notification is due when the entry that used_event names was
	// written: when it is one of those from used_called up to used_shown.
	uint16_t event = half_read(used_event(ring), __ATOMIC_RELAXED);
	uint16_t written = (uint16_t)(ring->used_shown - ring->used_called);
	uint16_t back = (uint16_t)(ring->used_shown - event - 1);
	ring->used_called = ring->used_shown;
	return back < written;
}
