// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of the transmit ring: indices, chains, tables, event areas. All is set up well first; then one thing is wrong.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct front_queue *tx_queue(struct play *play)
{
	return &play->front->queue[TX];
}

static int play_index_jump(struct play *play)
{
	int r = play_start_ring(play);
	if (!r)
		play_publish(play, 0, (uint16_t)(tx_queue(play)->size + 1));
	return r;
}

static int play_head_range(struct play *play)
{
	int r = play_start_ring(play);
	if (!r)
		play_publish(play, (uint16_t)tx_queue(play)->size, 1);
	return r;
}

static int play_next_range(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	play_put(
		play,
		0,
		&(struct front_desc){
			.addr = tx_queue(play)->buffer[0].gpa,
			.size = 16,
			.flags = FRONT_DESC_NEXT,
			.next = 65535,
		}
	);
	return play_spring(play, 1);
}

// Every descriptor leads to the next, the last to the first.
static int loop_of(struct play *play, uint32_t size)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	for (uint32_t i = 0; i < tx_queue(play)->size; i++)
		play_fill(play, (uint16_t)i, size, FRONT_DESC_NEXT);
	return play_spring(play, (uint16_t)tx_queue(play)->size);
}

static int play_chain_loop(struct play *play)
{
	return loop_of(play, 16);
}

static int play_empty_loop(struct play *play)
{
	return loop_of(play, 0);
}

// A good frame with descriptors of no bytes before, between and behind its parts.
static int play_empty_descs(struct play *play)
{
	static const uint32_t size[] = {0, 0, HEADER_SIZE, 0, 0, 60, 0, 0};
	const uint16_t count = sizeof(size) / sizeof(size[0]);
	uint64_t addr;
	int r = play_start_ring(play);

	if (r)
		return r;
	play_write_frame(play);
	addr = tx_queue(play)->buffer[0].gpa;
	for (uint16_t i = 0; i < count; i++) {
		const struct front_desc desc = {
			.addr = size[i] ? addr : UINT64_MAX,
			.size = size[i],
			.flags = i + 1 < count ? FRONT_DESC_NEXT : 0,
			.next = (uint16_t)(i + 1),
		};
		addr += size[i];
		play_put(play, i, &desc);
	}
	r = play_spring(play, count);
	return r;
}

static int one_desc(struct play *play, uint64_t addr, uint32_t size, uint16_t flags)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	play_put(play, 0, &(struct front_desc){.addr = addr, .size = size, .flags = flags});
	return play_spring(play, 1);
}

static int play_buffer_outside(struct play *play)
{
	return one_desc(play, 1ull << 60, 100, 0);
}

static int play_buffer_wraps(struct play *play)
{
	return one_desc(play, UINT64_MAX - 50, 100, 0);
}

// From the end of one region into the gap behind it.
static int play_buffer_across(struct play *play)
{
	struct front_config config = {.regions = 2};
	int r = play_start(play, &config);
	if (r)
		return r;
	const struct front_region *region = &play->front->region[0];
	play_put(
		play, 0, &(struct front_desc){.addr = region->gpa + region->size - 50, .size = 100}
	);
	return play_spring(play, 1);
}

static int play_direction(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	play_fill(play, 0, 100, FRONT_DESC_WRITE);
	return play_spring(play, 1);
}

static int play_direction_mixed(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	play_fill(play, 0, 100, FRONT_DESC_NEXT);
	play_fill(play, 1, 100, FRONT_DESC_WRITE);
	return play_spring(play, 2);
}

// A table of two entries in the second buffer, the first of them a good frame.
static int indirect(struct play *play, uint32_t size, uint16_t flags, uint16_t inner_flags)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	struct front_queue *queue = tx_queue(play);
	struct front_desc inner = {
		.addr = queue->buffer[0].gpa, .size = HEADER_SIZE + 60, .flags = inner_flags};
	if (queue->packed) { // The flags stand where a split one has its next.
		inner.next = inner_flags;
		inner.flags = 0;
	}
	play_write_frame(play);
	memcpy(queue->buffer[1].addr, &inner, sizeof(inner));
	play_put(
		play,
		0,
		&(struct front_desc){
			.addr = queue->buffer[1].gpa,
			.size = size,
			.flags = (uint16_t)(FRONT_DESC_INDIRECT | flags),
			.next = 1,
		}
	);
	if (!(flags & FRONT_DESC_NEXT))
		return play_spring(play, 1);
	play_fill(play, 1, 100, 0);
	return play_spring(play, 2);
}

