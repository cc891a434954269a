// SPDX-License-Identifier: BSD-3-Clause
// The back end's side of a virtio split ring (virtio 1.1, 2.6): take frames from a front end's
// transmit ring, deliver frames into a front end's receive ring. Plain memory in and out: no system
// call, no allocation, no DPDK. Everything in the ring is hostile: each shared field is read once,
// checked, then used. A ring belongs to one worker, or to the control thread while the port is
// quiesced; nothing here locks.
#pragma once

#include "vring/frame.h"
#include "vring/mem.h"

#include <stdbool.h>
#include <stdint.h>

// virtio 1.1, 2.6: a power of two. One entry can never hold header and data apart, so 2 is least.
#define VRING_SIZE_MIN 2
#define VRING_SIZE_MAX 32768

// Why a ring was given up. The port that owns it is quarantined with this reason.
enum vring_fault {
	VRING_FAULT_NONE,
	VRING_FAULT_AVAIL_JUMP, // The available index moved by more than the ring's size.
	VRING_FAULT_HEAD,	// A head or next index outside of the table.
	// A chain longer than its table. (In a table of more than FRAME_SEGS_MAX descriptors a chain is
	// dropped for its length before that is certain.)
	VRING_FAULT_LOOP,
	VRING_FAULT_ADDRESS,   // A buffer, or an indirect table, outside of guest memory.
	VRING_FAULT_INDIRECT,  // Indirect in indirect, with NEXT, or of a wrong size.
	VRING_FAULT_DIRECTION, // Writable where readable is due, or the reverse.
	VRING_FAULT_COUNT
};

// The reason in words, for people.
const char *vring_fault_text(enum vring_fault fault);

// Why a frame of a sound ring was not taken, or not delivered. The chain was completed (take) or
// left where it was (deliver).
enum vring_drop {
	VRING_DROP_NONE,
	VRING_DROP_SHORT,  // Take: shorter than its header or than FRAME_SIZE_MIN.
	VRING_DROP_LONG,   // Take: longer than FRAME_SIZE_MAX or in too many descriptors.
	VRING_DROP_FULL,   // Deliver: no receive buffers.
	VRING_DROP_BUFFER, // Deliver: the next receive buffer is too small for the frame.
	VRING_DROP_COUNT
};

// Where a ring's three areas lie in this process (checked and translated by the vhost layer).
struct vring_areas {
	void *desc;
	void *avail;
	void *used;
};

struct vring {
	struct vring_desc_entry *desc;
	struct vring_avail_ring *avail;
	struct vring_used_ring *used;
	const struct vring_mem *mem;
	const struct vring_region *cache;
	uint32_t size; // Entries.
	uint16_t mask;
	uint16_t next_avail; // The next available entry to look at; virtio's 16-bit running index.
	uint16_t avail_seen; // The front end's index when it was last read.
	uint16_t next_used;  // The next used entry to write.
	uint16_t used_shown; // What the front end's view of the used index is.
	uint8_t header_size; // struct virtio_net_hdr: 12 bytes, or 10 (virtio 1.1, 5.1.6.1 legacy).
	bool mergeable;	     // VIRTIO_NET_F_MRG_RXBUF was negotiated.
	bool indirect;	     // VIRTIO_F_RING_INDIRECT_DESC was negotiated.
	enum vring_fault fault;
	uint32_t taken_count; // Chains of the burst in the air, completed by vring_complete().
	uint16_t taken[FRAME_BURST_MAX];
};

// Sizes in bytes of a ring's areas (virtio 1.1, 2.6), without the event words.
static inline uint64_t vring_desc_size(uint32_t size)
{
	return 16ull * size;
}
static inline uint64_t vring_avail_size(uint32_t size)
{
	return 4 + 2ull * size;
}
static inline uint64_t vring_used_size(uint32_t size)
{
	return 4 + 8ull * size;
}

// Sets a ring up over its areas. `base` is the available index to go on from (vhost-user,
// VHOST_USER_SET_VRING_BASE); the used index goes on from the same place, since nothing is in the air. mem must
// have at least one region and outlive the ring's use; when it changes, the ring is set up anew, since it
// remembers the region of its last hit. -EINVAL: size, alignment (virtio 1.1, 2.6:
// 16, 2 and 4 bytes) or mem.
int vring_init(
	struct vring *ring,
	const struct vring_areas *areas,
	uint32_t size,
	uint16_t base,
	const struct vring_mem *mem
);

// Goes on from the used index that the ring's own memory shows. For a front end that lost its back end and does
// not know how far it had come: DPDK's virtio-user as server gives every new one base 0. Nothing is
// ever left in the air, so the used index is the place. One shared read.
void vring_adopt_used(struct vring *ring);

// Tells the front end whether to notify us (virtio 1.1, 2.6.10: VIRTQ_USED_F_NO_NOTIFY). Turning
// notifications on must be followed by another look at the ring.
void vring_set_notify(struct vring *ring, bool notify);

// Whether the front end has made something available that was not taken yet; never on a ring with a
// fault. One shared read.
bool vring_has_work(const struct vring *ring);

// Takes at most `max` (and FRAME_BURST_MAX) chains from a transmit ring into an empty burst. Dropped
// chains take their place in the order of completion; ret_drops[reason] is added to. Returns the
// number of frames in the burst. ring->fault is set when the ring cannot be trusted any more; frames
// before the fault are still returned, and nothing is taken afterwards. A burst must be finished
// with vring_complete() before the next take, also one without frames: its chains may all have been
// dropped (ring->taken_count says how many chains it is). Looks at FRAME_SEGS_MAX descriptors at most, of
// all chains together, and ends the burst there.
uint32_t vring_take(
	struct vring *ring,
	struct frame_burst *burst,
	uint32_t max,
	uint64_t ret_drops[VRING_DROP_COUNT]
);

// Gives every chain of the last take back to the front end, in available order (virtio 1.1, 2.6.8),
// and shows it. The destinations of the burst must have been shown before (vring_show): a crash
// between the two repeats frames and never loses one.
void vring_complete(struct vring *ring);

// Delivers frames[0..count) in order into a receive ring: header, private head, then the rest from
// its segments. Returns how many leading frames were dealt with; stops at the first that finds no
// buffer. `ret_drop` says why it stopped (VRING_DROP_NONE when all were delivered; FULL: nothing
// more fits now; BUFFER: frames[result] alone does not fit, the caller skips it). A fault sets
// ring->fault and stops, with FULL. Nothing is shown to the front end before vring_show().
uint32_t vring_deliver(
	struct vring *ring,
	const struct frame *const *frames,
	uint32_t count,
	enum vring_drop *ret_drop
);

// Publishes what was delivered or completed since the last call.
void vring_show(struct vring *ring);

// Whether the front end wants to be signalled for what was just shown (virtio 1.1, 2.6.7). Called
// at most once after each vring_show() or vring_complete().
bool vring_wants_call(const struct vring *ring);
