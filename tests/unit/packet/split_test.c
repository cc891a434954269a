// SPDX-License-Identifier: BSD-3-Clause
// What a split makes of requests of all kinds, against an oracle that shares no code with it.
#include "packet/offload.h"
#include "tests/lib/unit.h"
#include "tests/unit/packet/maker.h"
#include "tests/unit/packet/oracle.h"

#include <stdlib.h>
#include <string.h>

static struct offload_split *split;

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static void check_recipe(const struct recipe *recipe, uint32_t accepted)
{
	struct made *made = maker_make(recipe);
	oracle_check_split(split, made, accepted);
	maker_free(made);
}

// Tags, IP versions, all kinds of headers, segments; with the checksum done here and left to the receiver.
static void test_tcp_headers(void **state)
{
	for (uint32_t i = 0; i < 3 * 2 * 11 * 11; i++) {
		struct recipe r = {
			.tags = i % 3,
			.version = i / 3 % 2 ? 6 : 4,
			.ip_option_words = i / 6 % 11,
			.extensions = i / 6 % MAKER_EXT_COUNT,
			.tcp_option_words = i / 66 % 11,
			.tcp_flags = 0xff,
			.sequence = 0xfffffff0,
			.payload = 1 + (uint32_t)random() % 6000,
			.ip_id = 0xfffe,
			.seg_max = random() & 1 ? 200 : 0,
			.gso_size = (uint16_t)(536 + random() % 1000),
		};
		r.gso_type = r.version == 6 ? FRAME_GSO_TCPV6 : FRAME_GSO_TCPV4;
		check_recipe(&r, 0);
		check_recipe(&r, OFFLOAD_CSUM);
	}
}

static struct recipe tcp_recipe(uint32_t version)
{
	return (struct recipe){
		.version = version,
		.tcp_option_words = 3,
		.tcp_flags = 0x18,
		.sequence = 1,
		.gso_type = version == 6 ? FRAME_GSO_TCPV6 : FRAME_GSO_TCPV4,
		.gso_size = 1448,
		.payload = 10000,
	};
}

// Payloads around multiples of the segment's size, and sizes of it odd and even.
static void test_tcp_sizes(void **state)
{
	static const uint16_t sizes[] = {1, 7, 10, 11, 48, 535, 1448, 8960, 65535};

	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (uint32_t payload = 0; payload < 40; payload++) {
			struct recipe r = tcp_recipe(payload & 1 ? 6 : 4);
			r.gso_size = sizes[i];
			r.payload =
				sizes[i] > 20000 ? payload : payload / 10 * sizes[i] + payload % 10;
			r.seg_max = payload % 3 * 7;
			check_recipe(&r, payload & 2 ? OFFLOAD_CSUM : 0);
		}
	}
}

// As large as IP can be, whole and in the smallest pieces.
static void test_tcp_largest(void **state)
{
	for (uint32_t version = 4; version <= 6; version += 2) {
		struct recipe r = tcp_recipe(version);
		r.tags = 2;
		r.payload = 65535 - 32 - (version == 4 ? 20 : 0);
		r.seg_max = 300;
		check_recipe(&r, 0);
		r.gso_size = 48;
		check_recipe(&r, OFFLOAD_CSUM);
		r.seg_max = 0;
		check_recipe(&r, 0);
	}
}

// A receiver of large segments that knows nothing of ECN gets small ones.
static void test_tcp_ecn(void **state)
{
	struct recipe r = tcp_recipe(4);

	r.gso_type |= FRAME_GSO_ECN;
	r.tcp_flags = 0xd9;
	check_recipe(&r, OFFLOAD_CSUM | OFFLOAD_TSO4);
	check_recipe(&r, OFFLOAD_CSUM);
	check_recipe(&r, 0);
	// What cannot be (virtio 1.1, 5.1.3.1: segments need checksums) is served by doing more than need be.
	check_recipe(&r, OFFLOAD_TSO4 | OFFLOAD_ECN);
}

