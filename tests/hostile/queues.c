// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of how rings are set up: index, size, place, base.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <string.h>

static int set_num(struct play *play, uint32_t index, uint32_t num)
{
	struct message_ring_state state = {index, num};
	return front_request(play->front, MESSAGE_SET_VRING_NUM, &state, sizeof(state));
}

static int play_index(struct play *play, uint32_t index)
{
	int r = play_start(play, NULL);
	return r ? r : set_num(play, index, 256);
}

static int play_index_255(struct play *play)
{
	return play_index(play, 255);
}

static int play_index_256(struct play *play)
{
	return play_index(play, 256);
}

static int play_index_max(struct play *play)
{
	return play_index(play, UINT32_MAX);
}

static int play_index_kick(struct play *play)
{
	uint64_t ring = 255;
	int r = play_start(play, NULL);
	if (r)
		return r;
	int fd = play->front->queue[TX].kick_fd;
	return front_request_fd(play->front, MESSAGE_SET_VRING_KICK, &ring, sizeof(ring), fd);
}

static int resize(struct play *play, uint32_t size)
{
	int r = play_start(play, NULL);
	return r ? r : set_num(play, TX, size);
}

static int play_size_0(struct play *play)
{
	return resize(play, 0);
}

static int play_size_3(struct play *play)
{
	return resize(play, 3);
}

static int play_size_32769(struct play *play)
{
	return resize(play, 32769);
}

// While it runs, over what lies behind it.
static int play_grown(struct play *play)
{
	return resize(play, 32768);
}

static int play_shrunk(struct play *play)
{
	return resize(play, 128);
}

// As many queues as an index can name, as large as they can be.
static int play_queues_256(struct play *play)
{
	int r = play_connect(play, NULL);

	if (!r)
		r = front_negotiate(play->front);
	for (uint32_t i = 0; i < 256 && !r; i++)
		r = set_num(play, i, 32768);
	return r;
}

// As many as the port has, as large as they can be.
static int play_queues_all(struct play *play)
{
	struct front_config config = {
		.queue_pairs = 16, .ring_size = 32768, .rx_buffer_size = 64, .frame_size_max = 64};
	return play_start(play, &config);
}

static int move_used(struct play *play, uint64_t by)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct message_ring_addr addr = front_addr_message(play->front, TX);
	addr.used += by;
	return front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
}

static int play_misaligned(struct play *play)
{
	return move_used(play, 1);
}

static int play_outside(struct play *play)
{
	return move_used(play, 1ull << 44);
}

static int play_overlap(struct play *play)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct message_ring_addr addr = front_addr_message(play->front, TX);
	addr.used = addr.desc;
	return front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
}

// The descriptors begin at the end of one region and go on in the next.
static int play_across(struct play *play)
{
	struct front_config config = {.regions = 2};
	int r = play_start(play, &config);
	if (r)
		return r;
	const struct front_region *region = &play->front->region[0];
	struct message_ring_addr addr = front_addr_message(play->front, TX);
	addr.desc = (uintptr_t)region->addr + region->size - 64;
	return front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
}

static int play_wraps(struct play *play)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct message_ring_addr addr = front_addr_message(play->front, TX);
	addr.desc = UINT64_MAX - 63;
	return front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
}

// The transmit ring is the receive ring.
static int play_aliased(struct play *play)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct message_ring_addr addr = front_addr_message(play->front, RX);
	addr.index = TX;
	r = front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
	if (!r)
		front_kick(play->front, TX);
	return r;
}

// What is used of the transmit ring is written over the receive ring's descriptors, or the other way round.
static int alias_used(struct play *play, uint32_t of, uint32_t over)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct message_ring_addr addr = front_addr_message(play->front, of);
	addr.used = (uintptr_t)play->front->queue[over].desc;
	r = front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
	if (!r)
		r = front_sync(play->front);
	for (int i = 0; i < 64 && !r; i++)
		r = play_send_frame(play, 60);
	front_kick(play->front, TX);
	return r;
}

static int play_used_over_rx(struct play *play)
{
	return alias_used(play, TX, RX);
}

static int play_used_over_tx(struct play *play)
{
	return alias_used(play, RX, TX);
}

// The used ring lies over the receive buffers.
static int play_used_over_buffers(struct play *play)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct message_ring_addr addr = front_addr_message(play->front, TX);
	addr.used = (uintptr_t)play->front->queue[RX].buffer[0].addr;
	r = front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
	if (!r)
		r = front_sync(play->front);
	for (int i = 0; i < 64 && !r; i++)
		r = play_send_frame(play, 60);
	front_kick(play->front, TX);
	return r;
}

static int set_base(struct play *play, uint32_t base)
{
	struct message_ring_state state = {TX, base};
	int r = play_start(play, NULL);
	if (!r)
		r = front_request(play->front, MESSAGE_SET_VRING_BASE, &state, sizeof(state));
	if (!r)
		front_kick(play->front, TX);
	return r;
}

