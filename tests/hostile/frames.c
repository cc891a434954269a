// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of single frames: too long, too short, in odd pieces, with requests that make no sense, changed while they are
// looked at.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_SIZE 60

static struct front_queue *tx_queue(struct play *play)
{
	return &play->front->queue[TX];
}

// Sound in all but its length: 6.4 GB out of one sparse region.
static int play_huge_chain(struct play *play)
{
	struct front_config config = {.frame_size_max = 1 << 20};
	const uint16_t count = 200;
	int r = play_start(play, &config);

	if (r)
		return r;
	const struct front_region *region = &play->front->region[0];
	for (uint16_t i = 0; i < count; i++) {
		const struct front_desc desc = {
			.addr = region->gpa,
			.size = 32 << 20,
			.flags = i + 1 < count ? FRONT_DESC_NEXT : 0,
			.next = (uint16_t)(i + 1),
		};
		play_put(play, i, &desc);
	}
	return play_spring(play, count);
}

// A table of more descriptors than any frame has, of a byte each.
static int play_many_descs(struct play *play)
{
	const uint16_t count = 2000;
	int r = play_start_ring(play);

	if (r)
		return r;
	struct front_queue *queue = tx_queue(play);
	struct front_desc *table = (void *)queue->buffer[1].addr;
	for (uint16_t i = 0; i < count; i++) {
		table[i] = (struct front_desc){.addr = queue->buffer[0].gpa, .size = 1};
		if (!queue->packed && i + 1 < count) {
			table[i].flags = FRONT_DESC_NEXT;
			table[i].next = (uint16_t)(i + 1);
		}
	}
	play_put(
		play,
		0,
		&(struct front_desc){
			.addr = queue->buffer[1].gpa,
			.size = 16u * count,
			.flags = FRONT_DESC_INDIRECT,
		}
	);
	return play_spring(play, 1);
}

// One byte more than a frame has at most, in one buffer.
static int play_long_frame(struct play *play)
{
	struct front_config config = {.frame_size_max = 128 << 10};
	int r = play_start(play, &config);
	if (r)
		return r;
	play_fill(play, 0, HEADER_SIZE + FRAME_SIZE_MAX + 1, 0);
	return play_spring(play, 1);
}

static int play_beyond_mtu(struct play *play)
{
	struct front_config config = {.frame_size_max = 32 << 10};
	int r = play_start(play, &config);
	if (r)
		return r;
	play_write_frame(play);
	play_fill(play, 0, HEADER_SIZE + 10000, 0);
	return play_spring(play, 1);
}

// A good frame in pieces of these sizes, the last of which is the rest.
static int in_pieces(struct play *play, uint32_t piece)
{
	int r = play_start_ring(play);
	uint32_t left = HEADER_SIZE + FRAME_SIZE;
	uint16_t count = 0;

	if (r)
		return r;
	uint64_t addr = tx_queue(play)->buffer[0].gpa;
	play_write_frame(play);
	while (left) {
		uint32_t size = left < piece ? left : piece;
		left -= size;
		const struct front_desc desc = {
			.addr = addr,
			.size = size,
			.flags = left ? FRONT_DESC_NEXT : 0,
			.next = (uint16_t)(count + 1),
		};
		play_put(play, count++, &desc);
		addr += size;
	}
	return play_spring(play, count);
}

static int play_header_3(struct play *play)
{
	return in_pieces(play, 4);
}

static int play_bytes_alone(struct play *play)
{
	return in_pieces(play, 1);
}

static int of_size(struct play *play, uint32_t size)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	play_fill(play, 0, size, 0);
	return play_spring(play, 1);
}

static int play_short_chain(struct play *play)
{
	return of_size(play, 5);
}

static int play_short_frame(struct play *play)
{
	return of_size(play, HEADER_SIZE + 13);
}

static int play_alien_source(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	play_write_frame(play);
	tx_queue(play)->buffer[0].addr[HEADER_SIZE + 6 + 5] = 0; // A neighbour's.
	play_fill(play, 0, HEADER_SIZE + FRAME_SIZE, 0);
	return play_spring(play, 1);
}

// The source address is that of a neighbour every other moment. Whoever gets the frame must not see that one.
static int play_source_flipping(struct play *play)
{
	uint64_t count = play_count(play, 5000, 1000000);
	int r = play_start_ring(play);

	if (r)
		return r;
	play_write_frame(play);
	volatile uint8_t *last = &tx_queue(play)->buffer[0].addr[HEADER_SIZE + 6 + 5];
	while (!r && count--) {
		play_fill(play, 0, HEADER_SIZE + FRAME_SIZE, 0);
		r = play_spring(play, 1);
		for (int i = 0; i < 10; i++)
			*last = i % 2 ? play->mac[5] : 0;
		if (!r && count % 64 == 0)
			r = play_await_used(play);
	}
	return r;
}

