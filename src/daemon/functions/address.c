// SPDX-License-Identifier: BSD-3-Clause
// PCI addresses as people write them. Pure.
#include "daemon/functions/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define DOMAIN_DIGITS 4 // A wider domain has no place in an address of this form.

static unsigned int read_digit(char c)
{
	// 0x20 makes ASCII's letters small ones.
	return (unsigned int)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

// Reads up to `digits` hexadecimal ones and the character after them. False: no digit, or another character.
static bool read_part(const char **at, unsigned int digits, char after, unsigned int *ret)
{
	unsigned int value = 0, count = 0;
	const char *s = *at;
	for (; count < digits && isxdigit((unsigned char)*s); s++, count++)
		value = value * 16 + read_digit(*s);
	if (!count || *s != after)
		return false;
	*ret = value;
	*at = s + (after != '\0');
	return true;
}

int address_parse(const char *text, char ret[FUNCTION_ADDRESS_SIZE])
{
	unsigned int domain = 0, bus, device, function;
	const char *at = text;
	const char *short_form = text;
	// "0000:03:10.2" and "03:10.2" differ by what follows the second part.
	bool with_domain = read_part(&at, DOMAIN_DIGITS, ':', &domain) &&
		read_part(&at, 2, ':', &bus) && read_part(&at, 2, '.', &device);
	if (!with_domain) {
		domain = 0;
		at = short_form;
		if (!read_part(&at, 2, ':', &bus) || !read_part(&at, 2, '.', &device))
			return -EINVAL;
	}
	if (!read_part(&at, 1, '\0', &function) || device > 0x1f || function > 7)
		return -EINVAL;
	(void)snprintf( // It fits: four, two, two digits and one.
		ret,
		FUNCTION_ADDRESS_SIZE,
		"%04x:%02x:%02x.%x",
		domain & 0xffff,
		bus & 0xff,
		device & 0x1f,
		function & 7
	);
	return 0;
}
