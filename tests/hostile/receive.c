// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of the receive ring: what the back end finds there when it has a frame for us. Others send some once the
// case was played.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct front_queue *rx_queue(struct play *play)
{
	return &play->front->queue[RX];
}

static int start_size(struct play *play, uint32_t ring_size)
{
	struct front_config config = {.ring_size = ring_size};
	return play_start(play, &config);
}

// All receive buffers become the same; desc->addr 0: they stay where they are.
static void change_all(struct play *play, const struct front_desc *desc)
{
	struct front_queue *queue = rx_queue(play);

	for (uint32_t i = 0; i < queue->size; i++) {
		// Address and size lie alike in both forms.
		if (desc->addr)
			queue->desc[i].addr = desc->addr;
		queue->desc[i].size = desc->size;
		if (queue->packed) {
			queue->ring[i].flags = desc->flags | FRONT_DESC_AVAIL;
		} else {
			queue->desc[i].flags = desc->flags;
			queue->desc[i].next = desc->next;
		}
	}
}

static int change_rx(struct play *play, const struct front_desc *desc)
{
	int r = start_size(play, 256);
	if (!r)
		change_all(play, desc);
	return r;
}

// A frame of 1000 bytes would have to be spread over 1012 of them.
static int play_tiny(struct play *play)
{
	int r = start_size(play, 2048);
	if (!r)
		change_all(play, &(struct front_desc){.size = 1, .flags = FRONT_DESC_WRITE});
	return r;
}

static int play_empty(struct play *play)
{
	return change_rx(play, &(struct front_desc){.flags = FRONT_DESC_WRITE});
}

static int play_outside(struct play *play)
{
	struct front_desc desc = {.addr = 1ull << 60, .size = 2048, .flags = FRONT_DESC_WRITE};
	return change_rx(play, &desc);
}

static int play_wraps(struct play *play)
{
	struct front_desc desc = {
		.addr = UINT64_MAX - 100, .size = 2048, .flags = FRONT_DESC_WRITE};
	return change_rx(play, &desc);
}

static int play_readable(struct play *play)
{
	return change_rx(play, &(struct front_desc){.size = 2048});
}

static int play_loop(struct play *play)
{
	struct front_desc desc = {
		.size = 1, .flags = FRONT_DESC_WRITE | FRONT_DESC_NEXT, .next = 0};
	return change_rx(play, &desc);
}

static int play_indirect(struct play *play)
{
	struct front_desc desc = {.size = 17, .flags = FRONT_DESC_WRITE | FRONT_DESC_INDIRECT};
	return change_rx(play, &desc);
}

// Guest address of a place in the first region.
static uint64_t gpa_of(const struct play *play, const void *addr)
{
	const struct front_region *region = &play->front->region[0];
	return region->gpa + (uint64_t)((const uint8_t *)addr - region->addr);
}

static int over(struct play *play, uint32_t ring, bool used)
{
	int r = start_size(play, 256);
	if (r)
		return r;
	const struct front_queue *queue = &play->front->queue[ring];
	const void *place = used ? (void *)queue->used : (void *)queue->desc;
	change_all(
		play,
		&(struct front_desc
		){.addr = gpa_of(play, place), .size = 2048, .flags = FRONT_DESC_WRITE}
	);
	return 0;
}

static int play_over_ring(struct play *play)
{
	return over(play, RX, false);
}

static int play_over_used(struct play *play)
{
	return over(play, RX, true);
}

static int play_over_transmit(struct play *play)
{
	return over(play, TX, false);
}

static int play_over_frames(struct play *play)
{
	int r = start_size(play, 256);
	if (r)
		return r;
	change_all(
		play,
		&(struct front_desc){
			.addr = play->front->queue[TX].buffer[0].gpa,
			.size = 2048,
			.flags = FRONT_DESC_WRITE,
		}
	);
	for (int i = 0; i < 64 && !r; i++)
		r = play_send_frame(play, 60);
	front_kick(play->front, TX);
	return r;
}

// Takes what fits and never gives a buffer back.
static int play_full(struct play *play)
{
	return start_size(play, 64);
}

static int play_jump(struct play *play)
{
	int r = start_size(play, 256);
	if (r)
		return r;
	struct front_queue *queue = rx_queue(play);
	queue->avail_idx = (uint16_t)(queue->avail_idx + 1000);
	__atomic_store_n(&queue->avail->idx, queue->avail_idx, __ATOMIC_RELEASE);
	return 0;
}

static int play_head(struct play *play)
{
	int r = start_size(play, 256);
	for (uint32_t i = 0; !r && i < 256; i++)
		rx_queue(play)->avail->ring[i] = 256;
	return r;
}

