// SPDX-License-Identifier: BSD-3-Clause
// What a broken or hostile front end may write into a ring, each way to each fault, on both sides: the
// ring is given up, frames before the fault still arrive, and it stays given up.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"

#include <string.h>

#define RING 16
#define NEXT DESC_F_NEXT
#define WRITE DESC_F_WRITE
#define INDIRECT DESC_F_INDIRECT
// Where the indirect table of a case lies, and its buffers.
#define TABLE 0x10000ull
#define DATA 0x20000ull
#define NOWHERE 0x8000ull
#define ARENA_END (0x10000ull + BENCH_ARENA)
#define LAST_END (0ull - 0x1000)

// As a front end's transmit chain, from descriptor 1 on; for the receive side WRITE is turned round,
// except beside INDIRECT, where it means nothing.
struct fault_case {
	const char *name;
	enum vring_fault fault;
	bool refused; // Indirect descriptors were not negotiated.
	struct desc direct[4];
	struct desc table[4];
};

static const struct fault_case cases[] = {
	// virtio 1.1, 2.6.5: next is an index into the same table.
	{"next is the size", VRING_FAULT_HEAD, false, {{DATA, 20, NEXT, RING}}, {{0}}},
	{"next is 65535", VRING_FAULT_HEAD, false, {{DATA, 20, NEXT, 65535}}, {{0}}},
	{"next behind an empty one", VRING_FAULT_HEAD, false, {{0, 0, NEXT, RING}}, {{0}}},
	{"next outside of the indirect table",
	 VRING_FAULT_HEAD,
	 false,
	 {{TABLE, 32, INDIRECT, 0}},
	 {{DATA, 20, NEXT, 2}}},
	{"next of the ring's table in the indirect one",
	 VRING_FAULT_HEAD,
	 false,
	 {{DATA, 20, NEXT, 2}, {TABLE, 16, INDIRECT, 0}},
	 {{DATA, 20, NEXT, 3}}},
	// virtio 1.1, 2.6.5: "the driver MUST NOT ... a loop"; 2.6.5.3.1: no longer than the queue.
	{"itself", VRING_FAULT_LOOP, false, {{DATA, 20, NEXT, 1}}, {{0}}},
	{"two in a circle",
	 VRING_FAULT_LOOP,
	 false,
	 {{DATA, 9, NEXT, 2}, {DATA, 9, NEXT, 1}},
	 {{0}}},
	{"empty ones in a circle",
	 VRING_FAULT_LOOP,
	 false,
	 {{0, 0, NEXT, 2}, {0, 0, NEXT, 1}},
	 {{0}}},
	{"a circle in the indirect table",
	 VRING_FAULT_LOOP,
	 false,
	 {{TABLE, 48, INDIRECT, 0}},
	 {{DATA, 9, NEXT, 1}, {DATA, 9, NEXT, 2}, {DATA, 9, NEXT, 0}}},
	{"a table of one that goes on",
	 VRING_FAULT_LOOP,
	 false,
	 {{TABLE, 16, INDIRECT, 0}},
	 {{DATA, 99, NEXT, 0}}},
	// Addresses.
	{"no region", VRING_FAULT_ADDRESS, false, {{NOWHERE, 20, 0, 0}}, {{0}}},
	{"address 0", VRING_FAULT_ADDRESS, false, {{0, 1, 0, 0}}, {{0}}},
	{"the last address", VRING_FAULT_ADDRESS, false, {{UINT64_MAX, 1, 0, 0}}, {{0}}},
	{"before a region", VRING_FAULT_ADDRESS, false, {{0xffff, 20, 0, 0}}, {{0}}},
	{"past the last region", VRING_FAULT_ADDRESS, false, {{LAST_END - 19, 20, 0, 0}}, {{0}}},
	{"behind the last region", VRING_FAULT_ADDRESS, false, {{LAST_END, 20, 0, 0}}, {{0}}},
	{"the whole address space",
	 VRING_FAULT_ADDRESS,
	 false,
	 {{LAST_END - 64, UINT32_MAX, 0, 0}},
	 {{0}}},
	{"regions apart in this process",
	 VRING_FAULT_ADDRESS,
	 false,
	 {{ARENA_END - 50, 100, 0, 0}},
	 {{0}}},
	{"across a gap",
	 VRING_FAULT_ADDRESS,
	 false,
	 {{ARENA_END + BENCH_ARENA - 9, 72, 0, 0}},
	 {{0}}},
	{"the second one",
	 VRING_FAULT_ADDRESS,
	 false,
	 {{DATA, 72, NEXT, 2}, {NOWHERE, 1, 0, 0}},
	 {{0}}},
	{"the indirect table", VRING_FAULT_ADDRESS, false, {{NOWHERE, 16, INDIRECT, 0}}, {{0}}},
	{"the indirect table's end",
	 VRING_FAULT_ADDRESS,
	 false,
	 {{LAST_END - 16, 32, INDIRECT, 0}},
	 {{0}}},
	{"in the indirect table",
	 VRING_FAULT_ADDRESS,
	 false,
	 {{TABLE, 32, INDIRECT, 0}},
	 {{DATA, 72, NEXT, 1}, {NOWHERE, 1, 0, 0}}},
	// virtio 1.1, 2.6.5.3.1: only when negotiated, not with NEXT, not within another, whole entries.
	{"not negotiated",
	 VRING_FAULT_INDIRECT,
	 true,
	 {{TABLE, 16, INDIRECT, 0}},
	 {{DATA, 72, 0, 0}}},
	{"with next",
	 VRING_FAULT_INDIRECT,
	 false,
	 {{TABLE, 16, INDIRECT | NEXT, 2}, {DATA, 72, 0, 0}},
	 {{DATA, 72, 0, 0}}},
	{"of no size", VRING_FAULT_INDIRECT, false, {{TABLE, 0, INDIRECT, 0}}, {{0}}},
	{"of half an entry", VRING_FAULT_INDIRECT, false, {{TABLE, 8, INDIRECT, 0}}, {{0}}},
	{"of an entry and a bit", VRING_FAULT_INDIRECT, false, {{TABLE, 17, INDIRECT, 0}}, {{0}}},
	{"too large", VRING_FAULT_INDIRECT, false, {{TABLE, 16 * 32769, INDIRECT, 0}}, {{0}}},
	{"4 GiB", VRING_FAULT_INDIRECT, false, {{TABLE, 0xfffffff0, INDIRECT, 0}}, {{0}}},
	{"within another, first",
	 VRING_FAULT_INDIRECT,
	 false,
	 {{TABLE, 16, INDIRECT, 0}},
	 {{TABLE, 16, INDIRECT, 0}}},
	{"within another, later",
	 VRING_FAULT_INDIRECT,
	 false,
	 {{TABLE, 32, INDIRECT, 0}},
	 {{DATA, 72, NEXT, 1}, {TABLE, 16, INDIRECT, 0}}},
	// virtio 1.1, 5.1.6.2.1 and 5.1.6.3.1: transmit buffers are readable, receive buffers writable.
	{"direction", VRING_FAULT_DIRECTION, false, {{DATA, 72, WRITE, 0}}, {{0}}},
	{"direction of the second",
	 VRING_FAULT_DIRECTION,
	 false,
	 {{DATA, 72, NEXT, 2}, {DATA, 72, WRITE, 0}},
	 {{0}}},
	{"direction of the first",
	 VRING_FAULT_DIRECTION,
	 false,
	 {{DATA, 72, NEXT | WRITE, 2}, {DATA, 72, 0, 0}},
	 {{0}}},
	{"direction of an empty one", VRING_FAULT_DIRECTION, false, {{DATA, 0, WRITE, 0}}, {{0}}},
	{"direction in the indirect table",
	 VRING_FAULT_DIRECTION,
	 false,
	 {{TABLE, 16, INDIRECT, 0}},
	 {{DATA, 72, WRITE, 0}}},
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

static struct desc turn(struct desc d, bool writable)
{
	if (writable && !(d.flags & INDIRECT))
		d.flags ^= WRITE;
	return d;
}

// Makes available: a good chain, the bad one, a good one.
static struct bench *make_case(const struct fault_case *c, bool writable)
{
	struct bench *bench = bench_new(RING, 65535);
	struct drv_arena *arena = &bench->memory->arena[0];

	bench->back.indirect = !c->refused;
	for (uint32_t i = 0; i < 4; i++) {
		struct desc d = turn(c->table[i], writable);
		memcpy(arena->host + 16ull * i, &d, 16);
		drv_ring_put_desc(bench->front, (uint16_t)(1 + i), turn(c->direct[i], writable));
	}
	memset(arena->host + (DATA - TABLE), 0, 12);
	bench_fill(arena->host + (DATA - TABLE) + 12, 60, 5);
	memcpy(arena->shadow, arena->host, arena->size);
	drv_ring_put_desc(bench->front, 0, turn((struct desc){DATA, 72, 0, 0}, writable));
	drv_ring_put_avail(bench->front, 0);
	drv_ring_put_avail(bench->front, 1);
	drv_ring_put_avail(bench->front, 0);
	return bench;
}

static void expect_fault(const struct fault_case *c, const struct vring *ring)
{
	if (ring->fault != c->fault)
		fail_msg("%s: %s", c->name, vring_fault_text(ring->fault));
	assert_false(vring_has_work(ring));
}

static void expect_used(const struct bench *bench, uint32_t size)
{
	const struct vring_used_ring *used = bench->front->areas.used;
	assert_int_equal(used->idx, 0);
	assert_int_equal(used->ring[65535 % RING].id, 0);
	assert_int_equal(used->ring[65535 % RING].size, size);
}

static void test_take_faults(void **state)
{
	for (size_t i = 0; i < CASE_COUNT; i++) {
		struct bench *bench = make_case(&cases[i], false);
		bench_take(bench, 32, 1, 1);
		bench_expect_taken(bench, 0, 60, 5);
		expect_fault(&cases[i], &bench->back);
		vring_complete(&bench->back);
		expect_used(bench, 0);
		// For good, even when the front end mends its ring.
		drv_ring_put_desc(bench->front, 1, (struct desc){DATA, 72, 0, 0});
		bench_take(bench, 32, 0, 0);
		expect_fault(&cases[i], &bench->back);
		vring_complete(&bench->back);
		expect_used(bench, 0);
		bench_free(bench);
	}
}

static void test_deliver_faults(void **state)
{
	for (size_t i = 0; i < CASE_COUNT; i++) {
		struct bench *bench = make_case(&cases[i], true);
		struct drv_arena *arena = &bench->memory->arena[0];
		bench->back.mergeable = i % 2;
		assert_int_equal(bench_deliver(bench, 60, 8, 3, VRING_DROP_FULL), 1);
		expect_fault(&cases[i], &bench->back);
		vring_show(&bench->back);
		expect_used(bench, 72);
		bench_expect(arena->host + (DATA - TABLE) + 12, 60, 8);
		memcpy(arena->shadow, arena->host, arena->size);
		drv_ring_put_desc(bench->front, 1, (struct desc){DATA, 72, WRITE, 0});
		assert_int_equal(bench_deliver(bench, 60, 9, 1, VRING_DROP_FULL), 0);
		expect_fault(&cases[i], &bench->back);
		vring_show(&bench->back);
		expect_used(bench, 72);
		bench_free(bench);
	}
}

// A fault behind the first merged buffer of a frame: the frame is not delivered, not even in part.
static void test_fault_while_merging(void **state)
{
	for (size_t i = 0; i < CASE_COUNT; i++) {
		struct bench *bench = make_case(&cases[i], true);
		bench->back.mergeable = true;
		assert_int_equal(bench_deliver(bench, 500, 8, 1, VRING_DROP_FULL), 0);
		expect_fault(&cases[i], &bench->back);
		vring_show(&bench->back);
		const struct vring_used_ring *used = bench->front->areas.used;
		assert_int_equal(used->idx, 65535);
		bench_free(bench); // Nothing was written.
	}
}

// virtio 1.1, 2.6.6: an available entry is an index into the table.
static void test_heads(void **state)
{
	static const uint16_t bad[] = {RING, RING + 1, 0x8000, 65535};
	static const struct fault_case c = {.name = "head", .fault = VRING_FAULT_HEAD};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bench *bench = make_case(&c, false);
		bench->front->avail_idx = 0;
		drv_ring_put_avail(bench->front, bad[i]);
		bench_take(bench, 32, 1, 1);
		expect_fault(&c, &bench->back);
		bench_free(bench);

		bench = make_case(&c, true);
		struct drv_arena *arena = &bench->memory->arena[0];
		bench->front->avail_idx = 0;
		drv_ring_put_avail(bench->front, bad[i]);
		assert_int_equal(bench_deliver(bench, 60, 8, 2, VRING_DROP_FULL), 1);
		expect_fault(&c, &bench->back);
		memcpy(arena->shadow, arena->host, arena->size);
		bench_free(bench);
	}
}

