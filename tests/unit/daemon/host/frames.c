// SPDX-License-Identifier: BSD-3-Clause
// Builds frames. One thread.
#include "tests/unit/daemon/host/frames.h"

#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

void frames_put_ip(uint8_t *at, const char *text)
{
	assert_int_equal(inet_pton(AF_INET, text, at), 1);
}

void frames_put_ip6(uint8_t *at, const char *text)
{
	assert_int_equal(inet_pton(AF_INET6, text, at), 1);
}

// RFC 826, to everybody.
void frames_arp(
	struct rig_frame *frame,
	const uint8_t *from,
	uint8_t operation,
	const char *sender,
	const char *target
)
{
	const uint8_t head[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation};
	rig_build(frame, NULL, from, 0);
	memcpy(frame->bytes + 12, head, sizeof(head));
	memcpy(frame->bytes + 22, from, MAC_SIZE);
	frames_put_ip(frame->bytes + 28, sender);
	frames_put_ip(frame->bytes + 38, target);
}

static uint16_t sum(uint32_t start, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i += 2)
		start += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return (uint16_t)start;
}

// The sum over an ICMPv6 message with its pseudo header; 0xffff when the checksum in it is right.
uint16_t frames_icmp6_sum(const struct rig_frame *frame)
{
	size_t size = (size_t)frame->bytes[18] << 8 | frame->bytes[19];
	return sum(sum((uint32_t)size + 58, frame->bytes + 22, 32), frame->bytes + 54, size);
}

// An ICMPv6 message of `size` bytes with a target: a solicitation (RFC 4861 4.3) or an advertisement (4.4).
void frames_icmp6(
	struct rig_frame *frame,
	const uint8_t *from,
	uint8_t type,
	const char *source,
	const char *target
)
{
	const uint8_t multicast[MAC_SIZE] = {0x33, 0x33, 0xff, 0, 0, 9};
	rig_build(frame, multicast, from, 0);
	frame->size = 14 + 40 + 24;
	frame->bytes[12] = ETH_P_IPV6 >> 8;
	frame->bytes[13] = ETH_P_IPV6 & 0xff;
	frame->bytes[14] = 0x60;
	frame->bytes[19] = 24;
	frame->bytes[20] = 58;
	frame->bytes[21] = 255;
	frames_put_ip6(frame->bytes + 22, source);
	memset(frame->bytes + 54, 0, 24);
	frame->bytes[54] = type;
	frames_put_ip6(frame->bytes + 62, target);
	// RFC 4291 2.7.1: the target's solicited-node address.
	frames_put_ip6(frame->bytes + 38, "ff02::1:ff00:0");
	memcpy(frame->bytes + 51, frame->bytes + 75, 3);
	uint16_t check = (uint16_t)~frames_icmp6_sum(frame);
	frame->bytes[56] = (uint8_t)(check >> 8);
	frame->bytes[57] = (uint8_t)check;
}

void frames_udp(
	struct rig_frame *frame,
	const uint8_t *mac,
	const char *source,
	uint16_t from,
	uint16_t to
)
{
	const uint8_t head[] = {0x08, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17};
	rig_build(frame, NULL, mac, 0);
	memcpy(frame->bytes + 12, head, sizeof(head));
	frames_put_ip(frame->bytes + 26, source);
	frame->bytes[34] = (uint8_t)(from >> 8);
	frame->bytes[35] = (uint8_t)from;
	frame->bytes[36] = (uint8_t)(to >> 8);
	frame->bytes[37] = (uint8_t)to;
}

void frames_insert(struct rig_frame *frame, size_t at, const uint8_t *bytes, size_t size)
{
	memmove(frame->bytes + at + size, frame->bytes + at, frame->size - at);
	memcpy(frame->bytes + at, bytes, size);
	frame->size += size;
}

void frames_add_tag(struct rig_frame *frame, uint16_t type, uint16_t vlan)
{
	const uint8_t tag[4] = {
		(uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(vlan >> 8), (uint8_t)vlan};
	frames_insert(frame, 12, tag, sizeof(tag));
}

void frames_add_extension(struct rig_frame *frame, uint8_t type)
{
	const uint8_t header[8] = {frame->bytes[20]};
	frames_insert(frame, 54, header, sizeof(header));
	frame->bytes[20] = type;
	frame->bytes[19] += 8;
}

void frames_add_option(struct rig_frame *frame, uint8_t type, const uint8_t *mac)
{
	uint8_t option[8] = {type, 1};
	memcpy(option + 2, mac, MAC_SIZE);
	frames_insert(frame, frame->size, option, sizeof(option));
	frame->bytes[19] += 8;
}
