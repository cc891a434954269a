// SPDX-License-Identifier: BSD-3-Clause
// A read of nothing, done within the call that submits it, with an eventfd that the kernel raises when it is done (io_submit(2),
// IOCB_FLAG_RESFD): of all ways to raise an eventfd the one that never waits and needs no thread. Owns the ring and
// the empty file that is read.
#include "switch/call.h"

#include <assert.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_EVENTS 32
// Where completions come, as the kernel maps it at the context's address. Nobody waits for any, so they are
// thrown away by moving `head`.
#define RING_MAGIC 0xa10a10a1u

struct completions {
	uint32_t id;
	uint32_t count;
	uint32_t head;
	uint32_t tail;
	uint32_t magic;
	uint32_t compat_features;
	uint32_t incompat_features;
	uint32_t header_length;
};

struct call_ring {
	union { // io_setup(2): the context is the address.
		aio_context_t context;
		struct completions *completions;
	};
	int empty_fd;
	struct iocb request;
};

static_assert(sizeof(aio_context_t) == sizeof(void *), "a context is an address");

static int make_parts(struct call_ring *ring)
{
	ring->empty_fd = memfd_create("call", MFD_CLOEXEC);
	if (ring->empty_fd < 0 || syscall(SYS_io_setup, RING_EVENTS, &ring->context))
		return -errno;
	const struct completions *completions = ring->completions;
	if (completions->magic != RING_MAGIC || completions->incompat_features)
		return -ENOTSUP;
	ring->request = (struct iocb){
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)ring->empty_fd,
		.aio_buf = (uintptr_t)ring,
		.aio_flags = IOCB_FLAG_RESFD,
	};
	return 0;
}

struct call_ring *call_ring_new(void)
{
	struct call_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	int r = make_parts(ring);
	if (r == 0)
		return ring;
	call_ring_free(ring);
	errno = -r;
	return NULL;
}

void call_ring_free(struct call_ring *ring)
{
	if (!ring)
		return;
	if (ring->context)
		(void)syscall(SYS_io_destroy, ring->context); // Nothing is under way.
	if (ring->empty_fd >= 0)
		(void)close(ring->empty_fd); // Nothing was written to it.
	free(ring);
}

int call_raise(struct call_ring *ring, int fd)
{
	struct completions *completions = ring->completions;
	struct iocb *requests[] = {&ring->request};

	ring->request.aio_resfd = (uint32_t)fd;
	long done = syscall(SYS_io_submit, ring->context, 1, requests);
	uint32_t tail = __atomic_load_n(&completions->tail, __ATOMIC_ACQUIRE);
	__atomic_store_n(&completions->head, tail, __ATOMIC_RELEASE);
	if (done < 0)
		return -errno;
	return done == 1 ? 0 : -EAGAIN;
}