// virtio 1.1, 2.6.13.3: never more available than the ring has entries; so never backwards either.
static void test_index_jumps(void **state)
{
	static const uint16_t jump[] = {RING + 1, 0x7fff, 0x8000, 65534, 65535};
	static const struct fault_case c = {.name = "jump", .fault = VRING_FAULT_AVAIL_JUMP};

	for (size_t i = 0; i < sizeof(jump) / sizeof(jump[0]); i++) {
		struct bench *bench = bench_new(RING, 65530);
		drv_ring_put_index(bench->front, (uint16_t)(65530 + jump[i]));
		bench_take(bench, 32, 0, 0);
		expect_fault(&c, &bench->back);
		drv_ring_put_index(bench->front, 65531);
		bench_take(bench, 32, 0, 0);
		expect_fault(&c, &bench->back);
		bench_free(bench);

		bench = bench_new(RING, 65530);
		drv_ring_put_index(bench->front, (uint16_t)(65530 + jump[i]));
		assert_int_equal(bench_deliver(bench, 60, 0, 1, VRING_DROP_FULL), 0);
		expect_fault(&c, &bench->back);
		bench_free(bench);
	}
}

// Buffers that were known of before the index jumped are not used after it.
static void test_index_jumps_later(void **state)
{
	static const struct fault_case c = {.name = "jump", .fault = VRING_FAULT_AVAIL_JUMP};
	struct bench *bench = bench_new(RING, 0);

	for (uint32_t i = 0; i < 4; i++)
		bench_offer(bench, 100, i);
	assert_int_equal(bench_deliver(bench, 60, 0, 1, VRING_DROP_NONE), 1);
	uint16_t good = bench->front->avail_idx;
	drv_ring_put_index(bench->front, 1000);
	assert_int_equal(bench_deliver(bench, 60, 1, 5, VRING_DROP_FULL), 0);
	expect_fault(&c, &bench->back);
	drv_ring_put_index(bench->front, good);
	assert_int_equal(bench_deliver(bench, 60, 1, 1, VRING_DROP_FULL), 0);
	vring_show(&bench->back);
	bench_collect_frame(bench, 60, 0, 1);
	bench_collect_none(bench);
	bench_free(bench);
}

