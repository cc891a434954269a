// SPDX-License-Identifier: BSD-3-Clause
// Two front ends and the back end between them, against a model: random frames, layouts, receive buffers
// and rings. What the model expects arrives, whole and in order; what is dropped is what the model drops.
// RINGWAY_TEST_FRAMES frames altogether, RINGWAY_TEST_SEED for a run again.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_DEFAULT 200000
#define FRAMES_A_ROUND 2000

// First in, first out; as many as two rings can hold.
#define FIFO_SIZE 4096
struct item {
	uint64_t number;
	uint32_t size; // Of a frame, or of a receive buffer.
	uint32_t buffers;
	enum vring_drop drop; // What the model says happens to the chain at the take.
};
struct fifo {
	uint32_t head;
	uint32_t tail;
	struct item item[FIFO_SIZE];
};

static void fifo_put(struct fifo *fifo, struct item item)
{
	assert_true(fifo->head - fifo->tail < FIFO_SIZE);
	fifo->item[fifo->head++ % FIFO_SIZE] = item;
}

static uint32_t fifo_count(const struct fifo *fifo)
{
	return fifo->head - fifo->tail;
}

static struct item *fifo_at(struct fifo *fifo, uint32_t i)
{
	assert_true(i < fifo_count(fifo));
	return &fifo->item[(fifo->tail + i) % FIFO_SIZE];
}

static struct item fifo_get(struct fifo *fifo)
{
	struct item item = *fifo_at(fifo, 0);
	fifo->tail++;
	return item;
}

struct flow {
	struct bench *a; // Sends.
	struct bench *b; // Receives.
	struct drv_random random;
	uint64_t next_number;
	uint64_t next_tag;
	struct fifo sent;      // Chains that a made available and the back end did not take yet.
	struct fifo offered;   // b's chains that the model did not use yet.
	struct fifo in_flight; // a's chains, taken and not collected yet.
	struct fifo expected;  // Frames that b must collect.
	bool any_layout;       // b's buffers are of any layout, and then not small.
	uint32_t room_max;
	uint64_t good;
	uint64_t arrived;
	uint64_t drops[VRING_DROP_COUNT];	// By the back end.
	uint64_t model_drops[VRING_DROP_COUNT]; // By the model.
	uint8_t bytes[12 + FRAME_SIZE_MAX + 1];
	uint8_t frame[12 + FRAME_SIZE_MAX];
};

static uint32_t below(struct flow *flow, uint32_t limit)
{
	return drv_random_below(&flow->random, limit);
}

static uint32_t random_frame_size(struct flow *flow)
{
	static const uint32_t most[] = {128, 128, 128, 1600, 1600, 9000, FRAME_SIZE_MAX};
	uint32_t limit = below(flow, 16) ? most[below(flow, 6)] : most[6];
	uint32_t size = FRAME_SIZE_MIN + below(flow, limit - FRAME_SIZE_MIN + 1);
	// The ends now and then.
	return below(flow, 500) ? size : below(flow, 2) ? FRAME_SIZE_MIN : FRAME_SIZE_MAX;
}

static void random_layout(
	struct flow *flow,
	const struct bench *bench,
	uint32_t size,
	struct drv_layout *ret_layout
)
{
	uint32_t shape = below(flow, DRV_SHAPE_COUNT);

	if (size < 64)
		shape = DRV_SHAPE_ONE;
	if (shape == DRV_SHAPE_MIXED || shape == DRV_SHAPE_INDIRECT)
		shape = bench->back.indirect ? shape : DRV_SHAPE_CUTS;
	drv_layout_make(ret_layout, shape, bench->back.header_size, size, &flow->random);
	uint32_t descs = ret_layout->direct + (ret_layout->direct < ret_layout->count);
	if (descs > bench->front->size)
		*ret_layout = drv_layout_one(size);
}

static void send_some(struct flow *flow)
{
	uint32_t header = flow->a->back.header_size;
	uint32_t count = below(flow, 2 * FRAME_BURST_MAX);
	struct drv_layout layout;

	for (uint32_t i = 0; i < count; i++) {
		struct item item = {.number = flow->next_number, .size = random_frame_size(flow)};
		if (below(flow, 100) == 0) {
			item.drop = below(flow, 4) ? VRING_DROP_SHORT : VRING_DROP_LONG;
			item.size = item.drop == VRING_DROP_LONG ? FRAME_SIZE_MAX + 1
								 : below(flow, FRAME_SIZE_MIN);
		}
		memset(flow->bytes, 0, header);
		bench_fill(flow->bytes + header, item.size, item.number);
		random_layout(flow, flow->a, header + item.size, &layout);
		if (!drv_ring_post(flow->a->front, &layout, flow->bytes, item.number))
			return;
		fifo_put(&flow->sent, item);
		flow->next_number++;
		flow->good += item.drop == VRING_DROP_NONE;
	}
}

