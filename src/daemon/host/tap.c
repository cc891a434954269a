// SPDX-License-Identifier: BSD-3-Clause
// Trunks: a network's TAP, by which frames cross between the kernel and the switch. It stays when nobody has it open.
#include "base/cleanup.h"
#include "daemon/host/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define TUN_DEVICE "/dev/net/tun"
#define VNET_HEADER_SIZE 12 // Of virtio 1.2, 5.1.6: with num_buffers.
#define TRUNK_PREFIX "nt"

// Linux 6.2; older headers have no name for it.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

void trunk_name(char ret_name[IFNAMSIZ], uint32_t network)
{
	(void)snprintf(ret_name, IFNAMSIZ, TRUNK_PREFIX "%u", network); // Twelve characters.
}

struct trunk {
	char name[IFNAMSIZ];
	uint32_t ifindex;
	uint32_t mtu;
};

// The device's namespace is that of the thread that opens this.
static int open_queue(struct host *host, struct rwy_err *err)
{
	int r = netlink_enter(host->own_netns);
	if (r)
		return err_set(err, r, "cannot enter the own namespace: %s", strerror(-r));
	int fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	r = -errno;
	netlink_leave(host->home_netns);
	if (fd >= 0)
		return fd;
	err_set(err,
		r == -ENOENT || r == -ENODEV ? -EOPNOTSUPP : r,
		"cannot open '" TUN_DEVICE "': %s",
		strerror(-r));
	return err_hint(
		err, "a network with ports of both kinds needs the kernel's TUN/TAP driver"
	);
}

static int attach_queue(int fd, const struct trunk *trunk, bool make, struct rwy_err *err)
{
	struct ifreq request = {
		.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE)};
	unsigned int ifindex = trunk->ifindex;
	memcpy(request.ifr_name, trunk->name, sizeof(trunk->name));
	if (make && ioctl(fd, TUNSETIFINDEX, &ifindex))
		return err_set(
			err, -errno, "cannot number TAP '%s': %s", trunk->name, strerror(errno)
		);
	if (ioctl(fd, TUNSETIFF, &request))
		return err_set(
			err, -errno, "cannot open TAP '%s': %s", trunk->name, strerror(errno)
		);
	return 0;
}

// As much as the kernel knows of: an older one refuses all of a request that it does not know all of.
static int set_offloads(int fd, uint32_t *ret_offloads)
{
	static const struct {
		unsigned int tun;
		uint32_t offloads;
	} steps[] = {
		{TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
		 HOST_OFFLOAD_CSUM | HOST_OFFLOAD_TSO4 | HOST_OFFLOAD_TSO6 | HOST_OFFLOAD_ECN |
			 HOST_OFFLOAD_USO},
		{TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		 HOST_OFFLOAD_CSUM | HOST_OFFLOAD_TSO4 | HOST_OFFLOAD_TSO6 | HOST_OFFLOAD_ECN},
		{TUN_F_CSUM, HOST_OFFLOAD_CSUM},
		{0, 0},
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)steps[i].tun))
			continue;
		*ret_offloads = steps[i].offloads;
		return 0;
	}
	return -errno;
}

static int set_headers(
	int fd,
	const struct trunk *trunk,
	uint32_t *ret_offloads,
	struct rwy_err *err
)
{
	int size = VNET_HEADER_SIZE, little = 1, r = 0;
	if (ioctl(fd, TUNSETPERSIST, 1UL) || ioctl(fd, TUNSETVNETHDRSZ, &size) ||
	    ioctl(fd, TUNSETVNETLE, &little))
		r = -errno;
	if (!r)
		r = set_offloads(fd, ret_offloads);
	if (!r)
		return 0;
	return err_set(err, r, "cannot set TAP '%s' up: %s", trunk->name, strerror(-r));
}

// Opens queue number `index`. The first one makes the device.
static int add_queue(
	struct host *host,
	const struct trunk *trunk,
	bool make,
	int *ret_fd,
	struct rwy_err *err
)
{
	_cleanup_close_ int fd = open_queue(host, err);
	if (fd < 0)
		return fd;
	int r = attach_queue(fd, trunk, make, err);
	if (!r)
		*ret_fd = fd_take(&fd);
	return r;
}

