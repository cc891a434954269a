// SPDX-License-Identifier: BSD-3-Clause
// Which flow a frame belongs to. Any thread.
#pragma once

#include <stdint.h>

// A hash of the frame's flow by its private head: addresses, protocol and ports of IPv4 and IPv6 over TCP, UDP and
// SCTP, behind up to two VLAN tags; addresses and protocol of fragments (all fragments of a datagram alike) and other
// IP; MAC addresses and type of anything else. Ports that the head does not reach (IPv6 behind two tags, long
// options) do not count. Equal for equal flows in one direction. Only the first FRAME_HEAD_SIZE bytes are looked at.
uint32_t flow_hash(const uint8_t *head, uint32_t head_size);
