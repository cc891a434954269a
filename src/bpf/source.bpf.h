// SPDX-License-Identifier: BSD-3-Clause
// Whether a frame may come from the port that sent it: its MAC address, and what it says of IP addresses. A pinned port may
// only speak for its own; no port but one that may spoof speaks for those of another port. The rules are the switch's
// (src/packet/source.c, src/switch/spoof.c).
#pragma once

#include "state.bpf.h"

#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#define EXTENSIONS_MAX 8
#define OPTIONS_MAX 8
#define TAGS_MAX 4
#define ETHER_TYPE_MIN 0x0600	   // IEEE 802.3, 3.2.6: below it is a length.
#define ETHER_TYPE_QINQ_OLD 0x9100 // Before IEEE 802.1ad.
#define LLC_SNAP 0xaaaa
#define ICMP6_MLD_REPORT 131
#define ICMP6_MLD_DONE 132
#define ICMP6_RS 133
#define ICMP6_RA 134
#define ICMP6_NS 135
#define ICMP6_NA 136
#define ICMP6_REDIRECT 137
#define ICMP6_MLD2_REPORT 143
#define ND_SOURCE_LINK_ADDRESS 1
#define ND_TARGET_LINK_ADDRESS 2
// <linux/if_arp.h> needs a C library.
#define ARP_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define RARP_REQUEST 3

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
	return ((port->flags & MAPS_PORT_IP6) && ip6_equal(ip, port->ip6)) ||
		ip6_equal(ip, port->link_local);
}

static __always_inline bool ip4_is_own(const struct maps_port *port, __u32 ip)
{
	return (port->flags & MAPS_PORT_IP) && ip == port->ip;
}

static __always_inline bool is_tag(__u32 type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD || type == ETHER_TYPE_QINQ_OLD;
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

static __always_inline enum maps_drop judge_ip4(struct __sk_buff *skb, const struct maps_port *port)
{
	struct iphdr ip;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return MAPS_DROP_SOURCE_IP;
	if (ip4_is_own(port, ip.saddr) || (ip.saddr == 0 && is_dhcp_request(skb, &ip)))
		return MAPS_DROP_COUNT;
	return MAPS_DROP_SOURCE_IP;
}

// RFC 5227 2.1.1: a probe has the sender's IP address 0. So has RARP's request (RFC 903).
static __always_inline enum maps_drop judge_arp(struct __sk_buff *skb, const struct maps_port *port)
{
	struct arp arp;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)) ||
	    arp.hardware != bpf_htons(ARP_ETHERNET) || arp.protocol != bpf_htons(ETH_P_IP) ||
	    arp.hardware_size != ETH_ALEN || arp.protocol_size != 4)
		return MAPS_DROP_ARP;
	__u32 sender = arp_ip(arp.sender_ip);
	if (!(port->flags & MAPS_PORT_LEARNING) && !mac_equal(arp.sender_mac, port->mac))
		return MAPS_DROP_ARP;
	bool asks =
		arp.operation == bpf_htons(ARP_REQUEST) || arp.operation == bpf_htons(RARP_REQUEST);
	return ip4_is_own(port, sender) || (sender == 0 && asks) ? MAPS_DROP_COUNT : MAPS_DROP_ARP;
}

// What an address is claimed by (RFC 4861 4.3, 4.4), and where it was found.
struct neighbor_message {
	__u8 type, code;
	__be16 checksum;
	__be32 flags;
	__u32 target[4];
};

struct nd_place {
	__u32 offset; // 0: the packet is of another protocol.
	bool is_fragment;
};

// Finds where ICMPv6 begins. False: that cannot be told. `at`: the IPv6 header's offset.
static __always_inline bool find_icmp6(
	struct __sk_buff *skb,
	__u32 at,
	__u8 next,
	struct nd_place *ret
)
{
	__u32 offset = at + sizeof(struct ipv6hdr);
	ret->offset = 0;
	ret->is_fragment = false;
	for (int i = 0; i <= EXTENSIONS_MAX; i++) {
		__u8 header[8];
		if (next == IPPROTO_ICMPV6) {
			ret->offset = offset;
			return true;
		}
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING &&
		    next != IPPROTO_FRAGMENT)
			return true;
		if (bpf_skb_load_bytes(skb, offset, header, sizeof(header)))
			return false;
		if (next == IPPROTO_FRAGMENT) {
			// Not the first, which is the one with headers (RFC 7112).
			if (header[2] | (header[3] & 0xf8))
				return true;
			ret->is_fragment = true;
			offset += 8;
		} else {
			offset += (header[1] + 1) * 8;
		}
		next = header[0];
	}
	return false;
}

