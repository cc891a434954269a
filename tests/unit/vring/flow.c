// SPDX-License-Identifier: BSD-3-Clause
// The turns of a flow and what the front ends do in them. flow_switch.c moves the frames, flow_model.c knows what
// has to come out. Runs on the test's only thread.
#include "tests/unit/vring/flow.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

struct flow *flow_new(struct drv_random random)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	uint32_t pool_size = 2 * FRAME_SIZE_MAX;

	assert_non_null(flow);
	flow->random = random;
	flow->memory[0] = drv_memory_new(BENCH_ARENA);
	flow->memory[1] = drv_memory_new(BENCH_ARENA);
	flow->next_number = 1;
	flow->pool = malloc(pool_size);
	assert_non_null(flow->pool);
	for (uint32_t i = 0; i < pool_size; i++)
		flow->pool[i] = (uint8_t)drv_random_next(&flow->random);
	return flow;
}

void flow_free(struct flow *flow)
{
	for (uint32_t i = 0; i < 2; i++) {
		drv_memory_check(flow->memory[i]);
		drv_memory_free(flow->memory[i]);
	}
	free(flow->pool);
	free(flow);
}

static uint32_t random_frame_size(struct flow *flow)
{
	static const uint32_t most[] = {128, 128, 128, 256, 256, 1600, 9000, FRAME_SIZE_MAX};
	uint32_t limit = most[flow_below(flow, 8)];

	if (limit > flow->size_max)
		limit = flow->size_max;
	if (flow_below(flow, 64) == 0)
		limit = FRAME_SIZE_MAX;
	// The ends now and then.
	if (flow_below(flow, 500) == 0)
		return flow_below(flow, 2) ? FRAME_SIZE_MIN : FRAME_SIZE_MAX;
	return FRAME_SIZE_MIN + flow_below(flow, limit - FRAME_SIZE_MIN + 1);
}

static void random_layout(
	struct flow *flow,
	const struct flow_side *side,
	uint32_t size,
	struct drv_layout *ret_layout
)
{
	const struct vring_config *config = &side->config;
	uint32_t shape =
		side->shape < DRV_SHAPE_COUNT ? side->shape : flow_below(flow, DRV_SHAPE_COUNT);

	if (size < 64)
		shape = DRV_SHAPE_ONE;
	if (shape == DRV_SHAPE_MIXED && config->packed) // virtio 1.1, 2.7.7: not there.
		shape = DRV_SHAPE_INDIRECT;
	if (shape == DRV_SHAPE_MIXED || shape == DRV_SHAPE_INDIRECT)
		shape = config->indirect ? shape : DRV_SHAPE_CUTS;
	drv_layout_make(ret_layout, shape, config->header_size, size, &flow->random);
	uint32_t descs = ret_layout->direct + (ret_layout->direct < ret_layout->count);
	if (descs > config->size) {
		ret_layout->count = ret_layout->direct = 1;
		ret_layout->size[0] = size;
	}
}

// A driver that posted `some` looks whether to notify. Whoever sleeps must hear of the first of them; who wants
// to hear nothing must not where the rule leaves no choice: an event index always names some entry.
static void check_kick(struct flow_side *side, uint32_t some)
{
	bool due = drv_ring_kick_due(side->at->front);
	bool exact = side->config.packed || !side->config.event_idx;

	if (some && side->asleep && !due)
		fail_msg("a notification is lost");
	if (side->silent && exact && due)
		fail_msg("a notification is needless");
	if (some)
		side->asleep = false;
}

static void send_some(struct flow *flow)
{
	uint32_t header = flow->a.config.header_size;
	uint32_t count = flow_below(flow, 2 * FRAME_BURST_MAX);
	struct drv_layout layout;
	uint32_t done = 0;

	for (; done < count; done++) {
		struct flow_item item = {
			.number = flow->next_number,
			.size = random_frame_size(flow),
		};
		if (flow_below(flow, 100) == 0) {
			item.drop = flow_below(flow, 4) ? VRING_DROP_SHORT : VRING_DROP_LONG;
			item.size = item.drop == VRING_DROP_LONG ? FRAME_SIZE_MAX + 1
								 : flow_below(flow, FRAME_SIZE_MIN);
		}
		flow_sent_header(flow, &item, flow->bytes);
		memcpy(flow->bytes + header, flow_bytes(flow, item.number), item.size);
		random_layout(flow, &flow->a, header + item.size, &layout);
		if (!drv_ring_post(flow->a.at->front, &layout, flow->bytes, item.number))
			break;
		flow_fifo_put(&flow->sent, item);
		flow->next_number++;
		flow->good += item.drop == VRING_DROP_NONE;
	}
	check_kick(&flow->a, done);
}

