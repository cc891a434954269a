// SPDX-License-Identifier: BSD-3-Clause
// Neighbour requests that are sound, every way to make one that is not, and the answers, checked byte by byte.
#include "packet/neighbor.h"
#include "tests/lib/unit.h"
#include "tests/unit/packet/maker.h"

#include <stdlib.h>
#include <string.h>

#define ARP_BYTES 42
#define ND_BYTES 86

static const uint8_t asker[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t owner[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};

// 10.1.0.10 asks for 10.1.0.11.
static const uint8_t arp_request[ARP_BYTES] = {
	255, 255, 255, 255, 255, 255, 2,  0, 0, 0,  0, 0xa, 0x08, 0x06, // Ethernet
	0,   1,	  8,   0,   6,	 4,   0,  1,				// Ethernet, IPv4, request
	2,   0,	  0,   0,   0,	 0xa, 10, 1, 0, 10,			// Sender
	0,   0,	  0,   0,   0,	 0,   10, 1, 0, 11,			// Target
};

// fd77::a asks for fd77::b:c:d; the checksum is made by put_sum().
static const uint8_t nd_request[ND_BYTES] = {
	0x33, 0x33, 0xff, 0x0c, 0,   0x0d, 2,  0,   0, 0,   0, 0xa, 0x86, 0xdd, // Ethernet
	0x60, 0,    0,	  0,	0,   32,   58, 255,				// IPv6
	0xfd, 0x77, 0,	  0,	0,   0,	   0,  0,   0, 0,   0, 0,   0,	  0,
	0,    0xa,  0xff, 0x02, 0,   0,	   0,  0,   0, 0,   0, 0,   0,	  1,
	0xff, 0x0c, 0,	  0x0d, 135, 0,	   0,  0,   0, 0,   0, 0, // Neighbour solicitation
	0xfd, 0x77, 0,	  0,	0,   0,	   0,  0,   0, 0,   0, 0xb, 0,	  0x0c,
	0,    0x0d, 1,	  1,	2,   0,	   0,  0,   0, 0xa, // Source link-layer address
};

enum {
	IP = 14,
	SOURCE = IP + 8,
	DESTINATION = IP + 24,
	ND = IP + 40,
	TARGET = ND + 8,
	OPTION = ND + 24
};

static uint16_t nd_sum(const uint8_t *bytes)
{
	uint32_t size = (uint32_t)bytes[IP + 4] << 8 | bytes[IP + 5];
	const uint8_t rest[4] = {bytes[IP + 4], bytes[IP + 5], 0, 58};

	uint16_t sum = maker_sum(maker_sum(0, bytes + SOURCE, 32), rest, 4);
	return maker_sum(sum, bytes + ND, size);
}

static void put_sum(uint8_t *bytes)
{
	bytes[ND + 2] = bytes[ND + 3] = 0;
	uint16_t sum = (uint16_t)~nd_sum(bytes);
	bytes[ND + 2] = (uint8_t)(sum >> 8);
	bytes[ND + 3] = (uint8_t)sum;
}

static void make_nd(uint8_t *bytes)
{
	memcpy(bytes, nd_request, ND_BYTES);
	put_sum(bytes);
}

// Made so that a byte read outside of `size` is an error to the address sanitizer.
static bool parse(const uint8_t *bytes, uint32_t size)
{
	struct neighbor_request request;
	uint8_t *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	bool is_request = neighbor_parse(copy, size, &request);
	free(copy);
	return is_request;
}

static void test_an_arp_request_is_answered(void **state)
{
	static const uint8_t expected[ARP_BYTES] = {
		2, 0, 0, 0, 0, 0xa, 2,	0, 0, 0,  0, 0xb, 0x08, 0x06, //
		0, 1, 8, 0, 6, 4,   0,	2,			      //
		2, 0, 0, 0, 0, 0xb, 10, 1, 0, 11,		      //
		2, 0, 0, 0, 0, 0xa, 10, 1, 0, 10,		      //
	};
	uint8_t bytes[NEIGHBOR_ANSWER_SIZE_MAX];
	struct neighbor_request request;

	assert_true(neighbor_parse(arp_request, ARP_BYTES, &request));
	assert_int_equal(request.version, 4);
	assert_memory_equal(request.target, arp_request + 38, 4);
	assert_memory_equal(request.asker_mac, asker, MAC_SIZE);
	assert_int_equal(neighbor_answer(&request, owner, bytes), ARP_BYTES);
	assert_memory_equal(bytes, expected, ARP_BYTES);
}

// RFC 5227, 2.1.1: no sender address. The answer says so to whom.
static void test_an_arp_probe_is_answered(void **state)
{
	uint8_t bytes[NEIGHBOR_ANSWER_SIZE_MAX];
	uint8_t probe[ARP_BYTES];
	struct neighbor_request request;

	memcpy(probe, arp_request, ARP_BYTES);
	memset(probe + 28, 0, 4);
	assert_true(neighbor_parse(probe, ARP_BYTES, &request));
	assert_int_equal(neighbor_answer(&request, owner, bytes), ARP_BYTES);
	assert_memory_equal(bytes + 38, probe + 28, 4);
	assert_memory_equal(bytes, asker, MAC_SIZE);
}

// Every bit of a request that decides; all others may have any value.
static void test_each_bit_of_an_arp_request(void **state)
{
	for (uint32_t bit = 0; bit < ARP_BYTES * 8; bit++) {
		uint8_t bytes[ARP_BYTES];
		uint32_t at = bit / 8;
		// Type, the kinds, operation, and the sender, which is the frame's.
		bool decides = (at >= 6 && at < 28);
		memcpy(bytes, arp_request, ARP_BYTES);
		bytes[at] ^= (uint8_t)(1u << bit % 8);
		// 10.1.0.10 and 10.1.0.11 differ in one bit: then it is an announcement.
		bool announces = memcmp(bytes + 28, bytes + 38, 4) == 0;
		if (parse(bytes, ARP_BYTES) != !(decides || announces))
			fail_msg("bit %u", bit);
	}
}

static void test_short_requests(void **state)
{
	uint8_t bytes[ND_BYTES];

	make_nd(bytes);
	for (uint32_t size = 0; size < ARP_BYTES; size++)
		assert_false(parse(arp_request, size));
	for (uint32_t size = 0; size < ND_BYTES; size++)
		assert_false(parse(bytes, size));
	assert_true(parse(bytes, ND_BYTES));
}

// What lies behind the message is Ethernet's padding.
static void test_padding_does_not_matter(void **state)
{
	uint8_t bytes[200] = {0};

	memcpy(bytes, arp_request, ARP_BYTES);
	assert_true(parse(bytes, 60));
	memset(bytes, 0xee, sizeof(bytes));
	make_nd(bytes);
	assert_true(parse(bytes, sizeof(bytes)));
}

static void check_nd_answer(const uint8_t *bytes, const uint8_t *to_mac, const uint8_t *to_ip)
{
	const uint8_t option[8] = {2, 1, 2, 0, 0, 0, 0, 0xb};

	assert_memory_equal(bytes, to_mac, MAC_SIZE);
	assert_memory_equal(bytes + 6, owner, MAC_SIZE);
	assert_memory_equal(bytes + 12, nd_request + 12, IP + 8 - 12); // Type, IPv6, the same size.
	assert_memory_equal(bytes + SOURCE, nd_request + TARGET, 16);
	assert_memory_equal(bytes + DESTINATION, to_ip, 16);
	assert_int_equal(bytes[ND], 136);
	assert_int_equal(bytes[ND + 1] | bytes[ND + 5] | bytes[ND + 6] | bytes[ND + 7], 0);
	assert_memory_equal(bytes + TARGET, nd_request + TARGET, 16);
	assert_memory_equal(bytes + OPTION, option, 8);
	assert_int_equal(nd_sum(bytes), 0xffff);
}

static void test_a_solicitation_is_answered(void **state)
{
	uint8_t bytes[ND_BYTES];
	uint8_t answer[NEIGHBOR_ANSWER_SIZE_MAX];
	struct neighbor_request request;

	make_nd(bytes);
	assert_true(neighbor_parse(bytes, ND_BYTES, &request));
	assert_int_equal(request.version, 6);
	assert_memory_equal(request.target, bytes + TARGET, 16);
	assert_int_equal(neighbor_answer(&request, owner, answer), ND_BYTES);
	check_nd_answer(answer, asker, bytes + SOURCE);
	assert_int_equal(answer[ND + 4], 0x60); // Solicited, override; no router.
}

// RFC 4862, 5.4.2: from nobody, without an option. RFC 4861, 7.2.4: to all nodes, not solicited.
static void test_a_solicitation_from_nobody_is_answered(void **state)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	static const uint8_t all_nodes_mac[MAC_SIZE] = {0x33, 0x33, 0, 0, 0, 1};
	uint8_t bytes[ND_BYTES];
	uint8_t answer[NEIGHBOR_ANSWER_SIZE_MAX];
	struct neighbor_request request;

	make_nd(bytes);
	memset(bytes + SOURCE, 0, 16);
	put_sum(bytes);
	assert_false(parse(bytes, ND_BYTES)); // It must not have the option.
	bytes[IP + 5] = 24;
	put_sum(bytes);
	assert_true(neighbor_parse(bytes, ND_BYTES - 8, &request));
	assert_int_equal(neighbor_answer(&request, owner, answer), ND_BYTES);
	check_nd_answer(answer, all_nodes_mac, all_nodes);
	assert_int_equal(answer[ND + 4], 0x20);
}

