// SPDX-License-Identifier: BSD-3-Clause
// The thread that moves frames between the device and the ports. The control thread gives it a new view for each change
// and waits until it is in use: then nothing of the old one is touched any more.
#pragma once

#include "base/err.h"
#include "uplink/device.h"
#include "uplink/port.h"
#include "uplink/vlans.h"

#include <stdbool.h>
#include <stdint.h>

// A port as the worker sees it.
struct view_port {
	struct port *port; // NULL: the slot is free.
	uint16_t id;	   // Its ethdev, or PORT_NO_ETHDEV: what is for it is dropped.
	uint16_t vlan;
	int call_fd;
	uint32_t size_max; // Of a frame without a tag.
	bool checksums;
};

struct view {
	struct vlans vlans;
	struct view_port ports[UPLINK_PORTS_MAX];
};

// Frames on their way to a ring.
struct waiting {
	struct rte_mbuf *frames[DEVICE_BURST];
	uint16_t count;
	uint64_t full_at; // Since when the ring takes nothing, in cycles; 0: it takes.
	uint32_t tries;	  // In vain, since then.
};

struct worker {
	struct device *device;
	const struct view *next; // Written by the control thread, release.
	const struct view
		*using; // Written by the worker, release: all of its accesses are to this one.
	int wake_fd;	// An eventfd.
	int epoll_fd;
	bool stop;
	bool serving;	   // Since the first port: what comes earlier has nowhere to go, and waits.
	uint64_t timer_ns; // How long to sleep, where only a timer wakes.
	uint64_t drops[UPLINK_DROP_COUNT]; // Frames that have no port. Written by the worker only.
	uint64_t patience; // How long a ring may be full until frames are dropped, in cycles.
	struct waiting to_port[UPLINK_PORTS_MAX];
	uint32_t ports_full; // A bit a slot: to_port has frames.
	struct waiting to_device[UPLINK_PORTS_MAX];
};

// `view`: the first one. 0 or a negative errno.
int worker_init(
	struct worker *worker,
	struct device *device,
	const struct view *view,
	struct rwy_err *err
);

// The worker's life, for rte_eal_remote_launch().
int worker_main(void *arg);

// Hands over a view and waits until the worker uses it. The old one is the caller's again. Control thread.
void worker_set_view(struct worker *worker, const struct view *view);

// Ends the worker; wait for its lcore next. Control thread.
void worker_stop(struct worker *worker);

static inline uint64_t worker_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}
