// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases that only packed rings have (virtio 1.1, 2.7).
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TX 1

static struct front_queue *tx_queue(struct play *play)
{
	return &play->front->queue[TX];
}

static int start(struct play *play)
{
	play->packed = true;
	return play_start_ring(play);
}

// Flags as no counter has them: the back end sees nothing, or what is not there.
static int play_wrap_flags(struct play *play)
{
	uint64_t count = play->count ? play->count : 100000;
	unsigned int seed = 1;
	int r = start(play);

	while (!r && count-- && !play_is_closed(play)) {
		struct front_queue *queue = tx_queue(play);
		uint32_t i = (uint32_t)rand_r(&seed) % queue->size;
		queue->ring[i].flags ^= rand_r(&seed) % 2 ? FRONT_DESC_AVAIL : FRONT_DESC_USED;
		if (count % 64 == 0)
			front_kick(play->front, TX);
	}
	return r;
}

// Every word of the ring at random, again and again: ids, flags, chains without an end.
static int play_ring_scribbled(struct play *play)
{
	uint64_t count = play->count ? play->count : 2000;
	unsigned int seed = 1;
	int r = start(play);

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
		front_kick(play->front, TX);
	}
	return r;
}

// The id is the driver's own: it comes back as it is.
static int play_id_range(struct play *play)
{
	int r = start(play);
	if (r)
		return r;
	struct front_queue *queue = tx_queue(play);
	for (uint32_t i = 0; i < queue->size && !r; i++) {
		const struct front_desc desc = {.addr = queue->buffer[0].gpa, .size = 100};
		play_put(play, 0, &desc);
		queue->ring[queue->avail_idx].id = UINT16_MAX;
		r = play_spring(play, 1);
	}
	return r;
}

// A chain whose next descriptor was not made available.
static int play_next_missing(struct play *play)
{
	int r = start(play);
	if (r)
		return r;
	const struct front_desc desc = {
		.addr = tx_queue(play)->buffer[0].gpa, .size = 100, .flags = FRONT_DESC_NEXT};
	play_put(play, 0, &desc);
	return play_spring(play, 1);
}

static int set_base(struct play *play, uint32_t base)
{
	struct message_ring_state state = {TX, base};
	int r = start(play);
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

static int play_queue_size_0(struct play *play)
{
	struct message_ring_state state = {TX, 0};
	int r = start(play);
	return r ? r : front_request(play->front, MESSAGE_SET_VRING_NUM, &state, sizeof(state));
}

const struct hostile_case packed_cases[] = {
	{"packed-wrap-flags", "packed: flags as no wrap counter has them", play_wrap_flags},
	{"packed-ring-scribbled", "packed: every descriptor at random", play_ring_scribbled},
	{"packed-id-range", "packed: buffer ids beyond the size", play_id_range},
	{"packed-next-missing", "packed: a chain without its second descriptor", play_next_missing},
	{"packed-base-wrap", "packed: a place with the wrong wrap counter", play_base_wrap},
	{"packed-base-range", "packed: a place beyond the ring", play_base_range},
	{"packed-size-0", "packed: a ring without entries", play_queue_size_0},
	{0},
};
