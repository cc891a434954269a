// SPDX-License-Identifier: BSD-3-Clause
// What ringwayd can do, whichever door it is asked at (HTTP API, Docker driver, reconciliation). One
// struct daemon, one lock: every function here is called WITH the lock held (service_lock()), from any
// thread, writes intent to the store first, then acts on the switch and the file system, and undoes both
// when a step fails. Nothing here talks to a container engine: engines call back into the driver,
// so whoever asks one must have let go of the lock.
#pragma once

#include "base/err.h"
#include "base/mac.h"
#include "base/portlimits.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define NAME_SIZE 64 // With its NUL.
#define DOCKER_ID_SIZE 65
#define KEY_SIZE 17	  // 16 hexadecimal digits.
#define ADDR_TEXT_SIZE 50 // "address/prefix" of either family.
#define SANDBOX_SIZE 128
#define PATH_TEXT_SIZE 256
#define QUEUES_MAX 16
#define AUX_TEXT_SIZE 256
#define IFNAME_SIZE 16	  // The kernel's IFNAMSIZ.
#define PUBLISH_MAX 256	  // Published ports of one port.
#define FUNCTION_SIZE 13  // A PCI function's address, "0000:03:10.2".
#define FUNCTIONS_MAX 256 // Of one network.

struct daemon;

void service_lock(struct daemon *daemon);
void service_unlock(struct daemon *daemon);

// Functions of a NIC that ports of a network get. A network of the driver "switch" may have some too: where its uplink is the
// same NIC, all its ports are of one segment.
struct network_functions {
	char parent
		[PATH_TEXT_SIZE]; // As it was asked for: an interface or a PCI address. Empty: it has none.
	char pf[FUNCTION_SIZE]; // What that was when the network was made.
	uint16_t vfs;		// How many; at least 1.
	bool noiommu;		// Allowed, where the host runs VFIO's no-IOMMU mode.
	// What the parent's driver holds them to. Negative: left as they are.
	int8_t trust, spoof_check;  // 0, 1
	int8_t link_state;	    // enum function_link_state
	int32_t rate_min, rate_max; // Mbit/s; 0: none.
};

// As asked for, when nothing is.
#define NETWORK_FUNCTIONS_NONE                                                                   \
	{                                                                                        \
		.trust = -1, .spoof_check = -1, .link_state = -1, .rate_min = -1, .rate_max = -1 \
	}

struct network_spec {
	char name[NAME_SIZE]; // Empty only from Docker: a provisional name is made of the id.
	char subnet[ADDR_TEXT_SIZE];
	char gateway[ADDR_TEXT_SIZE]; // Without prefix.
	char subnet6[ADDR_TEXT_SIZE]; // The same of IPv6. A network has either, both or none.
	char gateway6[ADDR_TEXT_SIZE];
	char ip_range[ADDR_TEXT_SIZE]; // Where an engine's address management picks from.
	char aux[AUX_TEXT_SIZE];       // "name=10.0.0.5,other=10.0.0.6": addresses nobody gets.
	uint32_t mtu;		       // 0: the default, 1500.
	bool internal;		       // No way out: no default route, no NAT.
	bool proxy_neighbors; // Neighbour requests are answered for the ports that are known.
	bool no_gateway;      // The host takes no part: no gateway port.
	uint16_t vlan;	      // Of the uplink; 0: untagged.
	char uplink[PATH_TEXT_SIZE]; // A device: the network gets a port NETWORK.uplink on it.
	bool docker;		     // A Docker network is wanted.
	char docker_id[DOCKER_ID_SIZE];
	char driver
		[16]; // "switch", which it is when empty; "sriov": the functions of a NIC and nothing else.
	struct network_functions functions;
};

struct network_info {
	uint32_t id;
	struct network_spec spec;
	uint32_t ports;	    // Without the network's own.
	int64_t created;    // Seconds since the epoch.
	int64_t created_ms; // CLOCK_MONOTONIC, 0 when loaded from the store.
};

