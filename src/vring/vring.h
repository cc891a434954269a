// SPDX-License-Identifier: BSD-3-Clause
// The back end's side of a virtio ring, split or packed (virtio 1.1, 2.6 and 2.7): take frames from a front end's
// transmit ring, deliver frames into a front end's receive ring. Plain memory in and out: no system
// call, no allocation, no DPDK. Everything in the ring is hostile: each shared field is read once,
// checked, then used. A ring belongs to one worker, or to the control thread while the port is
// quiesced; nothing here locks.
#pragma once

#include "vring/frame.h"
#include "vring/mem.h"

#include <stdbool.h>
#include <stdint.h>

// Used descriptors that a packed ring keeps back: those of the largest frame.
#define VRING_PENDING_MAX 288

// Split (virtio 1.1, 2.6): a power of two; one entry can never hold header and data apart, so 2 is least.
// Packed (2.7): any number.
#define VRING_SPLIT_SIZE_MIN 2
#define VRING_SIZE_MAX 32768

static inline bool vring_size_is_valid(bool packed, uint32_t size)
{
	if (packed)
		return size >= 1 && size <= VRING_SIZE_MAX;
	return size >= VRING_SPLIT_SIZE_MIN && size <= VRING_SIZE_MAX && !(size & (size - 1));
}

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

// Where a ring's three areas lie in this process (checked and translated by the vhost layer). virtio 1.1,
// 2.3: Descriptor Area, Driver Area, Device Area. Of a packed ring avail is the driver's event suppression
// structure and used the device's (2.7.14).
struct vring_areas {
	void *desc;
	void *avail;
	void *used;
};

enum vring_area {
	VRING_AREA_DESC,
	VRING_AREA_AVAIL,
	VRING_AREA_USED,
	VRING_AREA_COUNT
};

// What outlives this process of a packed ring: where it stands, and the used descriptors that are being shown. A
// driver may overwrite used descriptors as soon as it sees the first of them, so the ring alone does not say how far its
// back end had come. (A split ring's memory shows its place: the used index.) Zero when the ring is new; written by
// its back end alone, and read by the next one after the end of this one.
struct vring_place {
	uint32_t base; // Where the ring stands: index, and its wrap counter in bit 15.
	uint32_t next; // Where it will stand when what is being shown is shown.
	// Used descriptors being shown; 0: none, and the other members but base mean nothing.
	uint32_t count;
	uint16_t index[VRING_PENDING_MAX];
	uint64_t word[VRING_PENDING_MAX];
};

// How a ring is read: what was negotiated, and where to go on.
struct vring_config {
	uint32_t size; // Entries.
	// The place to go on from (vhost-user, VHOST_USER_SET_VRING_BASE). Split: the available index, and the used
	// index goes on from there. Packed: bits 0-14 index, bit 15 wrap counter of the next available descriptor; bits
	// 16-30 and 31 the same of the next used one. Nothing is in the air, so both are the same place; where they
	// differ, the used one counts, and upper bits that are all zero mean that the front end gave none.
	uint32_t base;
	uint8_t header_size; // struct virtio_net_hdr: 12 bytes, or 10 (virtio 1.1, 5.1.6.1 legacy).
	bool packed;	     // VIRTIO_F_RING_PACKED
	bool mergeable;	     // VIRTIO_NET_F_MRG_RXBUF
	bool indirect;	     // VIRTIO_F_RING_INDIRECT_DESC
	bool event_idx;	     // VIRTIO_F_RING_EVENT_IDX
	bool in_order;	     // VIRTIO_F_IN_ORDER
	bool offloads; // A transmit ring whose headers may carry requests (VIRTIO_NET_F_CSUM, _HOST_*).
	// Goes on where the last process left the ring, whatever base says: a split one at the used index of its memory, a
	// packed one at its place, after what that process was showing has been shown.
	bool recover;
	struct vring_place
		*place; // Packed. NULL: nothing outlives the process. Must outlive the ring.
};

// Bytes of one of a ring's areas, event words included, and the alignment it needs (virtio 1.1, 2.6 and 2.7).
uint64_t vring_area_size(const struct vring_config *config, enum vring_area area);
uint32_t vring_area_align(const struct vring_config *config, enum vring_area area);

// Copies `size` bytes (COPY_WIDE_MIN or more) that do not overlap; see copy.h.
typedef void vring_copy_fn(uint8_t *to, const uint8_t *from, size_t size);

