// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user connection from the inside: what its handlers change. Control thread.
#pragma once

#include "vhost/channel.h"
#include "vhost/memory.h"
#include "vhost/queue.h"
#include "vhost/vhost.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

static_assert(
	VHOST_KEPT_MAX - MESSAGE_FDS_MAX == VRING_REGIONS_MAX + 3 * VHOST_QUEUES_MAX,
	"regions, eventfds and a message's"
);

struct vhost_conn {
	struct channel channel;
	struct vhost_conn_config config;
	const struct vhost_conn_ops *ops;
	void *ctx;
	uint64_t cookie;  // The socket's own number.
	uint32_t last_id; // Of a descriptor; also in config.state.
	uint32_t unread;  // Bytes of the message that was dealt with and is still in the socket.
	enum vhost_state_reply reply;
	uint32_t reply_queued;	// See struct vhost_session.
	uint32_t dropped_count; // Descriptors that were closed since the session was saved last.
	uint32_t dropped[VHOST_KEPT_MAX];
	struct rwy_err failure; // Of vhost_conn_go(); code 0: none.
	uint64_t features;
	uint64_t protocol_features;
	bool has_features; // SET_FEATURES came.
	bool quiesced;	   // By the message at hand.
	bool grown;	   // A ring came alive by the message at hand.
	atomic_bool memory_lost;
	struct memory *memory; // NULL: none yet.
	unsigned int queue_count;
	struct queue queue[]; // [queue_count]
};

// A descriptor of this number is closed: the owner is told when the session is saved without it.
void conn_note_dropped(struct vhost_conn *conn, uint32_t id);
// Closes one that the connection has, if it has it, and notes that.
void conn_close_kept(struct vhost_conn *conn, int *fd, uint32_t *id);

// Tells the owner what was closed.
void conn_tell_dropped(struct vhost_conn *conn);

// Makes the connection with nothing negotiated; leaves the socket's offset and the state as they are. Owns fd, also on
// failure: NULL with errno.
struct vhost_conn *conn_new(
	int fd,
	const struct vhost_conn_config *config,
	const struct vhost_conn_ops *ops,
	void *ctx
);
// Without a word to its owner.
void conn_free(struct vhost_conn *conn);
