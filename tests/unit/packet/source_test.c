// SPDX-License-Identifier: BSD-3-Clause
// What is read of a frame's sender, and what is not seen.
#include "packet/source.h"
#include "tests/lib/unit.h"

#include <string.h>

static const uint8_t mac[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};

struct bytes {
	uint8_t data[1600];
	uint32_t size;
};

static void begin(struct bytes *b, uint16_t type)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->data + MAC_SIZE, mac, MAC_SIZE);
	b->data[12] = (uint8_t)(type >> 8);
	b->data[13] = (uint8_t)type;
	b->size = 14;
}

static void add(struct bytes *b, const void *data, uint32_t size)
{
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void add_tags(struct bytes *b, uint32_t count)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x9100};

	for (uint32_t i = 0; i < count; i++) {
		memmove(b->data + 16, b->data + 12, b->size - 12);
		b->data[12] = (uint8_t)(types[i % 3] >> 8);
		b->data[13] = (uint8_t)types[i % 3];
		b->data[14] = b->data[15] = 0;
		b->size += 4;
	}
}

static void make_arp(struct bytes *b)
{
	const uint8_t arp[] = {0,  1, 8, 0, 6, 4, 0, 2, 2, 0, 0,  0, 0, 0xa,
			       10, 0, 0, 7, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9};
	begin(b, 0x0806);
	add(b, arp, sizeof(arp));
}

// ICMPv6 of this type behind `headers` extension headers of 8 bytes, with `options` link-layer address options of mac.
static void make_icmpv6(struct bytes *b, uint8_t type, uint32_t headers, uint32_t options)
{
	uint8_t ip[40] = {0x60, [6] = headers ? 60 : 58, [7] = 255, [8] = 0xfd, [23] = 7};
	uint8_t nd[24] = {type, [8] = 0xfd, [23] = 9};
	uint8_t option[8] = {2, 1};

	memcpy(option + 2, mac, MAC_SIZE);
	uint32_t stated = headers * 8 + (uint32_t)sizeof(nd) + options * 8;
	ip[4] = (uint8_t)(stated >> 8);
	ip[5] = (uint8_t)stated;
	begin(b, 0x86dd);
	add(b, ip, sizeof(ip));
	for (uint32_t i = 0; i < headers; i++) {
		const uint8_t header[8] = {i + 1 < headers ? 60 : 58};
		add(b, header, sizeof(header));
	}
	add(b, nd, sizeof(nd));
	for (uint32_t i = 0; i < options; i++)
		add(b, option, sizeof(option));
}

static enum source_kind kind_of(const struct bytes *b)
{
	struct source source;
	source_parse(b->data, b->size, &source);
	return source.kind;
}

static void test_arp(void **state)
{
	struct source source;
	struct bytes b;

	for (uint32_t tags = 0; tags <= SOURCE_TAGS_MAX; tags++) {
		make_arp(&b);
		add_tags(&b, tags);
		assert_true(b.size <= FRAME_HEAD_SIZE); // So all of it is in every private head.
		source_parse(b.data, b.size, &source);
		assert_int_equal(source.kind, SOURCE_ARP);
		assert_true(source.is_whole && !source.has_other_mac && !source.may_lack);
		assert_int_equal(source.ip[3], 7);
	}
	add_tags(&b, 1);
	assert_int_equal(kind_of(&b), SOURCE_HIDDEN);
	make_arp(&b);
	b.data[22 + 5] = 0xb;
	source_parse(b.data, b.size, &source);
	assert_true(source.has_other_mac);
	for (uint32_t size = 14; size < 42; size++) {
		source_parse(b.data, size, &source);
		assert_int_equal(source.kind, SOURCE_ARP);
		assert_false(source.is_whole);
	}
	make_arp(&b);
	b.data[15] = 6; // Linux takes it for Ethernet's.
	source_parse(b.data, b.size, &source);
	assert_false(source.is_whole);
	assert_int_equal(source.ip[3], 7);
}

static void test_nd(void **state)
{
	struct source source;
	struct bytes b;

	for (uint32_t headers = 0; headers <= 8; headers++) {
		make_icmpv6(&b, 136, headers, 2);
		source_parse(b.data, b.size, &source);
		assert_int_equal(source.kind, SOURCE_ND);
		assert_true(source.is_whole && !source.has_other_mac && !source.may_lack);
		assert_int_equal(source.type, 136);
		assert_int_equal(source.ip[15], 7);
		assert_int_equal(source.target[15], 9);
		b.data[b.size - 1] ^= 1;
		source_parse(b.data, b.size, &source);
		assert_true(source.has_other_mac);
	}
	make_icmpv6(&b, 136, 9, 0);
	assert_int_equal(kind_of(&b), SOURCE_HIDDEN_ND);
	// No part of it tells less than all of it.
	for (uint32_t headers = 0; headers <= 8; headers += 4) {
		make_icmpv6(&b, 136, headers, 1);
		for (uint32_t size = 54; size < b.size; size++) {
			source_parse(b.data, size, &source);
			if (source.kind == SOURCE_ND)
				assert_true(source.has_other_mac && !source.is_whole);
			else
				assert_int_equal(source.kind, SOURCE_HIDDEN_ND);
		}
	}
}

