// SPDX-License-Identifier: BSD-3-Clause
// One vhost-user connection, back end's side. The connection's descriptor is non-blocking; every call
// does a bounded amount of work and never waits, so that no front end delays another. Runs on the
// control thread only. Opens nothing: memory, eventfds and the connection itself are received.
#pragma once

#include "base/err.h"
#include "base/mac.h"
#include "vring/vring.h"

#include <stdbool.h>
#include <stdint.h>

#define VHOST_QUEUE_PAIRS_MAX 16
#define VHOST_QUEUES_MAX (2 * VHOST_QUEUE_PAIRS_MAX)

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

// Negotiated virtio features; 0 before VHOST_USER_SET_FEATURES.
uint64_t vhost_conn_features(const struct vhost_conn *conn);
uint64_t vhost_conn_protocol_features(const struct vhost_conn *conn);
// Regions of guest memory and their bytes together.
uint32_t vhost_conn_regions(const struct vhost_conn *conn, uint64_t *ret_size);

// Installs the SIGBUS handler for guest memory: a front end may shrink or punch the files it shared
// (hostile catalogue, 9). The handler puts zero pages under the whole region, so that the worker goes on, and marks
// the connection. Once per process, before the first connection. 0 or a negative errno.
int vhost_guard_memory(void);

// Whether a SIGBUS hit this connection's memory since it began. The owner polls this from a timer and
// quarantines the port.
bool vhost_conn_memory_lost(const struct vhost_conn *conn);
