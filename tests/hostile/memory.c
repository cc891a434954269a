// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of shared memory: malformed regions and tables, tables without end, memory that is taken back.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// A table of `count` regions as announced, `described` of them there, with `fd_count` descriptors.
static int send_table(
	struct play *play,
	uint32_t count,
	uint32_t described,
	uint32_t fd_count,
	const struct message_region *first
)
{
	struct message_regions table = {.count = count};
	struct message_header header = {
		.request = MESSAGE_SET_MEM_TABLE,
		.flags = MESSAGE_VERSION | MESSAGE_NEED_REPLY,
		.size = (uint32_t)(8 + described * sizeof(struct message_region)),
	};
	int fds[MESSAGE_FDS_MAX];

	for (uint32_t i = 0; i < described; i++)
		table.region[i] = front_region_message(play->front, i);
	for (uint32_t i = 0; i < fd_count; i++)
		fds[i] = play->front->region[i].fd;
	if (first)
		table.region[0] = *first;
	return front_message(play->front, &header, &table, fds, fd_count);
}

static int start_regions(struct play *play, uint32_t count)
{
	struct front_config config = {.regions = count};
	return play_start(play, &config);
}

static int play_regions_0(struct play *play)
{
	int r = start_regions(play, 1);
	return r ? r : send_table(play, 0, 1, 1, NULL);
}

static int play_regions_9(struct play *play)
{
	int r = start_regions(play, 8);
	return r ? r : send_table(play, 9, 8, 8, NULL);
}

static int play_regions_max(struct play *play)
{
	int r = start_regions(play, 8);
	return r ? r : send_table(play, UINT32_MAX, 8, 8, NULL);
}

static int play_regions_fds(struct play *play)
{
	int r = start_regions(play, 8);
	return r ? r : send_table(play, 8, 8, 7, NULL);
}

// A running front end's table again, with its first region changed.
static int play_region(struct play *play, const struct message_region *change)
{
	int r = start_regions(play, 2);
	if (r)
		return r;
	struct message_region region = front_region_message(play->front, 0);
	region.gpa += change->gpa;
	region.size += change->size;
	region.user += change->user;
	region.offset += change->offset;
	return send_table(play, 2, 2, 2, &region);
}

static int play_beyond(struct play *play)
{
	return play_region(play, &(struct message_region){.size = 4096});
}

static int play_wraps(struct play *play)
{
	return play_region(play, &(struct message_region){.offset = UINT64_MAX - 4095});
}

static int play_gpa_wraps(struct play *play)
{
	return play_region(play, &(struct message_region){.gpa = -0x101000ull});
}

static int play_user_wraps(struct play *play)
{
	int r = start_regions(play, 2);
	if (r)
		return r;
	struct message_region region = front_region_message(play->front, 0);
	region.user = UINT64_MAX - 4095;
	return send_table(play, 2, 2, 2, &region);
}

static int resized(struct play *play, uint64_t size)
{
	int r = start_regions(play, 2);
	if (r)
		return r;
	struct message_region region = front_region_message(play->front, 0);
	region.size = size;
	return send_table(play, 2, 2, 2, &region);
}

static int play_empty(struct play *play)
{
	return resized(play, 0);
}

static int play_huge(struct play *play)
{
	return resized(play, UINT64_MAX);
}

// A sparse file that is as large, of which nothing is there.
static int play_terabytes(struct play *play)
{
	int r = start_regions(play, 2);
	if (r)
		return r;
	struct message_region region = front_region_message(play->front, 0);
	region.size = 2ull << 40;
	region.gpa = 1ull << 50;
	if (ftruncate(play->front->region[0].fd, (off_t)region.size))
		return -errno;
	return send_table(play, 2, 2, 2, &region);
}

static int play_overlap(struct play *play)
{
	int r = start_regions(play, 2);
	if (r)
		return r;
	struct message_region region = front_region_message(play->front, 0);
	region.gpa = play->front->region[1].gpa + 4096;
	return send_table(play, 2, 2, 2, &region);
}

static int play_user_overlap(struct play *play)
{
	int r = start_regions(play, 2);
	if (r)
		return r;
	struct message_region region = front_region_message(play->front, 0);
	region.user = (uintptr_t)play->front->region[1].addr + 4096;
	return send_table(play, 2, 2, 2, &region);
}

// Each as a good front end would send it, with an answer each, while its rings run.
static int play_tables(struct play *play)
{
	uint64_t count = play_count(play, 200, 10000);
	int r = start_regions(play, 8);

	while (!r && count--) {
		union message_body ack;
		(void)play_send_frame(play, 60); // The ring may be full.
		front_kick(play->front, TX);
		r = send_table(play, 8, 8, 8, NULL);
		if (!r)
			r = front_reply(play->front, MESSAGE_SET_MEM_TABLE, &ack);
	}
	return r;
}

