// SPDX-License-Identifier: BSD-3-Clause
// The tests' front end: chains, their buffers and the rules that a used chain must keep, for both kinds of
// ring. driver_split.c and driver_packed.c know the rings, driver_memory.c the guest's memory, layouts.c
// cuts chains into descriptors. Runs on the test's only thread.
#include "tests/unit/vring/driver.h"

#include "tests/lib/unit.h"
#include "tests/unit/vring/driver_kind.h"
#include "tests/unit/vring/driver_memory.h"

#include <stdlib.h>
#include <string.h>

void *drv_alloc(size_t size)
{
	void *p = NULL;
	assert_int_equal(posix_memalign(&p, 16, size), 0);
	memset(p, 0, size);
	return p;
}

void drv_check_same(const void *found, const void *known, size_t size, const char *what)
{
	if (memcmp(found, known, size) != 0) // Much faster than assert_memory_equal().
		fail_msg("the back end wrote to %s", what);
}

void drv_write_piece(struct drv_ring *ring, const struct drv_piece *piece, const void *bytes)
{
	struct drv_arena *arena = &ring->memory->arena[piece->arena];
	memcpy(arena->host + piece->offset, bytes, piece->size);
	memcpy(arena->shadow + piece->offset, bytes, piece->size);
}

struct drv_ring *drv_ring_new(struct drv_memory *memory, const struct vring_config *config)
{
	const struct drv_kind *kind = config->packed ? &drv_packed : &drv_split;
	uint32_t size = config->size;
	struct drv_ring *ring = drv_alloc(sizeof(*ring));

	assert_true(vring_size_is_valid(config->packed, size));
	*ring = (struct drv_ring){
		.kind = kind,
		.config = *config,
		.areas =
			{drv_alloc(kind->area_size(config, VRING_AREA_DESC)),
			 drv_alloc(kind->area_size(config, VRING_AREA_AVAIL)),
			 drv_alloc(kind->area_size(config, VRING_AREA_USED))},
		.memory = memory,
		.random = {0x9e3779b97f4a7c15ull + size + config->base},
		.size = size,
		.chain = calloc(size, sizeof(struct drv_chain)), // Large, and mostly never touched.
		.desc_free = size,
		.free_count = size,
		.free = drv_alloc(sizeof(uint16_t) * size),
		.fresh = true,
		.desc_shadow = drv_alloc(kind->area_size(config, VRING_AREA_DESC)),
		.avail_shadow = drv_alloc(kind->area_size(config, VRING_AREA_AVAIL)),
	};
	assert_non_null(ring->chain);
	for (uint32_t i = 0; i < size; i++)
		ring->free[i] = (uint16_t)i;
	kind->start(ring);
	return ring;
}

static void forget_chain(struct drv_chain *chain)
{
	if (chain->piece != chain->few_pieces)
		free(chain->piece);
	if (chain->desc != chain->few_desc)
		free(chain->desc);
	chain->piece = NULL;
	chain->desc = NULL;
}

void drv_ring_free(struct drv_ring *ring)
{
	if (!ring)
		return;
	for (uint64_t n = ring->collected; n < ring->posted; n++)
		forget_chain(drv_chain_at(ring, n));
	free(ring->chain);
	free(ring->avail_shadow);
	free(ring->desc_shadow);
	free(ring->free);
	free(ring->areas.used);
	free(ring->areas.avail);
	free(ring->areas.desc);
	free(ring);
}

uint16_t drv_take_free(struct drv_ring *ring)
{
	uint32_t at = drv_random_below(&ring->random, ring->free_count);
	uint16_t i = ring->free[at];
	ring->free[at] = ring->free[--ring->free_count];
	return i;
}

// Memory for every descriptor that is not empty, and for the indirect table behind them. Taken whole or
// not at all: an arena gives back only in order, so room is made sure of by a copy.
static bool take_pieces(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	struct drv_chain *chain
)
{
	struct drv_arena saved[DRV_ARENAS];
	uint32_t count = layout->count + (layout->direct < layout->count);

	memcpy(saved, ring->memory->arena, sizeof(saved));
	chain->piece =
		count <= DRV_FEW ? chain->few_pieces : drv_alloc(sizeof(*chain->piece) * count);
	chain->piece_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct drv_piece *piece = &chain->piece[i];
		bool table = i == layout->count;
		uint32_t size = table ? 16 * (layout->count - layout->direct) : layout->size[i];
		uint32_t align = table && drv_random_below(&ring->random, 4) ? 16 : 1;
		if (size == 0) {
			*piece = (struct drv_piece){.gpa = 0xdead000000000000, .borrowed = true};
			continue;
		}
		if (drv_take_piece(ring->memory, &ring->random, size, align, piece))
			continue;
		memcpy(ring->memory->arena, saved, sizeof(saved));
		forget_chain(chain);
		return false;
	}
	return true;
}

bool drv_ring_post(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	const uint8_t *bytes,
	uint64_t tag
)
{
	uint32_t descs = layout->direct + (layout->direct < layout->count);
	struct drv_chain *chain = drv_chain_at(ring, ring->posted);

	if (descs > ring->desc_free || ring->outstanding == ring->size)
		return false;
	chain->desc = NULL;
	if (!take_pieces(ring, layout, chain))
		return false;
	chain->writable = !bytes;
	chain->indirect = layout->direct < layout->count;
	chain->tag = tag;
	chain->size = 0;
	chain->desc_count = descs;
	for (uint32_t i = 0; i < layout->count; i++) {
		if (bytes && layout->size[i])
			drv_write_piece(ring, &chain->piece[i], bytes + chain->size);
		chain->size += layout->size[i];
	}
	ring->desc_free -= descs;
	ring->posted++;
	ring->outstanding++;
	ring->kind->publish(ring, layout, chain);
	return true;
}

