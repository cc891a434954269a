// SPDX-License-Identifier: BSD-3-Clause
// Messages between ringwayd and ringway-switch: one JSON object a SOCK_SEQPACKET datagram, descriptors
// beside it. ringwayd asks ("id" > 0), the switch replies with the same op and id, or with "error";
// the switch reports events with id 0. The first message each way is hello: ringwayd's is a request, the
// switch's the reply to it. Any thread.
//
//   {"op":"port_add","id":7,"args":{"port":3,"network":1,"name":"a","mac":"02:..","queues":1,..}} + [listener]
//   {"op":"port_add","id":7,"args":{}}
//   {"op":"port_add","id":7,"error":{"errno":28,"message":"cannot add port 'a': ..","hint":".."}}
#pragma once

#include "base/err.h"
#include "base/fields.h"
#include "base/mac.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION 2
#define WIRE_NAME_SIZE 64	 // With its NUL. Names of networks and ports.
#define WIRE_ADDR_SIZE 46	 // An IPv4 or IPv6 address as text, with its NUL.
#define WIRE_DATAGRAM_MAX 163840 // Bytes; below the kernel's default socket buffer.
#define WIRE_FDS_MAX 253
#define WIRE_STATS_PORTS 32 // Ports in one stats reply: a datagram stays far below its limit.
#define WIRE_STATE_PORTS 32
#define WIRE_DROPS_MAX 24
#define WIRE_QUEUES_MAX 16
#define WIRE_WORKERS_MAX 16
#define WIRE_PORTS_MAX 4096
#define WIRE_NETWORKS_MAX 1024
#define WIRE_KEPT_MAX \
	232 // Descriptors of one port's front end: regions of memory, three for each ring, and those of a message.

// Requests, their replies under the same name, and events (last).
enum wire_op {
	// args: wire_hello both ways. The switch's says who it is, + its board (wire/board.h), + its listening control socket.
	WIRE_HELLO,
	WIRE_PING,	  // args: none; reply: wire_pong. The heartbeat.
	WIRE_NETWORK_ADD, // args: wire_network. -EEXIST: the id is in use.
	WIRE_NETWORK_DEL, // args: wire_id. -EBUSY: it has ports.
	// args: wire_port. + its state memory, if has_state. A vhost port: + 0 or 1 descriptor, the listener, which the switch
	// only keeps for a later ringwayd. A TAP: + `queues` descriptors, one a queue. -EEXIST, -ENOENT (network), -ENOSPC (full),
	// -EINVAL: the state memory is not what the switch's hello asks for.
	WIRE_PORT_ADD,
	// args: wire_port. Changes the limits of a port, and a TAP's allow_spoof; nothing else. -ENOENT.
	WIRE_PORT_SET,
	WIRE_PORT_DEL, // args: wire_id. Its connection closes; no frame is in the air on reply.
	// args: wire_id + 1 descriptor, a connected vhost-user socket. -EBUSY: the port has a living
	// connection. -EPERM: the port is quarantined.
	WIRE_CONN_ADD,
	// args: wire_kept + its descriptors, a connection first: a vhost port's front end goes on where the switch before left
	// it, by the port's state memory. It runs from WIRE_START on. -EBUSY: the port has a connection. -EPERM: the port
	// is quarantined. -EPROTO: it cannot go on (what was in hand is in doubt, a descriptor is missing): ringwayd
	// closes the connection.
	WIRE_CONN_RESTORE,
	// args: wire_id; reply: wire_kept: everything that the next switch needs of the port, so that a ringwayd that was started
	// anew can keep it. -ENOENT.
	WIRE_PORT_FDS,
	// args: wire_station. Replaces what the network has of this address at this port. -EEXIST: it is pinned by another
	// port. -ENOENT: no such port or network. -ENOSPC.
	WIRE_STATION_ADD,
	WIRE_STATION_DEL,   // args: wire_station, of which network and mac count. -ENOENT.
	WIRE_STATION_SWEEP, // args: wire_epoch. Removes every station of another epoch.
	WIRE_STATS, // args: wire_after; reply: wire_stats, ports in order of id, from after `after`.
	WIRE_STATE, // args: wire_after; reply: wire_state: intent as the switch has it, one listener
		    // descriptor for each port with has_listener, in order.
	WIRE_STOP,  // args: none. The switch replies, closes all and exits 0.
	// args: none, + 0 or 1 descriptor: the control socket to listen on from now on. Frames move and front ends are answered
	// from the reply on. A switch does nothing of the kind before its first start, and goes on with a start after
	// WIRE_FREEZE or WIRE_RELEASE.
	WIRE_START,
	WIRE_FREEZE, // args: none. No message of a front end is handled after the reply; frames go on.
	WIRE_RELEASE, // args: none. Frozen, and no frame is in the air after the reply: another switch may start.
	WIRE_PORT_EVENT, // event, id 0, args: wire_port_event. Waiting and quarantined: the port's connection is closed.
	WIRE_KEEP, // event, args: wire_kept + its descriptors: the port's front end brought these, keep copies.
	WIRE_DROP, // event, args: wire_kept without descriptors: these are closed, close the copies.
	WIRE_OP_COUNT
};

