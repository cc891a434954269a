// SPDX-License-Identifier: BSD-3-Clause
// Addresses as the maps hold them: words in network order. Pure.
#include "daemon/host/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

int address_parse4(const char *text, uint32_t *ret)
{
	struct in_addr address;
	if (!text || !text[0])
		return -ENODATA;
	if (inet_pton(AF_INET, text, &address) != 1)
		return -EINVAL;
	*ret = address.s_addr;
	return 0;
}

int address_parse6(const char *text, uint32_t ret[4])
{
	struct in6_addr address;
	if (!text || !text[0])
		return -ENODATA;
	if (inet_pton(AF_INET6, text, &address) != 1)
		return -EINVAL;
	memcpy(ret, &address, sizeof(address));
	return 0;
}

void address_link_local(const uint8_t mac[MAC_SIZE], uint32_t ret[4])
{
	const uint8_t bytes[16] = {
		0xfe,
		0x80,
		0,
		0,
		0,
		0,
		0,
		0,
		mac[0] ^ 2,
		mac[1],
		mac[2],
		0xff,
		0xfe,
		mac[3],
		mac[4],
		mac[5],
	};
	memcpy(ret, bytes, sizeof(bytes));
}