static int set_up(struct host *host, const struct trunk *trunk, struct rwy_err *err)
{
	struct rtnl_link *link = NULL;
	int r = netlink_get_link(host->own, trunk->name, &link, err);
	if (r == -ENODEV)
		return err_set(err, r, "TAP '%s' is gone", trunk->name);
	if (r)
		return r;
	r = netlink_set_mtu(host->own, link, trunk->mtu, err);
	if (!r)
		r = program_attach(host, host->trunk_program, trunk->ifindex, err);
	if (!r) {
		links_set_noqueue(host, trunk->ifindex);
		r = netlink_set_up(host->own, link, true, err);
	}
	rtnl_link_put(link);
	return r;
}

static bool is_there(struct host *host, const struct trunk *trunk)
{
	struct rtnl_link *link = NULL;
	int r = netlink_get_link(host->own, trunk->name, &link, NULL);
	bool found = !r && (uint32_t)rtnl_link_get_ifindex(link) == trunk->ifindex;
	rtnl_link_put(link);
	return found;
}

static int open_queues(
	struct host *host,
	const struct trunk *trunk,
	uint32_t queues,
	int *fds,
	uint32_t *ret_offloads,
	struct rwy_err *err
)
{
	bool make = !is_there(host, trunk);
	for (uint32_t i = 0; i < queues; i++) {
		int r = add_queue(host, trunk, make && i == 0, &fds[i], err);
		if (!r && i == 0)
			r = set_headers(fds[0], trunk, ret_offloads, err);
		if (r)
			return r;
	}
	return set_up(host, trunk, err);
}

int host_trunk_open(
	struct host *host,
	uint32_t network,
	uint32_t queues,
	int *ret_fds,
	uint32_t *ret_offloads,
	struct rwy_err *err
)
{
	int fds[HOST_QUEUES_MAX];
	uint32_t offloads = 0;
	struct maps_network entry;
	struct trunk trunk;
	if (queues < 1 || queues > HOST_QUEUES_MAX)
		return err_set(err, -EINVAL, "a trunk has 1 to %d queues", HOST_QUEUES_MAX);
	int slot = network_slot(host, network, err);
	if (slot < 0)
		return slot;
	int r = network_get(host, (uint32_t)slot, &entry, err);
	if (r)
		return r;
	trunk_name(trunk.name, network);
	trunk.ifindex = MAPS_TAP_IFINDEX + (uint32_t)slot;
	trunk.mtu = trunk_mtu(entry.mtu);
	memset(fds, -1, sizeof(fds));
	r = open_queues(host, &trunk, queues, fds, &offloads, err);
	entry.tap = trunk.ifindex;
	if (!r)
		r = network_set(host, (uint32_t)slot, &entry, err);
	for (uint32_t i = 0; i < queues; i++) {
		if (r)
			fd_close(&fds[i]);
		else
			ret_fds[i] = fds[i];
	}
	if (!r)
		*ret_offloads = offloads;
	return r;
}

int host_trunk_offloads(int fd, uint32_t *ret_offloads)
{
	// It says this by taking the same again.
	return set_offloads(fd, ret_offloads);
}

int host_trunk_missed(
	struct host *host,
	uint32_t network,
	uint64_t *ret_frames,
	struct rwy_err *err
)
{
	struct rtnl_link *link = NULL;
	char name[IFNAMSIZ];
	trunk_name(name, network);
	int r = netlink_get_link(host->own, name, &link, err);
	if (r)
		return r == -ENODEV ? err_set(err, -ENOENT, "there is no TAP '%s'", name) : r;
	*ret_frames = rtnl_link_get_stat(link, RTNL_LINK_TX_DROPPED);
	rtnl_link_put(link);
	return 0;
}

int host_trunk_remove(struct host *host, uint32_t network, struct rwy_err *err)
{
	char name[IFNAMSIZ];
	struct maps_network entry;
	int slot = network_slot(host, network, NULL);
	trunk_name(name, network);
	if (slot >= 0) {
		int r = network_get(host, (uint32_t)slot, &entry, err);
		entry.tap = 0;
		if (!r)
			r = network_set(host, (uint32_t)slot, &entry, err);
		if (r)
			return r;
	}
	return netlink_delete_link(host->own, name, err);
}
