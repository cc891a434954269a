// SPDX-License-Identifier: BSD-3-Clause
// Receives vhost-user messages piece by piece and sends replies. Owns the connection's descriptor and
// every descriptor received with the message at hand. Control thread; judges headers by the
// table (table.c) and nothing else.
#include "vhost/channel.h"

#include "base/cleanup.h"
#include "base/fdmsg.h"
#include "vhost/table.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER_SIZE ((uint32_t)sizeof(struct message_header))

void channel_init(struct channel *channel, int fd)
{
	memset(channel, 0, sizeof(*channel));
	channel->fd = fd;
}

void channel_consume(struct channel *channel)
{
	struct message *in = &channel->in;

	for (size_t i = 0; i < in->fd_count; i++)
		fd_close(&in->fds[i]);
	in->fd_count = 0;
	channel->in_size = 0;
}

void channel_fini(struct channel *channel)
{
	channel_consume(channel);
	fd_close(&channel->fd);
}

// "Communication": a message's descriptors may come with any of its bytes, together no more than a
// memory table has. Bytes received, 0 at the end of the stream, or a negative errno.
static ssize_t receive_part(struct channel *channel, void *data, size_t size)
{
	struct message *in = &channel->in;
	struct fdmsg_buf buf = {
		.data = data,
		.data_size = size,
		.fds = in->fds + in->fd_count,
		.fd_max = MESSAGE_FDS_MAX - in->fd_count,
	};
	ssize_t r = fdmsg_recv(channel->fd, &buf, MSG_DONTWAIT);
	in->fd_count += buf.fd_count;
	return r;
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
	if (channel->in_size)
		return err_set(err, -EPROTO, "closed within a message");
	return err_set(err, -EPIPE, "the front end closed the connection");
}

int channel_receive(struct channel *channel, struct rwy_err *err)
{
	struct message *in = &channel->in;

	for (;;) {
		bool head = channel->in_size < HEADER_SIZE;
		uint32_t due = head ? HEADER_SIZE : HEADER_SIZE + in->header.size;
		uint32_t done = head ? channel->in_size : channel->in_size - HEADER_SIZE;
		uint8_t *to = head ? (uint8_t *)&in->header : (uint8_t *)&in->body;

		if (channel->in_size == due)
			return 1;
		ssize_t r = receive_part(channel, to + done, due - channel->in_size);
		if (r <= 0)
			return receive_failure(channel, r, err);
		channel->in_size += (uint32_t)r;
		// Judged as soon as it is there, so that no body is ever larger than its buffer.
		if (head && channel->in_size == HEADER_SIZE) {
			int bad = table_check_header(&in->header, err);
			if (bad)
				return bad;
		}
	}
}

void channel_reply(struct channel *channel, const union message_body *body, uint32_t size)
{
	channel->out_header = (struct message_header){
		.request = channel->in.header.request,
		.flags = MESSAGE_VERSION | MESSAGE_REPLY,
		.size = size,
	};
	memcpy(&channel->out_body, body, size);
	channel->out_size = HEADER_SIZE + size;
	channel->out_sent = 0;
}

int channel_flush(struct channel *channel, struct rwy_err *err)
{
	uint8_t wire[HEADER_SIZE + sizeof(channel->out_body)];

	if (!channel->out_size)
		return 0;
	memcpy(wire, &channel->out_header, HEADER_SIZE);
	memcpy(wire + HEADER_SIZE, &channel->out_body, channel->out_size - HEADER_SIZE);
	ssize_t sent = fdmsg_send(
		channel->fd,
		wire + channel->out_sent,
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