// What a node may have to say before it has an address (RFC 4861 4.1, RFC 3590 4).
static __always_inline bool is_sent_from_nobody(__u8 type)
{
	return type == ICMP6_RS || type == ICMP6_NS || type == ICMP6_MLD_REPORT ||
		type == ICMP6_MLD_DONE || type == ICMP6_MLD2_REPORT;
}

static __always_inline bool is_nd(__u8 type)
{
	return type >= ICMP6_RS && type <= ICMP6_REDIRECT;
}

// RFC 4861 4.6: whether all options can be read and no one names another link-layer address than the port's.
static __noinline bool options_are_own(
	struct __sk_buff *skb,
	const struct maps_port *port,
	__u32 offset,
	__u32 end
)
{
	struct {
		__u8 type, size;
		__u8 mac[ETH_ALEN];
	} option;
	if (!port)
		return false;
	for (int i = 0; i < OPTIONS_MAX; i++) {
		if (offset == end)
			return true;
		if (offset > end || bpf_skb_load_bytes(skb, offset, &option, sizeof(option)) ||
		    option.size == 0)
			return false;
		if ((option.type == ND_SOURCE_LINK_ADDRESS || option.type == ND_TARGET_LINK_ADDRESS
		    ) &&
		    (option.size != 1 ||
		     (!(port->flags & MAPS_PORT_LEARNING) && !mac_equal(option.mac, port->mac))))
			return false;
		offset += option.size * 8;
	}
	return offset == end;
}

static __always_inline enum maps_drop judge_nd(
	struct __sk_buff *skb,
	const struct maps_port *port,
	__u32 offset,
	__u32 end,
	bool has_source
)
{
	struct neighbor_message message;
	__u32 size = 8;
	if (bpf_skb_load_bytes(skb, offset, &message, 8))
		return MAPS_DROP_ND;
	if (message.type == ICMP6_RA || message.type == ICMP6_REDIRECT)
		return MAPS_DROP_ND; // A router's.
	if (message.type != ICMP6_RS) {
		size = sizeof(message);
		if (bpf_skb_load_bytes(skb, offset, &message, sizeof(message)))
			return MAPS_DROP_ND;
		// An address is also claimed by asking for it from nowhere (RFC 4862 5.4).
		if ((message.type == ICMP6_NA || !has_source) && !ip6_is_own(port, message.target))
			return MAPS_DROP_ND;
	}
	return options_are_own(skb, port, offset + size, end) ? MAPS_DROP_COUNT : MAPS_DROP_ND;
}

static __always_inline enum maps_drop judge_ip6(struct __sk_buff *skb, const struct maps_port *port)
{
	struct ipv6hdr ip;
	struct nd_place place;
	__u32 source[4];
	__u8 type = 0;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return MAPS_DROP_SOURCE_IP;
	__builtin_memcpy(source, &ip.saddr, sizeof(source));
	bool has_source = !ip6_is_zero(source);
	if (has_source && !ip6_is_own(port, source))
		return MAPS_DROP_SOURCE_IP;
	if (!find_icmp6(skb, ETH_HLEN, ip.nexthdr, &place))
		return MAPS_DROP_ND;
	if (!place.offset)
		return has_source ? MAPS_DROP_COUNT : MAPS_DROP_SOURCE_IP;
	if (bpf_skb_load_bytes(skb, place.offset, &type, 1) || (is_nd(type) && place.is_fragment))
		return MAPS_DROP_ND; // RFC 6980.
	if (!has_source && !is_sent_from_nobody(type))
		return type == ICMP6_NA ? MAPS_DROP_ND : MAPS_DROP_SOURCE_IP;
	if (!is_nd(type))
		return MAPS_DROP_COUNT;
	__u32 end = ETH_HLEN + sizeof(ip) + bpf_ntohs(ip.payload_len);
	return judge_nd(skb, port, place.offset, end, has_source);
}

