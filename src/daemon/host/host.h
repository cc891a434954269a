// SPDX-License-Identifier: BSD-3-Clause
// The kernel's side of ordinary containers: a network namespace of ringwayd's own with the host ends of veth pairs
// ("kernel ports") and the networks' TAPs ("trunks"), the tc programs on them, and the maps that those obey. Mechanism
// only: what exists is the caller's policy. docs/kernel-ports.md says how a frame goes.
//
// One thread at a time, any thread: the caller holds a lock. A call may visit other network namespaces with the calling
// thread alone and is back in the one it came from when it returns. Functions return 0 or a negative errno, with err;
// what is made or removed already is no error. -EOPNOTSUPP: the kernel or this process's rights lack something, and err
// says what.
#pragma once

#include "base/err.h"
#include "base/mac.h"
#include "base/portlimits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_IFNAME_SIZE 16 // Of an interface, with its NUL.
#define HOST_ADDR_SIZE 46   // Of an address as text.
#define HOST_PREFIX_SIZE 50 // Of "address/prefix".
#define HOST_QUEUES_MAX 16  // Of a trunk.
#define HOST_PORTS_MAX 4096 // Of an instance.
#define HOST_NETWORKS_MAX 1024

// What a trunk's TAP took over (TUNSETOFFLOAD); the same values as WIRE_OFFLOAD_*.
#define HOST_OFFLOAD_CSUM 0x1u
#define HOST_OFFLOAD_TSO4 0x2u
#define HOST_OFFLOAD_TSO6 0x4u
#define HOST_OFFLOAD_ECN 0x8u
#define HOST_OFFLOAD_USO 0x10u

struct host;

struct host_config {
	const char *run_dir; // Absolute. Its netns/ and bpf/ are the host's.
};

// Makes or finds the namespace (RUN_DIR/netns/own), a bpf file system (RUN_DIR/bpf), the maps and the programs. What an
// earlier process made there goes on moving frames all the while.
int host_open(const struct host_config *config, struct host **ret, struct rwy_err *err);
// Lets go; everything stays and goes on. NULL is fine.
void host_close(struct host *host);
// Removes every interface, map and mount of the instance, and frees host in any case.
int host_destroy_all(struct host *host, struct rwy_err *err);

// An address of an interface in the host's own namespace.
struct host_address {
	char interface[HOST_IFNAME_SIZE];
	char text[HOST_PREFIX_SIZE]; // "address/prefix"
};

// All of them, of both families, in an array that the caller frees.
int host_list_addresses(
	struct host *host,
	struct host_address **ret,
	size_t *ret_count,
	struct rwy_err *err
);

struct host_network {
	uint32_t id; // 1 .. 2^31-1
	uint32_t mtu;
	bool proxy_neighbors; // The program answers for the stations that it knows.
};

// Adds a network or changes one that is there. -ENOSPC.
int host_network_add(struct host *host, const struct host_network *network, struct rwy_err *err);
// Takes the network's trunk and stations along. -EBUSY: there are ports on it.
int host_network_remove(struct host *host, uint32_t id, struct rwy_err *err);
// Sets it on the trunk, on host ends and on containers' ends, wherever those are. -ENOENT.
int host_network_set_mtu(struct host *host, uint32_t id, uint32_t mtu, struct rwy_err *err);

// Opens `queues` (1 .. HOST_QUEUES_MAX) queues of the network's TAP, which is made when it is missing and stays until it
// is removed: IFF_VNET_HDR with headers of 12 bytes in little-endian order, multi-queue, without IFF_NO_PI's header. The
// descriptors (O_CLOEXEC, O_NONBLOCK) are the caller's. Earlier descriptors of this TAP must be closed before, everywhere:
// the kernel spreads flows over all queues that are open. -ENOENT: no such network.
int host_trunk_open(
	struct host *host,
	uint32_t network,
	uint32_t queues,
	int *ret_fds,
	uint32_t *ret_offloads,
	struct rwy_err *err
);
// What the TAP takes over, of which fd is a queue. A negative errno: it is none.
int host_trunk_offloads(int fd, uint32_t *ret_offloads);
// Frames from kernel ports that the switch did not take from the TAP in time, since it was made. -ENOENT: there is no TAP.
int host_trunk_missed(
	struct host *host,
	uint32_t network,
	uint64_t *ret_frames,
	struct rwy_err *err
);
int host_trunk_remove(struct host *host, uint32_t network, struct rwy_err *err);

