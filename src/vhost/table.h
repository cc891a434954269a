// SPDX-License-Identifier: BSD-3-Clause
// The table of messages: what each may carry and what it does. Read only; any thread.
#pragma once

#include "base/err.h"
#include "vhost/message.h"

#include <stdbool.h>
#include <stdint.h>

struct vhost_conn;

// What a message changes that workers see: these rings are quiesced before its handler runs and
// judged anew after it.
enum rule_scope {
	SCOPE_NONE,
	SCOPE_RING,    // The ring that the payload's first 32 bits name.
	SCOPE_RING_FD, // The ring that the payload's lowest 8 bits name; NOFD beside it.
	SCOPE_RINGS,   // All of them, and the memory below.
	SCOPE_COUNT
};

// How many descriptors a message brings.
enum rule_fds {
	RULE_FDS_NONE,
	RULE_FDS_ONE,
	RULE_FDS_RING,	  // One, unless its payload has the NOFD bit.
	RULE_FDS_REGIONS, // One for each region of its table.
	RULE_FDS_COUNT
};

// 0, or a negative errno with err. Takes the descriptors that it keeps (fd_take()); leaves the reply,
// if the rule has one, in msg->body. A failing handler has changed nothing.
typedef int rule_handler(struct vhost_conn *conn, struct message *msg, struct rwy_err *err);

struct rule {
	const char *name;
	rule_handler *handle;
	uint64_t protocol_feature; // Must have been negotiated; 0: none.
	uint16_t size_min;	   // Of the payload.
	uint16_t size_max;
	uint16_t reply_size; // 0: no reply but REPLY_ACK's.
	uint8_t fds_spare;   // So many more may come, which nobody looks at.
	enum rule_fds fds;
	enum rule_scope scope;
	bool recoverable; // A failure that REPLY_ACK reports does not end the connection.
};

// The rule of a request, or NULL for what is not implemented.
const struct rule *table_find(uint32_t request);

// "Header": version, flags, a known request and a payload within its rule's bounds. 0 or -EPROTO.
int table_check_header(const struct message_header *header, struct rwy_err *err);

// How many descriptors a message of this rule has to bring, MESSAGE_FDS_MAX at most.
uint32_t table_fds_due(const struct rule *rule, const struct message *msg);
