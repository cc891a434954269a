// SPDX-License-Identifier: BSD-3-Clause
// Where a frame's headers lie: Ethernet, up to two VLAN tags, IPv4 with options, IPv6 with extension
// headers. Reads a private copy only. Any thread; no state.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ETHER_SIZE 14u
#define ETHER_TAG_SIZE 4u
#define ETHER_TAGS_MAX 2u
#define ETHER_TYPE_IPV4 0x0800
#define ETHER_TYPE_ARP 0x0806
#define ETHER_TYPE_RARP 0x8035
#define ETHER_TYPE_VLAN 0x8100
#define ETHER_TYPE_QINQ 0x88a8
#define ETHER_TYPE_IPV6 0x86dd

#define IPV4_SIZE 20u
#define IPV6_SIZE 40u
#define IPV6_FRAGMENT_SIZE 8u
// A chain of IPv6 extension headers that is followed. RFC 8200, 4.1 recommends an order of at most 7 of them.
#define IPV6_EXTENSIONS_MAX 8u

#define IP_PROTO_HOPOPTS 0
#define IP_PROTO_TCP 6
#define IP_PROTO_UDP 17
#define IP_PROTO_ROUTING 43
#define IP_PROTO_FRAGMENT 44
#define IP_PROTO_ICMPV6 58
#define IP_PROTO_DSTOPTS 60
#define IP_PROTO_SCTP 132

struct headers {
	uint16_t type;	  // Ethernet's, behind the tags.
	uint8_t version;  // 4 or 6 of a sound IP header that is all there; otherwise 0.
	uint8_t proto;	  // With an IP version: what is at l4.
	bool is_fragment; // Of a larger datagram; l4 is not (always) the upper protocol's header.
	bool is_routed; // An IPv6 routing header has segments left: the last of them is the destination.
	uint16_t l3; // Offset of what is behind Ethernet and the tags.
	uint16_t l4; // Offset of what is behind IP and its extension headers.
	// IPv6 (RFC 8200, 4.5): where the part of a datagram begins that is fragmented, and the place of the byte
	// which names that part's first header.
	uint16_t fragment_at;
	uint16_t fragment_named_at;
};

// Looks at `size` bytes from the frame's first on. More than two tags are not followed. A chain of extension headers
// that goes beyond `size` or IPV6_EXTENSIONS_MAX leaves proto at the header which ended the search.
// size >= ETHER_SIZE.
void headers_parse(const uint8_t *head, uint32_t size, struct headers *ret_headers);

// Of IPv6, of those that are followed; a fragment header is not one here.
static inline bool headers_is_extension(uint8_t proto)
{
	return proto == IP_PROTO_HOPOPTS || proto == IP_PROTO_ROUTING || proto == IP_PROTO_DSTOPTS;
}

static inline uint16_t headers_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t headers_get32(const uint8_t *at)
{
	return (uint32_t)headers_get16(at) << 16 | headers_get16(at + 2);
}

static inline void headers_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void headers_put32(uint8_t *at, uint32_t value)
{
	headers_put16(at, value >> 16);
	headers_put16(at + 2, value);
}

// Where the part of an IP datagram begins that fragments are cut from.
static inline uint32_t headers_fragment_at(const struct headers *h)
{
	return h->version == 6 ? h->fragment_at : h->l4;
}
