// SPDX-License-Identifier: BSD-3-Clause
// The two kinds of ring behind vring.h's functions, which look once a call which it is. Inside src/vring/.
#pragma once

#include "vring/vring.h"

bool split_has_work(const struct vring *ring);
void split_set_notify(struct vring *ring, bool notify);
bool split_wants_call(struct vring *ring);
void split_show(struct vring *ring);
void split_take(struct vring *ring, struct frame_burst *burst, uint32_t max, uint64_t *drops);
// Writes the used entries of the burst in the air, unseen until split_show().
void split_put_taken(struct vring *ring);
// Returns how many frames were delivered before the first that was not, for which *ret_drop is the reason.
uint32_t split_deliver(
	struct vring *ring,
	const struct frame *const *frames,
	uint32_t count,
	enum vring_drop *ret_drop
);

// The same of packed rings.
bool packed_has_work(const struct vring *ring);
void packed_set_notify(struct vring *ring, bool notify);
bool packed_wants_call(struct vring *ring);
void packed_show(struct vring *ring);
// Finishes what the last back end was showing, by ring->place. Where the ring stands then, or -EINVAL: no ring of this
// size left such a place.
int packed_recover(struct vring *ring, uint16_t *ret_base);
void packed_take(struct vring *ring, struct frame_burst *burst, uint32_t max, uint64_t *drops);
void packed_put_taken(struct vring *ring);
uint32_t packed_deliver(
	struct vring *ring,
	const struct frame *const *frames,
	uint32_t count,
	enum vring_drop *ret_drop
);
