// SPDX-License-Identifier: BSD-3-Clause
// Internet checksums. Any thread; no state. Guest memory may change under the sum, which then is that of neither
// content, and nothing worse. Sums are kept in 64 bits and carried around their end, which is the same as 16 bits at
// a time (RFC 1071, 2).
#include "packet/checksum.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

// Below this the wide variant's start and end cost more than it saves.
#define WIDE_SIZE_MIN 128

static uint64_t add_carry(uint64_t sum, uint64_t value)
{
	sum += value;
	return sum + (sum < value);
}

static uint64_t load(const uint8_t *data)
{
	uint64_t value;
	memcpy(&value, data, sizeof(value));
	return value;
}

// Four sums beside each other, so that no addition waits for the carry of the one before it.
static uint64_t add_plain(uint64_t sum, const uint8_t *data, uint32_t size)
{
	uint64_t sums[3] = {0};

	for (; size >= 32; size -= 32, data += 32) {
		sum = add_carry(sum, load(data));
		sums[0] = add_carry(sums[0], load(data + 8));
		sums[1] = add_carry(sums[1], load(data + 16));
		sums[2] = add_carry(sums[2], load(data + 24));
	}
	sum = add_carry(add_carry(sum, sums[0]), add_carry(sums[1], sums[2]));
	for (; size >= 8; size -= 8, data += 8)
		sum = add_carry(sum, load(data));
	if (size) {
		uint64_t rest = 0;
		memcpy(&rest, data, size);
		sum = add_carry(sum, rest);
	}
	return sum;
}

#ifdef __x86_64__
// Each 32-bit half is added to a lane of 64 bits: 2^32 additions cannot overflow it.
__attribute__((target("avx2"))) static uint64_t add_avx2(
	uint64_t sum,
	const uint8_t *data,
	uint32_t size
)
{
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	__m256i even = _mm256_setzero_si256();
	__m256i odd = _mm256_setzero_si256();
	uint64_t lanes[4];

	for (; size >= 64; size -= 64, data += 64) {
		__m256i a = _mm256_loadu_si256((const __m256i *)data);
		__m256i b = _mm256_loadu_si256((const __m256i *)(data + 32));
		even = _mm256_add_epi64(even, _mm256_and_si256(a, low));
		odd = _mm256_add_epi64(odd, _mm256_srli_epi64(a, 32));
		even = _mm256_add_epi64(even, _mm256_and_si256(b, low));
		odd = _mm256_add_epi64(odd, _mm256_srli_epi64(b, 32));
	}
	_mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi64(even, odd));
	for (uint32_t i = 0; i < 4; i++)
		sum = add_carry(sum, lanes[i]);
	return add_plain(sum, data, size);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#endif

uint64_t checksum_add(uint64_t sum, const uint8_t *data, uint32_t size)
{
#ifdef __x86_64__
	if (size >= WIDE_SIZE_MIN && has_avx2())
		return add_avx2(sum, data, size);
#endif
	return add_plain(sum, data, size);
}

uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)sum;
}

// RFC 1071, 2 (B): the sum of bytes one place further is that of the bytes swapped.
static uint64_t add_at(uint64_t sum, uint32_t place, const uint8_t *data, uint32_t size)
{
	if (!(place & 1))
		return checksum_add(sum, data, size);
	return add_carry(sum, __builtin_bswap16(checksum_fold(checksum_add(0, data, size))));
}

uint64_t checksum_frame(const struct frame *frame, uint32_t from)
{
	uint64_t sum = 0;
	uint32_t place = 0; // Bytes that were summed.
	uint32_t skip = from;

	if (from < frame->head_size) {
		place = frame->head_size - from;
		sum = checksum_add(sum, frame->head + from, place);
		skip = frame->head_size;
	}
	for (uint32_t i = 0; i < frame->seg_count; i++) {
		const struct frame_seg *seg = &frame->segs[i];
		if (skip >= seg->size) {
			skip -= seg->size;
			continue;
		}
		sum = add_at(sum, place, seg->addr + skip, seg->size - skip);
		place += seg->size - skip;
		skip = 0;
	}
	return sum;
}

uint64_t checksum_pseudo(const uint8_t *addresses, uint32_t size, uint8_t proto, uint32_t length)
{
	uint64_t sum = checksum_add(0, addresses, size);

	sum = add_carry(sum, htobe32(length));
	return add_carry(sum, htobe16(proto));
}

void checksum_variants(struct checksum_variant ret_variants[CHECKSUM_VARIANTS])
{
	ret_variants[0] = (struct checksum_variant){"plain", add_plain};
	ret_variants[1] = (struct checksum_variant){"avx2", NULL};
#ifdef __x86_64__
	if (has_avx2())
		ret_variants[1].add = add_avx2;
#endif
}
