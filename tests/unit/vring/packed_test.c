// SPDX-License-Identifier: BSD-3-Clause
// A packed ring, rule by rule (virtio 1.1, 2.7), on descriptors that the tests write themselves.
#include "tests/lib/unit.h"
#include "vring/layout.h"
#include "vring/vring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GPA 0x10000
#define WRAP 0x8000u
#define BOTH (PACKED_F_AVAIL | PACKED_F_USED)

// virtio 1.1, 2.7.13.
struct pdesc {
	uint64_t addr;
	uint32_t size;
	uint16_t id;
	uint16_t flags;
};

struct rig {
	struct vring_mem mem;
	struct vring ring;
	struct frame_burst burst;
	uint64_t drops[VRING_DROP_COUNT];
	uint32_t size;
	uint64_t next; // The driver's place; the lap is even while its wrap counter is 1.
	struct pdesc *desc;
	uint32_t *driver_event;
	uint32_t *device_event;
	uint8_t memory[1 << 17];
};

static struct rig *rig_new(struct vring_config config)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	void *desc = NULL;

	assert_non_null(rig);
	assert_int_equal(posix_memalign(&desc, 16, 16ul * config.size), 0);
	memset(desc, 0, 16ul * config.size);
	rig->desc = desc;
	rig->driver_event = calloc(1, 4);
	rig->device_event = calloc(1, 4);
	rig->size = config.size;
	rig->mem.count = 1;
	rig->mem.region[0] =
		(struct vring_region){.gpa = GPA, .size = sizeof(rig->memory), .host = rig->memory};
	struct vring_areas areas = {desc, rig->driver_event, rig->device_event};
	config.packed = true;
	config.header_size = 12;
	if (!config.base)
		config.base = WRAP;
	rig->next = (config.base & (WRAP - 1)) + (config.base & WRAP ? 0 : config.size);
	// What lies behind the place is of the lap before.
	for (uint32_t i = 0; i < config.size; i++) {
		bool wrap = (i < (config.base & (WRAP - 1))) == !!(config.base & WRAP);
		rig->desc[i].flags = wrap ? BOTH : 0;
	}
	assert_int_equal(vring_init(&rig->ring, &areas, &config, &rig->mem), 0);
	return rig;
}

static void rig_free(struct rig *rig)
{
	free(rig->desc);
	free(rig->driver_event);
	free(rig->device_event);
	free(rig);
}

static bool wrap_of(const struct rig *rig, uint64_t place)
{
	return place / rig->size % 2 == 0;
}

// Makes one descriptor available, with these flags beside AVAIL and USED.
static void put(struct rig *rig, uint32_t size, uint16_t id, uint16_t flags)
{
	rig->desc[rig->next % rig->size] = (struct pdesc){
		.addr = GPA,
		.size = size,
		.id = id,
		.flags = (uint16_t
		)(flags | (wrap_of(rig, rig->next) ? PACKED_F_AVAIL : PACKED_F_USED)),
	};
	rig->next++;
}

static uint32_t take(struct rig *rig)
{
	return vring_take(&rig->ring, &rig->burst, 32, rig->drops);
}

// Fails unless the descriptor at this place is used, by what the device has to write there.
static void expect_used(const struct rig *rig, uint64_t place, uint16_t id, uint32_t size)
{
	const struct pdesc *d = &rig->desc[place % rig->size];

	assert_int_equal(d->addr, GPA);
	assert_int_equal(d->id, id);
	assert_int_equal(d->size, size);
	// 2.7.1: both bits are the wrap counter. 2.7.5: WRITE says whether anything was written.
	assert_int_equal(d->flags, (wrap_of(rig, place) ? BOTH : 0) | (size ? DESC_F_WRITE : 0));
}

static uint32_t found_base; // By the last try_init().

static int try_init(struct vring_config config, uint32_t desc, uint32_t driver, uint32_t device)
{
	static uint8_t area[3][64] __attribute__((aligned(64)));
	static struct vring_mem mem = {.count = 1};
	struct vring_areas areas = {area[0] + desc, area[1] + driver, area[2] + device};
	struct vring ring;

	config.packed = true;
	config.header_size = 12;
	int r = vring_init(&ring, &areas, &config, &mem);
	found_base = r ? 0 : vring_base(&ring);
	return r;
}

