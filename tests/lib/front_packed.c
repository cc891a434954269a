// SPDX-License-Identifier: BSD-3-Clause
// The driver's side of a packed ring (virtio 1.1, 2.7). A chain's buffer ID is its slot; it takes as many entries as it
// has descriptors, wherever the ring stands.
#include "tests/lib/front_form.h"

#include <errno.h>
#include <string.h>

#define WRAP_BIT 15

void front_packed_reset(struct front_queue *queue)
{
	memset(queue->ring, 0, sizeof(*queue->ring) * queue->size);
	memset(queue->driver, 0, sizeof(*queue->driver));
	memset(queue->device, 0, sizeof(*queue->device));
	queue->avail_idx = queue->used_seen = 0;
	queue->avail_wrap = queue->used_wrap = true; // 2.7.1
}

static void step(const struct front_queue *queue, uint16_t *index, bool *wrap)
{
	if (++*index == queue->size) {
		*index = 0;
		*wrap = !*wrap;
	}
}

// 2.7.6: the first descriptor's flags are written last, so that the chain becomes available at once.
void front_packed_post(
	struct front_queue *queue,
	uint32_t slot,
	const struct front_desc *chain,
	uint32_t count
)
{
	struct front_packed_desc *head = &queue->ring[queue->avail_idx];
	uint16_t head_flags = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct front_packed_desc *desc = &queue->ring[queue->avail_idx];
		uint16_t flags = queue->avail_wrap ? FRONT_DESC_AVAIL : FRONT_DESC_USED;
		flags |= chain[i].flags | (i + 1 < count ? FRONT_DESC_NEXT : 0);
		desc->addr = chain[i].addr;
		desc->size = chain[i].size;
		desc->id = (uint16_t)slot;
		if (i)
			desc->flags = flags;
		else
			head_flags = flags;
		step(queue, &queue->avail_idx, &queue->avail_wrap);
	}
	queue->fresh += count;
	__atomic_store_n(&head->flags, head_flags, __ATOMIC_RELEASE);
}

// 2.7.1: both bits are as the used wrap counter.
bool front_packed_has_used(const struct front_queue *queue)
{
	const struct front_packed_desc *desc = &queue->ring[queue->used_seen];
	uint16_t flags = __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE);

	return queue->batch_left ||
		(!!(flags & FRONT_DESC_AVAIL) == queue->used_wrap &&
		 !!(flags & FRONT_DESC_USED) == queue->used_wrap);
}

static void skip_chain(struct front_queue *queue)
{
	for (uint32_t i = 0; i < queue->stride; i++)
		step(queue, &queue->used_seen, &queue->used_wrap);
	if (queue->event_idx)
		front_packed_ask(queue);
}

int front_packed_used(struct front_queue *queue, uint32_t *ret_slot, uint32_t *ret_size)
{
	if (!front_packed_has_used(queue))
		return 0;
	const struct front_packed_desc *desc = &queue->ring[queue->used_seen];
	uint32_t id = desc->id;
	*ret_size = desc->size;
	if (!queue->in_order && id >= queue->slots)
		return -EPROTO;
	if (queue->in_order) {
		int r = front_take_in_order(queue, id, ret_size);
		if (r)
			return r;
		id = queue->oldest_slot;
	}
	*ret_slot = id;
	skip_chain(queue);
	return 1;
}

void front_packed_ask(struct front_queue *queue)
{
	uint16_t place = (uint16_t)(queue->used_seen | queue->used_wrap << WRAP_BIT);
	uint16_t wish = queue->event_idx ? FRONT_EVENT_DESC : FRONT_EVENT_ENABLE;

	if (!queue->wants_calls)
		wish = FRONT_EVENT_DISABLE;
	__atomic_store_n(&queue->driver->off_wrap, place, __ATOMIC_RELAXED);
	__atomic_store_n(&queue->driver->flags, wish, __ATOMIC_RELEASE);
}

// 2.7.10: the event lies in this lap of the ring, or in the one before.
bool front_packed_wants_kick(const struct front_queue *queue)
{
	uint16_t wish = __atomic_load_n(&queue->device->flags, __ATOMIC_ACQUIRE) & 3;
	uint16_t place = __atomic_load_n(&queue->device->off_wrap, __ATOMIC_RELAXED);

	if (wish != FRONT_EVENT_DESC || !queue->event_idx)
		return wish != FRONT_EVENT_DISABLE;
	uint16_t event = place & ((1u << WRAP_BIT) - 1);
	if (place >> WRAP_BIT != queue->avail_wrap)
		event = (uint16_t)(event - queue->size);
	return front_passed(event, queue->avail_idx, (uint16_t)(queue->avail_idx - queue->fresh));
}
