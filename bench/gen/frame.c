// SPDX-License-Identifier: BSD-3-Clause
// What the generator's frames look like, and who sends to whom. Pure.
#include "bench/gen/gen.h"

#include <endian.h>
#include <string.h>

#define ETHER_SIZE 14u
#define IP_SIZE 20u
#define TCP_SIZE 20u
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u
#define TCP_CHECKSUM 16u
// virtio 1.1, 5.1.6
#define HEADER_NEEDS_CSUM 1u
#define HEADER_GSO_TCPV4 1u
// A segment on an Ethernet with MTU 1500, without options.
#define SEGMENT_SIZE 1460u

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t sum16(const uint8_t *data, uint32_t size)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put_host(uint8_t *at, uint32_t port)
{
	at[0] = 10;
	at[1] = 0;
	put16(at + 2, port + 1);
}

// RFC 791.
static void fill_ip(uint8_t *ip, uint32_t size, uint8_t protocol, uint32_t from, uint32_t to)
{
	memset(ip, 0, IP_SIZE);
	ip[0] = 0x45;
	put16(ip + 2, size);
	ip[6] = 0x40; // Do not fragment.
	ip[8] = 64;
	ip[9] = protocol;
	put_host(ip + 12, from);
	put_host(ip + 16, to);
	put16(ip + 10, ~fold(sum16(ip, IP_SIZE)));
}

// RFC 793, with the sum of the pseudo header in place of the checksum, as virtio 1.1, 5.1.6.2 wants it.
static void fill_tcp(uint8_t *tcp, const uint8_t *ip, uint32_t size, uint16_t flow)
{
	memset(tcp, 0, TCP_SIZE);
	put16(tcp, 10000u + flow);
	put16(tcp + 2, 9);
	tcp[12] = 5 << 4;
	tcp[13] = 0x10;
	put16(tcp + 14, 65535);
	put16(tcp + TCP_CHECKSUM, fold(sum16(ip + 12, 8) + PROTOCOL_TCP + size));
}

void frame_fill(uint8_t *frame, const struct gen *gen, uint32_t from, uint32_t to, uint16_t flow)
{
	uint32_t size = gen->config.frame_size;
	uint8_t *ip = frame + ETHER_SIZE;
	uint8_t *transport = ip + IP_SIZE;
	bool tcp = gen->config.tso;

	memset(frame, 0, size);
	if (from + 1 == gen->config.flooder)
		memset(frame, 0xff, GEN_MAC_SIZE);
	else
		memcpy(frame, gen->port[to].mac, GEN_MAC_SIZE);
	memcpy(frame + GEN_MAC_SIZE, gen->port[from].mac, GEN_MAC_SIZE);
	put16(frame + ETHER_SIZE - 2, 0x0800);
	fill_ip(ip, size - ETHER_SIZE, tcp ? PROTOCOL_TCP : PROTOCOL_UDP, from, to);
	if (tcp) {
		fill_tcp(transport, ip, size - ETHER_SIZE - IP_SIZE, flow);
		return;
	}
	// RFC 768: no checksum.
	put16(transport, 10000u + flow);
	put16(transport + 2, 9);
	put16(transport + 4, size - ETHER_SIZE - IP_SIZE);
}

uint32_t frame_peer(const struct gen *gen, uint32_t from, uint32_t slot)
{
	uint32_t busy = gen->config.busy;

	switch (gen->config.pattern) {
	case GEN_RING:
		return (from + 1) % busy;
	case GEN_STAR:
		return from ? 0 : 1 + slot % (busy - 1);
	default:
		return from ^ 1;
	}
}

void frame_header(uint8_t *header, const struct gen *gen)
{
	uint16_t words[4] = {
		htole16(ETHER_SIZE + IP_SIZE + TCP_SIZE), // hdr_len
		htole16(SEGMENT_SIZE),			  // gso_size
		htole16(ETHER_SIZE + IP_SIZE),		  // csum_start
		htole16(TCP_CHECKSUM),			  // csum_offset
	};

	memset(header, 0, 10);
	if (!gen->config.tso)
		return;
	header[0] = HEADER_NEEDS_CSUM;
	header[1] = HEADER_GSO_TCPV4;
	memcpy(header + 2, words, sizeof(words));
}
