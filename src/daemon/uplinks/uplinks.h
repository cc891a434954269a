// SPDX-License-Identifier: BSD-3-Clause
// Uplinks: the processes that drive ether ports' devices, one a device (docs/uplinks.md). Found or started,
// told which VLANs they serve, watched, started anew when they end. An uplink outlives ringwayd: the next one
// finds it below RUN_DIR/uplinks and changes only what differs.
//
// Calls come from any thread. There is one thread of the uplinks' own, which talks with the processes; it takes no lock
// but its own, so callers may hold theirs. Nothing but uplinks_wait() and uplinks_stats() waits.
#pragma once

#include "base/err.h"
#include "base/mac.h"

#include <stdbool.h>
#include <stdint.h>

#define UPLINK_NAME_SIZE 64
#define UPLINK_DEVICE_SIZE 256
#define UPLINK_PATH_SIZE 256
#define UPLINK_DROPS_MAX 16

struct uplinks;

struct uplinks_config {
	const char *run_dir;
	const char *binary; // ringway-uplink; its path is copied.
};

// What joins a device to a network: a port of the switch (kind vhost, learning) and a VLAN of the device.
struct uplink_port {
	uint32_t id; // The port's, which the caller chose.
	char name[UPLINK_NAME_SIZE];
	char device[UPLINK_DEVICE_SIZE]; // As the user wrote it.
	uint16_t vlan;			 // 1 to 4094; 0: frames without a tag.
	char socket[UPLINK_PATH_SIZE];	 // The port's vhost-user socket.
	uint32_t mtu;			 // Of the network.
	uint8_t mac[MAC_SIZE];
	uint16_t queues; // Queue pairs of the switch's port; 1 is used.
};

enum uplink_state {
	UPLINK_STARTING, // The process, or its part for this port, is not there yet.
	UPLINK_RUNNING,	 // The device is open and the port is joined.
	UPLINK_FAILED,	 // reason says why; it is tried again by itself.
	UPLINK_STATE_COUNT
};

// "starting", ..; "unknown" outside.
const char *uplink_state_text(uint32_t state);

struct uplink_drop {
	char reason[32]; // "unknown_vlan", ..
	uint64_t frames;
};

// rx: from the device; tx: to the device. The port's numbers are frames of its VLAN; its drops come first, then those
// of the device as a whole, which no port can have (`unknown_vlan`, `untagged`, ..).
struct uplink_counters {
	enum uplink_state state;
	char reason[ERR_MSG_SIZE]; // Why it failed, else empty.
	char driver[32];	   // DPDK's name of the device's driver.
	uint32_t pid;		   // 0: none runs.
	uint32_t restarts;
	bool link_up;	    // Of the device.
	uint32_t link_mbps; // 0: not known.
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint32_t drop_count;
	struct uplink_drop drops[UPLINK_DROPS_MAX];
};

// Looks below run_dir for uplinks that already run. What they serve goes on undisturbed; uplinks_settle() ends
// what nobody attached until then. 0 or a negative errno.
int uplinks_new(
	const struct uplinks_config *config,
	struct uplinks **ret_uplinks,
	struct rwy_err *err
);
// `end`: the processes too, and waits for that; else they go on. Accepts NULL.
void uplinks_free(struct uplinks *uplinks, bool end);

// The caller has attached all that it wants from before its start: VLANs and processes that nobody wants end.
void uplinks_settle(struct uplinks *uplinks);

// What the user wrote -> DPDK's device arguments:
//   eth1, packet:eth1 -> net_af_packet0,iface=eth1     net_NAME.. -> as it is
//   xdp:eth1 -> net_af_xdp0,iface=eth1                 0000:03:00.0 -> as it is
// -EINVAL: it is none of these; -ENODEV: there is no such interface or PCI device now. No state.
int uplinks_check_device(
	const char *text,
	char ret_devargs[UPLINK_DEVICE_SIZE],
	struct rwy_err *err
);

// Joins a VLAN of a device to a port, from now on until uplinks_detach(). The first of a device starts its process; a
// device that is not there, or ends, is tried again and again. What was attached before is not disturbed.
// -EINVAL, -ENODEV: see uplinks_check_device() (-ENODEV only when `must_exist`); -EEXIST: the id or this VLAN of the
// device is taken; -ENOMEM. `must_exist`: a user asks for it now, so that an interface without Ethernet frames (-EINVAL),
// or one of a bridge, a bond or another uplink (-EBUSY), is refused as well.
int uplinks_attach(
	struct uplinks *uplinks,
	const struct uplink_port *port,
	bool must_exist,
	struct rwy_err *err
);

// Waits until the port is joined. 0; or the uplink's error, which says why it is not (it stays attached and is tried
// again); -ETIMEDOUT; -ENOENT.
int uplinks_wait(struct uplinks *uplinks, uint32_t id, int timeout_ms, struct rwy_err *err);

// -ENOENT: it is not attached. The last one of a device ends its process.
int uplinks_detach(struct uplinks *uplinks, uint32_t id, struct rwy_err *err);

// Asks the process when what is known is older than 100 ms, and waits for it for 300 ms at most. -ENOENT.
int uplinks_stats(struct uplinks *uplinks, uint32_t id, struct uplink_counters *ret_counters);
