// SPDX-License-Identifier: BSD-3-Clause
// Requests in virtio-net headers on their way through (virtio 1.1, 5.1.6), and frames whose head was made in
// software.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"

#include <stdlib.h>
#include <string.h>

static const struct frame_offload asked = {
	.flags = FRAME_F_NEEDS_CSUM,
	.gso_type = FRAME_GSO_TCPV4 | FRAME_GSO_ECN,
	.hdr_len = 0x1234,
	.gso_size = 0x5678,
	.csum_start = 0x9abc,
	.csum_offset = 0xdef0,
};

// Sends frame `number` behind a header of these bytes.
static void send_with_header(struct bench *bench, enum drv_shape shape, const uint8_t header[12])
{
	uint8_t bytes[12 + 1000];
	struct drv_layout layout;
	uint32_t header_size = bench->back.header_size;

	memcpy(bytes, header, header_size);
	bench_fill(bytes + header_size, 1000, 3);
	drv_layout_make(&layout, shape, header_size, header_size + 1000, &bench->random);
	assert_true(drv_ring_post(bench->front, &layout, bytes, 3));
}

static struct bench *bench_with(bool offloads, uint8_t header_size)
{
	struct bench *bench = bench_new(64, 0);
	bench->back.offloads = offloads;
	bench->back.header_size = header_size;
	bench->back.indirect = true;
	return bench;
}

static void try_request(enum drv_shape shape, uint8_t header_size, bool offloads)
{
	static const struct frame_offload none;
	struct bench *bench = bench_with(offloads, header_size);
	const struct frame_offload *expect = offloads ? &asked : &none;
	uint8_t header[12] = {0};

	memcpy(header, &asked, sizeof(asked));
	header[10] = header[11] = 0x77; // num_buffers: ignored (virtio 1.1, 5.1.6.2.1).
	send_with_header(bench, shape, header);
	bench_take(bench, 32, 1, 1);
	assert_memory_equal(&bench->burst.frame[0].offload, expect, sizeof(*expect));
	// A private copy: what is written to the header now changes nothing.
	bench_scribble(bench, 0x5a);
	assert_memory_equal(&bench->burst.frame[0].offload, expect, sizeof(*expect));
	vring_complete(&bench->back);
	bench_free(bench);
}

static void test_request_is_read(void **state)
{
	for (uint32_t i = 0; i < 8; i++)
		for (enum drv_shape shape = 0; shape < DRV_SHAPE_COUNT; shape++)
			for (uint8_t header_size = 10; header_size <= 12; header_size += 2) {
				try_request(shape, header_size, true);
				try_request(shape, header_size, false);
			}
}

static void try_delivery(struct bench *bench, const struct frame *frame, uint32_t room)
{
	const struct frame *frames[] = {frame};
	uint32_t header_size = bench->back.header_size;
	uint32_t need = header_size + frame->size;
	uint32_t buffers = (need + room - 1) / room;
	uint8_t *whole = malloc(need);
	uint32_t at = 0;
	enum vring_drop drop;

	assert_non_null(whole);
	for (uint32_t i = 0; i < buffers; i++)
		bench_offer(bench, room, i);
	assert_int_equal(vring_deliver(&bench->back, frames, 1, &drop), 1);
	assert_int_equal(drop, VRING_DROP_NONE);
	vring_show(&bench->back);
	while (drv_ring_collect(bench->front, &bench->used)) {
		memcpy(whole + at, bench->space, bench->used.size);
		at += bench->used.size;
	}
	assert_int_equal(at, need);
	assert_memory_equal(whole, &frame->offload, 10);
	if (header_size == 12)
		assert_int_equal(whole[10] | whole[11] << 8, buffers);
	bench_expect(whole + header_size, frame->size, 5);
	free(whole);
}

static void test_request_is_delivered(void **state)
{
	for (uint8_t header_size = 10; header_size <= 12; header_size += 2)
		for (uint32_t room = 100; room <= 2000; room += 950) {
			struct bench *bench = bench_with(false, header_size);
			struct bench_frame *own = bench_frame_new(900, 5);
			bench->back.mergeable = true;
			own->frame.offload = asked;
			try_delivery(bench, &own->frame, room);
			free(own);
			bench_free(bench);
		}
}

// Heads of every size, whole frames in the head included, into one buffer and into many: the segments hold other
// bytes where the head counts.
static void try_head(uint32_t size, uint32_t head_size, uint32_t seg_count, uint32_t room)
{
	struct bench *bench = bench_with(false, 12);
	uint8_t *bytes = malloc(size);
	uint8_t *head = malloc(head_size + 1);
	struct frame_seg segs[3];
	uint32_t at = 0;

	assert_non_null(bytes);
	assert_non_null(head);
	bench_fill(bytes, size, 5);
	memcpy(head, bytes, head_size);
	memset(bytes, 0xdd, head_size);
	for (uint32_t i = 0; i < seg_count; i++) {
		uint32_t part = i + 1 == seg_count ? size - at : (size - at) / 3 + 1;
		segs[i] = (struct frame_seg){bytes + at, part};
		at += part;
	}
	struct frame frame = {
		.head = head,
		.segs = seg_count ? segs : NULL,
		.size = size,
		.head_size = (uint16_t)head_size,
		.seg_count = (uint16_t)seg_count,
		.offload = asked,
	};
	bench->back.mergeable = true;
	try_delivery(bench, &frame, room);
	free(head);
	free(bytes);
	bench_free(bench);
}

static void test_software_heads(void **state)
{
	static const uint32_t sizes[] = {14, 63, 64, 65, 200, 1514, 9000};
	static const uint32_t heads[] = {0, 14, 54, 63, 64, 65, 128, 1000, 9000};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++)
			for (uint32_t count = 0; count <= 3; count++) {
				if (heads[h] > sizes[s] || (!count && heads[h] != sizes[s]))
					continue;
				try_head(sizes[s], heads[h], count, 12 + sizes[s]);
				try_head(sizes[s], heads[h], count, 300);
			}
	try_head(65535, 65535, 0, 70000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_is_read),
		cmocka_unit_test(test_request_is_delivered),
		cmocka_unit_test(test_software_heads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
