// SPDX-License-Identifier: BSD-3-Clause
// A VLAN's port of the switch: a DPDK virtio-user device, front end of the port's vhost-user socket. The control thread
// joins and leaves; between the two the worker moves its frames.
#pragma once

#include "base/err.h"
#include "uplink/device.h"
#include "wire/uplink.h"

#include <stdbool.h>
#include <stdint.h>

#define PORT_NO_ETHDEV UINT16_MAX

// Written by the worker only.
struct port_counters {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t drops[UPLINK_DROP_COUNT];
};

struct port {
	struct uplink_port_msg spec;
	uint32_t slot;	// Its place in the worker's view.
	uint16_t id;	// Its ethdev, PORT_NO_ETHDEV while it is not joined.
	int socket;	// virtio-user's connection, which it owns; -1: not joined.
	int call_fd;	// What the switch signals for frames to the device.
	bool checksums; // The switch completes TCP's and UDP's checksums.
	char reason[UPLINK_WIRE_TEXT];
	struct port_counters counters;
};

// Connects and starts. A failure is kept in port->reason too. Blocks for as long as the switch takes to answer.
int port_join(struct port *port, const struct device *device, struct rwy_err *err);
// The worker must not use it any more. What is not joined is left alone.
void port_leave(struct port *port);
