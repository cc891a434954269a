// SPDX-License-Identifier: BSD-3-Clause
// Requests that are sound, and every way to make one that is not.
#include "packet/offload.h"
#include "tests/lib/unit.h"
#include "tests/unit/packet/maker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL (OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_ECN | OFFLOAD_UFO | OFFLOAD_USO)

static struct recipe tcp_recipe(uint32_t version)
{
	return (struct recipe){
		.version = version,
		.tcp_flags = 0x18,
		.gso_type = version == 6 ? FRAME_GSO_TCPV6 : FRAME_GSO_TCPV4,
		.gso_size = 1000,
		.payload = 5000,
		.seg_max = 50,
	};
}

static struct recipe udp_recipe(uint32_t version)
{
	return (struct recipe){
		.version = version,
		.udp = true,
		.gso_type = FRAME_GSO_UDP,
		.gso_size = 1480,
		.payload = 5000,
	};
}

static struct recipe datagrams_recipe(uint32_t version)
{
	struct recipe r = udp_recipe(version);

	r.gso_type = FRAME_GSO_UDP_L4;
	r.gso_size = 1000;
	return r;
}

static int judge(struct made *made, uint32_t allowed)
{
	struct offload_plan plan;
	maker_cut(made);
	return offload_judge(&made->frame, allowed, &plan);
}

// A bad request: one byte of the frame, or one field of the request, and the value that spoils it.
struct spoiled {
	const char *what;
	struct recipe recipe;
	enum {
		AT_ETHER,
		AT_IP,
		AT_L4,
		IN_FLAGS,
		IN_TYPE,
		IN_SIZE,
		IN_START,
		IN_OFFSET
	} where;
	uint32_t place;
	uint32_t value;
};

static void spoil(struct made *made, const struct spoiled *s)
{
	switch (s->where) {
	case AT_ETHER:
		made->data[s->place] = (uint8_t)s->value;
		break;
	case AT_IP:
		made->data[made->l3 + s->place] = (uint8_t)s->value;
		break;
	case AT_L4:
		made->data[made->l4 + s->place] = (uint8_t)s->value;
		break;
	case IN_FLAGS:
		made->frame.offload.flags = (uint8_t)s->value;
		break;
	case IN_TYPE:
		made->frame.offload.gso_type = (uint8_t)s->value;
		break;
	case IN_SIZE:
		made->frame.offload.gso_size = (uint16_t)s->value;
		break;
	case IN_START:
		made->frame.offload.csum_start = (uint16_t)s->value;
		break;
	case IN_OFFSET:
		made->frame.offload.csum_offset = (uint16_t)s->value;
		break;
	}
}

static void check_spoiled(const struct spoiled *cases, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct made *made = maker_make(&cases[i].recipe);
		if (judge(made, ALL))
			fail_msg("%s: refused before it was spoiled", cases[i].what);
		spoil(made, &cases[i]);
		if (judge(made, ALL) != -EINVAL)
			fail_msg("%s: not refused", cases[i].what);
		maker_free(made);
	}
}
#define CHECK_SPOILED(cases) check_spoiled(cases, sizeof(cases) / sizeof(*(cases)))

static void test_bad_tcp(void **state)
{
	const struct recipe tcp4 = tcp_recipe(4);
	const struct recipe tcp6 = tcp_recipe(6);
	const struct spoiled cases[] = {
		{"no checksum request", tcp4, IN_FLAGS, 0, 0},
		{"data valid instead", tcp4, IN_FLAGS, 0, FRAME_F_DATA_VALID},
		{"gso_size 0", tcp4, IN_SIZE, 0, 0},
		{"gso_size that makes too many", tcp4, IN_SIZE, 0, 3},
		{"unknown type 2", tcp4, IN_TYPE, 0, 2},
		{"datagrams' type", tcp4, IN_TYPE, 0, FRAME_GSO_UDP_L4},
		{"unknown type 6", tcp4, IN_TYPE, 0, 6},
		{"unknown type 0x7f", tcp4, IN_TYPE, 0, 0x7f},
		{"ECN with nothing", tcp4, IN_TYPE, 0, 0x80},
		{"UDP's type", tcp4, IN_TYPE, 0, FRAME_GSO_UDP},
		{"the other version", tcp4, IN_TYPE, 0, FRAME_GSO_TCPV6},
		{"the other version", tcp6, IN_TYPE, 0, FRAME_GSO_TCPV4},
		{"csum_start before", tcp4, IN_START, 0, 32},
		{"csum_start after", tcp4, IN_START, 0, 36},
		{"csum_start beyond", tcp4, IN_START, 0, 65535},
		{"csum_offset of UDP", tcp4, IN_OFFSET, 0, 6},
		{"csum_offset beyond", tcp6, IN_OFFSET, 0, 65535},
		{"not IP's type", tcp4, AT_ETHER, 13, 6},
		{"IP version 5", tcp4, AT_IP, 0, 0x55},
		{"short IP header", tcp4, AT_IP, 0, 0x44},
		{"IP header that hides TCP", tcp4, AT_IP, 0, 0x46},
		{"UDP", tcp4, AT_IP, 9, 17},
		{"more fragments", tcp4, AT_IP, 6, 0x20},
		{"fragment", tcp4, AT_IP, 7, 1},
		{"IP version 4 for 6", tcp6, AT_IP, 0, 0x40},
		{"no next header", tcp6, AT_IP, 6, 59},
		{"fragment header", tcp6, AT_IP, 6, 44},
		{"extension that is none", tcp6, AT_IP, 6, 60},
		{"short TCP header", tcp4, AT_L4, 12, 0x40},
		{"no TCP header", tcp6, AT_L4, 12, 0},
	};

	CHECK_SPOILED(cases);
}

