// SPDX-License-Identifier: BSD-3-Clause
// Inside of tests/lib/: what the two forms of a ring do, each in its own way.
#pragma once

#include "tests/lib/front.h"

// An empty ring at its first entry.
void front_split_reset(struct front_queue *queue);
void front_packed_reset(struct front_queue *queue);

// Makes a slot's chain available. Its descriptors have address, size, and flags but for NEXT.
void front_split_post(
	struct front_queue *queue,
	uint32_t slot,
	const struct front_desc *chain,
	uint32_t count
);
void front_packed_post(
	struct front_queue *queue,
	uint32_t slot,
	const struct front_desc *chain,
	uint32_t count
);

// Takes the next chain that came back: its slot and the bytes written into it. 1, 0 when there is none, -EPROTO.
int front_split_used(struct front_queue *queue, uint32_t *ret_slot, uint32_t *ret_size);
int front_packed_used(struct front_queue *queue, uint32_t *ret_slot, uint32_t *ret_size);

// Whether a chain came back that was not taken.
bool front_split_has_used(const struct front_queue *queue);
bool front_packed_has_used(const struct front_queue *queue);

// Writes down what queue->wants_calls says.
void front_split_ask(struct front_queue *queue);
void front_packed_ask(struct front_queue *queue);

// Whether the back end wants to hear of the fresh entries. After a full fence.
bool front_split_wants_kick(const struct front_queue *queue);
bool front_packed_wants_kick(const struct front_queue *queue);

// A slot came back in order, as an entry says; its size becomes 0 where that is not told. 0 or -EPROTO. Of several
// that come back together only the last has an entry, at the place of the first (2.6.9, 2.7.9).
int front_take_in_order(struct front_queue *queue, uint32_t slot, uint32_t *ret_size);

// virtio 1.1, 2.6.7.2 and 2.7.10: whether the steps from `before` to `now` lead past `event`.
static inline bool front_passed(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - before) > (uint16_t)(now - 1 - event);
}
