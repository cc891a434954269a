// SPDX-License-Identifier: BSD-3-Clause
// Where headers lie: tags, options, extension headers, and what is not there.
#include "packet/headers.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t at[300];
	uint32_t size;
};

static void put(struct bytes *b, const void *from, uint32_t size)
{
	memcpy(b->at + b->size, from, size);
	b->size += size;
}

#define PUT(b, ...) put(b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void put_macs(struct bytes *b)
{
	*b = (struct bytes){.size = 12};
}

static void put_ipv6(struct bytes *b, uint8_t next)
{
	uint8_t ip[40] = {0x60, [6] = next};
	put(b, ip, 40);
}

static struct headers parse(const struct bytes *b)
{
	struct headers h;
	headers_parse(b->at, b->size, &h);
	return h;
}

static void test_tags(void **state)
{
	static const uint8_t tag[2][4] = {{0x88, 0xa8, 0, 1}, {0x81, 0, 0, 2}};

	for (uint32_t tags = 0; tags <= 3; tags++) {
		struct bytes b;
		put_macs(&b);
		for (uint32_t i = 0; i < tags; i++)
			put(&b, tag[i > 0], 4);
		uint8_t ip[20] = {0x45, [9] = 6};
		PUT(&b, 8, 0);
		put(&b, ip, 20);
		struct headers h = parse(&b);
		assert_int_equal(h.version, tags < 3 ? 4 : 0);
		assert_int_equal(h.l3, 14 + 4 * (tags < 3 ? tags : 2));
		assert_int_equal(h.type, tags < 3 ? 0x0800 : 0x8100);
		assert_int_equal(h.l4, tags < 3 ? h.l3 + 20u : 0);
		// The last byte is missing.
		b.size--;
		assert_int_equal(parse(&b).version, 0);
	}
}

static void test_tag_without_type(void **state)
{
	struct bytes b;

	put_macs(&b);
	PUT(&b, 0x81, 0, 0, 1);
	assert_int_equal(parse(&b).l3, 14);
	assert_int_equal(parse(&b).type, 0x8100);
}

static void test_ipv4(void **state)
{
	for (uint32_t words = 0; words < 16; words++) {
		struct bytes b;
		uint8_t ip[60] = {(uint8_t)(0x40 | words), [9] = 17};
		put_macs(&b);
		PUT(&b, 8, 0);
		put(&b, ip, words < 5 ? 20 : words * 4);
		assert_int_equal(parse(&b).version, words < 5 ? 0 : 4);
		assert_int_equal(parse(&b).l4, words < 5 ? 0 : 14 + words * 4);
		assert_int_equal(parse(&b).proto, words < 5 ? 0 : 17);
		b.size--;
		assert_int_equal(parse(&b).version, 0);
		b.at[14] = (uint8_t)(0x60 | words);
		b.size++;
		assert_int_equal(parse(&b).version, 0);
	}
}

static void test_ipv4_fragment(void **state)
{
	static const struct {
		uint8_t bytes[2];
		bool is;
	} cases[] = {
		{{0, 0}, false},
		{{0x40, 0}, false},
		{{0x80, 0}, false},
		{{0x20, 0}, true},
		{{0, 1}, true},
		{{0x1f, 0}, true},
	};

	for (uint32_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bytes b;
		uint8_t ip[20] = {0x45, [6] = cases[i].bytes[0], [7] = cases[i].bytes[1]};
		put_macs(&b);
		PUT(&b, 8, 0);
		put(&b, ip, 20);
		assert_int_equal(parse(&b).is_fragment, cases[i].is);
	}
}

