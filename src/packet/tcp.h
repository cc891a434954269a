// SPDX-License-Identifier: BSD-3-Clause
// Places in TCP (RFC 793) and UDP (RFC 768) headers.
#pragma once

#define TCP_SIZE 20u
#define TCP_SEQUENCE 4
#define TCP_DATA_OFFSET 12
#define TCP_FLAGS 13
#define TCP_CHECKSUM 16
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80 // RFC 3168

#define UDP_SIZE 8u
#define UDP_LENGTH 4
#define UDP_CHECKSUM 6
