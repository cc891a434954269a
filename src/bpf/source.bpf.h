// SPDX-License-Identifier: BSD-3-Clause
// Whether a frame may come from the port that sent it: its MAC address, and its IP address where that is pinned.
#pragma once

#include "state.bpf.h"

#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#define EXTENSIONS_MAX 4
#define ICMP6_MLD_REPORT 131
#define ICMP6_MLD_DONE 132
#define ICMP6_RS 133
#define ICMP6_NS 135
#define ICMP6_NA 136
#define ICMP6_MLD2_REPORT 143
// <linux/if_arp.h> needs a C library.
#define ARP_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2

// RFC 826, for Ethernet and IPv4.
struct arp {
	__be16 hardware, protocol;
	__u8 hardware_size, protocol_size;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender_ip[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target_ip[4];
};

_Static_assert(sizeof(struct arp) == 28, "as on the wire");

static __always_inline __u32 arp_ip(const __u8 *ip)
{
	__u32 value;
	__builtin_memcpy(&value, ip, sizeof(value));
	return value;
}

static __always_inline bool ip6_equal(const __u32 *a, const __u32 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static __always_inline bool ip6_is_zero(const __u32 *a)
{
	return !(a[0] | a[1] | a[2] | a[3]);
}

static __always_inline bool ip6_is_own(const struct maps_port *port, const __u32 *ip)
{
	return ip6_equal(ip, port->ip6) || ip6_equal(ip, port->link_local);
}

// RFC 2131 4.1: a client without an address asks from 0.0.0.0.
static __always_inline bool is_dhcp_request(struct __sk_buff *skb, const struct iphdr *ip)
{
	struct udphdr udp;
	__u32 offset = ETH_HLEN + ip->ihl * 4;
	return ip->protocol == IPPROTO_UDP && !(ip->frag_off & bpf_htons(0x3fff)) &&
		!bpf_skb_load_bytes(skb, offset, &udp, sizeof(udp)) &&
		udp.source == bpf_htons(68) && udp.dest == bpf_htons(67);
}

static __always_inline bool ip4_source_is_own(struct __sk_buff *skb, const struct maps_port *port)
{
	struct iphdr ip;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	return ip.saddr == port->ip || (ip.saddr == 0 && is_dhcp_request(skb, &ip));
}

// RFC 5227 2.1.1: a probe has the sender's IP address 0.
static __always_inline bool arp_source_is_own(struct __sk_buff *skb, const struct maps_port *port)
{
	struct arp arp;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)))
		return false;
	__u32 sender = arp_ip(arp.sender_ip);
	if (!(port->flags & MAPS_PORT_LEARNING) && !mac_equal(arp.sender_mac, port->mac))
		return false;
	return sender == port->ip || (sender == 0 && arp.operation == bpf_htons(ARP_REQUEST));
}

// Behind which offset ICMPv6 begins; 0: the packet is of another protocol; negative: it hides that behind too many
// extension headers.
static __always_inline int find_icmp6(struct __sk_buff *skb, __u8 next)
{
	__u32 offset = ETH_HLEN + sizeof(struct ipv6hdr);
	for (int i = 0; i <= EXTENSIONS_MAX; i++) {
		struct ipv6_opt_hdr extension;
		if (next == IPPROTO_ICMPV6)
			return (int)offset;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING)
			return 0;
		if (bpf_skb_load_bytes(skb, offset, &extension, sizeof(extension)))
			return -1;
		next = extension.nexthdr;
		offset += (extension.hdrlen + 1) * 8;
	}
	return -1;
}

// What an address is claimed by: an advertisement (RFC 4861 4.4), and a solicitation without a source, which is duplicate
// address detection (RFC 4862 5.4).
struct neighbor_message {
	__u8 type, code;
	__be16 checksum;
	__be32 flags;
	__u32 target[4];
};

// What a node may have to say before it has an address (RFC 4861 4.1, RFC 3590 4).
static __always_inline bool is_sent_from_nobody(__u8 type)
{
	return type == ICMP6_RS || type == ICMP6_MLD_REPORT || type == ICMP6_MLD_DONE ||
		type == ICMP6_MLD2_REPORT;
}

static __always_inline bool ip6_source_is_own(struct __sk_buff *skb, const struct maps_port *port)
{
	struct ipv6hdr ip;
	struct neighbor_message message;
	__u32 source[4];
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	__builtin_memcpy(source, &ip.saddr, sizeof(source));
	bool none = ip6_is_zero(source);
	if (!none && !ip6_is_own(port, source))
		return false;
	int offset = find_icmp6(skb, ip.nexthdr);
	if (offset <= 0)
		return offset == 0 && !none;
	// Fragments of neighbour messages are not accepted by anybody (RFC 6980), so this sees all there is.
	if (bpf_skb_load_bytes(skb, (__u32)offset, &message, 8))
		return false;
	if (message.type != ICMP6_NA && !(none && message.type == ICMP6_NS))
		return !none || is_sent_from_nobody(message.type);
	return !bpf_skb_load_bytes(skb, (__u32)offset, &message, sizeof(message)) &&
		ip6_is_own(port, message.target);
}

// Whether what the frame says about its IP address is true. In a VLAN of the container's own the same rules hold; what is
// tagged twice is not looked into, and refused.
static __noinline bool address_is_own(
	struct __sk_buff *skb,
	const struct maps_port *port,
	__u32 type
)
{
	if (!port)
		return false;
	switch (type) {
	case ETH_P_IP:
		return !(port->flags & MAPS_PORT_PIN4) || ip4_source_is_own(skb, port);
	case ETH_P_ARP:
		return !(port->flags & MAPS_PORT_PIN4) || arp_source_is_own(skb, port);
	case ETH_P_IPV6:
		return !(port->flags & MAPS_PORT_PIN6) || ip6_source_is_own(skb, port);
	case ETH_P_8021Q:
	case ETH_P_8021AD:
		return false;
	default:
		return true;
	}
}

// Whether another address than the port's may be learned there, and learns it.
static __noinline bool learn(struct __sk_buff *skb, __u32 network, const __u8 *source)
{
	if (!source || (source[0] & 1))
		return false;
	struct maps_mac key = mac_key(network, source);
	if (bpf_map_lookup_elem(&fdb, &key) || bpf_map_lookup_elem(&stations, &key))
		return false;
	__u64 now = bpf_ktime_get_ns();
	struct maps_learned *old = bpf_map_lookup_elem(&learned, &key);
	if (old && old->ifindex == skb->ifindex && now - old->seen < 1000000000)
		return true;
	struct maps_learned entry = {.ifindex = skb->ifindex, .seen = now};
	bpf_map_update_elem(&learned, &key, &entry, BPF_ANY);
	return true;
}
