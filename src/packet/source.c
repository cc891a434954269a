// SPDX-License-Identifier: BSD-3-Clause
// Finds what a frame says of its sender's addresses. Pure; any thread. Every byte is read from the copy that is given; what
// is not in it counts as hidden.
#include "packet/source.h"

#include "packet/headers.h"

#include <string.h>

#define ETHER_TYPE_QINQ_OLD 0x9100 // Before IEEE 802.1ad.
#define ETHER_TYPE_MIN 0x0600	   // IEEE 802.3, 3.2.6: below it is a length.
#define LLC_SNAP 0xaa

#define ARP_SIZE 28u
#define ARP_REQUEST 1
#define RARP_REQUEST 3

#define ICMPV6_LISTENER_REPORT 131
#define ICMPV6_LISTENER_DONE 132
#define ICMPV6_LISTENER_REPORT2 143
#define ND_SIZE 24u // Of solicitations and advertisements of neighbours.
#define ND_ROUTER_SOLICITATION_SIZE 8u
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2

static bool is_tag(uint32_t type)
{
	return type == ETHER_TYPE_VLAN || type == ETHER_TYPE_QINQ || type == ETHER_TYPE_QINQ_OLD;
}

// Returns the type behind all tags, and where what it is of begins. A tag, when there are too many.
static uint32_t find_type(const uint8_t *bytes, uint32_t size, uint32_t *ret_at)
{
	uint32_t at = ETHER_SIZE;
	uint32_t type = headers_get16(bytes + ETHER_SIZE - 2);

	for (uint32_t i = 0; is_tag(type) && i < SOURCE_TAGS_MAX; i++) {
		if (size < at + ETHER_TAG_SIZE)
			break;
		at += ETHER_TAG_SIZE;
		type = headers_get16(bytes + at - 2);
	}
	*ret_at = at;
	return type;
}

static bool is_nd(uint8_t type)
{
	return type >= SOURCE_ND_ROUTER_SOLICITATION && type <= SOURCE_ND_REDIRECT;
}

static bool is_followed(uint8_t proto)
{
	return proto == IP_PROTO_HOPOPTS || proto == IP_PROTO_ROUTING ||
		proto == IP_PROTO_DSTOPTS || proto == IP_PROTO_FRAGMENT;
}

bool source_needs_more(const struct frame *frame)
{
	const uint8_t *head = frame->head;
	uint32_t size = frame->head_size;
	uint32_t at;

	if (frame->size <= size || find_type(head, size, &at) != ETHER_TYPE_IPV6)
		return false;
	if (size < at + IPV6_SIZE + 1)
		return true;
	uint8_t proto = head[at + 6];
	return is_followed(proto) || (proto == IP_PROTO_ICMPV6 && is_nd(head[at + IPV6_SIZE]));
}

static void parse_ipv4(const uint8_t *ip, uint32_t size, struct source *source)
{
	source->kind = SOURCE_SHORT;
	if (size < IPV4_SIZE)
		return;
	uint32_t ip_size = (ip[0] & 15) * 4u;
	source->kind = SOURCE_IPV4;
	memcpy(source->ip, ip + 12, 4);
	source->may_lack = ip_size >= IPV4_SIZE && size >= ip_size + 4 && ip[9] == IP_PROTO_UDP &&
		!(headers_get16(ip + 6) & 0x3fff) && headers_get16(ip + ip_size) == 68 &&
		headers_get16(ip + ip_size + 2) == 67;
}

// Hardware types are not asked: stacks take several for Ethernet.
static void parse_arp(const uint8_t *arp, uint32_t size, const uint8_t *mac, struct source *source)
{
	static const uint8_t kind[] = {0, 1, 8, 0, 6, 4};

	source->kind = SOURCE_ARP;
	if (size < ARP_SIZE || arp[4] != MAC_SIZE || arp[5] != 4)
		return;
	uint32_t operation = headers_get16(arp + 6);
	source->is_whole = memcmp(arp, kind, sizeof(kind)) == 0;
	source->may_lack = operation == ARP_REQUEST || operation == RARP_REQUEST;
	source->has_other_mac = memcmp(arp + 8, mac, MAC_SIZE) != 0;
	memcpy(source->ip, arp + 14, 4);
}

// RFC 4861, 4.6: whether some option names another link-layer address than the frame's source, or cannot be read.
static bool has_other_mac(const uint8_t *at, const uint8_t *end, const uint8_t *mac)
{
	while (at < end) {
		uint32_t bytes = end - at < 8 ? 0 : at[1] * 8u;
		if (!bytes || bytes > (uint32_t)(end - at))
			return true;
		bool is_mac = at[0] == ND_OPTION_SOURCE || at[0] == ND_OPTION_TARGET;
		if (is_mac && (bytes != 8 || memcmp(at + 2, mac, MAC_SIZE) != 0))
			return true;
		at += bytes;
	}
	return false;
}