static int start_offloads(struct play *play)
{
	struct front_config config = {
		.features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_PROTOCOL_FEATURES |
			VHOST_FEATURE_MRG_RXBUF | VHOST_FEATURE_CSUM | VHOST_FEATURE_HOST_TSO4 |
			VHOST_FEATURE_HOST_TSO6,
	};
	return play_start(play, &config);
}

static int send_request(struct play *play, const struct frame_offload *offload)
{
	play_write_frame(play);
	memcpy(tx_queue(play)->buffer[0].addr, offload, sizeof(*offload));
	play_fill(play, 0, HEADER_SIZE + FRAME_SIZE, 0);
	return play_spring(play, 1);
}

static int request(struct play *play, const struct frame_offload *offload)
{
	int r = start_offloads(play);
	return r ? r : send_request(play, offload);
}

static int play_csum_start(struct play *play)
{
	const struct frame_offload offload = {
		.flags = FRAME_F_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535};
	return request(play, &offload);
}

// Over the addresses that the frame was judged by.
static int play_csum_head(struct play *play)
{
	const struct frame_offload offload = {.flags = FRAME_F_NEEDS_CSUM};
	return request(play, &offload);
}

static int play_gso_0(struct play *play)
{
	const struct frame_offload offload = {
		.flags = FRAME_F_NEEDS_CSUM, .gso_type = FRAME_GSO_TCPV4, .csum_start = 34};
	return request(play, &offload);
}

static int play_gso_garbage(struct play *play)
{
	struct frame_offload offload;
	memset(&offload, 0x7f, sizeof(offload));
	return request(play, &offload);
}

static int play_offload_alien(struct play *play)
{
	const struct frame_offload offload = {
		.flags = FRAME_F_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535};
	int r = play_start_ring(play);
	return r ? r : send_request(play, &offload);
}

static int play_offload_flipping(struct play *play)
{
	const struct frame_offload bad = {
		.flags = FRAME_F_NEEDS_CSUM, .gso_type = FRAME_GSO_TCPV4, .csum_start = 65535};
	uint64_t count = play_count(play, 5000, 1000000);
	int r = start_offloads(play);

	while (!r && count--) {
		play_write_frame(play);
		play_fill(play, 0, HEADER_SIZE + FRAME_SIZE, 0);
		r = play_spring(play, 1);
		memcpy(tx_queue(play)->buffer[0].addr, &bad, sizeof(bad));
		if (!r && count % 64 == 0)
			r = play_await_used(play);
	}
	return r ? r : send_request(play, &bad);
}

#define OFFLOAD DROPPED("offload")

// A case a row.
// clang-format off
const struct hostile_case frame_cases[] = {
	{35, "huge-chain", "a chain of more than 2^32 bytes", play_huge_chain,
	 .split = DROPPED("long"), .packed = DROPPED("long"), .judge = judge_alive},
	{35, "many-descs", "a frame in 2000 pieces", play_many_descs,
	 .split = DROPPED("long"), .packed = DROPPED("long"), .judge = judge_alive},
	{35, "long-frame", "a byte more than a frame may have", play_long_frame,
	 .split = DROPPED("long"), .packed = DROPPED("long"), .judge = judge_alive},
	{35, "beyond-mtu", "more than the network's MTU", play_beyond_mtu,
	 .split = DROPPED("mtu"), .packed = DROPPED("mtu"), .judge = judge_alive},
	{36, "header-3", "the header across 3 descriptors", play_header_3,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{36, "bytes-alone", "every byte in a descriptor of its own", play_bytes_alone,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{36, "short-chain", "a chain shorter than the header", play_short_chain,
	 .split = DROPPED("short"), .packed = DROPPED("short"), .judge = judge_alive},
	{36, "short-frame", "a frame of 13 bytes", play_short_frame,
	 .split = DROPPED("short"), .packed = DROPPED("short"), .judge = judge_alive},
	{37, "alien-source", "a neighbour's source address", play_alien_source,
	 .split = DROPPED("source_address"), .packed = DROPPED("source_address"), .judge = judge_alive},
	{37, "source-flipping", "a source address that changes while it is read", play_source_flipping,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{38, "csum-start", "a checksum beyond the frame", play_csum_start,
	 .split = OFFLOAD, .packed = OFFLOAD, .judge = judge_alive},
	{38, "csum-head", "a checksum over the addresses", play_csum_head,
	 .split = OFFLOAD, .packed = OFFLOAD, .judge = judge_alive},
	{38, "gso-0", "segments of no bytes", play_gso_0,
	 .split = OFFLOAD, .packed = OFFLOAD, .judge = judge_alive},
	{38, "gso-garbage", "a request that is garbage", play_gso_garbage,
	 .split = OFFLOAD, .packed = OFFLOAD, .judge = judge_alive},
	{38, "offload-alien", "a request that was not negotiated", play_offload_alien,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{38, "offload-flipping", "a request that changes after it was read", play_offload_flipping,
	 .split = OFFLOAD, .packed = OFFLOAD, .judge = judge_alive},
	{0},
};
// clang-format on
