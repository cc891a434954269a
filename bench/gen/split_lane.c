// SPDX-License-Identifier: BSD-3-Clause
// A lane over two split rings (virtio 1.1, 2.6). The generator's thread. The entries of the available ring
// never change: the back end returns buffers in order, which is checked while lane.check is set.
#include "bench/gen/ring.h"

#include <string.h>
#include <unistd.h>

void ring_kick(struct lane *lane, const struct ring *ring, bool is_packed)
{
	const uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (is_packed ? ring->device_event->flags == RING_EVENT_DISABLE
		      : ring->used->flags & RING_NO_NOTIFY)
		return;
	lane->kicks++;
	// A full counter is a kick as well.
	(void)!write(ring->kick_fd, &one, sizeof(one));
}

static uint16_t used_count(const struct ring *ring)
{
	return (uint16_t)(__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) - ring->seen);
}

static bool in_order(const struct ring *ring, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		uint32_t at = (uint16_t)(ring->seen + i) & (ring->size - 1);
		if (ring->used->ring[at].id != at)
			return false;
	}
	return count <= ring->size;
}

static uint32_t split_room(struct lane *lane)
{
	struct vhost_lane *v = lane->impl;
	uint16_t count = used_count(&v->tx);

	if (v->check && !in_order(&v->tx, count))
		v->broken = true;
	v->tx.seen += count;
	v->tx.room += count;
	lane->accepted += count;
	return v->tx.room;
}

static uint8_t *split_slot(struct lane *lane, uint32_t ahead)
{
	struct vhost_lane *v = lane->impl;
	return ring_data(&v->tx, (uint16_t)(v->tx.next + ahead) & (v->tx.size - 1));
}

static uint32_t split_send(struct lane *lane, uint32_t count)
{
	struct vhost_lane *v = lane->impl;
	struct ring *tx = &v->tx;

	tx->next += (uint16_t)count;
	tx->room -= count;
	__atomic_store_n(&tx->avail->idx, tx->next, __ATOMIC_RELEASE);
	lane->sent += count;
	ring_kick(lane, tx, false);
	return count;
}

// Frames in several buffers are counted by their bytes: all have one size.
static uint32_t count_by_bytes(struct vhost_lane *v, uint16_t count)
{
	const struct ring *rx = &v->rx;
	uint64_t size = v->frame_size + v->header_size;
	uint64_t before = v->bytes / size;

	for (uint16_t i = 0; i < count; i++)
		v->bytes += rx->used->ring[(uint16_t)(rx->seen + i) & (rx->size - 1)].size;
	return (uint32_t)(v->bytes / size - before);
}

// Only frames that fit into one buffer are looked at.
static void visit_all(struct lane *lane, uint16_t count, lane_visit *visit, void *ctx)
{
	struct vhost_lane *v = lane->impl;
	uint32_t mask = v->rx.size - 1;

	for (uint16_t i = 0; i < count; i++)
		__builtin_prefetch(
			ring_data(&v->rx, (uint16_t)(v->rx.seen + i) & mask) + STAMP_OFFSET
		);
	for (uint16_t i = 0; i < count; i++) {
		if (++v->unread < v->read_every)
			continue;
		v->unread = 0;
		visit(ctx, lane, ring_data(&v->rx, (uint16_t)(v->rx.seen + i) & mask));
	}
}

static uint32_t split_receive(struct lane *lane, lane_visit *visit, void *ctx)
{
	struct vhost_lane *v = lane->impl;
	struct ring *rx = &v->rx;
	uint16_t count = used_count(rx);
	uint32_t frames = count;

	if (!count)
		return 0;
	if (v->check && !in_order(rx, count))
		v->broken = true;
	if (!v->whole)
		frames = count_by_bytes(v, count);
	else if (visit)
		visit_all(lane, count, visit, ctx);
	rx->seen += count;
	rx->next += count;
	__atomic_store_n(&rx->avail->idx, rx->next, __ATOMIC_RELEASE);
	ring_kick(lane, rx, false);
	lane->received += frames;
	lane->received_bytes += (uint64_t)frames * v->frame_size;
	return frames;
}

const struct lane_ops split_ops = {
	.room = split_room,
	.slot = split_slot,
	.send = split_send,
	.receive = split_receive,
};
