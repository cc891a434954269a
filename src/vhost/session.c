// SPDX-License-Identifier: BSD-3-Clause
// Saves a connection's session, and takes up one that another process saved: vhost_conn_restore() and
// vhost_conn_go(). Control thread. conn.c says what holds between two savings.
#include "vhost/session.h"

#include "base/cleanup.h"
#include "vhost/handlers.h"
#include "vhost/offer.h"

#include <errno.h>
#include <string.h>

static void save_reply(const struct vhost_conn *conn, struct vhost_session *session)
{
	const struct channel *channel = &conn->channel;

	session->reply = conn->reply;
	session->reply_size = channel->out_size;
	session->reply_sent = channel->out_size ? channel->out_sent : 0;
	session->reply_queued = conn->reply_queued;
	memcpy(session->reply_bytes, channel->out, sizeof(session->reply_bytes));
}

void session_save(struct vhost_conn *conn)
{
	struct vhost_state *state = conn->config.state;

	if (!state)
		return;
	uint32_t next = !(state->current & 1);
	struct vhost_session *session = &state->session[next];
	session->cookie = conn->cookie;
	session->features = conn->features;
	session->protocol_features = conn->protocol_features;
	session->has_features = conn->has_features;
	session->unread = conn->unread;
	save_reply(conn, session);
	session->queue_count = conn->queue_count;
	for (unsigned int i = 0; i < conn->queue_count; i++)
		queue_save(&conn->queue[i], &session->queue[i]);
	session->region_count = conn->memory ? conn->memory->mem.count : 0;
	if (conn->memory)
		memory_save(conn->memory, session->region);
	__atomic_store_n(&state->current, next, __ATOMIC_RELEASE);
	// The other session is not touched before that.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

// Descriptors that were kept and that nobody has taken yet (-1: taken).
struct hoard {
	struct vhost_kept kept[VHOST_KEPT_MAX];
	uint32_t count;
};

// Each once: a session that names one twice is broken.
static int take_kept(struct hoard *hoard, uint32_t id, int *ret_fd, struct rwy_err *err)
{
	for (uint32_t i = 0; i < hoard->count; i++) {
		if (hoard->kept[i].id != id || hoard->kept[i].fd < 0)
			continue;
		*ret_fd = fd_take(&hoard->kept[i].fd);
		return 0;
	}
	return err_set(err, -EPROTO, "descriptor %u is missing", id);
}

static int take_eventfd(
	struct hoard *hoard,
	uint32_t id,
	int *fd,
	uint32_t *ret_id,
	struct rwy_err *err
)
{
	if (!id)
		return 0;
	int r = take_kept(hoard, id, fd, err);
	if (r)
		return r;
	*ret_id = id;
	return queue_check_eventfd(*fd, err);
}

static int restore_queue(
	struct vhost_conn *conn,
	unsigned int index,
	const struct vhost_state_queue *saved,
	struct hoard *hoard,
	struct rwy_err *err
)
{
	struct queue *queue = &conn->queue[index];
	int r = queue_restore(queue, saved, conn->features, conn->has_features, err);

	if (!r)
		r = take_eventfd(hoard, saved->kick_id, &queue->pub.kick_fd, &queue->kick_id, err);
	if (!r)
		r = take_eventfd(hoard, saved->call_id, &queue->pub.call_fd, &queue->call_id, err);
	if (!r)
		r = take_eventfd(hoard, saved->err_id, &queue->pub.err_fd, &queue->err_id, err);
	bool due = queue_is_due(queue, conn->memory, conn->features) && conn->has_features;
	if (!r && queue->recover && !due)
		r = err_set(err, -EPROTO, "live, and lacks what that needs");
	return r ? err_prefix(err, "ring %u: ", index) : 0;
}

static int restore_memory(
	struct vhost_conn *conn,
	const struct vhost_session *session,
	struct hoard *hoard,
	struct rwy_err *err
)
{
	if (session->region_count > VRING_REGIONS_MAX)
		return err_set(err, -EPROTO, "%u memory regions", session->region_count);
	if (!session->region_count)
		return 0;
	conn->memory = memory_new(&conn->memory_lost);
	if (!conn->memory)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < session->region_count; i++) {
		int fd = -1;
		int r = take_kept(hoard, session->region[i].id, &fd, err);
		if (!r)
			r = memory_restore(conn->memory, &session->region[i], fd, err);
		if (r) {
			fd_close(&fd);
			return r;
		}
	}
	return 0;
}

static int restore_features(
	struct vhost_conn *conn,
	const struct vhost_session *session,
	struct rwy_err *err
)
{
	uint64_t offered = offer_features(&conn->config);
	uint64_t settled = offer_settle(session->features);

	if (session->has_features > 1 || (!session->has_features && session->features) ||
	    settled != session->features || session->protocol_features & ~PROTOCOL_OFFERED)
		return err_set(err, -EPROTO, "features that were never negotiated");
	conn->features = session->features;
	conn->has_features = session->has_features;
	conn->protocol_features = session->protocol_features;
	return offer_check(session->features, offered, err);
}