// The kernel takes the first tag off, and in a VLAN of the container's own the same rules hold; what is tagged twice is not
// looked into, and refused. So is IEEE 802.2 with a type behind it.
static __noinline enum maps_drop judge_pinned(
	struct __sk_buff *skb,
	const struct maps_port *port,
	const struct ether *ether
)
{
	__be16 llc = 0;
	if (!port || !ether)
		return MAPS_DROP_SOURCE_IP;
	__u32 type = bpf_ntohs(ether->type);
	if (type == ETH_P_IP)
		return judge_ip4(skb, port);
	if (type == ETH_P_ARP || type == ETH_P_RARP)
		return judge_arp(skb, port);
	if (type == ETH_P_IPV6)
		return judge_ip6(skb, port);
	if (is_tag(type))
		return MAPS_DROP_SOURCE_IP;
	if (type < ETHER_TYPE_MIN && !bpf_skb_load_bytes(skb, ETH_HLEN, &llc, sizeof(llc)) &&
	    llc == LLC_SNAP)
		return MAPS_DROP_SOURCE_IP;
	return MAPS_DROP_COUNT;
}

// Most frames, judged without a call: TCP and UDP, in IPv4 or directly in IPv6, from the port's address.
static __always_inline bool is_plainly_own(
	struct __sk_buff *skb,
	const struct maps_port *port,
	const struct ether *ether
)
{
	const void *data = (const void *)(long)skb->data;
	const void *end = (const void *)(long)skb->data_end;
	if (ether->type == bpf_htons(ETH_P_IP)) {
		const struct iphdr *ip = data + ETH_HLEN;
		return (const void *)(ip + 1) <= end && ip4_is_own(port, ip->saddr);
	}
	if (ether->type == bpf_htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip = data + ETH_HLEN;
		return (const void *)(ip + 1) <= end && (port->flags & MAPS_PORT_IP6) &&
			(ip->nexthdr == IPPROTO_TCP || ip->nexthdr == IPPROTO_UDP) &&
			ip6_equal(ip->saddr.in6_u.u6_addr32, port->ip6);
	}
	return false;
}

// Whether an IP address is another port's than the one's that sends from `mac`. family: 4, of whose address ip has the
// first word, or 6.
static __noinline bool is_others(__u32 network, const struct maps_neighbor_key *ip, const __u8 *mac)
{
	if (!ip || !mac)
		return false;
	const struct maps_neighbor *owner = bpf_map_lookup_elem(&neighbors, ip);
	if (owner)
		return !mac_equal(owner->mac, mac);
	// What a port has by its MAC address (RFC 4291, appendix A) nobody needs to have told.
	const __u8 *bytes = (const __u8 *)ip->ip;
	if (ip->family != 6 || ip->ip[0] != bpf_htonl(0xfe800000) || bytes[11] != 0xff ||
	    bytes[12] != 0xfe)
		return false;
	struct maps_mac key = {.network = network};
	key.mac[0] = bytes[8] ^ 2;
	key.mac[1] = bytes[9];
	key.mac[2] = bytes[10];
	key.mac[3] = bytes[13];
	key.mac[4] = bytes[14];
	key.mac[5] = bytes[15];
	if (!bpf_map_lookup_elem(&fdb, &key) && !bpf_map_lookup_elem(&stations, &key))
		return false;
	return !mac_equal(key.mac, mac);
}

static __always_inline bool may_claim(__u32 type)
{
	return type == ETH_P_ARP || type == ETH_P_RARP || type == ETH_P_IPV6 || is_tag(type);
}

static __always_inline enum maps_drop claims_arp(
	struct __sk_buff *skb,
	__u32 network,
	__u32 at,
	const __u8 *mac
)
{
	struct maps_neighbor_key key = {.network = network, .family = 4};
	struct arp arp;
	if (bpf_skb_load_bytes(skb, at, &arp, sizeof(arp)) || arp.hardware_size != ETH_ALEN ||
	    arp.protocol_size != 4)
		return MAPS_DROP_COUNT; // Nobody takes it for ARP.
	key.ip[0] = arp_ip(arp.sender_ip);
	return is_others(network, &key, mac) ? MAPS_DROP_ARP : MAPS_DROP_COUNT;
}

