// SPDX-License-Identifier: BSD-3-Clause
// The tc programs of kernel ports and trunks. port_ingress: at the host end of a veth pair, for what a container sends.
// trunk_ingress: at a network's TAP, for what the switch sends. Both end every frame: nothing goes up the stack of the
// namespace they live in. Any CPU, in soft interrupts; docs/kernel-ports.md says how a frame goes.
#include "limit.bpf.h"
#include "neighbor.bpf.h"
#include "source.bpf.h"
#include "state.bpf.h"

// A frame on its way to everybody. `skb` is a pointer that the verifier follows through the loop.
struct flood {
	struct __sk_buff *skb;
	__u32 network;
	__u32 source;  // Interface that it came from.
	__u32 reached; // 1: there was another port.
};

static long flood_one(__u32 place, struct flood *flood)
{
	struct maps_members_key key = {.network = flood->network, .list = place / MAPS_MEMBERS};
	const struct maps_members *list = bpf_map_lookup_elem(&members, &key);
	if (!list)
		return 0;
	__u32 ifindex = list->ifindex[place % MAPS_MEMBERS];
	if (ifindex == 0 || ifindex == flood->source)
		return 0;
	// A list is freed while it is read only when its network is: so its ports are asked where they belong.
	const struct maps_port *to = port_of(ifindex);
	if (!to || to->network != flood->network)
		return 0;
	__u32 size = flood->skb->len;
	flood->reached = 1;
	if ((to->flags & MAPS_PORT_TX_LIMIT) && !limit_send(ifindex, size))
		count_drop(ifindex, MAPS_DROP_RATE);
	else if (bpf_clone_redirect(flood->skb, ifindex, 0))
		count_drop(ifindex, MAPS_DROP_DOWN);
	else
		count_sent(ifindex, size);
	return 0;
}

// Copies the frame to every kernel port of the network but `source`, and returns whether there was one.
static __always_inline __u32
flood_ports(struct __sk_buff *skb, const struct maps_network *network, __u32 source)
{
	struct flood flood = {.skb = skb, .network = network->id, .source = source};
	bpf_loop(network->members, flood_one, &flood, 0);
	return flood.reached;
}

// The kernel port behind which an address is: its own one first, then one that learned it. 0: none.
static __always_inline __u32 find_port(__u32 network, const __u8 *mac)
{
	struct maps_mac key = mac_key(network, mac);
	const __u32 *own = bpf_map_lookup_elem(&fdb, &key);
	if (own)
		return *own;
	const struct maps_learned *other = bpf_map_lookup_elem(&learned, &key);
	if (other && bpf_ktime_get_ns() - other->seen < MAPS_LEARNED_NS)
		return other->ifindex;
	return 0;
}

// Hands the frame to the container's end, past the veth pair. Returns a tc verdict.
static __always_inline int send_to_port(
	struct __sk_buff *skb,
	__u32 ifindex,
	__u32 network,
	const struct ether *ether
)
{
	const struct maps_port *to = port_of(ifindex);
	if (!to || to->network != network)
		return TC_ACT_SHOT;
	if ((to->flags & MAPS_PORT_TX_LIMIT) && !limit_send(ifindex, skb->len))
		return drop(ifindex, MAPS_DROP_RATE);
	// Judged by the host end's address, it is somebody else's.
	if (mac_equal(ether->destination, to->mac))
		bpf_skb_change_type(skb, PACKET_HOST);
	// The kernel looks whether the end is up after this, and tells nobody. What is known here may be old, so it counts
	// and does not decide.
	if (to->flags & MAPS_PORT_DOWN)
		count_drop(ifindex, MAPS_DROP_DOWN);
	else
		count_sent(ifindex, skb->len);
	return (int)bpf_redirect_peer(ifindex, 0);
}

// The IP size of the segments that a frame stands for: what one of them carries, and the headers of each.
static __noinline __u32 segment_size(struct __sk_buff *skb, __u32 type)
{
	struct iphdr ip = {0};
	struct ipv6hdr ip6 = {0};
	__u32 header = sizeof(ip6);
	__u8 protocol, offset = 0;
	if (type == ETH_P_IP) {
		(void)bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)); // Short: all 0.
		header = ip.ihl * 4;
		protocol = ip.protocol;
	} else {
		(void)bpf_skb_load_bytes(skb, ETH_HLEN, &ip6, sizeof(ip6));
		protocol = ip6.nexthdr;
	}
	if (protocol == IPPROTO_UDP)
		return header + sizeof(struct udphdr) + skb->gso_size;
	(void)bpf_skb_load_bytes(skb, ETH_HLEN + header + 12, &offset, 1);
	return header + (offset >> 4) * 4 + skb->gso_size;
}

static __always_inline bool is_too_long(struct __sk_buff *skb, __u32 mtu, __u32 type)
{
	if (skb->len <= mtu + ETH_HLEN)
		return false;
	return !skb->gso_size || segment_size(skb, type) > mtu;
}

