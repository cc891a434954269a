// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user connection's life: receive a message (channel.c), check it by its rule (table.c), take the
// rings concerned from the workers, handle it (handlers.c), give them back, reply. Control
// thread; calls the owner's ops from here only.
#include "vhost/conn.h"

#include "vhost/table.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

// Messages handled in one call, so that no front end delays another's.
#define MESSAGES_PER_CALL 8

// The rings that a message concerns: queue[first .. end).
struct range {
	unsigned int first;
	unsigned int end;
};

struct vhost_conn *vhost_conn_new(
	int fd,
	const struct vhost_conn_config *config,
	const struct vhost_conn_ops *ops,
	void *ctx
)
{
	unsigned int queue_count = 2u * config->queue_pairs;
	struct vhost_conn *conn = calloc(1, sizeof(*conn) + queue_count * sizeof(conn->queue[0]));
	int flags = fcntl(fd, F_GETFL);
	if (!conn || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK)) {
		int saved_errno = errno;
		free(conn);
		(void)close(fd); // Ours, also on failure.
		errno = saved_errno;
		return NULL;
	}
	channel_init(&conn->channel, fd);
	conn->config = *config;
	conn->ops = ops;
	conn->ctx = ctx;
	conn->queue_count = queue_count;
	for (unsigned int i = 0; i < conn->queue_count; i++)
		queue_init(&conn->queue[i], i % 2); // vhost.h: odd ones are transmit queues.
	return conn;
}

void vhost_conn_free(struct vhost_conn *conn)
{
	if (!conn)
		return;
	conn->ops->quiesce(conn->ctx);
	for (unsigned int i = 0; i < conn->queue_count; i++)
		queue_fini(&conn->queue[i]);
	memory_free(conn->memory);
	channel_fini(&conn->channel);
	free(conn);
}

uint32_t vhost_conn_events(const struct vhost_conn *conn)
{
	return channel_is_pending(&conn->channel) ? EPOLLOUT : EPOLLIN;
}

int vhost_conn_fd(const struct vhost_conn *conn)
{
	return conn->channel.fd;
}

static int find_range(
	const struct vhost_conn *conn,
	const struct rule *rule,
	const struct message *msg,
	struct range *ret_range,
	struct rwy_err *err
)
{
	uint64_t index = msg->body.state.index;

	if (rule->scope == SCOPE_NONE || rule->scope == SCOPE_RINGS) {
		unsigned int end = rule->scope == SCOPE_RINGS ? conn->queue_count : 0;
		*ret_range = (struct range){.end = end};
		return 0;
	}
	if (rule->scope == SCOPE_RING_FD)
		index = msg->body.u64 & MESSAGE_RING_MASK;
	if (index >= conn->queue_count)
		return err_set(
			err, -EPROTO, "ring %u of %u", (unsigned int)index, conn->queue_count
		);
	*ret_range = (struct range){.first = (unsigned int)index, .end = (unsigned int)index + 1};
	return 0;
}

static int check_message(
	const struct vhost_conn *conn,
	const struct rule *rule,
	const struct message *msg,
	struct rwy_err *err
)
{
	if (rule->protocol_feature & ~conn->protocol_features)
		return err_set(err, -EPROTO, "needs a protocol feature that was not negotiated");
	if (msg->fd_count < rule->fds_min || msg->fd_count > rule->fds_max)
		return err_set(err, -EPROTO, "comes with %zu descriptors", msg->fd_count);
	return 0;
}

// Workers let go, at the first change within a message that they could see.
static void quiesce(struct vhost_conn *conn)
{
	if (conn->quiesced)
		return;
	conn->quiesced = true;
	conn->ops->quiesce(conn->ctx);
}

static void resume(struct vhost_conn *conn)
{
	if (!conn->quiesced && !conn->grown)
		return;
	conn->quiesced = false;
	conn->grown = false;
	conn->ops->resume(conn->ctx);
}

// A ring that is not live is none of the workers' business.
static void suspend_rings(struct vhost_conn *conn, const struct range *range)
{
	for (unsigned int i = range->first; i < range->end; i++) {
		if (!conn->queue[i].pub.live)
			continue;
		quiesce(conn);
		queue_suspend(&conn->queue[i]);
	}
}

