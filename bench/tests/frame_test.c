// SPDX-License-Identifier: BSD-3-Clause
#include "bench/gen/gen.h"
#include "tests/lib/unit.h"

#include <string.h>

static struct port ports[4];
static uint8_t frame[GEN_FRAME_MAX];

static struct gen make_gen(uint32_t size, enum gen_pattern pattern)
{
	for (uint8_t i = 0; i < 4; i++)
		memcpy(ports[i].mac, (uint8_t[]){2, 0, 0, 0, 0, i}, GEN_MAC_SIZE);
	return (struct gen){
		.config = {.frame_size = size, .pattern = pattern, .busy = 4},
		.port_count = 4,
		.port = ports,
	};
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t sum_of(const uint8_t *data, uint32_t size)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < size; i += 2)
		sum += get16(data + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void a_frame_names_both_ports(void **state)
{
	struct gen gen = make_gen(1500, GEN_PAIRS);

	frame_fill(frame, &gen, 2, 3, 5);
	assert_memory_equal(frame, ports[3].mac, GEN_MAC_SIZE);
	assert_memory_equal(frame + GEN_MAC_SIZE, ports[2].mac, GEN_MAC_SIZE);
	assert_int_equal(get16(frame + 12), 0x0800);
	assert_int_equal(get16(frame + 16), 1486);	  // IP's total length.
	assert_int_equal(sum_of(frame + 14, 20), 0xffff); // RFC 1071
	assert_int_equal(frame[23], 17);
	assert_int_equal(get16(frame + 34), 10005);
	assert_int_equal(get16(frame + 38), 1466);
}

static void a_segment_has_the_pseudo_header_sum(void **state)
{
	struct gen gen = make_gen(GEN_FRAME_MAX, GEN_PAIRS);
	uint8_t header[10];
	uint8_t pseudo[12];

	gen.config.tso = true;
	frame_fill(frame, &gen, 0, 1, 0);
	frame_header(header, &gen);
	assert_int_equal(frame[23], 6);
	memcpy(pseudo, frame + 26, 8);
	memcpy(pseudo + 8,
	       (uint8_t[]){0, 6, (GEN_FRAME_MAX - 34) >> 8, (GEN_FRAME_MAX - 34) & 255},
	       4);
	assert_int_equal(get16(frame + 50), sum_of(pseudo, 12));
	assert_memory_equal(header, ((uint8_t[]){1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0}), 10);
}

static void without_segmentation_the_header_is_empty(void **state)
{
	struct gen gen = make_gen(64, GEN_PAIRS);
	uint8_t header[10];

	memset(header, 0xff, sizeof(header));
	frame_header(header, &gen);
	assert_memory_equal(header, (uint8_t[10]){0}, 10);
}

static void patterns_name_the_peers(void **state)
{
	struct gen gen = make_gen(64, GEN_PAIRS);

	assert_int_equal(frame_peer(&gen, 2, 0), 3);
	assert_int_equal(frame_peer(&gen, 3, 9), 2);
	gen.config.pattern = GEN_RING;
	assert_int_equal(frame_peer(&gen, 2, 0), 3);
	assert_int_equal(frame_peer(&gen, 3, 0), 0);
	gen.config.pattern = GEN_STAR;
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(frame_peer(&gen, 0, i), 1 + i % 3);
	assert_int_equal(frame_peer(&gen, 2, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_names_both_ports),
		cmocka_unit_test(a_segment_has_the_pseudo_header_sum),
		cmocka_unit_test(without_segmentation_the_header_is_empty),
		cmocka_unit_test(patterns_name_the_peers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
