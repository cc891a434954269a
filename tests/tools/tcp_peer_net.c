// SPDX-License-Identifier: BSD-3-Clause
// The TCP peer's frames: ARP, IPv4, ICMP echo, and TCP's headers. Checksums of what comes are verified unless its header
// says that they are still to be made, or were seen to be right (virtio 1.1, 5.1.6.4).
#include "packet/checksum.h"
#include "packet/headers.h"
#include "packet/neighbor.h"
#include "packet/tcp.h"
#include "tests/tools/tcp_peer.h"

#include <string.h>

#define IP_AT ETHER_SIZE
#define L4_AT (ETHER_SIZE + IPV4_SIZE)
#define IP_PROTO_ICMP 1
#define ICMP_SIZE 8u
#define ICMP_ECHO 8
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2
#define TCP_OPTION_SCALE 3
#define TCP_OPTION_SACK_PERMITTED 4
#define TCP_OPTION_SACK 5 // RFC 2018

static void send_placed(struct peer *peer, const struct frame_offload *offload, uint32_t size)
{
	if (!front_send_placed(peer->front, 0, offload, size))
		peer->sent++;
}

static void answer_neighbor(struct peer *peer, const uint8_t *frame, uint32_t size)
{
	struct neighbor_request request;
	uint8_t ip[4];
	uint8_t *to;

	headers_put32(ip, peer->options->ip);
	if (!neighbor_parse(frame, size, &request) || request.version != 4 ||
	    memcmp(request.target, ip, 4) != 0)
		return;
	if (!front_send_place(peer->front, 0, &to))
		send_placed(peer, NULL, neighbor_answer(&request, peer->options->mac, to));
}

static void store_sum(uint8_t *at, uint64_t sum)
{
	uint16_t stored = (uint16_t)~checksum_fold(sum);
	memcpy(at, &stored, 2);
}

// Ethernet and IPv4 for `size` bytes behind them.
static void write_ip(
	struct peer *peer,
	uint8_t *frame,
	const uint8_t *to_mac,
	uint32_t to_ip,
	uint8_t proto,
	uint32_t size
)
{
	uint8_t *ip = frame + IP_AT;

	memcpy(frame, to_mac, 6);
	memcpy(frame + 6, peer->options->mac, 6);
	headers_put16(frame + 12, ETHER_TYPE_IPV4);
	memset(ip, 0, IPV4_SIZE);
	ip[0] = 0x45;
	headers_put16(ip + 2, IPV4_SIZE + size);
	headers_put16(ip + 4, peer->ip_id++);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = proto;
	headers_put32(ip + 12, peer->options->ip);
	headers_put32(ip + 16, to_ip);
	store_sum(ip + 10, checksum_add(0, ip, IPV4_SIZE));
}

static void answer_echo(struct peer *peer, const uint8_t *frame, const uint8_t *icmp, uint32_t size)
{
	uint8_t *to;

	if (size < ICMP_SIZE || icmp[0] != ICMP_ECHO)
		return;
	if (checksum_fold(checksum_add(0, icmp, size)) != UINT16_MAX) {
		peer->bad++;
		return;
	}
	if (IPV4_SIZE + size > peer->options->mtu || front_send_place(peer->front, 0, &to))
		return;
	write_ip(peer, to, frame + 6, headers_get32(frame + IP_AT + 12), IP_PROTO_ICMP, size);
	memcpy(to + L4_AT, icmp, size);
	memset(to + L4_AT, 0, 4);
	store_sum(to + L4_AT + 2, checksum_add(0, to + L4_AT, size));
	send_placed(peer, NULL, L4_AT + size);
	peer->echoes++;
}

static void parse_options(const uint8_t *at, uint32_t size, struct tcp_segment *s)
{
	while (size && at[0] != TCP_OPTION_END) {
		uint32_t bytes = 1;
		if (at[0] != TCP_OPTION_NOP) {
			bytes = size < 2 ? 0 : at[1];
			if (bytes < 2 || bytes > size)
				return;
		}
		if (at[0] == TCP_OPTION_MSS && bytes == 4)
			s->mss = headers_get16(at + 2);
		if (at[0] == TCP_OPTION_SCALE && bytes == 3)
			s->scale = at[2];
		if (at[0] == TCP_OPTION_SACK_PERMITTED && bytes == 2)
			s->sack = true;
		at += bytes;
		size -= bytes;
	}
}

static void take_tcp(
	struct peer *peer,
	const uint8_t *frame,
	const uint8_t *tcp,
	uint32_t size,
	const struct frame_offload *offload
)
{
	const uint8_t *ip = frame + IP_AT;
	uint32_t header = size < TCP_SIZE ? 0 : (tcp[TCP_DATA_OFFSET] >> 4) * 4u;

	if (header < TCP_SIZE || header > size)
		return;
	if (!(offload->flags & (FRAME_F_NEEDS_CSUM | FRAME_F_DATA_VALID))) {
		uint64_t sum = checksum_pseudo(ip + 12, 8, IP_PROTO_TCP, size);
		if (checksum_fold(checksum_add(sum, tcp, size)) != UINT16_MAX) {
			peer->bad++;
			return;
		}
	}
	struct tcp_segment s = {
		.flow =
			{
				.ip = headers_get32(ip + 12),
				.port = headers_get16(tcp),
				.local_port = headers_get16(tcp + 2),
			},
		.seq = headers_get32(tcp + TCP_SEQUENCE),
		.ack = headers_get32(tcp + 8),
		.flags = tcp[TCP_FLAGS],
		.window = headers_get16(tcp + 14),
		.scale = -1,
		.data = tcp + header,
		.size = size - header,
	};
	memcpy(s.flow.mac, frame + 6, 6);
	if (s.flags & TCP_FLAG_SYN)
		parse_options(tcp + TCP_SIZE, header - TCP_SIZE, &s);
	tcp_input(&peer->tcp, &s, peer->now_ns);
}

