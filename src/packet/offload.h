// SPDX-License-Identifier: BSD-3-Clause
// Checksum and segmentation requests of frames (virtio 1.1, 5.1.6.2; UDP segmentation: virtio 1.3, 5.1.6.2): judged before they travel on, and done in
// software for a receiver that does not take them. Plain memory in and out: no DPDK, no allocation per frame. Any
// thread; a struct belongs to one worker.
#pragma once

#include "packet/headers.h"
#include "vring/frame.h"

#include <stdbool.h>
#include <stdint.h>

// What a receiver accepts (its VIRTIO_NET_F_GUEST_* features), and what a frame needs.
#define OFFLOAD_CSUM (1u << 0)
#define OFFLOAD_TSO4 (1u << 1)
#define OFFLOAD_TSO6 (1u << 2)
#define OFFLOAD_ECN (1u << 3)
#define OFFLOAD_UFO (1u << 4)
#define OFFLOAD_USO (1u << 5) // For IPv4 and IPv6 alike.

// Headers of a frame that software works on: Ethernet, two tags, IPv6 with extension headers, TCP with options.
#define OFFLOAD_HEADERS_MAX 256
// Segments of one frame: 64 KiB of 48 bytes each, Linux' least MSS.
#define OFFLOAD_SEGMENTS_MAX 1366

// What the frame asks of its receiver; 0 for a frame without a request.
static inline uint32_t offload_needs(const struct frame_offload *offload)
{
	uint32_t needs = offload->flags & FRAME_F_NEEDS_CSUM ? OFFLOAD_CSUM : 0;

	switch (offload->gso_type & ~FRAME_GSO_ECN) {
	case FRAME_GSO_TCPV4:
		needs |= OFFLOAD_TSO4;
		break;
	case FRAME_GSO_TCPV6:
		needs |= OFFLOAD_TSO6;
		break;
	case FRAME_GSO_UDP:
		needs |= OFFLOAD_UFO;
		break;
	case FRAME_GSO_UDP_L4:
		needs |= OFFLOAD_USO;
		break;
	default:
		break;
	}
	return offload->gso_type & FRAME_GSO_ECN ? needs | OFFLOAD_ECN : needs;
}

// A frame's request after it was judged. Made once a frame with a request; one without needs none.
struct offload_plan {
	uint32_t needs; // OFFLOAD_*
	// Bytes to the end of the TCP or UDP header. Only with a segmentation request.
	uint32_t headers;
	uint32_t wire_size; // Bytes of the largest frame that it makes on the wire, for the MTU.
	// The request as it may travel on: without flags that mean nothing from a driver (DATA_VALID would make the
	// receiver trust checksums that nobody looked at), with the true hdr_len, and zero where nothing is asked.
	struct frame_offload offload;
	// These only with a segmentation request.
	struct headers at;
	uint32_t head_size;
	uint8_t head[OFFLOAD_HEADERS_MAX]; // Private copy of all headers.
};

// Judges a frame's request: whether it is sound (known type, a checksum request with each segmentation but UFO, places inside
// of the frame and behind what the frame is judged by, headers that are what the type says, a gso_size that makes
// OFFLOAD_SEGMENTS_MAX segments at most) and was among `allowed` (OFFLOAD_*: what the source negotiated). hdr_len is
// not looked at (virtio 1.1, 5.1.6.2.2), nor are flags that virtio does not know. Reads guest memory once, into
// ret_plan->head. 0, or -EINVAL: the frame is to be dropped.
int offload_judge(const struct frame *frame, uint32_t allowed, struct offload_plan *ret_plan);

// Cuts a frame into frames that a receiver accepts. Large: one a worker.
struct offload_split;
struct offload_split *offload_split_new(void); // NULL: out of memory.
void offload_split_free(struct offload_split *split);

// Begins with a frame whose plan needs more than `accepted`. frame and plan must stay until the last call of next; the
// frame's own request is not looked at any more.
void offload_split_begin(
	struct offload_split *split,
	const struct frame *frame,
	const struct offload_plan *plan,
	uint32_t accepted
);

// The next frames, FRAME_BURST_MAX at most, in order, with right lengths, identifiers, checksums, sequence numbers
// and flags (TCP: FIN and PSH in the last segment only, CWR in the first), or IP fragments for a UFO request. Where
// OFFLOAD_CSUM is accepted, segments and datagrams leave their checksum to the receiver. They are valid until the next call;
// their head may be larger than FRAME_HEAD_SIZE, and is the first of their segments. 0: that was all. Reads the
// payload for checksums; payload that changes meanwhile gives a wrong checksum and nothing else.
uint32_t offload_split_next(
	struct offload_split *split,
	const struct frame *ret_frames[FRAME_BURST_MAX]
);