static int play_indirect_nested(struct play *play)
{
	return indirect(play, 16, 0, FRONT_DESC_INDIRECT);
}

static int play_indirect_next(struct play *play)
{
	return indirect(play, 16, FRONT_DESC_NEXT, 0);
}

static int play_indirect_size(struct play *play)
{
	return indirect(play, 17, 0, 0);
}

static int play_indirect_empty(struct play *play)
{
	return indirect(play, 0, 0, 0);
}

static int play_indirect_huge(struct play *play)
{
	return indirect(play, 0xfffffff0, 0, 0);
}

// A table of 32768 entries reaches beyond the region.
static int play_indirect_across(struct play *play)
{
	struct front_config config = {.regions = 2};
	int r = play_start(play, &config);
	if (r)
		return r;
	const struct front_region *region = &play->front->region[0];
	play_put(
		play,
		0,
		&(struct front_desc){
			.addr = region->gpa + region->size - 32,
			.size = 64,
			.flags = FRONT_DESC_INDIRECT,
		}
	);
	return play_spring(play, 1);
}

static int play_indirect_alien(struct play *play)
{
	struct front_config config = {
		.features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_PROTOCOL_FEATURES};
	int r = play_start(play, &config);
	if (r)
		return r;
	play_fill(play, 0, 16, FRONT_DESC_INDIRECT);
	return play_spring(play, 1);
}

static int play_same_head(struct play *play)
{
	int r = play_start_ring(play);

	for (uint32_t i = 0; !r && i < tx_queue(play)->size / 2; i++) {
		play_fill(play, 0, 100, 0);
		r = play_spring(play, 1);
	}
	return r;
}

// Addresses, sizes and flags that change while they are read. The last ones stay, so that they are met in any case.
static int play_flipping(struct play *play)
{
	uint64_t count = play_count(play, 5000, 1000000);
	int r = play_start_ring(play);

	while (!r && count-- && !play_is_closed(play)) {
		struct front_queue *queue = tx_queue(play);
		struct front_packed_desc *packed = &queue->ring[queue->avail_idx % queue->size];
		volatile uint64_t *addr = queue->packed ? &packed->addr : &queue->desc[0].addr;
		volatile uint32_t *size = queue->packed ? &packed->size : &queue->desc[0].size;
		play_fill(play, 0, 100, 0);
		r = play_spring(play, 1);
		*size = count % 2 ? 100 : UINT32_MAX;
		*addr = count % 3 ? queue->buffer[0].gpa : UINT64_MAX;
		if (!r && count % 64 == 0) // More than the ring holds would be another case.
			r = play_await_used(play);
	}
	if (!r)
		play_fill(play, 0, UINT32_MAX, FRONT_DESC_NEXT);
	return r ? r : play_spring(play, 1);
}

static int storm(struct play *play)
{
	uint64_t count = play_count(play, 20000, 10000000);
	int r = 0;

	while (!r && count--)
		r = play_kick(play, TX);
	return r;
}

static int play_kick_storm(struct play *play)
{
	int r = play_start_ring(play);
	return r ? r : storm(play);
}

// Nothing ever comes: the queue would sleep, and each kick wakes it for nothing.
static int play_kick_storm_idle(struct play *play)
{
	int r = play_start(play, NULL);
	return r ? r : storm(play);
}

// What both sides want to hear of, at random, over each other's words (virtio 1.1, 2.6.7, 2.6.10, 2.7.14).
static int play_events_scribbled(struct play *play)
{
	struct front_config config = {.layout = FRONT_APART, .with_calls = true};
	uint64_t count = play_count(play, 5000, 1000000);
	unsigned int seed = 1;

	config.features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_RING_EVENT_IDX |
		VHOST_FEATURE_MRG_RXBUF | VHOST_FEATURE_PROTOCOL_FEATURES;
	int r = play_start(play, &config);
	while (!r && count-- && !play_is_closed(play)) {
		struct front_queue *queue = tx_queue(play);
		uint32_t words[2] = {(uint32_t)rand_r(&seed), (uint32_t)rand_r(&seed)};
		void *own = queue->packed ? (void *)queue->driver
					  : (void *)&queue->avail->ring[queue->size];
		void *theirs = queue->packed ? (void *)queue->device
					     : (void *)&queue->used->ring[queue->size];
		memcpy(own, &words[0], queue->packed ? 4 : 2);
		memcpy(theirs, &words[1], queue->packed ? 4 : 2);
		r = play_send_frame(play, 60);
		if (r == -EAGAIN)
			r = 0;
		if (count % 16 == 0)
			front_kick(play->front, TX);
	}
	return r;
}

