// SPDX-License-Identifier: BSD-3-Clause
// The turns of a flow: what the front ends do, what the switch does, and what becomes of it when the switch is
// killed on the way. flow_model.c knows what has to come out. Runs on the test's only thread.
#include "tests/unit/vring/flow.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

// Where a turn of the switch ends for good.
enum crash {
	CRASH_NONE,
	CRASH_BEFORE_SHOW,
	CRASH_BEFORE_COMPLETE,
	CRASH_BEFORE_CALL,
	CRASH_COUNT
};

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
	static const uint32_t most[] = {128, 128, 128, 256, 1600, 9000};
	uint32_t limit = most[flow_below(flow, 6)];

	if (limit > flow->size_max)
		limit = flow->size_max;
	if (flow_below(flow, 32) == 0)
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

static void count_full(struct flow *flow, enum vring_drop drop, uint32_t more)
{
	flow->drops[drop] += 1 + more;
	flow->model_drops[drop] += more;
}

// Delivers a burst as the switch does: skips what does not fit, gives up when the ring is full.
static void deliver_burst(struct flow *flow, struct flow_item *const *items)
{
	const struct frame *frames[FRAME_BURST_MAX];
	const struct frame_burst *burst = &flow->a.at->burst;
	uint32_t done = 0;

	for (uint32_t i = 0; i < burst->count; i++)
		frames[i] = &burst->frame[i];
	while (done < burst->count) {
		enum vring_drop drop;
		uint32_t left = burst->count - done;
		uint32_t some = vring_deliver(&flow->b.at->back, frames + done, left, &drop);
		assert_true(some <= left);
		for (; some; some--)
			flow_model_deliver(flow, items[done++], VRING_DROP_NONE);
		if (drop == VRING_DROP_NONE)
			continue;
		flow_model_deliver(flow, items[done++], drop);
		bool full = drop == VRING_DROP_FULL;
		count_full(flow, drop, full ? burst->count - done : 0);
		if (full)
			return;
	}
}

// Takes a burst; ret_items are those of its frames.
static void take_burst(struct flow *flow, struct flow_item *ret_items[FRAME_BURST_MAX])
{
	struct bench *a = flow->a.at;
	uint32_t max = 1 + flow_below(flow, FRAME_BURST_MAX);
	uint32_t chains = flow_fifo_count(&flow->sent);
	uint32_t room = flow_fifo_count(&flow->offered);
	uint32_t count = 0;

	// Mostly no more than there may be room for: a frame that is dropped shows less than one that arrives.
	if (flow_below(flow, 16) && max > room)
		max = room;
	vring_take(&a->back, &a->burst, max, flow->drops);
	assert_int_equal(a->back.taken_count, chains < max ? chains : max);
	for (uint32_t i = 0; i < a->back.taken_count; i++) {
		struct flow_item *item = flow_fifo_at(&flow->sent, i);
		if (item->drop != VRING_DROP_NONE) {
			flow->model_drops[item->drop]++;
			continue;
		}
		assert_true(count < a->burst.count);
		assert_int_equal(a->burst.frame[count].size, item->size);
		ret_items[count++] = item;
	}
	assert_int_equal(count, a->burst.count);
}

static void complete(struct flow *flow)
{
	for (uint32_t i = flow->a.at->back.taken_count; i; i--) {
		struct flow_item item = flow_fifo_get(&flow->sent);
		if (item.drop == VRING_DROP_NONE && !item.delivered)
			flow->lost++;
		flow_fifo_put(&flow->in_flight, item);
	}
	vring_complete(&flow->a.at->back);
}

static void show(struct flow *flow, uint32_t expected_before)
{
	vring_show(&flow->b.at->back);
	// What is shown cannot be lost any more, only repeated.
	for (uint32_t i = expected_before; i < flow_fifo_count(&flow->expected); i++) {
		uint64_t number = flow_fifo_at(&flow->expected, i)->number;
		for (uint32_t k = 0; k < flow->a.at->back.taken_count; k++) {
			struct flow_item *item = flow_fifo_at(&flow->sent, k);
			item->delivered |= item->number == number;
		}
	}
}

static void call(struct flow_side *side)
{
	drv_ring_check_call(side->at->front, vring_wants_call(&side->at->back));
}

// Another back end goes on where the ring stands: at the place that the front end knows, or of a split ring at
// the used index that it shows.
static void restart(struct flow *flow, struct flow_side *side)
{
	struct bench *at = side->at;
	uint32_t base = drv_ring_base(at->front);

	side->asleep = side->silent = false;
	if (!side->config.packed && flow_below(flow, 2)) {
		at->back = drv_ring_attach(at->front, drv_random_next(&flow->random) & 0xffff);
		vring_adopt_used(&at->back);
	} else {
		// Half of the front ends name the available place only.
		bool both = !side->config.packed || flow_below(flow, 2);
		at->back = drv_ring_attach(at->front, both ? base : base & 0xffff);
	}
	assert_int_equal(vring_base(&at->back), base);
}

static void crash(struct flow *flow)
{
	drv_ring_forgive(flow->b.at->front);
	restart(flow, &flow->a);
	restart(flow, &flow->b);
	flow->crash_count++;
}

// What was delivered into buffers that nobody will see: the buffers are offered still.
static void undo(struct flow *flow, uint32_t offered_tail, uint32_t expected_head)
{
	flow->offered.tail = offered_tail;
	flow->expected.head = expected_head;
}

static void move_burst(struct flow *flow)
{
	struct flow_item *items[FRAME_BURST_MAX];
	uint32_t offered_tail = flow->offered.tail;
	uint32_t expected_head = flow->expected.head;
	uint32_t expected_count = flow_fifo_count(&flow->expected);
	bool dies = flow->crashes && flow_below(flow, 16) == 0;
	enum crash where = dies ? flow_below(flow, CRASH_COUNT) : CRASH_NONE;

	take_burst(flow, items);
	deliver_burst(flow, items);
	assert_int_equal(flow->a.at->back.fault, VRING_FAULT_NONE);
	assert_int_equal(flow->b.at->back.fault, VRING_FAULT_NONE);
	if (where == CRASH_BEFORE_SHOW) {
		undo(flow, offered_tail, expected_head);
		crash(flow);
		return;
	}
	show(flow, expected_count);
	if (where == CRASH_BEFORE_COMPLETE) {
		crash(flow);
		return;
	}
	complete(flow);
	if (where == CRASH_BEFORE_CALL) {
		crash(flow);
		return;
	}
	call(&flow->b);
	call(&flow->a);
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
	move_burst(flow);
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
		move_burst(flow);
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
