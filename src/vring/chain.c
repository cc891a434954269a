// SPDX-License-Identifier: BSD-3-Clause
// A split ring's descriptor chains and indirect tables (virtio 1.1, 2.6.5), every step bounded and checked. Runs
// on the ring's worker. packed_chain.c shares what is the same there.
#include "vring/chain.h"

// Where the walk is: which table, how many of its descriptors it has still to see at most.
struct walk {
	const struct vring_desc_entry *table;
	uint32_t table_count;
	uint32_t left;
	bool indirect;
};

enum chain_result chain_fault(struct vring *ring, enum vring_fault fault)
{
	ring->fault = fault;
	return CHAIN_FAULT;
}

enum chain_result chain_find_table(
	struct vring *ring,
	const struct desc *d,
	const struct vring_desc_entry **ret_table,
	uint32_t *ret_count
)
{
	uint32_t count = d->size / sizeof(struct vring_desc_entry);

	// virtio 1.1, 2.6.5.3.1 and 2.7.7: only when negotiated, never with NEXT. 2.6.5.3.2 and 2.7.7: WRITE is
	// ignored here.
	if (!ring->indirect || (d->flags & DESC_F_NEXT))
		return chain_fault(ring, VRING_FAULT_INDIRECT);
	if (count == 0 || d->size % sizeof(struct vring_desc_entry) || count > VRING_SIZE_MAX)
		return chain_fault(ring, VRING_FAULT_INDIRECT);
	*ret_table = vring_mem_at(ring->mem, &ring->cache, d->addr, d->size);
	if (!*ret_table)
		return chain_fault(ring, VRING_FAULT_ADDRESS);
	*ret_count = count;
	return CHAIN_OK;
}

// Moves the walk into an indirect table and reads its first descriptor.
static enum chain_result enter_indirect(struct vring *ring, struct walk *walk, struct desc *d)
{
	// virtio 1.1, 2.6.5.3.1: never inside another one.
	if (walk->indirect)
		return chain_fault(ring, VRING_FAULT_INDIRECT);
	enum chain_result r = chain_find_table(ring, d, &walk->table, &walk->table_count);
	if (r != CHAIN_OK)
		return r;
	walk->left = walk->table_count - 1;
	walk->indirect = true;
	*d = desc_read(&walk->table[0]);
	if (d->flags & DESC_F_INDIRECT)
		return chain_fault(ring, VRING_FAULT_INDIRECT);
	return CHAIN_OK;
}

enum chain_result chain_add(
	struct vring *ring,
	const struct desc *d,
	uint16_t direction,
	struct chain *chain
)
{
	if (chain->desc_count == chain->desc_max)
		return CHAIN_TOO_MANY;
	chain->desc_count++;
	if ((d->flags & DESC_F_WRITE) != direction)
		return chain_fault(ring, VRING_FAULT_DIRECTION);
	if (d->size == 0)
		return CHAIN_OK;
	uint8_t *addr = vring_mem_at(ring->mem, &ring->cache, d->addr, d->size);
	if (!addr)
		return chain_fault(ring, VRING_FAULT_ADDRESS);
	chain->segs[chain->seg_count++] = (struct frame_seg){.addr = addr, .size = d->size};
	chain->size += d->size;
	return CHAIN_OK;
}

static enum chain_result next_desc(struct vring *ring, struct walk *walk, struct desc *d)
{
	if (d->next >= walk->table_count)
		return chain_fault(ring, VRING_FAULT_HEAD);
	if (walk->left-- == 0)
		return chain_fault(ring, VRING_FAULT_LOOP);
	*d = desc_read(&walk->table[d->next]);
	return CHAIN_OK;
}

enum chain_result chain_walk(
	struct vring *ring,
	struct desc first,
	uint16_t direction,
	struct chain *chain
)
{
	struct walk walk = {.table = ring->desc, .table_count = ring->size, .left = ring->size - 1};
	struct desc d = first;
	enum chain_result r;

	chain_reset(chain);
	for (;;) {
		if (d.flags & DESC_F_INDIRECT) {
			r = enter_indirect(ring, &walk, &d);
			if (r != CHAIN_OK)
				return r;
		}
		r = chain_add(ring, &d, direction, chain);
		if (r != CHAIN_OK)
			return r;
		if (!(d.flags & DESC_F_NEXT))
			return CHAIN_OK;
		r = next_desc(ring, &walk, &d);
		if (r != CHAIN_OK)
			return r;
	}
}
