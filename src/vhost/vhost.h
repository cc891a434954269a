// SPDX-License-Identifier: BSD-3-Clause
// One vhost-user connection, back end's side. The connection's descriptor is non-blocking; every call
// does a bounded amount of work and never waits, so that no front end delays another. Runs on the
// control thread only. Opens nothing: memory, eventfds and the connection itself are received.
#pragma once

#include "base/err.h"
#include "base/mac.h"
#include "vring/vring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VHOST_QUEUE_PAIRS_MAX 16
#define VHOST_QUEUES_MAX (2 * VHOST_QUEUE_PAIRS_MAX)

// Feature bits by the specification's names (virtio 1.1, 5.1.3 and 6), as vhost_conn_features() has them.
#define VHOST_FEATURE_CSUM (1ull << 0)
#define VHOST_FEATURE_GUEST_CSUM (1ull << 1)
#define VHOST_FEATURE_MTU (1ull << 3)
#define VHOST_FEATURE_GUEST_TSO4 (1ull << 7)
#define VHOST_FEATURE_GUEST_TSO6 (1ull << 8)
#define VHOST_FEATURE_GUEST_ECN (1ull << 9)
#define VHOST_FEATURE_GUEST_UFO (1ull << 10)
#define VHOST_FEATURE_HOST_TSO4 (1ull << 11)
#define VHOST_FEATURE_HOST_TSO6 (1ull << 12)
#define VHOST_FEATURE_HOST_ECN (1ull << 13)
#define VHOST_FEATURE_HOST_UFO (1ull << 14)
#define VHOST_FEATURE_MRG_RXBUF (1ull << 15)
#define VHOST_FEATURE_GUEST_ANNOUNCE (1ull << 21)
#define VHOST_FEATURE_MQ (1ull << 22)
#define VHOST_FEATURE_ANY_LAYOUT (1ull << 27)
#define VHOST_FEATURE_RING_INDIRECT_DESC (1ull << 28)
#define VHOST_FEATURE_RING_EVENT_IDX (1ull << 29)
#define VHOST_FEATURE_PROTOCOL_FEATURES (1ull << 30) // vhost-user's own.
#define VHOST_FEATURE_VERSION_1 (1ull << 32)
#define VHOST_FEATURE_RING_PACKED (1ull << 34)
#define VHOST_FEATURE_IN_ORDER (1ull << 35)
// virtio 1.3, 5.1.3: UDP segmentation. Front ends of before, such as QEMU 7.2 and DPDK 22.11, do not take them.
#define VHOST_FEATURE_GUEST_USO4 (1ull << 54)
#define VHOST_FEATURE_GUEST_USO6 (1ull << 55)
#define VHOST_FEATURE_HOST_USO (1ull << 56)

// What a front end may ask for in the header of a frame that it sends, and what it takes in the header of one that it
// receives.
#define VHOST_FEATURES_HOST                                                       \
	(VHOST_FEATURE_CSUM | VHOST_FEATURE_HOST_TSO4 | VHOST_FEATURE_HOST_TSO6 | \
	 VHOST_FEATURE_HOST_ECN | VHOST_FEATURE_HOST_UFO | VHOST_FEATURE_HOST_USO)
#define VHOST_FEATURES_GUEST                                                              \
	(VHOST_FEATURE_GUEST_CSUM | VHOST_FEATURE_GUEST_TSO4 | VHOST_FEATURE_GUEST_TSO6 | \
	 VHOST_FEATURE_GUEST_ECN | VHOST_FEATURE_GUEST_UFO | VHOST_FEATURE_GUEST_USO4 |   \
	 VHOST_FEATURE_GUEST_USO6)

