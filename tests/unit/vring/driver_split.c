// SPDX-License-Identifier: BSD-3-Clause
// The test driver's split ring (virtio 1.1, 2.6). Runs on the test's only thread.
#include "tests/lib/unit.h"
#include "tests/unit/vring/driver_kind.h"

#include <string.h>

static uint64_t split_area_size(const struct vring_config *config, enum vring_area area)
{
	uint64_t event = config->event_idx ? 2 : 0;

	switch (area) {
	case VRING_AREA_DESC:
		return 16ull * config->size;
	case VRING_AREA_AVAIL:
		return 4 + 2ull * config->size + event;
	default:
		return 4 + 8ull * config->size + event;
	}
}

static uint16_t base_of(const struct drv_ring *ring)
{
	return (uint16_t)ring->config.base;
}

// The used index behind the last chain that was seen.
static uint16_t shown_idx(const struct drv_ring *ring)
{
	return (uint16_t)(base_of(ring) + ring->shown);
}

static void split_start(struct drv_ring *ring)
{
	struct vring_avail_ring *avail = ring->areas.avail;
	struct vring_used_ring *used = ring->areas.used;
	uint16_t base = base_of(ring);

	avail->idx = ring->avail_shadow->idx = used->idx = base;
	ring->avail_idx = ring->kicked_idx = ring->called_idx = base;
	if (ring->config.in_order) // virtio 1.1, 2.6: descriptors are used in ring order.
		ring->free_count = 0;
}

static struct vring_desc_entry pack(struct desc d)
{
	return (struct vring_desc_entry
	){.addr = d.addr,
	  .size_flags_next = d.size | (uint64_t)d.flags << 32 | (uint64_t)d.next << 48};
}

void drv_ring_put_desc(struct drv_ring *ring, uint16_t i, struct desc desc)
{
	((struct vring_desc_entry *)ring->areas.desc)[i] = ring->desc_shadow[i] = pack(desc);
}

void drv_ring_put_index(struct drv_ring *ring, uint16_t idx)
{
	struct vring_avail_ring *avail = ring->areas.avail;
	ring->avail_idx = ring->avail_shadow->idx = idx;
	__atomic_store_n(&avail->idx, idx, __ATOMIC_RELEASE);
}

void drv_ring_put_avail(struct drv_ring *ring, uint16_t head)
{
	struct vring_avail_ring *avail = ring->areas.avail;
	uint16_t slot = ring->avail_idx & (uint16_t)(ring->size - 1);
	avail->ring[slot] = ring->avail_shadow->ring[slot] = head;
	drv_ring_put_index(ring, (uint16_t)(ring->avail_idx + 1));
}

static struct desc piece_desc(const struct drv_chain *chain, uint32_t i, bool last, uint32_t next)
{
	return (struct desc){
		.addr = chain->piece[i].gpa,
		.size = chain->piece[i].size,
		.flags =
			(uint16_t)((chain->writable ? DESC_F_WRITE : 0) | (last ? 0 : DESC_F_NEXT)),
		.next = (uint16_t)(last ? 0xdead : next),
	};
}

static void fill_table(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	const struct drv_chain *chain
)
{
	struct vring_desc_entry table[DRV_PIECES_MAX];
	uint32_t far = layout->count - layout->direct;
	const struct drv_piece *home = &chain->piece[layout->count];
	// WRITE means nothing on an indirect descriptor (virtio 1.1, 2.6.5.3.2): set it at random.
	uint16_t noise = drv_random_below(&ring->random, 2) ? DESC_F_WRITE : 0;

	drv_ring_put_desc(
		ring,
		chain->desc[layout->direct],
		(struct desc){home->gpa, 16 * far, (uint16_t)(DESC_F_INDIRECT | noise), 0xdead}
	);
	for (uint32_t i = 0; i < far; i++)
		table[i] = pack(piece_desc(chain, layout->direct + i, i + 1 == far, i + 1));
	drv_write_piece(ring, home, table);
}

// With VIRTIO_F_IN_ORDER descriptor x goes on in x + 1, and the last one in 0 (virtio 1.1, 2.6.5); what is free
// follows what is not.
static void take_descs(struct drv_ring *ring, struct drv_chain *chain)
{
	uint32_t count = chain->desc_count;

	chain->desc = count <= DRV_FEW ? chain->few_desc : drv_alloc(sizeof(*chain->desc) * count);
	for (uint32_t i = 0; i < count; i++)
		chain->desc[i] = ring->config.in_order ? (uint16_t)(ring->place++ % ring->size)
						       : drv_take_free(ring);
	chain->id = chain->desc[0];
}