// 8 descriptors with each, without waiting for anything.
static int play_tables_flood(struct play *play)
{
	struct message_regions table = {.count = 8};
	struct message_header header = {
		.request = MESSAGE_SET_MEM_TABLE, .flags = MESSAGE_VERSION, .size = sizeof(table)};
	uint64_t count = play_count(play, 500, 100000);
	int fds[MESSAGE_FDS_MAX];
	int r = start_regions(play, 8);

	for (uint32_t i = 0; i < 8 && !r; i++) {
		table.region[i] = front_region_message(play->front, i);
		fds[i] = play->front->region[i].fd;
	}
	while (!r && count--)
		r = front_message(play->front, &header, &table, fds, MESSAGE_FDS_MAX);
	return r;
}

static int add_region(struct play *play, uint32_t request, uint32_t region)
{
	struct message_slot slot = {.region = front_region_message(play->front, region)};
	int fd = request == MESSAGE_ADD_MEM_REG ? play->front->region[region].fd : -1;
	int r = front_request_ack(play->front, request, &slot, sizeof(slot), fd);
	return r > 0 ? -EPROTO : r;
}

// REM_MEM_REG of the region that holds the rings, while they run.
static int play_ring_removed(struct play *play)
{
	struct front_config config = {.regions = 2, .add_regions = true};
	int r = play_start(play, &config);
	if (!r)
		r = add_region(play, MESSAGE_REM_MEM_REG, 0);
	if (!r)
		r = play_send_frame(play, 60);
	if (!r)
		front_kick(play->front, TX);
	return r;
}

// Nothing was taken without memory, and the rings go on where they stood when it is back.
static int judge_ring_removed(struct play *play)
{
	if (front_in_flight(play->front, 0) != 1)
		return -EPROTO;
	int r = add_region(play, MESSAGE_ADD_MEM_REG, 0);
	if (!r)
		front_kick(play->front, TX);
	return r ? r : play_await_sent(play);
}

// A table that fails, of which an answer is wanted: what runs on the old one must not go on with neither.
static int play_table_failing(struct play *play)
{
	int r = play_beyond(play);
	if (r)
		return r;
	union message_body ack;
	r = front_reply(play->front, MESSAGE_SET_MEM_TABLE, &ack);
	return r ? r : -EPROTO; // Neither an answer nor success.
}

// The same with one region more: that is refused, and what was there stays.
static int play_region_failing(struct play *play)
{
	struct front_config config = {.regions = 2, .add_regions = true};
	int r = play_start(play, &config);
	if (r)
		return r;
	struct message_slot slot = {.region = front_region_message(play->front, 1)};
	slot.region.size += 4096;
	int fd = play->front->region[1].fd;
	r = front_request_ack(play->front, MESSAGE_ADD_MEM_REG, &slot, sizeof(slot), fd);
	if (r < 0)
		return r;
	return r > 0 ? 0 : -EPROTO;
}

static int play_regions_many(struct play *play)
{
	struct front_config config = {.regions = 1, .add_regions = true};
	int refused = 0;
	int r = play_start(play, &config);

	for (uint64_t i = 1; i < 300 && r >= 0; i++) {
		struct message_slot slot = {.region = front_region_message(play->front, 0)};
		slot.region.gpa += i << 32;
		slot.region.user += i << 32;
		int fd = play->front->region[0].fd;
		r = front_request_ack(play->front, MESSAGE_ADD_MEM_REG, &slot, sizeof(slot), fd);
		refused += r > 0;
	}
	if (r < 0)
		return r;
	return refused == 300 - VRING_REGIONS_MAX ? 0 : -EPROTO;
}

static int shrink(struct play *play, uint32_t region)
{
	int r = start_regions(play, 2);

	for (int i = 0; i < 32 && !r; i++)
		r = play_send_frame(play, 1000);
	if (!r && ftruncate(play->front->region[region].fd, 0))
		r = -errno;
	return r ? r : play_kick(play, TX); // Rings may be gone for us as well.
}

static int play_shrunk_rings(struct play *play)
{
	return shrink(play, 0);
}

static int play_shrunk_buffers(struct play *play)
{
	return shrink(play, 1);
}

// A place of a transmit buffer in the front end's first region, with the rings.
static const struct front_buffer *first_region_buffer(const struct front *front)
{
	const struct front_region *region = &front->region[0];
	const struct front_queue *queue = &front->queue[TX];

	for (uint32_t i = 0; i < queue->slots; i++)
		if (queue->buffer[i].gpa - region->gpa < region->size)
			return &queue->buffer[i];
	return NULL;
}