// 2.7: any size up to 32768; 2.7.10.1: 16, 4 and 4 bytes.
static void test_init(void **state)
{
	for (uint32_t size = 1; size <= VRING_SIZE_MAX; size++)
		assert_true(try_init((struct vring_config){.size = size}, 0, 0, 0) == 0);
	assert_int_equal(try_init((struct vring_config){.size = 0}, 0, 0, 0), -EINVAL);
	assert_int_equal(try_init((struct vring_config){.size = 32769}, 0, 0, 0), -EINVAL);
	for (uint32_t i = 1; i < 16; i++)
		assert_int_equal(try_init((struct vring_config){.size = 4}, i, 0, 0), -EINVAL);
	for (uint32_t i = 1; i < 4; i++) {
		assert_int_equal(try_init((struct vring_config){.size = 4}, 0, i, 0), -EINVAL);
		assert_int_equal(try_init((struct vring_config){.size = 4}, 0, 0, i), -EINVAL);
	}
}

static void test_base(void **state)
{
	static const struct {
		uint32_t base;
		uint32_t expect;
	} cases[] = {
		{0x8000, 0x80008000},	  // A new ring: the wrap counters are 1.
		{0x0000, 0},		  // The same place one lap on.
		{0x8003, 0x80038003},	  // No used place given.
		{0x80018003, 0x80018001}, // The used one counts.
		{0x00028003, 0x00020002},
	};
	static const uint32_t bad[] = {0x8004, 0x0004, 0x80048000, 0x7fff};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vring_config config = {.size = 4, .base = cases[i].base};
		assert_int_equal(try_init(config, 0, 0, 0), 0);
		assert_int_equal(found_base, cases[i].expect);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vring_config config = {.size = 4, .base = bad[i]};
		assert_int_equal(try_init(config, 0, 0, 0), -EINVAL);
	}
}

// 2.7.13 and 2.7.14.
static void test_areas(void **state)
{
	struct vring_config config = {.size = 257, .packed = true, .event_idx = true};
	assert_int_equal(vring_area_size(&config, VRING_AREA_DESC), 257 * 16);
	assert_int_equal(vring_area_size(&config, VRING_AREA_AVAIL), 4);
	assert_int_equal(vring_area_size(&config, VRING_AREA_USED), 4);
	assert_int_equal(vring_area_align(&config, VRING_AREA_DESC), 16);
	assert_int_equal(vring_area_align(&config, VRING_AREA_AVAIL), 4);
	assert_int_equal(vring_area_align(&config, VRING_AREA_USED), 4);
}

// 2.7.1: only AVAIL as the wrap counter and USED against it make a descriptor available, in either lap.
static void test_what_is_available(void **state)
{
	static const uint16_t bits[] = {0, PACKED_F_AVAIL, PACKED_F_USED, BOTH};
	for (uint32_t base = 0; base < 2; base++)
		for (uint32_t i = 0; i < 4; i++) {
			struct rig *rig = rig_new((struct vring_config
			){.size = 4, .base = base ? WRAP | 1 : 1});
			uint16_t due = base ? PACKED_F_AVAIL : PACKED_F_USED;
			put(rig, 72, 3, 0);
			rig->desc[1].flags = bits[i];
			assert_int_equal(vring_has_work(&rig->ring), bits[i] == due);
			assert_int_equal(take(rig), bits[i] == due);
			rig_free(rig);
		}
}