static void split_publish(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	struct drv_chain *chain
)
{
	take_descs(ring, chain);
	for (uint32_t i = 0; i < layout->direct; i++) {
		bool last = i + 1 == chain->desc_count;
		uint16_t next = last ? 0 : chain->desc[i + 1];
		drv_ring_put_desc(ring, chain->desc[i], piece_desc(chain, i, last, next));
	}
	if (layout->direct < layout->count)
		fill_table(ring, layout, chain);
	drv_ring_put_avail(ring, chain->id);
}

static bool split_see(struct drv_ring *ring, uint32_t *ret_count, uint32_t *ret_size)
{
	const struct vring_used_ring *used = ring->areas.used;
	uint16_t idx = __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
	uint16_t more = (uint16_t)(idx - shown_idx(ring));

	assert_true(more <= ring->posted - ring->shown);
	if (!more)
		return false;
	struct vring_used_entry entry = used->ring[shown_idx(ring) & (ring->size - 1)];
	*ret_count = drv_batch_size(ring, entry.id, more);
	*ret_size = entry.size;
	return true;
}

static void split_release(struct drv_ring *ring, const struct drv_chain *chain)
{
	for (uint32_t i = 0; i < chain->desc_count && !ring->config.in_order; i++)
		ring->free[ring->free_count++] = chain->desc[i];
}

static void split_check(struct drv_ring *ring)
{
	const struct vring_config *config = &ring->config;
	const struct vring_used_ring *used = ring->areas.used;

	drv_check_same(
		ring->areas.desc,
		ring->desc_shadow,
		split_area_size(config, VRING_AREA_DESC),
		"descriptors"
	);
	drv_check_same(
		ring->areas.avail,
		ring->avail_shadow,
		split_area_size(config, VRING_AREA_AVAIL),
		"available"
	);
	// virtio 1.1, 2.6.10.2: "the device MUST set flags to 0".
	if (config->event_idx)
		assert_int_equal(used->flags, 0);
	assert_int_equal(used->flags & ~USED_F_NO_NOTIFY, 0);
}

static uint32_t split_base(const struct drv_ring *ring)
{
	return shown_idx(ring);
}

// virtio 1.1, 2.6.7: the flag, or with VIRTIO_F_EVENT_IDX used_event behind the ring, and the flag 0.
static void split_wish(struct drv_ring *ring, enum drv_wish wish, uint32_t more)
{
	struct vring_avail_ring *avail = ring->areas.avail;
	uint16_t flags = wish == DRV_WISH_NEVER ? AVAIL_F_NO_INTERRUPT : 0;
	uint16_t event = (uint16_t)(shown_idx(ring) + more);

	if (ring->config.event_idx) {
		if (wish == DRV_WISH_ALWAYS)
			event = shown_idx(ring);
		if (wish == DRV_WISH_NEVER) // As far away as it can be.
			event = (uint16_t)(shown_idx(ring) - 1);
		avail->ring[ring->size] = ring->avail_shadow->ring[ring->size] = event;
	} else {
		avail->flags = ring->avail_shadow->flags = flags;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

// virtio 1.1, 2.6.7.2 and 2.6.10: with VIRTIO_F_EVENT_IDX whoever uses, or makes available, the entry that the
// event word names signals; the entries from `old` to before `new` are the latest.
static bool passes(uint16_t event, uint16_t old, uint16_t new)
{
	for (; old != new; old++)
		if (old == event)
			return true;
	return false;
}

static bool split_call_due(struct drv_ring *ring, bool *ret_any)
{
	uint16_t old = ring->called_idx;
	uint16_t new = shown_idx(ring);

	ring->called_idx = new;
	*ret_any = old != new;
	if (ring->config.event_idx)
		return passes(ring->avail_shadow->ring[ring->size], old, new);
	return old != new && !(ring->avail_shadow->flags & AVAIL_F_NO_INTERRUPT);
}

static bool split_kick_due(struct drv_ring *ring)
{
	const struct vring_used_ring *used = ring->areas.used;
	uint16_t old = ring->kicked_idx;
	uint16_t new = ring->avail_idx;
	uint16_t event;

	ring->kicked_idx = new;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->config.event_idx)
		return old != new && !(used->flags & USED_F_NO_NOTIFY);
	memcpy(&event, &used->ring[ring->size], sizeof(event));
	return passes(event, old, new);
}

static void split_forget_calls(struct drv_ring *ring)
{
	ring->called_idx = shown_idx(ring);
}

const struct drv_kind drv_split = {
	.area_size = split_area_size,
	.start = split_start,
	.publish = split_publish,
	.see = split_see,
	.release = split_release,
	.check = split_check,
	.base = split_base,
	.wish = split_wish,
	.call_due = split_call_due,
	.kick_due = split_kick_due,
	.forget_calls = split_forget_calls,
};
