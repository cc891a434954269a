// SPDX-License-Identifier: BSD-3-Clause
// What the tc programs and ringwayd both know: the maps' keys and values. Addresses and Ethernet types are in network
// order, all else in the machine's. ringwayd writes all but counters, buckets' levels and learned addresses.
//
// Kernel ports and trunks have interface indices of our choosing in the namespace that is theirs alone, so that a plain
// array finds them: slot N of the ports is interface MAPS_PORT_IFINDEX + N, slot N of the networks has the TAP
// MAPS_TAP_IFINDEX + N.
#pragma once

#include <linux/types.h>

// A part of the pins' path: raise it with any change to what is below, and nobody reads maps of another form.
#define MAPS_VERSION 3

#define MAPS_PORTS_MAX 4096
#define MAPS_NETWORKS_MAX 1024
#define MAPS_STATIONS_MAX 16384
// Learned addresses: as many as the switch learns behind a port, so none takes another's room while there are not more than 64
// such ports.
#define MAPS_LEARNED_PER_PORT 1024
#define MAPS_LEARNED_MAX 65536
#define MAPS_PORT_IFINDEX 0x1000
#define MAPS_TAP_IFINDEX 0x10000

// Member lists are kept in pieces of so many places.
#define MAPS_MEMBERS 64
#define MAPS_MEMBER_LISTS_MAX MAPS_PORTS_MAX

// How long a learned address is good, as in the switch.
#define MAPS_LEARNED_NS 300000000000ull

enum maps_drop {
	MAPS_DROP_SHORT,
	MAPS_DROP_SOURCE,
	MAPS_DROP_SOURCE_IP,
	MAPS_DROP_ARP,
	MAPS_DROP_ND,
	MAPS_DROP_MTU,
	MAPS_DROP_FLOOD,
	MAPS_DROP_LOCAL,
	MAPS_DROP_NO_PORT,
	MAPS_DROP_DOWN,
	MAPS_DROP_RATE,
	MAPS_DROP_COUNT
};

// ports: array by slot.
#define MAPS_PORT_LEARNING 0x1u
#define MAPS_PORT_PIN 0x2u // IP, ARP and ND must come from ip, ip6 or link_local.
#define MAPS_PORT_SPOOF \
	0x4u // Nothing of its source addresses is looked at but whether its MAC is another's.
#define MAPS_PORT_RX_LIMIT 0x8u
#define MAPS_PORT_TX_LIMIT 0x10u
#define MAPS_PORT_FLOOD_LIMIT 0x20u
#define MAPS_PORT_IP 0x80u   // ip is one.
#define MAPS_PORT_IP6 0x100u // ip6 is one.
#define MAPS_PORT_DOWN 0x40u // The container's end, when ringwayd last heard of it.

struct maps_port {
	__u32 id;      // 0: the slot is free.
	__u32 network; // Its id.
	__u32 network_slot;
	__u32 flags;
	__u32 member; // Its place in the network's member lists.
	__u8 mac[6];
	__u8 padding[2];
	__u32 ip;
	__u32 ip6[4];
	__u32 link_local[4]; // That of the MAC address.
	__u32 learned;	     // The program's: how many addresses it has learned here so far.
};

// networks: array by slot.
#define MAPS_NETWORK_PROXY 0x1u

struct maps_network {
	__u32 id; // 0: the slot is free.
	__u32 mtu;
	__u32 tap;     // Interface index; 0: none.
	__u32 members; // Places in the member lists that may be taken: 0 .. members - 1.
	__u32 flags;
};

// fdb: hash of kernel ports' own addresses -> __u32 interface index. stations, learned: the same key.
struct maps_mac {
	__u32 network;
	__u8 mac[6];
	__u8 padding[2];
};

// members: hash -> places, 0 where free. A port keeps its place, so that a frame that is being copied meanwhile reaches
// every other port once.
struct maps_members_key {
	__u32 network;
	__u32 list;
};

struct maps_members {
	__u32 ifindex[MAPS_MEMBERS];
};

// stations: hash of all ports of a network, of either kind, and what is known of their IP addresses.
#define MAPS_STATION_IP 0x1u
#define MAPS_STATION_IP6 0x2u

struct maps_station {
	__u32 flags;
	__u32 ip;
	__u32 ip6[4];
};

// neighbors: hash of their addresses -> MAC address.
struct maps_neighbor_key {
	__u32 network;
	__u32 family; // 4 or 6
	__u32 ip[4];  // IPv4: the first, others 0.
};

struct maps_neighbor {
	__u8 mac[6];
	__u8 padding[2];
};

// learned: hash of addresses behind ports with MAPS_PORT_LEARNING.
struct maps_learned {
	__u32 ifindex;
	__u32 padding;
	__u64 seen; // CLOCK_MONOTONIC, ns.
};

// shares: hash of the places that a port has for learned addresses -> struct maps_mac. They are used in turn, so that a port
// which sends from many addresses forgets its own ones.
struct maps_share {
	__u32 ifindex;
	__u32 place; // 0 .. MAPS_LEARNED_PER_PORT - 1
};

// counters: per-CPU array by slot.
struct maps_counters {
	__u64 rx_frames, rx_bytes, tx_frames, tx_bytes;
	__u64 answers; // To neighbour requests of the port.
	__u64 drops[MAPS_DROP_COUNT];
};

// A token bucket, kept as the time at which it will be full again. Times are in 1/16 ns of CLOCK_MONOTONIC, and pass
// every rounding by: at 10 million frames a second less than one in a thousand is lost to it. A token costs
// cost / 2^shift.
struct maps_bucket {
	__u64 cost; // 0: no limit. Below 2^44, so that 2^19 tokens do not overflow.
	__u64 burst;
	__u64 full;
	__u32 shift;
	__u32 padding;
};

#define MAPS_TIME_SHIFT 4

enum maps_bucket_kind {
	MAPS_BUCKET_RX_BYTES,
	MAPS_BUCKET_RX_FRAMES,
	MAPS_BUCKET_TX_BYTES,
	MAPS_BUCKET_TX_FRAMES,
	MAPS_BUCKET_FLOOD,
	MAPS_BUCKET_COUNT
};

// limits: array by slot. The lock is the kernel's struct bpf_spin_lock, which ringwayd's copy of it only reserves.
struct maps_limits {
#ifdef __bpf__
	struct bpf_spin_lock lock;
#else
	__u32 lock;
#endif
	__u32 padding;
	struct maps_bucket bucket[MAPS_BUCKET_COUNT];
};