struct port_spec {
	char name[NAME_SIZE];
	char network[NAME_SIZE];
	char attach[16];	 // "vhost", "kernel", "ether", "vf" or "vf-kernel"
	uint8_t mac[MAC_SIZE];	 // Zero: one is made.
	char ip[ADDR_TEXT_SIZE]; // "10.0.0.2/24" or empty.
	uint16_t queues;	 // 0: 1.
	bool learning;		 // Other source MAC addresses are accepted and learned.
	bool allow_spoof; // Any source address is accepted that is no other port's; nothing is learned.
	bool no_offloads; // Checksum and segmentation requests are not offered to the front end.
	struct port_limits limits;
	char connect[PATH_TEXT_SIZE]; // Not empty: ringwayd connects there instead of listening.
	char ip6[ADDR_TEXT_SIZE];     // "fd00::2/64" or empty.
	bool pin_address; // IP, ARP and Neighbor Discovery from other addresses than ip and ip6 are dropped.
	bool of_network; // Made and removed with its network: gateway, uplink.
	// kernel: the namespace that the interface is moved to and set up in ("/proc/7/ns/net"; empty: whoever
	// asked for the port moves it), and its name there (empty: eth0).
	char netns[PATH_TEXT_SIZE];
	char ifname[IFNAME_SIZE];
	// ether: "eth1", "xdp:eth1", DPDK's device arguments or a PCI address; and the VLAN there.
	char device[PATH_TEXT_SIZE];
	uint16_t vlan;
	// Set by the Docker driver only:
	char endpoint_id[DOCKER_ID_SIZE];
	char key[KEY_SIZE]; // The container's place, or empty.
	uint16_t index;	    // Which of its ports.
	// vf, vf-kernel: the function that is wanted, or empty for any; the one it has, of a port that is made.
	char function[FUNCTION_SIZE];
	uint16_t
		vfs; // That many ports are made: the others are called NAME.1 and so on, have no address and go with it. 0: 1.
	uint32_t owner_uid; // vf: whose the device node is to be.
	uint64_t
		cpus; // vf: CPUs 0 to 63 that the user runs on, which choose among NUMA nodes; 0: any.
};

struct port_info {
	uint32_t id;
	struct port_spec spec;
	char gateway[ADDR_TEXT_SIZE];
	char gateway6[ADDR_TEXT_SIZE];
	uint32_t mtu;
	bool internal;		       // The network is: no default route.
	char ifname_host[IFNAME_SIZE]; // kernel: the container's end in the host's namespace.
	uint64_t
		netns_inode; // kernel: tells spec.netns from another one of this path; 0: not known.
	char socket[PATH_TEXT_SIZE];
	uint32_t state; // enum wire_port_state
	char reason[160];
	char sandbox[SANDBOX_SIZE]; // Docker: SandboxKey after Join.
	bool sandbox_seen;	    // Its namespace has been seen to exist.
	int64_t created;	    // Seconds since the epoch.
	int64_t created_ms;	    // CLOCK_MONOTONIC, 0 when loaded from the store.
	// vf, vf-kernel: the port of `vfs` that this one was made with, and goes with; the node that gives its function to a
	// process; the function's RDMA device. Empty: none.
	char with[NAME_SIZE];
	char vfio[64];
	char rdma[64];
};

struct container_info {
	char key[KEY_SIZE];
	char dir[PATH_TEXT_SIZE];
	int64_t created;
	int64_t created_ms; // CLOCK_MONOTONIC, 0 when loaded from the store.
};

// A port of the host that leads to one of a container.
struct port_publish {
	uint8_t proto;	  // IPPROTO_TCP, _UDP or _SCTP.
	char host_ip[46]; // Empty or "0.0.0.0": every IPv4 address; "::": every IPv6 one.
	uint16_t host_port, host_port_end; // 0: any free one; a range: the first free one of it.
	uint16_t container_port;
	uint16_t bound; // Result: the one it has.
};

// While a switch is being started anew, the adds wait for it for up to three seconds, and let go of the lock
// meanwhile: what was looked up before may be gone after. -EAGAIN: none came.

// Errors of the adds, of set_addresses and of publish are whole: "cannot create network 'n': why". Callers add nothing.