uint32_t drv_batch_size(const struct drv_ring *ring, uint32_t id, uint64_t most)
{
	if (!ring->config.in_order)
		most = 1;
	for (uint32_t count = 1; count <= most; count++)
		if (drv_chain_at(ring, ring->shown + count - 1)->id == id)
			return count;
	fail_msg("used id %u is not the next one", id);
	return 0;
}

// Sees one more used entry. The buffers that it stands for besides its own were used completely.
static bool see_some(struct drv_ring *ring)
{
	uint32_t count = 0;
	uint32_t size = 0;

	if (ring->shown == ring->posted || !ring->kind->see(ring, &count, &size))
		return false;
	for (; count; count--) {
		struct drv_chain *chain = drv_chain_at(ring, ring->shown++);
		uint32_t all = chain->writable ? chain->size : 0;
		chain->used_size = count == 1 ? size : all;
		assert_true(chain->used_size <= all);
	}
	return true;
}

static void see_all(struct drv_ring *ring)
{
	while (see_some(ring))
		;
}

void drv_ring_check(struct drv_ring *ring)
{
	see_all(ring);
	ring->kind->check(ring);
}

static struct vring attach(struct drv_ring *ring, uint32_t base, bool recover)
{
	struct vring_config config = ring->config;
	struct vring back;

	config.base = base;
	config.recover = recover;
	config.place = &ring->kept;
	assert_int_equal(vring_init(&back, &ring->areas, &config, &ring->memory->mem), 0);
	see_all(ring);
	ring->kind->forget_calls(ring);
	ring->fresh = true;
	return back;
}

struct vring drv_ring_attach(struct drv_ring *ring, uint32_t base)
{
	return attach(ring, base, false);
}

// The base is garbage: it must not matter.
struct vring drv_ring_recover(struct drv_ring *ring)
{
	return attach(ring, drv_random_next(&ring->random), true);
}

uint32_t drv_ring_base(struct drv_ring *ring)
{
	see_all(ring);
	return ring->kind->base(ring);
}

void drv_ring_forgive(struct drv_ring *ring)
{
	see_all(ring);
	for (uint64_t n = ring->shown; n < ring->posted; n++) {
		const struct drv_chain *chain = drv_chain_at(ring, n);
		// An indirect table is not the back end's to write to.
		for (uint32_t i = 0; i < chain->piece_count; i++) {
			const struct drv_piece *piece = &chain->piece[i];
			struct drv_arena *arena = &ring->memory->arena[piece->arena];
			bool table = chain->indirect && i + 1 == chain->piece_count;
			if (chain->writable && !piece->borrowed && !table)
				memcpy(arena->shadow + piece->offset,
				       arena->host + piece->offset,
				       piece->size);
		}
	}
}

// The bytes of one piece: the first `written` are new, the rest and the guard behind must be as they were.
static void check_piece(struct drv_ring *ring, const struct drv_piece *piece, uint32_t written)
{
	struct drv_arena *arena = &ring->memory->arena[piece->arena];
	uint8_t *host = arena->host + piece->offset;
	uint8_t *shadow = arena->shadow + piece->offset;

	memcpy(shadow, host, written);
	drv_check_same(
		host + written,
		shadow + written,
		piece->size - written + DRV_GUARD,
		"a buffer where it must not"
	);
}

static void check_bytes(struct drv_ring *ring, const struct drv_chain *chain, struct drv_used *used)
{
	uint32_t left = used->size;
	uint8_t *out = used->bytes;

	for (uint32_t i = 0; i < chain->piece_count; i++) {
		const struct drv_piece *piece = &chain->piece[i];
		if (piece->borrowed)
			continue;
		uint32_t part = piece->size < left ? piece->size : left;
		check_piece(ring, piece, part);
		memcpy(out, ring->memory->arena[piece->arena].host + piece->offset, part);
		out += part;
		left -= part;
	}
	assert_int_equal(left, 0);
}

bool drv_ring_collect(struct drv_ring *ring, struct drv_used *ret_used)
{
	if (ring->collected == ring->shown && !see_some(ring))
		return false;
	struct drv_chain *chain = drv_chain_at(ring, ring->collected);
	assert_true(chain->used_size <= DRV_USED_MAX);
	ret_used->tag = chain->tag;
	ret_used->size = chain->used_size;
	ret_used->room = chain->size;
	check_bytes(ring, chain, ret_used);
	for (uint32_t i = 0; i < chain->piece_count; i++)
		drv_give_piece(ring->memory, &chain->piece[i]);
	ring->kind->release(ring, chain);
	ring->desc_free += chain->desc_count;
	forget_chain(chain);
	ring->collected++;
	ring->outstanding--;
	return true;
}

void drv_ring_wish(struct drv_ring *ring, enum drv_wish wish, uint32_t more)
{
	see_all(ring);
	ring->wish = wish == DRV_WISH_AFTER && !ring->config.event_idx ? DRV_WISH_ALWAYS : wish;
	ring->kind->wish(ring, ring->wish, more);
}

void drv_ring_check_call(struct drv_ring *ring, bool called)
{
	bool any = false;

	see_all(ring);
	bool due = ring->kind->call_due(ring, &any);
	if (due && !called)
		fail_msg("a signal is lost");
	// Without anything new, or as its first, a back end may signal without need.
	if (any && !due && called && !ring->fresh)
		fail_msg("a signal is needless");
	ring->fresh = false;
}

bool drv_ring_kick_due(struct drv_ring *ring)
{
	return ring->kind->kick_due(ring);
}
