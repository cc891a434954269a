// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases that only packed rings have (virtio 1.1, 2.7).
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct front_queue *tx_queue(struct play *play)
{
	return &play->front->queue[TX];
}

// Flags as no counter has them: the back end sees nothing, or what is not there.
static int play_wrap_flags(struct play *play)
{
	uint64_t count = play_count(play, 20000, 1000000);
	unsigned int seed = 1;
	int r = play_start_ring(play);

	while (!r && count-- && !play_is_closed(play)) {
		struct front_queue *queue = tx_queue(play);
		uint32_t i = (uint32_t)rand_r(&seed) % queue->size;
		queue->ring[i].flags ^= rand_r(&seed) % 2 ? FRONT_DESC_AVAIL : FRONT_DESC_USED;
		if (count % 64 == 0)
			r = play_kick(play, TX);
	}
	return r;
}

// Every word of the ring at random, again and again: ids, flags, chains without an end.
static int play_ring_scribbled(struct play *play)
{
	uint64_t count = play_count(play, 10000, 1000000);
	unsigned int seed = 1;
	int r = play_start_ring(play);

	while (!r && count-- && !play_is_closed(play)) {
		struct front_queue *queue = tx_queue(play);
		for (uint32_t i = 0; i < queue->size; i++) {
			queue->ring[i] = (struct front_packed_desc){
				.addr = queue->buffer[i % queue->slots].gpa,
				.size = (uint32_t)rand_r(&seed) % 2048,
				.id = (uint16_t)rand_r(&seed),
				.flags = (uint16_t)rand_r(&seed),
			};
		}
		r = play_kick(play, TX);
	}
	return r;
}

// The id is the driver's own: it comes back as it is.
static int play_id_range(struct play *play)
{
	int r = play_start_ring(play);

	for (uint32_t i = 0; !r && i < tx_queue(play)->size; i++) {
		struct front_queue *queue = tx_queue(play);
		play_fill(play, 0, 100, 0);
		queue->ring[queue->avail_idx].id = UINT16_MAX;
		r = play_spring(play, 1);
	}
	return r;
}

static int judge_id_range(struct play *play)
{
	int r = play_await_used(play);

	for (uint32_t i = 0; !r && i < tx_queue(play)->size; i++)
		if (tx_queue(play)->ring[i].id != UINT16_MAX)
			r = -EBADMSG;
	return r ? r : judge_alive(play);
}

// A chain whose second descriptor was not made available: with the first it is (2.7.13), whatever it says.
static int play_next_missing(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	play_fill(play, 0, 100, FRONT_DESC_NEXT);
	return play_spring(play, 1);
}

static int set_base(struct play *play, uint32_t base)
{
	struct message_ring_state state = {TX, base};
	int r = play_start_ring(play);
	return r ? r : front_request(play->front, MESSAGE_SET_VRING_BASE, &state, sizeof(state));
}

// The ring as it was is read with the other wrap counter.
static int play_base_wrap(struct play *play)
{
	return set_base(play, 0);
}

static int play_base_range(struct play *play)
{
	return set_base(play, 0xffffffff);
}

// Both halves different: nothing is in the air, so only one can be right.
static int play_base_halves(struct play *play)
{
	return set_base(play, 0x80028001);
}

// A case a row.
// clang-format off
const struct hostile_case packed_cases[] = {
	{19, "base-wrap", "a place with the wrong wrap counter", play_base_wrap,
	 .packed = HARMLESS, .judge = judge_sync},
	{19, "base-range", "a place beyond the ring", play_base_range,
	 .packed = QUARANTINED("at index 32767")},
	{19, "base-halves", "a place with halves that differ", play_base_halves,
	 .packed = HARMLESS, .judge = judge_sync},
	{31, "id-range", "buffer ids beyond the size", play_id_range,
	 .packed = HARMLESS, .judge = judge_id_range},
	{43, "wrap-flags", "flags as no wrap counter has them", play_wrap_flags,
	 .packed = HARMLESS, .judge = judge_sync},
	{43, "ring-scribbled", "every descriptor at random", play_ring_scribbled,
	 .packed = QUARANTINED("a")},
	{43, "next-missing", "a chain without its second descriptor", play_next_missing,
	 .packed = HARMLESS, .judge = judge_sync},
	{0},
};
// clang-format on