// Networks. Errors as negative errno with err: -EINVAL, -EEXIST, -ENOENT, -EBUSY (has ports), -ENOSPC.
int service_network_add(
	struct daemon *d,
	const struct network_spec *spec,
	struct network_info *ret,
	struct rwy_err *err
);
int service_network_get(
	struct daemon *d,
	const char *name,
	struct network_info *ret,
	struct rwy_err *err
);
int service_network_by_docker_id(
	struct daemon *d,
	const char *docker_id,
	struct network_info *ret,
	struct rwy_err *err
);
// Changes name (when not empty), docker_id and docker of an existing network.
int service_network_bind(
	struct daemon *d,
	uint32_t id,
	const char *name,
	bool docker,
	const char *docker_id,
	struct rwy_err *err
);
// Fills in what an engine's address management picked: subnets, gateways, ip_range and aux of `given`. What is unset
// here is set, what is set must agree (-EINVAL); the network's gateway port follows. -EEXIST: a subnet overlaps
// another network's.
int service_network_set_addresses(
	struct daemon *d,
	uint32_t id,
	const struct network_spec *given,
	struct rwy_err *err
);
int service_network_remove(struct daemon *d, const char *name, struct rwy_err *err);

// Ports. add: listens (or connects), tells the switch; makes the interface of a kernel port. -ENOSYS: this
// instance cannot have kernel ports. For endpoints it is idempotent on endpoint_id, and an
// older endpoint that holds the same address or the same place and index is removed first (Docker forgot it).
// remove: closes everything, removes the socket; -ENOENT when there is none. -EPERM: it is its network's own.
int service_port_add(
	struct daemon *d,
	const struct port_spec *spec,
	struct port_info *ret,
	struct rwy_err *err
);
int service_port_get(
	struct daemon *d,
	const char *name,
	struct port_info *ret,
	struct rwy_err *err
);
int service_port_by_endpoint(
	struct daemon *d,
	const char *endpoint_id,
	struct port_info *ret,
	struct rwy_err *err
);
int service_port_set_sandbox(
	struct daemon *d,
	uint32_t id,
	const char *sandbox,
	bool seen,
	struct rwy_err *err
);
// Changes the limits that are given, and no other; the front end stays connected. -EINVAL, -ENOENT, -EAGAIN.
int service_port_set_limits(
	struct daemon *d,
	const char *name,
	const struct port_limits_given *given,
	struct port_info *ret,
	struct rwy_err *err
);
int service_port_remove(struct daemon *d, const char *name, struct rwy_err *err);

// Replaces the published ports of a kernel port: reserves them on the host, writes them down, sets the firewall;
// all of them or none. count 0: it has none any more. `bound` of the list is ignored. -EADDRINUSE, -EINVAL (not a
// kernel port, no address of the family), -ENOENT, -ENOSYS.
int service_port_publish(
	struct daemon *d,
	uint32_t id,
	const struct port_publish *list,
	size_t count,
	struct rwy_err *err
);
// How many there are; at most max of them are filled in.
size_t service_port_published(
	struct daemon *d,
	uint32_t id,
	struct port_publish *ret_list,
	size_t max
);

// Containers' places: a key, RUN_DIR/ports/KEY (0755, below a 0700 parent), a row.
int service_container_add(
	struct daemon *d,
	const char *key,
	struct container_info *ret,
	struct rwy_err *err
);
int service_container_get(
	struct daemon *d,
	const char *key,
	struct container_info *ret,
	struct rwy_err *err
);
// -EBUSY while it has ports.
int service_container_remove(struct daemon *d, const char *key, struct rwy_err *err);

// Visits all, in order of id. The callback must not call a function that changes the same kind.
typedef void network_visit(void *arg, const struct network_info *info);
typedef void port_visit(void *arg, const struct port_info *info);
typedef void container_visit(void *arg, const struct container_info *info);
void service_each_network(struct daemon *d, network_visit *visit, void *arg);
void service_each_port(struct daemon *d, port_visit *visit, void *arg);
void service_each_container(struct daemon *d, container_visit *visit, void *arg);

// Makes a free key, or a free MAC on a network (locally administered, unicast).
void service_make_key(struct daemon *d, char ret_key[KEY_SIZE]);
int service_make_mac(
	struct daemon *d,
	const char *network,
	uint8_t ret_mac[MAC_SIZE],
	struct rwy_err *err
);

// Paths of this instance; stable after start, so without the lock.
const char *service_run_dir(const struct daemon *d);
const char *service_state_dir(const struct daemon *d);
const char *service_preload_path(const struct daemon *d); // Host path of the preload library.

