// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user front end for tests, without DPDK: memory in any number of regions, split or packed rings, whole
// frames out and in with their offload requests, and raw messages with any descriptors. One thread a front end. It
// trusts its back end but for what it gives back (-EPROTO); what a test needs broken, it breaks through the fields
// below. front.c speaks with the back end, front_ring.c moves frames, front_split.c and front_packed.c are the two
// forms of a ring.
#pragma once

#include "vhost/message.h"
#include "vhost/vhost.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRONT_REGIONS_MAX 128
#define FRONT_QUEUES_MAX 32

// How a frame lies in its descriptors.
enum front_layout {
	FRONT_INLINE,	// Header and data in one.
	FRONT_APART,	// The header in one of its own.
	FRONT_CHAIN,	// The header, and the data in three.
	FRONT_INDIRECT, // As FRONT_CHAIN, in an indirect table.
	FRONT_LAYOUT_COUNT
};

struct front_config {
	uint64_t features; // Wanted; those that are not offered are left out. 0: a good choice.
	uint64_t protocol_features; // Likewise.
	uint32_t queue_pairs;	    // 0: 1
	uint32_t ring_size;	    // 0: 256
	uint32_t regions;	    // 0: 1
	bool add_regions; // By ADD_MEM_REG one by one, instead of SET_MEM_TABLE (at most 8).
	bool with_calls; // An eventfd for calls, which are wanted from the start; without it the front end polls.
	uint32_t rx_buffer_size; // 0: 2048
	uint32_t frame_size_max; // Of frames to send. 0: 1518
	enum front_layout layout;
	// Called while a reply is awaited, for tests that run the back end in their own thread.
	void (*pump)(void *arg);
	void *pump_arg;
};

struct front_region {
	int fd; // A memfd of ours.
	uint8_t *addr;
	uint64_t size;
	uint64_t gpa;
	uint64_t used; // Bytes given out.
};

struct front_desc {
	uint64_t addr;
	uint32_t size;
	uint16_t flags;
	uint16_t next;
};

struct front_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct front_used_entry {
	uint32_t id;
	uint32_t size;
};

struct front_used {
	uint16_t flags;
	uint16_t idx;
	struct front_used_entry ring[];
};

// virtio 1.1, 2.7.13: struct pvirtq_desc.
struct front_packed_desc {
	uint64_t addr;
	uint32_t size;
	uint16_t id;
	uint16_t flags;
};

// virtio 1.1, 2.7.14: struct pvirtq_event_suppress.
struct front_event {
	uint16_t off_wrap; // Index, and the wrap counter in bit 15.
	uint16_t flags;
};

#define FRONT_EVENT_ENABLE 0u
#define FRONT_EVENT_DISABLE 1u
#define FRONT_EVENT_DESC 2u

#define FRONT_DESC_NEXT 1u
#define FRONT_DESC_WRITE 2u
#define FRONT_DESC_INDIRECT 4u
#define FRONT_DESC_AVAIL 0x80u // Of a packed ring, as the two wrap counters go.
#define FRONT_DESC_USED 0x8000u

// A place in guest memory.
struct front_buffer {
	uint8_t *addr;
	uint64_t gpa;
};

struct front_queue {
	bool packed; // As negotiated, when the queue was set up.
	bool event_idx;
	bool in_order;
	union {
		struct {
			struct front_desc *desc;
			struct front_avail *avail;
			struct front_used *used;
		};
		struct {
			struct front_packed_desc *ring;
			struct front_event *driver; // What we want to be called for.
			struct front_event *device; // What the back end wants to be kicked for.
		};
	};
	uint32_t size;
	uint32_t slots; // Frames that may be out at once; each has `stride` descriptors.
	uint32_t stride;
	struct front_buffer *buffer; // Of each slot.
	bool *is_out;		     // Of each slot: it is the back end's.
	uint16_t *free_slot;
	uint32_t free_count;
	uint32_t next_slot;   // In order: the slot to send from next,
	uint32_t oldest_slot; // and the one that comes back next,
	uint32_t batch_left;  // with so many that came back together.
	uint16_t avail_idx;   // What we have published. Packed: the next entry to write.
	uint16_t used_seen;   // Packed: the next entry to look at.
	bool avail_wrap;
	bool used_wrap;
	uint32_t fresh;	  // Entries published since the last front_kick().
	bool wants_calls; // At the next used entry.
	bool broken;	  // The back end gave back what it did not have.
	bool has_held;	  // held_slot is a receive buffer that is being looked at.
	uint32_t held_slot;
	int kick_fd;
	int call_fd;
};