static int play_next(struct play *play)
{
	struct front_desc desc = {
		.size = 16, .flags = FRONT_DESC_WRITE | FRONT_DESC_NEXT, .next = 65535};
	return change_rx(play, &desc);
}

static int play_used_scribbled(struct play *play)
{
	int r = start_size(play, 256);
	if (!r)
		memset(rx_queue(play)->used, 0xa5, 4 + 8ul * 256);
	return r;
}

// All that frames are delivered into is gone before one comes.
static int gone(struct play *play, bool punch)
{
	struct front_config config = {.regions = 2};
	int r = play_start(play, &config);
	if (r)
		return r;
	const struct front_region *region = &play->front->region[1];
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	r = punch ? fallocate(region->fd, mode, 0, (off_t)region->size) : ftruncate(region->fd, 0);
	return r ? -errno : 0;
}

static int play_shrunk(struct play *play)
{
	return gone(play, false);
}

static int play_punched(struct play *play)
{
	return gone(play, true);
}

// A frame came that was put where it belongs.
static int judge_received(struct play *play)
{
	uint8_t frame[2048];

	for (int i = 0; i < 64; i++) {
		int r = front_receive(play->front, 0, frame, sizeof(frame));
		if (r < 0)
			return r;
		if (r == 1000)
			return memcmp(frame, play->mac, 6) == 0 ? 0 : -EBADMSG;
	}
	return -ENOMSG;
}

#define OUTSIDE QUARANTINED("outside of the shared memory")
#define LOST QUARANTINED("took back memory")
#define WRONG_WAY QUARANTINED("writable where readable is due")

// A case a row.
// clang-format off
const struct hostile_case receive_cases[] = {
	{9, "rx-shrunk", "cuts off the memory of half of its receive buffers", play_shrunk,
	 .split = LOST, .packed = LOST, .flags = CASE_SPRAY},
	{9, "rx-punched", "punches it out", play_punched,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_received, .flags = CASE_SPRAY},
	{30, "rx-jump", "the receive ring's index jumps", play_jump,
	 .split = QUARANTINED("jumped"), .flags = CASE_SPRAY},
	{31, "rx-head", "receive heads outside of the table", play_head,
	 .split = QUARANTINED("outside of its table"), .flags = CASE_SPRAY},
	{31, "rx-next", "a next index outside of the table", play_next,
	 .split = QUARANTINED("outside of its table"), .flags = CASE_SPRAY},
	{32, "rx-loop", "receive chains without an end", play_loop,
	 .split = QUARANTINED("longer than its table"), .packed = QUARANTINED("longer than its table"), .flags = CASE_SPRAY},
	{33, "rx-indirect", "a malformed indirect table to receive in", play_indirect,
	 .split = QUARANTINED("malformed"), .packed = QUARANTINED("malformed"), .flags = CASE_SPRAY},
	{34, "rx-outside", "receive buffers outside of memory", play_outside,
	 .split = OUTSIDE, .packed = OUTSIDE, .flags = CASE_SPRAY},
	{34, "rx-wraps", "receive buffers whose addresses wrap", play_wraps,
	 .split = OUTSIDE, .packed = OUTSIDE, .flags = CASE_SPRAY},
	{39, "rx-readable", "receive buffers that may only be read", play_readable,
	 .split = WRONG_WAY, .packed = WRONG_WAY, .flags = CASE_SPRAY},
	{41, "rx-tiny", "receive buffers of 1 byte", play_tiny,
	 .split = DROPPED("buffer_too_small"), .packed = DROPPED("buffer_too_small"), .judge = judge_sync, .flags = CASE_SPRAY},
	{41, "rx-empty", "receive buffers of no bytes", play_empty,
	 .split = DROPPED("ring_full"), .packed = DROPPED("ring_full"), .judge = judge_sync, .flags = CASE_SPRAY},
	{42, "rx-over-ring", "receive buffers over its own descriptors", play_over_ring,
	 .split = QUARANTINED("a buffer"), .packed = HARMLESS, .flags = CASE_SPRAY},
	{42, "rx-over-used", "receive buffers over its own used ring", play_over_used,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_sync, .flags = CASE_SPRAY},
	{42, "rx-over-transmit", "receive buffers over its transmit ring", play_over_transmit,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_sync, .flags = CASE_SPRAY},
	{42, "rx-over-frames", "receive buffers over what it sends", play_over_frames,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_sync, .flags = CASE_SPRAY},
	{44, "rx-used-scribbled", "writes over the receive ring's used ring", play_used_scribbled,
	 .split = HARMLESS, .judge = judge_sync, .flags = CASE_SPRAY},
	{46, "rx-full", "receive buffers that are never given back", play_full,
	 .split = DROPPED("ring_full"), .packed = DROPPED("ring_full"), .judge = judge_received, .flags = CASE_SPRAY},
	{0},
};
// clang-format on
