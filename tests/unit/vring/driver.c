// SPDX-License-Identifier: BSD-3-Clause
// The tests' front end: memory, descriptors and the rules that a used entry must keep. layouts.c cuts
// chains into descriptors. Runs on the test's only thread.
#include "tests/unit/vring/driver.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

static void *drv_alloc(size_t size)
{
	void *p = NULL;
	assert_int_equal(posix_memalign(&p, 16, size), 0);
	memset(p, 0, size);
	return p;
}

static void check_same(const void *found, const void *known, size_t size, const char *what)
{
	if (memcmp(found, known, size) != 0) // Much faster than assert_memory_equal().
		fail_msg("the back end wrote to %s", what);
}

static void add_region(struct vring_mem *mem, uint64_t gpa, uint32_t size, uint8_t *host)
{
	struct vring_region *region = &mem->region[mem->count++];
	region->gpa = gpa;
	region->size = size;
	region->user = gpa;
	region->host = host;
}

struct drv_memory *drv_memory_new(uint32_t arena_size)
{
	struct drv_memory *memory = drv_alloc(sizeof(*memory));
	const uint64_t gpa[DRV_ARENAS] = {
		0x10000,
		0x10000 + (uint64_t)arena_size,
		0x100000000,
		0ull - 0x1000 - arena_size,
	};

	for (uint32_t i = 0; i < DRV_ARENAS; i++) {
		struct drv_arena *arena = &memory->arena[i];
		*arena = (struct drv_arena){
			.gpa = gpa[i],
			.host = drv_alloc(arena_size),
			.shadow = drv_alloc(arena_size),
			.size = arena_size,
		};
		memset(arena->host, 0xa5, arena_size);
		memset(arena->shadow, 0xa5, arena_size);
		uint32_t first = i == 2 ? arena_size / 2 : arena_size;
		add_region(&memory->mem, gpa[i], first, arena->host);
		if (first < arena_size)
			add_region(
				&memory->mem,
				gpa[i] + first,
				arena_size - first,
				arena->host + first
			);
	}
	return memory;
}

void drv_memory_check(const struct drv_memory *memory)
{
	for (uint32_t i = 0; i < DRV_ARENAS; i++) {
		const struct drv_arena *arena = &memory->arena[i];
		check_same(arena->host, arena->shadow, arena->size, "guest memory");
	}
}

void drv_memory_free(struct drv_memory *memory)
{
	if (!memory)
		return;
	for (uint32_t i = 0; i < DRV_ARENAS; i++) {
		free(memory->arena[i].host);
		free(memory->arena[i].shadow);
	}
	free(memory);
}

// A piece at the next boundary, or false when the arena is full.
static bool arena_take(
	struct drv_arena *arena,
	uint32_t size,
	uint32_t align,
	struct drv_piece *piece
)
{
	if (arena->live == 0)
		arena->head = arena->tail = 0;
	uint32_t start = (arena->head + align - 1) / align * align;
	uint32_t want = size + DRV_GUARD;
	bool wrapped = arena->live && arena->head <= arena->tail;
	uint32_t limit = wrapped ? arena->tail : arena->size;

	if (start > limit || want > limit - start) {
		if (wrapped || want > arena->tail)
			return false;
		start = 0;
	}
	piece->gpa = arena->gpa + start;
	piece->offset = start;
	piece->end = start + want;
	arena->head = piece->end;
	arena->live++;
	return true;
}

static bool take_piece(
	struct drv_ring *ring,
	uint32_t size,
	uint32_t align,
	struct drv_piece *piece
)
{
	uint32_t first = drv_random_below(&ring->random, DRV_ARENAS);

	piece->size = size;
	for (uint32_t i = 0; i < DRV_ARENAS; i++) {
		piece->arena = (uint8_t)((first + i) % DRV_ARENAS);
		if (arena_take(&ring->memory->arena[piece->arena], size, align, piece))
			return true;
	}
	return false;
}

static void give_piece(struct drv_ring *ring, const struct drv_piece *piece)
{
	if (piece->borrowed)
		return;
	struct drv_arena *arena = &ring->memory->arena[piece->arena];
	arena->tail = piece->end;
	arena->live--;
}

