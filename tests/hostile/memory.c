// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of shared memory: malformed regions and tables, unfit descriptors, files that shrink.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE 12

// A table of `count` regions as announced, `described` of them there, with as many descriptors.
static int send_table(
	struct play *play,
	uint32_t count,
	uint32_t described,
	const struct message_region *first,
	int first_fd
)
{
	struct message_regions table = {.count = count};
	struct message_header header = {
		.request = MESSAGE_SET_MEM_TABLE,
		.flags = MESSAGE_VERSION | MESSAGE_NEED_REPLY,
		.size = (uint32_t)(8 + described * sizeof(struct message_region)),
	};
	int fds[MESSAGE_FDS_MAX];

	for (uint32_t i = 0; i < described; i++) {
		table.region[i] = front_region_message(play->front, i);
		fds[i] = play->front->region[i].fd;
	}
	if (first) {
		table.region[0] = *first;
		fds[0] = first_fd;
	}
	return front_message(play->front, &header, &table, fds, described);
}

static int start_regions(struct play *play, uint32_t count, bool add)
{
	struct front_config config = {.regions = count, .add_regions = add};
	return play_start(play, &config);
}

static int play_regions_0(struct play *play)
{
	int r = start_regions(play, 1, false);
	return r ? r : send_table(play, 0, 1, NULL, -1);
}

static int play_regions_9(struct play *play)
{
	int r = start_regions(play, 8, false);
	return r ? r : send_table(play, 9, 8, NULL, -1);
}

static int play_regions_max(struct play *play)
{
	int r = start_regions(play, 8, false);
	return r ? r : send_table(play, UINT32_MAX, 8, NULL, -1);
}

// A running front end's table again, with its first region changed.
static int play_region(struct play *play, const struct message_region *change, int fd)
{
	int r = start_regions(play, 2, false);
	if (r)
		return r;
	struct message_region region = front_region_message(play->front, 0);
	region.gpa += change->gpa;
	region.size += change->size;
	region.user += change->user;
	region.offset += change->offset;
	return send_table(play, 2, 2, &region, fd < 0 ? play->front->region[0].fd : fd);
}

static int play_region_beyond(struct play *play)
{
	return play_region(play, &(struct message_region){.size = 4096}, -1);
}

static int play_region_wraps(struct play *play)
{
	return play_region(play, &(struct message_region){.offset = -4096ull}, -1);
}

static int play_region_gpa_wraps(struct play *play)
{
	return play_region(play, &(struct message_region){.gpa = -0x101000ull}, -1);
}

static int play_region_empty(struct play *play)
{
	uint64_t size = front_region_size(&(struct front_config){
		.ring_size = 256,
		.regions = 2,
		.queue_pairs = 1,
		.rx_buffer_size = 2048,
		.frame_size_max = 1518,
	});
	return play_region(play, &(struct message_region){.size = -size}, -1);
}

static int play_region_overlap(struct play *play)
{
	return play_region(play, &(struct message_region){.gpa = 0x10000 + 4096}, -1);
}

static int play_region_fd(struct play *play, int fd)
{
	if (fd < 0)
		return -errno;
	int r = play_region(play, &(struct message_region){0}, fd);
	(void)close(fd); // Ours; it was only sent.
	return r;
}

static int play_region_pipe(struct play *play)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	(void)close(fds[1]); // Not needed.
	return play_region_fd(play, fds[0]);
}