// Why the frame may not come from the port; MAPS_DROP_COUNT: it may.
static __always_inline enum maps_drop judge_source(
	struct __sk_buff *skb,
	struct maps_port *port,
	const struct ether *ether
)
{
	if (!mac_equal(ether->source, port->mac) &&
	    (!(port->flags & (MAPS_PORT_LEARNING | MAPS_PORT_SPOOF)) ||
	     !may_use(skb, port, ether->source)))
		return MAPS_DROP_SOURCE;
	if (port->flags & MAPS_PORT_SPOOF)
		return MAPS_DROP_COUNT;
	if (port->flags & MAPS_PORT_PIN)
		return is_plainly_own(skb, port, ether) ? MAPS_DROP_COUNT
							: judge_pinned(skb, port, ether);
	return may_claim(bpf_ntohs(ether->type)) ? judge_claims(skb, port, ether) : MAPS_DROP_COUNT;
}

static __always_inline bool answer_neighbor(
	struct __sk_buff *skb,
	__u32 network,
	const struct ether *ether
)
{
	if (skb->vlan_present)
		return false;
	if (ether->type == bpf_htons(ETH_P_ARP))
		return answer_arp(skb, network, ether);
	if (ether->type == bpf_htons(ETH_P_IPV6))
		return answer_solicitation(skb, network, ether);
	return false;
}

// Whether an address is of a port that is no kernel port: the switch knows which.
static __always_inline bool is_station(__u32 network, const __u8 *mac)
{
	struct maps_mac key = mac_key(network, mac);
	return bpf_map_lookup_elem(&stations, &key) != NULL;
}

static __always_inline int send_to_all(
	struct __sk_buff *skb,
	const struct maps_port *port,
	const struct maps_network *network,
	const struct ether *ether
)
{
	__u32 ifindex = skb->ifindex;
	if ((port->flags & MAPS_PORT_FLOOD_LIMIT) && !limit_flood(ifindex))
		return drop(ifindex, MAPS_DROP_FLOOD);
	if ((network->flags & MAPS_NETWORK_PROXY) && answer_neighbor(skb, network->id, ether)) {
		count_answer(ifindex, skb->len);
		return (int)bpf_redirect(ifindex, 0);
	}
	__u32 reached = flood_ports(skb, network, ifindex);
	if (network->tap)
		return (int)bpf_redirect(network->tap, 0);
	return reached ? TC_ACT_SHOT : drop(ifindex, MAPS_DROP_NO_PORT);
}

// To the switch: addresses of its ports, and those that nobody knows.
static __always_inline int send_to_trunk(
	struct __sk_buff *skb,
	const struct maps_port *port,
	const struct maps_network *network,
	const struct ether *ether
)
{
	if ((port->flags & MAPS_PORT_FLOOD_LIMIT) && !is_station(network->id, ether->destination) &&
	    !limit_flood(skb->ifindex))
		return drop(skb->ifindex, MAPS_DROP_FLOOD);
	if (!network->tap)
		return drop(skb->ifindex, MAPS_DROP_NO_PORT);
	return (int)bpf_redirect(network->tap, 0);
}

static __always_inline bool read_ether(struct __sk_buff *skb, struct ether *ret)
{
	const void *data = (const void *)(long)skb->data;
	const void *end = (const void *)(long)skb->data_end;
	if (data + sizeof(*ret) > end)
		return false;
	__builtin_memcpy(ret, data, sizeof(*ret));
	return true;
}

SEC("tc")
int port_ingress(struct __sk_buff *skb)
{
	struct ether ether;
	__u32 ifindex = skb->ifindex;
	struct maps_port *port = port_of(ifindex);
	if (!port)
		return TC_ACT_SHOT;
	__u32 slot = port->network_slot;
	const struct maps_network *network = bpf_map_lookup_elem(&networks, &slot);
	if (!network || network->id != port->network)
		return TC_ACT_SHOT;
	count_received(ifindex, skb->len);
	if (!read_ether(skb, &ether))
		return drop(ifindex, MAPS_DROP_SHORT);
	if ((port->flags & MAPS_PORT_RX_LIMIT) && !limit_receive(ifindex, skb->len))
		return drop(ifindex, MAPS_DROP_RATE);
	enum maps_drop reason = judge_source(skb, port, &ether);
	if (reason != MAPS_DROP_COUNT)
		return drop(ifindex, reason);
	if (is_too_long(skb, network->mtu, bpf_ntohs(ether.type)))
		return drop(ifindex, MAPS_DROP_MTU);
	if (ether.destination[0] & 1)
		return send_to_all(skb, port, network, &ether);
	__u32 to = find_port(network->id, ether.destination);
	if (!to)
		return send_to_trunk(skb, port, network, &ether);
	if (to == ifindex)
		return drop(ifindex, MAPS_DROP_LOCAL);
	return send_to_port(skb, to, network->id, &ether);
}

SEC("tc")
int trunk_ingress(struct __sk_buff *skb)
{
	struct ether ether;
	__u32 slot = skb->ifindex - MAPS_TAP_IFINDEX;
	const struct maps_network *network = bpf_map_lookup_elem(&networks, &slot);
	if (!network || network->id == 0 || !read_ether(skb, &ether))
		return TC_ACT_SHOT;
	if (ether.destination[0] & 1) {
		(void)flood_ports(skb, network, skb->ifindex);
		return TC_ACT_SHOT;
	}
	__u32 to = find_port(network->id, ether.destination);
	return to ? send_to_port(skb, to, network->id, &ether) : TC_ACT_SHOT;
}

// No helper that the kernel keeps for programs under the GPL is used.
const char program_license[] SEC("license") = "BSD";
