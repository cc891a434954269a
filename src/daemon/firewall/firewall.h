// SPDX-License-Identifier: BSD-3-Clause
// The host's side of networks: masquerade, published ports, isolation, and the accepts that Docker's own rules make
// necessary. Everything lies in one nftables table of this instance. One thread at a time, in the host's network
// namespace. Nothing here outlives its purpose but what was set: a ringwayd that ends leaves the rules in force.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIREWALL_ADDRESS_SIZE 46
#define FIREWALL_SUBNET_SIZE 50
#define FIREWALL_INTERFACE_SIZE 16

// A network with a gateway interface in the host's namespace. The first of each pair is IPv4, the second IPv6; empty:
// the network has none. A network without a gateway interface is not given: the host has no part in it.
struct firewall_network {
	uint32_t id;
	char interface[FIREWALL_INTERFACE_SIZE]; // The gateway's.
	char subnet[2][FIREWALL_SUBNET_SIZE];	 // "10.0.0.0/24"
	char gateway[2][FIREWALL_ADDRESS_SIZE];	 // Without prefix.
	bool internal; // Nothing between it and what lies outside; its published ports are left out.
	bool masquerade; // What leaves the host has the host's address.
};

// One published port. host_ip empty: on all addresses of the families that the container has; "0.0.0.0": all of IPv4;
// "::": all of IPv6.
struct firewall_publish {
	uint32_t port; // Id of the container's port.
	uint32_t
		network; // Id of one that firewall_set() is given; published ports of others are left out.
	uint8_t proto;			      // 6, 17, 132.
	char address[FIREWALL_ADDRESS_SIZE];  // The container's, IPv4; empty: none.
	char address6[FIREWALL_ADDRESS_SIZE]; // The same of IPv6.
	uint16_t container_port;
	char host_ip[FIREWALL_ADDRESS_SIZE];
	uint16_t host_port; // 0: any free one.
	uint16_t
		host_port_end; // The first free one of host_port to host_port_end; 0: host_port alone.
	uint16_t bound;	       // Set by firewall_reserve().
};

struct firewall;

// `run_dir` tells the instance: "/run/ringway" has the table `ringway`, every other one `ringway_` and four
// hexadecimal digits. Changes nothing yet. -EOPNOTSUPP with the reason when the kernel or the rights are missing, -ENOMEM.
int firewall_open(const char *run_dir, struct firewall **ret, struct rwy_err *err);
// Lets go of all reservations; the rules stay. NULL is fine.
void firewall_close(struct firewall *firewall);

// Makes exactly this true, in one nftables transaction; without networks, the table and all accepts are removed.
// Turns forwarding on in the host where it is off and a network that is not internal needs it. After it, flows
// of published ports that are gone are cut, and those of UDP begin anew where they would go elsewhere now. -EINVAL
// (an address or name that is none), -ENOMEM, -EIO (the kernel's word): then nothing of the table has changed.
int firewall_set(
	struct firewall *firewall,
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count,
	struct rwy_err *err
);

// Whether all is still there: others flush rule sets, and Docker may start later than ringwayd. Puts back what is
// missing. Call it every second: where nothing changed, it asks one question. Returns 1 when something was put back (err says what), 0, or a negative errno.
int firewall_check(struct firewall *firewall, struct rwy_err *err);

// Takes the host's port, so that nobody else can, and sets io->bound. Kept until firewall_release() or the end of
// the process. -EADDRINUSE, -EADDRNOTAVAIL (no such address on the host), -EINVAL, -EACCES, -ENOMEM.
int firewall_reserve(struct firewall *firewall, struct firewall_publish *io, struct rwy_err *err);
// Lets go of everything that was reserved for this port. None: fine.
void firewall_release(struct firewall *firewall, uint32_t port_id);
