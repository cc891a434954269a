// SPDX-License-Identifier: BSD-3-Clause
// A split ring with VIRTIO_F_EVENT_IDX (virtio 1.1, 2.6.7 and 2.6.10), and with VIRTIO_F_IN_ORDER (2.6.9).
#include "tests/lib/unit.h"
#include "vring/layout.h"
#include "vring/vring.h"

#include <stdlib.h>
#include <string.h>

#define SIZE 8

// A ring on memory as large as the specification says, to the byte.
struct rig {
	struct vring_mem mem;
	struct vring_areas areas;
	struct vring ring;
	struct frame_burst burst;
	uint8_t memory[4096];
};

static void *area(const struct vring_config *config, enum vring_area which)
{
	void *p = NULL;
	assert_int_equal(posix_memalign(&p, 16, vring_area_size(config, which)), 0);
	memset(p, 0, vring_area_size(config, which));
	return p;
}

static struct rig *rig_new(struct vring_config config)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	config.size = SIZE;
	config.header_size = 12;
	rig->mem.count = 1;
	rig->mem.region[0] = (struct vring_region
	){.gpa = 0x1000, .size = sizeof(rig->memory), .host = rig->memory};
	rig->areas = (struct vring_areas
	){area(&config, VRING_AREA_DESC),
	  area(&config, VRING_AREA_AVAIL),
	  area(&config, VRING_AREA_USED)};
	assert_int_equal(vring_init(&rig->ring, &rig->areas, &config, &rig->mem), 0);
	struct vring_avail_ring *avail = rig->areas.avail;
	struct vring_used_ring *used = rig->areas.used;
	avail->idx = used->idx = (uint16_t)config.base;
	return rig;
}

static void rig_free(struct rig *rig)
{
	free(rig->areas.desc);
	free(rig->areas.avail);
	free(rig->areas.used);
	free(rig);
}

static void put_used_event(struct rig *rig, uint16_t event)
{
	((struct vring_avail_ring *)rig->areas.avail)->ring[SIZE] = event;
}

static uint16_t get_avail_event(const struct rig *rig)
{
	uint16_t event;
	const struct vring_used_ring *used = rig->areas.used;
	memcpy(&event, &used->ring[SIZE], sizeof(event));
	return event;
}

// Sends `count` frames of 60 bytes, the heads from `head` on upwards.
static void send_frames(struct rig *rig, uint16_t head, uint32_t count)
{
	struct vring_avail_ring *avail = rig->areas.avail;
	struct vring_desc_entry *desc = rig->areas.desc;

	for (uint32_t i = 0; i < count; i++) {
		uint16_t at = (uint16_t)(head + i) % SIZE;
		desc[at] = (struct vring_desc_entry){.addr = 0x1000, .size_flags_next = 72};
		avail->ring[avail->idx % SIZE] = at;
		avail->idx++;
	}
}

static void move_frames(struct rig *rig, uint32_t count)
{
	uint64_t drops[VRING_DROP_COUNT] = {0};
	assert_int_equal(vring_take(&rig->ring, &rig->burst, 32, drops), count);
	vring_complete(&rig->ring);
}

// 2.6.7.2: a notification is due for the entry that used_event names, and for no other. Tried for every place of
// the event around a burst, and around the index' wrap.
static void try_used_event(uint16_t base, uint32_t count)
{
	for (int32_t at = -4; at < 8; at++) {
		struct rig *rig = rig_new((struct vring_config){.base = base, .event_idx = true});
		put_used_event(rig, (uint16_t)(base + at));
		send_frames(rig, 0, count);
		move_frames(rig, count);
		bool due = at >= 0 && at < (int32_t)count;
		assert_int_equal(vring_wants_call(&rig->ring), due);
		assert_false(vring_wants_call(&rig->ring)); // Nothing was shown since.
		rig_free(rig);
	}
}

static void test_used_event(void **state)
{
	for (uint32_t count = 1; count <= 5; count++) {
		try_used_event(0, count);
		try_used_event(100, count);
		for (uint16_t base = 65528; base != 4; base++)
			try_used_event(base, count);
	}
}