// Each bit alone: what it hits is wrong, or else the checksum is.
static void test_each_bit_of_a_solicitation(void **state)
{
	for (uint32_t bit = 0; bit < ND_BYTES * 8; bit++) {
		uint8_t bytes[ND_BYTES];
		uint32_t at = bit / 8;
		// The destination, version's lower half, traffic class and flow label.
		bool is_free = at < 6 || (at == IP && bit % 8 < 4) || (at > IP && at < IP + 4);
		make_nd(bytes);
		bytes[at] ^= (uint8_t)(1u << bit % 8);
		if (parse(bytes, ND_BYTES) != is_free)
			fail_msg("bit %u", bit);
	}
}

// The same with a right checksum.
static void test_bad_solicitations(void **state)
{
	static const struct {
		const char *what;
		uint32_t at;
		uint8_t value;
	} cases[] = {
		{"a tag", 12, 0x81},
		{"not version 6", IP, 0x50},
		{"hop-by-hop options", IP + 6, 0},
		{"hop limit 254", IP + 7, 254},
		{"from many", SOURCE, 0xff},
		{"to one", DESTINATION, 0xfd},
		{"to another group", DESTINATION + 15, 0x0e},
		{"to all nodes", DESTINATION + 12, 0},
		{"advertisement", ND, 136},
		{"router solicitation", ND, 133},
		{"code 1", ND + 1, 1},
		{"for many", TARGET, 0xff},
		{"for another one", TARGET + 13, 1},
		{"option of size 0", OPTION + 1, 0},
		{"option beyond the end", OPTION + 1, 2},
		{"another link-layer address", OPTION + 7, 0xb},
		{"another frame's source", 11, 0xb},
	};

	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[ND_BYTES];
		make_nd(bytes);
		bytes[cases[i].at] = cases[i].value;
		put_sum(bytes);
		if (parse(bytes, ND_BYTES))
			fail_msg("%s: taken for a request", cases[i].what);
	}
}