// Attachment's state on the switch.
enum wire_port_state {
	WIRE_PORT_WAITING,     // No connection.
	WIRE_PORT_CONNECTED,   // Connected, no queue live yet.
	WIRE_PORT_RUNNING,     // At least one queue live.
	WIRE_PORT_QUARANTINED, // The front end broke the rules; reason says how.
	WIRE_PORT_STATE_COUNT
};

// How a port reaches its user.
enum wire_port_kind {
	WIRE_PORT_VHOST, // A vhost-user front end, whose connections come with WIRE_CONN_ADD.
	// A network's TAP, behind which its kernel ports are. Its queues are IFF_TUN queue descriptors of a device with
	// IFF_TAP, IFF_NO_PI and IFF_VNET_HDR, whose header is set to 12 bytes, little endian, and whose TUNSETOFFLOAD is
	// `offloads`. It is running at once; has no address of its own: those that may send behind it are its stations.
	WIRE_PORT_TAP,
	WIRE_PORT_KIND_COUNT
};

// The number of a network's TAP. Networks and other ports are numbered below 0x40000000.
#define WIRE_TRUNK_ID(network) (0x40000000u | (network))

// Requests that a TAP takes over, each as TUNSETOFFLOAD took it.
#define WIRE_OFFLOAD_CSUM (1u << 0)
#define WIRE_OFFLOAD_TSO4 (1u << 1)
#define WIRE_OFFLOAD_TSO6 (1u << 2)
#define WIRE_OFFLOAD_ECN (1u << 3)
#define WIRE_OFFLOAD_USO (1u << 4)

// "waiting", "connected", ..; "unknown" outside.
const char *wire_port_state_text(uint32_t state);

struct wire_hello {
	uint32_t version; // WIRE_VERSION; another one is refused with -EPROTO.
	char program[32]; // "ringway-switch 0.1.0"
	uint32_t pid;
	uint64_t start_ns; // CLOCK_BOOTTIME at start: tells one run of the switch from another.
	// The switch's: what it needs of a port's state memory, and what its form is. Only switches with the same form
	// take ports over from each other.
	uint32_t state_size; // Bytes.
	uint32_t state_form;
	bool active;		      // It was started (WIRE_START).
	bool has_board, has_listener; // These come along.
};

struct wire_id {
	uint32_t id; // Of a port or a network.
};

struct wire_after {
	uint32_t after; // Start behind this id; 0 for the first page.
};

struct wire_network {
	uint32_t network; // 1 .. 2^31-1, chosen by ringwayd, unique, stable over restarts.
	char name[WIRE_NAME_SIZE];
	uint32_t mtu;
	bool proxy_neighbors; // ARP and ND requests for known stations are answered in their place.
};

