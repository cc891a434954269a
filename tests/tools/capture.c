// SPDX-License-Identifier: BSD-3-Clause
// See capture.h.
#include "tests/tools/capture.h"

#include <stdio.h>
#include <string.h>

#define ETHER 14u
#define EXTENSIONS_MAX 16
#define PROTO_HOPOPTS 0
#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_ICMPV6 58
#define PROTO_DSTOPTS 60

const char *const capture_kind_names[CAPTURE_KIND_COUNT] = {
	"ipv4",
	"ipv6",
	"tcp",
	"udp",
	"icmp",
	"icmpv6",
	"arp",
	"tagged",
	"fragment",
	"reassembled",
	"unsummed",
	"unfinished",
	"unchecked",
	"other",
};

// What an IP header says of what is behind it.
struct packet {
	const uint8_t *data;
	uint32_t size;
	uint8_t version, proto;
	uint8_t addresses[32]; // Of 8 or 32 bytes.
	bool is_fragment, has_more, is_routed;
	uint32_t id, offset;
};

struct check {
	struct capture *capture;
	char *why;
	size_t why_size;
};

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static bool wrong(const struct check *c, const char *what, uint32_t value)
{
	(void)snprintf(c->why, c->why_size, "%s 0x%x", what, value); // What is too long is cut.
	c->capture->wrong++;
	return false;
}

static bool count(const struct check *c, enum capture_kind kind)
{
	c->capture->kinds[kind]++;
	return true;
}

static uint64_t add(uint64_t sum, const uint8_t *data, uint32_t size)
{
	for (uint32_t i = 0; i + 1 < size; i += 2)
		sum += get16(data + i);
	return size & 1 ? sum + ((uint32_t)data[size - 1] << 8) : sum;
}

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static uint32_t address_size(uint8_t version)
{
	return version == 4 ? 8 : 32;
}

static uint64_t pseudo(uint8_t version, uint8_t proto, const uint8_t *addresses, uint32_t size)
{
	return add(0, addresses, address_size(version)) + proto + (size >> 16) + (size & 0xffff);
}

// The checksum of a whole datagram, of whose bytes `sum` is the sum. udp: the field, as it came.
static bool check_sum(
	const struct check *c,
	const struct packet *p,
	uint64_t sum,
	uint32_t size,
	uint16_t udp
)
{
	switch (p->proto) {
	case PROTO_TCP:
		sum += pseudo(p->version, p->proto, p->addresses, size);
		return fold(sum) == 0xffff ? count(c, CAPTURE_TCP)
					   : wrong(c, "TCP checksum: sum", fold(sum));
	case PROTO_UDP:
		if (!udp && p->version == 4)
			return count(c, CAPTURE_UNSUMMED);
		sum += pseudo(p->version, p->proto, p->addresses, size);
		if (!udp) // RFC 8200, 8.1
			return wrong(c, "UDP over IPv6 without a checksum: sum", fold(sum));
		return fold(sum) == 0xffff ? count(c, CAPTURE_UDP)
					   : wrong(c, "UDP checksum: sum", fold(sum));
	case PROTO_ICMP:
		return fold(sum) == 0xffff ? count(c, CAPTURE_ICMP)
					   : wrong(c, "ICMP checksum: sum", fold(sum));
	default:
		sum += pseudo(p->version, p->proto, p->addresses, size);
		return fold(sum) == 0xffff ? count(c, CAPTURE_ICMPV6)
					   : wrong(c, "ICMPv6 checksum: sum", fold(sum));
	}
}

static bool is_summed(const struct packet *p)
{
	if (p->is_routed)
		return false;
	return p->proto == PROTO_TCP || p->proto == PROTO_UDP ||
		p->proto == (p->version == 4 ? PROTO_ICMP : PROTO_ICMPV6);
}

// The least that a header has, and what it says of its own length.
static bool check_lengths(const struct check *c, const struct packet *p)
{
	const uint32_t least = p->proto == PROTO_TCP ? 20 : p->proto == PROTO_UDP ? 8 : 4;

	if (p->size < least)
		return wrong(c, "too short for its protocol: bytes", p->size);
	if (p->proto == PROTO_TCP && ((p->data[12] >> 4) < 5 || (p->data[12] >> 4) * 4u > p->size))
		return wrong(c, "TCP header length", p->data[12] >> 4);
	if (p->proto == PROTO_UDP && !p->is_fragment && get16(p->data + 4) != p->size)
		return wrong(c, "UDP length", get16(p->data + 4));
	return true;
}

static struct capture_datagram *find_datagram(struct capture *capture, const struct packet *p)
{
	struct capture_datagram *found = NULL;

	for (uint32_t i = 0; i < CAPTURE_DATAGRAMS_MAX; i++) {
		struct capture_datagram *d = &capture->datagram[i];
		if (!d->is_used)
			found = found ? found : d;
		else if (d->id == p->id && d->version == p->version && d->proto == p->proto && !memcmp(d->addresses, p->addresses, address_size(p->version)))
			return d;
	}
	if (!found)
		found = &capture->datagram[capture->next_datagram++ % CAPTURE_DATAGRAMS_MAX];
	*found = (struct capture_datagram
	){.is_used = true, .version = p->version, .proto = p->proto, .id = p->id};
	memcpy(found->addresses, p->addresses, sizeof(found->addresses));
	return found;
}