enum function_state {
	FUNCTION_FREE,	    // As the host had it.
	FUNCTION_TAKING,    // On its way to a port.
	FUNCTION_TAKEN,	    // A port's.
	FUNCTION_RETURNING, // It is being reset and given back to the host.
	FUNCTION_STATE_COUNT
};

// "free", ..
const char *function_state_text(enum function_state state);

// A function of a network.
struct service_function {
	char address[FUNCTION_SIZE], pf[FUNCTION_SIZE];
	uint16_t number; // Which of the PF's.
	char network[NAME_SIZE];
	enum function_state state;
	char port[NAME_SIZE]; // That has it, or gets it. Empty: none.
	char key[KEY_SIZE];   // Of the container's place that it is kept for. Empty: none.
	char reason[160];     // Why it does not get on (returning), or empty.
	// From the host, now; empty, -1 and zero where that does not say.
	bool there;
	char driver[32], interface[IFNAME_SIZE], rdma[64], vfio[64], link[8];
	int iommu_group, numa_node;
	bool noiommu;
	uint8_t mac[MAC_SIZE];
	uint16_t vlan;
};

typedef void function_visit(void *arg, const struct service_function *function);
// All functions of a network, or of all (NULL), in order of network and number.
void service_each_function(struct daemon *d, const char *network, function_visit *visit, void *arg);

// Functions that a place wants of a network.
struct function_wish {
	const char *network;
	const char *key;      // The place's; may be empty when `dry`.
	const char *attach;   // "vf" or "vf-kernel"
	const char *function; // The address that the first one has to have; empty: any.
	uint16_t count;
	uint64_t cpus; // As in port_spec.
	bool dry;      // Nothing is kept: it is only said which they would be.
};

// Keeps free functions of a network for a place: who makes a port of that key gets these. What is kept already for the key
// counts. The `vfio` of each is its node as it will be, where it is not there yet. -EBUSY: too few are free, and the message
// names who has them; -ENOTSUP, -EXDEV: they cannot be given to a process by VFIO (for `vf`); -ENOENT: the network has no such
// function. Errors are whole.
int service_functions_keep(
	struct daemon *d,
	const struct function_wish *wish,
	struct service_function *ret_list, // Room for wish->count.
	struct rwy_err *err
);
// Nothing is kept for the key any more.
void service_functions_let_go(struct daemon *d, const char *key);

// The switch that runs, and what stands behind it.
struct service_switch_info {
	char state[16];		   // "stopped", "starting" or "running"
	uint32_t pid;		   // 0: none runs.
	uint32_t spare_pid;	   // Of the one that waits, ready; 0: there is none now.
	bool spare_wanted;	   // ringwayd keeps one.
	char program[64];	   // "ringway-switch 0.1.0"; empty: none runs.
	char path[PATH_TEXT_SIZE]; // The program that the next ones are started from.
	uint32_t restarts;	   // Switches that ended unasked, and that another one followed.
	uint32_t handovers;	   // Planned ones.
	// Microseconds without a switch, the last time: from its end, or release, to the next one's start. 0: none yet.
	uint64_t last_gap_us;
	char last_end
		[160]; // How the last one ended that was not asked to, and whom it blames. Empty: none did.
};
void service_switch_get(struct daemon *d, struct service_switch_info *ret);

struct service_handover {
	uint64_t gap_us; // In which no frame moved.
	uint32_t ports;	 // That the new one took over running.
	uint32_t pid;	 // The new one's.
};

// Hands all ports over to a new switch, of the program that runs now as its path has it, or of another one, from which later
// switches are started, too, until ringwayd ends. Lets go of the lock while the new one is being prepared; never on the
// main thread. -EINVAL: path is not a program to be run, or a switch that cannot take these ports; -EBUSY: another
// handover is under way; -EAGAIN: no switch runs, or the new one did not become ready. The old one goes on then.
int service_switch_restart(
	struct daemon *d,
	const char *path, // Absolute, or NULL.
	struct service_handover *ret,
	struct rwy_err *err
);

// The switch's counters: adds "ports" and "switch" as docs/api.md says. port NULL: all. Lock held.
int service_stats(struct daemon *d, const char *port, json_t *ret_object, struct rwy_err *err);
