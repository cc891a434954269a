// SPDX-License-Identifier: BSD-3-Clause
// What a frame says of the IP addresses that it comes from: IPv4 and IPv6 source addresses, senders of ARP (RFC 826) and
// what Neighbor Discovery (RFC 4861) claims. Looks behind VLAN tags and extension headers. Pure; any thread.
#pragma once

#include "base/mac.h"
#include "vring/frame.h"

#include <stdbool.h>
#include <stdint.h>

// Tags that are looked behind. Linux takes any number of priority tags (VLAN 0) off.
#define SOURCE_TAGS_MAX 4u
// A private head of so many bytes shows all of a message that names addresses. RFC 4861's own options are far smaller.
#define SOURCE_HEAD_MAX 256u

enum source_kind {
	SOURCE_OTHER, // It names no IP address.
	SOURCE_SNAP,  // IEEE 802.2 with a type behind it, which hardly anybody reads.
	SOURCE_IPV4,
	SOURCE_IPV6,
	SOURCE_ARP,	  // Also RARP (RFC 903).
	SOURCE_ND,	  // ICMPv6 133 to 137.
	SOURCE_SHORT,	  // Too short for its type.
	SOURCE_HIDDEN,	  // Too many tags.
	SOURCE_HIDDEN_ND, // ND may hide there: a long chain of headers, or a fragment (RFC 6980).
};

struct source {
	enum source_kind kind;
	bool is_whole; // ARP, ND: all of it is as its specification has it.
	// It has no source address and needs none: DHCP requests (RFC 2131, 4.1), ARP probes (RFC 5227, 2.1.1), reports of
	// multicast listeners (RFC 3590), solicitations (RFC 4861, RFC 4862).
	bool may_lack;
	// ARP, ND: the link-layer address in it is not the frame's source; options that cannot all be read count as such.
	bool has_other_mac;
	uint8_t type;	    // ND: of ICMPv6.
	uint8_t ip[16];	    // Of the source or sender; of 4 or 16 bytes, in network order.
	uint8_t target[16]; // Of neighbour solicitations and advertisements.
};

#define SOURCE_ND_ROUTER_SOLICITATION 133
#define SOURCE_ND_ROUTER_ADVERTISEMENT 134
#define SOURCE_ND_SOLICITATION 135
#define SOURCE_ND_ADVERTISEMENT 136
#define SOURCE_ND_REDIRECT 137

// Whether the frame's private head is too short for source_parse(). Then it takes the first SOURCE_HEAD_MAX bytes.
bool source_needs_more(const struct frame *frame);

// Reads `size` bytes of a frame, from the first on: all of it, or as many as its private head has. size >= 14.
void source_parse(const uint8_t *bytes, uint32_t size, struct source *ret_source);
