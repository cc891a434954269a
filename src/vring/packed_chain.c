// SPDX-License-Identifier: BSD-3-Clause
// A packed ring's descriptor chains (virtio 1.1, 2.7.6) and indirect tables (2.7.7), every step bounded and
// checked. Runs on the ring's worker.
#include "vring/packed.h"

// virtio 1.1, 2.7.7: the descriptors of the table follow each other, and of their flags only WRITE means anything. In a
// table that is only read it is not looked at: DPDK's virtio driver leaves it set in the tables of its transmit ring
// (seen in 22.11 to 26.07).
static enum chain_result walk_table(
	struct vring *ring,
	const struct desc *d,
	uint16_t direction,
	struct chain *chain
)
{
	const struct vring_desc_entry *table;
	uint32_t count;
	enum chain_result r = chain_find_table(ring, d, &table, &count);

	for (uint32_t i = 0; r == CHAIN_OK && i < count; i++) {
		struct desc entry = desc_read(&table[i]);
		// A packed descriptor has its flags where a split one has `next`.
		entry.flags = entry.next & direction;
		r = chain_add(ring, &entry, direction, chain);
	}
	return r;
}

enum chain_result packed_walk(
	struct vring *ring,
	struct packed_place at,
	struct desc first,
	uint16_t direction,
	struct packed_chain *chain
)
{
	struct desc d = first;

	chain_reset(&chain->chain);
	chain->ring_descs = 1;
	chain->ended = !(d.flags & DESC_F_NEXT);
	chain->id = d.next;
	if (d.flags & DESC_F_INDIRECT)
		return walk_table(ring, &d, direction, &chain->chain);
	for (;;) {
		enum chain_result r = chain_add(ring, &d, direction, &chain->chain);
		if (r != CHAIN_OK || chain->ended)
			return r;
		// The descriptors behind the first are valid since it became available (2.7.13): their AVAIL and USED
		// need no second look.
		if (chain->ring_descs == chain->ring_descs_max)
			return chain_fault(ring, VRING_FAULT_LOOP);
		at = packed_ahead(ring, at, 1);
		d = packed_read(ring, at.index);
		chain->ring_descs++;
		chain->ended = !(d.flags & DESC_F_NEXT);
		chain->id = d.next;
		// 2.7.7: no indirect descriptor in a chain.
		if (d.flags & DESC_F_INDIRECT)
			return chain_fault(ring, VRING_FAULT_INDIRECT);
	}
}

enum chain_result packed_finish(
	struct vring *ring,
	struct packed_place at,
	struct packed_chain *chain
)
{
	at = packed_ahead(ring, at, chain->ring_descs - 1);
	while (!chain->ended) {
		if (chain->ring_descs == chain->ring_descs_max)
			return chain_fault(ring, VRING_FAULT_LOOP);
		at = packed_ahead(ring, at, 1);
		struct desc d = packed_read(ring, at.index);
		chain->ring_descs++;
		chain->ended = !(d.flags & DESC_F_NEXT);
		chain->id = d.next;
	}
	return CHAIN_OK;
}
