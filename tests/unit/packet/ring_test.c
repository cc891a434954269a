// SPDX-License-Identifier: BSD-3-Clause
// What a split makes, delivered into receive rings: the front end reads exactly the frame, whatever its head's size
// and its buffers' are, and the header asks for what was left to it.
#include "packet/offload.h"
#include "tests/lib/unit.h"
#include "tests/unit/packet/maker.h"
#include "tests/unit/vring/bench.h"

#include <stdlib.h>
#include <string.h>

#define ALL (OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_ECN | OFFLOAD_UFO | OFFLOAD_USO)

// Collects a frame that may lie in several buffers; the virtio-net header in front.
static uint32_t collect(struct bench *bench, uint8_t *bytes)
{
	uint32_t size = 0;
	uint32_t buffers = 1;

	for (uint32_t i = 0; i < buffers; i++) {
		assert_true(drv_ring_collect(bench->front, &bench->used));
		memcpy(bytes + size, bench->space, bench->used.size);
		size += bench->used.size;
		if (!i)
			buffers = bytes[10] | (uint32_t)bytes[11] << 8;
	}
	return size;
}

static void check_delivered(struct bench *bench, const struct frame *frame)
{
	uint8_t *bytes = malloc(FRAME_SIZE_MAX + 12);
	uint8_t *flat = maker_flatten(frame);
	enum vring_drop drop;

	assert_non_null(bytes);
	assert_int_equal(vring_deliver(&bench->back, &frame, 1, &drop), 1);
	vring_show(&bench->back);
	assert_int_equal(collect(bench, bytes), frame->size + 12);
	assert_memory_equal(bytes, &frame->offload, 10);
	assert_memory_equal(bytes + 12, flat, frame->size);
	free(flat);
	free(bytes);
}

static void check_ring(
	struct offload_split *split,
	const struct made *made,
	uint32_t room,
	uint32_t accepted
)
{
	struct bench *bench = bench_new(64, 0);
	const struct frame *frames[FRAME_BURST_MAX];
	struct offload_plan plan;
	uint32_t count;

	bench->back.mergeable = true;
	assert_int_equal(offload_judge(&made->frame, ALL, &plan), 0);
	offload_split_begin(split, &made->frame, &plan, accepted);
	while ((count = offload_split_next(split, frames)))
		for (uint32_t i = 0; i < count; i++) {
			for (uint32_t size = 0; size < frames[i]->size + 12; size += room)
				bench_offer(bench, room, 0);
			check_delivered(bench, frames[i]);
		}
	bench_free(bench);
}

// Heads of less than, exactly and more than FRAME_HEAD_SIZE bytes; buffers for a frame, and for parts of one.
static void test_rings(void **state)
{
	static const uint32_t rooms[] = {2000, 300, 70};
	struct offload_split *split = offload_split_new();

	assert_non_null(split);
	for (uint32_t i = 0; i < 11 * 2 * 3; i++) {
		struct recipe r = {
			.version = i % 2 ? 6 : 4,
			.tcp_option_words = i / 2 % 11,
			.payload = 4000 + i,
			.seg_max = i % 4 * 100,
			.gso_size = 1400,
		};
		r.gso_type = r.version == 6 ? FRAME_GSO_TCPV6 : FRAME_GSO_TCPV4;
		struct made *made = maker_make(&r);
		check_ring(split, made, rooms[i / 22], 0);
		check_ring(split, made, rooms[i / 22], OFFLOAD_CSUM);
		maker_free(made);
		r.udp = true;
		r.gso_type = i % 3 ? FRAME_GSO_UDP : 0;
		r.payload = i % 3 ? r.payload : 9 + i;
		made = maker_make(&r);
		check_ring(split, made, rooms[i / 22], 0);
		maker_free(made);
		r.gso_type = FRAME_GSO_UDP_L4;
		r.payload = 4000 + i;
		made = maker_make(&r);
		check_ring(split, made, rooms[i / 22], 0);
		check_ring(split, made, rooms[i / 22], OFFLOAD_CSUM);
		maker_free(made);
	}
	offload_split_free(split);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
