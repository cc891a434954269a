// SPDX-License-Identifier: BSD-3-Clause
// The addresses that the host's own interfaces have. No state; the calling thread is in the host's namespace.
#include "daemon/host/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int count_bits(const uint8_t *mask, size_t size)
{
	unsigned int bits = 0;
	for (size_t i = 0; i < size; i++)
		bits += (unsigned int)__builtin_popcount(mask[i]);
	return bits;
}

// False: it is of no family that networks have.
static bool fill(const struct ifaddrs *from, struct host_address *ret)
{
	char text[INET6_ADDRSTRLEN];
	union {
		struct in_addr four;
		struct in6_addr six;
	} address, mask;
	if (!from->ifa_addr || !from->ifa_netmask)
		return false;
	int family = from->ifa_addr->sa_family;
	if (family != AF_INET && family != AF_INET6)
		return false;
	size_t size = family == AF_INET ? sizeof(address.four) : sizeof(address.six);
	size_t at = family == AF_INET ? offsetof(struct sockaddr_in, sin_addr)
				      : offsetof(struct sockaddr_in6, sin6_addr);
	memcpy(&address, (const char *)from->ifa_addr + at, size);
	memcpy(&mask, (const char *)from->ifa_netmask + at, size);
	if (!inet_ntop(family, &address, text, sizeof(text)))
		return false;
	(void)snprintf(ret->interface, sizeof(ret->interface), "%.15s", from->ifa_name);
	unsigned int prefix = count_bits((const uint8_t *)&mask, size);
	(void)snprintf(ret->text, sizeof(ret->text), "%s/%u", text, prefix); // It fits.
	return true;
}

int host_list_addresses(
	struct host *host,
	struct host_address **ret,
	size_t *ret_count,
	struct rwy_err *err
)
{
	(void)host;
	struct ifaddrs *all = NULL;
	size_t count = 0;
	if (getifaddrs(&all))
		return err_set(
			err, -errno, "cannot list the host's addresses: %s", strerror(errno)
		);
	for (const struct ifaddrs *one = all; one; one = one->ifa_next)
		count++;
	struct host_address *list = calloc(count ? count : 1, sizeof(*list));
	size_t filled = 0;
	for (const struct ifaddrs *one = all; list && one; one = one->ifa_next)
		filled += fill(one, &list[filled]);
	freeifaddrs(all);
	if (!list)
		return err_set(err, -ENOMEM, "cannot list the host's addresses: no memory");
	*ret = list;
	*ret_count = filled;
	return 0;
}
