// SPDX-License-Identifier: BSD-3-Clause
// Equal flows hash alike, different ones spread over queues.
#include "packet/flow.h"
#include "packet/headers.h"
#include "tests/lib/unit.h"
#include "vring/frame.h"

#include <stdlib.h>
#include <string.h>

static uint32_t make_ipv4(uint8_t *head, uint32_t tags, uint8_t proto)
{
	uint32_t at = 12;

	memset(head, 0x11, 128);
	for (uint32_t i = 0; i < tags; i++, at += 4)
		memcpy(head + at, "\x81\0\0\1", 4);
	memcpy(head + at, "\x08\0", 2);
	head[at + 2] = 0x45;
	head[at + 8] = 0; // No fragment.
	head[at + 9] = 0;
	head[at + 11] = proto;
	return at + 2;
}

static uint32_t make_ipv6(uint8_t *head, uint8_t next)
{
	memset(head, 0x11, 128);
	memcpy(head + 12, (const uint8_t[]){0x86, 0xdd, 0x60}, 3);
	head[20] = next;
	return 14;
}

// Whether the hash sees the byte at `at`.
static bool sees(uint8_t *head, uint32_t at)
{
	uint32_t before = flow_hash(head, FRAME_HEAD_SIZE);
	head[at] ^= 0x40;
	bool differs = flow_hash(head, FRAME_HEAD_SIZE) != before;
	head[at] ^= 0x40;
	return differs;
}

static void check_seen(uint8_t *head, uint32_t from, uint32_t size, bool expected)
{
	for (uint32_t i = from; i < from + size; i++)
		if (sees(head, i) != expected)
			fail_msg("byte %u is %s", i, expected ? "not seen" : "seen");
}

static void test_ipv4_parts(void **state)
{
	uint8_t head[128];

	for (uint32_t tags = 0; tags <= 2; tags++) {
		uint32_t ip = make_ipv4(head, tags, IP_PROTO_TCP);
		check_seen(head, 0, 12, false);
		check_seen(head, ip + 1, 5, false); // Type of service, length, identification.
		check_seen(head, ip + 8, 1, false); // Time to live.
		check_seen(head, ip + 9, 1, true);
		check_seen(head, ip + 10, 2, false);
		check_seen(head, ip + 12, 12, true); // Addresses, ports.
		check_seen(head, ip + 24, 18, false);
	}
	for (uint32_t proto = 0; proto < 256; proto++) {
		uint32_t ip = make_ipv4(head, 0, (uint8_t)proto);
		bool ports =
			proto == IP_PROTO_TCP || proto == IP_PROTO_UDP || proto == IP_PROTO_SCTP;
		check_seen(head, ip + 20, 4, ports);
	}
}

// Tags and options do not make a flow another one.
static void test_same_behind_tags(void **state)
{
	uint8_t head[128];
	uint32_t hash[4];

	for (uint32_t proto = 0; proto < 256; proto++) {
		for (uint32_t tags = 0; tags <= 2; tags++) {
			make_ipv4(head, tags, (uint8_t)proto);
			hash[tags] = flow_hash(head, FRAME_HEAD_SIZE);
		}
		uint32_t ip = make_ipv4(head, 0, (uint8_t)proto);
		head[ip] = 0x46;
		hash[3] = flow_hash(head, FRAME_HEAD_SIZE);
		for (uint32_t i = 1; i < 4; i++)
			assert_int_equal(hash[i], hash[0]);
	}
}

static void test_ipv4_options(void **state)
{
	uint8_t head[128];
	uint32_t ip = make_ipv4(head, 0, IP_PROTO_UDP);

	head[ip] = 0x47;
	check_seen(head, ip + 20, 8, false);
	check_seen(head, ip + 28, 4, true);
	head[ip] = 0x4f; // Ports would be behind the head.
	check_seen(head, ip + 20, 30, false);
	check_seen(head, ip + 12, 8, true);
}

static void test_ipv6_parts(void **state)
{
	uint8_t head[128];
	uint32_t ip = make_ipv6(head, IP_PROTO_UDP);

	check_seen(head, ip + 1, 5, false); // Class, flow label, length.
	check_seen(head, ip + 6, 1, true);
	check_seen(head, ip + 7, 1, false);
	check_seen(head, ip + 8, 36, true);
	check_seen(head, ip + 44, 6, false);
}

