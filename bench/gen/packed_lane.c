// SPDX-License-Identifier: BSD-3-Clause
// A lane over two packed rings (virtio 1.1, 2.7). The generator's thread. A descriptor is written in place
// again: the device changed its length, id and flags and not its address.
#include "bench/gen/ring.h"

static uint16_t avail_flags(const struct ring *ring)
{
	uint32_t flags = ring->next_wrap ? RING_PACKED_AVAIL : RING_PACKED_USED;
	return (uint16_t)(flags | (ring->is_write ? RING_DESC_WRITE : 0));
}

static bool is_used(const struct ring *ring, const struct ring_packed_desc *desc)
{
	uint16_t flags = __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE);
	bool avail = flags & RING_PACKED_AVAIL;
	bool used = flags & RING_PACKED_USED;
	return avail == used && used == ring->seen_wrap;
}

// Makes the next `count` descriptors available; the first one's flags last, so that all come at once.
static void make_available(struct ring *ring, uint32_t count)
{
	struct ring_packed_desc *desc = ring->desc;
	struct ring_packed_desc *first = &desc[ring->next];
	uint16_t first_flags = avail_flags(ring);

	for (uint32_t i = 0; i < count; i++) {
		struct ring_packed_desc *d = &desc[ring->next];
		d->size = ring->buffer_size;
		d->id = ring->next;
		if (i)
			d->flags = avail_flags(ring);
		if (++ring->next == ring->size) {
			ring->next = 0;
			ring->next_wrap = !ring->next_wrap;
		}
	}
	if (count)
		__atomic_store_n(&first->flags, first_flags, __ATOMIC_RELEASE);
}

// Takes back what the device is done with, at most a whole ring. Adds up what it wrote.
static uint32_t take_used(struct vhost_lane *v, struct ring *ring, uint64_t *ret_bytes)
{
	const struct ring_packed_desc *desc = ring->desc;
	uint32_t count = 0;

	while (count < ring->size && is_used(ring, &desc[ring->seen])) {
		if (v->check && desc[ring->seen].id != ring->seen)
			v->broken = true;
		*ret_bytes += desc[ring->seen].size;
		count++;
		if (++ring->seen == ring->size) {
			ring->seen = 0;
			ring->seen_wrap = !ring->seen_wrap;
		}
	}
	return count;
}

static uint32_t packed_room(struct lane *lane)
{
	struct vhost_lane *v = lane->impl;
	uint64_t bytes = 0;
	// Nothing is out when the whole ring is ours.
	uint32_t count = v->tx.room < v->tx.size ? take_used(v, &v->tx, &bytes) : 0;

	v->tx.room += count;
	lane->accepted += count;
	return v->tx.room;
}

static uint8_t *packed_slot(struct lane *lane, uint32_t ahead)
{
	struct vhost_lane *v = lane->impl;
	return ring_data(&v->tx, (v->tx.next + ahead) % v->tx.size);
}

static uint32_t packed_send(struct lane *lane, uint32_t count)
{
	struct vhost_lane *v = lane->impl;

	make_available(&v->tx, count);
	v->tx.room -= count;
	lane->sent += count;
	ring_kick(lane, &v->tx, true);
	return count;
}

static void visit_all(
	struct lane *lane,
	uint32_t first,
	uint32_t count,
	lane_visit *visit,
	void *ctx
)
{
	struct vhost_lane *v = lane->impl;

	for (uint32_t i = 0; i < count; i++)
		__builtin_prefetch(ring_data(&v->rx, (first + i) % v->rx.size) + STAMP_OFFSET);
	for (uint32_t i = 0; i < count; i++) {
		if (++v->unread < v->read_every)
			continue;
		v->unread = 0;
		visit(ctx, lane, ring_data(&v->rx, (first + i) % v->rx.size));
	}
}

static uint32_t packed_receive(struct lane *lane, lane_visit *visit, void *ctx)
{
	struct vhost_lane *v = lane->impl;
	struct ring *rx = &v->rx;
	uint64_t size = v->frame_size + v->header_size;
	uint64_t before = v->bytes / size;
	uint16_t first = rx->seen;
	uint32_t count = take_used(v, rx, &v->bytes);
	uint32_t frames = count;

	if (!count)
		return 0;
	if (!v->whole)
		frames = (uint32_t)(v->bytes / size - before);
	else if (visit)
		visit_all(lane, first, count, visit, ctx);
	make_available(rx, count);
	ring_kick(lane, rx, true);
	lane->received += frames;
	lane->received_bytes += (uint64_t)frames * v->frame_size;
	return frames;
}

const struct lane_ops packed_ops = {
	.room = packed_room,
	.slot = packed_slot,
	.send = packed_send,
	.receive = packed_receive,
};