// Judges the rings anew. A ring that lost its memory is not live, and that is all; one that
// was itself set up badly ends the connection.
static int update_rings(
	struct vhost_conn *conn,
	const struct rule *rule,
	const struct range *range,
	struct rwy_err *err
)
{
	int result = 0;

	if (!conn->has_features)
		return 0; // How rings are to be read is not known yet.
	for (unsigned int i = range->first; i < range->end; i++) {
		bool fatal = rule->scope != SCOPE_RINGS;
		if (!queue_is_due(&conn->queue[i], conn->memory, conn->features))
			continue;
		// Not live, so no worker knows it: the others need not stop for it.
		conn->grown = true;
		int r = queue_update(
			&conn->queue[i], conn->memory, conn->features, fatal ? err : NULL
		);
		if (r && fatal) {
			(void)err_prefix(err, "ring %u: ", i); // Only adds text.
			result = r;
		}
	}
	return result;
}

// "REPLY_ACK": zero for success, anything else for failure, unless the message has a reply anyway.
static int reply(struct vhost_conn *conn, const struct rule *rule, int failure)
{
	struct message *msg = &conn->channel.in;
	bool wants_ack = (msg->header.flags & MESSAGE_NEED_REPLY) &&
		(conn->protocol_features & PROTOCOL_REPLY_ACK);

	if (failure && !(rule->recoverable && wants_ack))
		return failure;
	if (rule->reply_size) {
		channel_reply(&conn->channel, &msg->body, rule->reply_size);
	} else if (wants_ack) {
		union message_body ack = {.u64 = failure ? 1 : 0};
		channel_reply(&conn->channel, &ack, sizeof(ack.u64));
	}
	return 0;
}

static int handle(struct vhost_conn *conn, const struct rule *rule, struct rwy_err *err)
{
	struct message *msg = &conn->channel.in;
	struct range range = {0};
	int r = check_message(conn, rule, msg, err);
	if (!r)
		r = find_range(conn, rule, msg, &range, err);
	if (r)
		return r;
	suspend_rings(conn, &range);
	int failure = rule->handle(conn, msg, err);
	// After a failure too: it changed nothing, so the rings go on as they were.
	r = update_rings(conn, rule, &range, failure ? NULL : err);
	resume(conn);
	return r && !failure ? r : reply(conn, rule, failure);
}

int vhost_conn_process(struct vhost_conn *conn, struct rwy_err *err)
{
	struct channel *channel = &conn->channel;

	for (int i = 0; i < MESSAGES_PER_CALL; i++) {
		int r = channel_flush(channel, err);
		if (r || channel_is_pending(channel))
			return r;
		r = channel_receive(channel, err);
		if (r <= 0)
			return r;
		const struct rule *rule = table_find(channel->in.header.request);
		r = handle(conn, rule, err);
		channel_consume(channel);
		if (r) {
			(void)err_prefix(err, "%s: ", rule->name); // Only adds text.
			return r;
		}
	}
	return channel_flush(channel, err);
}

bool vhost_conn_is_gone(const struct vhost_conn *conn)
{
	struct pollfd pfd = {.fd = conn->channel.fd, .events = POLLRDHUP};

	return poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

struct vhost_queue *vhost_conn_queue(struct vhost_conn *conn, unsigned int index)
{
	return index < conn->queue_count ? &conn->queue[index].pub : NULL;
}

uint64_t vhost_conn_features(const struct vhost_conn *conn)
{
	return conn->features;
}

uint64_t vhost_conn_protocol_features(const struct vhost_conn *conn)
{
	return conn->protocol_features;
}

uint32_t vhost_conn_regions(const struct vhost_conn *conn, uint64_t *ret_size)
{
	*ret_size = conn->memory ? conn->memory->size : 0;
	return conn->memory ? conn->memory->mem.count : 0;
}

size_t vhost_conn_own_memory(const struct vhost_conn *conn)
{
	return sizeof(*conn) + conn->queue_count * sizeof(conn->queue[0]) +
		(conn->memory ? sizeof(*conn->memory) : 0);
}

bool vhost_conn_memory_lost(const struct vhost_conn *conn)
{
	return atomic_load(&conn->memory_lost);
}

struct vhost_conn *vhost_conn_restore(
	int fd,
	const struct vhost_conn_config *config,
	const struct vhost_conn_ops *ops,
	void *ctx,
	const struct vhost_kept *kept,
	uint32_t count,
	struct rwy_err *err
)
{
	(void)close(fd); // Not taken up.
	for (uint32_t i = 0; i < count; i++)
		(void)close(kept[i].fd); // The same.
	(void)err_set(err, -EPROTO, "sessions are not taken up yet");
	return NULL;
}

void vhost_conn_go(struct vhost_conn *conn)
{
}

uint32_t vhost_conn_kept(const struct vhost_conn *conn, struct vhost_kept *ret_kept)
{
	return 0;
}
