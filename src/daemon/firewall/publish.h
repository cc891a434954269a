// SPDX-License-Identifier: BSD-3-Clause
// What a published port asks for: its words, its families, its network. Pure; any thread.
#pragma once

#include "daemon/firewall/firewall.h"

// Which families of the host a published port takes.
struct publish_families {
	bool any;	// All addresses of the host, not host_ip alone.
	bool family[2]; // IPv4, IPv6.
};

// -EINVAL: an address that is none, a host address that cannot be published on, a container without an address
// of that family, a protocol without ports, no port of the container.
int publish_families(
	const struct firewall_publish *publish,
	struct publish_families *ret,
	struct rwy_err *err
);

// The words for a published port in messages: "8080/tcp", "192.0.2.1:8080/tcp", "[2001:db8::1]:8080-8090/udp".
#define PUBLISH_WORDS_SIZE 80
void publish_words(const struct firewall_publish *publish, char ret_words[PUBLISH_WORDS_SIZE]);

// "tcp", "udp", "sctp"; NULL for any other.
const char *publish_protocol(uint8_t proto);

// The network of a published port that has an effect; NULL: it has none.
const struct firewall_network *publish_network(
	const struct firewall_publish *publish,
	const struct firewall_network *networks,
	size_t network_count
);

// family: 0 IPv4, 1 IPv6.
bool publish_is_address(unsigned int family, const char *text);
