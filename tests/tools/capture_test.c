// SPDX-License-Identifier: BSD-3-Clause
// The checker of captures: right frames of all kinds are right, and each wrong bit of what a checksum covers is found.
#include "tests/lib/unit.h"
#include "tests/tools/capture.h"
#include "tests/unit/packet/maker.h"

#include <stdlib.h>
#include <string.h>

static struct capture capture;

static bool check(const uint8_t *frame, uint32_t size)
{
	char why[160];
	uint8_t *copy =
		malloc(size ? size : 1
		); // A byte read behind it is an error to the address sanitizer.

	assert_non_null(copy);
	memcpy(copy, frame, size);
	bool is_right = capture_check(&capture, copy, size, why, sizeof(why));
	free(copy);
	return is_right;
}

static void complete(struct made *made)
{
	uint8_t *l4 = made->data + made->l4;
	uint32_t field = made->recipe.udp ? 6 : 16;

	l4[field] = l4[field + 1] = 0;
	uint16_t sum = (uint16_t)~maker_pseudo_sum(made, l4, made->size - made->l4);
	l4[field] = (uint8_t)(sum >> 8);
	l4[field + 1] = (uint8_t)sum;
}

static struct made *make(uint32_t i)
{
	struct recipe r = {
		.tags = i % 3,
		.version = i / 3 % 2 ? 6 : 4,
		.udp = i / 6 % 2,
		.ip_option_words = i / 12 % 3 * 3,
		.extensions = i / 12 % 3,
		.tcp_option_words = i % 5,
		.tcp_flags = 0x18,
		.payload = 40 + i,
	};
	struct made *made = maker_make(&r);

	complete(made);
	return made;
}

static int clear(void **state)
{
	memset(&capture, 0, sizeof(capture));
	return 0;
}

static void test_right_frames(void **state)
{
	for (uint32_t i = 0; i < 72; i++) {
		struct made *made = make(i);
		assert_true(check(made->data, made->size));
		memset(made->data + made->size, 0xee, 20); // Ethernet's padding.
		assert_true(check(made->data, made->size + 20));
		maker_free(made);
	}
	assert_int_equal(capture.frames, 144);
	assert_int_equal(capture.wrong, 0);
	assert_int_equal(capture.kinds[CAPTURE_IPV4], 72);
	assert_int_equal(capture.kinds[CAPTURE_IPV6], 72);
	assert_int_equal(capture.kinds[CAPTURE_TCP], 72);
	assert_int_equal(capture.kinds[CAPTURE_UDP], 72);
	assert_int_equal(capture.kinds[CAPTURE_TAGGED], 96);
}

