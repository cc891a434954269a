// SPDX-License-Identifier: BSD-3-Clause
// Variants of the long copy, chosen at run time. Any thread. Plain stores: the front end reads what was written
// at once, so going around the caches would cost it more than it saves here.
#include "vring/copy.h"

static void copy_base(uint8_t *to, const uint8_t *from, size_t size)
{
	memcpy(to, from, size);
}

static bool is_always_supported(void)
{
	return true;
}

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define VECTOR sizeof(__m256i)
#define BLOCK (4 * VECTOR)

struct block {
	__m256i a, b, c, d;
};

AVX2 static inline __m256i load(const uint8_t *from)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

AVX2 static inline void store(uint8_t *to, __m256i vector)
{
	_mm256_storeu_si256((__m256i *)(void *)to, vector);
}

AVX2 static inline struct block load_block(const uint8_t *from)
{
	return (struct block
	){load(from), load(from + VECTOR), load(from + 2 * VECTOR), load(from + 3 * VECTOR)};
}

AVX2 static inline void store_block(uint8_t *to, struct block block)
{
	store(to, block.a);
	store(to + VECTOR, block.b);
	store(to + 2 * VECTOR, block.c);
	store(to + 3 * VECTOR, block.d);
}

// A frame lies behind a header of 10 or 12 bytes, so its stores are rarely aligned, and one in two would touch two
// cache lines: the stores of the loop are aligned, and the first vector and the last block overlap them.
AVX2 static void copy_avx2(uint8_t *to, const uint8_t *from, size_t size)
{
	uint8_t *last_to = to + size - BLOCK;
	const uint8_t *last_from = from + size - BLOCK;
	size_t skip = VECTOR - ((uintptr_t)to & (VECTOR - 1));

	store(to, load(from));
	to += skip;
	from += skip;
	while (to < last_to) {
		store_block(to, load_block(from));
		to += BLOCK;
		from += BLOCK;
	}
	store_block(last_to, load_block(last_from));
}

static bool is_avx2_supported(void)
{
	return __builtin_cpu_supports("avx2");
}
#endif

const struct copy_variant copy_variants[] = {
	{"base", copy_base, is_always_supported},
#ifdef __x86_64__
	{"avx2", copy_avx2, is_avx2_supported},
#endif
};
const uint32_t copy_variant_count = sizeof(copy_variants) / sizeof(copy_variants[0]);

vring_copy_fn *copy_choose(void)
{
	uint32_t i = copy_variant_count - 1;

	while (!copy_variants[i].is_supported())
		i--;
	return copy_variants[i].copy;
}
