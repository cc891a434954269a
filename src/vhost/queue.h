// SPDX-License-Identifier: BSD-3-Clause
// One virtqueue as the front end described it, and when workers may use it. Control thread; workers
// see `pub` only, while it is live.
#pragma once

#include "base/err.h"
#include "vhost/memory.h"
#include "vhost/state.h"
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
	bool transmit; // The front end sends on it.
	bool has_base; // It was told, or it ran before.
	bool has_place; // It ran before, so base is where it stood and not only what the front end believes.
	bool has_addr;
	bool recover; // It was live in another process, and goes live with vhost_conn_go().
	enum queue_order order;
	uint64_t desc; // User addresses.
	uint64_t avail;
	uint64_t used;
	uint32_t kick_id; // Numbers of pub's descriptors (struct vhost_kept); 0: none.
	uint32_t call_id;
	uint32_t err_id;
	// Where a packed ring's place outlives the process, and a split one's memory is to show it; NULL: nothing does.
	struct vring_place *place;
};

// `place` must outlive the queue.
void queue_init(struct queue *queue, bool transmit, struct vring_place *place);
// Closes its descriptors. The queue is as after queue_init() then.
void queue_fini(struct queue *queue);

// Takes the ring from the workers, who must not be using it any more. Keeps its place.
void queue_suspend(struct queue *queue);

// Whether a ring may have so many entries: 0 or -EPROTO.
int queue_check_size(uint32_t size, bool packed, struct rwy_err *err);
// Whether a ring may have its size and stand where it stands, by the negotiated features: 0 or -EPROTO.
int queue_check(const struct queue *queue, uint64_t features, struct rwy_err *err);
// Where a queue that is not live stands (vring_config's base).
uint32_t queue_base(const struct queue *queue, uint64_t features);

// Notes whether the queue is enabled. Whether it should be live: started, enabled, and all that it needs
// was told. `features` are the negotiated ones; memory may be NULL.
bool queue_is_due(struct queue *queue, const struct memory *memory, uint64_t features);

// Checks that fd is an eventfd, and makes it non-blocking. 0, -EPROTO, or what fcntl() says.
int queue_check_eventfd(int fd, struct rwy_err *err);

// Makes a queue that is due, and suspended, live. `recover`: it was live in another process, and goes on where that one
// left it. -EPROTO for a size or a place that a ring of its form cannot have;
// -EINVAL when its areas lie outside of memory, overlap or are misaligned.
int queue_update(
	struct queue *queue,
	const struct memory *memory,
	uint64_t features,
	bool recover,
	struct rwy_err *err
);

// What the next process needs of the queue, but for its descriptors.
void queue_save(const struct queue *queue, struct vhost_state_queue *ret_saved);
// Takes that up, all but the descriptors; the queue is not live. -EPROTO: no queue was ever like that.
int queue_restore(
	struct queue *queue,
	const struct vhost_state_queue *saved,
	uint64_t features,
	bool has_features,
	struct rwy_err *err
);
