// SPDX-License-Identifier: BSD-3-Clause
// What the files of src/daemon/host/ share. All of it is the caller's thread's, under its lock.
#pragma once

#include "bpf/maps.h"
#include "daemon/host/host.h"
#include "daemon/netlink/rtnetlink.h"

#include <limits.h>
#include <linux/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

enum host_map {
	HOST_MAP_PORTS,
	HOST_MAP_NETWORKS,
	HOST_MAP_FDB,
	HOST_MAP_MEMBERS,
	HOST_MAP_STATIONS,
	HOST_MAP_NEIGHBORS,
	HOST_MAP_LEARNED,
	HOST_MAP_SHARES,
	HOST_MAP_COUNTERS,
	HOST_MAP_LIMITS,
	HOST_MAP_COUNT
};

struct bpf_object;

struct host {
	char netns_dir[PATH_MAX];
	char netns_path[PATH_MAX];
	char bpf_dir[PATH_MAX];
	char pin_dir[PATH_MAX];
	bool made_netns;	    // By this call of host_open().
	int home_netns, own_netns;  // Descriptors of the namespaces.
	struct nl_sock *home, *own; // Netlink sockets in them.
	struct nl_sock *watch;	    // Another in the own one: what changes there.
	struct bpf_object *object;
	int port_program, trunk_program;   // Descriptors, the object's.
	int map[HOST_MAP_COUNT];	   // Descriptors, the object's.
	uint32_t next_slot;		   // Where the search for a free port slot begins.
	uint32_t port_ids[HOST_PORTS_MAX]; // By slot; 0: free.
	uint32_t network_ids[HOST_NETWORKS_MAX];
};

// netns.c: namespaces and mounts.

// Makes or finds the own namespace and opens both. -EOPNOTSUPP without the right to.
int netns_open(struct host *host, struct rwy_err *err);
// Unmounts it and removes its directory.
void netns_remove(const struct host *host);

// program.c: programs, maps and where they are pinned.

int program_open(struct host *host, struct rwy_err *err);
void program_close(struct host *host);
// Attaches to tc ingress of an interface of the own namespace, in place of what is there.
int program_attach(struct host *host, int program, uint32_t ifindex, struct rwy_err *err);
void program_remove_pins(const struct host *host);
// As the system call, with err. -ENOENT of a lookup or a delete sets none.
int map_get(struct host *host, enum host_map map, const void *key, void *ret, struct rwy_err *err);
int map_set(
	struct host *host,
	enum host_map map,
	const void *key,
	const void *value,
	struct rwy_err *err
);
// -ENOENT is 0.
int map_delete(struct host *host, enum host_map map, const void *key, struct rwy_err *err);
// Calls visit for each key of a hash map; the visit may delete it. Stops at the first that is not 0 and returns that.
typedef int map_visit(struct host *host, const void *key, void *arg, struct rwy_err *err);
int map_each_mac(
	struct host *host,
	enum host_map map,
	map_visit *visit,
	void *arg,
	struct rwy_err *err
);

// links.c: interfaces of the instance.

int links_open(struct host *host, struct rwy_err *err);
void links_close(struct host *host);
// A veth pair: `name` with this index in the own namespace, `peer` in the host's.
struct links_veth {
	const char *name;
	const char *peer;
	uint32_t ifindex;
	uint32_t mtu;
	const uint8_t *mac; // The peer's.
};
int links_add_veth(struct host *host, const struct links_veth *veth, struct rwy_err *err);
// No queue before an interface's own.
void links_set_noqueue(struct host *host, uint32_t ifindex);
// Each interface of the own namespace. Stops at the first visit that is not 0.
typedef int links_visit(struct host *host, struct rtnl_link *link, void *arg, struct rwy_err *err);
int links_each(struct host *host, links_visit *visit, void *arg, struct rwy_err *err);
// "kp" or "nt" and a number. 0 when the name is of another kind.
uint32_t links_name_id(const char *name, const char *prefix);

// watch.c

// Opens host->watch and notes what is up now.
int watch_open(struct host *host, struct rwy_err *err);

// networks.c

// The network's slot; -ENOENT with err.
int network_slot(struct host *host, uint32_t id, struct rwy_err *err);
int network_get(struct host *host, uint32_t slot, struct maps_network *ret, struct rwy_err *err);
int network_set(
	struct host *host,
	uint32_t slot,
	const struct maps_network *network,
	struct rwy_err *err
);
// Gives the port a place in the network's member lists, the lowest that is free.
int network_join(
	struct host *host,
	uint32_t slot,
	uint32_t ifindex,
	uint32_t *ret_place,
	struct rwy_err *err
);
int network_part(
	struct host *host,
	uint32_t slot,
	uint32_t place,
	uint32_t ifindex,
	struct rwy_err *err
);

// ports.c

void port_name(char ret_name[IFNAMSIZ], uint32_t id);
// -ENOENT without err.
int port_slot(const struct host *host, uint32_t id);
// Sets the MTU at both ends, at the container's where that is in the host's namespace.
int port_set_mtu(struct host *host, uint32_t slot, uint32_t mtu, struct rwy_err *err);

// The container's end of a host end, if it is in that namespace: NULL otherwise, which is no error.
int port_find_peer(
	struct nl_sock *socket,
	struct rtnl_link *link,
	struct rtnl_link **ret,
	struct rwy_err *err
);

// counters.c

int counters_clear(struct host *host, uint32_t slot, struct rwy_err *err);

// tap.c
#define TRUNK_MTU_MAX 65521 // The kernel's, of a TAP: an Ethernet header is counted.

static inline uint32_t trunk_mtu(uint32_t network_mtu)
{
	return network_mtu < TRUNK_MTU_MAX ? network_mtu : TRUNK_MTU_MAX;
}

void trunk_name(char ret_name[IFNAMSIZ], uint32_t network);

// stations.c

int stations_remove_all(struct host *host, uint32_t network, struct rwy_err *err);

// buckets.c: pure.

// A full bucket for so many tokens a second at a time in ns. burst 0: a tenth of a second's worth, at least `least`.
void bucket_set(
	struct maps_bucket *bucket,
	uint64_t rate,
	uint64_t burst,
	uint64_t least,
	uint64_t now
);
// All buckets, and which MAPS_PORT_*_LIMIT flags go with them.
uint32_t buckets_set(
	struct maps_bucket bucket[MAPS_BUCKET_COUNT],
	const struct port_limits *limits,
	uint64_t now
);
// Whether both let the same pass, whatever their level.
bool buckets_equal(const struct maps_bucket *a, const struct maps_bucket *b);

// addresses.c: pure.

// Plain addresses as text into a map's words. Empty or NULL: -ENODATA. -EINVAL.
int address_parse4(const char *text, uint32_t *ret);
int address_parse6(const char *text, uint32_t ret[4]);
// RFC 4291 appendix A: fe80::/64 and the modified EUI-64 of the MAC.
void address_link_local(const uint8_t mac[MAC_SIZE], uint32_t ret[4]);