// What looks wrong and is not.
static const struct fault_case sound[] = {
	// virtio 1.1, 2.6.5.3.2: "The device MUST ignore the write-only flag in the indirect one".
	{"write beside indirect", 0, false, {{TABLE, 16, INDIRECT | WRITE, 0}}, {{DATA, 72, 0, 0}}},
	// Flags that mean nothing here, a next without NEXT.
	{"unknown flags", 0, false, {{DATA, 72, 0xfff8, 0xffff}}, {{0}}},
	{"an empty one outside of memory", 0, false, {{0, 0, NEXT, 2}, {DATA, 72, 0, 0}}, {{0}}},
	// virtio 1.1, 2.6.5.3.2: direct descriptors and then one indirect.
	{"mixed",
	 0,
	 false,
	 {{DATA, 12, NEXT, 2}, {TABLE, 16, INDIRECT, 9}},
	 {{DATA + 12, 60, 0, 0}}},
	{"an unaligned table", 0, false, {{TABLE + 0x805, 32, INDIRECT, 0}}, {{0}}},
};

static void test_what_is_not_a_fault(void **state)
{
	for (size_t i = 0; i < 2 * sizeof(sound) / sizeof(sound[0]); i++) {
		const struct fault_case *c = &sound[i / 2];
		bool writable = i % 2;
		struct bench *bench = make_case(c, writable);
		struct drv_arena *arena = &bench->memory->arena[0];
		const struct desc two[] = {
			turn((struct desc){DATA, 12, NEXT, 1}, writable),
			turn((struct desc){DATA + 12, 60, 0, 0}, writable),
		};
		memcpy(arena->host + 0x805, two, sizeof(two));
		if (writable) {
			assert_int_equal(bench_deliver(bench, 60, 5, 3, VRING_DROP_NONE), 3);
			bench_expect(arena->host + (DATA - TABLE) + 12, 60, 7);
		} else {
			bench_take(bench, 32, 3, 3);
			for (uint32_t k = 0; k < 3; k++)
				bench_expect_taken(bench, k, 60, 5);
		}
		if (bench->back.fault != VRING_FAULT_NONE)
			fail_msg("%s: %s", c->name, vring_fault_text(bench->back.fault));
		memcpy(arena->shadow, arena->host, arena->size);
		bench_free(bench);
	}
}

