// SPDX-License-Identifier: BSD-3-Clause
// What outlives the process of a connection: plain data in memory that the owner keeps (vhost_conn_config's state).
// Two sessions, of which one is current: the next one is written into the other, and one store makes it
// current, so that a process that is killed at any instant leaves a whole one. Written by the control thread of the
// process that has the connection, but for the places, which are their rings' workers'. conn.c says when.
#pragma once

#include "vring/vring.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

// Changes with everything that changes the layout or the meaning of struct vhost_state.
#define VHOST_STATE_FORM 1u

#define VHOST_QUEUE_PAIRS_MAX 16
#define VHOST_QUEUES_MAX (2 * VHOST_QUEUE_PAIRS_MAX)

// Bytes of the largest reply (GET_VRING_BASE's, GET_FEATURES', ..: header and 64 bits) with room to spare.
#define VHOST_STATE_REPLY_MAX 32

// What is known of a reply that is not sent whole.
enum vhost_state_reply {
	VHOST_STATE_REPLY_NONE,
	VHOST_STATE_REPLY_WAITS, // The socket had no room: none of the bytes that are left was sent.
	VHOST_STATE_REPLY_TRYING, // A send may have been under way.
	VHOST_STATE_REPLY_COUNT
};

struct vhost_state_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user;
	uint64_t offset;    // In its file, which has
	uint64_t inode;	    // this number on
	uint32_t device[2]; // this file system.
	uint32_t additions; // See memory.h.
	uint32_t id;	    // Of its descriptor.
};

// Numbers of descriptors are 0 where there is none.
struct vhost_state_queue {
	uint64_t desc; // User addresses.
	uint64_t avail;
	uint64_t used;
	uint32_t size;
	// Where it stands, unless it is live: then its ring's memory says so (split), or its place (packed).
	uint32_t base;
	uint32_t kick_id;
	uint32_t call_id;
	uint32_t err_id;
	uint8_t order; // enum queue_order; the others are 0 or 1.
	uint8_t started;
	uint8_t live;
	uint8_t has_base;
	uint8_t has_place;
	uint8_t has_addr;
	uint8_t pad[6];
};

struct vhost_session {
	uint64_t
		cookie; // Of the connection's socket (SO_COOKIE): this session is of no other. 0: of none.
	uint64_t features;
	uint64_t protocol_features;
	uint32_t has_features;
	// The message that the session has dealt with last is not read yet, or in part: what was peeked of it
	// (SO_PEEK_OFF) is left.
	uint32_t unread;
	uint32_t reply; // enum vhost_state_reply
	uint32_t reply_size;
	uint32_t reply_sent;
	uint32_t reply_queued; // Bytes that the socket held when the reply was TRYING (SIOCOUTQ).
	uint8_t reply_bytes[VHOST_STATE_REPLY_MAX];
	uint32_t queue_count;
	uint32_t region_count;
	struct vhost_state_queue queue[VHOST_QUEUES_MAX];
	struct vhost_state_region
		region[VRING_REGIONS_MAX]; // Those beyond the count are never touched.
};

// Zero when it is new.
struct vhost_state {
	uint32_t current; // 0 or 1: which session counts. Stored with release.
	uint32_t
		last_id; // The last number that was given to a descriptor. Grows before the number is told to anybody.
	struct vhost_session session[2];
	struct vring_place place[VHOST_QUEUES_MAX]; // Of packed rings.
};

static_assert(sizeof(struct vhost_state_region) == 56, "part of VHOST_STATE_FORM");
static_assert(sizeof(struct vhost_state_queue) == 56, "part of VHOST_STATE_FORM");
static_assert(offsetof(struct vhost_session, reply_bytes) == 48, "part of VHOST_STATE_FORM");
static_assert(offsetof(struct vhost_session, queue) == 88, "part of VHOST_STATE_FORM");
static_assert(
	sizeof(struct vhost_session) == 88 + 56 * VHOST_QUEUES_MAX + 56 * VRING_REGIONS_MAX,
	"part of VHOST_STATE_FORM"
);
static_assert(offsetof(struct vhost_state, session) == 8, "part of VHOST_STATE_FORM");
static_assert(
	sizeof(struct vring_place) == 16 + 10 * VRING_PENDING_MAX,
	"part of VHOST_STATE_FORM"
);