static void test_bad_udp(void **state)
{
	const struct recipe udp4 = udp_recipe(4);
	struct recipe udp6 = udp_recipe(6);
	udp6.extensions = MAKER_EXT_OPTIONS;
	const struct spoiled cases[] = {
		{"gso_size 0", udp4, IN_SIZE, 0, 0},
		{"gso_size below 8", udp4, IN_SIZE, 0, 7},
		{"headers not in the first fragment", udp6, IN_SIZE, 0, 23},
		{"ECN", udp4, IN_TYPE, 0, FRAME_GSO_UDP | FRAME_GSO_ECN},
		{"csum_start", udp4, IN_START, 0, 33},
		{"csum_offset of TCP", udp4, IN_OFFSET, 0, 16},
		{"TCP", udp4, AT_IP, 9, 6},
		{"fragment", udp4, AT_IP, 7, 9},
		{"not IP's type", udp4, AT_ETHER, 12, 0x88},
	};

	CHECK_SPOILED(cases);
}

static void test_bad_datagrams(void **state)
{
	const struct recipe udp4 = datagrams_recipe(4);
	struct recipe udp6 = datagrams_recipe(6);
	udp6.extensions = MAKER_EXT_OPTIONS;
	const struct spoiled cases[] = {
		{"no checksum request", udp4, IN_FLAGS, 0, 0},
		{"data valid instead", udp6, IN_FLAGS, 0, FRAME_F_DATA_VALID},
		{"gso_size 0", udp4, IN_SIZE, 0, 0},
		{"gso_size that makes too many", udp6, IN_SIZE, 0, 3},
		{"ECN", udp4, IN_TYPE, 0, FRAME_GSO_UDP_L4 | FRAME_GSO_ECN},
		{"TCP's type", udp4, IN_TYPE, 0, FRAME_GSO_TCPV4},
		{"csum_start", udp4, IN_START, 0, 33},
		{"csum_start at IPv6", udp6, IN_START, 0, 54},
		{"csum_offset of TCP", udp4, IN_OFFSET, 0, 16},
		{"TCP", udp4, AT_IP, 9, 6},
		{"more fragments", udp4, AT_IP, 6, 0x20},
		{"fragment header", udp6, AT_IP, 6, 44},
		{"not IP's type", udp6, AT_ETHER, 12, 0x88},
		{"not IP's version", udp6, AT_IP, 0, 0x40},
	};

	CHECK_SPOILED(cases);
}

static void test_bad_checksum(void **state)
{
	struct recipe plain = {.version = 4, .payload = 100};
	struct recipe tagged = {
		.version = 6, .payload = 100, .tags = 2, .extensions = MAKER_EXT_NONE};
	const struct spoiled cases[] = {
		{"addresses", plain, IN_START, 0, 0},
		{"type", plain, IN_START, 0, 12},
		{"IP header", plain, IN_START, 0, 14},
		{"IP header's end", plain, IN_START, 0, 33},
		{"beyond the end", plain, IN_START, 0, 14 + 40 + 100 - 17},
		{"beyond the end by its offset", plain, IN_OFFSET, 0, 20 + 100 - 1},
		{"far beyond", plain, IN_START, 0, 65535},
		{"far beyond by its offset", plain, IN_OFFSET, 0, 65535},
		{"tag", tagged, IN_START, 0, 18},
		{"IPv6 header", tagged, IN_START, 0, 61},
	};

	CHECK_SPOILED(cases);
}

// Each kind of request, for each version.
static struct recipe any_recipe(uint32_t i)
{
	uint32_t version = i & 1 ? 6 : 4;

	if (i / 2 == 0)
		return tcp_recipe(version);
	return i / 2 == 1 ? udp_recipe(version) : datagrams_recipe(version);
}