// A port's limits, each 0 for none. rx: what the switch takes from the port; tx: what it delivers to it. A rate is
// bits or frames a second, a burst bytes or frames (0: a tenth of a second's worth). flood: broadcast, multicast
// and unknown unicast frames that the port may send, a second.
struct wire_limits {
	uint64_t rx_bps, rx_burst, rx_fps, rx_frame_burst;
	uint64_t tx_bps, tx_burst, tx_fps, tx_frame_burst;
	uint64_t flood_fps, flood_burst;
};

struct wire_port {
	uint32_t port; // 1 .. 2^31-1, chosen by ringwayd, unique, stable over restarts.
	uint32_t network;
	char name[WIRE_NAME_SIZE];
	uint8_t mac[MAC_SIZE]; // Pinned in the network's MAC table. Zero of a TAP.
	uint16_t queues;       // Queue pairs; of a TAP its queues.
	uint32_t kind;	       // enum wire_port_kind
	uint32_t offloads;     // WIRE_OFFLOAD_*, of a TAP.
	bool learning;	       // Other source addresses are accepted and learned.
	// Other source addresses are accepted and not learned, and its addresses are not checked. Of a TAP: a kernel port may
	// send from addresses that are no station's.
	bool allow_spoof;
	// IP, ARP and Neighbor Discovery sources must be ip or ip6 (empty: none of that family).
	bool pin_address;
	char ip[WIRE_ADDR_SIZE], ip6[WIRE_ADDR_SIZE];
	bool no_offloads; // Checksum and segmentation requests are not offered to the front end.
	// The first descriptor is a memfd of wire_hello's state_size bytes, sealed against shrinking and growing, zero or as the
	// last switch left it: counters, the front end's session, places in rings. Outlives the switch in ringwayd's hands.
	bool has_state;
	char quarantine[160]; // Begins quarantined, with this reason. Empty: it does not.
	struct wire_limits limits;
};

// Descriptors of a port, beside the message in this order: its state memory, its connection, and one for each id. A TAP's
// are its queues, numbered from 1.
struct wire_kept_id {
	uint32_t
		id; // The switch's number of it, never used twice as long as the port has its state memory.
};

struct wire_kept {
	uint32_t port;
	bool has_state, has_conn;
	uint32_t id_count;
	struct wire_kept_id ids[WIRE_KEPT_MAX];
};

// An address of a network, and where it is. Behind a TAP that pins it there. ip and ip6, where given, are what
// neighbour requests are answered by (wire_network's proxy_neighbors).
struct wire_station {
	uint32_t port; // The TAP's, or the port's whose own address it is.
	uint32_t network;
	uint8_t mac[MAC_SIZE];
	uint32_t epoch; // Any number of ringwayd's, for WIRE_STATION_SWEEP.
	char ip[WIRE_ADDR_SIZE], ip6[WIRE_ADDR_SIZE];
};

struct wire_epoch {
	uint32_t epoch;
};

struct wire_pong {
	uint32_t workers;
	uint64_t
		turns; // Grows from ping to ping unless a worker that is awake stood still: 0x0 growth is a hang.
	bool asleep; // Every worker has nothing to poll, so turns need not grow.
};

struct wire_port_event {
	uint32_t port;
	uint32_t state; // enum wire_port_state
	char reason[160];
};

struct wire_drop {
	char reason[24];
	uint64_t count;
};

// A receive queue: frames that the port's front end sends.
struct wire_queue_stats {
	uint16_t pair;
	uint32_t core; // CPU of the worker that polls it.
	bool awake;    // Polled now; otherwise armed and waiting for a kick.
	uint64_t frames;
};

