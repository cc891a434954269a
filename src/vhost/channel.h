// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user connection as a stream of whole messages in, replies out. Non-blocking: what has
// arrived in part is kept, a reply that could not be sent whole is kept too. Control thread.
#pragma once

#include "base/err.h"
#include "vhost/message.h"

#include <stdbool.h>
#include <stdint.h>

struct channel {
	int fd;
	struct message in;
	uint32_t in_size; // Bytes of header and body that have arrived.
	struct message_header out_header;
	union message_body out_body;
	uint32_t out_size; // Bytes of the reply; 0: none pending.
	uint32_t out_sent;
};

// Takes ownership of fd.
void channel_init(struct channel *channel, int fd);
// Closes the connection and every descriptor received.
void channel_fini(struct channel *channel);

// 1: channel->in holds a whole message, whose header the table accepts. 0: not yet. -EPIPE: the peer
// closed between two messages. Any other negative errno: it broke the protocol.
int channel_receive(struct channel *channel, struct rwy_err *err);

// The message in channel->in is dealt with: closes the descriptors that nobody took.
void channel_consume(struct channel *channel);

// Queues the reply to channel->in; none may be pending. Nothing is sent before channel_flush().
void channel_reply(struct channel *channel, const union message_body *body, uint32_t size);

// Sends what goes of the pending reply. 0 (channel_is_pending() tells whether all went), -EPIPE when
// the peer is gone, or another negative errno.
int channel_flush(struct channel *channel, struct rwy_err *err);

static inline bool channel_is_pending(const struct channel *channel)
{
	return channel->out_size != 0;
}