// Every size that matters, more than two laps, chains of all lengths that fit; ids are the driver's own (2.7.6: the
// last descriptor's), lengths advance by the chain's descriptors (2.7.8).
static void test_laps(void **state)
{
	static const uint32_t sizes[] = {1, 2, 3, 5, 7, 16, 33, 100};
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct rig *rig = rig_new((struct vring_config){.size = sizes[s]});
		uint32_t most = sizes[s] < 4 ? sizes[s] : 4;
		for (uint32_t n = 0; n < 3 * sizes[s] + 5; n++) {
			uint64_t place = rig->next;
			uint32_t count = 1 + n % most;
			uint16_t id = (uint16_t)(n * 7919);
			for (uint32_t i = 1; i < count; i++)
				put(rig, 40, (uint16_t)(id + 1), DESC_F_NEXT);
			put(rig, 40 + 32, id, 0);
			assert_int_equal(take(rig), 1);
			assert_int_equal(rig->burst.frame[0].size, 40 * count + 32 - 12);
			assert_int_equal(rig->ring.taken_count, 1);
			vring_complete(&rig->ring);
			expect_used(rig, place, id, 0);
			assert_int_equal(rig->ring.next_avail, rig->next % sizes[s]);
			assert_int_equal(rig->ring.avail_wrap, wrap_of(rig, rig->next));
			assert_false(vring_has_work(&rig->ring));
		}
		rig_free(rig);
	}
}

// A whole ring in the air is a burst; the descriptor behind it is the first again.
static void test_full_ring(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.size = 5, .base = WRAP | 3});
	for (uint32_t lap = 0; lap < 4; lap++) {
		uint64_t place = rig->next;
		for (uint16_t i = 0; i < 5; i++)
			put(rig, 72, i, 0);
		assert_int_equal(take(rig), 5);
		assert_int_equal(rig->ring.taken_count, 5);
		vring_complete(&rig->ring);
		for (uint16_t i = 0; i < 5; i++)
			expect_used(rig, place + i, i, 0);
	}
	rig_free(rig);
}

// A chain that never ends is one that is longer than the ring, also together with those before it in the burst.
static void test_endless_chain(void **state)
{
	for (uint32_t before = 0; before < 3; before++) {
		struct rig *rig = rig_new((struct vring_config){.size = 7, .base = 4});
		for (uint32_t i = 0; i < 7; i++)
			put(rig, 72, 1, i < before ? 0 : DESC_F_NEXT);
		assert_int_equal(take(rig), before);
		assert_int_equal(rig->ring.fault, VRING_FAULT_LOOP);
		assert_int_equal(rig->ring.taken_count, before);
		assert_false(vring_has_work(&rig->ring));
		assert_int_equal(take(rig), 0);
		rig_free(rig);
	}
}

// More descriptors than one burst looks at: dropped, and what follows is found.
static void test_long_chain(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.size = 3000});
	put(rig, 72, 1, 0);
	for (uint32_t i = 0; i < 2000; i++)
		put(rig, 1, 2, DESC_F_NEXT);
	put(rig, 1, 3, 0);
	put(rig, 80, 4, 0);
	assert_int_equal(take(rig), 1); // The long one waits for a burst of its own.
	vring_complete(&rig->ring);
	uint32_t frames = take(rig);
	vring_complete(&rig->ring);
	assert_int_equal(rig->drops[VRING_DROP_LONG], 1);
	if (!frames) {
		assert_int_equal(take(rig), 1);
		vring_complete(&rig->ring);
	}
	expect_used(rig, 0, 1, 0);
	expect_used(rig, 1, 3, 0);
	expect_used(rig, 2002, 4, 0);
	rig_free(rig);
}

// Writes an indirect table at the end of guest memory.
static void put_table(struct rig *rig, const struct pdesc *table, uint32_t count, uint16_t flags)
{
	uint32_t at = sizeof(rig->memory) - (size_t)16 * count;
	memcpy(rig->memory + at, table, 16ul * count);
	put(rig, 16 * count, 9, flags);
	rig->desc[(rig->next - 1) % rig->size].addr = GPA + at;
}

// 2.7.7: one descriptor of the ring; the table's follow each other, and WRITE is the only flag there. DPDK's driver
// leaves it set where it must not, and is understood.
static void test_indirect(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.size = 2, .indirect = true});
	const struct pdesc table[] = {
		{GPA, 12, 77, 0xffff},
		{GPA + 100, 30, 78, 0},
		{GPA + 200, 30, 79, DESC_F_NEXT},
	};
	for (uint32_t i = 0; i < 5; i++) {
		uint64_t place = rig->next;
		put_table(rig, table, 3, DESC_F_INDIRECT | (i % 2 ? DESC_F_WRITE : 0));
		assert_int_equal(take(rig), 1);
		assert_int_equal(rig->burst.frame[0].size, 60);
		assert_int_equal(rig->burst.frame[0].seg_count, 2);
		vring_complete(&rig->ring);
		rig->desc[place % 2].addr = GPA;
		expect_used(rig, place, 9, 0);
	}
	rig_free(rig);
}

