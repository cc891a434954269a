// SPDX-License-Identifier: BSD-3-Clause
// A frame as a view: where its bytes lie, its length, its offload request and a private copy of its
// head. Made by whoever takes frames from a source (a virtio ring, later a TAP's read buffer), judged
// and delivered by the switch. Views live until their burst is completed, never longer. One worker.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Frames a worker takes from one queue in one turn.
#define FRAME_BURST_MAX 32
// Bytes of a frame that are copied before they are judged: Ethernet, a VLAN tag, IPv6 and the
// ports after it make 62. One cache line. The copy is also what is
// delivered for these bytes.
#define FRAME_HEAD_SIZE 64
// Segments that the frames of one burst may have together, and one frame alone. Also the descriptors
// that one take looks at, so that a burst is a bounded amount of work.
#define FRAME_SEGS_MAX 1024
// IEEE 802.3: addresses and type; anything shorter is not a frame.
#define FRAME_SIZE_MIN 14
// 64 KiB of IP, an Ethernet header with two tags; no GSO request is larger.
#define FRAME_SIZE_MAX 65562

struct frame_seg {
	uint8_t *addr; // Guest memory: its content may change at any time.
	uint32_t size;
};

// virtio 1.1, 5.1.6: flags and gso_type of struct virtio_net_hdr.
#define FRAME_F_NEEDS_CSUM 1 // Sum from csum_start to the end, into csum_start + csum_offset.
#define FRAME_F_DATA_VALID 2 // Device to driver: the checksums were found right.
#define FRAME_GSO_NONE 0
#define FRAME_GSO_TCPV4 1
#define FRAME_GSO_UDP 3 // UFO: the datagram is to be cut into IP fragments.
#define FRAME_GSO_TCPV6 4
#define FRAME_GSO_UDP_L4 5 // USO (virtio 1.3, 5.1.6): the payload is to be cut into datagrams.
#define FRAME_GSO_ECN 0x80 // Beside a TCP type: the segment has ECN set (CWR in the first only).

// virtio 1.1, 5.1.6: struct virtio_net_hdr without num_buffers, little endian. All zero: nothing is asked for.
struct frame_offload {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};

struct frame {
	// Private copy of the first head_size bytes. Of a frame that was taken: FRAME_HEAD_SIZE, or all of a
	// shorter one. A frame made in software may have more.
	const uint8_t *head;
	const struct frame_seg *segs; // The whole frame, the head's bytes included.
	uint32_t size;		      // Bytes, without virtio-net header and FCS.
	uint16_t head_size;
	uint16_t seg_count;
	struct frame_offload offload;
};

// What one poll takes. Reused for every burst of a worker; nothing is allocated per frame.
struct frame_burst {
	uint32_t count; // Frames.
	uint32_t seg_count;
	uint64_t bytes; // Of all frames.
	struct frame frame[FRAME_BURST_MAX];
	uint8_t head[FRAME_BURST_MAX][FRAME_HEAD_SIZE] __attribute__((aligned(64)));
	struct frame_seg seg[FRAME_SEGS_MAX];
};
