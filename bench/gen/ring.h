// SPDX-License-Identifier: BSD-3-Clause
// The front end's side of a virtqueue whose buffers come back in the order in which they were made
// available: descriptors are written once, and giving a buffer back is moving an index (split) or eight bytes
// (packed). One thread.
#pragma once

#include "bench/gen/gen.h"

// virtio 1.1, 2.6.5, 2.6.6, 2.6.8
struct ring_desc {
	uint64_t addr;
	uint32_t size;
	uint16_t flags;
	uint16_t next;
};
struct ring_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};
struct ring_used_entry {
	uint32_t id;
	uint32_t size;
};
struct ring_used {
	uint16_t flags;
	uint16_t idx;
	struct ring_used_entry ring[];
};
#define RING_DESC_WRITE 2u
#define RING_NO_INTERRUPT 1u
#define RING_NO_NOTIFY 1u

// virtio 1.1, 2.7.13 and 2.7.14
struct ring_packed_desc {
	uint64_t addr;
	uint32_t size;
	uint16_t id;
	uint16_t flags;
};
struct ring_event {
	uint16_t desc;
	uint16_t flags;
};
#define RING_PACKED_AVAIL (1u << 7)
#define RING_PACKED_USED (1u << 15)
#define RING_EVENT_DISABLE 1u

struct ring {
	void *desc;
	union {
		struct ring_avail *avail;
		struct ring_event *driver_event;
	};
	union {
		volatile struct ring_used *used;
		volatile struct ring_event *device_event;
	};
	uint8_t *buffers; // Of slot 0: its headroom.
	uint32_t stride;
	uint32_t size;
	uint32_t buffer_size; // What a descriptor says.
	uint16_t
		next; // Split: the available index. Packed: the place of the next descriptor to make available.
	uint16_t
		seen; // Split: the used index. Packed: the place of the next descriptor to come back.
	bool next_wrap;
	bool seen_wrap;
	bool is_write;
	uint32_t room; // Sending: slots that are ours.
	int kick_fd;
};

// Behind lane->impl.
struct vhost_lane {
	struct ring tx;
	struct ring rx;
	uint32_t header_size;
	uint32_t frame_size;
	bool whole; // A frame fits into one receive buffer.
	bool mergeable;
	bool check;  // Look at every entry that comes back.
	bool broken; // The back end does not keep the order.
	uint32_t read_every;
	uint32_t unread;
	uint64_t bytes; // Received with headers, for frames in several buffers.
};

static inline uint8_t *ring_data(const struct ring *ring, uint32_t slot)
{
	return ring->buffers + (uint64_t)slot * ring->stride + GEN_HEADROOM;
}

// Notifies the back end if it asks for that (virtio 1.1, 2.6.10 and 2.7.10): what was published comes before
// the look at the flags.
void ring_kick(struct lane *lane, const struct ring *ring, bool is_packed);