static void test_udp_headers(void **state)
{
	for (uint32_t i = 0; i < 3 * 2 * 11 * 4; i++) {
		struct recipe r = {
			.tags = i % 3,
			.version = i / 3 % 2 ? 6 : 4,
			.ip_option_words = i / 6 % 11,
			.extensions = i / 6 % MAKER_EXT_COUNT,
			.udp = true,
			.payload = 2000 + (uint32_t)random() % 6000,
			.ip_id = (uint16_t)(i & 1 ? 0 : 0xfffe),
			.seg_max = random() & 1 ? 200 : 0,
			.gso_type = FRAME_GSO_UDP,
			.gso_size = (uint16_t)(536 + random() % 1000),
			.no_checksum_request = i / 66 == 3,
		};
		check_recipe(&r, 0);
		check_recipe(&r, OFFLOAD_CSUM);
		check_recipe(&r, OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6);
	}
}

static void test_udp_sizes(void **state)
{
	for (uint32_t payload = 1; payload < 70; payload++) {
		struct recipe r = {.version = payload & 1 ? 6 : 4, .udp = true};
		r.gso_type = FRAME_GSO_UDP;
		r.gso_size = 8 + payload % 9;
		r.payload = payload < 16 ? 16 : payload;
		r.seg_max = payload % 5;
		check_recipe(&r, 0);
		r.gso_size = 1480;
		r.payload = 65535 - 8 - (r.version == 4 ? 20 : 0) - payload;
		r.seg_max = 200;
		check_recipe(&r, 0);
	}
}

// Two datagrams never share an identifier that was made here.
static void test_udp_ids(void **state)
{
	struct recipe r = {.version = 6, .udp = true, .gso_type = FRAME_GSO_UDP};
	uint32_t last = 0;

	r.gso_size = 512;
	r.payload = 1024;
	struct made *made = maker_make(&r);
	for (uint32_t i = 0; i < 100; i++) {
		const struct frame *frames[FRAME_BURST_MAX];
		struct offload_plan plan;
		assert_int_equal(offload_judge(&made->frame, ORACLE_ALL, &plan), 0);
		offload_split_begin(split, &made->frame, &plan, 0);
		assert_int_equal(offload_split_next(split, frames), 3);
		uint32_t id = get16(frames[0]->head + made->fragment_at + 4) << 16 |
			get16(frames[0]->head + made->fragment_at + 6);
		assert_true(!i || id != last);
		last = id;
	}
	maker_free(made);
}

static void test_datagram_headers(void **state)
{
	for (uint32_t i = 0; i < 3 * 2 * 11 * 4; i++) {
		struct recipe r = {
			.tags = i % 3,
			.version = i / 3 % 2 ? 6 : 4,
			.ip_option_words = i / 6 % 11,
			.extensions = i / 6 % MAKER_EXT_COUNT,
			.udp = true,
			.payload = 1 + (uint32_t)random() % 8000,
			.ip_id = (uint16_t)(i & 1 ? 0 : 0xfffe),
			.seg_max = random() & 1 ? 200 : 0,
			.gso_type = FRAME_GSO_UDP_L4,
			.gso_size = (uint16_t)(536 + random() % 1000),
		};
		check_recipe(&r, 0);
		check_recipe(&r, OFFLOAD_CSUM);
		check_recipe(&r, OFFLOAD_CSUM | OFFLOAD_UFO | OFFLOAD_TSO4);
	}
}

// Payloads around multiples of a datagram's, odd and even, none at all, and as much as IP can say.
static void test_datagram_sizes(void **state)
{
	static const uint16_t sizes[] = {1, 7, 10, 48, 535, 1472, 8972, 65507};

	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (uint32_t payload = 0; payload < 40; payload++) {
			struct recipe r = {
				.version = payload & 1 ? 6 : 4,
				.udp = true,
				.gso_type = FRAME_GSO_UDP_L4,
				.gso_size = sizes[i],
			};
			r.payload = payload / 10 * (sizes[i] % 20000) + payload % 10;
			r.seg_max = payload % 3 * 7;
			check_recipe(&r, payload & 2 ? OFFLOAD_CSUM : 0);
			r.gso_size = 48 + sizes[i] % 9000;
			r.payload = 65535 - 8 - (r.version == 4 ? 20 : 0) - payload;
			r.seg_max = 200;
			check_recipe(&r, payload & 2 ? OFFLOAD_CSUM : 0);
		}
	}
}