// A loop in a table that is larger than the budget is cut before it is certain: dropped, not a fault.
static void test_loop_in_a_large_table(void **state)
{
	struct bench *bench = bench_new(32768, 0);
	drv_ring_put_desc(bench->front, 5, (struct desc){DATA, 1, NEXT, 5});
	drv_ring_put_avail(bench->front, 5);
	bench_take(bench, 32, 0, 1);
	assert_int_equal(bench->drops[VRING_DROP_LONG], 1);
	assert_int_equal(bench->back.fault, VRING_FAULT_NONE);
	bench_free(bench);
}

// The same head many times is the front end's own loss: each is taken and given back.
static void test_same_head_twice(void **state)
{
	static const struct fault_case none = {.direct = {{DATA, 72, 0, 0}}};
	struct bench *bench = make_case(&none, false);
	bench_take(bench, 32, 3, 3);
	vring_complete(&bench->back);
	const struct vring_used_ring *used = bench->front->areas.used;
	assert_int_equal(used->idx, 2);
	assert_int_equal(used->ring[65535 % RING].id, 0);
	assert_int_equal(used->ring[0].id, 1);
	assert_int_equal(used->ring[1].id, 0);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_faults),
		cmocka_unit_test(test_deliver_faults),
		cmocka_unit_test(test_fault_while_merging),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_index_jumps),
		cmocka_unit_test(test_index_jumps_later),
		cmocka_unit_test(test_what_is_not_a_fault),
		cmocka_unit_test(test_loop_in_a_large_table),
		cmocka_unit_test(test_same_head_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