struct front {
	struct front_config config;
	int fd;
	uint64_t features; // Negotiated.
	uint64_t protocol_features;
	uint32_t header_size;
	struct front_region region[FRONT_REGIONS_MAX];
	struct front_queue queue[FRONT_QUEUES_MAX];
	uint64_t kicks;
};

// Allocates everything; connects nothing. NULL with errno.
struct front *front_new(const struct front_config *config);
void front_free(struct front *front);

// Takes ownership of fd, a connection to a back end.
void front_attach(struct front *front, int fd);
// Connects to a listening socket. 0 or a negative errno.
int front_connect(struct front *front, const char *path);

// Sends one message as it is, with any descriptors. 0 or a negative errno.
int front_message(
	struct front *front,
	const struct message_header *header,
	const void *body,
	const int *fds,
	size_t fd_count
);
// Sends a request of this payload. 0 or a negative errno.
int front_request(struct front *front, uint32_t request, const void *body, uint32_t size);
// The same with one descriptor (-1: none).
int front_request_fd(
	struct front *front,
	uint32_t request,
	const void *body,
	uint32_t size,
	int fd
);
// Waits for a reply. 0, -EPIPE when the back end closed, -ETIMEDOUT, -EPROTO for another one's.
int front_reply(struct front *front, uint32_t request, union message_body *ret_body);
// Asks for REPLY_ACK and waits for it: the answer's value, or a negative errno.
int front_request_ack(
	struct front *front,
	uint32_t request,
	const void *body,
	uint32_t size,
	int fd
);

// Waits until the back end has handled everything that was sent. 0 or a negative errno.
int front_sync(struct front *front);

// The steps of a start, in order. Each: 0 or a negative errno.
int front_negotiate(struct front *front);
int front_share_memory(struct front *front);
int front_setup_queue(struct front *front, uint32_t index); // NUM, BASE, ADDR, CALL, KICK
int front_enable_queue(struct front *front, uint32_t index, bool enable);
// All of them.
int front_start(struct front *front);
// Disables and stops every queue. 0 or a negative errno.
int front_stop(struct front *front);

// How this front end describes a region or a queue's addresses to its back end.
struct message_region front_region_message(const struct front *front, uint32_t region);
struct message_ring_addr front_addr_message(const struct front *front, uint32_t index);

// Queues a frame on a pair's transmit ring: 0, -EAGAIN while the ring is full, -EMSGSIZE, -EPROTO on a broken ring.
int front_send(struct front *front, uint32_t pair, const void *frame, uint32_t size);
// The same with a request in its header (virtio 1.1, 5.1.6); NULL: none.
int front_send_offload(
	struct front *front,
	uint32_t pair,
	const struct frame_offload *offload,
	const void *frame,
	uint32_t size
);
// The same without a copy, in two steps: where the next frame is to be written (frame_size_max bytes; what was written
// there before is still there), then sending it. ret_frame is valid until then.
int front_send_place(struct front *front, uint32_t pair, uint8_t **ret_frame);
int front_send_placed(
	struct front *front,
	uint32_t pair,
	const struct frame_offload *offload,
	uint32_t size
);
// Notifies the back end where it wants that, of all that was queued on this ring (or given back to it) since the last
// call.
void front_kick(struct front *front, uint32_t index);
// Frames that were queued and are not completed.
uint32_t front_in_flight(struct front *front, uint32_t pair);

// Takes the next frame of a pair's receive ring and gives its buffers back. The frame's size; 0 when
// there is none; -EMSGSIZE when it is larger than `room`; -EPROTO when the back end broke the ring.
int front_receive(struct front *front, uint32_t pair, void *ret_frame, uint32_t room);
// The same; the request in the frame's header goes to ret_offload (NULL: nowhere).
int front_receive_offload(
	struct front *front,
	uint32_t pair,
	struct frame_offload *ret_offload,
	void *ret_frame,
	uint32_t room
);

// The same without a copy, of a frame that lies in one buffer, which is given back by the next call: -EMSGSIZE for one
// that lies in several.
int front_receive_place(
	struct front *front,
	uint32_t pair,
	struct frame_offload *ret_offload,
	const uint8_t **ret_frame
);

// Asks for a call at a ring's next used entry: false when there is one already, so that one must not sleep. (How a
// front end with calls starts; then it is called for each.)
bool front_arm(struct front *front, uint32_t index);
// Asks for no calls; some may still come.
void front_disarm(struct front *front, uint32_t index);

// For front.c: lays the rings and buffers of a queue out, resets them, posts receive buffers.
int front_queue_init(struct front *front, uint32_t index);
void front_queue_fini(struct front_queue *queue);
void front_queue_reset(struct front *front, uint32_t index);
// Bytes of each region that the queues need.
uint64_t front_region_size(const struct front_config *config);
