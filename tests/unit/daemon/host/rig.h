// SPDX-License-Identifier: BSD-3-Clause
// The kernel's side for tests: a namespace that plays the host's, containers' namespaces, kernel ports in them, and raw
// frames at both ends. As root; nothing of the machine's own namespaces is touched.
#pragma once

#include "daemon/host/host.h"

#include <sys/types.h>

#define RIG_PORTS 4
#define RIG_NETWORK 7
#define RIG_FRAME_MAX 4096
#define RIG_TYPE 0x88b5 // Set aside for local experiments by IEEE 802.

struct rig {
	char run_dir[64];
	struct host *host;
	int netns[RIG_PORTS];  // Containers' namespaces.
	int socket[RIG_PORTS]; // A packet socket at each container's end.
	int trunk[2];	       // Its queues; -1: closed.
	uint32_t offloads;     // The trunk's.
};

// Enters namespaces of the test's own for good. Returns why this cannot be tested here, or NULL.
const char *rig_enter(void);

// A host in a new run directory with RIG_NETWORK, MTU 1500, not answering for neighbours.
void rig_make(struct rig *rig);
// Removes it and fails when anything is left.
void rig_remove(struct rig *rig);
// Lets go of the host and opens it again, as a ringwayd that was killed.
void rig_reopen(struct rig *rig);

// What port n (0 ..) is: id 10 + n, MAC 02:..:n, peer "rwc<n>".
struct host_port rig_port(unsigned int n);
// Adds it, or another one in its place, and moves its end into namespace n as eth0, with address (NULL: none), up.
void rig_add(struct rig *rig, unsigned int n, const struct host_port *port, const char *address);
void rig_await_up(struct rig *rig, uint32_t id);
// Adds the first `count` as they are, without addresses.
void rig_add_all(struct rig *rig, unsigned int count);
void rig_mac(unsigned int n, uint8_t ret_mac[MAC_SIZE]);
void rig_open_trunk(struct rig *rig, uint32_t queues);

// The calling thread in a container's namespace, and back.
void rig_go(const struct rig *rig, unsigned int n);
void rig_return(void);

struct rig_frame {
	uint8_t bytes[RIG_FRAME_MAX];
	size_t size;
};

// An Ethernet frame of RIG_TYPE with `mark` in its last byte; size 60. NULL: broadcast.
void rig_build(struct rig_frame *frame, const uint8_t *to, const uint8_t *from, uint8_t mark);
void rig_send(const struct rig *rig, unsigned int n, const struct rig_frame *frame);
// How many frames with this mark reach the port before one that is sent to it now by the trunk.
unsigned int rig_count(struct rig *rig, unsigned int n, uint8_t mark);
// The next frame of an Ethernet type at the port, within seconds. Fails when there is none.
void rig_receive(const struct rig *rig, unsigned int n, uint16_t type, struct rig_frame *ret);

// As rig_send and rig_receive, at the trunk; behind 12 bytes of virtio-net header.
void rig_trunk_send(const struct rig *rig, const struct rig_frame *frame);
// Any queue's next frame of the type; the header goes to ret_header[12]. false: there is none now.
bool rig_trunk_receive(
	const struct rig *rig,
	uint16_t type,
	uint8_t *ret_header,
	struct rig_frame *ret
);

// A port's counters by number.
struct host_counters rig_counters(struct rig *rig, unsigned int n);