// A datagram whose sum comes out as zero says 0xffff: zero would be none (RFC 768), and IPv6 has none without.
static void test_datagram_sum_of_zero(void **state)
{
	for (uint32_t version = 4; version <= 6; version += 2) {
		struct recipe r = {.version = version, .udp = true, .payload = 6};
		r.gso_type = FRAME_GSO_UDP_L4;
		r.gso_size = 2;
		struct made *made = maker_make(&r);
		uint8_t *udp = made->data + made->l4;
		uint8_t alone[10];
		memcpy(alone, udp, 8);
		alone[4] = 0;
		alone[5] = 10;
		memset(alone + 6, 0, 4);
		// Of the second datagram: its two bytes make the sum of all ones.
		uint16_t rest = (uint16_t)~maker_pseudo_sum(made, alone, 10);
		udp[10] = (uint8_t)(rest >> 8);
		udp[11] = (uint8_t)rest;
		maker_cut(made);
		oracle_check_split(split, made, 0);
		maker_free(made);
	}
}

// The one frame that a split with nothing to cut makes; flat.
static uint8_t *only_frame(
	const struct made *made,
	uint32_t accepted,
	const struct frame **ret_frame
)
{
	static struct offload_plan plan;
	const struct frame *frames[FRAME_BURST_MAX];

	assert_int_equal(offload_judge(&made->frame, ORACLE_ALL, &plan), 0);
	offload_split_begin(split, &made->frame, &plan, accepted);
	assert_int_equal(offload_split_next(split, frames), 1);
	uint8_t *flat = maker_flatten(frames[0]);
	*ret_frame = frames[0];
	assert_int_equal(frames[0]->size, made->size);
	assert_true(frames[0]->head_size >= (made->size < 64 ? made->size : 64));
	return flat;
}

static void check_checksum_only(struct made *made)
{
	const struct frame *frame;
	uint32_t start = made->frame.offload.csum_start;
	uint32_t field = start + made->frame.offload.csum_offset;
	uint16_t expected = (uint16_t)~maker_sum(0, made->data + start, made->size - start);
	uint8_t *flat = only_frame(made, 0, &frame);

	assert_int_equal(frame->offload.flags | frame->offload.gso_type, 0);
	assert_int_equal(frame->offload.csum_start | frame->offload.csum_offset, 0);
	if (made->frame.offload.csum_offset % 2 == 0)
		assert_int_equal(get16(flat + field), expected ? expected : 0xffff);
	memcpy(flat + field, made->data + field, 2);
	assert_memory_equal(flat, made->data, made->size);
	free(flat);
}

static void test_checksum(void **state)
{
	for (uint32_t i = 0; i < 400; i++) {
		struct recipe r = {
			.tags = i % 3,
			.version = i / 3 % 2 ? 6 : 4,
			.ip_option_words = i / 6 % 11,
			.extensions = i / 6 % MAKER_EXT_COUNT,
			.tcp_option_words = i / 7 % 11,
			.udp = i / 6 & 1,
			.payload = (uint32_t)random() % 1500,
			.seg_max = i % 4 * 20,
		};
		struct made *made = maker_make(&r);
		check_checksum_only(made);
		maker_free(made);
	}
}

// A field anywhere: across the head's end, in a segment's last byte and the next one's first, far behind.
static void test_checksum_anywhere(void **state)
{
	struct recipe r = {.version = 4, .payload = 1200, .seg_max = 90};

	for (uint32_t field = 34; field <= 1200; field += field < 300 ? 1 : 37) {
		struct made *made = maker_make(&r);
		made->frame.offload.csum_start =
			field < 100 ? 34 : (uint16_t)(field - 40 - field % 3);
		made->frame.offload.csum_offset =
			(uint16_t)(field - made->frame.offload.csum_start);
		check_checksum_only(made);
		maker_free(made);
	}
}

// Not IP, no tags.
static void test_checksum_not_ip(void **state)
{
	struct recipe r = {.version = 4, .payload = 100};
	struct made *made = maker_make(&r);

	made->data[12] = 0x88;
	made->data[13] = 0xb5;
	maker_cut(made);
	made->frame.offload.csum_start = 14;
	made->frame.offload.csum_offset = 0;
	check_checksum_only(made);
	maker_free(made);
}