struct host_port {
	uint32_t id; // 1 .. 2^31-1
	uint32_t network;
	uint8_t mac[MAC_SIZE];
	uint32_t mtu;
	char peer[HOST_IFNAME_SIZE]; // The container's end while it is in the host's namespace.
	// IP, ARP and Neighbor Discovery must come from these addresses; empty: none of that family, but for the link-local
	// address that belongs to the MAC.
	bool pin_address;
	char pin_ip[HOST_ADDR_SIZE], pin_ip6[HOST_ADDR_SIZE];
	bool learning; // Other source MAC addresses are accepted and learned.
	bool allow_spoof; // Any source address is accepted that is no other port's; nothing is learned.
	struct port_limits limits;
};

// Makes the veth pair and sets the port up, or brings one that is there to what is asked: the container's end is down, in
// the host's namespace, and named `peer`. -ENOENT: no such network; -EEXIST: the name or the MAC address is taken; -ENOSPC.
int host_port_add(struct host *host, const struct host_port *port, struct rwy_err *err);
int host_port_remove(struct host *host, uint32_t id, struct rwy_err *err);
// Whether the pair is there, in whatever namespace the container's end is. A namespace that ends takes the pair along.
bool host_port_exists(struct host *host, uint32_t id);
// Whether the container's end is up.
bool host_port_is_up(struct host *host, uint32_t id);
// The host's descriptor, which is readable when ends went up or down, and then host_watch_read() notes which: what is for
// one that is down counts as dropped, HOST_DROP_DOWN.
int host_watch_fd(const struct host *host);
void host_watch_read(struct host *host);

struct host_inside {
	int netns_fd; // -1: the host's own. Not taken over.
	char name[HOST_IFNAME_SIZE];
	char address[2][HOST_PREFIX_SIZE]; // "address/prefix" of IPv4 and of IPv6; empty: none.
	char gateway[2][HOST_ADDR_SIZE];   // Of default routes; empty: none.
	bool up;
};

// Moves the container's end from the host's namespace there and sets it up; what is right already stays. -ENOENT: neither
// namespace has it; -EEXIST: the name is taken there.
int host_port_place(
	struct host *host,
	uint32_t id,
	const struct host_inside *inside,
	struct rwy_err *err
);

// A station of a network (a port of either kind) whose neighbour requests the program answers at kernel ports, where the
// network has proxy_neighbors. ip, ip6: plain addresses, NULL or empty: none. By mac; replaces. -ENOENT, -ENOSPC.
int host_station_add(
	struct host *host,
	uint32_t network,
	const uint8_t mac[MAC_SIZE],
	const char *ip,
	const char *ip6,
	struct rwy_err *err
);
int host_station_remove(
	struct host *host,
	uint32_t network,
	const uint8_t mac[MAC_SIZE],
	struct rwy_err *err
);
// Removes all stations of the network but these: what an earlier process left behind.
int host_station_keep(
	struct host *host,
	uint32_t network,
	const uint8_t (*macs)[MAC_SIZE],
	size_t count,
	struct rwy_err *err
);

// Why a frame was dropped: as the switch counts, those of the first group at the port it came from, the others at the port
// that it was for.
enum host_drop {
	HOST_DROP_SHORT,
	HOST_DROP_SOURCE,    // Its MAC address is not the port's.
	HOST_DROP_SOURCE_IP, // Its IP address is not the port's.
	HOST_DROP_ARP,	     // It claims an address that is not the port's by ARP.
	HOST_DROP_ND,	     // The same by IPv6 Neighbor Discovery, or says what only a router may.
	HOST_DROP_MTU,	     // Longer than the network's MTU.
	HOST_DROP_FLOOD,     // More frames to everybody than the port may send.
	HOST_DROP_LOCAL,     // Its destination lies behind the port it came from.
	HOST_DROP_NO_PORT,   // No port to go to.
	HOST_DROP_DOWN,	     // The destination's container's end is down.
	HOST_DROP_RATE,	     // More than the limit of the port that it came from, or is for.
	HOST_DROP_COUNT
};

// The switch's word for it ("short", "source_address", ..).
const char *host_drop_text(unsigned int reason);

// rx: from the container, as the switch counts. A segment of several frames' size counts as one frame.
struct host_counters {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t neighbor_answers; // Of the program to the port; in tx too.
	uint64_t drops[HOST_DROP_COUNT];
};

// They go on while the id stays, also over restarts. -ENOENT.
int host_port_counters(
	struct host *host,
	uint32_t id,
	struct host_counters *ret,
	struct rwy_err *err
);

// The ids that are really there, ascending, half-made ones too. The array is the caller's to free(); NULL for none.
int host_list_ports(struct host *host, uint32_t **ret_ids, size_t *ret_count, struct rwy_err *err);
int host_list_networks(
	struct host *host,
	uint32_t **ret_ids,
	size_t *ret_count,
	struct rwy_err *err
);
