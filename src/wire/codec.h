// SPDX-License-Identifier: BSD-3-Clause
// Messages between ringwayd and its processes: JSON objects of op, id and one of args and error, one a datagram, told by a
// table which fields and how many descriptors each has. wire.h and uplink.h have the tables.
#pragma once

#include "base/err.h"
#include "base/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What one direction of an op carries. Absent ones (no request of an event) have allowed false.
struct codec_shape {
	bool allowed;
	const struct field *fields;
	size_t field_count;
	uint32_t fds_min, fds_max;
};

#define CODEC_SHAPE_FDS(table, min, max)                                               \
	{                                                                              \
		.allowed = true, .fields = (table), .field_count = FIELD_COUNT(table), \
		.fds_min = (min), .fds_max = (max)                                     \
	}
#define CODEC_SHAPE(table) CODEC_SHAPE_FDS(table, 0, 0)
#define CODEC_SHAPE_EMPTY       \
	{                       \
		.allowed = true \
	}

struct codec_op {
	const char *name;
	struct codec_shape request;
	struct codec_shape reply;
	struct codec_shape event;
};

// A message as its struct has it. The pointers lead into that struct, which the caller owns.
struct codec_msg {
	int op;
	uint32_t id;	       // 0: an event.
	bool is_reply;	       // A request otherwise, where id is not 0.
	struct rwy_err *error; // Replies: code 0, or a negative errno.
	void *args;
	int *fds;
	uint32_t fd_count;
};

struct codec {
	const struct codec_op *ops;
	int op_count;
	size_t datagram_max; // Bytes.
	uint32_t fd_max;     // Room behind codec_msg.fds.
	// For messages that say themselves how many descriptors come along: changes the range. NULL: there are none such.
	void (*find_fd_range
	)(const struct codec_msg *msg,
	  const struct codec_shape *shape,
	  uint32_t *io_low,
	  uint32_t *io_high);
};

// Bytes of an args struct that messages of this shape may use: it is to be zeroed, or copied, so far. Structs of other
// shapes in the same union may be far larger.
size_t codec_args_size(const struct codec_shape *shape);
// The shape of a message by its op, direction and id. NULL: the table has no such message.
const struct codec_shape *codec_shape_of(
	const struct codec *codec,
	const struct codec_msg *msg,
	bool from_peer
);

// Sends one message on a SOCK_SEQPACKET socket; descriptors stay the caller's. Returns 0; -EINVAL: the table has no such message;
// -EPROTO: a wrong number of descriptors; -EMSGSIZE; -ENOMEM; -EPIPE: the peer is gone; or another negative errno, each with
// *err filled.
int codec_send(
	const struct codec *codec,
	int sock,
	const struct codec_msg *msg,
	struct rwy_err *err
);

// Receives one message into *msg: op, id, is_reply and fd_count are set, and what error, args (codec_args_size() of it) and fds
// point to is filled. `from_peer`: it comes from the process, whose messages are replies and events; false: from ringwayd, whose are
// requests. `flags`: recv(2)'s. Returns 0; -EAGAIN, silently; -EPIPE: the peer closed; -EPROTO: not a message of the table; or
// another negative errno. Descriptors that came are noted in fd_count also after a failure, and are the caller's to close.
int codec_recv(
	const struct codec *codec,
	int sock,
	bool from_peer,
	int flags,
	struct codec_msg *msg,
	struct rwy_err *err
);