static bool check_fragment(const struct check *c, const struct packet *p)
{
	(void)count(c, CAPTURE_FRAGMENT);
	if (!is_summed(p))
		return count(c, CAPTURE_UNCHECKED);
	if (p->has_more && p->size % 8)
		return wrong(
			c, "a fragment amid its datagram, not a multiple of 8: bytes", p->size
		);
	if (!p->offset && !check_lengths(c, p))
		return false;
	struct capture_datagram *d = find_datagram(c->capture, p);
	d->sum += add(0, p->data, p->size);
	d->seen += p->size;
	if (!p->has_more)
		d->total = p->offset + p->size;
	if (!p->offset && p->proto == PROTO_UDP)
		d->stored_udp = (uint16_t)get16(p->data + 6);
	d->has_first |= !p->offset;
	if (!d->has_first || !d->total || d->seen < d->total)
		return true;
	d->is_used = false;
	if (d->seen != d->total)
		return wrong(c, "fragments that overlap: bytes", d->seen);
	(void)count(c, CAPTURE_REASSEMBLED);
	return check_sum(c, p, d->sum, d->total, d->stored_udp);
}

// virtio 1.1, 5.1.6.2, and Linux: the field holds the sum of the pseudo header, not inverted.
static bool is_unfinished(const struct packet *p)
{
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP)
		return false;
	uint32_t stored = get16(p->data + (p->proto == PROTO_TCP ? 16 : 6));
	return stored == fold(pseudo(p->version, p->proto, p->addresses, p->size));
}

static bool check_packet(const struct check *c, const struct packet *p)
{
	if (p->is_fragment)
		return check_fragment(c, p);
	if (!is_summed(p))
		return count(c, CAPTURE_UNCHECKED);
	if (!check_lengths(c, p))
		return false;
	if (c->capture->takes_unfinished && is_unfinished(p))
		return count(c, CAPTURE_UNFINISHED);
	uint16_t udp = p->proto == PROTO_UDP ? (uint16_t)get16(p->data + 6) : 0;
	return check_sum(c, p, add(0, p->data, p->size), p->size, udp);
}

static bool check_ipv4(const struct check *c, const uint8_t *ip, uint32_t size)
{
	uint32_t header = size < 20 ? 0 : (ip[0] & 15) * 4u;

	(void)count(c, CAPTURE_IPV4);
	if (header < 20 || header > size || ip[0] >> 4 != 4)
		return wrong(c, "IPv4 header: first byte", size ? ip[0] : 0);
	uint32_t total = get16(ip + 2);
	if (total < header || total > size)
		return wrong(c, "IPv4 total length", total);
	if (fold(add(0, ip, header)) != 0xffff)
		return wrong(c, "IPv4 header checksum: sum", fold(add(0, ip, header)));
	struct packet p = {
		.data = ip + header,
		.size = total - header,
		.version = 4,
		.proto = ip[9],
		.is_fragment = get16(ip + 6) & 0x3fff,
		.has_more = ip[6] & 0x20,
		.offset = (get16(ip + 6) & 0x1fff) * 8,
		.id = get16(ip + 4),
	};
	memcpy(p.addresses, ip + 12, 8);
	return check_packet(c, &p);
}

// Steps over one extension header. False: it is cut short.
static bool step_over(struct packet *p)
{
	uint32_t bytes = p->size < 8 ? 0 : p->proto == PROTO_FRAGMENT ? 8 : (p->data[1] + 1u) * 8;

	if (!bytes || bytes > p->size)
		return false;
	if (p->proto == PROTO_ROUTING)
		p->is_routed |= p->data[3];
	if (p->proto == PROTO_FRAGMENT) {
		p->offset = get16(p->data + 2) & ~7u;
		p->has_more = p->data[3] & 1;
		p->is_fragment = p->offset || p->has_more; // RFC 6946: else it is all.
		p->id = get16(p->data + 4) << 16 | get16(p->data + 6);
	}
	p->proto = p->data[0];
	p->data += bytes;
	p->size -= bytes;
	return true;
}

static bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
		proto == PROTO_DSTOPTS;
}

static bool check_ipv6(const struct check *c, const uint8_t *ip, uint32_t size)
{
	(void)count(c, CAPTURE_IPV6);
	if (size < 40 || ip[0] >> 4 != 6)
		return wrong(c, "IPv6 header: first byte", size ? ip[0] : 0);
	struct packet p = {.data = ip + 40, .size = get16(ip + 4), .version = 6, .proto = ip[6]};
	if (p.size > size - 40)
		return wrong(c, "IPv6 payload length", p.size);
	memcpy(p.addresses, ip + 8, 32);
	for (int i = 0; i < EXTENSIONS_MAX && is_extension(p.proto) && !(p.is_fragment && p.offset);
	     i++)
		if (!step_over(&p))
			return wrong(
				c, "IPv6 extension header that is cut short: next header", p.proto
			);
	return check_packet(c, &p);
}

bool capture_check(
	struct capture *capture,
	const uint8_t *frame,
	uint32_t size,
	char *ret_why, // NOLINT(readability-non-const-parameter): written by wrong().
	size_t why_size
)
{
	const struct check c = {capture, ret_why, why_size};
	uint32_t at = ETHER;

	capture->frames++;
	if (size < ETHER)
		return wrong(&c, "no Ethernet header: bytes", size);
	uint32_t type = get16(frame + 12);
	while ((type == 0x8100 || type == 0x88a8) && at + 4 <= size) {
		at += 4;
		type = get16(frame + at - 2);
	}
	if (at > ETHER)
		(void)count(&c, CAPTURE_TAGGED);
	if (type == 0x0800)
		return check_ipv4(&c, frame + at, size - at);
	if (type == 0x86dd)
		return check_ipv6(&c, frame + at, size - at);
	return count(&c, type == 0x0806 ? CAPTURE_ARP : CAPTURE_OTHER);
}

uint32_t capture_pending(const struct capture *capture)
{
	uint32_t pending = 0;

	for (uint32_t i = 0; i < CAPTURE_DATAGRAMS_MAX; i++)
		pending += capture->datagram[i].is_used;
	return pending;
}
