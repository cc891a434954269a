// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user connection's life: look at a message (channel.c), check it by its rule (table.c), have its descriptors
// kept, take the rings concerned from the workers, handle it (handlers.c), save the session (session.c), give the rings
// back, read the message, reply. Control thread.
//
// This process may end at any instant, and another one goes on (restore.c). What holds for it at each:
//   - Before the session is saved, the other one finds the session of before, and the message unread: it looks at the
//     message anew, descriptors and all, and handles it anew. So a handler changes nothing that outlives the process but
//     by way of the session: regions, their additions and eventfds are those of before. (What was kept for the
//     first look is dropped.)
//   - Rings that this process took from its workers for the message are live in the session of before. They go on where
//     they stand, and that is not in the session: a split ring's used index is in its own memory, a packed ring's index in
//     its place. Nothing is in the air in a ring that the workers gave up, so a base that was told to nobody is not lost:
//     GET_VRING_BASE is answered, the second time, with what the ring says then.
//   - Rings that come alive do so in the saved session before workers know of them, so that no frame moves in a ring
//     that the session says is stopped: the other process would set it to its base again. Going live only
//     notes the base in the place or in the used index, which is where it is found, once or twice the same. (A base
//     that is set while its ring is live is noted before it counts. Nobody does that: vhost-user, "Ring states".)
//   - After the session is saved, it says that the message is to be read and not handled: SO_PEEK_OFF says how much of
//     it is left. What the session replaced is dropped after that, never before: the session of before still has it.
//   - A reply is saved with the session. It was not sent while its message is unread, nor when the socket had no room;
//     it was when the peer has more to read than before. Otherwise nobody can tell, and the connection ends.
#include "vhost/conn.h"

#include "base/cleanup.h"
#include "vhost/session.h"
#include "vhost/table.h"

#include <assert.h>
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

struct vhost_conn *conn_new(
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
	conn->cookie = channel_cookie(&conn->channel);
	conn->last_id = config->state ? config->state->last_id : 0;
	for (unsigned int i = 0; i < conn->queue_count;
	     i++) // vhost.h: odd ones are transmit queues.
		queue_init(&conn->queue[i], i % 2, config->state ? &config->state->place[i] : NULL);
	return conn;
}

struct vhost_conn *vhost_conn_new(
	int fd,
	const struct vhost_conn_config *config,
	const struct vhost_conn_ops *ops,
	void *ctx
)
{
	struct vhost_conn *conn = conn_new(fd, config, ops, ctx);
	if (!conn)
		return NULL;
	int r = channel_rewind(&conn->channel);
	if (r) {
		conn_free(conn);
		errno = -r;
		return NULL;
	}
	session_save(conn);
	return conn;
}

void conn_free(struct vhost_conn *conn)
{
	for (unsigned int i = 0; i < conn->queue_count; i++)
		queue_fini(&conn->queue[i]);
	memory_free(conn->memory);
	channel_fini(&conn->channel);
	free(conn);
}

void vhost_conn_free(struct vhost_conn *conn)
{
	if (!conn)
		return;
	conn->ops->quiesce(conn->ctx);
	conn_free(conn);
}

uint32_t vhost_conn_events(const struct vhost_conn *conn)
{
	bool out = channel_is_pending(&conn->channel) || conn->failure.code;
	return (out ? EPOLLOUT : EPOLLIN) | EPOLLET;
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
	struct rwy_err *err
)
{
	if (rule->protocol_feature & ~conn->protocol_features)
		return err_set(err, -EPROTO, "needs a protocol feature that was not negotiated");
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
			&conn->queue[i], conn->memory, conn->features, false, fatal ? err : NULL
		);
		if (r && fatal) {
			(void)err_prefix(err, "ring %u: ", i); // Only adds text.
			result = r;
		}
	}
	return result;
}

