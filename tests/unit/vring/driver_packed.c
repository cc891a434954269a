// SPDX-License-Identifier: BSD-3-Clause
// The test driver's packed ring (virtio 1.1, 2.7), of any size. Runs on the test's only thread.
#include "tests/lib/unit.h"
#include "tests/unit/vring/driver_kind.h"

#include <string.h>

static uint64_t packed_area_size(const struct vring_config *config, enum vring_area area)
{
	return area == VRING_AREA_DESC ? 16ull * config->size : 4;
}

static struct drv_packed_desc *descs(const struct drv_ring *ring)
{
	return ring->areas.desc;
}

static struct drv_packed_desc *shadows(const struct drv_ring *ring)
{
	return (void *)ring->desc_shadow;
}

// virtio 1.1, 2.7.1: the wrap counter is 1 at first and changes with every lap.
static bool wrap_at(const struct drv_ring *ring, uint64_t place)
{
	return place / ring->size % 2 == 0;
}

uint16_t drv_packed_flags_at(const struct drv_ring *ring, uint64_t place)
{
	return wrap_at(ring, place) ? DRV_PACKED_F_AVAIL : DRV_PACKED_F_USED;
}

static void packed_start(struct drv_ring *ring)
{
	uint32_t index = ring->config.base & 0x7fff;
	bool wrap = ring->config.base >> 15 & 1;

	ring->place = index + (wrap ? 0 : ring->size);
	ring->kicked_place = ring->called_place = ring->place;
	ring->first_id = (uint16_t)drv_random_next(&ring->random);
	assert_true(index < ring->size);
	// What was there before is used, of this lap or of the one before.
	for (uint32_t i = 0; i < ring->size; i++) {
		bool used = i < index ? wrap : !wrap;
		struct drv_packed_desc d = {
			.addr = 0xdead000000000000 + i,
			.flags = used ? DRV_PACKED_F_AVAIL | DRV_PACKED_F_USED : 0,
		};
		descs(ring)[i] = shadows(ring)[i] = d;
	}
}

void drv_ring_put_packed(struct drv_ring *ring, uint16_t i, struct drv_packed_desc desc)
{
	struct drv_packed_desc *d = &descs(ring)[i];
	uint16_t flags = desc.flags;

	shadows(ring)[i] = desc;
	desc.flags = d->flags;
	*d = desc;
	__atomic_store_n(&d->flags, flags, __ATOMIC_RELEASE);
}

static struct drv_packed_desc piece_desc(const struct drv_chain *chain, uint32_t i)
{
	return (struct drv_packed_desc){
		.addr = chain->piece[i].gpa,
		.size = chain->piece[i].size,
		.flags = chain->writable ? DESC_F_WRITE : 0,
	};
}

// virtio 1.1, 2.7.7: the descriptors follow each other, WRITE is their only flag, ids mean nothing.
static struct drv_packed_desc fill_table(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	const struct drv_chain *chain
)
{
	struct drv_packed_desc table[DRV_PIECES_MAX];
	const struct drv_piece *home = &chain->piece[layout->count];

	for (uint32_t i = 0; i < layout->count; i++) {
		table[i] = piece_desc(chain, i);
		table[i].id = (uint16_t)drv_random_next(&ring->random);
	}
	drv_write_piece(ring, home, table);
	return (struct drv_packed_desc
	){.addr = home->gpa, .size = home->size, .flags = DESC_F_INDIRECT};
}

static uint16_t take_id(struct drv_ring *ring)
{
	uint64_t number = ring->posted - 1;
	uint16_t i = ring->config.in_order ? (uint16_t)(number % ring->size) : drv_take_free(ring);
	return (uint16_t)(ring->first_id + i);
}

// virtio 1.1, 2.7.6: the id is the last descriptor's, NEXT is set in all others. The first is written last, so
// that nothing is available before all is.
static void packed_publish(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	struct drv_chain *chain
)
{
	bool indirect = layout->direct < layout->count;

	// virtio 1.1, 2.7.7: no indirect table behind direct descriptors.
	assert_true(!indirect || layout->direct == 0);
	chain->id = take_id(ring);
	chain->place = ring->place;
	for (uint32_t k = chain->desc_count; k > 0; k--) {
		uint32_t i = k - 1;
		uint64_t place = chain->place + i;
		bool last = k == chain->desc_count;
		struct drv_packed_desc d =
			indirect ? fill_table(ring, layout, chain) : piece_desc(chain, i);
		d.id = last ? chain->id : (uint16_t)drv_random_next(&ring->random);
		d.flags |= (uint16_t)(drv_packed_flags_at(ring, place) | (last ? 0 : DESC_F_NEXT));
		drv_ring_put_packed(ring, (uint16_t)(place % ring->size), d);
	}
	ring->place += chain->desc_count;
}