struct wire_port_stats {
	uint32_t port;
	uint32_t state;
	uint64_t features;
	uint32_t regions;
	uint64_t memory;      // Bytes of guest memory mapped.
	uint64_t own_memory;  // Bytes of the switch's own memory for the port.
	uint16_t queues_live; // Queue pairs that carry frames now.
	// rx: frames the switch received from the port; tx: frames it delivered to the port.
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t neighbor_answers; // Requests of the port that the switch answered itself.
	uint32_t drop_count;
	struct wire_drop drops[WIRE_DROPS_MAX]; // Every reason, zero or not.
	uint32_t queue_count;
	struct wire_queue_stats queues[WIRE_QUEUES_MAX]; // Those that are live.
	char reason[160];
};

struct wire_worker_stats {
	uint32_t core;
	uint64_t busy_cycles, idle_cycles, turns, frames;
	uint32_t queues,
		awake; // Receive queues that it is in charge of, and those of them that it polls now.
	uint64_t sleeps; // Times it blocked because nothing was awake.
};

struct wire_stats {
	uint64_t time_ns; // CLOCK_MONOTONIC.
	uint64_t tsc_hz;  // Cycles a second.
	uint64_t cpu_ns;  // CPU time of the whole switch.
	uint32_t worker_count;
	struct wire_worker_stats workers[WIRE_WORKERS_MAX];
	uint32_t port_count;
	struct wire_port_stats ports[WIRE_STATS_PORTS];
	bool more; // Ask again, after the last port's id.
};

struct wire_state_port {
	uint32_t port;
	uint32_t network;
	char name[WIRE_NAME_SIZE];
	uint8_t mac[MAC_SIZE];
	uint16_t queues;
	uint32_t kind; // enum wire_port_kind
	bool learning;
	bool allow_spoof;
	bool pin_address;
	char ip[WIRE_ADDR_SIZE], ip6[WIRE_ADDR_SIZE];
	bool no_offloads;
	uint32_t state;
	bool has_listener;
	struct wire_limits limits;
};

struct wire_state {
	uint32_t network_count; // All networks, in the first page only.
	struct wire_network networks[WIRE_NETWORKS_MAX];
	uint32_t port_count;
	struct wire_state_port ports[WIRE_STATE_PORTS];
	bool more;
};

// One message. Large: keep it static or on the heap.
struct wire_msg {
	enum wire_op op;
	uint32_t id;
	bool is_reply;	      // Sent by the switch with an id; decides which args the op carries.
	struct rwy_err error; // A reply only; error.code != 0: args are absent.
	union {
		struct wire_hello hello;
		struct wire_id ref;
		struct wire_kept kept;
		struct wire_after after;
		struct wire_network network;
		struct wire_port port;
		struct wire_station station;
		struct wire_epoch epoch;
		struct wire_pong pong;
		struct wire_port_event event;
		struct wire_stats stats;
		struct wire_state state;
	} args;
	int fds[WIRE_FDS_MAX]; // Descriptors beside the message.
	uint32_t fd_count;
};

// Sends msg, blocking; its descriptors stay the caller's. 0 or a negative errno (-EPIPE: the peer is gone).
int wire_send(int sock, const struct wire_msg *msg, struct rwy_err *err);

// Makes msg an empty request, or reply, or event (which have no request) of this op: zero, without descriptors. What args of other ops
// need beyond that is not touched, which for most is the larger part by far.
void wire_msg_init(struct wire_msg *msg, enum wire_op op, bool is_reply);

// Moves a message with its descriptors, which `from` has no more.
void wire_msg_move(struct wire_msg *to, struct wire_msg *from);

// Receives one message. 0: *ret_msg is filled, as far as its op needs, and its descriptors are the caller's; it is
// void otherwise. -EAGAIN: none
// there (with MSG_DONTWAIT in flags). -EPIPE: the peer is gone. -EPROTO: not a message of the table, wrong type,
// unknown field or a wrong number of descriptors (all closed); err says what. `from_switch` says who
// sent it, which decides whether an id makes it a reply.
int wire_recv(int sock, bool from_switch, int flags, struct wire_msg *ret_msg, struct rwy_err *err);

// Closes the descriptors that msg still has.
void wire_msg_close_fds(struct wire_msg *msg);
