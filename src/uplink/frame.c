// SPDX-License-Identifier: BSD-3-Clause
// Reading heads of frames. Pure; the worker calls it.
#include "uplink/frame.h"

#include <string.h>

#define TYPE_OFFSET 12
#define TYPE_VLAN 0x8100 // IEEE 802.1Q: customer tag.
#define TYPE_QINQ 0x88a8 // IEEE 802.1ad: service tag.
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TAGS_MAX 2
#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define TCP_SIZE 20
#define TCP_SUM 16 // RFC 9293 3.1: where the checksum is.
#define UDP_SIZE 8
#define UDP_SUM 6 // RFC 768.
#define PROTO_TCP 6
#define PROTO_UDP 17

static uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

enum frame_tag frame_read_tag(const uint8_t *frame, uint32_t size, uint16_t *ret_tci)
{
	uint16_t type = read16(frame + TYPE_OFFSET);
	if (type == TYPE_QINQ)
		return FRAME_TAG_FOREIGN;
	if (type != TYPE_VLAN || size < FRAME_ETH_SIZE + FRAME_TAG_SIZE)
		return FRAME_UNTAGGED;
	*ret_tci = read16(frame + FRAME_ETH_SIZE);
	return FRAME_TAGGED;
}

// Where the network header begins, and its type. 0: there is none.
static uint16_t skip_tags(const uint8_t *frame, uint32_t size, uint16_t *ret_type)
{
	uint32_t at = FRAME_ETH_SIZE;
	if (size < at)
		return 0;
	uint16_t type = read16(frame + TYPE_OFFSET);
	for (int i = 0; i < TAGS_MAX && (type == TYPE_VLAN || type == TYPE_QINQ); i++) {
		at += FRAME_TAG_SIZE;
		if (size < at)
			return 0;
		type = read16(frame + at - 2);
	}
	*ret_type = type;
	return (uint16_t)at;
}

struct packet {
	const uint8_t *ip;
	uint16_t l2, l3;
	uint8_t proto; // 0: neither TCP nor UDP, or a fragment.
	bool ipv6;
	uint32_t total; // Of the IP packet, by its header.
};

// RFC 791 3.1.
static bool read_ipv4(struct packet *p, uint32_t room)
{
	if (room < IPV4_SIZE || p->ip[0] >> 4 != 4)
		return false;
	p->l3 = (uint16_t)((p->ip[0] & 15) * 4);
	p->total = read16(p->ip + 2);
	bool fragment = read16(p->ip + 6) & 0x3fff; // More fragments, or an offset.
	p->proto = fragment ? 0 : p->ip[9];
	return p->l3 >= IPV4_SIZE && p->l3 <= room && p->total >= p->l3;
}

// RFC 8200 3. Extension headers are nobody's business here.
static bool read_ipv6(struct packet *p, uint32_t room)
{
	if (room < IPV6_SIZE || p->ip[0] >> 4 != 6)
		return false;
	p->l3 = IPV6_SIZE;
	p->total = IPV6_SIZE + read16(p->ip + 4);
	p->proto = p->ip[6];
	p->ipv6 = true;
	return true;
}

static bool read_packet(const uint8_t *frame, uint32_t size, struct packet *ret)
{
	uint16_t type = 0;
	struct packet p = {0};
	p.l2 = skip_tags(frame, size, &type);
	p.ip = frame + p.l2;
	bool is_ip = false;
	if (p.l2 && type == TYPE_IPV4)
		is_ip = read_ipv4(&p, size - p.l2);
	else if (p.l2 && type == TYPE_IPV6)
		is_ip = read_ipv6(&p, size - p.l2);
	*ret = p;
	return is_ip;
}

static bool read_layers(const struct packet *p, uint32_t size, struct frame_layers *ret)
{
	uint32_t at = (uint32_t)p->l2 + p->l3;
	struct frame_layers layers = {.l2 = p->l2, .l3 = p->l3, .ipv6 = p->ipv6};
	layers.payload = p->total - p->l3;
	layers.tcp = p->proto == PROTO_TCP;
	if (layers.tcp && size >= at + TCP_SIZE)
		layers.l4 = (uint16_t)((p->ip[p->l3 + 12] >> 4) * 4);
	else if (p->proto == PROTO_UDP && size >= at + UDP_SIZE)
		layers.l4 = UDP_SIZE;
	if (!layers.l4 || (layers.tcp && layers.l4 < TCP_SIZE) || size < at + layers.l4 ||
	    layers.payload < layers.l4)
		return false;
	*ret = layers;
	return true;
}

bool frame_read_layers(const uint8_t *frame, uint32_t size, struct frame_layers *ret_layers)
{
	struct packet p;
	return read_packet(frame, size, &p) && read_layers(&p, size, ret_layers);
}

// RFC 1071: the sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1), folded.
static uint16_t pseudo_sum(const struct packet *p)
{
	uint32_t payload = p->total - p->l3;
	uint64_t sum = p->proto + (payload >> 16) + (payload & 0xffff);
	const uint8_t *at = p->ipv6 ? p->ip + 8 : p->ip + 12;
	uint32_t bytes = p->ipv6 ? 32 : 8;
	for (uint32_t i = 0; i < bytes; i += 2)
		sum += read16(at + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

enum frame_finding frame_inspect(
	const uint8_t *frame,
	uint32_t size,
	uint32_t length,
	struct frame_layers *ret_layers
)
{
	struct packet p;
	struct frame_layers layers;
	if (!read_packet(frame, size, &p))
		return FRAME_WHOLE;
	if (p.l2 + p.total > length)
		return FRAME_CUT;
	if (!read_layers(&p, size, &layers))
		return FRAME_WHOLE;
	const uint8_t *sum = p.ip + p.l3 + (layers.tcp ? TCP_SUM : UDP_SUM);
	uint16_t field = read16(sum);
	if (!field && !layers.tcp) // UDP without a checksum: RFC 768.
		return FRAME_WHOLE;
	if (field != pseudo_sum(&p))
		return FRAME_WHOLE;
	*ret_layers = layers;
	return FRAME_SUM_PARTIAL;
}
