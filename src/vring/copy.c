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

#define VECTOR ((size_t)32)

// A frame lies behind a header of 10 or 12 bytes, so its stores are rarely aligned, and one store in two would touch
// two cache lines: the loop's stores are aligned, its first and its last vectors overlap them.
__attribute__((target("avx2"))) static void copy_avx2(uint8_t *to, const uint8_t *from, size_t size)
{
	const uint8_t *from_end = from + size;
	uint8_t *to_end = to + size;
	__m256i first = _mm256_loadu_si256((const __m256i *)from);
	__m256i tail[4];

	for (size_t i = 0; i < 4; i++)
		tail[i] = _mm256_loadu_si256((const __m256i *)(from_end - VECTOR * (i + 1)));
	_mm256_storeu_si256((__m256i *)to, first);
	size_t skip = VECTOR - ((uintptr_t)to & (VECTOR - 1));
	to += skip;
	from += skip;
	// More than the four vectors of the tail are left.
	while ((size_t)(to_end - to) > 4 * VECTOR) {
		__m256i v[4];
		for (size_t i = 0; i < 4; i++)
			v[i] = _mm256_loadu_si256((const __m256i *)(from + VECTOR * i));
		for (size_t i = 0; i < 4; i++)
			_mm256_store_si256((__m256i *)(to + VECTOR * i), v[i]);
		to += 4 * VECTOR;
		from += 4 * VECTOR;
	}
	for (size_t i = 0; i < 4; i++)
		_mm256_storeu_si256((__m256i *)(to_end - VECTOR * (i + 1)), tail[i]);
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
