// SPDX-License-Identifier: BSD-3-Clause
// Requests for a neighbour's link-layer address, and answers in that neighbour's place: ARP (RFC 826) and IPv6 Neighbor
// Discovery (RFC 4861). Pure; any thread.
#pragma once

#include "base/mac.h"
#include "vring/frame.h"

#include <stdbool.h>
#include <stdint.h>

// A solicitation of more bytes than these is left alone.
#define NEIGHBOR_REQUEST_SIZE_MAX 256
// Ethernet, IPv6, neighbour advertisement, target link-layer address.
#define NEIGHBOR_ANSWER_SIZE_MAX 86

struct neighbor_request {
	uint8_t version; // 4: ARP. 6: Neighbor Discovery.
	uint8_t asker_mac[MAC_SIZE];
	// Addresses of 4 or 16 bytes, in network order.
	uint8_t asker_ip
		[16]; // Zero: it looks whether the target is free (RFC 5227, 2.1.1; RFC 4862, 5.4.2).
	uint8_t target[16];
};

// Whether `size` bytes of an untagged frame that was sent to many are a sound request for another's address:
// - an ARP request for Ethernet and IPv4 whose sender is the frame's, and not an announcement (RFC 5227, 2.3)
// - a neighbour solicitation that RFC 4861, 7.1.1 calls valid, directly behind the IPv6 header, to the target's
//   solicited-node address, with no other source link-layer address than the frame's
bool neighbor_parse(const uint8_t *bytes, uint32_t size, struct neighbor_request *ret_request);

// The same of a frame without an offload request, as it was taken. Reads guest memory once, and only of what begins like
// a solicitation.
bool neighbor_recognize(const struct frame *frame, struct neighbor_request *ret_request);

// Writes the answer that the target's owner at `mac` would give, with all checksums, and returns its bytes. To the asker
// alone; where it has no IPv6 address yet, to all nodes (RFC 4861, 7.2.4).
uint32_t neighbor_answer(
	const struct neighbor_request *request,
	const uint8_t mac[MAC_SIZE],
	uint8_t ret_bytes[NEIGHBOR_ANSWER_SIZE_MAX]
);
