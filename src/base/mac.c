// SPDX-License-Identifier: BSD-3-Clause
// Ethernet addresses as text. No state; any thread.
#include "base/mac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, uint8_t ret_mac[MAC_SIZE])
{
	uint8_t mac[MAC_SIZE];
	if (strlen(text) != MAC_TEXT_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < MAC_SIZE; i++) {
		int high = hex_value(text[3 * i]);
		int low = hex_value(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i < MAC_SIZE - 1 && text[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret_mac, mac, MAC_SIZE);
	return 0;
}

void mac_format(const uint8_t mac[MAC_SIZE], char ret_text[MAC_TEXT_SIZE])
{
	(void)snprintf( // Always fits: six octets of two digits.
		ret_text,
		MAC_TEXT_SIZE,
		"%02x:%02x:%02x:%02x:%02x:%02x",
		mac[0],
		mac[1],
		mac[2],
		mac[3],
		mac[4],
		mac[5]
	);
}
