// SPDX-License-Identifier: BSD-3-Clause
// Receives vhost-user messages and sends replies. Owns the connection's descriptor and every
// descriptor received with the message at hand. Control thread; judges headers by the
// table (table.c) and nothing else.
//
// How a message is received (unix(7), SO_PEEK_OFF; tests/unit/vhost/channel_test.c has what is relied upon): each peek
// moves the socket's offset on, each read moves it back by what it took. The offset belongs to the socket, not to
// this process or to the peer, so that it still says after the end of this process how much of a message was looked at.
//   - The bytes are looked at without room for descriptors, of which the kernel then makes no copies, until all of the
//     message is there.
//   - If it has to bring descriptors, its first bytes are looked at again, with room for them. A peek ends behind the bytes
//     that descriptors came with, so that each comes once; but one that meets none goes on, past the bytes that
//     it was to look at, and brings those of a later message. So whose they are is not certain yet. They are this
//     message's, in their order, if it has as many as it must.
//   - Reading the message tells how many it has. A read never goes on past its bytes.
#include "vhost/channel.h"

#include "base/cleanup.h"
#include "base/fdmsg.h"
#include "vhost/table.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define HEADER_SIZE ((uint32_t)sizeof(struct message_header))

static_assert(
	sizeof(struct message_header) + sizeof(struct message_ring_state) <= VHOST_STATE_REPLY_MAX,
	"the largest reply"
);

void channel_init(struct channel *channel, int fd)
{
	memset(channel, 0, sizeof(*channel));
	channel->fd = fd;
}

void channel_close_fds(struct channel *channel)
{
	struct message *in = &channel->in;

	for (size_t i = 0; i < in->fd_count; i++)
		fd_close(&in->fds[i]);
	in->fd_count = 0;
}

void channel_fini(struct channel *channel)
{
	channel_close_fds(channel);
	fd_close(&channel->fd);
}

static int set_offset(const struct channel *channel, uint32_t at)
{
	int offset = (int)at;

	return setsockopt(channel->fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) ? -errno
											 : 0;
}

int channel_rewind(struct channel *channel)
{
	channel->seen = 0;
	return set_offset(channel, 0);
}

int channel_peeked(const struct channel *channel)
{
	int offset = -1;
	socklen_t size = sizeof(offset);

	if (getsockopt(channel->fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &size) || offset < 0)
		return -EINVAL;
	return offset;
}

uint32_t channel_queued(const struct channel *channel)
{
	int queued = 0;

	// Fails for nothing that is a unix socket.
	return ioctl(channel->fd, SIOCOUTQ, &queued) || queued < 0 ? 0 : (uint32_t)queued;
}

uint64_t channel_cookie(const struct channel *channel)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	// Without one there is no session that it could go on with.
	return getsockopt(channel->fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) ? 0 : cookie;
}

// Why nothing came: 0 when there is nothing yet.
static int receive_failure(const struct channel *channel, ssize_t r, struct rwy_err *err)
{
	if (r == -EAGAIN)
		return 0;
	if (r == -EMSGSIZE)
		return err_set(
			err,
			-EPROTO,
			"more than %u descriptors with one message, or no room for them",
			MESSAGE_FDS_MAX
		);
	// A peer that is killed with a reply of ours unread resets the connection.
	if (r != 0 && r != -ECONNRESET)
		return err_set(err, (int)r, "cannot receive: %s", strerror((int)-r));
	if (channel->seen)
		return err_set(err, -EPROTO, "closed within a message");
	return err_set(err, -EPIPE, "the front end closed the connection");
}

