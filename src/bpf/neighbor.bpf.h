// SPDX-License-Identifier: BSD-3-Clause
// Neighbour requests that the program answers itself, in the place of a station that it knows: ARP (RFC 826) and neighbour
// solicitations (RFC 4861). Only those to everybody are answered; one that is addressed to the station finds out whether
// that is still alive. Nobody is told about the address that is its own: that would look like a duplicate.
#pragma once

#include "source.bpf.h"

#define ND_SOLICITED 0x40000000u
#define ND_OVERRIDE 0x20000000u

struct arp_frame {
	struct ether ether;
	struct arp arp;
};

struct advertisement {
	__u8 type, code;
	__u16 checksum;
	__be32 flags;
	__u32 target[4];
	__u8 option, option_size;
	__u8 mac[ETH_ALEN];
};

// On the stack: the checksum is over everything from the source address on, its pseudo header (RFC 8200 8.1) included.
struct advertisement_sum {
	__u32 source[4];
	__u32 destination[4];
	__be32 size;
	__be32 next;
	struct advertisement message;
};

_Static_assert(sizeof(struct advertisement) == 32, "as on the wire");
_Static_assert(sizeof(struct advertisement_sum) % 4 == 0, "bpf_csum_diff() takes words");

static __always_inline const struct maps_neighbor *find_neighbor(
	const struct maps_neighbor_key *key,
	const struct ether *ether
)
{
	const struct maps_neighbor *neighbor = bpf_map_lookup_elem(&neighbors, key);
	return neighbor && !mac_equal(neighbor->mac, ether->source) ? neighbor : NULL;
}

static __noinline bool answer_arp(struct __sk_buff *skb, __u32 network, const struct ether *ether)
{
	struct arp_frame frame;
	if (!ether || bpf_skb_load_bytes(skb, 0, &frame, sizeof(frame)))
		return false;
	struct arp *arp = &frame.arp;
	if (arp->hardware != bpf_htons(ARP_ETHERNET) || arp->protocol != bpf_htons(ETH_P_IP) ||
	    arp->hardware_size != ETH_ALEN || arp->protocol_size != 4 ||
	    arp->operation != bpf_htons(ARP_REQUEST) ||
	    arp_ip(arp->sender_ip) == arp_ip(arp->target_ip) ||
	    !mac_equal(arp->sender_mac, ether->source))
		return false;
	struct maps_neighbor_key key = {.network = network, .family = 4};
	key.ip[0] = arp_ip(arp->target_ip);
	const struct maps_neighbor *neighbor = find_neighbor(&key, ether);
	if (!neighbor)
		return false;
	__u32 target = key.ip[0];
	__builtin_memcpy(arp->target_ip, arp->sender_ip, sizeof(arp->target_ip));
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_ip, &target, sizeof(target));
	__builtin_memcpy(arp->sender_mac, neighbor->mac, ETH_ALEN);
	arp->operation = bpf_htons(ARP_REPLY);
	__builtin_memcpy(frame.ether.destination, ether->source, ETH_ALEN);
	__builtin_memcpy(frame.ether.source, neighbor->mac, ETH_ALEN);
	return !bpf_skb_store_bytes(skb, 0, &frame, sizeof(frame), 0);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static __always_inline bool write_advertisement(
	struct __sk_buff *skb,
	struct advertisement_sum *sum,
	const struct ether *ether
)
{
	struct ether reply = {.type = bpf_htons(ETH_P_IPV6)};
	struct ipv6hdr ip = {
		.version = 6,
		.payload_len = bpf_htons(sizeof(sum->message)),
		.nexthdr = IPPROTO_ICMPV6,
		.hop_limit = 255,
	};
	__builtin_memcpy(&ip.saddr, sum->source, sizeof(ip.saddr));
	__builtin_memcpy(&ip.daddr, sum->destination, sizeof(ip.daddr));
	__builtin_memcpy(reply.source, sum->message.mac, ETH_ALEN);
	__builtin_memcpy(reply.destination, ether->source, ETH_ALEN);
	__u32 size = ETH_HLEN + sizeof(ip) + sizeof(sum->message);
	return !bpf_skb_change_tail(skb, size, 0) &&
		!bpf_skb_store_bytes(skb, 0, &reply, sizeof(reply), 0) &&
		!bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), 0) &&
		!bpf_skb_store_bytes(
			skb, ETH_HLEN + sizeof(ip), &sum->message, sizeof(sum->message), 0
		);
}

// RFC 4291 2.7.1: the solicited-node address of a target.
static __always_inline bool is_solicited_node(const __u32 *address, const __u32 *target)
{
	return address[0] == bpf_htonl(0xff020000) && address[1] == 0 &&
		address[2] == bpf_htonl(1) && address[3] == (target[3] | bpf_htonl(0xff000000));
}

// The link-layer destination is the asker also when the answer is for all nodes, which happens when somebody is about to
// take an address that is in use (RFC 4862 5.4.4): nobody else has to hear of it.
static __noinline bool answer_solicitation(
	struct __sk_buff *skb,
	__u32 network,
	const struct ether *ether
)
{
	struct ipv6hdr ip;
	struct neighbor_message ask;
	struct advertisement_sum sum = {0};
	if (!ether || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) ||
	    ip.nexthdr != IPPROTO_ICMPV6 || ip.hop_limit != 255 ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), &ask, sizeof(ask)) ||
	    ask.type != ICMP6_NS || ask.code != 0)
		return false;
	struct maps_neighbor_key key = {.network = network, .family = 6};
	__builtin_memcpy(key.ip, ask.target, sizeof(key.ip));
	__builtin_memcpy(sum.destination, &ip.daddr, sizeof(sum.destination));
	if (!is_solicited_node(sum.destination, key.ip))
		return false;
	const struct maps_neighbor *neighbor = find_neighbor(&key, ether);
	if (!neighbor)
		return false;
	__u32 flags = ND_OVERRIDE | ND_SOLICITED;
	__builtin_memcpy(sum.destination, &ip.saddr, sizeof(sum.destination));
	if (ip6_is_zero(sum.destination)) {
		flags = ND_OVERRIDE;
		sum.destination[0] = bpf_htonl(0xff020000);
		sum.destination[3] = bpf_htonl(1);
	}
	__builtin_memcpy(sum.source, ask.target, sizeof(sum.source));
	sum.size = bpf_htonl(sizeof(sum.message));
	sum.next = bpf_htonl(IPPROTO_ICMPV6);
	sum.message.type = ICMP6_NA;
	sum.message.flags = bpf_htonl(flags);
	__builtin_memcpy(sum.message.target, ask.target, sizeof(sum.message.target));
	sum.message.option = ND_TARGET_LINK_ADDRESS;
	sum.message.option_size = 1;
	__builtin_memcpy(sum.message.mac, neighbor->mac, ETH_ALEN);
	sum.message.checksum = fold((__u64)bpf_csum_diff(NULL, 0, (__be32 *)&sum, sizeof(sum), 0));
	return write_advertisement(skb, &sum, ether);
}
