// SPDX-License-Identifier: BSD-3-Clause
// One virtqueue as the front end described it, and when workers may use it. Control thread; workers
// see `pub` only, while it is live.
#pragma once

#include "base/err.h"
#include "vhost/memory.h"
#include "vhost/vhost.h"

#include <stdbool.h>
#include <stdint.h>

enum queue_order {
	QUEUE_ORDER_NONE, // Enabled as soon as it is started, unless protocol features were negotiated.
	QUEUE_ORDER_ENABLE,
	QUEUE_ORDER_DISABLE,
	QUEUE_ORDER_COUNT
};

struct queue {
	struct vhost_queue pub;
	uint32_t size; // 0: not told yet.
	uint32_t base; // Where the ring stands while the queue is not live; as vring_config has it.
	bool has_place; // It ran before, so base is where it stood and not only what the front end believes.
	bool has_addr;
	enum queue_order order;
	uint64_t desc; // User addresses.
	uint64_t avail;
	uint64_t used;
};

void queue_init(struct queue *queue);
// Closes its descriptors. The queue is as after queue_init() then.
void queue_fini(struct queue *queue);

// Takes the ring from the workers, who must not be using it any more. Keeps its place.
void queue_suspend(struct queue *queue);

// Notes whether the queue is enabled. Whether it should be live: started, enabled, and all that it needs
// was told. `features` are the negotiated ones; memory may be NULL.
bool queue_is_due(struct queue *queue, const struct memory *memory, uint64_t features);

// Makes a queue that is due, and suspended, live. -EINVAL when that cannot be: its areas lie
// outside of memory, overlap or are misaligned.
int queue_update(
	struct queue *queue,
	const struct memory *memory,
	uint64_t features,
	struct rwy_err *err
);
