// SPDX-License-Identifier: BSD-3-Clause
// Parses neighbour requests and writes answers. Pure; any thread. What is not exactly understood is not a request: it goes
// its way to everybody, as without this file.
#include "packet/neighbor.h"

#include "packet/checksum.h"
#include "packet/head.h"
#include "packet/headers.h"

#include <string.h>

// RFC 826, with Ethernet's and IPv4's sizes.
#define ARP_SIZE 28u
#define ARP_OPERATION 6
#define ARP_SENDER_MAC 8
#define ARP_SENDER_IP 14
#define ARP_TARGET_MAC 18
#define ARP_TARGET_IP 24
#define ARP_REQUEST 1
#define ARP_REPLY 2
// Ethernet, IPv4, and the sizes of their addresses.
static const uint8_t arp_kind[ARP_OPERATION] = {0, 1, 0x08, 0x00, 6, 4};

#define IPV6_NEXT_HEADER 6
#define IPV6_HOP_LIMIT 7
#define IPV6_SOURCE 8
#define IPV6_DESTINATION 24
#define ND_HOP_LIMIT 255 // RFC 4861, 3.1: it was not forwarded.

// RFC 4861, 4.3 and 4.4.
#define ND_SIZE 24u
#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_FLAGS 4
#define ND_SOLICITED 0x40
#define ND_OVERRIDE 0x20
#define ND_TARGET 8
#define ND_CHECKSUM 2
// RFC 4861, 4.6. A size counts units of 8 bytes.
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
#define ND_OPTION_SIZE 8u // Of a link-layer address.

static const uint8_t unspecified[16];
// RFC 4291, 2.7.1.
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t solicited_node[13] = {0xff, 2, [11] = 1, 0xff};

static bool parse_arp(const uint8_t *bytes, uint32_t size, struct neighbor_request *request)
{
	const uint8_t *arp = bytes + ETHER_SIZE;

	if (size < ETHER_SIZE + ARP_SIZE || memcmp(arp, arp_kind, sizeof(arp_kind)) != 0)
		return false;
	if (headers_get16(arp + ARP_OPERATION) != ARP_REQUEST)
		return false;
	// A sender that is not the frame's is somebody's proxy.
	if (memcmp(arp + ARP_SENDER_MAC, bytes + MAC_SIZE, MAC_SIZE) != 0)
		return false;
	// An announcement is for all who hold the address before.
	if (memcmp(arp + ARP_SENDER_IP, arp + ARP_TARGET_IP, 4) == 0)
		return false;
	*request = (struct neighbor_request){.version = 4};
	memcpy(request->asker_mac, bytes + MAC_SIZE, MAC_SIZE);
	memcpy(request->asker_ip, arp + ARP_SENDER_IP, 4);
	memcpy(request->target, arp + ARP_TARGET_IP, 4);
	return true;
}

// RFC 4861, 7.1.1: each has a size; one that goes beyond the end makes the message bad.
static bool options_are_sound(const uint8_t *at, uint32_t size, const uint8_t *mac, bool has_source)
{
	while (size) {
		uint32_t bytes = size < 2 ? 0 : at[1] * 8u;
		if (!bytes || bytes > size)
			return false;
		if (at[0] == ND_OPTION_SOURCE) {
			if (!has_source || bytes != ND_OPTION_SIZE)
				return false;
			if (memcmp(at + 2, mac, MAC_SIZE) != 0)
				return false;
		}
		at += bytes;
		size -= bytes;
	}
	return true;
}

static bool is_solicitation(const uint8_t *ip, uint32_t nd_size)
{
	const uint8_t *nd = ip + IPV6_SIZE;

	if (ip[IPV6_HOP_LIMIT] != ND_HOP_LIMIT || nd_size < ND_SIZE)
		return false;
	if (nd[0] != ND_SOLICITATION || nd[1] || nd[ND_TARGET] == 0xff)
		return false;
	if (memcmp(ip + IPV6_DESTINATION, solicited_node, sizeof(solicited_node)) != 0)
		return false;
	if (memcmp(ip + IPV6_DESTINATION + 13, nd + ND_TARGET + 13, 3) != 0)
		return false;
	uint64_t sum = checksum_pseudo(ip + IPV6_SOURCE, 32, IP_PROTO_ICMPV6, nd_size);
	return checksum_fold(checksum_add(sum, nd, nd_size)) == UINT16_MAX;
}

static bool parse_nd(const uint8_t *bytes, uint32_t size, struct neighbor_request *request)
{
	const uint8_t *ip = bytes + ETHER_SIZE;
	const uint8_t *nd = ip + IPV6_SIZE;

	if (size < ETHER_SIZE + IPV6_SIZE + ND_SIZE || ip[0] >> 4 != 6)
		return false;
	if (ip[IPV6_NEXT_HEADER] != IP_PROTO_ICMPV6 || ip[IPV6_SOURCE] == 0xff)
		return false;
	uint32_t nd_size = headers_get16(ip + 4);
	if (nd_size > size - ETHER_SIZE - IPV6_SIZE || !is_solicitation(ip, nd_size))
		return false;
	bool has_source = memcmp(ip + IPV6_SOURCE, unspecified, 16) != 0;
	if (!options_are_sound(nd + ND_SIZE, nd_size - ND_SIZE, bytes + MAC_SIZE, has_source))
		return false;
	*request = (struct neighbor_request){.version = 6};
	memcpy(request->asker_mac, bytes + MAC_SIZE, MAC_SIZE);
	memcpy(request->asker_ip, ip + IPV6_SOURCE, 16);
	memcpy(request->target, nd + ND_TARGET, 16);
	return true;
}