// Hop-by-hop, destination, routing, destination options, then TCP.
static void test_ipv6_extensions(void **state)
{
	struct bytes b;

	put_macs(&b);
	PUT(&b, 0x86, 0xdd);
	put_ipv6(&b, IP_PROTO_HOPOPTS);
	PUT(&b, IP_PROTO_DSTOPTS, 0, 1, 4, 0, 0, 0, 0);
	PUT(&b, IP_PROTO_ROUTING, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	PUT(&b, IP_PROTO_DSTOPTS, 0, 4, 0, 0, 0, 0, 0);
	PUT(&b, IP_PROTO_TCP, 0, 1, 4, 0, 0, 0, 0);
	struct headers h = parse(&b);
	assert_int_equal(h.version, 6);
	assert_int_equal(h.proto, IP_PROTO_TCP);
	assert_int_equal(h.l4, 54 + 40);
	assert_int_equal(h.fragment_at, 54 + 32);
	assert_int_equal(h.fragment_named_at, 54 + 24);
	assert_false(h.is_routed);
	b.at[54 + 24 + 3] = 1;
	assert_true(parse(&b).is_routed);
	// Cut anywhere: never beyond what is there.
	for (; b.size >= ETHER_SIZE; b.size--) {
		h = parse(&b);
		assert_true(h.l4 <= b.size);
		assert_true(b.size == 94 || h.proto != IP_PROTO_TCP);
	}
}

static void test_ipv6_unfragmented(void **state)
{
	struct bytes b;

	put_macs(&b);
	PUT(&b, 0x86, 0xdd);
	put_ipv6(&b, IP_PROTO_DSTOPTS);
	PUT(&b, IP_PROTO_UDP, 0, 1, 4, 0, 0, 0, 0);
	struct headers h = parse(&b);
	assert_int_equal(h.l4, 62);
	assert_int_equal(h.fragment_at, 54);
	assert_int_equal(h.fragment_named_at, 20);
}

static void test_ipv6_fragment(void **state)
{
	struct bytes b;

	put_macs(&b);
	PUT(&b, 0x86, 0xdd);
	put_ipv6(&b, IP_PROTO_FRAGMENT);
	PUT(&b, IP_PROTO_UDP, 0, 0, 8, 1, 2, 3, 4);
	struct headers h = parse(&b);
	assert_true(h.is_fragment);
	assert_int_equal(h.proto, IP_PROTO_UDP);
	assert_int_equal(h.l4, 62);
	b.size--;
	assert_true(parse(&b).is_fragment);
	assert_int_equal(parse(&b).l4, 54);
}

static void test_ipv6_long_chain(void **state)
{
	for (uint32_t count = 7; count <= 10; count++) {
		struct bytes b;
		put_macs(&b);
		PUT(&b, 0x86, 0xdd);
		put_ipv6(&b, IP_PROTO_DSTOPTS);
		for (uint32_t i = 1; i < count; i++)
			PUT(&b, IP_PROTO_DSTOPTS, 0, 1, 4, 0, 0, 0, 0);
		PUT(&b, IP_PROTO_TCP, 0, 1, 4, 0, 0, 0, 0);
		bool followed = count <= IPV6_EXTENSIONS_MAX;
		assert_int_equal(parse(&b).proto, followed ? IP_PROTO_TCP : IP_PROTO_DSTOPTS);
	}
}

// Exactly as much memory as there are bytes, so that a sanitizer sees every byte too many.
static void test_noise(void **state)
{
	for (uint32_t round = 0; round < 50000; round++) {
		uint32_t size = 14 + (uint32_t)random() % 200;
		uint8_t *data = malloc(size);
		struct headers h;
		assert_non_null(data);
		for (uint32_t i = 0; i < size; i++)
			data[i] = (uint8_t)(random() >> 8);
		data[12] = random() & 1 ? 0x08 : 0x86;
		data[13] = data[12] == 8 ? 0 : 0xdd;
		if (size > 20) {
			data[14] = data[12] == 8 ? 0x45 + (uint8_t)(random() % 11) : 0x60;
			data[20] = (uint8_t)(random() % 3 * 30); // 0, 30 or 60.
		}
		headers_parse(data, size, &h);
		assert_true(h.l3 <= size && h.l4 <= size && h.fragment_at <= h.l4);
		free(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_tag_without_type),
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv4_fragment),
		cmocka_unit_test(test_ipv6_extensions),
		cmocka_unit_test(test_ipv6_unfragmented),
		cmocka_unit_test(test_ipv6_fragment),
		cmocka_unit_test(test_ipv6_long_chain),
		cmocka_unit_test(test_noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