static ssize_t receive(int fd, void *data, size_t size, int flags)
{
	ssize_t r;

	do
		r = recv(fd, data, size, flags | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

// Where byte number `at` of the message belongs.
static uint8_t *place_of(struct message *in, uint32_t at)
{
	return at < HEADER_SIZE ? (uint8_t *)&in->header + at
				: (uint8_t *)&in->body + (at - HEADER_SIZE);
}

int channel_receive(struct channel *channel, struct rwy_err *err)
{
	struct message *in = &channel->in;

	for (;;) {
		bool head = channel->seen < HEADER_SIZE;
		uint32_t due = head ? HEADER_SIZE : HEADER_SIZE + in->header.size;

		if (channel->seen == due)
			return 1;
		ssize_t r = receive(
			channel->fd, place_of(in, channel->seen), due - channel->seen, MSG_PEEK
		);
		if (r <= 0)
			return receive_failure(channel, r, err);
		channel->seen += (uint32_t)r;
		// Judged as soon as it is there, so that no body is ever larger than its buffer.
		if (head && channel->seen == HEADER_SIZE) {
			int bad = table_check_header(&in->header, err);
			if (bad)
				return bad;
		}
	}
}

// "Communication": a message's descriptors may come with any of its bytes, together no more than a
// memory table has.
int channel_take_fds(struct channel *channel, uint32_t due, struct rwy_err *err)
{
	uint8_t wire[MESSAGE_SIZE_MAX];
	struct message *in = &channel->in;
	uint32_t at = 0;
	int r = due ? set_offset(channel, 0) : 0;

	while (!r && in->fd_count < due && at < channel->seen) {
		struct fdmsg_buf buf = {
			.data = wire,
			.data_size = channel->seen - at,
			.fds = in->fds + in->fd_count,
			.fd_max = MESSAGE_FDS_MAX - in->fd_count,
		};
		ssize_t part = fdmsg_recv(channel->fd, &buf, MSG_PEEK | MSG_DONTWAIT);
		if (part <= 0)
			return receive_failure(channel, part == -EAGAIN ? -EIO : part, err);
		in->fd_count += buf.fd_count;
		at += (uint32_t)part;
	}
	if (!r && due)
		r = set_offset(channel, channel->seen);
	return r ? err_set(err, r, "cannot look at a message again: %s", strerror(-r)) : 0;
}

int channel_consume(
	struct channel *channel,
	uint32_t size,
	uint32_t *ret_fd_count,
	struct rwy_err *err
)
{
	uint8_t wire[MESSAGE_SIZE_MAX];
	int fds[MESSAGE_FDS_MAX];
	uint32_t fd_count = 0;

	while (size) {
		struct fdmsg_buf buf = {
			.data = wire,
			.data_size = size,
			.fds = fds,
			.fd_max = MESSAGE_FDS_MAX - fd_count,
		};
		ssize_t part = fdmsg_recv(channel->fd, &buf, MSG_DONTWAIT);
		if (part <= 0)
			return receive_failure(channel, part == -EAGAIN ? -EIO : part, err);
		for (size_t i = 0; i < buf.fd_count; i++)
			(void)close(fds[i]); // Counted only: they were taken before.
		fd_count += (uint32_t)buf.fd_count;
		size -= (uint32_t)part;
	}
	channel->seen = 0;
	*ret_fd_count = fd_count;
	return 0;
}

void channel_reply(struct channel *channel, const union message_body *body, uint32_t size)
{
	const struct message_header header = {
		.request = channel->in.header.request,
		.flags = MESSAGE_VERSION | MESSAGE_REPLY,
		.size = size,
	};

	memcpy(channel->out, &header, HEADER_SIZE);
	memcpy(channel->out + HEADER_SIZE, body, size);
	channel->out_size = HEADER_SIZE + size;
	channel->out_sent = 0;
}

int channel_flush(struct channel *channel, struct rwy_err *err)
{
	if (!channel->out_size)
		return 0;
	ssize_t sent = fdmsg_send(
		channel->fd,
		channel->out + channel->out_sent,
		channel->out_size - channel->out_sent,
		NULL,
		0,
		MSG_DONTWAIT
	);
	if (sent == -EAGAIN)
		return 0;
	if (sent == -EPIPE || sent == -ECONNRESET)
		return err_set(err, -EPIPE, "the front end closed the connection");
	if (sent < 0)
		return err_set(err, (int)sent, "cannot reply: %s", strerror((int)-sent));
	channel->out_sent += (uint32_t)sent;
	if (channel->out_sent == channel->out_size)
		channel->out_size = 0;
	return 0;
}
