// SPDX-License-Identifier: BSD-3-Clause
// The effect of each vhost-user message (names as in the specification). conn.c has checked size,
// descriptor count, protocol feature and ring index by the table, has suspended the rings concerned,
// and judges them anew afterwards. Control thread.
#include "vhost/handlers.h"

#include "base/cleanup.h"
#include "vhost/conn.h"
#include "vhost/offer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

// IPv4's least MTU (virtio 1.1, 5.1.4.1: 68 to 65535).
#define MTU_MIN 68

static struct queue *state_queue(struct vhost_conn *conn, const struct message *msg)
{
	return &conn->queue[msg->body.state.index];
}

static struct queue *fd_queue(struct vhost_conn *conn, const struct message *msg)
{
	return &conn->queue[msg->body.u64 & MESSAGE_RING_MASK];
}

int handle_get_features(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	msg->body.u64 = offer_features(&conn->config);
	return 0;
}

static bool any_started(const struct vhost_conn *conn)
{
	for (unsigned int i = 0; i < conn->queue_count; i++)
		if (conn->queue[i].pub.started)
			return true;
	return false;
}

// Rings that were started before their form was known.
static int check_started(const struct vhost_conn *conn, uint64_t features, struct rwy_err *err)
{
	for (unsigned int i = 0; i < conn->queue_count; i++) {
		const struct queue *queue = &conn->queue[i];
		if (!queue->pub.started || !queue->size)
			continue;
		int r = queue_check(queue, features, err);
		if (r) {
			(void)err_prefix(err, "ring %u: ", i); // Only adds text.
			return r;
		}
	}
	return 0;
}

int handle_set_features(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	uint64_t features = offer_settle(msg->body.u64);

	int r = offer_check(msg->body.u64, offer_features(&conn->config), err);
	if (r)
		return r;
	// They say how the rings are read (virtio 1.1, 3.1.1: negotiated before any ring is used).
	if (conn->has_features && features != conn->features && any_started(conn))
		return err_set(err, -EPROTO, "features changed while a ring is running");
	r = check_started(conn, features, err);
	if (r)
		return r;
	conn->features = features;
	conn->has_features = true;
	return 0;
}

// "Sets the sender as the front-end of the session": a connection has one already.
int handle_set_owner(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	return 0;
}

static void stop_queue(struct vhost_conn *conn, struct queue *queue)
{
	queue->pub.started = false;
	queue->has_place = false;
	conn_close_kept(conn, &queue->pub.kick_fd, &queue->kick_id);
}

// "It is recommended that back-ends either ignore this message, or use it to disable all rings."
// Without protocol features nothing could enable them again: they are stopped then.
int handle_reset_owner(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	for (unsigned int i = 0; i < conn->queue_count; i++) {
		if (conn->features & VHOST_FEATURE_PROTOCOL_FEATURES)
			conn->queue[i].order = QUEUE_ORDER_DISABLE;
		else
			stop_queue(conn, &conn->queue[i]);
	}
	return 0;
}

// "Disable all rings and reset the internal device state to the initial values". The session goes on,
// so what belongs to it stays: protocol features, and memory, whose regions QEMU does not add again.
int handle_reset_device(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	for (unsigned int i = 0; i < conn->queue_count; i++) {
		struct queue *queue = &conn->queue[i];
		conn_close_kept(conn, &queue->pub.kick_fd, &queue->kick_id);
		conn_close_kept(conn, &queue->pub.call_fd, &queue->call_id);
		conn_close_kept(conn, &queue->pub.err_fd, &queue->err_id);
		queue_fini(queue);
	}
	conn->features = 0;
	conn->has_features = false;
	return 0;
}

int handle_get_protocol_features(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	msg->body.u64 = PROTOCOL_OFFERED;
	return 0;
}

int handle_set_protocol_features(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	uint64_t alien = msg->body.u64 & ~PROTOCOL_OFFERED;

	if (alien)
		return err_set(
			err, -EPROTO, "protocol features 0x%" PRIx64 " were not offered", alien
		);
	conn->protocol_features = msg->body.u64;
	return 0;
}

// For network devices every front end takes the answer as pairs of queues.
int handle_get_queue_num(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	msg->body.u64 = conn->config.queue_pairs;
	return 0;
}

// The new table is mapped whole before the old one goes, so that a bad one changes nothing.
int handle_set_mem_table(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	const struct message_regions *regions = &msg->body.regions;
	uint32_t count = regions->count;

	if (count < 1 || count > MESSAGE_REGIONS_MAX)
		return err_set(err, -EPROTO, "%u memory regions", count);
	if (msg->header.size < offsetof(struct message_regions, region[count]))
		return err_set(
			err, -EPROTO, "%u regions in a payload of %u bytes", count, msg->header.size
		);
	struct memory *memory = memory_new(&conn->memory_lost);
	if (!memory)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < count; i++) {
		int r = memory_add(memory, &regions->region[i], msg->fds[i], msg->ids[i], err);
		if (r) {
			memory_free(memory);
			return r;
		}
		msg->fds[i] = -1; // Taken.
	}
	for (uint32_t i = 0; conn->memory && i < conn->memory->mem.count; i++)
		conn_note_dropped(conn, conn->memory->mapping[i].id);
	memory_free(conn->memory);
	conn->memory = memory;
	return 0;
}

int handle_get_max_mem_slots(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	msg->body.u64 = VRING_REGIONS_MAX;
	return 0;
}