// virtio 1.1, 2.7.1 and 2.7.8: a used descriptor lies where the chain's first one was, both flags as the wrap
// counter; WRITE says whether the length means anything.
static bool packed_see(struct drv_ring *ring, uint32_t *ret_count, uint32_t *ret_size)
{
	const struct drv_chain *chain = drv_chain_at(ring, ring->shown);
	uint16_t slot = (uint16_t)(chain->place % ring->size);
	uint16_t flags = __atomic_load_n(&descs(ring)[slot].flags, __ATOMIC_ACQUIRE);
	const uint16_t both = DRV_PACKED_F_AVAIL | DRV_PACKED_F_USED;

	if ((flags & both) == drv_packed_flags_at(ring, chain->place))
		return false;
	struct drv_packed_desc d = descs(ring)[slot];
	assert_int_equal(flags & ~DESC_F_WRITE, wrap_at(ring, chain->place) ? both : 0);
	assert_int_equal(d.addr, shadows(ring)[slot].addr);
	if (flags & DESC_F_WRITE)
		assert_true(d.size > 0);
	*ret_count = drv_batch_size(ring, d.id, ring->posted - ring->shown);
	*ret_size = flags & DESC_F_WRITE ? d.size : 0;
	shadows(ring)[slot] = d;
	return true;
}

static void packed_release(struct drv_ring *ring, const struct drv_chain *chain)
{
	if (!ring->config.in_order)
		ring->free[ring->free_count++] = (uint16_t)(chain->id - ring->first_id);
}

static struct drv_packed_event device_event(const struct drv_ring *ring)
{
	struct drv_packed_event event = *(const struct drv_packed_event *)ring->areas.used;
	uint16_t most = ring->config.event_idx ? DRV_PACKED_EVENT_DESC : DRV_PACKED_EVENT_DISABLE;

	assert_true(event.flags <= most);
	if (event.flags == DRV_PACKED_EVENT_DESC)
		assert_true((event.off_wrap & 0x7fff) < ring->size);
	return event;
}

static void packed_check(struct drv_ring *ring)
{
	drv_check_same(
		ring->areas.desc,
		ring->desc_shadow,
		packed_area_size(&ring->config, VRING_AREA_DESC),
		"descriptors"
	);
	drv_check_same(
		ring->areas.avail,
		&ring->event_shadow,
		sizeof(ring->event_shadow),
		"the driver's event suppression"
	);
	(void)device_event(ring); // For what it checks.
}

// Of the next chain to be used.
static uint64_t shown_place(const struct drv_ring *ring)
{
	if (ring->shown == ring->posted)
		return ring->place;
	return drv_chain_at(ring, ring->shown)->place;
}

static uint16_t index_and_wrap(const struct drv_ring *ring, uint64_t place)
{
	return (uint16_t)(place % ring->size | (uint64_t)wrap_at(ring, place) << 15);
}

static uint32_t packed_base(const struct drv_ring *ring)
{
	uint32_t half = index_and_wrap(ring, shown_place(ring));
	return half | half << 16;
}

static void packed_wish(struct drv_ring *ring, enum drv_wish wish, uint32_t more)
{
	static const uint16_t flags[DRV_WISH_COUNT] = {
		DRV_PACKED_EVENT_ENABLE,
		DRV_PACKED_EVENT_DISABLE,
		DRV_PACKED_EVENT_DESC,
	};
	struct drv_packed_event *event = ring->areas.avail;

	ring->event_shadow.flags = flags[wish];
	if (wish == DRV_WISH_AFTER)
		ring->event_shadow.off_wrap = index_and_wrap(ring, shown_place(ring) + more);
	*event = ring->event_shadow;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

// virtio 1.1, 2.7.14: by the flags, or when the descriptor of this offset and wrap counter is among those from
// `old` to before `new`.
static bool passes(
	const struct drv_ring *ring,
	struct drv_packed_event event,
	uint64_t old,
	uint64_t new
)
{
	if (event.flags != DRV_PACKED_EVENT_DESC)
		return old != new &&event.flags == DRV_PACKED_EVENT_ENABLE;
	for (; old != new; old++)
		if (index_and_wrap(ring, old) == event.off_wrap)
			return true;
	return false;
}

static bool packed_call_due(struct drv_ring *ring, bool *ret_any)
{
	uint64_t old = ring->called_place;

	ring->called_place = shown_place(ring);
	*ret_any = old != ring->called_place;
	return passes(ring, ring->event_shadow, old, ring->called_place);
}

static bool packed_kick_due(struct drv_ring *ring)
{
	uint64_t old = ring->kicked_place;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring->kicked_place = ring->place;
	return passes(ring, device_event(ring), old, ring->place);
}

static void packed_forget_calls(struct drv_ring *ring)
{
	ring->called_place = shown_place(ring);
}

const struct drv_kind drv_packed = {
	.area_size = packed_area_size,
	.start = packed_start,
	.publish = packed_publish,
	.see = packed_see,
	.release = packed_release,
	.check = packed_check,
	.base = packed_base,
	.wish = packed_wish,
	.call_due = packed_call_due,
	.kick_due = packed_kick_due,
	.forget_calls = packed_forget_calls,
};
