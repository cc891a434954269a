// SPDX-License-Identifier: BSD-3-Clause
// One vhost-user connection, back end's side. The connection's descriptor is non-blocking; every call
// does a bounded amount of work and never waits, so that no front end delays another. Runs on the
// control thread only. Opens nothing: memory, eventfds and the connection itself are received.
#pragma once

#include "base/err.h"
#include "base/mac.h"
#include "vhost/state.h"
#include "vring/vring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Descriptors of one connection that an owner keeps at any time: those of its regions and rings, and of one message more,
// which is dealt with before what it replaces is dropped.
#define VHOST_KEPT_MAX (VRING_REGIONS_MAX + 3 * VHOST_QUEUES_MAX + 8)

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

// A descriptor that a front end brought, and the connection's number of it: never 0, and never used twice in the life
// of a vhost_state.
struct vhost_kept {
	uint32_t id;
	int fd;
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
	// Descriptors that a message brought, before it is dealt with: to be noted outside of this process. They stay the
	// connection's. 0, or -EAGAIN: not now; nothing has changed, and vhost_conn_process() returns -EAGAIN. NULL:
	// nobody keeps them.
	int (*keep)(void *ctx, const struct vhost_kept *kept, uint32_t count);
	// The connection has closed these, and goes on. (Those of a connection that is freed are not told.) May be NULL.
	void (*drop)(void *ctx, const uint32_t *ids, uint32_t count);
};

struct vhost_conn_config {
	uint16_t queue_pairs; // 1 .. VHOST_QUEUE_PAIRS_MAX; offered with VIRTIO_NET_F_MQ when > 1.
	uint16_t mtu;	      // VIRTIO_NET_F_MTU: offered when not 0.
	bool offloads;	      // Checksum and segmentation offloads are offered, both ways.
	// Outlives the process, so that vhost_conn_restore() can go on from it; the connection's alone meanwhile. Zero at
	// first, then as the last connection left it. NULL: this connection ends with the process.
	struct vhost_state *state;
};

struct vhost_conn;

// Takes ownership of fd (also on failure), a connected unix stream socket, and makes it non-blocking; begins a new
// session in config->state. NULL with errno on failure.
struct vhost_conn *vhost_conn_new(
	int fd,
	const struct vhost_conn_config *config,
	const struct vhost_conn_ops *ops,
	void *ctx
);

// Takes up the session that another process left in config->state, with its connection and everything that
// ops->keep() was given and ops->drop() was not. Owns fd and the descriptors (also on failure). Maps the memory, and
// changes nothing that the other process, if it still lives, would notice: no ring is live, nothing is received or
// sent before vhost_conn_go(), and the connection may be freed again instead. NULL with err: -EPROTO for a session that
// is broken, lacks a descriptor, or whose last reply may or may not have been sent; -ENOMEM; what mapping memory says.
struct vhost_conn *vhost_conn_restore(
	int fd,
	const struct vhost_conn_config *config,
	const struct vhost_conn_ops *ops,
	void *ctx,
	const struct vhost_kept *kept,
	uint32_t count,
	struct rwy_err *err
);

// A restored connection goes on, once: its rings are live where they stand, which ops->resume is told; what was
// kept and is not needed is dropped. The other process must be gone, or have let go of it. What fails here is the result
// of the next vhost_conn_process(), which vhost_conn_events() asks for.
void vhost_conn_go(struct vhost_conn *conn);

// All descriptors that the connection has of its front end, with their numbers; VHOST_KEPT_MAX at most. Returns how
// many. They stay the connection's.
uint32_t vhost_conn_kept(const struct vhost_conn *conn, struct vhost_kept *ret_kept);

// Quiesces, then closes the connection and gives back all memory and descriptors. Leaves the state as it is. Accepts
// NULL.
void vhost_conn_free(struct vhost_conn *conn);

// What to wait for on vhost_conn_fd(), edge-triggered (EPOLLET), since a message stays in the socket until all of it
// is there: EPOLLIN, or EPOLLOUT while a reply could not be sent whole (nothing more is read then: a front end that does
// not read its replies only stops itself). Changes with vhost_conn_process() and vhost_conn_go().
uint32_t vhost_conn_events(const struct vhost_conn *conn);
int vhost_conn_fd(const struct vhost_conn *conn);

// Handles what has arrived, at most a few messages a call. 0: nothing more can be done before the next event of
// vhost_conn_events(). 1: there may be more, call again, after others had their turn. -EAGAIN: ops->keep() said so, call
// again later. -EPIPE: the front end closed in good order. Any other negative errno: it broke the protocol, err
// says how; the owner frees the connection and quarantines the port.
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