// A sum of zero says "none" in UDP and is sent as ones.
static void test_checksum_zero(void **state)
{
	struct recipe r = {.version = 4, .udp = true, .payload = 2};
	struct made *made = maker_make(&r);
	const struct frame *frame;

	memset(made->data + made->headers, 0, 2);
	uint16_t sum = maker_sum(0, made->data + made->l4, 10);
	made->data[made->headers] = (uint8_t)((uint16_t)~sum >> 8);
	made->data[made->headers + 1] = (uint8_t)~sum;
	maker_cut(made);
	assert_int_equal(maker_sum(0, made->data + made->l4, 10), 0xffff);
	uint8_t *flat = only_frame(made, 0, &frame);
	assert_int_equal(get16(flat + made->l4 + 6), 0xffff);
	free(flat);
	maker_free(made);
}

// A datagram that is one fragment stays whole.
static void test_udp_single(void **state)
{
	struct recipe r = {.version = 6, .udp = true, .gso_type = FRAME_GSO_UDP, .gso_size = 1000};
	const struct frame *frame;

	r.payload = 992;
	struct made *made = maker_make(&r);
	check_checksum_only(made);
	uint8_t *flat = only_frame(made, OFFLOAD_CSUM, &frame);
	assert_memory_equal(flat, made->data, made->size);
	assert_int_equal(frame->offload.flags, FRAME_F_NEEDS_CSUM);
	assert_int_equal(frame->offload.gso_type, FRAME_GSO_NONE);
	assert_int_equal(frame->offload.csum_start, made->l4);
	assert_int_equal(frame->offload.csum_offset, 6);
	free(flat);
	maker_free(made);
}

// A receiver that takes all gets all.
static void test_whole(void **state)
{
	struct recipe r = tcp_recipe(6);
	struct made *made = maker_make(&r);
	const struct frame *frame;
	uint8_t *flat = only_frame(made, ORACLE_ALL, &frame);

	assert_memory_equal(flat, made->data, made->size);
	assert_int_equal(frame->offload.gso_type, FRAME_GSO_TCPV6);
	assert_int_equal(frame->offload.hdr_len, made->headers);
	free(flat);
	maker_free(made);
}

// Headers that change in guest memory after they were judged stay what they were.
static void test_headers_are_private(void **state)
{
	struct recipe r = tcp_recipe(6);
	const struct frame *frames[FRAME_BURST_MAX];
	struct offload_plan plan;

	r.extensions = MAKER_EXT_ROUTED;
	struct made *made = maker_make(&r);
	struct oracle o = {.made = made, .plan = &plan};
	assert_int_equal(offload_judge(&made->frame, ORACLE_ALL, &plan), 0);
	memset(made->segs[0].addr, 0xee, made->headers);
	memset(made->head, 0xee, sizeof(made->head));
	offload_split_begin(split, &made->frame, &plan, 0);
	assert_int_equal(offload_split_next(split, frames), 7);
	for (uint32_t i = 0; i < 7; i++)
		oracle_check_frame(&o, frames[i]);
	maker_free(made);
}

static int group_setup(void **state)
{
	split = offload_split_new();
	return split ? 0 : -1;
}

static int group_teardown(void **state)
{
	offload_split_free(split);
	offload_split_free(NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_headers),
		cmocka_unit_test(test_tcp_sizes),
		cmocka_unit_test(test_tcp_largest),
		cmocka_unit_test(test_tcp_ecn),
		cmocka_unit_test(test_udp_headers),
		cmocka_unit_test(test_udp_sizes),
		cmocka_unit_test(test_udp_ids),
		cmocka_unit_test(test_udp_single),
		cmocka_unit_test(test_datagram_headers),
		cmocka_unit_test(test_datagram_sizes),
		cmocka_unit_test(test_datagram_sum_of_zero),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_checksum_anywhere),
		cmocka_unit_test(test_checksum_not_ip),
		cmocka_unit_test(test_checksum_zero),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_headers_are_private),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