static void test_nd_in_fragments(void **state)
{
	struct bytes b;

	make_icmpv6(&b, 136, 1, 0);
	b.data[20] = 44;
	assert_int_equal(kind_of(&b), SOURCE_HIDDEN_ND);
	b.data[57] = 1; // More follow.
	assert_int_equal(kind_of(&b), SOURCE_HIDDEN_ND);
	b.data[57] = 8; // A later one.
	assert_int_equal(kind_of(&b), SOURCE_IPV6);
	make_icmpv6(&b, 128, 1, 0);
	b.data[20] = 44;
	assert_int_equal(kind_of(&b), SOURCE_IPV6);
}

static void test_bad_options(void **state)
{
	static const uint8_t sizes[] = {0, 2, 3, 255};
	struct source source;
	struct bytes b;

	for (size_t i = 0; i < sizeof(sizes); i++) {
		make_icmpv6(&b, 135, 0, 2);
		b.data[79] = sizes[i];
		source_parse(b.data, b.size, &source);
		assert_true(source.has_other_mac);
	}
	make_icmpv6(&b, 135, 0, 2);
	b.data[78] = 14; // Another option may have any size that fits.
	b.data[79] = 2;
	source_parse(b.data, b.size, &source);
	assert_false(source.has_other_mac);
}

static void test_dhcp(void **state)
{
	struct source source;
	struct bytes b;
	uint8_t ip[20] = {0x45, [9] = 17};
	const uint8_t udp[8] = {0, 68, 0, 67};

	begin(&b, 0x0800);
	add(&b, ip, sizeof(ip));
	add(&b, udp, sizeof(udp));
	source_parse(b.data, b.size, &source);
	assert_int_equal(source.kind, SOURCE_IPV4);
	assert_true(source.may_lack);
	source_parse(b.data, b.size - 5, &source);
	assert_false(source.may_lack); // The ports are not seen.
	b.data[14] = 0x46;
	source_parse(b.data, b.size, &source);
	assert_false(source.may_lack);
	b.data[14] = 0x45;
	b.data[21] = 1; // A fragment.
	source_parse(b.data, b.size, &source);
	assert_false(source.may_lack);
}

static void test_others(void **state)
{
	static const uint8_t snap[] = {0xaa, 0xaa, 3, 0, 0, 0, 8, 6};
	struct bytes b;

	begin(&b, 8);
	add(&b, snap, sizeof(snap));
	assert_int_equal(kind_of(&b), SOURCE_SNAP);
	b.data[14] = 0x42;
	assert_int_equal(kind_of(&b), SOURCE_OTHER);
	begin(&b, 0x88b5);
	assert_int_equal(kind_of(&b), SOURCE_OTHER);
	begin(&b, 0x0800);
	assert_int_equal(kind_of(&b), SOURCE_SHORT);
	begin(&b, 0x86dd);
	assert_int_equal(kind_of(&b), SOURCE_SHORT);
	begin(&b, 0x8100);
	assert_int_equal(kind_of(&b), SOURCE_HIDDEN);
}

static bool needs_more(const struct bytes *b, uint32_t seen)
{
	const struct frame frame = {
		.head = b->data,
		.size = b->size,
		.head_size = (uint16_t)(seen < b->size ? seen : b->size),
	};
	return source_needs_more(&frame);
}

// Only of what may be Neighbor Discovery.
static void test_needs_more(void **state)
{
	struct bytes b;

	make_icmpv6(&b, 136, 0, 1);
	assert_true(needs_more(&b, 64));
	assert_false(needs_more(&b, 86));
	add_tags(&b, 4);
	assert_true(needs_more(&b, 64));
	make_icmpv6(&b, 128, 0, 1);
	assert_false(needs_more(&b, 64));
	make_icmpv6(&b, 128, 1, 1);
	assert_true(needs_more(&b, 64));
	b.data[20] = 6;
	assert_false(needs_more(&b, 64));
	begin(&b, 0x0800);
	b.size = 1500;
	assert_false(needs_more(&b, 64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_nd),
		cmocka_unit_test(test_nd_in_fragments),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_dhcp),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_needs_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