static void test_fragments(void **state)
{
	uint8_t head[128];
	uint32_t ip = make_ipv4(head, 0, IP_PROTO_UDP);
	uint32_t hash[3];

	for (uint32_t i = 0; i < 3; i++) { // First, middle, last.
		head[ip + 6] = i < 2 ? 0x20 : 0;
		head[ip + 7] = (uint8_t)(i * 8);
		memset(head + ip + 20, (int)i, 8);
		hash[i] = flow_hash(head, FRAME_HEAD_SIZE);
	}
	assert_int_equal(hash[0], hash[1]);
	assert_int_equal(hash[0], hash[2]);
	ip = make_ipv6(head, IP_PROTO_FRAGMENT);
	head[ip + 40] = IP_PROTO_UDP;
	check_seen(head, ip + 8, 32, true);
	check_seen(head, ip + 40, 1, true);
	check_seen(head, ip + 41, 9, false);
}

static void test_other(void **state)
{
	uint8_t head[128];

	memset(head, 0x11, sizeof(head));
	memcpy(head + 12, (const uint8_t[]){0x08, 0x06}, 2);
	check_seen(head, 0, 14, true);
	check_seen(head, 14, 50, false);
	make_ipv6(head, IP_PROTO_TCP);
	head[14] = 0x40; // Not what its type says.
	check_seen(head, 0, 14, true);
}

// Any size is safe, and a private head that shows more changes nothing.
static void test_sizes(void **state)
{
	uint8_t head[128];

	make_ipv6(head, IP_PROTO_DSTOPTS);
	memset(head + 54, 0, 74);
	for (uint32_t size = 0; size <= FRAME_HEAD_SIZE; size++) {
		uint8_t *exact = malloc(size ? size : 1);
		assert_non_null(exact);
		memcpy(exact, head, size);
		assert_int_equal(flow_hash(exact, size), flow_hash(head, size));
		free(exact);
	}
	assert_int_equal(flow_hash(head, 128), flow_hash(head, FRAME_HEAD_SIZE));
}

// Flows as applications make them: one thing counts up. No queue gets more than 1.25 times its share of many flows.
static void check_spread(uint8_t *head, uint32_t at, uint32_t size)
{
	static const uint32_t queues[] = {2, 3, 4, 7, 8, 16};

	for (uint32_t q = 0; q < sizeof(queues) / sizeof(*queues); q++) {
		uint32_t count[16] = {0};
		uint32_t flows = size == 1 ? 256 : 16384;
		uint8_t before[2];
		memcpy(before, head + at, size);
		for (uint32_t i = 0; i < flows; i++) {
			head[at + size - 1] = (uint8_t)i;
			if (size == 2)
				head[at] = (uint8_t)(i >> 8);
			count[flow_hash(head, FRAME_HEAD_SIZE) % queues[q]]++;
		}
		memcpy(head + at, before, size);
		// Of few flows chance has more to say: 16 of 256 have a deviation of 4.
		uint32_t most = flows / queues[q] * (size == 1 ? 9 : 5) / 4 + 1;
		for (uint32_t i = 0; i < queues[q]; i++)
			if (count[i] > most)
				fail_msg(
					"byte %u: queue %u of %u has %u", at, i, queues[q], count[i]
				);
	}
}

static void test_spread(void **state)
{
	uint8_t head[128];
	uint32_t ip = make_ipv4(head, 0, IP_PROTO_TCP);

	for (uint32_t at = ip + 12; at < ip + 24; at += 2)
		check_spread(head, at, 2);
	check_spread(head, ip + 15, 1);
	check_spread(head, ip + 23, 1);
	ip = make_ipv6(head, IP_PROTO_UDP);
	for (uint32_t at = ip + 8; at < ip + 44; at += 2)
		check_spread(head, at, 2);
	head[12] = 0x08;
	head[13] = 0x06;
	for (uint32_t at = 0; at < 12; at += 2)
		check_spread(head, at, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_parts),
		cmocka_unit_test(test_ipv4_options),
		cmocka_unit_test(test_same_behind_tags),
		cmocka_unit_test(test_ipv6_parts),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
