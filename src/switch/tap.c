// SPDX-License-Identifier: BSD-3-Clause
// A TAP's queues as a source and a destination of frames. Runs on a worker; the buffers are its own. What a frame of the kernel
// asks for is judged like any other's (packet/judge.c): the kernel passes requests on that its own guests and containers made.
#include "switch/tap.h"

#include "switch/count.h"
#include "switch/deliver.h"
#include "switch/tapbatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/poll.h> // poll.h is ours, in this directory.
#include <sys/uio.h>
#include <unistd.h>

#define HEADER_SIZE 12
// The frame behind the header begins a line of memory.
#define HEADER_AT (64 - HEADER_SIZE)
// One byte more than any frame has, so that a longer one shows.
#define ROOM (HEADER_SIZE + FRAME_SIZE_MAX + 1)
#define BUFFER_SIZE ((HEADER_AT + ROOM + 63u) & ~63u)
// UIO_MAXIOV, the most that writev(2) takes.
#define PIECES_MAX 1024
// Pieces of each frame in a batch; one that has more is written alone.
#define BATCH_PIECES (PIECES_MAX / FRAME_BURST_MAX)
// Frames that a batch is worth its while for.
#define BATCH_MIN 3
// Bytes of a burst: it is copied on while it still lies in the core's own cache.
#define BYTES_MAX 131072
// Looks at a TAP that had nothing, a second. Each costs a system call, a few hundred nanoseconds of everybody's time.
#define LOOKS_A_SECOND 250000

struct tap_io {
	struct iovec piece[PIECES_MAX];
	uint8_t header[FRAME_BURST_MAX][HEADER_SIZE];
	uint8_t joined[FRAME_SIZE_MAX];
	uint8_t buffer[FRAME_BURST_MAX][BUFFER_SIZE] __attribute__((aligned(64)));
};

struct tap_io *tap_io_new(void)
{
	return aligned_alloc(64, tap_io_size());
}

void tap_io_free(struct tap_io *io)
{
	free(io);
}

size_t tap_io_size(void)
{
	return (sizeof(struct tap_io) + 63) & ~(size_t)63;
}

static struct port_pair *pair_of(const struct port_queue *queue)
{
	return &queue->port->pair[queue->pair];
}

void tap_wake(const struct port_queue *queue)
{
	pair_of(queue)->next_look = 0;
}

bool tap_has_work(const struct port_queue *queue)
{
	struct pollfd pfd = {.fd = queue->kick_fd, .events = POLLIN};

	// A failure is no reason to sleep either.
	return poll(&pfd, 1, 0) != 0;
}

// The buffer belongs to nobody else: the head may lie where it was read to.
static enum vring_drop add_frame(struct frame_burst *burst, uint8_t *header, size_t size)
{
	struct frame *frame = &burst->frame[burst->count];
	struct frame_seg *seg = &burst->seg[burst->seg_count];
	uint8_t *bytes = header + HEADER_SIZE;

	if (size < HEADER_SIZE + FRAME_SIZE_MIN)
		return VRING_DROP_SHORT;
	size -= HEADER_SIZE;
	if (size > FRAME_SIZE_MAX)
		return VRING_DROP_LONG;
	*seg = (struct frame_seg){.addr = bytes, .size = (uint32_t)size};
	*frame = (struct frame){
		.head = bytes,
		.segs = seg,
		.size = (uint32_t)size,
		.head_size = size < FRAME_HEAD_SIZE ? (uint16_t)size : FRAME_HEAD_SIZE,
		.seg_count = 1,
	};
	memcpy(&frame->offload, header, sizeof(frame->offload));
	// That the kernel found a checksum right (DATA_VALID) is nothing that travels on, and no request.
	frame->offload.flags &= FRAME_F_NEEDS_CSUM;
	burst->count++;
	burst->seg_count++;
	burst->bytes += size;
	return VRING_DROP_NONE;
}

// Why a read gave nothing. True: the next frame may be read.
static bool read_failed(struct worker *worker, const struct port_queue *queue, int error)
{
	struct port *port = queue->port;

	switch (error) {
	case EAGAIN:
		pair_of(queue)->next_look = worker->now + worker->tsc_hz / LOOKS_A_SECOND;
		return false;
	case EINTR:
		return false;
	case EINVAL: // The kernel took a frame whose request a header cannot say.
		count_add(&port->counters[worker->index].drops[DROP_OFFLOAD], 1);
		return true;
	default:
		deliver_report_fault(worker, port, PORT_FAULT_TAP);
		return false;
	}
}

