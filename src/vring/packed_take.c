// SPDX-License-Identifier: BSD-3-Clause
// Frames from a packed transmit ring: chains become views, the head of each is copied. Runs on the ring's
// worker. Descriptors are read ahead as long as each is a chain of its own, so that the memory they point to is
// on its way while the rest is looked at.
#include "vring/packed.h"
#include "vring/view.h"

// What the burst has come to.
struct packed_burst {
	struct frame_burst *frames;
	uint64_t *drops;
	uint32_t
		looked; // Descriptors of the chains taken so far, those of indirect tables included.
	uint32_t ring_descs; // The ring's alone.
};

// A run of descriptors, read once, each the only one of its chain, but perhaps the last.
struct packed_pass {
	uint32_t count;
	struct packed_place at; // Of the first.
	struct desc desc[FRAME_BURST_MAX];
	uint8_t *host[FRAME_BURST_MAX]; // NULL: not a single plain descriptor.
};

static void read_run(struct vring *ring, struct packed_pass *pass, uint32_t max)
{
	struct vring_window window = vring_window_at(ring->cache);
	struct packed_place at = packed_avail_place(ring);
	uint32_t count = 0;

	pass->at = at;
	while (count < max) {
		struct desc d = packed_read(ring, at.index);
		if (!packed_is_available(d.flags, at.wrap))
			break;
		uint8_t *host = NULL;
		if (__builtin_expect((d.flags & DESC_F_KNOWN) == 0, 1))
			host = vring_window_find(&window, ring->mem, &ring->cache, d.addr, d.size);
		if (host) {
			__builtin_prefetch(host);
			__builtin_prefetch(host + 64);
		}
		pass->desc[count] = d;
		pass->host[count] = host;
		count++;
		if (__builtin_expect(d.flags & DESC_F_NEXT, 0))
			break;
		at = packed_ahead(ring, at, 1);
	}
	pass->count = count;
}

static void note_taken(struct vring *ring, uint16_t id, uint32_t descs)
{
	ring->taken[ring->taken_count] = id;
	ring->taken_descs[ring->taken_count] = (uint16_t)descs;
	ring->taken_count++;
}

// Handles one chain of any shape. False: it must wait for the next burst (too many descriptors for what is left
// of this one), or the ring broke.
__attribute__((noinline)) static bool take_chain(
	struct vring *ring,
	struct packed_burst *burst,
	struct packed_place at,
	const struct desc *first
)
{
	struct packed_chain chain = {
		.chain =
			{
				.segs = &burst->frames->seg[burst->frames->seg_count],
				.desc_max = FRAME_SEGS_MAX - burst->looked,
			},
		.ring_descs_max = ring->size - burst->ring_descs,
	};
	enum chain_result r = packed_walk(ring, at, *first, 0, &chain);

	if (r == CHAIN_FAULT || (r == CHAIN_TOO_MANY && burst->looked))
		return false;
	// The only way to the next chain leads along this one.
	if (r == CHAIN_TOO_MANY && packed_finish(ring, at, &chain) == CHAIN_FAULT)
		return false;
	enum vring_drop drop =
		r == CHAIN_OK ? view_add_chain(ring, burst->frames, &chain.chain) : VRING_DROP_LONG;
	if (drop != VRING_DROP_NONE)
		burst->drops[drop]++;
	burst->looked += chain.chain.desc_count;
	burst->ring_descs += chain.ring_descs;
	note_taken(ring, chain.id, chain.ring_descs);
	return true;
}

// Takes the chains of a run. False: the burst ends here.
static bool take_run(struct vring *ring, struct packed_burst *burst, const struct packed_pass *pass)
{
	struct view_maker maker = view_load(ring, burst->frames);
	bool more = true;

	for (uint32_t i = 0; i < pass->count && more; i++) {
		const struct desc *d = &pass->desc[i];
		if (__builtin_expect(pass->host[i] && burst->looked < FRAME_SEGS_MAX, 1)) {
			enum vring_drop drop = view_add_plain(&maker, pass->host[i], d->size);
			if (__builtin_expect(drop != VRING_DROP_NONE, 0))
				burst->drops[drop]++;
			burst->looked++;
			burst->ring_descs++;
			note_taken(ring, d->next, 1);
			continue;
		}
		view_store(&maker);
		more = take_chain(ring, burst, packed_ahead(ring, pass->at, i), d);
		maker = view_load(ring, burst->frames);
	}
	view_store(&maker);
	return more;
}

void packed_take(struct vring *ring, struct frame_burst *burst, uint32_t max, uint64_t *drops)
{
	struct packed_burst so_far = {.frames = burst};
	struct packed_pass pass;
	bool more = true;

	so_far.drops = drops;
	if (max > FRAME_BURST_MAX)
		max = FRAME_BURST_MAX;
	while (more) {
		struct packed_place at = packed_avail_place(ring);
		uint32_t before = so_far.ring_descs;
		uint32_t want = max - ring->taken_count;
		// virtio 1.1, 2.7.8: never more in the air than the ring has descriptors.
		if (want > ring->size - before)
			want = ring->size - before;
		read_run(ring, &pass, want);
		more = take_run(ring, &so_far, &pass) && pass.count &&
			(pass.desc[pass.count - 1].flags & DESC_F_NEXT);
		packed_set_avail(ring, packed_ahead(ring, at, so_far.ring_descs - before));
	}
}

// virtio 1.1, 2.7.8: nothing was written into these buffers.
void packed_put_taken(struct vring *ring)
{
	uint32_t descs = 0;

	if (!ring->in_order) {
		for (uint32_t i = 0; i < ring->taken_count; i++)
			packed_put(ring, ring->taken[i], 0, ring->taken_descs[i]);
		return;
	}
	// virtio 1.1, 2.7.9: one used descriptor for the batch, in the place of its first chain, with the buffer id of
	// its last one; the next one comes behind the whole batch.
	for (uint32_t i = 0; i < ring->taken_count; i++)
		descs += ring->taken_descs[i];
	if (ring->taken_count)
		packed_put(ring, ring->taken[ring->taken_count - 1], 0, descs);
}
