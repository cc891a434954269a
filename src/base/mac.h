// SPDX-License-Identifier: BSD-3-Clause
// Ethernet addresses as text. No state; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MAC_SIZE 6
#define MAC_TEXT_SIZE 18

// Reads "aa:bb:cc:dd:ee:ff" (either case). 0, or -EINVAL with ret_mac untouched.
int mac_parse(const char *text, uint8_t ret_mac[MAC_SIZE]);

// Writes lower-case text with its terminating NUL.
void mac_format(const uint8_t mac[MAC_SIZE], char ret_text[MAC_TEXT_SIZE]);

// IEEE 802.3 3.2.3: the I/G bit is the lowest of the first octet. Broadcast is multicast too.
static inline bool mac_is_multicast(const uint8_t mac[MAC_SIZE])
{
	return mac[0] & 1;
}

static inline bool mac_is_zero(const uint8_t mac[MAC_SIZE])
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}