static void write_piece(struct drv_ring *ring, const struct drv_piece *piece, const void *bytes)
{
	struct drv_arena *arena = &ring->memory->arena[piece->arena];
	memcpy(arena->host + piece->offset, bytes, piece->size);
	memcpy(arena->shadow + piece->offset, bytes, piece->size);
}

static uint64_t area_size(uint32_t size, enum vring_area area)
{
	return vring_area_size(&(struct vring_config){.size = size}, area);
}

struct drv_ring *drv_ring_new(struct drv_memory *memory, uint32_t size, uint16_t base)
{
	struct drv_ring *ring = drv_alloc(sizeof(*ring));

	*ring = (struct drv_ring){
		.areas =
			{drv_alloc(area_size(size, VRING_AREA_DESC)),
			 drv_alloc(area_size(size, VRING_AREA_AVAIL)),
			 drv_alloc(area_size(size, VRING_AREA_USED))},
		.memory = memory,
		.random = {0x9e3779b97f4a7c15ull + size + base},
		.size = size,
		.avail_idx = base,
		.used_idx = base,
		.free_count = size,
		.free = drv_alloc(sizeof(uint16_t) * size),
		.desc_shadow = drv_alloc(area_size(size, VRING_AREA_DESC)),
		.avail_shadow = drv_alloc(area_size(size, VRING_AREA_AVAIL)),
		.chain = drv_alloc(sizeof(struct drv_chain) * size),
	};
	((struct vring_avail_ring *)ring->areas.avail)->idx = base;
	((struct vring_used_ring *)ring->areas.used)->idx = base;
	ring->avail_shadow->idx = base;
	for (uint32_t i = 0; i < size; i++)
		ring->free[i] = (uint16_t)i;
	return ring;
}

void drv_ring_free(struct drv_ring *ring)
{
	if (!ring)
		return;
	for (uint32_t i = 0; i < ring->size; i++) {
		free(ring->chain[i].piece);
		free(ring->chain[i].desc);
	}
	free(ring->chain);
	free(ring->avail_shadow);
	free(ring->desc_shadow);
	free(ring->free);
	free(ring->areas.used);
	free(ring->areas.avail);
	free(ring->areas.desc);
	free(ring);
}

void drv_ring_check(const struct drv_ring *ring)
{
	uint32_t size = ring->size;
	check_same(
		ring->areas.desc, ring->desc_shadow, area_size(size, VRING_AREA_DESC), "descriptors"
	);
	check_same(
		ring->areas.avail,
		ring->avail_shadow,
		area_size(size, VRING_AREA_AVAIL),
		"available"
	);
}