// RFC 4861, 9: options that are not known are passed over. RFC 7527's nonce is one.
static void test_other_options(void **state)
{
	static const uint8_t nonce[16] = {14, 2, 1, 2, 3, 4, 5, 6};
	uint8_t bytes[ND_BYTES + 16];

	make_nd(bytes);
	memcpy(bytes + ND_BYTES, nonce, sizeof(nonce));
	bytes[IP + 5] = 48;
	put_sum(bytes);
	assert_true(parse(bytes, sizeof(bytes)));
	bytes[ND_BYTES + 1] = 3;
	put_sum(bytes);
	assert_false(parse(bytes, sizeof(bytes)));
	bytes[ND_BYTES + 1] = 1; // Leaves 8 bytes with size 0.
	put_sum(bytes);
	assert_false(parse(bytes, sizeof(bytes)));
}

// NOLINTNEXTLINE(readability-non-const-parameter): segments are the guest's.
static bool recognize(uint8_t *bytes, uint32_t size, uint32_t seg_size, uint8_t flags)
{
	struct frame_seg segs[300];
	struct neighbor_request request;
	struct frame frame = {
		.head = bytes,
		.segs = segs,
		.size = size,
		.head_size = (uint16_t)(size < FRAME_HEAD_SIZE ? size : FRAME_HEAD_SIZE),
		.offload = {.flags = flags},
	};

	for (uint32_t at = 0; at < size; at += seg_size)
		segs[frame.seg_count++] =
			(struct frame_seg){bytes + at, size - at < seg_size ? size - at : seg_size};
	return neighbor_recognize(&frame, &request);
}

// The message lies beyond the head, in pieces.
static void test_frames(void **state)
{
	uint8_t bytes[NEIGHBOR_REQUEST_SIZE_MAX + 1] = {0};

	make_nd(bytes);
	for (uint32_t seg_size = 1; seg_size <= ND_BYTES; seg_size++)
		assert_true(recognize(bytes, ND_BYTES, seg_size, 0));
	assert_false(recognize(bytes, ND_BYTES, ND_BYTES, FRAME_F_NEEDS_CSUM));
	assert_false(recognize(bytes, ND_BYTES - 1, ND_BYTES, 0));
	assert_true(recognize(bytes, sizeof(bytes) - 1, 100, 0));
	assert_false(recognize(bytes, sizeof(bytes), 100, 0));
	memcpy(bytes, arp_request, ARP_BYTES);
	assert_true(recognize(bytes, ARP_BYTES, 10, 0));
	assert_true(recognize(bytes, 60, 60, 0));
	assert_false(recognize(bytes, ARP_BYTES - 1, 60, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_arp_request_is_answered),
		cmocka_unit_test(test_an_arp_probe_is_answered),
		cmocka_unit_test(test_each_bit_of_an_arp_request),
		cmocka_unit_test(test_short_requests),
		cmocka_unit_test(test_padding_does_not_matter),
		cmocka_unit_test(test_a_solicitation_is_answered),
		cmocka_unit_test(test_a_solicitation_from_nobody_is_answered),
		cmocka_unit_test(test_each_bit_of_a_solicitation),
		cmocka_unit_test(test_bad_solicitations),
		cmocka_unit_test(test_other_options),
		cmocka_unit_test(test_frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