uint32_t tap_take(
	struct worker *worker,
	const struct port_queue *queue,
	uint32_t max,
	uint64_t ret_drops[VRING_DROP_COUNT]
)
{
	struct frame_burst *burst = &worker->burst;
	uint32_t taken = 0;

	burst->count = 0;
	burst->seg_count = 0;
	burst->bytes = 0;
	if (worker->now < pair_of(queue)->next_look)
		return 0;
	for (uint32_t tries = 0; tries < max && burst->bytes < BYTES_MAX; tries++) {
		uint8_t *header = worker->tap->buffer[burst->count] + HEADER_AT;
		ssize_t size = read(queue->kick_fd, header, ROOM);
		if (size <= 0) { // 0 is the end of a stream, which a TAP has none of.
			if (read_failed(worker, queue, size < 0 ? errno : EBADFD))
				continue;
			break;
		}
		ret_drops[add_frame(burst, header, (size_t)size)]++;
		taken++;
	}
	return taken;
}

// Header, head and what lies behind the head in the frame's segments. Where there is no room for all of its pieces, the last ones
// are joined. Returns how many pieces it is.
static uint32_t fill_pieces(
	struct tap_io *io,
	const struct frame *frame,
	uint8_t *header,
	struct iovec *piece,
	uint32_t max
)
{
	uint32_t skip = frame->head_size;
	uint32_t left = frame->size - skip;
	uint32_t joined = 0;
	uint32_t count = 2;

	memset(header, 0, HEADER_SIZE);
	memcpy(header, &frame->offload, sizeof(frame->offload));
	piece[0] = (struct iovec){.iov_base = header, .iov_len = HEADER_SIZE};
	// writev(2) only reads.
	piece[1] = (struct iovec){.iov_base = (void *)frame->head, .iov_len = frame->head_size};
	for (const struct frame_seg *seg = frame->segs; left; seg++) {
		if (skip >= seg->size) {
			skip -= seg->size;
			continue;
		}
		uint32_t part = seg->size - skip < left ? seg->size - skip : left;
		if (count < max - 1) {
			piece[count++] =
				(struct iovec){.iov_base = seg->addr + skip, .iov_len = part};
		} else {
			memcpy(io->joined + joined, seg->addr + skip, part);
			joined += part;
		}
		left -= part;
		skip = 0;
	}
	if (joined)
		piece[count++] = (struct iovec){.iov_base = io->joined, .iov_len = joined};
	return count;
}

static int write_one(struct tap_io *io, int fd, const struct frame *frame)
{
	uint32_t count = fill_pieces(io, frame, io->header[0], io->piece, PIECES_MAX);
	ssize_t written;

	do
		written = writev(fd, io->piece, (int)count);
	while (written < 0 && errno == EINTR);
	return written < 0 ? -errno : 0;
}

static bool fits_batch(const struct frame *frame)
{
	return frame->seg_count <= BATCH_PIECES - 3;
}

// Frames that all fit a batch.
static void write_batch(
	struct worker *worker,
	int fd,
	const struct frame *const *frames,
	uint32_t count,
	int *ret_results
)
{
	struct tap_io *io = worker->tap;

	for (uint32_t i = 0; i < count; i++) {
		struct iovec *piece = &io->piece[(size_t)i * BATCH_PIECES];
		uint32_t pieces = fill_pieces(io, frames[i], io->header[i], piece, BATCH_PIECES);
		tap_batch_add(worker->batch, fd, piece, pieces);
	}
	bool works = tap_batch_run(worker->batch, ret_results);
	for (uint32_t i = 0; i < count; i++) {
		// A kernel whose TAPs do not know how not to wait: none of these frames was written.
		works &= ret_results[i] != -EOPNOTSUPP;
		if (ret_results[i] == -EOPNOTSUPP)
			ret_results[i] = write_one(io, fd, frames[i]);
		else if (ret_results[i] > 0)
			ret_results[i] = 0;
	}
	if (works)
		return;
	tap_batch_free(worker->batch);
	worker->batch = NULL;
}

void tap_write(
	struct worker *worker,
	const struct port_queue *queue,
	const struct frame *const *frames,
	uint32_t count,
	int *ret_results
)
{
	uint32_t done = 0;

	while (done < count) {
		uint32_t next = done;
		while (worker->batch && next < count && fits_batch(frames[next]))
			next++;
		if (next - done >= BATCH_MIN) {
			write_batch(
				worker,
				queue->kick_fd,
				frames + done,
				next - done,
				ret_results + done
			);
			done = next;
			continue;
		}
		ret_results[done] = write_one(worker->tap, queue->kick_fd, frames[done]);
		done++;
	}
}