static void offer_some(struct flow *flow)
{
	uint32_t count = flow_below(flow, 2 * FRAME_BURST_MAX);
	struct drv_layout layout;
	uint32_t done = 0;

	for (; done < count; done++) {
		struct flow_item item = {.number = flow->next_tag};
		item.size = flow->room_min + flow_below(flow, flow->room_max - flow->room_min + 1);
		random_layout(flow, &flow->b, item.size, &layout);
		if (!drv_ring_post(flow->b.at->front, &layout, NULL, item.number))
			break;
		flow_fifo_put(&flow->offered, item);
		flow->next_tag++;
	}
	check_kick(&flow->b, done);
}

static void collect_sent(struct flow *flow)
{
	struct bench *a = flow->a.at;

	while (drv_ring_collect(a->front, &a->used)) {
		assert_int_equal(a->used.tag, flow_fifo_get(&flow->in_flight).number);
		assert_int_equal(a->used.size, 0);
	}
	assert_int_equal(flow_fifo_count(&flow->in_flight), 0);
}

static void note_arrival(struct flow *flow, const struct flow_item *frame)
{
	uint64_t number = frame->number;

	flow->arrived++;
	flow->repeated += frame->delivered;
	// Only a crash repeats, and a burst at most.
	if (number <= flow->last_number)
		assert_true(flow->crash_count && flow->last_number - number < FRAME_BURST_MAX);
	else
		flow->last_number = number;
}

// virtio 1.1, 5.1.6.4: header, then the frame, over num_buffers buffers, all but the last full.
static void collect_frame(struct flow *flow, const struct flow_item *frame)
{
	struct bench *b = flow->b.at;
	uint32_t header = flow->b.config.header_size;
	uint8_t want[12];
	uint32_t at = 0;

	for (uint32_t i = 0; i < frame->buffers; i++) {
		assert_true(drv_ring_collect(b->front, &b->used));
		if (i + 1 < frame->buffers)
			assert_int_equal(b->used.size, b->used.room);
		assert_true(at + b->used.size <= sizeof(flow->frame));
		memcpy(flow->frame + at, b->space, b->used.size);
		at += b->used.size;
	}
	flow_due_header(flow, frame, want);
	assert_int_equal(at, header + frame->size);
	assert_memory_equal(flow->frame, want, header);
	const uint8_t *bytes = flow_bytes(flow, frame->number);
	if (memcmp(flow->frame + header, bytes, frame->size) != 0)
		assert_memory_equal(flow->frame + header, bytes, frame->size);
	note_arrival(flow, frame);
}

static void collect_received(struct flow *flow)
{
	while (flow_fifo_count(&flow->expected)) {
		struct flow_item frame = flow_fifo_get(&flow->expected);
		collect_frame(flow, &frame);
	}
	assert_false(drv_ring_collect(flow->b.at->front, &flow->b.at->used));
}

static void random_wishes(struct flow *flow, struct flow_side *side)
{
	if (flow_below(flow, 4) == 0)
		drv_ring_wish(
			side->at->front,
			flow_below(flow, DRV_WISH_COUNT),
			flow_below(flow, side->config.size)
		);
	if (flow_below(flow, 4))
		return;
	side->silent = flow_below(flow, 2);
	vring_set_notify(&side->at->back, !side->silent);
	// Whoever finds work after arming does not sleep.
	side->asleep = !side->silent && !vring_has_work(&side->at->back);
}

// Looks at every byte that belongs to the drivers; not always, as that takes its time.
static void check(struct flow *flow)
{
	if (flow_below(flow, flow->a.config.size / 16 + 1) == 0)
		drv_ring_check(flow->a.at->front);
	if (flow_below(flow, flow->b.config.size / 16 + 1) == 0)
		drv_ring_check(flow->b.at->front);
	if (flow_below(flow, 1000) == 0) {
		drv_memory_check(flow->memory[0]);
		collect_received(flow);
		drv_memory_check(flow->memory[1]);
	}
}

void flow_start(struct flow *flow)
{
	flow->a.at = bench_new_in(flow->memory[0], &flow->a.config);
	flow->b.at = bench_new_in(flow->memory[1], &flow->b.config);
	flow->a.asleep = flow->a.silent = flow->b.asleep = flow->b.silent = false;
}

void flow_turn(struct flow *flow)
{
	random_wishes(flow, &flow->a);
	random_wishes(flow, &flow->b);
	if (flow_below(flow, 4))
		offer_some(flow);
	send_some(flow);
	flow_move(flow);
	if (flow_below(flow, 3))
		collect_sent(flow);
	if (flow_below(flow, 3))
		collect_received(flow);
	check(flow);
}

void flow_finish(struct flow *flow)
{
	while (flow_fifo_count(&flow->sent)) {
		offer_some(flow);
		flow_move(flow);
		collect_received(flow);
	}
	collect_sent(flow);
	collect_received(flow);
	flow->offered.tail = flow->offered.head;
	bench_free(flow->a.at);
	bench_free(flow->b.at);
	drv_memory_reset(flow->memory[0]);
	drv_memory_reset(flow->memory[1]);
}
