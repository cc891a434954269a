// SPDX-License-Identifier: BSD-3-Clause
// What the switch does with the frames of a flow, and what becomes of them when it is killed on the way and
// another one goes on. Runs on the test's only thread.
#include "tests/lib/unit.h"
#include "tests/unit/vring/flow.h"

// Where a turn of the switch ends for good.
enum crash {
	CRASH_NONE,
	CRASH_BEFORE_SHOW,
	CRASH_BEFORE_COMPLETE,
	CRASH_BEFORE_CALL,
	CRASH_COUNT
};

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

// What is shown cannot be lost any more, only repeated.
static void note_shown(struct flow *flow, uint32_t expected_before)
{
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

// Another back end goes on where the ring stands: it finds out itself, or the front end knows, or of a split ring it
// takes the used index that it shows.
static void restart(struct flow *flow, struct flow_side *side)
{
	struct bench *at = side->at;
	uint32_t base = drv_ring_base(at->front);

	side->asleep = side->silent = false;
	if (flow_below(flow, 2)) {
		at->back = drv_ring_recover(at->front);
	} else if (!side->config.packed && flow_below(flow, 2)) {
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

// What was delivered into buffers that nobody will see: they are offered still. A back end may have shown some of
// it by itself, whole frames only.
static void undo(struct flow *flow, uint32_t expected_before, uint64_t shown_before)
{
	const struct drv_ring *front = flow->b.at->front;
	uint32_t kept = expected_before;

	(void)drv_ring_base(flow->b.at->front); // Sees what is shown.
	uint64_t shown = front->shown - shown_before;
	for (; shown; kept++) {
		const struct flow_item *frame = flow_fifo_at(&flow->expected, kept);
		assert_true(frame->buffers <= shown);
		shown -= frame->buffers;
	}
	for (uint32_t i = kept; i < flow_fifo_count(&flow->expected); i++)
		flow->offered.tail -= flow_fifo_at(&flow->expected, i)->buffers;
	flow->expected.head -= flow_fifo_count(&flow->expected) - kept;
	note_shown(flow, expected_before);
}

void flow_move(struct flow *flow)
{
	struct flow_item *items[FRAME_BURST_MAX] = {NULL};
	uint32_t expected = flow_fifo_count(&flow->expected);
	bool dies = flow->crashes && flow_below(flow, 16) == 0;
	enum crash where = dies ? flow_below(flow, CRASH_COUNT) : CRASH_NONE;

	(void)drv_ring_base(flow->b.at->front); // Sees what is shown.
	uint64_t shown = flow->b.at->front->shown;
	take_burst(flow, items);
	deliver_burst(flow, items);
	assert_int_equal(flow->a.at->back.fault, VRING_FAULT_NONE);
	assert_int_equal(flow->b.at->back.fault, VRING_FAULT_NONE);
	if (where == CRASH_BEFORE_SHOW) {
		undo(flow, expected, shown);
		crash(flow);
		return;
	}
	vring_show(&flow->b.at->back);
	note_shown(flow, expected);
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
