// SPDX-License-Identifier: BSD-3-Clause
// Checks frames of a capture: lengths, and the checksums of IPv4, TCP, UDP, ICMP and ICMPv6, also behind VLAN tags and IPv6
// extension headers, and of datagrams in fragments. Shares no code with what makes frames. Pure. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_DATAGRAMS_MAX 256

enum capture_kind {
	CAPTURE_IPV4,
	CAPTURE_IPV6,
	CAPTURE_TCP,
	CAPTURE_UDP,
	CAPTURE_ICMP,
	CAPTURE_ICMPV6,
	CAPTURE_ARP,
	CAPTURE_TAGGED,
	CAPTURE_FRAGMENT,
	CAPTURE_REASSEMBLED, // Datagrams of which all fragments came.
	CAPTURE_UNSUMMED,    // UDP over IPv4 that has no checksum.
	CAPTURE_UNFINISHED, // TCP and UDP whose checksum is left to a device: the pseudo header's sum.
	CAPTURE_UNCHECKED, // IP with something else in it, or behind a routing header.
	CAPTURE_OTHER,	   // Not IP, not ARP.
	CAPTURE_KIND_COUNT
};

extern const char *const capture_kind_names[CAPTURE_KIND_COUNT];

// A datagram of which some fragments came. Sums of parts add up, since each but the last has a multiple of 8 bytes.
struct capture_datagram {
	bool is_used;
	uint8_t version, proto;
	uint8_t addresses[32];
	uint32_t id;
	uint32_t seen, total; // Bytes; total 0: the last one did not come yet.
	uint64_t sum;
	uint16_t stored_udp; // Its checksum field.
	bool has_first;
};

struct capture {
	bool takes_unfinished; // Set by the caller: unfinished checksums are not wrong.
	uint64_t frames;
	uint64_t kinds[CAPTURE_KIND_COUNT];
	uint64_t wrong;
	uint32_t next_datagram; // To be given up, when there is no place.
	struct capture_datagram datagram[CAPTURE_DATAGRAMS_MAX];
};

// Counts the frame. True if it is right as far as it can be told; else ret_why says what is wrong.
bool capture_check(
	struct capture *capture,
	const uint8_t *frame,
	uint32_t size,
	char *ret_why,
	size_t why_size
);
// Datagrams that are not complete yet.
uint32_t capture_pending(const struct capture *capture);
