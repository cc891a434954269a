// SPDX-License-Identifier: BSD-3-Clause
// What an uplink looks at in a frame's head: VLAN tags, whether bytes are missing, whether its checksum was left to
// somebody else. Bytes only: no DPDK, no state; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FRAME_ETH_SIZE 14
#define FRAME_TAG_SIZE 4
#define FRAME_VLAN_MASK 0x0fff // IEEE 802.1Q 9.6: the VID is 12 bits of the TCI.

enum frame_tag {
	FRAME_UNTAGGED,
	FRAME_TAGGED,
	FRAME_TAG_FOREIGN // A tag of another kind first, such as IEEE 802.1ad's: no VLAN of ours.
};

// The outermost tag of a frame of `size` bytes, of which there are at least FRAME_ETH_SIZE. ret_tci is written when
// there is one.
enum frame_tag frame_read_tag(const uint8_t *frame, uint32_t size, uint16_t *ret_tci);

// Whose VLAN's the frames of a tag are: a priority tag (VID 0) says no VLAN (IEEE 802.1Q 6.9.1).
static inline uint16_t frame_vlan(uint16_t tci)
{
	return tci & FRAME_VLAN_MASK;
}

enum frame_finding {
	FRAME_WHOLE,
	FRAME_CUT,	   // Shorter than its IP header says.
	FRAME_SUM_PARTIAL, // TCP or UDP; the checksum field has the pseudo header's sum and nothing else.
	FRAME_FINDING_COUNT
};

struct frame_layers {
	uint16_t l2, l3, l4; // Sizes of the headers; 0: not known.
	uint32_t payload;    // Of the IP packet: what the checksum is over.
	bool ipv6, tcp;
};

// Looks at a frame that is `length` bytes long, of which the first `size` are at `frame`. ret_layers is written for
// FRAME_SUM_PARTIAL only. Fragments and what is neither TCP nor UDP over IP is FRAME_WHOLE.
enum frame_finding frame_inspect(
	const uint8_t *frame,
	uint32_t size,
	uint32_t length,
	struct frame_layers *ret_layers
);

// The headers of a TCP or UDP frame, which may have tags. False: it is no such frame, or not all of them are there.
bool frame_read_layers(const uint8_t *frame, uint32_t size, struct frame_layers *ret_layers);
