// SPDX-License-Identifier: BSD-3-Clause
// Frames that say whose addresses they come from, for the tests of the tc programs. All are sent to everybody.
#pragma once

#include "tests/unit/daemon/host/rig.h"

void frames_put_ip(uint8_t *at, const char *text);
void frames_put_ip6(uint8_t *at, const char *text);

// RFC 826.
void frames_arp(
	struct rig_frame *frame,
	const uint8_t *from,
	uint8_t operation,
	const char *sender,
	const char *target
);
// An ICMPv6 message with a target: a solicitation (RFC 4861 4.3) or an advertisement (4.4), and its checksum.
void frames_icmp6(
	struct rig_frame *frame,
	const uint8_t *from,
	uint8_t type,
	const char *source,
	const char *target
);
// The sum over an ICMPv6 message with its pseudo header; 0xffff when the checksum in it is right.
uint16_t frames_icmp6_sum(const struct rig_frame *frame);
void frames_udp(
	struct rig_frame *frame,
	const uint8_t *mac,
	const char *source,
	uint16_t from,
	uint16_t to
);

void frames_insert(struct rig_frame *frame, size_t at, const uint8_t *bytes, size_t size);
// Puts a VLAN tag behind the addresses.
void frames_add_tag(struct rig_frame *frame, uint16_t type, uint16_t vlan);
// Puts an extension header of 8 bytes behind the IPv6 header.
void frames_add_extension(struct rig_frame *frame, uint8_t type);
// Puts a link-layer address option (RFC 4861 4.6.1) behind everything. The checksum is not made right.
void frames_add_option(struct rig_frame *frame, uint8_t type, const uint8_t *mac);