// Any extra bit of a field that decides, and truncation anywhere in the headers.
static void test_truncated(void **state)
{
	for (uint32_t i = 0; i < 6; i++) {
		struct recipe r = any_recipe(i);
		r.tcp_option_words = 5;
		r.tags = i % 3;
		r.extensions = MAKER_EXT_ROUTED;
		r.gso_size = 1480;
		struct made *made = maker_make(&r);
		uint32_t headers = made->headers;
		for (; made->size >= FRAME_SIZE_MIN;
		     made->size = made->size > headers + 2 ? headers + 2 : made->size - 1)
			assert_int_equal(judge(made, ALL), made->size >= headers ? 0 : -EINVAL);
		maker_free(made);
	}
}

// Each request needs what it asks for.
static void test_allowed(void **state)
{
	struct recipe recipes[] = {
		tcp_recipe(4),
		tcp_recipe(6),
		udp_recipe(4),
		datagrams_recipe(4),
		datagrams_recipe(6),
		{.version = 4, .payload = 9},
		tcp_recipe(4),
	};
	static const uint32_t needs[] = {
		OFFLOAD_CSUM | OFFLOAD_TSO4,
		OFFLOAD_CSUM | OFFLOAD_TSO6,
		OFFLOAD_CSUM | OFFLOAD_UFO,
		OFFLOAD_CSUM | OFFLOAD_USO,
		OFFLOAD_CSUM | OFFLOAD_USO,
		OFFLOAD_CSUM,
		OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_ECN,
	};

	recipes[6].gso_type |= FRAME_GSO_ECN;
	for (uint32_t i = 0; i < sizeof(needs) / sizeof(*needs); i++) {
		struct made *made = maker_make(&recipes[i]);
		for (uint32_t allowed = 0; allowed <= ALL; allowed++) {
			int expected = needs[i] & ~allowed ? -EINVAL : 0;
			assert_int_equal(judge(made, allowed), expected);
		}
		maker_free(made);
	}
}

// A checksum that is written to the right place of a message changes nothing that was judged.
static void test_checksum_place(void **state)
{
	static const struct {
		uint16_t type;
		uint8_t proto;
		uint8_t headers; // Extension headers of 8 bytes.
		uint16_t start, offset;
		int result;
	} cases[] = {
		{0x0806, 0, 0, 14, 14, -EINVAL}, // The sender of ARP.
		{0x0806, 0, 0, 60, 0, -EINVAL},
		{0x8035, 0, 0, 60, 0, -EINVAL},
		{0x86dd, 58, 0, 54, 2, 0},
		{0x86dd, 58, 0, 54, 0, -EINVAL}, // The message's type.
		{0x86dd, 58, 0, 54, 8, -EINVAL}, // A neighbour's address.
		{0x86dd, 58, 0, 62, 2, -EINVAL},
		{0x86dd, 17, 0, 54, 6, 0},
		{0x86dd, 58, 3, 78, 2, 0},
		{0x86dd, 58, 3, 78, 0, -EINVAL},
		{0x86dd, 58, 3, 70, 0, -EINVAL}, // Which header is next.
		{0x86dd, 17, 3, 78, 6, 0},
		{0x86dd, 17, 3, 70, 0, -EINVAL},
		{0x86dd, 17, 9, 126, 6, -EINVAL}, // More than are followed.
		{0x88b5, 0, 0, 14, 0, 0},
	};
	const struct recipe r = {.version = 6, .udp = true, .payload = 200};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made *made = maker_make(&r);
		uint8_t *next = made->data + 20;
		made->data[12] = (uint8_t)(cases[i].type >> 8);
		made->data[13] = (uint8_t)cases[i].type;
		for (uint32_t j = 0; j < cases[i].headers; j++) {
			*next = 60;
			next = made->data + 54 + (size_t)8 * j;
			next[1] = 0;
		}
		*next = cases[i].proto;
		maker_cut(made);
		made->frame.offload = (struct frame_offload){
			.flags = FRAME_F_NEEDS_CSUM,
			.csum_start = cases[i].start,
			.csum_offset = cases[i].offset,
		};
		if (judge(made, ALL) != cases[i].result)
			fail_msg("case %zu is judged wrong", i);
		maker_free(made);
	}
}