static int play_region_dir(struct play *play)
{
	return play_region_fd(play, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int play_region_read_only(struct play *play)
{
	return play_region_fd(play, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
}

static int play_tables(struct play *play)
{
	uint64_t count = play->count ? play->count : 10000;
	int r = start_regions(play, 8, false);

	while (!r && count--) {
		union message_body ack;
		r = send_table(play, 8, 8, NULL, -1);
		if (!r)
			r = front_reply(play->front, MESSAGE_SET_MEM_TABLE, &ack);
	}
	return r;
}

// REM_MEM_REG of the region that holds the rings, while they run.
static int play_ring_removed(struct play *play)
{
	int r = start_regions(play, 2, true);
	if (r)
		return r;
	struct message_slot slot = {.region = front_region_message(play->front, 0)};
	r = front_request_ack(play->front, MESSAGE_REM_MEM_REG, &slot, sizeof(slot), -1);
	if (r)
		return r;
	r = play_send_frame(play, 60);
	front_kick(play->front, 1);
	return r;
}

static int shrink(struct play *play, uint32_t region)
{
	int r = start_regions(play, 2, false);

	for (int i = 0; i < 32 && !r; i++)
		r = play_send_frame(play, 1000);
	// Without touching them any more: they are gone for us as well.
	int kick = play->front->queue[1].kick_fd;
	uint64_t one = 1;
	if (!r && ftruncate(play->front->region[region].fd, 0))
		r = -errno;
	if (!r && write(kick, &one, sizeof(one)) < 0)
		r = -errno;
	return r;
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
	const struct front_queue *queue = &front->queue[1];

	for (uint32_t i = 0; i < queue->slots; i++)
		if (queue->buffer[i].gpa - region->gpa < region->size)
			return &queue->buffer[i];
	return NULL;
}

// What a frame is judged by is there; what lies behind that is gone before anybody looks. It is sent several times at once, to an
// address that differs from our own in the last byte; where nobody has it, to everybody.
static int play_shrunk_payload(struct play *play)
{
	struct front_config config = {.layout = FRONT_APART, .regions = 2};
	int r = play_start(play, &config);
	const struct front_buffer *buffer = r ? NULL : first_region_buffer(play->front);

	if (!buffer)
		return r ? r : -ENOENT;
	const struct front_region *gone = &play->front->region[1];
	memset(buffer->addr, 0, HEADER_SIZE + FRAME_HEAD_SIZE);
	memcpy(buffer->addr + HEADER_SIZE, play->mac, sizeof(play->mac));
	buffer->addr[HEADER_SIZE + sizeof(play->mac) - 1] ^= 0x80;
	memcpy(buffer->addr + HEADER_SIZE + sizeof(play->mac), play->mac, sizeof(play->mac));
	play_put(
		play,
		0,
		&(struct front_desc){
			.addr = buffer->gpa,
			.size = HEADER_SIZE + FRAME_HEAD_SIZE,
			.flags = FRONT_DESC_NEXT,
			.next = 1,
		}
	);
	play_put(play, 1, &(struct front_desc){.addr = gone->gpa, .size = 1000});
	if (ftruncate(gone->fd, 0))
		return -errno;
	struct front_queue *queue = &play->front->queue[1];
	for (int i = 0; i < 8; i++)
		queue->avail->ring[queue->avail_idx++ % queue->size] = 0;
	__atomic_store_n(&queue->avail->idx, queue->avail_idx, __ATOMIC_RELEASE);
	front_kick(play->front, 1);
	return 0;
}

static int play_punched(struct play *play)
{
	int r = start_regions(play, 2, false);
	if (r)
		return r;
	const struct front_region *region = &play->front->region[0];
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	for (int i = 0; i < 1000; i++) {
		(void)play_send_frame(play, 60); // Into what is left.
		if (fallocate(region->fd, mode, 0, (off_t)region->size))
			return -errno;
	}
	return 0;
}

const struct hostile_case memory_cases[] = {
	{"regions-0", "a memory table without regions", play_regions_0},
	{"regions-9", "a memory table of 9 regions", play_regions_9},
	{"regions-max", "a memory table of 2^32-1 regions", play_regions_max},
	{"region-beyond", "a region that ends beyond its file", play_region_beyond},
	{"region-wraps", "a region whose offset and size wrap", play_region_wraps},
	{"region-gpa-wraps", "a region whose guest addresses wrap", play_region_gpa_wraps},
	{"region-empty", "a region of no bytes", play_region_empty},
	{"region-overlap", "two regions over each other", play_region_overlap},
	{"region-pipe", "a pipe as a region's file", play_region_pipe},
	{"region-dir", "a directory as a region's file", play_region_dir},
	{"region-read-only", "a read-only file as a region's", play_region_read_only},
	{"tables", "10,000 memory tables with 8 descriptors each", play_tables},
	{"ring-removed", "removes the memory that its rings lie in", play_ring_removed},
	{"shrunk-rings", "cuts off the memory that its rings lie in", play_shrunk_rings},
	{"shrunk-buffers", "cuts off the memory of half of its buffers", play_shrunk_buffers},
	{"shrunk-payload", "cuts off what lies behind a frame's head", play_shrunk_payload},
	{"punched", "punches holes into its memory 1,000 times", play_punched},
	{0},
};