static int play_base_1000(struct play *play)
{
	return set_base(play, 1000);
}

// One before the available index of an empty ring: an entry that nobody wrote.
static int play_base_65535(struct play *play)
{
	return set_base(play, 65535);
}

static int play_base_huge(struct play *play)
{
	return set_base(play, 65536);
}

// A ring is judged by what its memory says of its place, which is nonsense.
static int play_used_index(struct play *play)
{
	int r = play_connect(play, NULL);

	if (!r)
		r = front_negotiate(play->front);
	if (!r)
		r = front_share_memory(play->front);
	if (!r)
		r = front_setup_queue(play->front, TX);
	if (r)
		return r;
	play->front->queue[TX].used->idx = 5000;
	r = front_enable_queue(play->front, TX, true);
	if (!r)
		front_kick(play->front, TX);
	return r;
}

static int play_enable_2(struct play *play)
{
	struct message_ring_state state = {TX, 2};
	int r = play_start(play, NULL);
	return r ? r : front_request(play->front, MESSAGE_SET_VRING_ENABLE, &state, sizeof(state));
}

#define OUTSIDE QUARANTINED("outside of the shared memory")

// A case a row.
// clang-format off
const struct hostile_case queue_cases[] = {
	{15, "index-255", "ring 255", play_index_255,
	 .split = QUARANTINED("ring 255 of")},
	{15, "index-256", "ring 256", play_index_256,
	 .split = QUARANTINED("ring 256 of")},
	{15, "index-max", "ring 2^32-1", play_index_max,
	 .split = QUARANTINED("ring 4294967295 of")},
	{15, "index-kick", "a kick descriptor for ring 255", play_index_kick,
	 .split = QUARANTINED("ring 255 of")},
	{16, "size-0", "a ring without entries", play_size_0,
	 .split = QUARANTINED("0 entries"), .packed = QUARANTINED("0 entries")},
	{16, "size-3", "a split ring of 3 entries", play_size_3,
	 .split = QUARANTINED("3 entries")},
	{16, "size-32769", "a ring of 32769 entries", play_size_32769,
	 .split = QUARANTINED("32769 entries"), .packed = QUARANTINED("32769 entries")},
	{16, "size-grown", "a running ring grown beyond its memory", play_grown,
	 .split = QUARANTINED("descriptor"), .packed = QUARANTINED("descriptor ring")},
	{16, "size-shrunk", "a running ring made smaller", play_shrunk,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_sync},
	{17, "queues-256", "256 queues of 32768 entries", play_queues_256,
	 .split = QUARANTINED("ring 32 of 32")},
	{17, "queues-all", "all 32 queues of a port, of 32768 entries", play_queues_all,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{18, "ring-misaligned", "a used ring at an odd address", play_misaligned,
	 .split = QUARANTINED("misaligned"), .packed = QUARANTINED("misaligned")},
	{18, "ring-outside", "a used ring outside of memory", play_outside,
	 .split = OUTSIDE, .packed = OUTSIDE},
	{18, "ring-overlap", "a used ring over the descriptors", play_overlap,
	 .split = QUARANTINED("overlap"), .packed = QUARANTINED("overlap")},
	{18, "ring-across", "descriptors across two regions", play_across,
	 .split = OUTSIDE, .packed = OUTSIDE},
	{18, "ring-wraps", "descriptors whose addresses wrap", play_wraps,
	 .split = OUTSIDE, .packed = OUTSIDE},
	{18, "ring-aliased", "both rings in the same memory", play_aliased,
	 .split = QUARANTINED("writable"), .packed = QUARANTINED("writable")},
	{18, "used-over-rx", "a used ring over the other ring's descriptors", play_used_over_rx,
	 .split = QUARANTINED("writable|outside of the shared memory"), .packed = OUTSIDE, .flags = CASE_SPRAY},
	{18, "used-over-tx", "the receive ring's used ring over the transmit ring", play_used_over_tx,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_nothing, .flags = CASE_SPRAY | CASE_EITHER},
	{18, "used-over-buffers", "a used ring over receive buffers", play_used_over_buffers,
	 .split = HARMLESS, .packed = HARMLESS, .flags = CASE_SPRAY},
	{19, "base-1000", "a place that the ring cannot have", play_base_1000,
	 .split = QUARANTINED("jumped")},
	{19, "base-65535", "a place before the ring's first entry", play_base_65535,
	 .split = DROPPED("short")},
	{19, "base-65536", "a place beyond 16 bits", play_base_huge,
	 .split = QUARANTINED("at index 65536")},
	{19, "used-index", "a used index that the ring cannot have", play_used_index,
	 .split = QUARANTINED("jumped")},
	{55, "enable-2", "a ring to state 2", play_enable_2,
	 .split = QUARANTINED("to state 2")},
	{0},
};
// clang-format on