void conn_note_dropped(struct vhost_conn *conn, uint32_t id)
{
	// A message replaces no more than the connection can have.
	assert(conn->dropped_count < VHOST_KEPT_MAX);
	conn->dropped[conn->dropped_count++] = id;
}

void conn_close_kept(struct vhost_conn *conn, int *fd, uint32_t *id)
{
	if (*fd < 0)
		return;
	fd_close(fd);
	conn_note_dropped(conn, *id);
	*id = 0;
}

void conn_tell_dropped(struct vhost_conn *conn)
{
	if (conn->dropped_count && conn->ops->drop)
		conn->ops->drop(conn->ctx, conn->dropped, conn->dropped_count);
	conn->dropped_count = 0;
}

static bool has_id(const struct vhost_conn *conn, uint32_t id)
{
	for (uint32_t i = 0; conn->memory && i < conn->memory->mem.count; i++)
		if (conn->memory->mapping[i].id == id)
			return true;
	for (unsigned int i = 0; i < conn->queue_count; i++) {
		const struct queue *queue = &conn->queue[i];
		if (queue->kick_id == id || queue->call_id == id || queue->err_id == id)
			return true;
	}
	return false;
}

// Stored before anybody is told: the process that comes after this one gives other numbers.
static uint32_t next_id(struct vhost_conn *conn)
{
	do
		conn->last_id++;
	while (!conn->last_id || has_id(conn, conn->last_id)); // After four thousand million.
	if (conn->config.state)
		__atomic_store_n(&conn->config.state->last_id, conn->last_id, __ATOMIC_SEQ_CST);
	return conn->last_id;
}

// The message's descriptors are noted outside of this process before it has any effect.
static int keep(struct vhost_conn *conn, struct rwy_err *err)
{
	struct message *msg = &conn->channel.in;
	struct vhost_kept kept[MESSAGE_FDS_MAX];

	for (size_t i = 0; i < msg->fd_count; i++) {
		msg->ids[i] = next_id(conn);
		kept[i] = (struct vhost_kept){msg->ids[i], msg->fds[i]};
	}
	if (!msg->fd_count || !conn->ops->keep)
		return 0;
	int r = conn->ops->keep(conn->ctx, kept, (uint32_t)msg->fd_count);
	if (r && r != -EAGAIN)
		return err_set(err, r, "cannot note descriptors: %s", strerror(-r));
	return r;
}

static void queue_reply(struct vhost_conn *conn, const union message_body *body, uint32_t size)
{
	channel_reply(&conn->channel, body, size);
	conn->reply = VHOST_STATE_REPLY_TRYING;
	conn->reply_queued = conn->config.state ? channel_queued(&conn->channel) : 0;
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
		queue_reply(conn, &msg->body, rule->reply_size);
	} else if (wants_ack) {
		union message_body ack = {.u64 = failure ? 1 : 0};
		queue_reply(conn, &ack, sizeof(ack.u64));
	}
	return 0;
}

// Sends what is pending, and saves what is known of it: before it is tried, unless that was saved with the session, and after.
static int answer(struct vhost_conn *conn, struct rwy_err *err)
{
	int r = 0;

	if (!channel_is_pending(&conn->channel) && !conn->unread)
		return 0;
	if (conn->reply == VHOST_STATE_REPLY_WAITS) {
		conn->reply = VHOST_STATE_REPLY_TRYING;
		conn->reply_queued = conn->config.state ? channel_queued(&conn->channel) : 0;
		session_save(conn);
	}
	if (channel_is_pending(&conn->channel))
		r = channel_flush(&conn->channel, err);
	conn->reply = channel_is_pending(&conn->channel) ? VHOST_STATE_REPLY_WAITS
							 : VHOST_STATE_REPLY_NONE;
	conn->unread = 0;
	session_save(conn);
	return r;
}

// The message is dealt with once this is saved.
static void commit(struct vhost_conn *conn)
{
	struct message *msg = &conn->channel.in;

	for (size_t i = 0; i < msg->fd_count; i++)
		if (msg->fds[i] >= 0)
			conn_note_dropped(conn, msg->ids[i]);
	channel_close_fds(&conn->channel);
	conn->unread = conn->channel.seen;
	session_save(conn);
}