static void offer_some(struct flow *flow)
{
	uint32_t count = below(flow, 2 * FRAME_BURST_MAX);
	struct drv_layout layout;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t least = flow->any_layout ? 4096 : 256;
		struct item item = {.number = flow->next_tag};
		item.size = least + below(flow, flow->room_max - least + 1);
		layout = drv_layout_one(item.size);
		if (flow->any_layout)
			random_layout(flow, flow->b, item.size, &layout);
		if (!drv_ring_post(flow->b->front, &layout, NULL, item.number))
			return;
		fifo_put(&flow->offered, item);
		flow->next_tag++;
	}
}

// What has to happen to a frame of `size` bytes, given what b has offered.
static enum vring_drop model_deliver(struct flow *flow, uint32_t size, uint32_t *ret_buffers)
{
	uint32_t need = size + flow->b->back.header_size;
	uint32_t available = fifo_count(&flow->offered);
	uint32_t buffers = 0;
	uint64_t room = 0;

	if (available == 0)
		return VRING_DROP_FULL;
	if (!flow->b->back.mergeable && fifo_at(&flow->offered, 0)->size < need)
		return VRING_DROP_BUFFER;
	while (room < need && buffers < available)
		room += fifo_at(&flow->offered, buffers++)->size;
	if (room < need)
		return VRING_DROP_FULL;
	*ret_buffers = buffers;
	return VRING_DROP_NONE;
}

static void model_one(struct flow *flow, struct item frame, enum vring_drop found)
{
	uint32_t buffers = 0;
	enum vring_drop want = model_deliver(flow, frame.size, &buffers);

	if (want != found)
		fail_msg(
			"frame %lu of %u bytes: drop %d, not %d",
			(unsigned long)frame.number,
			frame.size,
			found,
			want
		);
	flow->model_drops[want]++;
	if (want != VRING_DROP_NONE)
		return;
	flow->offered.tail += buffers;
	frame.buffers = buffers;
	fifo_put(&flow->expected, frame);
}

// Delivers a burst as the switch does: skips what does not fit, gives up when the ring is full.
static void deliver_burst(struct flow *flow, const struct item *items)
{
	const struct frame *frames[FRAME_BURST_MAX];
	const struct frame_burst *burst = &flow->a->burst;
	uint32_t done = 0;

	for (uint32_t i = 0; i < burst->count; i++)
		frames[i] = &burst->frame[i];
	while (done < burst->count) {
		enum vring_drop drop;
		uint32_t some =
			vring_deliver(&flow->b->back, frames + done, burst->count - done, &drop);
		for (; some; some--)
			model_one(flow, items[done++], VRING_DROP_NONE);
		if (drop == VRING_DROP_NONE)
			continue;
		model_one(flow, items[done++], drop);
		flow->drops[drop]++;
		if (drop == VRING_DROP_FULL) {
			flow->drops[drop] += burst->count - done;
			flow->model_drops[drop] += burst->count - done;
			return;
		}
	}
}

static void move_burst(struct flow *flow)
{
	struct item items[FRAME_BURST_MAX];
	struct bench *a = flow->a;
	uint32_t max = 1 + below(flow, FRAME_BURST_MAX);
	uint32_t chains = fifo_count(&flow->sent);
	uint32_t count = 0;

	vring_take(&a->back, &a->burst, max, flow->drops);
	assert_int_equal(a->back.taken_count, chains < max ? chains : max);
	for (uint32_t i = 0; i < a->back.taken_count; i++) {
		struct item item = fifo_get(&flow->sent);
		fifo_put(&flow->in_flight, item);
		if (item.drop != VRING_DROP_NONE) {
			flow->model_drops[item.drop]++;
			continue;
		}
		assert_true(count < a->burst.count);
		assert_int_equal(a->burst.frame[count].size, item.size);
		items[count++] = item;
	}
	assert_int_equal(count, a->burst.count);
	deliver_burst(flow, items);
	vring_show(&flow->b->back);
	vring_complete(&a->back);
	assert_int_equal(a->back.fault, VRING_FAULT_NONE);
	assert_int_equal(flow->b->back.fault, VRING_FAULT_NONE);
}

