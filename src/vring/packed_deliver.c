// SPDX-License-Identifier: BSD-3-Clause
// Frames into a packed receive ring: one copy of the payload, from the source's guest memory to the destination's.
// Runs on the worker that owns the ring. Nothing is shown before packed_show(), so a frame that does not fit
// leaves no trace.
#include "vring/packed.h"
#include "vring/target.h"

// Buffers that are being gathered, and where the next of them would be.
struct packed_gather {
	struct packed_place at;
	uint32_t ring_descs_left;
	struct packed_chain last;
	struct packed_place last_at;
};

// Adds the next available chain to the target.
static enum vring_drop gather_chain(
	struct vring *ring,
	struct packed_gather *from,
	struct target *target
)
{
	if (target->chain_count == TARGET_CHAINS_MAX)
		return VRING_DROP_BUFFER;
	if (from->ring_descs_left == 0)
		return VRING_DROP_FULL;
	struct desc first = packed_read(ring, from->at.index);
	if (!packed_is_available(first.flags, from->at.wrap))
		return VRING_DROP_FULL;
	struct packed_chain *chain = &from->last;
	*chain = (struct packed_chain){
		.chain =
			{
				.segs = &target->seg[target->seg_count],
				.desc_max = TARGET_DESCS_MAX - target->desc_count,
			},
		.ring_descs_max = from->ring_descs_left,
	};
	enum chain_result r = packed_walk(ring, from->at, first, DESC_F_WRITE, chain);
	if (r == CHAIN_FAULT)
		return VRING_DROP_FULL;
	// What was walked of too long a chain is used when it suffices.
	target->cut = r == CHAIN_TOO_MANY;
	target->chain[target->chain_count].descs = (uint16_t)chain->ring_descs;
	target_add(target, &chain->chain, chain->id);
	from->last_at = from->at;
	from->at = packed_ahead(ring, from->at, chain->ring_descs);
	from->ring_descs_left -= chain->ring_descs;
	return VRING_DROP_NONE;
}

// The end of a chain that was cut, and with it what its used descriptor says. Only for a chain that is used: whoever
// makes such a chain pays for it by losing it.
static enum vring_drop finish_cut(
	struct vring *ring,
	struct packed_gather *from,
	struct target *target
)
{
	struct target_chain *last = &target->chain[target->chain_count - 1];

	if (packed_finish(ring, from->last_at, &from->last) == CHAIN_FAULT)
		return VRING_DROP_FULL;
	last->id = from->last.id;
	last->descs = (uint16_t)from->last.ring_descs;
	from->at = packed_ahead(ring, from->last_at, from->last.ring_descs);
	return VRING_DROP_NONE;
}

// virtio 1.1, 5.1.6.4: without VIRTIO_NET_F_MRG_RXBUF a frame has one chain; with it, as many as it
// takes, all but the last filled to the end (so nothing follows a chain that was cut), and num_buffers
// says how many.
static enum vring_drop gather(
	struct vring *ring,
	uint32_t need,
	struct packed_gather *from,
	struct target *target
)
{
	target_reset(target);
	do {
		enum vring_drop drop = gather_chain(ring, from, target);
		if (drop != VRING_DROP_NONE)
			return drop;
	} while (target->size < need && ring->mergeable && !target->cut);
	if (target->size < need)
		return VRING_DROP_BUFFER;
	return target->cut ? finish_cut(ring, from, target) : VRING_DROP_NONE;
}

// Any layout of buffers, any number of segments.
__attribute__((noinline)) static enum vring_drop deliver_any(
	struct vring *ring,
	const struct frame *frame,
	uint32_t *ret_descs
)
{
	struct target target;
	uint32_t need = ring->header_size + frame->size;
	struct packed_gather from = {
		.at = packed_avail_place(ring),
		.ring_descs_left =
			ring->size - (ring->unshown < ring->size ? ring->unshown : ring->size),
	};
	enum vring_drop drop = gather(ring, need, &from, &target);

	if (drop != VRING_DROP_NONE)
		return drop;
	target_write(ring, frame, &target);
	packed_make_room(ring, target.chain_count);
	uint32_t descs = 0;
	for (uint32_t i = 0; i < target.chain_count; i++) {
		uint32_t part = target_part(&target, i, need);
		packed_put(ring, target.chain[i].id, part, target.chain[i].descs);
		descs += target.chain[i].descs;
		need -= part;
	}
	packed_set_avail(ring, from.at);
	*ret_descs = descs;
	return VRING_DROP_NONE;
}