// `nd` with all that is seen of it, and all that the packet says it has.
static void parse_nd(
	const uint8_t *nd,
	uint32_t size,
	uint32_t stated,
	const uint8_t *mac,
	struct source *source
)
{
	bool is_neighbor = nd[0] == SOURCE_ND_SOLICITATION || nd[0] == SOURCE_ND_ADVERTISEMENT;
	uint32_t fixed = is_neighbor ? ND_SIZE : ND_ROUTER_SOLICITATION_SIZE;

	source->kind = SOURCE_HIDDEN_ND;
	if (size < fixed || stated < fixed)
		return;
	source->kind = SOURCE_ND;
	source->type = nd[0];
	source->may_lack =
		nd[0] == SOURCE_ND_SOLICITATION || nd[0] == SOURCE_ND_ROUTER_SOLICITATION;
	if (is_neighbor)
		memcpy(source->target, nd + 8, 16);
	source->is_whole = stated <= size;
	source->has_other_mac = !source->is_whole || has_other_mac(nd + fixed, nd + stated, mac);
}

// Where ICMPv6 begins behind the IPv6 header; 0: the packet is of another protocol. False: that cannot be seen.
static bool find_icmpv6(const uint8_t *ip, uint32_t size, uint32_t *ret_at, bool *ret_is_fragment)
{
	uint8_t proto = ip[6];
	uint32_t at = IPV6_SIZE;

	*ret_is_fragment = false;
	*ret_at = 0;
	for (uint32_t i = 0; i < IPV6_EXTENSIONS_MAX && is_followed(proto); i++) {
		bool is_fragment = proto == IP_PROTO_FRAGMENT;
		if (size < at + 8)
			return false;
		if (is_fragment && headers_get16(ip + at + 2) & 0xfff8)
			return true; // Not the first, which is the one with headers (RFC 7112).
		*ret_is_fragment |= is_fragment;
		proto = ip[at];
		at += is_fragment ? IPV6_FRAGMENT_SIZE : (ip[at + 1] + 1u) * 8;
	}
	if (proto == IP_PROTO_ICMPV6)
		*ret_at = at;
	return !is_followed(proto);
}

static void parse_ipv6(const uint8_t *ip, uint32_t size, const uint8_t *mac, struct source *source)
{
	uint32_t at = 0;
	bool is_fragment = false;

	source->kind = SOURCE_SHORT;
	if (size < IPV6_SIZE)
		return;
	source->kind = SOURCE_HIDDEN_ND;
	memcpy(source->ip, ip + 8, 16);
	if (!find_icmpv6(ip, size, &at, &is_fragment) || (at && size < at + 1))
		return;
	source->kind = SOURCE_IPV6;
	if (!at)
		return;
	uint32_t stated = IPV6_SIZE + (uint32_t)headers_get16(ip + 4);
	if (is_nd(ip[at]) && is_fragment)
		source->kind = SOURCE_HIDDEN_ND;
	else if (is_nd(ip[at]))
		parse_nd(ip + at, size - at, stated < at ? 0 : stated - at, mac, source);
	else
		source->may_lack = ip[at] == ICMPV6_LISTENER_REPORT ||
			ip[at] == ICMPV6_LISTENER_DONE || ip[at] == ICMPV6_LISTENER_REPORT2;
}

void source_parse(const uint8_t *bytes, uint32_t size, struct source *ret_source)
{
	const uint8_t *mac = bytes + MAC_SIZE;
	uint32_t at;
	uint32_t type = find_type(bytes, size, &at);
	uint32_t rest = size - at;

	*ret_source = (struct source){.kind = SOURCE_HIDDEN};
	switch (type) {
	case ETHER_TYPE_IPV4:
		parse_ipv4(bytes + at, rest, ret_source);
		return;
	case ETHER_TYPE_IPV6:
		parse_ipv6(bytes + at, rest, mac, ret_source);
		return;
	case ETHER_TYPE_ARP:
	case ETHER_TYPE_RARP:
		parse_arp(bytes + at, rest, mac, ret_source);
		return;
	case ETHER_TYPE_VLAN:
	case ETHER_TYPE_QINQ:
	case ETHER_TYPE_QINQ_OLD:
		return;
	default:
		break;
	}
	bool is_snap = type < ETHER_TYPE_MIN && rest >= 2 && bytes[at] == LLC_SNAP &&
		bytes[at + 1] == LLC_SNAP;
	ret_source->kind = is_snap ? SOURCE_SNAP : SOURCE_OTHER;
}
