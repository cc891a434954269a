// SPDX-License-Identifier: BSD-3-Clause
// Many writes in one system call, by a ring of io_uring's that can do nothing else. Made before the filter of system calls, which
// would not see what is asked through a ring; used by one worker.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct tap_batch;

// For batches of FRAME_BURST_MAX writes. NULL with errno: this kernel has no io_uring, or does not let us use it.
struct tap_batch *tap_batch_new(void);
// Accepts NULL.
void tap_batch_free(struct tap_batch *batch);

// Adds a write of these pieces, which stay as they are until the batch has run, to a non-blocking descriptor.
void tap_batch_add(struct tap_batch *batch, int fd, const struct iovec *pieces, uint32_t count);

// Does what was added, in order. ret_results[i]: what the i-th write returned, or a negative errno. False: the ring is of no use
// any more; what was not done is -EAGAIN.
bool tap_batch_run(struct tap_batch *batch, int *ret_results);