// One virtqueue. virtio 1.1, 5.1.2: even indices are the front end's receive queues (we deliver),
// odd ones its transmit queues (we take).
struct vhost_queue {
	struct vring ring; // Valid while `live`.
	int kick_fd;	   // -1: none, the front end asks us to poll.
	int call_fd;	   // -1: none, the front end polls.
	int err_fd;	   // -1: none.
	bool enabled;	   // VHOST_USER_SET_VRING_ENABLE (or no protocol features negotiated).
	bool started;	   // VHOST_USER_SET_VRING_KICK came, GET_VRING_BASE did not yet.
	bool live; // Started, enabled, memory and addresses valid: workers may use the ring.
};

// What the connection tells its owner, on the control thread, from within vhost_conn_process() or
// vhost_conn_free().
struct vhost_conn_ops {
	// No worker may use any ring or memory of this connection when this returns. Called before any
	// change that a worker could see, at most once per message.
	void (*quiesce)(void *ctx);
	// The change is done: look at vhost_conn_queue() of every index again. Follows every quiesce, and comes
	// alone when rings came alive and nothing else changed: those that were live go on undisturbed.
	void (*resume)(void *ctx);
	// VHOST_USER_SEND_RARP: the guest at this address moved here (vhost-user, SEND_RARP).
	void (*announce)(void *ctx, const uint8_t mac[MAC_SIZE]);
};

struct vhost_conn_config {
	uint16_t queue_pairs; // 1 .. VHOST_QUEUE_PAIRS_MAX; offered with VIRTIO_NET_F_MQ when > 1.
	uint16_t mtu;	      // VIRTIO_NET_F_MTU: offered when not 0.
	bool offloads;	      // Checksum and segmentation offloads are offered, both ways.
};

struct vhost_conn;

// Takes ownership of fd (also on failure) and makes it non-blocking. NULL with errno on failure.
struct vhost_conn *vhost_conn_new(
	int fd,
	const struct vhost_conn_config *config,
	const struct vhost_conn_ops *ops,
	void *ctx
);

// Quiesces, then closes the connection and gives back all memory and descriptors. Accepts NULL.
void vhost_conn_free(struct vhost_conn *conn);

// What to wait for on vhost_conn_fd(): EPOLLIN, or EPOLLOUT while a reply could not be sent whole
// (nothing more is read then: a front end that does not read its replies only stops itself).
uint32_t vhost_conn_events(const struct vhost_conn *conn);
int vhost_conn_fd(const struct vhost_conn *conn);

// Handles what has arrived, at most a few messages a call. 0: go on. -EPIPE: the front end closed in
// good order. Any other negative errno: it broke the protocol, err says how; the owner frees the
// connection and quarantines the port.
int vhost_conn_process(struct vhost_conn *conn, struct rwy_err *err);

// Whether the peer has hung up (looks at the socket without consuming anything).
bool vhost_conn_is_gone(const struct vhost_conn *conn);

// The queue, or NULL beyond those of the configuration. Owned by the connection.
struct vhost_queue *vhost_conn_queue(struct vhost_conn *conn, unsigned int index);

// Negotiated virtio features, without GUEST_* offloads that lack what they need (virtio 1.1, 5.1.3.1); 0 before
// VHOST_USER_SET_FEATURES.
uint64_t vhost_conn_features(const struct vhost_conn *conn);
uint64_t vhost_conn_protocol_features(const struct vhost_conn *conn);
// Regions of guest memory and their bytes together.
uint32_t vhost_conn_regions(const struct vhost_conn *conn, uint64_t *ret_size);
// Bytes that the connection takes itself, without guest memory.
size_t vhost_conn_own_memory(const struct vhost_conn *conn);

// Installs the SIGBUS handler for guest memory: a front end may shrink or punch the files it shared
// (hostile catalogue, 9). The handler puts zero pages under the whole region, so that the worker goes on, and marks
// the connection. Once per process, before the first connection. 0 or a negative errno.
int vhost_guard_memory(void);

// Whether a SIGBUS hit this connection's memory since it began. The owner polls this from a timer and
// quarantines the port.
bool vhost_conn_memory_lost(const struct vhost_conn *conn);
