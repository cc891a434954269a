// SPDX-License-Identifier: BSD-3-Clause
// The maps of the tc programs, and the reading and counting that all of them do. In the kernel, at tc ingress.
#pragma once

// clang-format off
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
// clang-format on
#include "maps.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAPS_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct maps_port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAPS_NETWORKS_MAX);
	__type(key, __u32);
	__type(value, struct maps_network);
} networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAPS_PORTS_MAX);
	__type(key, struct maps_mac);
	__type(value, __u32);
} fdb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAPS_MEMBER_LISTS_MAX);
	__type(key, struct maps_members_key);
	__type(value, struct maps_members);
} members SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAPS_STATIONS_MAX);
	__type(key, struct maps_mac);
	__type(value, struct maps_station);
} stations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * MAPS_STATIONS_MAX);
	__type(key, struct maps_neighbor_key);
	__type(value, struct maps_neighbor);
} neighbors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAPS_LEARNED_MAX);
	__type(key, struct maps_mac);
	__type(value, struct maps_learned);
} learned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAPS_LEARNED_MAX);
	__type(key, struct maps_share);
	__type(value, struct maps_mac);
} shares SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAPS_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct maps_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAPS_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct maps_limits);
} limits SEC(".maps");

// What a frame is judged by: copied, since helpers that change the frame take its bytes away.
struct ether {
	__u8 destination[ETH_ALEN];
	__u8 source[ETH_ALEN];
	__be16 type;
};

// NULL when the interface is no port (any more).
static __always_inline struct maps_port *port_of(__u32 ifindex)
{
	__u32 slot = ifindex - MAPS_PORT_IFINDEX;
	struct maps_port *port = bpf_map_lookup_elem(&ports, &slot);
	return port && port->id ? port : NULL;
}

// By halves: an address in a frame's copy on the stack lies on a multiple of two.
static __always_inline bool mac_equal(const __u8 *a, const __u8 *b)
{
	const __u16 *x = (const __u16 *)a, *y = (const __u16 *)b;
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

static __always_inline struct maps_mac mac_key(__u32 network, const __u8 *mac)
{
	struct maps_mac key = {.network = network};
	__builtin_memcpy(key.mac, mac, ETH_ALEN);
	return key;
}

// Per CPU, and a tc program is not interrupted by another one on its CPU: plain additions.
static __always_inline void count_received(__u32 ifindex, __u32 size)
{
	__u32 slot = ifindex - MAPS_PORT_IFINDEX;
	struct maps_counters *c = bpf_map_lookup_elem(&counters, &slot);
	if (!c)
		return;
	c->rx_frames++;
	c->rx_bytes += size;
}

static __always_inline void count_sent(__u32 ifindex, __u32 size)
{
	__u32 slot = ifindex - MAPS_PORT_IFINDEX;
	struct maps_counters *c = bpf_map_lookup_elem(&counters, &slot);
	if (!c)
		return;
	c->tx_frames++;
	c->tx_bytes += size;
}

static __always_inline void count_answer(__u32 ifindex, __u32 size)
{
	__u32 slot = ifindex - MAPS_PORT_IFINDEX;
	struct maps_counters *c = bpf_map_lookup_elem(&counters, &slot);
	if (!c)
		return;
	c->answers++;
	c->tx_frames++;
	c->tx_bytes += size;
}

static __always_inline void count_drop(__u32 ifindex, enum maps_drop reason)
{
	__u32 slot = ifindex - MAPS_PORT_IFINDEX;
	struct maps_counters *c = bpf_map_lookup_elem(&counters, &slot);
	if (c)
		c->drops[reason]++;
}

static __always_inline int drop(__u32 ifindex, enum maps_drop reason)
{
	count_drop(ifindex, reason);
	return TC_ACT_SHOT;
}
