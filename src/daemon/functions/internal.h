// SPDX-License-Identifier: BSD-3-Clause
// What the files of src/daemon/functions/ share.
#pragma once

#include "daemon/functions/functions.h"
#include "daemon/netlink/rtnetlink.h"

#include <limits.h>
#include <pthread.h>

// Writes to a file of sysfs: 0 or -errno.
typedef int sysfs_writer(void *arg, const char *path, const char *text);

struct functions {
	char sysfs[PATH_MAX], dev[PATH_MAX];
	int home_netns;
	// Held while a parent's sriov_drivers_autoprobe is another than the host's.
	pthread_mutex_t autoprobe;
	sysfs_writer *write; // The kernel, or a test's.
	void *write_arg;
};

// address.c: pure.

// Reads a PCI address, with or without its domain, of either case, into the form of sysfs. -EINVAL.
int address_parse(const char *text, char ret[FUNCTION_ADDRESS_SIZE]);

// sysfs.c: files that may go, and be cut, at any moment.

// SYSFS/..; -ENAMETOOLONG.
int sysfs_path(const struct functions *functions, char ret[PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 3, 4)));
// SYSFS/bus/pci/devices/ADDRESS/NAME
int sysfs_device_path(
	const struct functions *functions,
	char ret[PATH_MAX],
	const char *address,
	const char *name
);
// The file's text without the white space at its end. -errno; -ENAMETOOLONG: it is longer than there is room for.
int sysfs_read(const char *path, char *ret, size_t size);
// Of one number, in any of C's notations. -EINVAL: it holds something else.
int sysfs_read_number(const char *path, long *ret);
// The last part of where a symbolic link leads. -errno.
int sysfs_read_link(const char *path, char *ret, size_t size);
bool sysfs_is_there(const char *path);
int sysfs_write(const struct functions *functions, const char *path, const char *text);
// The same for files of a device.
int sysfs_device_read(
	const struct functions *functions,
	const char *address,
	const char *name,
	char *ret,
	size_t size
);
int sysfs_device_read_number(
	const struct functions *functions,
	const char *address,
	const char *name,
	long *ret
);
int sysfs_device_write(
	const struct functions *functions,
	const char *address,
	const char *name,
	const char *text
);

// nets.c: a function's interfaces, by sysfs.

// Calls visit for each: dir is where the name's own directory is. Stops at the first that is not 0 and returns that. -ENOENT:
// the function's driver is none of a network's.
typedef int nets_visit(void *arg, const char *dir, const char *name);
int nets_each(const struct functions *functions, const char *address, nets_visit *visit, void *arg);
// The function's own: no representor of another's, and the first port's. -ENOENT: there is none in this namespace.
int nets_find(
	const struct functions *functions,
	const char *address,
	char ret[FUNCTION_IFNAME_SIZE]
);

// uses.c: what the host does with an interface.

// -EBUSY with err when it does something. `address` is for err.
int uses_check_interface(
	struct nl_sock *socket,
	const char *address,
	const char *name,
	struct rwy_err *err
);

// opened.c: which process has a device of VFIO's open.

#define OPENED_TEXT_SIZE 64

// The node of a group's and that of the function's own (iommufd); either may be missing.
struct opened_nodes {
	char path[2][PATH_MAX];
};

// Whether another process has one of the nodes open; who: "process 123 (dpdk-testpmd)".
bool opened_by(const struct opened_nodes *nodes, char ret_who[OPENED_TEXT_SIZE]);
// Keeps all others from opening the node until the descriptor is closed, which is left in *ret_fd; -1: it cannot be done, or
// need not be. -EBUSY: it is open already.
int opened_keep_out(const struct opened_nodes *nodes, int *ret_fd);

// vfio.c

// Those of a function that is bound to vfio-pci. False: there are none.
bool vfio_nodes(
	const struct functions *functions,
	const struct function_info *info,
	struct opened_nodes *ret
);
// Whether the host's VFIO does without an IOMMU.
bool vfio_allows_noiommu(const struct functions *functions);

// modules.c

// A NIC has SR-IOV and vfio-pci is not there.
bool modules_want_vfio(const char *sysfs);

// rdma.c

// The function's RDMA device: its own, or one on its interface (may be empty). -ENOENT.
int rdma_find(
	const struct functions *functions,
	const char *address,
	const char *interface,
	char ret[FUNCTION_RDMA_SIZE]
);
