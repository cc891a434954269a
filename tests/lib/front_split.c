// SPDX-License-Identifier: BSD-3-Clause
// The driver's side of a split ring (virtio 1.1, 2.6). A slot's descriptors are those from slot * stride on.
#include "tests/lib/front_form.h"

#include <errno.h>
#include <string.h>

// 2.6.6 and 2.6.8: the event words lie behind the rings.
static uint16_t *used_event(const struct front_queue *queue)
{
	return &queue->avail->ring[queue->size];
}

static const uint16_t *avail_event(const struct front_queue *queue)
{
	return (const uint16_t *)&queue->used->ring[queue->size];
}

void front_split_reset(struct front_queue *queue)
{
	memset(queue->desc, 0, 16ul * queue->size);
	memset(queue->avail, 0, 6 + 2ul * queue->size);
	memset(queue->used, 0, 6 + 8ul * queue->size);
	queue->avail_idx = queue->used_seen = 0;
}

void front_split_post(
	struct front_queue *queue,
	uint32_t slot,
	const struct front_desc *chain,
	uint32_t count
)
{
	uint16_t head = (uint16_t)(slot * queue->stride);

	for (uint32_t i = 0; i < count; i++) {
		struct front_desc *desc = &queue->desc[head + i];
		*desc = chain[i];
		desc->flags |= i + 1 < count ? FRONT_DESC_NEXT : 0;
		desc->next = (uint16_t)(head + i + 1);
	}
	queue->avail->ring[queue->avail_idx & (queue->size - 1)] = head;
	queue->avail_idx++;
	queue->fresh++;
	__atomic_store_n(&queue->avail->idx, queue->avail_idx, __ATOMIC_RELEASE);
}

bool front_split_has_used(const struct front_queue *queue)
{
	return __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) != queue->used_seen;
}

int front_split_used(struct front_queue *queue, uint32_t *ret_slot, uint32_t *ret_size)
{
	uint16_t ready = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);
	if (ready == queue->used_seen)
		return 0;
	struct front_used_entry entry = queue->used->ring[queue->used_seen & (queue->size - 1)];
	uint32_t slot = entry.id / queue->stride;
	if (queue->in_order) {
		int r = front_take_in_order(queue, slot, &entry.size);
		if (r)
			return r;
		slot = queue->oldest_slot;
	} else if (slot >= queue->slots || entry.id % queue->stride) {
		return -EPROTO;
	}
	queue->used_seen++;
	if (queue->event_idx)
		front_split_ask(queue);
	*ret_slot = slot;
	*ret_size = entry.size;
	return 1;
}

// 2.6.7: without event words a flag; with them no flag, and an event that is far away stands for it.
void front_split_ask(struct front_queue *queue)
{
	uint16_t event = queue->wants_calls ? queue->used_seen : (uint16_t)(queue->used_seen - 1);

	if (queue->event_idx)
		__atomic_store_n(used_event(queue), event, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&queue->avail->flags, !queue->wants_calls, __ATOMIC_RELAXED);
}

bool front_split_wants_kick(const struct front_queue *queue)
{
	if (!queue->event_idx)
		return !(__atomic_load_n(&queue->used->flags, __ATOMIC_RELAXED) & 1);
	uint16_t event = __atomic_load_n(avail_event(queue), __ATOMIC_RELAXED);
	return front_passed(event, queue->avail_idx, (uint16_t)(queue->avail_idx - queue->fresh));
}