// The plan: no larger than what goes on the wire, and a request that the next one can trust.
static void test_plan(void **state)
{
	struct recipe r = tcp_recipe(6);
	struct offload_plan plan;

	r.gso_type |= FRAME_GSO_ECN;
	struct made *made = maker_make(&r);
	made->frame.offload.flags = 0xff;
	made->frame.offload.hdr_len = 9;
	assert_int_equal(offload_judge(&made->frame, ALL, &plan), 0);
	assert_int_equal(plan.needs, OFFLOAD_CSUM | OFFLOAD_TSO6 | OFFLOAD_ECN);
	assert_int_equal(plan.headers, 74);
	assert_int_equal(plan.wire_size, 1074);
	assert_int_equal(plan.offload.flags, FRAME_F_NEEDS_CSUM);
	assert_int_equal(plan.offload.gso_type, FRAME_GSO_TCPV6 | FRAME_GSO_ECN);
	assert_int_equal(plan.offload.gso_size, 1000);
	assert_int_equal(plan.offload.hdr_len, 74);
	assert_int_equal(plan.offload.csum_start, 54);
	assert_int_equal(plan.offload.csum_offset, 16);
	maker_free(made);
}

// What a driver must not say to a device, and what it says of nothing, does not travel.
static void test_plan_of_nothing(void **state)
{
	static const struct frame_offload none;
	struct recipe r = {.version = 4, .payload = 100};
	struct made *made = maker_make(&r);
	struct offload_plan plan;

	made->frame.offload = (struct frame_offload){0xfe, 0, 1, 2, 3, 4};
	assert_int_equal(offload_judge(&made->frame, 0, &plan), 0);
	assert_int_equal(plan.needs, 0);
	assert_int_equal(plan.wire_size, made->size);
	assert_memory_equal(&plan.offload, &none, sizeof(none));
	// A checksum alone: no trace of segmentation.
	made->frame.offload = (struct frame_offload){0xff, 0, 1, 2, 34, 16};
	assert_int_equal(offload_judge(&made->frame, OFFLOAD_CSUM, &plan), 0);
	assert_int_equal(plan.offload.flags, FRAME_F_NEEDS_CSUM);
	assert_int_equal(plan.offload.hdr_len | plan.offload.gso_size, 0);
	assert_int_equal(plan.headers, 0);
	maker_free(made);
}

static void test_plan_of_udp(void **state)
{
	struct recipe r = udp_recipe(6);
	struct offload_plan plan;

	r.gso_size = 1455; // Fragments are multiples of 8.
	struct made *made = maker_make(&r);
	assert_int_equal(offload_judge(&made->frame, ALL, &plan), 0);
	assert_int_equal(plan.wire_size, 14 + 40 + 8 + 1448);
	made->frame.offload.gso_size = 5008;
	assert_int_equal(offload_judge(&made->frame, ALL, &plan), 0);
	assert_int_equal(plan.wire_size, made->size);
	maker_free(made);
}

static void test_plan_of_datagrams(void **state)
{
	struct recipe r = datagrams_recipe(6);
	struct offload_plan plan;

	struct made *made = maker_make(&r);
	made->frame.offload.hdr_len = 9;
	assert_int_equal(offload_judge(&made->frame, ALL, &plan), 0);
	assert_int_equal(plan.needs, OFFLOAD_CSUM | OFFLOAD_USO);
	assert_int_equal(plan.headers, 62);
	assert_int_equal(plan.wire_size, 1062);
	assert_int_equal(plan.offload.gso_type, FRAME_GSO_UDP_L4);
	assert_int_equal(plan.offload.gso_size, 1000);
	assert_int_equal(plan.offload.hdr_len, 62);
	assert_int_equal(plan.offload.csum_start, 54);
	assert_int_equal(plan.offload.csum_offset, 6);
	made->frame.offload.gso_size = 5001; // One datagram.
	assert_int_equal(offload_judge(&made->frame, ALL, &plan), 0);
	assert_int_equal(plan.wire_size, made->size);
	maker_free(made);
}

// More than IP's length can say.
static void test_too_long(void **state)
{
	for (uint32_t version = 4; version <= 6; version += 2) {
		struct recipe r = tcp_recipe(version);
		r.payload = 65535 - 20 - (version == 4 ? 20 : 0);
		r.seg_max = 0;
		struct made *made = maker_make(&r);
		assert_int_equal(judge(made, ALL), 0);
		made->size++;
		assert_int_equal(judge(made, ALL), -EINVAL);
		maker_free(made);
	}
}

// OFFLOAD_SEGMENTS_MAX, and not one more.
static void test_segments_max(void **state)
{
	struct recipe r = tcp_recipe(4);

	r.gso_size = 4;
	r.payload = 4 * OFFLOAD_SEGMENTS_MAX;
	struct made *made = maker_make(&r);
	assert_int_equal(judge(made, ALL), 0);
	made->size++;
	assert_int_equal(judge(made, ALL), -EINVAL);
	maker_free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_tcp),
		cmocka_unit_test(test_bad_udp),
		cmocka_unit_test(test_bad_datagrams),
		cmocka_unit_test(test_bad_checksum),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_checksum_place),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_of_nothing),
		cmocka_unit_test(test_plan_of_udp),
		cmocka_unit_test(test_plan_of_datagrams),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_segments_max),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