static void try_bad_indirect(bool negotiated, uint32_t size, uint16_t flags, enum vring_fault fault)
{
	struct rig *rig = rig_new((struct vring_config){.size = 4, .indirect = negotiated});
	put(rig, size, 1, flags);
	put(rig, 72, 1, 0);
	assert_int_equal(take(rig), 0);
	assert_int_equal(rig->ring.fault, fault);
	rig_free(rig);
}

static void test_bad_indirect(void **state)
{
	const uint16_t flag = DESC_F_INDIRECT;
	try_bad_indirect(false, 32, flag, VRING_FAULT_INDIRECT);
	try_bad_indirect(true, 0, flag, VRING_FAULT_INDIRECT);
	try_bad_indirect(true, 31, flag, VRING_FAULT_INDIRECT);
	try_bad_indirect(true, 16 * 32769, flag, VRING_FAULT_INDIRECT);
	try_bad_indirect(true, 1 << 18, flag, VRING_FAULT_ADDRESS);
	// 2.7.7: never in a list that NEXT makes, neither at its beginning nor at its end.
	try_bad_indirect(true, 32, flag | DESC_F_NEXT, VRING_FAULT_INDIRECT);
	struct rig *rig = rig_new((struct vring_config){.size = 4, .indirect = true});
	put(rig, 72, 1, DESC_F_NEXT);
	put(rig, 32, 1, flag);
	assert_int_equal(take(rig), 0);
	assert_int_equal(rig->ring.fault, VRING_FAULT_INDIRECT);
	rig_free(rig);
}

static uint32_t deliver(struct rig *rig, uint32_t size, uint32_t count, enum vring_drop expect)
{
	static const uint8_t bytes[FRAME_SIZE_MAX];
	struct frame frame = {.head = bytes, .size = size, .head_size = (uint16_t)size};
	const struct frame *frames[] = {&frame};
	enum vring_drop drop = VRING_DROP_NONE;
	uint32_t done = 0;

	while (done < count && vring_deliver(&rig->ring, frames, 1, &drop) == 1)
		done++;
	assert_int_equal(drop, expect);
	return done;
}

static void test_direction(void **state)
{
	const struct pdesc table[] = {{GPA, 100, 0, DESC_F_WRITE}, {GPA, 100, 0, 0}};
	struct rig *rig = rig_new((struct vring_config){.size = 4, .indirect = true});
	// A table that is written to must say so throughout.
	put_table(rig, table, 2, DESC_F_INDIRECT);
	assert_int_equal(deliver(rig, 60, 1, VRING_DROP_FULL), 0);
	assert_int_equal(rig->ring.fault, VRING_FAULT_DIRECTION);
	rig_free(rig);
	rig = rig_new((struct vring_config){.size = 4});
	put(rig, 72, 1, DESC_F_WRITE);
	assert_int_equal(take(rig), 0);
	assert_int_equal(rig->ring.fault, VRING_FAULT_DIRECTION);
	rig_free(rig);
}

// Until vring_show() not a byte of the ring is written: a back end that is lost before leaves it whole.
static void test_nothing_before_show(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.size = 6, .base = 4});
	struct pdesc before[6];

	for (uint16_t i = 0; i < 6; i++)
		put(rig, 100, i, DESC_F_WRITE);
	memcpy(before, rig->desc, sizeof(before));
	assert_int_equal(deliver(rig, 60, 7, VRING_DROP_FULL), 6);
	assert_memory_equal(rig->desc, before, sizeof(before));
	assert_int_equal(vring_base(&rig->ring) >> 16, 4);
	vring_show(&rig->ring);
	for (uint16_t i = 0; i < 6; i++)
		expect_used(rig, 10 + i, i, 72);
	assert_int_equal(vring_base(&rig->ring), 0x80048004);
	rig_free(rig);
}

