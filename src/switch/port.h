// SPDX-License-Identifier: BSD-3-Clause
// Ports and networks. Both are made and changed by the control thread; workers read the members marked
// "published" under RCU (QSBR) and write only the counters.
#pragma once

#include "base/loop.h"
#include "base/mac.h"
#include "switch/limit.h"
#include "vhost/vhost.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stdint.h>

// Why a frame was dropped. The first ones count at the port it came from, the others at the port it
// was for.
enum drop_reason {
	DROP_SHORT,   // Shorter than a header and an Ethernet header.
	DROP_LONG,    // Longer than any frame, or in too many pieces.
	DROP_SOURCE,  // A source address that the port may not use.
	DROP_MTU,     // Longer than the network's MTU allows.
	DROP_OFFLOAD, // A checksum or segmentation request that is not sound, or was not negotiated.
	DROP_FLOOD,   // More frames to everybody than the port may send.
	DROP_LOCAL,   // Its destination lies behind the port it came from.
	DROP_NO_PORT, // No port to go to.
	DROP_DOWN,    // The destination's front end is not running.
	DROP_FULL,    // The destination had no receive buffer.
	DROP_BUFFER,  // The destination's receive buffer was too small.
	DROP_RATE,    // More than the destination's limit.
	DROP_COUNT
};

// As shown to people: "short", "source_address", ..
const char *drop_reason_text(enum drop_reason reason);

// Written by one worker each, read by the control thread at any time: single 64-bit words, no lock.
struct port_counters {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t drops[DROP_COUNT];
} __attribute__((aligned(64)));

struct port;

// One ring as workers use it. Constant while published, but for the ring itself and the members that say otherwise.
// A receive queue (rx) belongs to one worker. A transmit queue (tx) is written by any worker; `lock` guards its ring
// where there are several.
struct port_queue {
	struct port *port;
	struct vring *ring;
	int call_fd; // -1: the front end polls.
	int kick_fd; // -1: the front end asks to be polled.
	uint16_t pair;
	bool lock; // tx: taken with acquire, given with release.
	bool touched
		[WIRE_WORKERS_MAX]; // tx: delivered to in the worker's burst and not shown yet; each worker's own.
};

// A port's live queues. Published as a whole, freed after a grace period.
struct port_path {
	uint32_t
		asks; // OFFLOAD_*: requests that its front end may make (VIRTIO_NET_F_CSUM, _HOST_*).
	uint32_t accepts;  // OFFLOAD_*: requests that it takes over (VIRTIO_NET_F_GUEST_*).
	uint16_t rx_count; // Guest transmit rings: the switch receives.
	uint16_t tx_count; // Guest receive rings: the switch transmits.
	struct port_queue rx[VHOST_QUEUE_PAIRS_MAX];
	struct port_queue tx[VHOST_QUEUE_PAIRS_MAX];
};

// Ports that a broadcast goes to: those of one network that are live.
struct port_list {
	uint32_t count;
	struct port *port[];
};

struct network {
	struct network *next;
	struct wire_network spec;
	uint16_t slot; // 1 .. WIRE_NETWORKS_MAX: the network in the MAC table's keys.
	uint32_t port_count;
	struct port_list *flood; // Published.
};

struct switch_state;

struct port {
	struct port *next; // In order of id.
	struct switch_state *sw;
	struct wire_port spec;
	struct network *network;
	struct port_path *path; // Published; NULL while nothing may be delivered or taken.
	uint64_t mac_key;	// The pinned address's key in the MAC table.
	uint32_t learned;	// Learned addresses behind the port. Control thread.
	enum wire_port_state state;
	char reason[160];
	uint32_t fault; // enum vring_fault or PORT_FAULT_*, stored by a worker, once.
	struct vhost_conn *conn;
	struct loop_source *source;
	int listener_fd; // Kept for ringwayd, never used here. -1: none.
	struct limits limits;
	struct port_counters counters[WIRE_WORKERS_MAX]; // By worker.
};

// Beside the ring faults: the front end made its own call eventfd block.
#define PORT_FAULT_CALL 1000