// Whether the reply is still to be sent: conn.c.
static int restore_reply(
	struct vhost_conn *conn,
	const struct vhost_session *session,
	struct rwy_err *err
)
{
	struct channel *channel = &conn->channel;
	int peeked = channel_peeked(channel);

	// Without a message that is to be read, it is what was looked at of the next one.
	if (peeked < 0 || session->unread > MESSAGE_SIZE_MAX ||
	    (session->unread && (uint32_t)peeked > session->unread))
		return err_set(err, -EPROTO, "the socket stands elsewhere");
	conn->unread = session->unread ? (uint32_t)peeked : 0;
	if (session->reply == VHOST_STATE_REPLY_NONE)
		return 0;
	if (session->reply >= VHOST_STATE_REPLY_COUNT ||
	    session->reply_size > sizeof(channel->out) ||
	    session->reply_sent >= session->reply_size)
		return err_set(err, -EPROTO, "a reply that was never made");
	if (session->reply == VHOST_STATE_REPLY_TRYING && !conn->unread) {
		if (channel_queued(channel) > session->reply_queued)
			return 0; // It is small, and went as a whole.
		return err_set(err, -EPROTO, "its last reply may or may not have been sent");
	}
	memcpy(channel->out, session->reply_bytes, sizeof(channel->out));
	channel->out_size = session->reply_size;
	channel->out_sent = session->reply_sent;
	conn->reply = VHOST_STATE_REPLY_WAITS;
	return 0;
}

static int restore_session(struct vhost_conn *conn, struct hoard *hoard, struct rwy_err *err)
{
	const struct vhost_state *state = conn->config.state;
	uint32_t current = __atomic_load_n(&state->current, __ATOMIC_ACQUIRE);

	if (current > 1)
		return err_set(err, -EPROTO, "session %u of 2", current);
	const struct vhost_session *session = &state->session[current];
	// Of the connection before this one: the process ended before it began this one's, and nothing was received.
	if (session->cookie != conn->cookie || !conn->cookie)
		return 0;
	if (session->queue_count != conn->queue_count)
		return err_set(
			err,
			-EPROTO,
			"%u rings instead of %u",
			session->queue_count,
			conn->queue_count
		);
	int r = restore_features(conn, session, err);
	if (!r)
		r = restore_memory(conn, session, hoard, err);
	for (unsigned int i = 0; !r && i < conn->queue_count; i++)
		r = restore_queue(conn, i, &session->queue[i], hoard, err);
	return r ? r : restore_reply(conn, session, err);
}

// What a message brought that was not dealt with, or what was replaced and not dropped yet. vhost_conn_go() drops it.
static void close_rest(struct vhost_conn *conn, struct hoard *hoard)
{
	for (uint32_t i = 0; i < hoard->count; i++)
		if (hoard->kept[i].fd >= 0)
			conn_close_kept(conn, &hoard->kept[i].fd, &hoard->kept[i].id);
}

static void close_all(const struct vhost_kept *kept, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		(void)close(kept[i].fd); // Ours, also on failure.
}

// NOLINTNEXTLINE(readability-function-size): a connection as for vhost_conn_new(), and what was kept of it.
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
	struct hoard hoard = {.count = count};
	struct vhost_conn *conn = conn_new(fd, config, ops, ctx);

	if (!conn || count > VHOST_KEPT_MAX || !config->state) {
		(void)err_set(err, conn ? -EPROTO : -errno, "no session to go on with");
		close_all(kept, count);
		if (conn)
			conn_free(conn);
		return NULL;
	}
	memcpy(hoard.kept, kept, count * sizeof(kept[0]));
	int r = restore_session(conn, &hoard, err);
	close_rest(conn, &hoard);
	if (!r)
		return conn;
	conn_free(conn);
	return NULL;
}

// Every ring that was live, where it stands. It was live there, so what is wrong now is the state's fault.
static int recover_rings(struct vhost_conn *conn, struct rwy_err *err)
{
	for (unsigned int i = 0; i < conn->queue_count; i++) {
		struct queue *queue = &conn->queue[i];
		if (!queue->recover)
			continue;
		queue->recover = false;
		int r = queue_update(queue, conn->memory, conn->features, true, err);
		if (r)
			return err_prefix(err, "ring %u: ", i);
		conn->grown = true;
	}
	return 0;
}

void vhost_conn_go(struct vhost_conn *conn)
{
	struct rwy_err *err = &conn->failure;
	uint32_t fd_count = 0;
	int r = channel_consume(&conn->channel, conn->unread, &fd_count, err);

	if (!r)
		r = channel_rewind(&conn->channel);
	if (!r)
		r = recover_rings(conn, err);
	if (r) {
		if (!err->code)
			(void)err_set(err, r, "cannot go on: %s", strerror(-r));
		return;
	}
	conn->unread = 0;
	session_save(conn);
	conn_tell_dropped(conn);
	if (!conn->grown)
		return;
	conn->grown = false;
	conn->ops->resume(conn->ctx);
}