// A burst that uses more descriptors than are kept back is shown in parts, of whole frames.
static void test_more_than_can_be_kept(void **state)
{
	const uint32_t size = 2 * VRING_PENDING_MAX;
	struct rig *rig = rig_new((struct vring_config){.size = size, .mergeable = true});
	uint32_t shown = 0;

	for (uint32_t i = 0; i < size; i++)
		put(rig, 100, (uint16_t)i, DESC_F_WRITE);
	// 11 buffers a frame.
	for (uint32_t n = 1; n <= size / 11; n++) {
		assert_int_equal(deliver(rig, 1100 - 12 - 50, 1, VRING_DROP_NONE), 1);
		while (rig->desc[shown].flags == (BOTH | DESC_F_WRITE))
			shown++;
		assert_int_equal(shown % 11, 0);
		assert_true(n * 11 - shown <= VRING_PENDING_MAX);
	}
	assert_true(shown > 0);
	vring_show(&rig->ring);
	for (uint32_t i = 0; i < size / 11 * 11; i++)
		expect_used(rig, i, (uint16_t)i, i % 11 == 10 ? 50 : 100);
	rig_free(rig);
}

// The largest frame in the smallest buffers: as many chains as one frame may have.
static void test_one_large_frame(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.size = 1000, .mergeable = true});
	for (uint32_t i = 0; i < 400; i++)
		put(rig, 228, (uint16_t)i, DESC_F_WRITE);
	assert_int_equal(deliver(rig, 60, 1, VRING_DROP_NONE), 1);
	assert_int_equal(deliver(rig, 65535, 1, VRING_DROP_NONE), 1);
	vring_show(&rig->ring);
	expect_used(rig, 0, 0, 72);
	for (uint32_t i = 0; i < 288; i++)
		expect_used(rig, 1 + i, (uint16_t)(1 + i), i < 287 ? 228 : 65547 - 287 * 228);
	rig_free(rig);
}

// A receive chain of several descriptors, and one that is longer than is ever looked at: used when its beginning
// suffices.
static void test_receive_chains(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.size = 1500});
	for (uint32_t i = 0; i < 3; i++)
		put(rig, 30, (uint16_t)(40 + i), DESC_F_WRITE | (i < 2 ? DESC_F_NEXT : 0));
	for (uint32_t i = 0; i < 1000; i++)
		put(rig, 1, (uint16_t)i, DESC_F_WRITE | (i < 999 ? DESC_F_NEXT : 0));
	put(rig, 100, 7, DESC_F_WRITE);
	assert_int_equal(deliver(rig, 79, 1, VRING_DROP_BUFFER), 0);
	assert_int_equal(deliver(rig, 78, 1, VRING_DROP_NONE), 1);
	assert_int_equal(deliver(rig, 309, 1, VRING_DROP_BUFFER), 0);
	assert_int_equal(deliver(rig, 60, 2, VRING_DROP_NONE), 2);
	vring_show(&rig->ring);
	expect_used(rig, 0, 42, 90);
	expect_used(rig, 3, 999, 72);
	expect_used(rig, 1003, 7, 72);
	rig_free(rig);
}

// 2.7.9: one used descriptor in the place of the batch's first, with the id of its last; nothing else is written.
static void test_in_order_batch(void **state)
{
	for (uint32_t count = 1; count <= 5; count++) {
		struct rig *rig = rig_new((struct vring_config
		){.size = 10, .base = WRAP | 7, .in_order = true});
		struct pdesc before[10];

		for (uint32_t i = 0; i < count; i++) {
			put(rig, 40, 100, DESC_F_NEXT);
			put(rig, 40, (uint16_t)i, 0);
		}
		memcpy(before, rig->desc, sizeof(before));
		assert_int_equal(take(rig), count);
		vring_complete(&rig->ring);
		expect_used(rig, 7, (uint16_t)(count - 1), 0);
		rig->desc[7] = before[7];
		assert_memory_equal(rig->desc, before, sizeof(before));
		uint32_t end = 7 + 2 * count;
		uint32_t half = end % 10 | (end < 10 ? WRAP : 0);
		assert_int_equal(vring_base(&rig->ring), half | half << 16);
		rig_free(rig);
	}
}

