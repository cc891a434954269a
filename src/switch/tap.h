// SPDX-License-Identifier: BSD-3-Clause
// Frames in and out of a queue of a TAP: one read or write a frame, whose virtio-net header (virtio 1.1, 5.1.6, with
// num_buffers) carries requests both ways; writes of a burst are one system call where the kernel has io_uring. Runs on a worker. trunk.c has what the control thread does.
#pragma once

#include "switch/worker.h"

// A worker's buffers, for all TAPs. Made by the control thread before the worker sees the first TAP, and its own from then on.
struct tap_io;
struct tap_io *tap_io_new(void); // NULL: out of memory.
void tap_io_free(struct tap_io *io);
// Bytes; pages of them that no frame needed yet take no memory.
size_t tap_io_size(void);

// Reads at most `max` frames (and FRAME_BURST_MAX) into the worker's empty burst, as views of its own buffers, which stay as
// they are until the next call. Those that are no frames are dropped: ret_drops[reason] is added to. Returns how many it took in all. After it
// has found nothing it looks again only after a while: a look is a system call. That the TAP is gone is reported as a
// fault of the port.
uint32_t tap_take(
	struct worker *worker,
	const struct port_queue *queue,
	uint32_t max,
	uint64_t ret_drops[VRING_DROP_COUNT]
);

// The next tap_take() is to look at once.
void tap_wake(const struct port_queue *queue);

// Whether there is a frame to read, or the TAP is gone.
bool tap_has_work(const struct port_queue *queue);

// Writes at most FRAME_BURST_MAX frames in order: header, private head, then the rest straight from its segments, so that the
// kernel's copy is the only one. ret_results[i]: 0, or a negative errno: -EAGAIN (full), -EFAULT (memory of the frame is gone), -EIO
// (the TAP is down), -EBADFD (it is gone), others: the kernel does not take this frame.
void tap_write(
	struct worker *worker,
	const struct port_queue *queue,
	const struct frame *const *frames,
	uint32_t count,
	int *ret_results
);
