// SPDX-License-Identifier: BSD-3-Clause
// Two front ends and the back end between them, against a model: random frames through every combination of
// rings. What the model expects arrives, whole and in order; what is dropped is what the model drops; a back
// end that is lost on the way repeats frames and loses none. RINGWAY_FLOW_FRAMES frames altogether,
// RINGWAY_TEST_SEED for a run again.
#include "tests/lib/unit.h"
#include "tests/unit/vring/flow.h"

#include <stdio.h>
#include <stdlib.h>

#define FRAMES_DEFAULT 500000
// What is negotiated, on either side.
#define COMBINATIONS (1u << 10)
#define ROUND_MIN 100
#define ROUND_MAX 2000

static uint32_t random_size(struct flow *flow, bool packed)
{
	static const uint32_t odd[] = {1, 2, 3, 5, 7, 17, 100, 255, 257, 1000, 32767, 32768};

	if (!packed)
		return flow_below(flow, 32) ? 2u << flow_below(flow, 10) : VRING_SIZE_MAX;
	if (flow_below(flow, 2))
		return odd[flow_below(flow, flow_below(flow, 8) ? 10 : 12)];
	return 1 + flow_below(flow, 1024);
}

// Near the end of a large ring, so that it wraps.
static uint32_t random_base(struct flow *flow, const struct vring_config *config)
{
	uint32_t near = 1 + flow_below(flow, config->size < 64 ? config->size : 64);
	uint32_t half = config->size - near;

	if (!config->packed)
		return flow_below(flow, 2) ? (uint16_t)-near : flow_below(flow, 65536);
	half |= flow_below(flow, 2) << 15;
	return flow_below(flow, 2) ? half : half | half << 16;
}

static bool next_bit(uint32_t *bits)
{
	bool bit = *bits & 1;
	*bits >>= 1;
	return bit;
}

static void plan_side(struct flow *flow, struct flow_side *side, uint32_t *bits)
{
	bool packed = next_bit(bits);

	side->config = (struct vring_config){
		.packed = packed,
		.indirect = next_bit(bits),
		.event_idx = next_bit(bits),
		.in_order = next_bit(bits),
		.size = random_size(flow, packed),
		.header_size = 12,
	};
	side->config.base = random_base(flow, &side->config);
	side->shape = flow_below(flow, DRV_SHAPE_COUNT + 3);
}

// virtio 1.1, 5.1.6.1: 10 bytes of header for legacy front ends without mergeable buffers; packed rings need
// VIRTIO_F_VERSION_1.
static void maybe_legacy(struct flow *flow, struct vring_config *config)
{
	if (!config->packed && !config->mergeable && flow_below(flow, 2))
		config->header_size = 10;
}

static void plan_round(struct flow *flow, uint32_t bits)
{
	static const uint32_t room[] = {256, 2048, 4096, 12 + FRAME_SIZE_MAX};

	plan_side(flow, &flow->a, &bits);
	plan_side(flow, &flow->b, &bits);
	flow->a.config.offloads = next_bit(&bits);
	flow->b.config.mergeable = next_bit(&bits);
	flow->a.config.mergeable = flow_below(flow, 2);
	maybe_legacy(flow, &flow->a.config);
	maybe_legacy(flow, &flow->b.config);
	// Chains of many descriptors are not small: what one frame may be spread over is limited.
	flow->room_min = flow->b.shape == DRV_SHAPE_ONE ? 256 : 4096;
	flow->room_max = room[flow_below(flow, 4)];
	if (flow->room_max < flow->room_min)
		flow->room_max = flow->room_min;
	// Mostly frames that fit, or that may be merged.
	flow->size_max = flow_below(flow, 2) ? flow->room_min - 12 : flow->room_max - 12;
	if (flow_below(flow, flow->b.config.mergeable ? 2 : 8) == 0)
		flow->size_max = FRAME_SIZE_MAX;
	flow->crashes = flow_below(flow, 2);
}

static void run_rounds(struct flow *flow, uint64_t total)
{
	uint64_t each = total / COMBINATIONS;
	uint32_t first = flow_below(flow, COMBINATIONS);

	each = each < ROUND_MIN ? ROUND_MIN : each > ROUND_MAX ? ROUND_MAX : each;
	for (uint32_t i = 0; flow->next_number <= total; i++) {
		uint64_t end = flow->next_number + each;
		// An odd stride meets all combinations.
		plan_round(flow, (first + i * 389) % COMBINATIONS);
		flow_start(flow);
		while (flow->next_number < end)
			flow_turn(flow);
		flow_finish(flow);
	}
}

static void report(const struct flow *flow)
{
	printf("%lu frames, %lu arrived, %lu of them again after one of %lu crashes, "
	       "%lu found no room\n",
	       (unsigned long)flow->good,
	       (unsigned long)flow->arrived,
	       (unsigned long)flow->repeated,
	       (unsigned long)flow->crash_count,
	       (unsigned long)flow->lost);
}

static void test_flow(void **state)
{
	const char *text = getenv("RINGWAY_FLOW_FRAMES");
	uint64_t total = text ? strtoull(text, NULL, 0) : FRAMES_DEFAULT;

	assert_true(total > 0);
	struct flow *flow = flow_new(drv_random_seeded());
	run_rounds(flow, total);
	report(flow);
	for (unsigned int i = 1; i < VRING_DROP_COUNT; i++)
		assert_int_equal(flow->drops[i], flow->model_drops[i]);
	assert_int_equal(flow->arrived - flow->repeated + flow->lost, flow->good);
	// Were most of them dropped, the test would show little.
	if (total >= FRAMES_DEFAULT)
		assert_true(flow->arrived > flow->good / 2);
	flow_free(flow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_flow)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