bool neighbor_parse(const uint8_t *bytes, uint32_t size, struct neighbor_request *ret_request)
{
	struct neighbor_request request;
	bool is_request = false;

	if (size < ETHER_SIZE)
		return false;
	switch (headers_get16(bytes + ETHER_SIZE - 2)) {
	case ETHER_TYPE_ARP:
		is_request = parse_arp(bytes, size, &request);
		break;
	case ETHER_TYPE_IPV6:
		is_request = parse_nd(bytes, size, &request);
		break;
	default:
		break;
	}
	if (is_request)
		*ret_request = request;
	return is_request;
}

static bool begins_like_solicitation(const struct frame *frame)
{
	const uint8_t *ip = frame->head + ETHER_SIZE;

	if (frame->head_size < ETHER_SIZE + IPV6_SIZE + 1)
		return false;
	return headers_get16(frame->head + ETHER_SIZE - 2) == ETHER_TYPE_IPV6 &&
		ip[IPV6_NEXT_HEADER] == IP_PROTO_ICMPV6 && ip[IPV6_SIZE] == ND_SOLICITATION;
}

bool neighbor_recognize(const struct frame *frame, struct neighbor_request *ret_request)
{
	uint8_t bytes[NEIGHBOR_REQUEST_SIZE_MAX];

	if (frame->offload.flags | frame->offload.gso_type)
		return false;
	if (!begins_like_solicitation(frame)) // All of ARP is in the head.
		return neighbor_parse(frame->head, frame->head_size, ret_request);
	if (frame->size > sizeof(bytes))
		return false;
	uint32_t size = head_copy(frame, bytes, sizeof(bytes));
	return neighbor_parse(bytes, size, ret_request);
}

static uint32_t answer_arp(
	const struct neighbor_request *request,
	const uint8_t mac[MAC_SIZE],
	uint8_t *bytes
)
{
	uint8_t *arp = bytes + ETHER_SIZE;

	memcpy(bytes, request->asker_mac, MAC_SIZE);
	headers_put16(bytes + ETHER_SIZE - 2, ETHER_TYPE_ARP);
	memcpy(arp, arp_kind, sizeof(arp_kind));
	headers_put16(arp + ARP_OPERATION, ARP_REPLY);
	memcpy(arp + ARP_SENDER_MAC, mac, MAC_SIZE);
	memcpy(arp + ARP_SENDER_IP, request->target, 4);
	memcpy(arp + ARP_TARGET_MAC, request->asker_mac, MAC_SIZE);
	memcpy(arp + ARP_TARGET_IP, request->asker_ip, 4);
	return ETHER_SIZE + ARP_SIZE;
}

static void write_advertisement(
	const struct neighbor_request *request,
	const uint8_t mac[MAC_SIZE],
	bool has_asker,
	uint8_t *ip
)
{
	uint8_t *nd = ip + IPV6_SIZE;
	const uint32_t nd_size = ND_SIZE + ND_OPTION_SIZE;

	nd[0] = ND_ADVERTISEMENT;
	nd[ND_FLAGS] = (uint8_t)(ND_OVERRIDE | (has_asker ? ND_SOLICITED : 0));
	memcpy(nd + ND_TARGET, request->target, 16);
	nd[ND_SIZE] = ND_OPTION_TARGET;
	nd[ND_SIZE + 1] = ND_OPTION_SIZE / 8;
	memcpy(nd + ND_SIZE + 2, mac, MAC_SIZE);
	uint64_t sum = checksum_pseudo(ip + IPV6_SOURCE, 32, IP_PROTO_ICMPV6, nd_size);
	uint16_t stored = (uint16_t)~checksum_fold(checksum_add(sum, nd, nd_size));
	memcpy(nd + ND_CHECKSUM, &stored, 2);
}

static uint32_t answer_nd(
	const struct neighbor_request *request,
	const uint8_t mac[MAC_SIZE],
	uint8_t *bytes
)
{
	uint8_t *ip = bytes + ETHER_SIZE;
	bool has_asker = memcmp(request->asker_ip, unspecified, 16) != 0;
	static const uint8_t all_nodes_mac[MAC_SIZE] = {0x33, 0x33, 0, 0, 0, 1}; // RFC 2464, 7.

	memcpy(bytes, has_asker ? request->asker_mac : all_nodes_mac, MAC_SIZE);
	headers_put16(bytes + ETHER_SIZE - 2, ETHER_TYPE_IPV6);
	ip[0] = 0x60;
	headers_put16(ip + 4, ND_SIZE + ND_OPTION_SIZE);
	ip[IPV6_NEXT_HEADER] = IP_PROTO_ICMPV6;
	ip[IPV6_HOP_LIMIT] = ND_HOP_LIMIT;
	memcpy(ip + IPV6_SOURCE, request->target, 16);
	memcpy(ip + IPV6_DESTINATION, has_asker ? request->asker_ip : all_nodes, 16);
	write_advertisement(request, mac, has_asker, ip);
	return ETHER_SIZE + IPV6_SIZE + ND_SIZE + ND_OPTION_SIZE;
}

uint32_t neighbor_answer(
	const struct neighbor_request *request,
	const uint8_t mac[MAC_SIZE],
	uint8_t ret_bytes[NEIGHBOR_ANSWER_SIZE_MAX]
)
{
	memset(ret_bytes, 0, NEIGHBOR_ANSWER_SIZE_MAX);
	memcpy(ret_bytes + MAC_SIZE, mac, MAC_SIZE);
	if (request->version == 4)
		return answer_arp(request, mac, ret_bytes);
	return answer_nd(request, mac, ret_bytes);
}
