// SPDX-License-Identifier: BSD-3-Clause
// The test driver's guest memory: arenas, each with its shadow, given out in pieces. Runs on the test's only
// thread.
#include "tests/unit/vring/driver_memory.h"

#include "tests/lib/unit.h"
#include "tests/unit/vring/driver_kind.h"

#include <stdlib.h>
#include <string.h>

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
		drv_check_same(arena->host, arena->shadow, arena->size, "guest memory");
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

bool drv_take_piece(
	struct drv_memory *memory,
	struct drv_random *random,
	uint32_t size,
	uint32_t align,
	struct drv_piece *ret_piece
)
{
	uint32_t first = drv_random_below(random, DRV_ARENAS);

	ret_piece->size = size;
	ret_piece->borrowed = false;
	for (uint32_t i = 0; i < DRV_ARENAS; i++) {
		ret_piece->arena = (uint8_t)((first + i) % DRV_ARENAS);
		if (arena_take(&memory->arena[ret_piece->arena], size, align, ret_piece))
			return true;
	}
	return false;
}

void drv_give_piece(struct drv_memory *memory, const struct drv_piece *piece)
{
	if (piece->borrowed)
		return;
	struct drv_arena *arena = &memory->arena[piece->arena];
	arena->tail = piece->end;
	arena->live--;
}

void drv_memory_reset(struct drv_memory *memory)
{
	for (uint32_t i = 0; i < DRV_ARENAS; i++)
		memory->arena[i].live = 0;
}
