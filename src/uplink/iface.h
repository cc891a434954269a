// SPDX-License-Identifier: BSD-3-Clause
// The kernel's interface below a device, where there is one: net_af_packet's and net_af_xdp's "iface=". Control thread.
#pragma once

#include "base/err.h"
#include "base/loop.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct iface {
	char name[IFNAMSIZ]; // Empty: the device has none.
	uint32_t index;
	uint32_t mtu;
	uint32_t channels; // Receive queues in use; at least 1.
	uint32_t mbps;	   // 0: not known.
	bool is_virtual;   // No hardware: frames come with checksums that are left to the receiver.
	bool up;	   // And has a carrier.
	// What iface_prepare() changed: the MTU that it was, 0: none; taken up; merging turned off.
	uint32_t mtu_before;
	bool raised, unmerged;
	int xdp_link; // -1, or what keeps the other end of a veth from sending frames longer than the MTU.
	int promiscuous; // -1, or the socket that keeps it so.
	int netlink;	 // -1, or the socket that tells of changes.
	void (*changed)(void *arg, bool gone);
	void *arg;
};

// Finds the interface that `devargs` names; without one, ret_iface->name is empty. -ENODEV: it is not there.
int iface_find(const char *devargs, struct iface *ret_iface, struct rwy_err *err);

// What an AF_PACKET socket needs: frames as they are on the wire. Turns off what merges received frames; what is not
// allowed stays, and is logged. `mtu`: of the networks; the interface's is raised to it.
void iface_prepare(struct iface *iface, uint32_t mtu);

// Takes back what iface_prepare() changed, as far as that is possible: the device cannot be opened.
void iface_undo(const struct iface *iface);

// A veth's other end sends segments of 64 KiB that nobody has cut yet, which an AF_PACKET socket would get cut off: keeps
// it from that. Needs the right to load programs for interfaces; without it, it logs what to do.
void iface_cut_segments(struct iface *iface);

// Receives what is for any address, for as long as the process runs, however it ends. 0 or a negative errno.
int iface_set_promiscuous(struct iface *iface);

// AF_XDP's program stays on the interface when its process is killed, and keeps the next one from starting: takes it off.
void iface_clear_xdp(const struct iface *iface);

// The program on the interface, 0 for none; and taking that one off, which needs NET_ADMIN.
uint32_t iface_xdp_id(const struct iface *iface);
void iface_remove_xdp(const struct iface *iface, uint32_t id);

// Calls `changed` when the link goes up or down or the interface disappears.
int iface_watch(
	struct iface *iface,
	struct loop *loop,
	void (*changed)(void *arg, bool gone),
	void *arg,
	struct rwy_err *err
);
