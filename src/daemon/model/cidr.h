// SPDX-License-Identifier: BSD-3-Clause
// Addresses with prefixes, of both families. No state; any thread.
#pragma once

#include "daemon/service.h"

#include <stdbool.h>
#include <stdint.h>

struct cidr {
	uint8_t bytes[16]; // In network order; IPv4 takes the first four.
	unsigned int size; // 4 or 16.
	unsigned int prefix;
};

// Reads "10.0.0.1/24" or "fd00::1/64"; without a prefix it is that of a single host. 0, or
// -EINVAL with ret_cidr untouched.
int cidr_parse(const char *text, struct cidr *ret_cidr);

// Writes "address/prefix", or the address alone.
void cidr_format(const struct cidr *cidr, char ret_text[ADDR_TEXT_SIZE]);
void cidr_format_address(const struct cidr *cidr, char ret_text[ADDR_TEXT_SIZE]);

// cidr with its host bits cleared.
struct cidr cidr_network(const struct cidr *cidr);

bool cidr_equal(const struct cidr *a, const struct cidr *b);	  // The addresses alone.
bool cidr_contains(const struct cidr *net, const struct cidr *a); // a's address lies in net.
bool cidr_overlaps(const struct cidr *a, const struct cidr *b);
// The address of net itself, or (IPv4) its broadcast address: none for a host.
bool cidr_is_reserved(const struct cidr *net, const struct cidr *a);
