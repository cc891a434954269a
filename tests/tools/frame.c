// SPDX-License-Identifier: BSD-3-Clause
// Builds and checks the exchange program's frames, and counts which arrived. Used by exchange.c's one thread.
#include "tests/tools/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x52574558
#define TYPE_IPV4 0x0800
#define PROTOCOL_UDP 17
#define PORT_FIRST 49152 // RFC 6335: for private use.

struct ether {
	uint8_t destination[6];
	uint8_t source[6];
	uint16_t type;
} __attribute__((packed));

// RFC 791 and RFC 768, in network order.
struct datagram {
	uint8_t version_size;
	uint8_t service;
	uint16_t size;
	uint16_t id;
	uint16_t fragment;
	uint8_t hops;
	uint8_t protocol;
	uint16_t sum;
	uint8_t source[4];
	uint8_t destination[4];
	uint16_t source_port;
	uint16_t destination_port;
	uint16_t udp_size;
	uint16_t udp_sum;
} __attribute__((packed));

// What every frame has, behind Ethernet's header or the datagram's.
struct mark {
	uint16_t type;
	uint32_t magic;
	uint32_t run;
	uint64_t number;
} __attribute__((packed));

#define IP_SIZE 20
// Both headers, and a mark behind the longer of them, fit in the smallest frame.
_Static_assert(
	sizeof(struct ether) + sizeof(struct datagram) + sizeof(struct mark) <= NUMBERED_SIZE_MIN,
	"room for the mark"
);

// The contents at offset i of a frame, 8 bytes at a time.
static uint64_t pattern(const struct frame_head *head, size_t i)
{
	const uint64_t start = (head->number + 1) * 0x9e3779b97f4a7c15ULL + head->run;
	return start ^ (i + head->type) * 0xbf58476d1ce4e5b9ULL;
}

