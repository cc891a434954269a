// SPDX-License-Identifier: BSD-3-Clause
// A ring of io_uring's for writes to TAPs. Made by the control thread at start, used by its worker. No write may wait, so each is
// done within the call that submits it, one after the other, and nothing is left to the kernel's own threads.
#include "switch/tapbatch.h"

#include "vring/frame.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

struct tap_batch {
	struct io_uring ring;
	uint32_t count; // Added and not done yet.
};

// From here on it writes, and that is all: no other operation, no flag, no change of the ring itself.
static int restrict_ring(struct io_uring *ring)
{
	struct io_uring_restriction only[] = {
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV},
	};
	int r = io_uring_register_restrictions(ring, only, sizeof(only) / sizeof(only[0]));
	return r ? r : io_uring_enable_rings(ring);
}

struct tap_batch *tap_batch_new(void)
{
	struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED};
	struct tap_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	int r = io_uring_queue_init_params(FRAME_BURST_MAX, &batch->ring, &params);
	if (r) {
		free(batch);
		errno = -r;
		return NULL;
	}
	r = restrict_ring(&batch->ring);
	if (r) {
		tap_batch_free(batch);
		errno = -r;
		return NULL;
	}
	return batch;
}

void tap_batch_free(struct tap_batch *batch)
{
	if (!batch)
		return;
	io_uring_queue_exit(&batch->ring);
	free(batch);
}

void tap_batch_add(struct tap_batch *batch, int fd, const struct iovec *pieces, uint32_t count)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&batch->ring);

	io_uring_prep_writev(
		sqe, fd, pieces, count, 0
	); // There is one: the ring is as long as a batch.
	// A non-blocking descriptor is not enough: io_uring would wait for room in place of the write.
	sqe->rw_flags = RWF_NOWAIT;
	io_uring_sqe_set_data64(sqe, batch->count++);
}

// A signal (the watchdog's) may end the call early.
static bool submit(struct io_uring *ring, uint32_t count)
{
	while (io_uring_cq_ready(ring) < count) {
		int r = io_uring_submit_and_wait(ring, count);
		if (r < 0 && r != -EINTR)
			return false;
	}
	return true;
}

bool tap_batch_run(struct tap_batch *batch, int *ret_results)
{
	struct io_uring_cqe *cqe;
	uint32_t count = batch->count;
	bool done = submit(&batch->ring, count);

	for (uint32_t i = 0; i < count; i++)
		ret_results[i] = -EAGAIN;
	while (io_uring_peek_cqe(&batch->ring, &cqe) == 0) {
		ret_results[io_uring_cqe_get_data64(cqe)] = cqe->res;
		io_uring_cqe_seen(&batch->ring, cqe);
	}
	batch->count = 0;
	return done;
}