static __always_inline enum maps_drop claims_nd(
	struct __sk_buff *skb,
	__u32 network,
	__u32 at,
	const __u8 *mac
)
{
	struct maps_neighbor_key key = {.network = network, .family = 6};
	struct neighbor_message message;
	struct nd_place place;
	struct ipv6hdr ip;
	__u8 type = 0;
	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
		return MAPS_DROP_COUNT;
	if (!find_icmp6(skb, at, ip.nexthdr, &place))
		return MAPS_DROP_ND;
	if (!place.offset)
		return MAPS_DROP_COUNT;
	if (bpf_skb_load_bytes(skb, place.offset, &type, 1))
		return MAPS_DROP_ND;
	if (!is_nd(type))
		return MAPS_DROP_COUNT;
	__builtin_memcpy(key.ip, &ip.saddr, sizeof(key.ip));
	if (place.is_fragment || is_others(network, &key, mac))
		return MAPS_DROP_ND;
	if (type != ICMP6_NA)
		return MAPS_DROP_COUNT;
	if (bpf_skb_load_bytes(skb, place.offset, &message, sizeof(message)))
		return MAPS_DROP_ND;
	__builtin_memcpy(key.ip, message.target, sizeof(key.ip));
	return is_others(network, &key, mac) ? MAPS_DROP_ND : MAPS_DROP_COUNT;
}

// Whether the frame claims an address of another port. Behind tags too: Linux takes any number of priority tags off.
static __noinline enum maps_drop judge_claims(
	struct __sk_buff *skb,
	const struct maps_port *port,
	const struct ether *ether
)
{
	if (!port || !ether)
		return MAPS_DROP_SOURCE;
	__u32 type = bpf_ntohs(ether->type), at = ETH_HLEN;
	for (int i = 0; i < TAGS_MAX && is_tag(type); i++) {
		__be16 inner = 0;
		if (bpf_skb_load_bytes(skb, at + 2, &inner, sizeof(inner)))
			return MAPS_DROP_SOURCE_IP;
		type = bpf_ntohs(inner);
		at += 4;
	}
	if (type == ETH_P_ARP || type == ETH_P_RARP)
		return claims_arp(skb, port->network, at, ether->source);
	if (type == ETH_P_IPV6)
		return claims_nd(skb, port->network, at, ether->source);
	return is_tag(type) ? MAPS_DROP_SOURCE_IP : MAPS_DROP_COUNT;
}

// Notes that an address is behind the port, in the port's next place. What was there before is forgotten.
static __always_inline void learn(
	struct __sk_buff *skb,
	struct maps_port *port,
	const struct maps_mac *key
)
{
	struct maps_learned entry = {.ifindex = skb->ifindex, .seen = bpf_ktime_get_ns()};
	struct maps_learned *old = bpf_map_lookup_elem(&learned, key);
	if (old && old->ifindex == entry.ifindex) {
		if (entry.seen - old->seen >= 1000000000)
			old->seen = entry.seen;
		return;
	}
	struct maps_share share = {.ifindex = entry.ifindex};
	share.place = __sync_fetch_and_add(&port->learned, 1) % MAPS_LEARNED_PER_PORT;
	const struct maps_mac *found = bpf_map_lookup_elem(&shares, &share);
	if (found) {
		struct maps_mac before = *found;
		old = bpf_map_lookup_elem(&learned, &before);
		if (old && old->ifindex == entry.ifindex)
			bpf_map_delete_elem(&learned, &before);
	}
	if (!bpf_map_update_elem(&shares, &share, key, BPF_ANY))
		bpf_map_update_elem(&learned, key, &entry, BPF_ANY);
}

// Whether the port may send from another address than its own: none that another port has. A learning port's is noted.
static __noinline bool may_use(struct __sk_buff *skb, struct maps_port *port, const __u8 *source)
{
	if (!port || !source || (source[0] & 1))
		return false;
	struct maps_mac key = mac_key(port->network, source);
	const __u16 *half = (const __u16 *)key.mac;
	if (!(half[0] | half[1] | half[2]) || bpf_map_lookup_elem(&fdb, &key) ||
	    bpf_map_lookup_elem(&stations, &key))
		return false;
	if (port->flags & MAPS_PORT_LEARNING)
		learn(skb, port, &key);
	return true;
}