// RFC 1071, over an even number of bytes.
static uint16_t sum_of(const void *bytes, size_t size)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < size; i += sizeof(uint16_t)) {
		uint16_t word;
		memcpy(&word, (const uint8_t *)bytes + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// A frame of `size` bytes in all. UDP goes without a sum (RFC 768: zero).
static struct datagram make_datagram(uint16_t flow, size_t size)
{
	struct datagram datagram = {
		.version_size = 0x45,
		.size = htons((uint16_t)(size - sizeof(struct ether))),
		.hops = 64,
		.protocol = PROTOCOL_UDP,
		.source = {198, 18, 0, 1}, // RFC 2544: for measurements.
		.destination = {198, 18, 0, 2},
		.source_port = htons((uint16_t)(PORT_FIRST + flow)),
		.destination_port = htons(PORT_FIRST),
		.udp_size = htons((uint16_t)(size - sizeof(struct ether) - IP_SIZE)),
	};
	datagram.sum = sum_of(&datagram, IP_SIZE);
	return datagram;
}

// The contents begin where this ends.
static size_t mark_offset(uint16_t flow)
{
	return sizeof(struct ether) + (flow ? sizeof(struct datagram) : 0);
}

// The flow is in the mark too, so that a changed port is noticed.
static uint16_t mark_type(const struct frame_head *head)
{
	return (uint16_t)(head->type | head->flow << 8);
}

void frame_build(const struct frame_head *head, size_t size, uint8_t *ret_bytes)
{
	struct ether ether = {.type = htons(head->flow ? TYPE_IPV4 : FRAME_ETHER_TYPE)};
	const struct mark mark = {mark_type(head), MAGIC, head->run, head->number};
	const struct datagram datagram = make_datagram(head->flow, size);
	const size_t at = mark_offset(head->flow);
	memcpy(ether.destination, head->destination, sizeof(ether.destination));
	memcpy(ether.source, head->source, sizeof(ether.source));
	memcpy(ret_bytes, &ether, sizeof(ether));
	if (head->flow)
		memcpy(ret_bytes + sizeof(ether), &datagram, sizeof(datagram));
	memcpy(ret_bytes + at, &mark, sizeof(mark));
	for (size_t i = at + sizeof(mark); i < size; i += sizeof(uint64_t)) {
		const uint64_t word = pattern(head, i);
		memcpy(ret_bytes + i, &word, size - i < sizeof(word) ? size - i : sizeof(word));
	}
}

// Reads Ethernet's header and the datagram's. False for what is not of this program.
static bool read_headers(const uint8_t *bytes, size_t size, struct frame_head *head)
{
	struct ether ether;
	struct datagram datagram;
	if (size < NUMBERED_SIZE_MIN)
		return false;
	memcpy(&ether, bytes, sizeof(ether));
	memcpy(head->destination, ether.destination, sizeof(head->destination));
	memcpy(head->source, ether.source, sizeof(head->source));
	if (ether.type == htons(FRAME_ETHER_TYPE))
		return true;
	memcpy(&datagram, bytes + sizeof(ether), sizeof(datagram));
	head->flow = (uint16_t)(ntohs(datagram.source_port) - PORT_FIRST);
	const struct datagram due = make_datagram(head->flow, size);
	return ether.type == htons(TYPE_IPV4) && head->flow && head->flow <= TALLY_LANES_MAX &&
		memcmp(&datagram, &due, sizeof(due)) == 0;
}

enum frame_verdict frame_check(
	const uint8_t *bytes,
	size_t size,
	size_t size_expected,
	struct frame_head *ret_head
)
{
	struct frame_head head = {0};
	struct mark mark;
	if (!read_headers(bytes, size, &head))
		return FRAME_FOREIGN;
	const size_t at = mark_offset(head.flow);
	memcpy(&mark, bytes + at, sizeof(mark));
	if (mark.magic != MAGIC)
		return FRAME_FOREIGN;
	head.type = mark.type & 0xff;
	head.run = mark.run;
	head.number = mark.number;
	if (head.type < FRAME_HELLO || head.type > FRAME_DONE || mark.type != mark_type(&head))
		return FRAME_MALFORMED;
	if (head.type == FRAME_DATA && size_expected != 0 && size != size_expected)
		return FRAME_MALFORMED;
	for (size_t i = at + sizeof(mark); i < size; i += sizeof(uint64_t)) {
		const uint64_t word = pattern(&head, i);
		const size_t length = size - i < sizeof(word) ? size - i : sizeof(word);
		if (memcmp(bytes + i, &word, length) != 0)
			return FRAME_MALFORMED;
	}
	*ret_head = head;
	return FRAME_GOOD;
}

int tally_init(struct tally *tally, uint64_t limit, uint32_t lanes)
{
	*tally = (struct tally){.limit = limit, .lanes = lanes};
	tally->seen = calloc(limit / 8 + 1, 1);
	return tally->seen ? 0 : -ENOMEM;
}

void tally_fini(struct tally *tally)
{
	free(tally->seen);
	tally->seen = NULL;
}

void tally_note(struct tally *tally, uint64_t number)
{
	if (number >= tally->limit) {
		tally->beyond++;
		return;
	}
	const uint8_t bit = (uint8_t)(1U << (number % 8));
	if (tally->seen[number / 8] & bit) {
		tally->duplicated++;
		return;
	}
	tally->seen[number / 8] |= bit;
	tally->received++;
	uint64_t *next = &tally->next[number % tally->lanes];
	if (number < *next)
		tally->misordered++;
	else
		*next = number + 1;
}

uint64_t tally_passed(const struct tally *tally)
{
	uint64_t least = UINT64_MAX;
	for (uint32_t i = 0; i < tally->lanes; i++)
		least = tally->next[i] < least ? tally->next[i] : least;
	return least;
}

uint64_t tally_highest(const struct tally *tally)
{
	uint64_t most = 0;
	for (uint32_t i = 0; i < tally->lanes; i++)
		most = tally->next[i] > most ? tally->next[i] : most;
	return most;
}
