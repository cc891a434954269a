// SPDX-License-Identifier: BSD-3-Clause
// Messages between ringwayd and ringway-uplink: one JSON object a SOCK_SEQPACKET datagram, as in wire.h but
// without descriptors. ringwayd asks ("id" > 0), the uplink replies with the same op and id, or with "error";
// it tells its state unasked with id 0. The first message each way is hello. Any thread.
//
//   {"op":"port_add","id":2,"args":{"port":7,"vlan":100,"socket":"/run/..","mtu":1500,"mac":"02:.."}}
//   {"op":"port_add","id":2,"args":{}}
//   {"op":"state","id":0,"args":{"driver":"net_af_packet","link":true,..,"ports":[..]}}
#pragma once

#include "base/err.h"
#include "base/mac.h"

#include <stdbool.h>
#include <stdint.h>

#define UPLINK_WIRE_VERSION 1
#define UPLINK_WIRE_MAX 65536 // Bytes of a datagram.
#define UPLINK_PORTS_MAX 31   // DPDK has 32 ethdevs a process, one of them the device.
#define UPLINK_WIRE_PATH 256
#define UPLINK_WIRE_TEXT 256
#define UPLINK_WIRE_DROPS 10

enum uplink_op {
	UPLINK_HELLO, // args: uplink_hello both ways. An error: the device cannot be opened; the uplink ends.
	UPLINK_STATE, // args: none; reply, or event of the uplink with id 0: uplink_state_msg.
	UPLINK_PORT_ADD, // args: uplink_port_msg. -EEXIST: the id or the VLAN is taken; -ENOSPC: too many.
	UPLINK_PORT_DEL, // args: uplink_ref. No frame is in the air on reply. -ENOENT.
	UPLINK_STOP,	 // args: none. The uplink replies and ends with status 0.
	UPLINK_OP_COUNT
};

// Why frames were dropped: by a port's VLAN first, then those that belong to no VLAN.
enum uplink_drop_reason {
	UPLINK_DROP_RING_FULL,	 // The switch did not take it in time: see move.c.
	UPLINK_DROP_DEVICE_FULL, // The device did not.
	UPLINK_DROP_TOO_LONG,	 // Longer than the network's or the device's MTU.
	UPLINK_DROP_MALFORMED, // Headers that an offload request contradicts; or a frame of less than 14 bytes.
	UPLINK_DROP_TRUNCATED,	  // The kernel gave less than the frame's length.
	UPLINK_DROP_UNKNOWN_VLAN, // A tag that no network has.
	UPLINK_DROP_UNTAGGED,	  // No tag, and no network without one.
	UPLINK_DROP_MISSED, // The device, or the kernel's socket, had no room until the uplink took them.
	UPLINK_DROP_DEVICE_ERROR, // The device took them and did not send them.
	UPLINK_DROP_COUNT
};

// "ring_full", ..; "unknown" outside.
const char *uplink_drop_text(uint32_t reason);

struct uplink_hello {
	uint32_t version; // Another one is refused with -EPROTO.
	char program[32];
	uint32_t pid;
};

struct uplink_ref {
	uint32_t port;
};

struct uplink_port_msg {
	uint32_t port; // ringwayd's number of it.
	uint16_t vlan; // 0: frames without a tag.
	uint32_t mtu;
	uint8_t mac[MAC_SIZE];
	char socket[UPLINK_WIRE_PATH];
};

struct uplink_drop_msg {
	uint32_t reason; // enum uplink_drop_reason
	uint64_t frames;
};

// A port with its numbers: rx from the device, tx to it.
struct uplink_port_state {
	struct uplink_port_msg spec;
	bool joined;
	char reason[UPLINK_WIRE_TEXT]; // Why it is not joined.
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint32_t drop_count;
	struct uplink_drop_msg drops[UPLINK_WIRE_DROPS]; // Those that are not zero.
};

struct uplink_state_msg {
	char driver[32];
	bool link;
	uint32_t mbps;
	uint32_t mtu;
	uint32_t drop_count;
	struct uplink_drop_msg drops[UPLINK_WIRE_DROPS];
	uint32_t port_count;
	struct uplink_port_state ports[UPLINK_PORTS_MAX];
};

struct uplink_msg {
	enum uplink_op op;
	uint32_t id;
	bool is_reply;
	struct rwy_err error; // A reply's, when code is not 0: args are empty then.
	union {
		struct uplink_hello hello;
		struct uplink_ref ref;
		struct uplink_port_msg port;
		struct uplink_state_msg state;
	} args;
};

#define UPLINK_PCI_SIZE 16

// Whether `text` begins with a PCI function's address (0000:03:00.0 or 03:00.0), alone or before a comma; ret_address is
// the long form of it.
bool uplink_read_pci(const char *text, char ret_address[UPLINK_PCI_SIZE]);

#define UPLINK_IFACE_SIZE 16 // IFNAMSIZ.

// The host's interface that DPDK's arguments name by "iface=". -ENOENT: they name none; -EINVAL: what they name cannot be
// an interface's name. net_tap makes its interface itself, and has none here.
int uplink_read_iface(const char *devargs, char ret_name[UPLINK_IFACE_SIZE]);

// 0, -EPIPE: the peer is gone; -EAGAIN: it does not read (of a non-blocking socket); -ENOMEM; -EINVAL: no such message.
int uplink_send(int sock, const struct uplink_msg *msg, struct rwy_err *err);
// `from_uplink`: which end sends. -EPIPE at the end, -EAGAIN, -EPROTO: not a message; ret_msg is written on success only.
int uplink_recv(
	int sock,
	bool from_uplink,
	int flags,
	struct uplink_msg *ret_msg,
	struct rwy_err *err
);