static int handle(
	struct vhost_conn *conn,
	const struct rule *rule,
	const struct range *range,
	struct rwy_err *err
)
{
	suspend_rings(conn, range);
	int failure = rule->handle(conn, &conn->channel.in, err);
	// After a failure too: it changed nothing, so the rings go on as they were.
	int r = update_rings(conn, rule, range, failure ? NULL : err);
	if (failure || !r)
		r = reply(conn, rule, failure);
	if (!r)
		commit(conn);
	resume(conn);
	if (!r)
		conn_tell_dropped(conn);
	return r;
}

// The message goes, and shows whether what was taken with it was its own.
static int consume(
	struct vhost_conn *conn,
	const struct rule *rule,
	uint32_t fds_due,
	struct rwy_err *err
)
{
	uint32_t fd_count = 0;
	int r = channel_consume(&conn->channel, conn->unread, &fd_count, err);

	if (!r && (fd_count < fds_due || fd_count > fds_due + rule->fds_spare))
		r = err_set(err, -EPROTO, "comes with %u descriptors", fd_count);
	return r;
}

// 1: the message must wait.
static int deal_with(struct vhost_conn *conn, const struct rule *rule, struct rwy_err *err)
{
	struct channel *channel = &conn->channel;
	uint32_t fds_due = table_fds_due(rule, &channel->in);
	struct range range = {0};
	int r = check_message(conn, rule, err);

	if (!r)
		r = find_range(conn, rule, &channel->in, &range, err);
	if (!r)
		r = channel_take_fds(channel, fds_due, err);
	if (!r && channel->in.fd_count != fds_due)
		r = err_set(err, -EPROTO, "comes with %zu descriptors", channel->in.fd_count);
	if (!r)
		r = keep(conn, err);
	if (r == -EAGAIN)
		return 1;
	if (!r)
		r = handle(conn, rule, &range, err);
	return r ? r : consume(conn, rule, fds_due, err);
}

int vhost_conn_process(struct vhost_conn *conn, struct rwy_err *err)
{
	struct channel *channel = &conn->channel;
	int r;

	if (conn->failure.code) {
		*err = conn->failure;
		return err->code;
	}
	for (int i = 0; i < MESSAGES_PER_CALL; i++) {
		r = answer(conn, err);
		if (r || channel_is_pending(channel))
			return r;
		r = channel_receive(channel, err);
		if (r <= 0)
			return r;
		const struct rule *rule = table_find(channel->in.header.request);
		r = deal_with(conn, rule, err);
		channel_close_fds(channel);
		if (r > 0)
			return -EAGAIN;
		if (r) {
			(void)err_prefix(err, "%s: ", rule->name); // Only adds text.
			return r;
		}
	}
	r = answer(conn, err);
	return r || channel_is_pending(channel) ? r : 1;
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

uint32_t vhost_conn_kept(const struct vhost_conn *conn, struct vhost_kept *ret_kept)
{
	uint32_t count = 0;

	for (uint32_t i = 0; conn->memory && i < conn->memory->mem.count; i++) {
		const struct memory_mapping *mapping = &conn->memory->mapping[i];
		ret_kept[count++] = (struct vhost_kept){mapping->id, mapping->fd};
	}
	for (unsigned int i = 0; i < conn->queue_count; i++) {
		const struct queue *queue = &conn->queue[i];
		if (queue->kick_id)
			ret_kept[count++] = (struct vhost_kept){queue->kick_id, queue->pub.kick_fd};
		if (queue->call_id)
			ret_kept[count++] = (struct vhost_kept){queue->call_id, queue->pub.call_fd};
		if (queue->err_id)
			ret_kept[count++] = (struct vhost_kept){queue->err_id, queue->pub.err_fd};
	}
	return count;
}
