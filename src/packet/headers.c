// SPDX-License-Identifier: BSD-3-Clause
// Parses headers. Any thread; no state.
#include "packet/headers.h"

#define IPV4_MORE_OR_OFFSET 0x3fff // MF and the fragment offset.

static void parse_ether(const uint8_t *head, uint32_t size, struct headers *h)
{
	h->l3 = ETHER_SIZE;
	h->type = headers_get16(head + ETHER_SIZE - 2);
	for (uint32_t tags = 0; tags < ETHER_TAGS_MAX; tags++) {
		if (h->type != ETHER_TYPE_VLAN && h->type != ETHER_TYPE_QINQ)
			return;
		if (size < h->l3 + ETHER_TAG_SIZE)
			return;
		h->l3 = (uint16_t)(h->l3 + ETHER_TAG_SIZE);
		h->type = headers_get16(head + h->l3 - 2);
	}
}

static void parse_ipv4(const uint8_t *head, uint32_t size, struct headers *h)
{
	const uint8_t *ip = head + h->l3;

	if (size < h->l3 + IPV4_SIZE)
		return;
	uint32_t ip_size = (ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || ip_size < IPV4_SIZE || size < h->l3 + ip_size)
		return;
	h->version = 4;
	h->proto = ip[9];
	h->l4 = (uint16_t)(h->l3 + ip_size);
	h->is_fragment = headers_get16(ip + 6) & IPV4_MORE_OR_OFFSET;
}

// RFC 8200, 4.5: the headers of each fragment are all to and with the routing header, or else the hop-by-hop options.
static void parse_extensions(const uint8_t *head, uint32_t size, struct headers *h)
{
	h->fragment_at = h->l4;
	h->fragment_named_at = (uint16_t)(h->l3 + 6);
	for (uint32_t i = 0; i < IPV6_EXTENSIONS_MAX && headers_is_extension(h->proto); i++) {
		const uint8_t *at = head + h->l4;
		uint8_t extension = h->proto;
		if (size < h->l4 + 8u)
			return;
		uint32_t bytes = (at[1] + 1u) * 8;
		if (size < h->l4 + bytes)
			return;
		h->is_routed |= extension == IP_PROTO_ROUTING && at[3];
		h->proto = at[0];
		if (extension != IP_PROTO_DSTOPTS) {
			h->fragment_at = (uint16_t)(h->l4 + bytes);
			h->fragment_named_at = h->l4;
		}
		h->l4 = (uint16_t)(h->l4 + bytes);
	}
	if (h->proto != IP_PROTO_FRAGMENT)
		return;
	h->is_fragment = true;
	if (size < h->l4 + IPV6_FRAGMENT_SIZE)
		return;
	h->proto = head[h->l4];
	h->l4 = (uint16_t)(h->l4 + IPV6_FRAGMENT_SIZE);
}

static void parse_ipv6(const uint8_t *head, uint32_t size, struct headers *h)
{
	const uint8_t *ip = head + h->l3;

	if (size < h->l3 + IPV6_SIZE || ip[0] >> 4 != 6)
		return;
	h->version = 6;
	h->proto = ip[6];
	h->l4 = (uint16_t)(h->l3 + IPV6_SIZE);
	parse_extensions(head, size, h);
}

void headers_parse(const uint8_t *head, uint32_t size, struct headers *ret_headers)
{
	*ret_headers = (struct headers){0};
	parse_ether(head, size, ret_headers);
	if (ret_headers->type == ETHER_TYPE_IPV4)
		parse_ipv4(head, size, ret_headers);
	else if (ret_headers->type == ETHER_TYPE_IPV6)
		parse_ipv6(head, size, ret_headers);
}
