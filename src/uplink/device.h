// SPDX-License-Identifier: BSD-3-Clause
// The ethdev that an uplink drives. Control thread opens it; the worker moves frames afterwards.
#pragma once

#include "base/err.h"
#include "uplink/iface.h"

#include <rte_mempool.h>

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_QUEUES_MAX 16
#define DEVICE_ARGS_SIZE 512
#define DEVICE_BURST 32
#define FRAME_HEAD_SIZE 22 // An Ethernet header with two VLAN tags.

// How the worker learns of frames while it sleeps.
enum device_wake {
	DEVICE_WAKE_TIMER, // It does not: it looks every now and then.
	DEVICE_WAKE_FD,	   // By its sockets, in fds.
	DEVICE_WAKE_INTR,  // By the ethdev's receive interrupts.
	DEVICE_WAKE_COUNT
};

struct device {
	char args[DEVICE_ARGS_SIZE];
	char driver[32];
	struct iface iface;
	uint16_t id;
	uint16_t rx_queues;
	uint16_t descriptors;
	uint64_t tx_offloads; // In use, RTE_ETH_TX_OFFLOAD_*.
	uint64_t rx_offloads;
	bool tx_checksum; // It does TCP's and UDP's.
	bool tx_tso;
	uint32_t mtu;
	uint32_t xdp_id; // AF_XDP's program on the interface, else 0.
	enum device_wake wake;
	int fds[DEVICE_QUEUES_MAX];
	uint32_t fd_count;
	uint64_t missed;	  // By AF_PACKET's sockets, which forget it when they are asked.
	struct rte_mempool *pool; // All frames' buffers, ports' as well.
};

// Whether `args` name a PCI function, such as 0000:03:00.0 or 03:00.0,option=1.
bool device_is_pci(const char *args);

// Opens and starts the device for networks with MTU `mtu` at most. -ENODEV, -EINVAL: DPDK does not know it or cannot
// open it; -ENOMEM.
int device_open(const char *args, uint32_t mtu, struct device *ret_device, struct rwy_err *err);
void device_close(struct device *device);

// Frames that came and that the device had no room for until they were taken; frames that it took and did not send.
// Control thread.
void device_read_losses(struct device *device, uint64_t *ret_missed, uint64_t *ret_unsent);

// The device's link as DPDK knows it, or the interface's. Control thread.
void device_read_link(const struct device *device, bool *ret_up, uint32_t *ret_mbps);
