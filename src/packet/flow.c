// SPDX-License-Identifier: BSD-3-Clause
// Flow hashes. Any thread; no state. Two multiplications of 64 by 64 bits, whose halves are folded together.
#include "packet/flow.h"

#include "packet/headers.h"
#include "vring/frame.h"

#include <string.h>

// Odd numbers with as many ones as zeros and no pattern: parts of the fractions of the square roots of 2, 3 and 5.
#define MIX_A 0x6a09e667f3bcc909u
#define MIX_B 0xbb67ae8584caa73bu
#define MIX_C 0x3c6ef372fe94f82bu

static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t finish(uint64_t addresses, uint64_t rest)
{
	uint64_t mixed = fold(fold(addresses ^ MIX_A, MIX_B) ^ rest, MIX_C);
	return (uint32_t)(mixed ^ mixed >> 32);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static bool has_ports(const struct headers *h, uint32_t size)
{
	if (h->is_fragment || size < h->l4 + 4u)
		return false;
	return h->proto == IP_PROTO_TCP || h->proto == IP_PROTO_UDP || h->proto == IP_PROTO_SCTP;
}

// Options that go beyond the head hide the ports, not the addresses.
static void admit_cut_ipv4(const uint8_t *head, uint32_t size, struct headers *h)
{
	const uint8_t *ip = head + h->l3;

	if (h->type != ETHER_TYPE_IPV4 || size < h->l3 + IPV4_SIZE || ip[0] >> 4 != 4)
		return;
	h->version = 4;
	h->proto = ip[9];
	h->l4 = (uint16_t)size;
}

// What most frames are, without a look at anything else: no tag, IPv4 without options, no fragment, TCP or UDP. The hash
// is the one of the long way.
static bool is_plain(const uint8_t *head, uint32_t size)
{
	if (size < ETHER_SIZE + IPV4_SIZE + 4)
		return false;
	if (headers_get16(head + 12) != ETHER_TYPE_IPV4 || head[14] != 0x45)
		return false;
	if (headers_get16(head + 20) & 0x3fff)
		return false;
	return head[23] == IP_PROTO_TCP || head[23] == IP_PROTO_UDP;
}

uint32_t flow_hash(const uint8_t *head, uint32_t head_size)
{
	struct headers h;

	if (__builtin_expect(is_plain(head, head_size), 1))
		return finish(get64(head + 26), (uint64_t)head[23] << 32 | get32(head + 34));
	if (head_size < ETHER_SIZE)
		return 0;
	// A frame that was made in software shows more of itself; its flow is the same.
	if (head_size > FRAME_HEAD_SIZE)
		head_size = FRAME_HEAD_SIZE;
	headers_parse(head, head_size, &h);
	if (!h.version)
		admit_cut_ipv4(head, head_size, &h);
	if (!h.version)
		return finish(get64(head), (uint64_t)get32(head + 8) << 16 | h.type);
	uint64_t rest = (uint64_t)h.proto << 32;
	if (has_ports(&h, head_size))
		rest |= get32(head + h.l4);
	const uint8_t *ip = head + h.l3;
	if (h.version == 4)
		return finish(get64(ip + 12), rest);
	uint64_t from = fold(get64(ip + 8) ^ MIX_C, get64(ip + 16) ^ MIX_A);
	uint64_t to = fold(get64(ip + 24) ^ MIX_A, get64(ip + 32) ^ MIX_B);
	return finish(from ^ (to << 32 | to >> 32), rest);
}
