// SPDX-License-Identifier: BSD-3-Clause
// The limit: what is left of a switch when it neither looks at a frame nor checks anything. Split rings
// (virtio 1.1, 2.6), one worker.
#pragma once

#include "bench/gen/ring.h"
#include "vring/mem.h"

#include <stdbool.h>
#include <stdint.h>

// One ring. The used index is the available index: buffers go back in order and at once.
struct copy_ring {
	const struct ring_desc *desc;
	volatile struct ring_avail *avail;
	struct ring_used *used;
	const struct vring_mem *mem;
	uint16_t mask;
	uint16_t next; // The next available entry.
	uint16_t seen; // The front end's index when it was last read.
	uint8_t header_size;
};

struct copy_path {
	struct copy_ring from; // A transmit ring.
	struct copy_ring to;   // A receive ring.
	bool live;
	uint32_t null_size; // The null back end: length that is told of every frame.
};

// Moves at most a burst. Returns the number of frames.
typedef uint32_t copy_burst(struct copy_path *path);

// The fastest one that this machine can run.
copy_burst *copy_choose(void);
// Gives buffers back without a look at descriptors and buffers.
copy_burst copy_null;
