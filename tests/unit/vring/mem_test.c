// SPDX-License-Identifier: BSD-3-Clause
// Guest addresses: edges of regions, ranges across them, sums that wrap, and the remembered region.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"

#include <string.h>

static uint8_t host[0x10000];

// 0x1000..0x2fff: two regions that follow each other in both spaces; 0x3000: follows in the guest only;
// 0x5000: follows the third in this process only; the last two pages but one of the address space.
static const struct vring_mem fixed = {
	.count = 5,
	.region = {
		{.gpa = 0x1000, .size = 0x1000, .host = host},
		{.gpa = 0x2000, .size = 0x1000, .host = host + 0x1000},
		{.gpa = 0x3000, .size = 0x1000, .host = host + 0x4000},
		{.gpa = 0x5000, .size = 0x1000, .host = host + 0x5000},
		{.gpa = 0xffffffffffffd000, .size = 0x2000, .host = host + 0x8000},
	}};

static const struct {
	uint64_t gpa;
	uint64_t size;
	int64_t at; // Offset in host; -1: nowhere.
} queries[] = {
	{0x1000, 1, 0},
	{0x1000, 0x1000, 0},
	{0x1fff, 1, 0xfff},
	{0x0fff, 1, -1},
	{0x0fff, 2, -1},
	{0x2000, 0x1000, 0x1000},
	{0x1000, 0x2000, 0},
	{0x1fff, 2, 0xfff},
	{0x1fff, 0x1001, 0xfff},
	{0x1000, 0x2001, -1},
	{0x1fff, 0x1002, -1},
	{0x2fff, 1, 0x1fff},
	{0x2fff, 2, -1},
	{0x3000, 0x1000, 0x4000},
	{0x3000, 0x1001, -1},
	{0x3fff, 0x1002, -1},
	{0x4000, 1, -1},
	{0x4fff, 1, -1},
	{0x5000, 0x1000, 0x5000},
	{0x5fff, 2, -1},
	{0x6000, 1, -1},
	{0, 1, -1},
	{0, UINT64_MAX, -1},
	{0x1000, UINT64_MAX, -1},
	{0x1001, UINT64_MAX, -1},
	{0x1800, 0ull - 0x800, -1},
	{0x1800, 0ull - 0x1800, -1},
	{0xffffffffffffd000, 0x2000, 0x8000},
	{0xffffffffffffefff, 1, 0x9fff},
	{0xffffffffffffefff, 2, -1},
	{0xffffffffffffd000, 0x3000, -1},
	{0xffffffffffffd000, 0x5000, -1},
	{0xffffffffffffd000, UINT32_MAX, -1},
	{0xfffffffffffff000, 0x2000, -1},
	{UINT64_MAX, 1, -1},
	{UINT64_MAX, UINT64_MAX, -1},
};

// Each from each region that may have been hit last.
static void test_edges(void **state)
{
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		for (uint32_t r = 0; r < fixed.count; r++) {
			const struct vring_region *cache = &fixed.region[r];
			uint8_t *want = queries[i].at < 0 ? NULL : host + queries[i].at;
			void *got = vring_mem_at(&fixed, &cache, queries[i].gpa, queries[i].size);
			if (got != want)
				fail_msg("query %zu from region %u: %p, not %p", i, r, got, want);
			assert_true(cache >= fixed.region && cache < fixed.region + fixed.count);
		}
}

static void test_hit_moves_the_cache(void **state)
{
	const struct vring_region *cache = &fixed.region[0];
	assert_ptr_equal(vring_mem_at(&fixed, &cache, 0x5004, 4), host + 0x5004);
	assert_ptr_equal(cache, &fixed.region[3]);
	assert_null(vring_mem_at(&fixed, &cache, 0x4004, 4));
	assert_ptr_equal(cache, &fixed.region[3]);
	assert_ptr_equal(vring_mem_at(&fixed, &cache, 0x1ffe, 4), host + 0xffe);
	assert_ptr_equal(cache, &fixed.region[0]);
}

// Where byte `gpa` lies, by looking at every region.
static uint8_t *slow_byte(const struct vring_mem *mem, uint64_t gpa)
{
	for (uint32_t i = 0; i < mem->count; i++)
		if (gpa >= mem->region[i].gpa && gpa - mem->region[i].gpa < mem->region[i].size)
			return mem->region[i].host + (gpa - mem->region[i].gpa);
	return NULL;
}

// Byte by byte: each in a region, each behind the one before in this process.
static uint8_t *slow_find(const struct vring_mem *mem, uint64_t gpa, uint64_t size)
{
	uint8_t *first = slow_byte(mem, gpa);
	for (uint64_t i = 0; first && i < size; i++)
		if (gpa + i < gpa || slow_byte(mem, gpa + i) != first + i)
			return NULL;
	return first;
}

static void make_random(struct vring_mem *mem, struct drv_random *random)
{
	uint64_t gpa = drv_random_below(random, 64);
	uint32_t at = 0;

	mem->count = 1 + drv_random_below(random, VRING_REGIONS_MAX);
	for (uint32_t i = 0; i < mem->count; i++) {
		uint32_t size = 1 + drv_random_below(random, 40);
		mem->region[i] = (struct vring_region){.gpa = gpa, .size = size, .host = host + at};
		gpa += size + (drv_random_below(random, 3) ? 0 : drv_random_below(random, 20));
		at += size + (drv_random_below(random, 3) ? 0 : drv_random_below(random, 20));
	}
}

static void test_against_every_byte(void **state)
{
	struct drv_random random = drv_random_seeded();
	static struct vring_mem mem;

	for (uint32_t round = 0; round < 200; round++) {
		make_random(&mem, &random);
		const struct vring_region *cache = &mem.region[0];
		const struct vring_region *last = &mem.region[mem.count - 1];
		uint32_t span = (uint32_t)(last->gpa + last->size) + 64;
		for (uint32_t i = 0; i < 500; i++) {
			uint64_t gpa = drv_random_below(&random, span);
			uint64_t size = 1 + drv_random_below(&random, 120);
			assert_ptr_equal(
				vring_mem_at(&mem, &cache, gpa, size), slow_find(&mem, gpa, size)
			);
		}
	}
}

// Frames in the first and last bytes of every region, and across two that go on in both spaces.
static void test_frames_at_edges(void **state)
{
	struct bench *bench = bench_new(64, 0);
	uint32_t count = 0;

	for (uint32_t i = 0; i < DRV_ARENAS; i++) {
		struct drv_arena *arena = &bench->memory->arena[i];
		const uint32_t offsets[] = {0, arena->size - 72, arena->size / 2 - 36};
		for (uint32_t k = 0; k < 3; k++, count++) {
			uint8_t *bytes = arena->host + offsets[k];
			memset(bytes, 0, 12);
			bench_fill(bytes + 12, 60, count);
			struct desc d = {arena->gpa + offsets[k], 72, 0, 0};
			drv_ring_put_desc(bench->front, (uint16_t)count, d);
			drv_ring_put_avail(bench->front, (uint16_t)count);
		}
		memcpy(arena->shadow, arena->host, arena->size);
	}
	bench_take(bench, 32, count, count);
	for (uint32_t i = 0; i < count; i++)
		bench_expect_taken(bench, i, 60, i);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_hit_moves_the_cache),
		cmocka_unit_test(test_against_every_byte),
		cmocka_unit_test(test_frames_at_edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
