// SPDX-License-Identifier: BSD-3-Clause
// Addresses with prefixes. No state; any thread.
#include "daemon/model/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int parse_prefix(const char *text, unsigned int limit, unsigned int *ret_prefix)
{
	unsigned int value = 0;
	size_t length = strlen(text);
	if (length < 1 || length > 3 || (length > 1 && text[0] == '0'))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned int)(*text - '0');
	}
	if (value > limit)
		return -EINVAL;
	*ret_prefix = value;
	return 0;
}

int cidr_parse(const char *text, struct cidr *ret_cidr)
{
	struct cidr cidr = {.size = strchr(text, ':') ? 16 : 4};
	char address[ADDR_TEXT_SIZE];
	size_t length = strcspn(text, "/");
	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(cidr.size == 16 ? AF_INET6 : AF_INET, address, cidr.bytes) != 1)
		return -EINVAL;
	cidr.prefix = cidr.size * 8;
	if (text[length] && parse_prefix(text + length + 1, cidr.prefix, &cidr.prefix))
		return -EINVAL;
	*ret_cidr = cidr;
	return 0;
}

void cidr_format_address(const struct cidr *cidr, char ret_text[ADDR_TEXT_SIZE])
{
	int family = cidr->size == 16 ? AF_INET6 : AF_INET;
	// The longest address fits: INET6_ADDRSTRLEN is 46.
	(void)inet_ntop(family, cidr->bytes, ret_text, ADDR_TEXT_SIZE);
}

void cidr_format(const struct cidr *cidr, char ret_text[ADDR_TEXT_SIZE])
{
	cidr_format_address(cidr, ret_text);
	size_t used = strlen(ret_text);
	(void)snprintf(ret_text + used, ADDR_TEXT_SIZE - used, "/%u", cidr->prefix); // It fits.
}

struct cidr cidr_network(const struct cidr *cidr)
{
	struct cidr net = *cidr;
	for (unsigned int bit = cidr->prefix; bit < cidr->size * 8; bit++)
		net.bytes[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
	return net;
}

bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

bool cidr_contains(const struct cidr *net, const struct cidr *a)
{
	struct cidr cut = *a;
	cut.prefix = net->prefix;
	if (net->size != a->size)
		return false;
	cut = cidr_network(&cut);
	struct cidr base = cidr_network(net);
	return cidr_equal(&base, &cut);
}

bool cidr_overlaps(const struct cidr *a, const struct cidr *b)
{
	return a->prefix <= b->prefix ? cidr_contains(a, b) : cidr_contains(b, a);
}

bool cidr_is_reserved(const struct cidr *net, const struct cidr *a)
{
	struct cidr base = cidr_network(net);
	if (cidr_equal(&base, a))
		return true;
	if (net->size != 4)
		return false;
	for (unsigned int bit = net->prefix; bit < 32; bit++)
		base.bytes[bit / 8] |= (uint8_t)(0x80U >> (bit % 8));
	return cidr_equal(&base, a);
}
