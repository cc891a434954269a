// SPDX-License-Identifier: BSD-3-Clause
// PCI functions of the host: what they are, who uses them, the virtual functions of a NIC, and how one is taken out of the
// host's hands and given back. Mechanism only: which function is whose is the caller's policy and memory. sysfs, /dev/vfio,
// rtnetlink and RDMA's netlink are all that is used.
//
// Any thread, several at a time for different functions; nothing is kept between calls but what functions_open() found.
// Calls that say "seconds" wait for the kernel: never with a lock held that a takeover of the switch needs. Functions return 0
// or a negative errno with err, whose message names the function and the reason; -ENODEV: it is not there.
#pragma once

#include "base/err.h"
#include "base/mac.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FUNCTION_ADDRESS_SIZE 13 // "0000:03:10.2", with its NUL.
#define FUNCTION_DRIVER_SIZE 32	 // Of a kernel driver's name.
#define FUNCTION_IFNAME_SIZE 16	 // IFNAMSIZ.
#define FUNCTION_RDMA_SIZE 64	 // IB_DEVICE_NAME_MAX.
#define FUNCTION_PATH_SIZE 64	 // "/dev/vfio/noiommu-12"
#define FUNCTION_VFS_MAX 256	 // Of one parent, that we look at.
#define FUNCTION_NODES_MAX 16	 // Of an RDMA device below /dev/infiniband.
#define FUNCTION_VFIO "vfio-pci"

struct functions;

struct functions_config {
	const char *sysfs; // "/sys"; tests give a tree of their own.
	const char *dev;   // "/dev"
};

int functions_open(
	const struct functions_config *config,
	struct functions **ret,
	struct rwy_err *err
);
void functions_close(struct functions *functions); // NULL is fine.

// Has the kernel load vfio-pci, a few seconds at most, where a NIC below sysfs has SR-IOV and the driver is not there: for a process
// that is about to give up the right to. Whether it helped shows when a function is bound.
void functions_load_vfio(const char *sysfs);

struct function_info {
	char address[FUNCTION_ADDRESS_SIZE];
	uint16_t vendor, device;
	bool is_virtual;
	char parent[FUNCTION_ADDRESS_SIZE]; // virtual: the physical function.
	uint16_t number;		    // virtual: which of the parent's, from 0.
	uint16_t vfs, vfs_max; // physical: how many there are, and can be; 0 and 0: no SR-IOV.
	char driver[FUNCTION_DRIVER_SIZE]; // Empty: none is bound.
	bool overridden;		   // driver_override is set.
	int iommu_group;		   // -1: none.
	bool noiommu;			   // The group is one of the host's no-IOMMU mode.
	int numa_node;			   // -1: not known.
	char interface[FUNCTION_IFNAME_SIZE]; // In the host's namespace; empty: none, or it is elsewhere.
	char rdma[FUNCTION_RDMA_SIZE];	      // Its RDMA device; empty: none.
	bool can_reset;
};

int functions_get(
	struct functions *functions,
	const char *address,
	struct function_info *ret,
	struct rwy_err *err
);
// The physical function that a user means by an interface's name ("eth2") or a PCI address (long or short).
// -ENODEV: neither is there; -EINVAL: a virtual function, or none that has SR-IOV.
int functions_find_parent(
	struct functions *functions,
	const char *text,
	struct function_info *ret,
	struct rwy_err *err
);
// The addresses of a parent's virtual functions, in order of number; ret has room for FUNCTION_VFS_MAX.
int functions_list_vfs(
	struct functions *functions,
	const char *parent,
	char (*ret)[FUNCTION_ADDRESS_SIZE],
	size_t *ret_count,
	struct rwy_err *err
);

// Sets how many virtual functions the parent has. Seconds: the kernel makes them, and their drivers. -EINVAL: more than it
// can have; -EBUSY: one of those that would go is in use (functions_check_free() says by whom). Where there are some
// already and another number is wanted, they go first. On failure the count is what it was, where the kernel lets it.
int functions_set_count(
	struct functions *functions,
	const char *parent,
	uint16_t count,
	struct rwy_err *err
);

// Whether nobody else uses the function now: -EBUSY when its interface has an address, is up and has a route (the default
// route's is named as such), belongs to a bridge, bond or the like, is not in the host's namespace; when another process has
// its vfio group or device open; when another driver than the kernel's network driver or vfio-pci holds it.
// -EXDEV: its IOMMU group has other functions that are in use, or bound to a driver that is neither vfio-pci nor a
// bridge's; -ENOTSUP: there is no IOMMU, with `noiommu` only where the host does not run VFIO's no-IOMMU mode either.
// `for_vfio` false asks nothing about IOMMU and group.
int functions_check_free(
	struct functions *functions,
	const char *address,
	bool for_vfio,
	bool noiommu,
	struct rwy_err *err
);

// What the parent's driver holds a virtual function to. What is negative, or zero in the MAC, is left as it is.
struct function_attributes {
	uint8_t mac[MAC_SIZE];
	bool mac_none; // Set: the MAC is taken away, as zero is what it was before. Get: it is zero.
	int vlan;      // 0: none; 1 .. 4094.
	int spoof_check;	    // 0, 1
	int trust;		    // 0, 1
	int link_state;		    // enum function_link_state
	int64_t rate_min, rate_max; // Mbit/s; 0: no limit.
};

enum function_link_state {
	FUNCTION_LINK_AUTO,
	FUNCTION_LINK_UP,
	FUNCTION_LINK_DOWN,
	FUNCTION_LINK_STATE_COUNT
};

