// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user connection as a stream of whole messages in, replies out. Non-blocking. A message is looked at
// (MSG_PEEK) and stays in the socket until it was dealt with, so that it is not lost with this process; a reply that
// could not be sent whole is kept. Control thread.
#pragma once

#include "base/err.h"
#include "vhost/message.h"
#include "vhost/state.h"

#include <stdbool.h>
#include <stdint.h>

struct channel {
	int fd;
	struct message in;
	uint32_t seen; // Bytes of header and body that were looked at: the socket's SO_PEEK_OFF.
	uint8_t out[VHOST_STATE_REPLY_MAX];
	uint32_t out_size; // Bytes of the reply; 0: none pending.
	uint32_t out_sent;
};

// Takes ownership of fd.
void channel_init(struct channel *channel, int fd);
// Closes the connection and every descriptor received.
void channel_fini(struct channel *channel);

// Looks at the next message from its first byte on: 0 or a negative errno.
int channel_rewind(struct channel *channel);

// What the socket says of itself, wherever it came from: bytes that were looked at and not read (-EINVAL: it was none of
// ours), bytes (as the kernel counts them) that the peer has not read, and its own number, which no other socket has.
int channel_peeked(const struct channel *channel);
uint32_t channel_queued(const struct channel *channel);
uint64_t channel_cookie(const struct channel *channel);

// 1: channel->in holds a whole message, whose header the table accepts. 0: not yet. -EPIPE: the peer
// closed between two messages. Any other negative errno: it broke the protocol.
int channel_receive(struct channel *channel, struct rwy_err *err);

// Takes descriptors that come with the message in channel->in, or, if it lacks some, that come later: `due` of them
// when it has as many, which channel_consume() tells. 0 or a negative errno (-EPROTO: far too many).
int channel_take_fds(struct channel *channel, uint32_t due, struct rwy_err *err);

// Closes the descriptors in channel->in that nobody took.
void channel_close_fds(struct channel *channel);

// Reads `size` bytes that were looked at: the message in channel->in, or what is left of one; tells how many
// descriptors came with them, which are closed. 0 or a negative errno (-EPROTO: far too many).
int channel_consume(
	struct channel *channel,
	uint32_t size,
	uint32_t *ret_fd_count,
	struct rwy_err *err
);

// Queues the reply to channel->in; none may be pending. Nothing is sent before channel_flush().
void channel_reply(struct channel *channel, const union message_body *body, uint32_t size);

// Sends what goes of the pending reply. 0 (channel_is_pending() tells whether all went), -EPIPE when
// the peer is gone, or another negative errno.
int channel_flush(struct channel *channel, struct rwy_err *err);

static inline bool channel_is_pending(const struct channel *channel)
{
	return channel->out_size != 0;
}