// 2.7.14, for every place of the event around a burst of every size, in both laps, chains of two included.
static void try_driver_event(uint32_t size, uint64_t start, uint32_t chains, uint32_t descs)
{
	for (uint64_t event = 0; event < 2ull * size; event++) {
		uint32_t base = (uint32_t)(start % size) | (start < size ? WRAP : 0);
		struct rig *rig = rig_new((struct vring_config
		){.size = size, .base = base ? base : 0, .event_idx = true});
		bool due = false;

		// Base 0 stands for a new ring in rig_new().
		if (base == 0) {
			rig_free(rig);
			continue;
		}
		*rig->driver_event = (uint32_t)PACKED_EVENT_DESC << 16 |
			(wrap_of(rig, event) ? WRAP : 0) | (uint32_t)(event % size);
		for (uint32_t i = 0; i < chains; i++) {
			for (uint32_t k = 1; k < descs; k++)
				put(rig, 40, 0, DESC_F_NEXT);
			put(rig, 40, 0, 0);
		}
		for (uint64_t at = start; at < start + (uint64_t)chains * descs; at++)
			due |= at % (2ull * size) == event;
		(void)take(rig); // Counted by the ring.
		vring_complete(&rig->ring);
		assert_int_equal(vring_wants_call(&rig->ring), due);
		assert_false(vring_wants_call(&rig->ring));
		rig_free(rig);
	}
}

static void test_driver_event(void **state)
{
	for (uint32_t size = 1; size <= 7; size++)
		for (uint64_t start = 0; start < 2ull * size; start++)
			for (uint32_t descs = 1; descs <= 2; descs++)
				for (uint32_t chains = 1; chains * descs <= size; chains++)
					try_driver_event(size, start, chains, descs);
}

static void test_driver_flags(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.size = 4});
	*rig->driver_event = PACKED_EVENT_ENABLE << 16;
	assert_true(vring_wants_call(&rig->ring));
	*rig->driver_event = PACKED_EVENT_DISABLE << 16 | 0xffff;
	assert_false(vring_wants_call(&rig->ring));
	// DESC was not negotiated: better a call too many.
	*rig->driver_event = PACKED_EVENT_DESC << 16;
	assert_true(vring_wants_call(&rig->ring));
	rig_free(rig);
}

static void test_device_event(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.size = 3, .base = WRAP | 2});
	vring_set_notify(&rig->ring, false);
	assert_int_equal(*rig->device_event >> 16, PACKED_EVENT_DISABLE);
	vring_set_notify(&rig->ring, true);
	assert_int_equal(*rig->device_event >> 16, PACKED_EVENT_ENABLE);
	rig->ring.event_idx = true;
	vring_set_notify(&rig->ring, true);
	assert_int_equal(*rig->device_event, PACKED_EVENT_DESC << 16 | WRAP | 2);
	put(rig, 72, 1, 0);
	put(rig, 72, 1, 0);
	assert_int_equal(take(rig), 2);
	vring_complete(&rig->ring);
	vring_set_notify(&rig->ring, true);
	assert_int_equal(*rig->device_event, PACKED_EVENT_DESC << 16 | 1);
	vring_set_notify(&rig->ring, false);
	assert_int_equal(*rig->device_event >> 16, PACKED_EVENT_DISABLE);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_areas),
		cmocka_unit_test(test_what_is_available),
		cmocka_unit_test(test_laps),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_endless_chain),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_bad_indirect),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_nothing_before_show),
		cmocka_unit_test(test_more_than_can_be_kept),
		cmocka_unit_test(test_one_large_frame),
		cmocka_unit_test(test_receive_chains),
		cmocka_unit_test(test_in_order_batch),
		cmocka_unit_test(test_driver_event),
		cmocka_unit_test(test_driver_flags),
		cmocka_unit_test(test_device_event),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
