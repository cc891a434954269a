// SPDX-License-Identifier: BSD-3-Clause
// Each variant of the checksum against 16 bits at a time, at each size and alignment, and known packets.
#include "packet/checksum.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

// RFC 1071, 4.1, as slow as it is written there; big endian.
static uint16_t slow_sum(const uint8_t *data, uint32_t size)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t in_network_order(uint16_t folded)
{
	uint8_t bytes[2];
	memcpy(bytes, &folded, 2);
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void fill(uint8_t *data, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		data[i] = (uint8_t)(random() >> 8);
}

static void check_variant(
	const struct checksum_variant *variant,
	const uint8_t *data,
	uint32_t size
)
{
	uint16_t sum = in_network_order(checksum_fold(variant->add(0, data, size)));
	if (sum != slow_sum(data, size))
		fail_msg(
			"%s: %u bytes: %04x is not %04x",
			variant->name,
			size,
			sum,
			slow_sum(data, size)
		);
}

static void test_variants(void **state)
{
	static uint8_t data[1024 + 64];
	struct checksum_variant variants[CHECKSUM_VARIANTS];

	checksum_variants(variants);
	assert_non_null(variants[0].add);
	fill(data, sizeof(data));
	for (uint32_t v = 0; v < CHECKSUM_VARIANTS; v++)
		for (uint32_t size = 0; variants[v].add && size <= 1024; size++)
			check_variant(&variants[v], data + size % 64, size);
}

// All ones carry in every addition; the largest frame of them.
static void test_carries(void **state)
{
	struct checksum_variant variants[CHECKSUM_VARIANTS];
	uint8_t *data = malloc(FRAME_SIZE_MAX);

	assert_non_null(data);
	memset(data, 0xff, FRAME_SIZE_MAX);
	checksum_variants(variants);
	for (uint32_t v = 0; v < CHECKSUM_VARIANTS; v++) {
		if (!variants[v].add)
			continue;
		check_variant(&variants[v], data, FRAME_SIZE_MAX);
		check_variant(&variants[v], data, FRAME_SIZE_MAX - 1);
		// A sum that is about to run over, too.
		uint64_t sum = variants[v].add(UINT64_MAX - 1, data, FRAME_SIZE_MAX);
		assert_int_equal(checksum_fold(sum), 0xfffe);
	}
	check_variant(&(struct checksum_variant){"chosen", checksum_add}, data, FRAME_SIZE_MAX);
	free(data);
}

// The example of RFC 1071, 3, and the header of a well-known IPv4 packet, whose sum with its checksum is all ones.
static void test_known(void **state)
{
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	static const uint8_t ipv4[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
				       0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

	assert_int_equal(in_network_order(checksum_fold(checksum_add(0, example, 8))), 0xddf2);
	assert_int_equal(checksum_fold(checksum_add(0, ipv4, 20)), 0xffff);
}

static void test_pseudo(void **state)
{
	uint8_t ipv6[40] = {[35] = 17, [39] = 6}; // Addresses, a length, three zeros, a header.
	uint8_t ipv4[12] = {[9] = 17};		  // Addresses, zero, protocol, a length.

	fill(ipv6, 32);
	ipv6[33] = 1;
	ipv6[35] = 0x2c;
	assert_int_equal(
		in_network_order(checksum_fold(checksum_pseudo(ipv6, 32, 6, 0x1002c))),
		slow_sum(ipv6, 40)
	);
	fill(ipv4, 8);
	ipv4[10] = 0xab;
	ipv4[11] = 0xcd;
	assert_int_equal(
		in_network_order(checksum_fold(checksum_pseudo(ipv4, 8, 17, 0xabcd))),
		slow_sum(ipv4, 12)
	);
}

// A head and segments of any size, empty ones too, from any place on.
static void test_frame(void **state)
{
	uint8_t data[600];
	uint8_t head[100];
	struct frame_seg segs[40];

	fill(data, sizeof(data));
	for (uint32_t round = 0; round < 2000; round++) {
		struct frame frame = {.head = head, .segs = segs, .size = sizeof(data)};
		uint32_t at = 0;
		frame.head_size = (uint16_t)(14 + random() % 87);
		memcpy(head, data, sizeof(head));
		for (; at < sizeof(data) && frame.seg_count < 39; frame.seg_count++) {
			uint32_t size = (uint32_t)random() % 40;
			size = size < sizeof(data) - at ? size : (uint32_t)sizeof(data) - at;
			segs[frame.seg_count] = (struct frame_seg){data + at, size};
			at += size;
		}
		segs[frame.seg_count++] =
			(struct frame_seg){data + at, (uint32_t)sizeof(data) - at};
		uint32_t from = (uint32_t)random() % 610;
		uint16_t expected = from < 600 ? slow_sum(data + from, 600 - from) : 0;
		assert_int_equal(
			in_network_order(checksum_fold(checksum_frame(&frame, from))), expected
		);
	}
}

// The head's bytes are those that count, whatever the segments say by now.
static void test_private_head(void **state)
{
	uint8_t head[64] = {1};
	uint8_t data[70] = {9, 9, 9, [64] = 0x10};
	struct frame_seg seg = {data, 70};
	struct frame frame = {head, &seg, 70, 64, 1, {0}};

	assert_int_equal(in_network_order(checksum_fold(checksum_frame(&frame, 0))), 0x1100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_carries),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_pseudo),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_private_head),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