static void collect_sent(struct flow *flow)
{
	struct bench *a = flow->a;

	while (drv_ring_collect(a->front, &a->used)) {
		assert_int_equal(a->used.tag, fifo_get(&flow->in_flight).number);
		assert_int_equal(a->used.size, 0);
	}
	assert_int_equal(fifo_count(&flow->in_flight), 0);
}

// virtio 1.1, 5.1.6.4: header, then the frame, over num_buffers buffers, all but the last full.
static void collect_frame(struct flow *flow, struct item frame)
{
	struct bench *b = flow->b;
	uint32_t header = b->back.header_size;
	uint8_t want[12] = {0};
	uint32_t at = 0;

	for (uint32_t i = 0; i < frame.buffers; i++) {
		assert_true(drv_ring_collect(b->front, &b->used));
		if (i + 1 < frame.buffers)
			assert_int_equal(b->used.size, b->used.room);
		assert_true(at + b->used.size <= sizeof(flow->frame));
		memcpy(flow->frame + at, b->space, b->used.size);
		at += b->used.size;
	}
	want[10] = (uint8_t)frame.buffers;
	want[11] = (uint8_t)(frame.buffers >> 8);
	assert_int_equal(at, header + frame.size);
	assert_memory_equal(flow->frame, want, header);
	bench_expect(flow->frame + header, frame.size, frame.number);
	flow->arrived++;
}

static void collect_received(struct flow *flow)
{
	while (fifo_count(&flow->expected))
		collect_frame(flow, fifo_get(&flow->expected));
	assert_false(drv_ring_collect(flow->b->front, &flow->b->used));
}

static void flow_check(const struct flow *flow)
{
	drv_ring_check(flow->a->front);
	drv_ring_check(flow->b->front);
}

static struct bench *random_bench(struct flow *flow)
{
	uint16_t base = (uint16_t)drv_random_next(&flow->random);
	struct bench *bench = bench_new(2u << below(flow, 10), base);

	bench->back.indirect = below(flow, 2);
	bench->back.header_size = below(flow, 4) ? 12 : 10;
	return bench;
}

static void run_round(struct flow *flow, uint64_t count)
{
	flow->a = random_bench(flow);
	flow->b = random_bench(flow);
	flow->b->back.mergeable = flow->b->back.header_size == 12 && below(flow, 2);
	flow->any_layout = below(flow, 2);
	flow->room_max = below(flow, 2) ? 12 + FRAME_SIZE_MAX : 4096;
	for (uint64_t end = flow->next_number + count; flow->next_number < end;) {
		if (below(flow, 4))
			offer_some(flow);
		send_some(flow);
		move_burst(flow);
		if (below(flow, 3))
			collect_sent(flow);
		if (below(flow, 3)) {
			collect_received(flow);
			flow_check(flow);
		}
	}
	while (fifo_count(&flow->sent))
		move_burst(flow);
	collect_sent(flow);
	collect_received(flow);
	flow->offered.tail = flow->offered.head;
	bench_free(flow->a);
	bench_free(flow->b);
}

static void test_flow(void **state)
{
	const char *text = getenv("RINGWAY_TEST_FRAMES");
	uint64_t total = text ? strtoull(text, NULL, 0) : FRAMES_DEFAULT;
	struct flow *flow = calloc(1, sizeof(*flow));

	assert_non_null(flow);
	assert_true(total > 0);
	flow->random = drv_random_seeded();
	while (flow->next_number < total) {
		uint64_t left = total - flow->next_number;
		run_round(flow, left < FRAMES_A_ROUND ? left : FRAMES_A_ROUND);
	}
	for (unsigned int i = 1; i < VRING_DROP_COUNT; i++)
		assert_int_equal(flow->drops[i], flow->model_drops[i]);
	uint64_t lost = flow->drops[VRING_DROP_FULL] + flow->drops[VRING_DROP_BUFFER];
	printf("%lu frames, %lu arrived, %lu found no room\n",
	       (unsigned long)flow->good,
	       (unsigned long)flow->arrived,
	       (unsigned long)lost);
	assert_int_equal(flow->arrived + lost, flow->good);
	// Were nearly all of them dropped, the test would show little.
	if (total >= FRAMES_DEFAULT)
		assert_true(flow->arrived > flow->good / 4);
	free(flow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_flow)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