// Behind the scribbles all that was sent is still taken, if the back end is asked to look.
static int judge_events(struct play *play)
{
	int r = play_kick(play, TX);
	return r ? r : play_await_sent(play);
}

static int play_used_scribbled(struct play *play)
{
	uint64_t count = play_count(play, 2000, 1000000);
	int r = play_start_ring(play);

	while (!r && count-- && !play_is_closed(play)) {
		struct front_queue *queue = tx_queue(play);
		memset(queue->used, (int)count, 4 + 8ul * queue->size);
		play_fill(play, 0, 100, 0);
		r = play_spring(play, 1);
		if (!r && count % 64 == 0)
			r = play_await_used(play);
	}
	return r ? r : play_await_used(play);
}

#define HEAD QUARANTINED("outside of its table")
#define ENDLESS QUARANTINED("longer than its table")
#define OUTSIDE QUARANTINED("outside of the shared memory")
#define MALFORMED QUARANTINED("indirect descriptor is malformed")
#define WRONG_WAY QUARANTINED("writable where readable is due")

// A case a row.
// clang-format off
const struct hostile_case ring_cases[] = {
	{30, "index-jump", "the available index jumps by more than the size", play_index_jump,
	 .split = QUARANTINED("jumped")},
	{31, "head-range", "a head outside of the table", play_head_range,
	 .split = HEAD},
	{31, "next-range", "a next index outside of the table", play_next_range,
	 .split = HEAD},
	{32, "chain-loop", "a chain that leads into itself", play_chain_loop,
	 .split = ENDLESS, .packed = ENDLESS},
	{32, "empty-loop", "the same with descriptors of no bytes", play_empty_loop,
	 .split = ENDLESS, .packed = ENDLESS},
	{32, "empty-descs", "descriptors of no bytes, at no address", play_empty_descs,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{33, "indirect-nested", "an indirect table in an indirect table", play_indirect_nested,
	 .split = MALFORMED, .packed = HARMLESS, .judge = judge_alive},
	{33, "indirect-next", "an indirect descriptor with a next one", play_indirect_next,
	 .split = MALFORMED, .packed = MALFORMED},
	{33, "indirect-size", "an indirect table of 17 bytes", play_indirect_size,
	 .split = MALFORMED, .packed = MALFORMED},
	{33, "indirect-empty", "an indirect table of no bytes", play_indirect_empty,
	 .split = MALFORMED, .packed = MALFORMED},
	{33, "indirect-huge", "an indirect table of 4 GiB", play_indirect_huge,
	 .split = MALFORMED, .packed = MALFORMED},
	{33, "indirect-across", "an indirect table across regions", play_indirect_across,
	 .split = OUTSIDE, .packed = OUTSIDE},
	{33, "indirect-alien", "an indirect table that was not negotiated", play_indirect_alien,
	 .split = MALFORMED, .packed = MALFORMED},
	{34, "buffer-outside", "a buffer outside of memory", play_buffer_outside,
	 .split = OUTSIDE, .packed = OUTSIDE},
	{34, "buffer-wraps", "a buffer whose address wraps", play_buffer_wraps,
	 .split = OUTSIDE, .packed = OUTSIDE},
	{34, "buffer-across", "a buffer across regions", play_buffer_across,
	 .split = OUTSIDE, .packed = OUTSIDE},
	{37, "flipping", "descriptors that change while they are read", play_flipping,
	 .split = QUARANTINED("a"), .packed = QUARANTINED("a")},
	{39, "direction", "a writable buffer on the transmit ring", play_direction,
	 .split = WRONG_WAY, .packed = WRONG_WAY},
	{39, "direction-mixed", "a readable buffer, then a writable one", play_direction_mixed,
	 .split = WRONG_WAY, .packed = WRONG_WAY},
	{40, "same-head", "the same head many times", play_same_head,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{44, "used-scribbled", "writes over the used ring", play_used_scribbled,
	 .split = HARMLESS, .judge = judge_alive},
	{44, "events-scribbled", "random words over both event areas", play_events_scribbled,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_events},
	{45, "kick-storm", "10,000,000 kicks", play_kick_storm,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{45, "kick-storm-idle", "10,000,000 kicks for nothing", play_kick_storm_idle,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{0},
};
// clang-format on