struct vring {
	struct vring_desc_entry *desc;
	union {
		struct vring_avail_ring *avail;
		uint32_t *driver_event; // Packed.
	};
	union {
		struct vring_used_ring *used;
		uint32_t *device_event; // Packed.
	};
	const struct vring_mem *mem;
	const struct vring_region *cache;
	vring_copy_fn *copy; // The widest that this CPU has.
	uint32_t size;	     // Entries.
	uint16_t mask;	     // Split.
	// The place in the ring. Split: virtio's 16-bit running indices. Packed: indices below the size, each
	// with its wrap counter (2.7.1).
	uint16_t next_avail; // The next available entry to look at.
	uint16_t next_used;  // The next used entry to write.
	uint16_t used_shown; // What the front end's view of the used index is.
	uint16_t avail_seen; // Split: the front end's index when it was last read.
	bool avail_wrap;     // Packed: the wrap counters of next_avail, next_used and used_shown.
	bool used_wrap;
	bool shown_wrap;
	uint8_t header_size; // These as in the configuration.
	bool packed;
	bool mergeable;
	bool indirect;
	bool event_idx;
	bool in_order;
	bool offloads;
	uint16_t used_called; // Split: used_shown when vring_wants_call() was last asked.
	uint32_t unshown;     // Packed: descriptors used and not shown,
	uint32_t uncalled;    // and those shown since vring_wants_call() was last asked.
	enum vring_fault fault;
	uint32_t taken_count; // Chains of the burst in the air, completed by vring_complete().
	uint16_t taken[FRAME_BURST_MAX];       // Heads; packed: buffer ids,
	uint16_t taken_descs[FRAME_BURST_MAX]; // and descriptors of the ring that each chain has.
	// Packed: used descriptors that wait for vring_show(), in *place. They overwrite what the front end made
	// available, so until then they are kept there, and a back end that is lost before leaves the ring as it was.
	uint32_t pending_count;
	struct vring_place *place; // The configuration's, or the one below.
	struct vring_place own;
};

// Sets a ring up over its areas. mem must have at least one region and outlive the ring's use; when it
// changes, the ring is set up anew, since it remembers the region of its last hit. A ring is not copied: it may point
// into itself. A packed ring with a place notes there where it stands. -EINVAL: size, alignment, base (a packed index
// beyond the size) or mem; with `recover` a packed ring without a place, or a place that this ring cannot have left.
int vring_init(
	struct vring *ring,
	const struct vring_areas *areas,
	const struct vring_config *config,
	const struct vring_mem *mem
);

// Where the ring stands, in the form of vring_config's base (vhost-user, VHOST_USER_GET_VRING_BASE).
uint32_t vring_base(const struct vring *ring);

// Goes on from the used index that the ring's own memory shows. For a front end that lost its back end and does
// not know how far it had come: DPDK's virtio-user as server gives every new one base 0. Nothing is
// ever left in the air, so the used index is the place. One shared read. A packed ring shows no such place: nothing
// happens.
void vring_adopt_used(struct vring *ring);

// Tells the front end whether to notify us (virtio 1.1, 2.6.10: VIRTQ_USED_F_NO_NOTIFY or avail_event;
// 2.7.14: the device's event suppression). Turning notifications on ends with a full fence and must be followed by
// another look at the ring (vring_has_work): the front end publishes, fences and looks at the wish, so that one of the
// two sees the other.
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
// all chains together, and ends the burst there; only of a packed ring a longer chain is followed to its end, since
// the next one lies behind it.
uint32_t vring_take(
	struct vring *ring,
	struct frame_burst *burst,
	uint32_t max,
	uint64_t ret_drops[VRING_DROP_COUNT]
);

// Gives every chain of the last take back to the front end, in available order (virtio 1.1, 2.6.8 and 2.7.8;
// with VIRTIO_F_IN_ORDER as one batch, 2.6.9 and 2.7.9), and shows it. The destinations of the burst must have
// been shown before (vring_show): a crash between the two repeats frames and never loses one.
void vring_complete(struct vring *ring);

// Delivers frames[0..count) in order into a receive ring: header, private head, then the rest from
// its segments. Returns how many leading frames were dealt with; stops at the first that finds no
// buffer. `ret_drop` says why it stopped (VRING_DROP_NONE when all were delivered; FULL: nothing
// more fits now; BUFFER: frames[result] alone does not fit, the caller skips it). A fault sets
// ring->fault and stops, with FULL. Nothing is shown to the front end before vring_show(), but for whole frames of which
// a packed ring cannot keep more back (VRING_PENDING_MAX); too early a show repeats frames after a crash, and loses none.
uint32_t vring_deliver(
	struct vring *ring,
	const struct frame *const *frames,
	uint32_t count,
	enum vring_drop *ret_drop
);

// Publishes what was delivered or completed since the last call.
void vring_show(struct vring *ring);

// Whether the front end wants to be signalled for what was shown since the last call of this (virtio 1.1, 2.6.7:
// VIRTQ_AVAIL_F_NO_INTERRUPT or used_event; 2.7.14: the driver's event suppression). Full fence, one or two shared reads.
bool vring_wants_call(struct vring *ring);

// The same in two steps, for a burst that showed many rings: one fence behind all that was shown, then a question for each
// ring.
static inline void vring_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
bool vring_wants_call_fenced(struct vring *ring);