struct vring drv_ring_attach(const struct drv_ring *ring, uint16_t base)
{
	struct vring_config config = {.size = ring->size, .base = base, .header_size = 12};
	struct vring back;
	assert_int_equal(vring_init(&back, &ring->areas, &config, &ring->memory->mem), 0);
	return back;
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

static void forget_pieces(struct drv_ring *ring, struct drv_chain *chain)
{
	for (uint32_t i = 0; i < chain->piece_count; i++)
		give_piece(ring, &chain->piece[i]);
	free(chain->piece);
	free(chain->desc);
	*chain = (struct drv_chain){0};
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
	uint32_t tables = layout->direct < layout->count;

	memcpy(saved, ring->memory->arena, sizeof(saved));
	chain->piece = drv_alloc(sizeof(*chain->piece) * (layout->count + 1));
	for (uint32_t i = 0; i < layout->count + tables; i++) {
		struct drv_piece *piece = &chain->piece[chain->piece_count++];
		bool table = i == layout->count;
		uint32_t size = table ? 16 * (layout->count - layout->direct) : layout->size[i];
		if (size == 0) {
			*piece = (struct drv_piece){.gpa = 0xdead000000000000, .borrowed = true};
			continue;
		}
		if (take_piece(ring, size, table ? 16 : 1, piece))
			continue;
		memcpy(ring->memory->arena, saved, sizeof(saved));
		free(chain->piece);
		return false;
	}
	return true;
}

static uint16_t take_desc(struct drv_ring *ring)
{
	uint32_t at = drv_random_below(&ring->random, ring->free_count);
	uint16_t i = ring->free[at];
	ring->free[at] = ring->free[--ring->free_count];
	return i;
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

static void fill_tables(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	struct drv_chain *chain
)
{
	struct vring_desc_entry table[DRV_PIECES_MAX];
	uint32_t far = layout->count - layout->direct;

	for (uint32_t i = 0; i < layout->direct; i++) {
		bool last = i + 1 == chain->desc_count;
		uint16_t next = last ? 0 : chain->desc[i + 1];
		drv_ring_put_desc(ring, chain->desc[i], piece_desc(chain, i, last, next));
	}
	if (!far)
		return;
	// WRITE means nothing on an indirect descriptor (virtio 1.1, 2.6.5.3.2): set it at random.
	struct drv_piece *home = &chain->piece[layout->count];
	uint16_t noise = drv_random_below(&ring->random, 2) ? DESC_F_WRITE : 0;
	drv_ring_put_desc(
		ring,
		chain->desc[layout->direct],
		(struct desc){home->gpa, 16 * far, (uint16_t)(DESC_F_INDIRECT | noise), 0xdead}
	);
	for (uint32_t i = 0; i < far; i++)
		table[i] = pack(piece_desc(chain, layout->direct + i, i + 1 == far, i + 1));
	write_piece(ring, home, table);
}

bool drv_ring_post(
	struct drv_ring *ring,
	const struct drv_layout *layout,
	const uint8_t *bytes,
	uint64_t tag
)
{
	uint32_t descs = layout->direct + (layout->direct < layout->count);
	struct drv_chain chain = {.posted = true, .writable = !bytes, .desc_count = descs};

	if (descs > ring->free_count || ring->outstanding == ring->size ||
	    !take_pieces(ring, layout, &chain))
		return false;
	chain.desc = drv_alloc(sizeof(*chain.desc) * descs);
	for (uint32_t i = 0; i < descs; i++)
		chain.desc[i] = take_desc(ring);
	fill_tables(ring, layout, &chain);
	for (uint32_t i = 0; i < layout->count; i++) {
		if (bytes && layout->size[i])
			write_piece(ring, &chain.piece[i], bytes + chain.size);
		chain.size += layout->size[i];
	}
	chain.order = ring->posted++;
	chain.tag = tag;
	ring->chain[chain.desc[0]] = chain;
	ring->outstanding++;
	drv_ring_put_avail(ring, chain.desc[0]);
	return true;
}

// The bytes of one piece: the first `written` are new, the rest and the guard behind must be as they were.
static void check_piece(struct drv_ring *ring, const struct drv_piece *piece, uint32_t written)
{
	struct drv_arena *arena = &ring->memory->arena[piece->arena];
	uint8_t *host = arena->host + piece->offset;
	uint8_t *shadow = arena->shadow + piece->offset;

	memcpy(shadow, host, written);
	check_same(
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
	struct vring_used_ring *shared = ring->areas.used;
	uint16_t idx = __atomic_load_n(&shared->idx, __ATOMIC_ACQUIRE);

	assert_true((uint16_t)(idx - ring->used_idx) <= ring->outstanding);
	if (idx == ring->used_idx)
		return false;
	struct vring_used_entry entry = shared->ring[ring->used_idx & (ring->size - 1)];
	assert_true(entry.id < ring->size);
	struct drv_chain *chain = &ring->chain[entry.id];
	assert_true(chain->posted);
	assert_int_equal(chain->order, ring->collected);
	assert_true(entry.size <= (chain->writable ? chain->size : 0));
	assert_true(entry.size <= DRV_USED_MAX);
	ret_used->tag = chain->tag;
	ret_used->size = entry.size;
	ret_used->room = chain->size;
	check_bytes(ring, chain, ret_used);

	for (uint32_t i = 0; i < chain->desc_count; i++)
		ring->free[ring->free_count++] = chain->desc[i];
	forget_pieces(ring, chain);
	ring->outstanding--;
	ring->collected++;
	ring->used_idx++;
	return true;
}