// The buffers that the next frames will meet if each takes one plain descriptor.
struct packed_pass {
	uint32_t count;
	uint32_t at; // The next to be used.
	uint16_t id[FRAME_BURST_MAX];
	uint32_t size[FRAME_BURST_MAX]; // Of a buffer that was used: what was written.
	uint8_t *host[FRAME_BURST_MAX]; // NULL: anything but one writable descriptor.
};

static void read_buffers(struct vring *ring, struct packed_pass *pass, uint32_t max)
{
	struct vring_window window = vring_window_at(ring->cache);
	struct packed_place at = packed_avail_place(ring);
	uint32_t left = ring->size - (ring->unshown < ring->size ? ring->unshown : ring->size);
	uint32_t count = 0;

	if (max > FRAME_BURST_MAX)
		max = FRAME_BURST_MAX;
	if (max > left)
		max = left;
	while (count < max) {
		struct desc d = packed_read(ring, at.index);
		if (!packed_is_available(d.flags, at.wrap) || (d.flags & DESC_F_NEXT))
			break;
		uint8_t *host = NULL;
		if (__builtin_expect((d.flags & DESC_F_KNOWN) == DESC_F_WRITE, 1))
			host = vring_window_find(&window, ring->mem, &ring->cache, d.addr, d.size);
		if (host) {
			__builtin_prefetch(host, 1);
			__builtin_prefetch(host + 64, 1);
		}
		pass->id[count] = d.next;
		pass->size[count] = d.size;
		pass->host[count] = host;
		count++;
		at = packed_ahead(ring, at, 1);
	}
	pass->count = count;
	pass->at = 0;
}

// Delivers frames as long as each fits into the one plain buffer that it meets. Returns how many.
static uint32_t deliver_plain(
	struct vring *ring,
	struct packed_pass *pass,
	const struct frame *const *frames,
	uint32_t count
)
{
	const struct target_plain plain = {ring->header_size, ring->copy};
	uint32_t first = pass->at;
	uint32_t end = pass->count - first < count ? pass->count : first + count;
	uint32_t at;

	for (at = first; at < end; at++) {
		const struct frame *frame = frames[at - first];
		if (!target_write_plain(&plain, frame, pass->host[at], pass->size[at]))
			break;
		pass->size[at] = plain.header_size + frame->size;
	}
	packed_make_room(ring, at - first);
	for (uint32_t i = first; i < at; i++)
		packed_put(ring, pass->id[i], pass->size[i], 1);
	packed_set_avail(ring, packed_ahead(ring, packed_avail_place(ring), at - first));
	pass->at = at;
	return at - first;
}

uint32_t packed_deliver(
	struct vring *ring,
	const struct frame *const *frames,
	uint32_t count,
	enum vring_drop *ret_drop
)
{
	struct packed_pass pass;
	uint32_t done = 0;

	*ret_drop = VRING_DROP_NONE;
	read_buffers(ring, &pass, count);
	while (done < count) {
		uint32_t descs;
		if (pass.at && pass.at >= pass.count)
			read_buffers(ring, &pass, count - done);
		done += deliver_plain(ring, &pass, &frames[done], count - done);
		if (done == count || (pass.at == pass.count && pass.count))
			continue;
		*ret_drop = deliver_any(ring, frames[done], &descs);
		if (*ret_drop != VRING_DROP_NONE)
			break;
		done++;
		// Each buffer of the pass is one descriptor; what was used may be longer chains, since it was read anew.
		pass.at += descs;
	}
	return done;
}