#define FUNCTION_ATTRIBUTES_KEEP                                                              \
	{                                                                                     \
		.vlan = -1, .spoof_check = -1, .trust = -1, .link_state = -1, .rate_min = -1, \
		.rate_max = -1                                                                \
	}

struct function_counters {
	bool known; // The parent's driver counts them.
	uint64_t rx_frames, rx_bytes, tx_frames,
		tx_bytes; // As the switch counts: rx is what came from the function.
	uint64_t rx_dropped, tx_dropped;
};

// Reads what is set, and the counters (may be NULL), through the parent's interface (IFLA_VFINFO_LIST). What the driver does
// not tell is negative. -ENOTSUP: the parent has no interface in the host's namespace.
int functions_get_attributes(
	struct functions *functions,
	const char *address,
	struct function_attributes *ret,
	struct function_counters *ret_counters,
	struct rwy_err *err
);
// Sets those that are given, one request each, so that a refusal names what was refused: -EOPNOTSUPP, -EPERM, -EINVAL ..
// with "the parent's driver NAME refuses WHAT of function N: why". Those before the refused one stay set.
int functions_set_attributes(
	struct functions *functions,
	const char *address,
	const struct function_attributes *attributes,
	struct rwy_err *err
);

// Binds the function to `driver` ("vfio-pci"), or, when it is NULL or empty, to what the kernel chooses for it. Takes it from
// the driver that it has. Seconds. What is so already is done. -EBUSY: vfio has it open elsewhere, which an unbind would wait
// for without end. -ENOENT: there is no such driver; -ENODEV: the driver does not take it. On failure it
// is bound as before, where that can be done.
int functions_bind(
	struct functions *functions,
	const char *address,
	const char *driver,
	struct rwy_err *err
);
// Sets, or clears (NULL, empty), which driver alone may have the function. functions_bind() leaves it set where that is
// vfio-pci and clears it otherwise, so this puts back what the host had.
int functions_set_override(
	struct functions *functions,
	const char *address,
	const char *driver,
	struct rwy_err *err
);
// Takes the function from its driver and leaves it without one.
int functions_unbind(struct functions *functions, const char *address, struct rwy_err *err);
// FLR or what else the kernel has (sysfs reset). -ENOTSUP: none. -EBUSY: vfio has it open elsewhere, or a network driver has it: those
// take part in a reset, and igbvf's never comes back from one while its interface is down.
int functions_reset(struct functions *functions, const char *address, struct rwy_err *err);

// The device node that gives a function bound to vfio-pci to a process ("/dev/vfio/12", "/dev/vfio/noiommu-12"), whether it is
// there yet or not.
int functions_vfio_path(
	struct functions *functions,
	const char *address,
	char ret_path[FUNCTION_PATH_SIZE],
	struct rwy_err *err
);
// Waits, a second at most, for the node, and makes it this user's, mode 0600. root's: uid and gid 0.
int functions_vfio_own(
	struct functions *functions,
	const char *address,
	uid_t uid,
	gid_t gid,
	struct rwy_err *err
);
// Whether a process has the function's vfio group open.
bool functions_vfio_is_open(struct functions *functions, const char *address);

// The function's interface, which must be in the host's namespace: waits for it up to `wait_ms` (a driver that was bound makes it
// a little later). -ENOENT: there is none.
int functions_interface(
	struct functions *functions,
	const char *address,
	int wait_ms,
	char ret_name[FUNCTION_IFNAME_SIZE],
	struct rwy_err *err
);
// Sets MTU and MAC, and brings it down. A zero MAC and 0 are left as they are. What the driver refuses is told.
int functions_interface_prepare(
	struct functions *functions,
	const char *name,
	const uint8_t mac[MAC_SIZE],
	uint32_t mtu,
	struct rwy_err *err
);
int functions_interface_rename(
	struct functions *functions,
	const char *name,
	const char *new_name,
	struct rwy_err *err
);

struct function_inside {
	int netns_fd; // Not taken over.
	char name[FUNCTION_IFNAME_SIZE];
	char address[2][50]; // "address/prefix" of IPv4 and of IPv6; empty: none.
	char gateway[2][46]; // Of default routes; empty: none.
};
// Moves an interface from the host's namespace to another, names, addresses and brings it up there. -EEXIST: the name is taken.
int functions_interface_place(
	struct functions *functions,
	const char *name,
	const struct function_inside *inside,
	struct rwy_err *err
);

// How the host shares RDMA devices among network namespaces (`rdma system`).
enum function_rdma_mode {
	FUNCTION_RDMA_NONE, // The kernel has no RDMA.
	FUNCTION_RDMA_SHARED,
	FUNCTION_RDMA_EXCLUSIVE
};
enum function_rdma_mode functions_rdma_mode(struct functions *functions);
// Moves an RDMA device to another namespace (RDMA_NLDEV_CMD_SET, exclusive mode). Its interface should be there.
int functions_rdma_place(
	struct functions *functions,
	const char *rdma,
	int netns_fd,
	struct rwy_err *err
);
// The device nodes of an RDMA device ("/dev/infiniband/uverbs0", rdma_cm ..) that a process needs in shared mode.
int functions_rdma_nodes(
	struct functions *functions,
	const char *rdma,
	char (*ret)[FUNCTION_PATH_SIZE],
	size_t *ret_count, // At most FUNCTION_NODES_MAX.
	struct rwy_err *err
);
