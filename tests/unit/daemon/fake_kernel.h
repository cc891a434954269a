// SPDX-License-Identifier: BSD-3-Clause
// host.h, firewall.h and uplinks.h without a kernel: what a test asked for is kept over restarts of the instance, as a
// kernel keeps it.
#pragma once

#include "daemon/firewall/firewall.h"
#include "daemon/host/host.h"
#include "daemon/uplinks/uplinks.h"

#define FAKE_KERNEL_ROWS 64

struct fake_kernel_port {
	struct host_port port;
	struct host_inside inside; // name empty: not placed.
	uint64_t netns;		   // Where it was placed; 0: in the host's.
};

struct fake_kernel {
	bool absent;	  // host_open() fails.
	const char *fail; // The function that fails, always.
	struct host_network networks[FAKE_KERNEL_ROWS];
	size_t network_count;
	struct fake_kernel_port ports[FAKE_KERNEL_ROWS];
	size_t port_count;
	size_t station_count; // Calls that added one, less those that removed one.
	unsigned int trunks_opened, destroyed;
	uint64_t missed; // By any trunk.
	// What the firewall was set to last.
	struct firewall_network rules[FAKE_KERNEL_ROWS];
	size_t rule_count;
	struct firewall_publish publishes[FAKE_KERNEL_ROWS];
	size_t publish_count;
	size_t reserved;
	uint16_t taken; // A port of the host that somebody else has.
	struct uplink_port uplinks[FAKE_KERNEL_ROWS];
	size_t uplink_count;
	unsigned int settled;
	struct host_address address; // Of the host; text empty: it has none.
};

extern struct fake_kernel fake_kernel;

// The port of that id; NULL: there is none.
struct fake_kernel_port *fake_kernel_port(uint32_t id);