void net_input(
	struct peer *peer,
	const uint8_t *frame,
	uint32_t size,
	const struct frame_offload *offload
)
{
	struct headers h;

	peer->received++;
	if (size < ETHER_SIZE || size > FRAME_SIZE_MAX)
		return;
	headers_parse(frame, size, &h);
	if (h.l3 != ETHER_SIZE)
		return; // Of a VLAN.
	if (h.version != 4) {
		answer_neighbor(peer, frame, size);
		return;
	}
	const uint8_t *ip = frame + IP_AT;
	uint32_t ip_size = headers_get16(ip + 2);
	uint32_t header = h.l4 - IP_AT;
	if (headers_get32(ip + 16) != peer->options->ip || h.is_fragment)
		return;
	if (checksum_fold(checksum_add(0, ip, header)) != UINT16_MAX) {
		peer->bad++;
		return;
	}
	if (ip_size < header || ip_size > size - IP_AT)
		return;
	if (h.proto == IP_PROTO_ICMP)
		answer_echo(peer, frame, frame + h.l4, ip_size - header);
	else if (h.proto == IP_PROTO_TCP)
		take_tcp(peer, frame, frame + h.l4, ip_size - header, offload);
}

// Returns their bytes, a multiple of four.
static uint32_t write_syn_options(const struct tcp_segment *s, uint8_t *options)
{
	uint32_t size = 4;

	options[0] = TCP_OPTION_MSS;
	options[1] = 4;
	headers_put16(options + 2, s->mss);
	if (s->scale >= 0) {
		const uint8_t scale[4] = {TCP_OPTION_NOP, TCP_OPTION_SCALE, 3, (uint8_t)s->scale};
		memcpy(options + size, scale, 4);
		size += 4;
	}
	if (s->sack) {
		const uint8_t sack[4] = {
			TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_SACK_PERMITTED, 2};
		memcpy(options + size, sack, 4);
		size += 4;
	}
	return size;
}

static uint32_t write_sacks(const struct tcp_segment *s, uint8_t *options)
{
	uint32_t size = 4;

	if (!s->sack_count)
		return 0;
	options[0] = options[1] = TCP_OPTION_NOP;
	options[2] = TCP_OPTION_SACK;
	options[3] = (uint8_t)(2 + 8 * s->sack_count);
	for (uint32_t i = 0; i < s->sack_count; i++, size += 8) {
		headers_put32(options + size, s->sacks[i].from);
		headers_put32(options + size + 4, s->sacks[i].to);
	}
	return size;
}

static uint32_t write_tcp(const struct tcp_segment *s, uint8_t *tcp)
{
	uint8_t *options = tcp + TCP_SIZE;

	memset(tcp, 0, TCP_SIZE);
	headers_put16(tcp, s->flow.local_port);
	headers_put16(tcp + 2, s->flow.port);
	headers_put32(tcp + TCP_SEQUENCE, s->seq);
	headers_put32(tcp + 8, s->ack);
	tcp[TCP_FLAGS] = s->flags;
	headers_put16(tcp + 14, s->window);
	uint32_t header = TCP_SIZE;
	header += s->flags & TCP_FLAG_SYN ? write_syn_options(s, options) : write_sacks(s, options);
	tcp[TCP_DATA_OFFSET] = (uint8_t)(header / 4 << 4);
	return header;
}

// virtio 1.1, 5.1.6.2: the field holds the pseudo header's sum; the device does the rest.
static struct frame_offload request_of(
	struct peer *peer,
	const struct tcp_segment *s,
	uint32_t header
)
{
	struct frame_offload offload = {
		.flags = FRAME_F_NEEDS_CSUM,
		.csum_start = L4_AT,
		.csum_offset = TCP_CHECKSUM,
	};

	if (s->size > s->mss && s->mss) {
		offload.gso_type = FRAME_GSO_TCPV4;
		offload.gso_size = s->mss;
		offload.hdr_len = (uint16_t)(L4_AT + header);
		peer->ip_id = (uint16_t)(peer->ip_id + s->size / s->mss); // One for each segment.
	}
	return offload;
}

bool net_send(void *ctx, const struct tcp_segment *s)
{
	struct peer *peer = ctx;
	uint8_t *frame;

	if (front_send_place(peer->front, 0, &frame))
		return false;
	uint8_t *tcp = frame + L4_AT;
	uint32_t header = write_tcp(s, tcp);
	uint32_t size = header + s->size;
	write_ip(peer, frame, s->flow.mac, s->flow.ip, IP_PROTO_TCP, size);
	if (peer->content && s->size)
		memcpy(tcp + header, peer->content + s->offset, s->size);
	uint64_t sum = checksum_pseudo(frame + IP_AT + 12, 8, IP_PROTO_TCP, size);
	if (!peer->asks_csum) {
		store_sum(tcp + TCP_CHECKSUM, checksum_add(sum, tcp, size));
		send_placed(peer, NULL, L4_AT + size);
		return true;
	}
	struct frame_offload offload = request_of(peer, s, header);
	uint16_t pseudo = checksum_fold(sum);
	memcpy(tcp + TCP_CHECKSUM, &pseudo, 2);
	send_placed(peer, &offload, L4_AT + size);
	return true;
}