static void check_bits(struct made *made, uint32_t from, uint32_t to)
{
	for (uint32_t bit = from * 8; bit < to * 8; bit++) {
		made->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (check(made->data, made->size))
			fail_msg("bit %u: not found", bit);
		made->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

// All that IPv4's header checksum, or that of the upper protocol, covers.
static void test_each_wrong_bit(void **state)
{
	for (uint32_t i = 0; i < 12; i++) {
		struct made *made = make(i);
		check_bits(made, made->recipe.version == 4 ? made->l3 : made->l4, made->size);
		assert_true(check(made->data, made->size));
		maker_free(made);
	}
}

// What a device is still to complete is wrong on the wire.
static void test_requests_are_wrong(void **state)
{
	for (uint32_t udp = 0; udp < 2; udp++) {
		struct recipe r = {.version = 4, .udp = udp, .payload = 100};
		struct made *made = maker_make(&r);
		assert_false(check(made->data, made->size));
		capture.takes_unfinished = true;
		assert_true(check(made->data, made->size));
		made->data[made->l4 + (udp ? 7 : 17)] ^= 1;
		assert_false(check(made->data, made->size));
		complete(made);
		assert_true(check(made->data, made->size));
		capture.takes_unfinished = false;
		maker_free(made);
	}
	assert_int_equal(capture.kinds[CAPTURE_UNFINISHED], 2);
	assert_int_equal(capture.wrong, 4);
}

static void test_cut_frames(void **state)
{
	for (uint32_t i = 0; i < 72; i++) {
		struct made *made = make(i);
		for (uint32_t size = made->l3; size < made->size; size++)
			assert_false(check(made->data, size));
		maker_free(made);
	}
	assert_false(check((const uint8_t[13]){0}, 13));
}

static void test_udp_without_checksum(void **state)
{
	for (uint32_t version = 4; version <= 6; version += 2) {
		struct recipe r = {.version = version, .udp = true, .payload = 30};
		struct made *made = maker_make(&r);
		memset(made->data + made->l4 + 6, 0, 2);
		assert_int_equal(check(made->data, made->size), version == 4);
		maker_free(made);
	}
	assert_int_equal(capture.kinds[CAPTURE_UNSUMMED], 1);
}

static void test_icmp(void **state)
{
	for (uint32_t version = 4; version <= 6; version += 2) {
		struct recipe r = {.version = version, .udp = true, .payload = 31};
		struct made *made = maker_make(&r);
		uint8_t *l4 = made->data + made->l4;
		uint8_t *ip = made->data + made->l3;
		uint32_t size = made->size - made->l4;
		const uint8_t rest[4] = {0, (uint8_t)size, 0, 58};
		memset(l4, 0, 8);
		l4[0] = version == 4 ? 8 : 128;
		uint16_t sum = maker_sum(0, l4, size);
		if (version == 6)
			sum = maker_sum(maker_sum(sum, ip + 8, 32), rest, 4);
		l4[2] = (uint8_t)((uint16_t)~sum >> 8);
		l4[3] = (uint8_t)~sum;
		ip[version == 4 ? 9 : 6] = version == 4 ? 1 : 58;
		if (version == 4) {
			memset(ip + 10, 0, 2);
			sum = (uint16_t)~maker_sum(0, ip, 20);
			ip[10] = (uint8_t)(sum >> 8);
			ip[11] = (uint8_t)sum;
		}
		assert_true(check(made->data, made->size));
		l4[8] ^= 1;
		assert_false(check(made->data, made->size));
		maker_free(made);
	}
	assert_int_equal(capture.kinds[CAPTURE_ICMP], 1);
	assert_int_equal(capture.kinds[CAPTURE_ICMPV6], 1);
}

// A datagram that a split cut into fragments, in any order.
static void check_fragments(uint32_t version, bool spoil)
{
	struct recipe r = {.version = version, .udp = true, .payload = 5000, .ip_id = 7};
	const struct frame *frames[FRAME_BURST_MAX];
	struct offload_split *split = offload_split_new();
	struct offload_plan plan;

	r.gso_type = FRAME_GSO_UDP;
	r.gso_size = 1000;
	struct made *made = maker_make(&r);
	assert_non_null(split);
	assert_int_equal(offload_judge(&made->frame, OFFLOAD_CSUM | OFFLOAD_UFO, &plan), 0);
	offload_split_begin(split, &made->frame, &plan, 0);
	uint32_t count = offload_split_next(split, frames);
	assert_int_equal(count, 6);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = (i * 5 + 3) % count;
		uint8_t *flat = maker_flatten(frames[at]);
		flat[frames[at]->size - 1] ^= spoil && at == 2;
		assert_int_equal(check(flat, frames[at]->size), !spoil || i + 1 < count);
		free(flat);
	}
	offload_split_free(split);
	maker_free(made);
}

static void test_fragments(void **state)
{
	check_fragments(4, false);
	check_fragments(6, false);
	assert_int_equal(capture.kinds[CAPTURE_FRAGMENT], 12);
	assert_int_equal(capture.kinds[CAPTURE_REASSEMBLED], 2);
	assert_int_equal(capture.kinds[CAPTURE_UDP], 2);
	check_fragments(4, true);
	check_fragments(6, true);
	assert_int_equal(capture.wrong, 2);
	assert_int_equal(capture_pending(&capture), 0);
}

static void test_other_frames(void **state)
{
	uint8_t frame[60] = {[12] = 0x08, [13] = 0x06};

	assert_true(check(frame, sizeof(frame)));
	frame[12] = 0x88;
	assert_true(check(frame, sizeof(frame)));
	assert_int_equal(capture.kinds[CAPTURE_ARP], 1);
	assert_int_equal(capture.kinds[CAPTURE_OTHER], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_right_frames, clear),
		cmocka_unit_test_setup(test_each_wrong_bit, clear),
		cmocka_unit_test_setup(test_requests_are_wrong, clear),
		cmocka_unit_test_setup(test_cut_frames, clear),
		cmocka_unit_test_setup(test_udp_without_checksum, clear),
		cmocka_unit_test_setup(test_icmp, clear),
		cmocka_unit_test_setup(test_fragments, clear),
		cmocka_unit_test_setup(test_other_frames, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