// What was shown in several steps is asked about at once.
static void test_used_event_of_several_bursts(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.base = 65534, .event_idx = true});
	put_used_event(rig, 65534);
	for (uint32_t i = 0; i < 3; i++) {
		send_frames(rig, 0, 2);
		move_frames(rig, 2);
	}
	assert_true(vring_wants_call(&rig->ring));
	send_frames(rig, 0, 2);
	move_frames(rig, 2);
	assert_false(vring_wants_call(&rig->ring));
	rig_free(rig);
}

// 2.6.7.2: "The device MUST ignore the lower bit of flags".
static void test_no_interrupt_is_ignored(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.event_idx = true});
	((struct vring_avail_ring *)rig->areas.avail)->flags = AVAIL_F_NO_INTERRUPT;
	send_frames(rig, 0, 1);
	move_frames(rig, 1);
	assert_true(vring_wants_call(&rig->ring));
	rig_free(rig);
}

// 2.6.10: the front end notifies when it makes the entry available that avail_event names.
static void test_avail_event(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.base = 65535, .event_idx = true});
	const struct vring_used_ring *used = rig->areas.used;

	vring_set_notify(&rig->ring, true);
	assert_int_equal(get_avail_event(rig), 65535);
	send_frames(rig, 0, 2);
	move_frames(rig, 2);
	vring_set_notify(&rig->ring, true);
	assert_int_equal(get_avail_event(rig), 1);
	// Off: as far ahead as an index can be.
	vring_set_notify(&rig->ring, false);
	assert_int_equal(get_avail_event(rig), 0);
	assert_int_equal(used->flags, 0);
	rig_free(rig);
}

// 2.6.9: one used entry in the place of the batch's first chain, with the head of its last; the index moves on by
// the batch.
static void test_in_order_batch(void **state)
{
	for (uint32_t count = 1; count <= SIZE; count++) {
		struct rig *rig = rig_new((struct vring_config){.base = 65531, .in_order = true});
		const struct vring_used_ring *used = rig->areas.used;
		uint32_t slot = 65531 % SIZE;

		memset(rig->ring.used->ring, 0xee, sizeof(struct vring_used_entry) * SIZE);
		send_frames(rig, (uint16_t)slot, count);
		move_frames(rig, count);
		assert_int_equal(used->idx, (uint16_t)(65531 + count));
		for (uint32_t i = 0; i < SIZE; i++) {
			bool written = i == slot;
			uint32_t id = written ? (slot + count - 1) % SIZE : 0xeeeeeeee;
			assert_int_equal(used->ring[i].id, id);
			assert_int_equal(used->ring[i].size, written ? 0 : 0xeeeeeeee);
		}
		rig_free(rig);
	}
}

// A receive ring's lengths differ, so each chain has its entry.
static void test_in_order_receive(void **state)
{
	struct rig *rig = rig_new((struct vring_config){.base = 6, .in_order = true});
	struct vring_desc_entry *desc = rig->areas.desc;
	const struct vring_used_ring *used = rig->areas.used;
	static const uint8_t bytes[100];
	enum vring_drop drop;

	send_frames(rig, 6, 4);
	for (uint32_t i = 0; i < 4; i++) {
		struct frame frame = {
			.head = bytes, .size = 20 + i, .head_size = (uint16_t)(20 + i)};
		const struct frame *frames[] = {&frame};
		desc[(6 + i) % SIZE].size_flags_next = 200 | (uint64_t)DESC_F_WRITE << 32;
		assert_int_equal(vring_deliver(&rig->ring, frames, 1, &drop), 1);
	}
	vring_show(&rig->ring);
	assert_int_equal(used->idx, 10);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(used->ring[(6 + i) % SIZE].id, (6 + i) % SIZE);
		assert_int_equal(used->ring[(6 + i) % SIZE].size, 32 + i);
	}
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_used_event),
		cmocka_unit_test(test_used_event_of_several_bursts),
		cmocka_unit_test(test_no_interrupt_is_ignored),
		cmocka_unit_test(test_avail_event),
		cmocka_unit_test(test_in_order_batch),
		cmocka_unit_test(test_in_order_receive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
