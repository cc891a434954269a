// SPDX-License-Identifier: BSD-3-Clause
// A switch without threads or sockets: tables, a worker that the test runs by hand, ports whose front ends
// are the ring tests' driver.
#pragma once

#include "switch/board.h"
#include "switch/forward.h"
#include "switch/switch.h"
#include "tests/unit/vring/driver.h"

#define RIG_PORTS 6
#define RIG_RING 64

// A port's front end. from: its transmit ring, to: its receive ring.
struct rig_end {
	struct port *port;
	struct drv_memory *memory;
	struct drv_ring *from, *to;
	struct vring from_back, to_back;
	struct port_path path;
};

struct rig {
	struct board board;
	struct switch_state sw;
	struct fdb *fdb;
	struct worker *worker;
	uint32_t end_count;
	struct rig_end end[RIG_PORTS];
	struct port_list *flood[3]; // By network: 1 and 2.
};

// A cmocka group set-up: starts the EAL once.
int rig_start_eal(void **state);

// Networks 1 and 2, MTU 1500, no port.
struct rig *rig_new(void);
void rig_free(struct rig *rig);

// A port on a network with its address pinned; not live.
struct port *rig_port(struct rig *rig, uint32_t network, const uint8_t *mac, bool learning);
// The same with a front end, live.
struct rig_end *rig_live(struct rig *rig, uint32_t network, const uint8_t *mac, bool learning);
// The same with what spec says of its network and of sources.
struct rig_end *rig_live_as(struct rig *rig, const struct wire_port *spec, const uint8_t *mac);

// The network's TAP, whose queues are one end of a socket pair each, which keeps frames apart as a TAP does. The other ends
// are non-blocking and the caller's. To be added behind all front ends of the network.
struct port *rig_trunk(
	struct rig *rig,
	uint32_t network,
	uint16_t queues,
	uint32_t offloads,
	int *ret_peers
);
// As ringwayd would add it.
int rig_station(
	struct rig *rig,
	struct port *port,
	const uint8_t *mac,
	uint32_t epoch,
	const char *ip,
	const char *ip6
);

// As a worker would look it up at the beginning of a turn.
struct fdb_entry *rig_lookup(struct rig *rig, uint32_t network, const uint8_t *mac);

// Puts a frame into the end's transmit ring: destination, source, `tag` in the payload.
void rig_send(
	struct rig_end *end,
	const uint8_t *to,
	const uint8_t *from,
	uint32_t size,
	uint8_t tag
);
// The same with any bytes from the type on.
void rig_send_typed(
	struct rig_end *end,
	const uint8_t *to,
	const uint8_t *from,
	uint32_t size,
	const uint8_t *type,
	uint32_t type_size
);
// Posts `count` receive buffers of 2048 bytes.
void rig_refill(struct rig_end *end, uint32_t count);
// One burst from the end's transmit ring through the switch; returns the chains taken.
uint32_t rig_forward(struct rig *rig, struct rig_end *end);
// The tag of the next frame that arrived at the end, or -1.
int rig_receive(struct rig_end *end);
