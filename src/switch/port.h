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
	DROP_SHORT,	// Shorter than a header and an Ethernet header.
	DROP_LONG,	// Longer than any frame, or in too many pieces.
	DROP_SOURCE,	// A source MAC address that the port may not use.
	DROP_SOURCE_IP, // The same of an IP address.
	DROP_ARP,	// ARP that claims an address which is not the port's.
	DROP_ND,	// The same of IPv6 Neighbor Discovery, and what only a router may say.
	DROP_MTU,	// Longer than the network's MTU allows.
	DROP_OFFLOAD, // A checksum or segmentation request that is not sound, or was not negotiated.
	DROP_FLOOD,   // More frames to everybody than the port may send.
	DROP_LOCAL,   // Its destination lies behind the port it came from.
	DROP_MEMORY,  // The front end took its memory back meanwhile.
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
	uint64_t neighbor_answers; // Its requests that were answered here and went no further.
	uint64_t drops[DROP_COUNT];
} __attribute__((aligned(64)));

struct port;

// One ring as workers use it, or a queue of a TAP. Constant while published, but for the ring itself and the members that
// say otherwise. A receive queue (rx) belongs to one worker. A transmit queue (tx) is written by any worker; `lock` guards
// its ring where there are several. The kernel guards a TAP's.
struct port_queue {
	struct port *port;
	struct vring *ring; // NULL: a TAP's queue. source.h and deliver.c know the difference.
	int call_fd;	    // -1: the front end polls.
	int kick_fd; // -1: the front end asks to be polled. A TAP's descriptor, which is also read and written.
	uint16_t pair;
	bool *lock; // tx: of struct port_pair, so that it stays the same while paths change.
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
struct port_state;

enum spoof_mode {
	SPOOF_CHECK_NONE,
	SPOOF_CHECK_CLAIMS, // ARP and Neighbor Discovery must not claim what is another port's.
	SPOOF_CHECK_PINS    // IP, ARP and Neighbor Discovery come from the port's own addresses.
};

// What of a port's frames is looked at beside its MAC address; see spoof.h. Constant.
struct spoof_check {
	enum spoof_mode mode;
	bool pins; // mode == SPOOF_CHECK_PINS
	bool learning;
	bool has_ip, has_ip6;
	uint8_t ip[4], ip6[16], link_local[16];
};

// No worker is in charge of a queue.
#define PORT_NO_WORKER UINT16_MAX

// What stays of a queue pair while rings come and go and paths are published anew. A line of memory for the worker in
// charge of the receive queue, one for those that deliver.
struct port_pair {
	// Written by the worker in charge, read by the control thread: single words, relaxed. They pass to another worker by
	// way of the control thread, after a grace period.
	uint64_t frames;      // Chains taken.
	uint64_t busy_cycles; // Of polls that took some.
	uint64_t
		next_look; // TSC: when a TAP that had nothing is looked at again. The worker's alone.
	bool awake;	   // Polled now.
	// Its front end is signalled once, by the worker that polls it next: what the last switch showed it may not have
	// signalled. Set by the control thread before the queue is given.
	bool recall;
	uint8_t burst; // The most that one poll takes; see turns.h. The worker's alone.
	// The worker in charge, or PORT_NO_WORKER. Stored by the control thread (release), loaded by workers (acquire).
	uint16_t worker;
	// The control thread's.
	int watched_fd;	    // The kick descriptor as it is in that worker's epoll set; -1: in none.
	uint64_t busy_seen; // busy_cycles at the last look.
	uint64_t load_cycles; // What they grew by between the last two looks.
	uint64_t moved_s;     // When it changed hands, by switch_seconds().
	bool lock __attribute__((aligned(64))
	); // Transmit queue: taken with acquire, given with release.
} __attribute__((aligned(64)));

struct port {
	struct port *next, *prev; // In order of id.
	struct port *next_hash;
	uint16_t slot; // Its place in struct port_table.
	struct switch_state *sw;
	struct wire_port spec;
	struct network *network;
	struct port_path *path;	       // Published; NULL while nothing may be delivered or taken.
	struct port_path *unpublished; // Until the grace period of publish_remove_all() has passed.
	struct spoof_check check;
	uint64_t mac_key; // The pinned address's key in the MAC table; 0: none.
	uint32_t learned; // Learned addresses behind the port. Control thread.
	uint32_t noted;	  // Of them, those that `saved` has got so far. Control thread.
	enum wire_port_state state;
	char reason[160];
	uint32_t fault; // enum vring_fault or PORT_FAULT_*, stored by a worker, once.
	struct vhost_conn *conn;
	struct loop_source *source;
	bool restored; // Its connection goes on where another switch left it, once this one is started.
	bool keep_waits; // A message of its front end waits until ringwayd takes what it brought.
	int listener_fd; // Kept for ringwayd, never used here. -1: none.
	int saved_fd;	 // The memory behind `saved`; -1: it does not outlive this process.
	int *tap_fds;	 // [spec.queues] of a TAP, otherwise NULL.
	struct limits limits;
	struct port_pair *pair;		// [spec.queues]
	struct port_counters *counters; // [WIRE_WORKERS_MAX], in `saved`.
	struct port_state *saved;	// See portstate.h.
};

// Ports by slot, for events that carry a slot instead of a pointer. Published: stored with release by the control thread,
// loaded with acquire; a port is freed a grace period after its slot was cleared.
struct port_table {
	struct port *slot[WIRE_PORTS_MAX];
};

// Beside the ring faults.
#define PORT_FAULT_CALL 1000   // The front end made its own call eventfd block.
#define PORT_FAULT_TAP 1001    // The TAP is gone.
#define PORT_FAULT_MEMORY 1002 // The kernel found memory gone that the front end had shared.