// What a frame is judged by is there; what lies behind that is gone before anybody looks. It is sent several times at once, to an
// address that differs from our own in one bit; where nobody has it, to everybody.
static int shrink_payload(struct play *play, int times)
{
	struct front_config config = {.layout = FRONT_APART, .regions = 2};
	int r = play_start(play, &config);
	const struct front_buffer *buffer = r ? NULL : first_region_buffer(play->front);

	if (!buffer)
		return r ? r : -ENOENT;
	const struct front_region *gone = &play->front->region[1];
	const struct front_desc tail = {.addr = gone->gpa, .size = 1000};
	const struct front_desc head = {
		.addr = buffer->gpa,
		.size = HEADER_SIZE + FRAME_HEAD_SIZE,
		.flags = FRONT_DESC_NEXT,
		.next = 1,
	};
	memset(buffer->addr, 0, HEADER_SIZE + FRAME_HEAD_SIZE);
	memcpy(buffer->addr + HEADER_SIZE, play->mac, sizeof(play->mac));
	buffer->addr[HEADER_SIZE + sizeof(play->mac) - 1] ^= 0x80;
	memcpy(buffer->addr + HEADER_SIZE + sizeof(play->mac), play->mac, sizeof(play->mac));
	if (ftruncate(gone->fd, 0))
		return -errno;
	if (!play->front->queue[TX].packed) {
		play_put(play, 0, &head);
		play_put(play, 1, &tail);
		play_publish(play, 0, (uint16_t)times);
		return 0;
	}
	for (int i = 0; i < times && !r; i++) {
		play_put(play, 0, &head);
		play_put(play, 1, &tail);
		r = play_spring(play, 2);
	}
	return r;
}

static int play_shrunk_payload(struct play *play)
{
	return shrink_payload(play, 8);
}

static int play_shrunk_payload_one(struct play *play)
{
	return shrink_payload(play, 1);
}

// Holes instead of the rings: a split ring's index is at 0 again, which it cannot be.
static int play_punched(struct play *play)
{
	uint64_t count = play_count(play, 100, 10000);
	int r = play_start_ring(play);
	if (r)
		return r;
	const struct front_region *region = &play->front->region[0];
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	while (!r && count--) {
		(void)play_send_frame(play, 60); // Into what is left.
		if (fallocate(region->fd, mode, 0, (off_t)region->size))
			return -errno;
		r = play_kick(play, TX);
	}
	return r;
}

#define LOST QUARANTINED("took back memory")

// A case a row.
// clang-format off
const struct hostile_case memory_cases[] = {
	{5, "tables-flood", "100,000 memory tables with 8 descriptors each, at once", play_tables_flood,
	 .split = HARMLESS, .judge = judge_sync},
	{7, "regions-0", "a memory table without regions", play_regions_0,
	 .split = QUARANTINED("0 memory regions")},
	{7, "regions-9", "a memory table of 9 regions", play_regions_9,
	 .split = QUARANTINED("9 memory regions")},
	{7, "regions-max", "a memory table of 2^32-1 regions", play_regions_max,
	 .split = QUARANTINED("4294967295 memory regions")},
	{7, "regions-fds", "8 regions with 7 descriptors", play_regions_fds,
	 .split = QUARANTINED("7 descriptors")},
	{7, "regions-many", "300 regions one by one", play_regions_many,
	 .split = REFUSED, .judge = judge_alive},
	{8, "region-wraps", "a region whose offset and size wrap", play_wraps,
	 .split = QUARANTINED("wraps")},
	{8, "region-empty", "a region of no bytes", play_empty,
	 .split = QUARANTINED("of 0x0 bytes")},
	{8, "region-huge", "a region of 2^64-1 bytes", play_huge,
	 .split = QUARANTINED("of 0xffffffffffffffff bytes")},
	{8, "region-terabytes", "a sparse file of 2 TiB", play_terabytes,
	 .split = QUARANTINED("of 0x20000000000 bytes")},
	{9, "region-beyond", "a region that ends beyond its file", play_beyond,
	 .split = QUARANTINED("beyond its file")},
	{9, "shrunk-rings", "cuts off the memory of its rings", play_shrunk_rings,
	 .split = LOST, .packed = LOST},
	{9, "shrunk-buffers", "cuts off the memory of half of its buffers", play_shrunk_buffers,
	 .split = LOST, .packed = LOST},
	{9, "shrunk-payload", "cuts off what lies behind the heads of 8 frames", play_shrunk_payload,
	 .split = LOST, .packed = LOST, .flags = CASE_TAP},
	{9, "shrunk-payload-one", "the same of a single frame", play_shrunk_payload_one,
	 .split = LOST, .packed = LOST, .flags = CASE_TAP},
	{9, "punched", "punches holes into its memory 10,000 times", play_punched,
	 .split = QUARANTINED("jumped"), .packed = HARMLESS, .judge = judge_sync},
	{11, "region-gpa-wraps", "a region whose guest addresses wrap", play_gpa_wraps,
	 .split = QUARANTINED("wraps")},
	{11, "region-user-wraps", "a region whose user addresses wrap", play_user_wraps,
	 .split = QUARANTINED("wraps")},
	{11, "region-overlap", "two regions at one guest address", play_overlap,
	 .split = QUARANTINED("overlaps")},
	{11, "region-user-overlap", "two regions at one user address", play_user_overlap,
	 .split = QUARANTINED("overlaps")},
	{12, "tables", "10,000 memory tables, one after the other", play_tables,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_sync},
	{13, "table-failing", "a memory table that fails, with NEED_REPLY", play_table_failing,
	 .split = QUARANTINED("beyond its file")},
	{13, "region-failing", "a region that fails, with NEED_REPLY", play_region_failing,
	 .split = REFUSED, .judge = judge_alive},
	{14, "ring-removed", "removes the memory that its rings lie in", play_ring_removed,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_ring_removed},
	{0},
};
// clang-format on