int handle_add_mem_reg(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	if (!conn->memory)
		conn->memory = memory_new(&conn->memory_lost);
	if (!conn->memory)
		return err_set(err, -ENOMEM, "out of memory");
	if (memory_add_again(conn->memory, &msg->body.slot.region, msg->fds[0]))
		return 0;
	int r = memory_add(conn->memory, &msg->body.slot.region, msg->fds[0], msg->ids[0], err);
	if (r)
		return r;
	msg->fds[0] = -1; // Taken.
	return 0;
}

int handle_rem_mem_reg(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	if (!conn->memory)
		return err_set(err, -ENOENT, "there is no memory");
	uint32_t id = 0;
	int r = memory_remove(conn->memory, &msg->body.slot.region, &id, err);
	if (r)
		return r;
	if (id)
		conn_note_dropped(conn, id);
	return 0;
}

// Judged before anything changes. Before the ring's form is known, whatever any form allows may come; it is judged
// again when the ring goes live.
int handle_set_vring_num(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	uint32_t size = msg->body.state.num;
	bool packed = !conn->has_features || conn->features & VHOST_FEATURE_RING_PACKED;
	int r = queue_check_size(size, packed, err);

	if (r) {
		(void)err_prefix(err, "ring %u: ", msg->body.state.index); // Only adds text.
		return r;
	}
	state_queue(conn, msg)->size = size;
	return 0;
}

int handle_set_vring_addr(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	const struct message_ring_addr *addr = &msg->body.addr;
	struct queue *queue = state_queue(conn, msg);

	if (addr->flags)
		return err_set(err, -EPROTO, "ring %u wants logging", addr->index);
	queue->desc = addr->desc;
	queue->avail = addr->avail;
	queue->used = addr->used;
	queue->has_addr = true;
	return 0;
}

// A split ring's index has 16 bits; a packed one's place has 32 (vhost-user, "SET_VRING_BASE"), and depends on the
// size, which may follow.
int handle_set_vring_base(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	uint32_t base = msg->body.state.num;
	struct queue *queue = state_queue(conn, msg);
	bool split = conn->has_features && !(conn->features & VHOST_FEATURE_RING_PACKED);

	if (split && base > UINT16_MAX)
		return err_set(err, -EPROTO, "ring %u at index %u", msg->body.state.index, base);
	queue->base = base;
	queue->has_base = true;
	queue->has_place = false;
	return 0;
}

// "Ring states": stops the ring, so that only another SET_VRING_KICK starts it again.
int handle_get_vring_base(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	struct queue *queue = state_queue(conn, msg);

	stop_queue(conn, queue);
	msg->body.state.num = queue_base(queue, conn->features);
	return 0;
}

// The payload of SET_VRING_KICK, _CALL and _ERR: the NOFD bit and a descriptor exclude each other. Without one
// *slot is -1.
static int replace_eventfd(
	struct vhost_conn *conn,
	struct message *msg,
	int *slot,
	uint32_t *slot_id,
	struct rwy_err *err
)
{
	bool none = msg->body.u64 & MESSAGE_RING_NOFD;
	uint64_t unknown = msg->body.u64 & ~(MESSAGE_RING_MASK | MESSAGE_RING_NOFD);

	if (unknown)
		return err_set(err, -EPROTO, "payload 0x%" PRIx64, msg->body.u64);
	int r = none ? 0 : queue_check_eventfd(msg->fds[0], err);
	if (r)
		return r;
	conn_close_kept(conn, slot, slot_id);
	if (!none) {
		*slot = fd_take(&msg->fds[0]);
		*slot_id = msg->ids[0];
	}
	return 0;
}

int handle_set_vring_kick(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	struct queue *queue = fd_queue(conn, msg);
	int r = replace_eventfd(conn, msg, &queue->pub.kick_fd, &queue->kick_id, err);
	if (r)
		return r;
	queue->pub.started = true;
	return 0;
}

int handle_set_vring_call(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	struct queue *queue = fd_queue(conn, msg);
	return replace_eventfd(conn, msg, &queue->pub.call_fd, &queue->call_id, err);
}

int handle_set_vring_err(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	struct queue *queue = fd_queue(conn, msg);
	return replace_eventfd(conn, msg, &queue->pub.err_fd, &queue->err_id, err);
}

// Legal only with protocol features; old virtio-user sends it without, so it is obeyed always.
int handle_set_vring_enable(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	uint32_t enable = msg->body.state.num;

	if (enable > 1)
		return err_set(err, -EPROTO, "ring %u to state %u", msg->body.state.index, enable);
	state_queue(conn, msg)->order = enable ? QUEUE_ORDER_ENABLE : QUEUE_ORDER_DISABLE;
	return 0;
}

// "The first 6 bytes of the payload contain the mac address of the guest".
int handle_send_rarp(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	uint8_t mac[MAC_SIZE];

	memcpy(mac, &msg->body.u64, sizeof(mac));
	if (mac_is_multicast(mac) || mac_is_zero(mac))
		return err_set(err, -EPROTO, "a guest with a multicast or no address");
	conn->ops->announce(conn->ctx, mac);
	return 0;
}

// "Back-end must respond with zero in case the specified MTU is valid, or non-zero otherwise."
int handle_net_set_mtu(struct vhost_conn *conn, struct message *msg, struct rwy_err *err)
{
	uint64_t most = conn->config.mtu ? conn->config.mtu : UINT16_MAX;

	if (msg->body.u64 < MTU_MIN || msg->body.u64 > most)
		return err_set(
			err,
			-EINVAL,
			"MTU %" PRIu64 " is not from %u to %" PRIu64,
			msg->body.u64,
			MTU_MIN,
			most
		);
	return 0;
}
