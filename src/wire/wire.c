// SPDX-License-Identifier: BSD-3-Clause
// The table of messages: each op's request, reply and event name their fields and how many descriptors may come along.
// codec.c encodes and decodes them. No state; any thread.
#include "wire/wire.h"

#include "base/cleanup.h"
#include "base/fdmsg.h"
#include "wire/codec.h"

#include <errno.h>
#include <string.h>

_Static_assert(WIRE_FDS_MAX <= FDMSG_FDS_MAX, "more descriptors than one message carries");
_Static_assert(WIRE_KEPT_MAX + 2 <= WIRE_FDS_MAX, "a port has more descriptors than one message");
_Static_assert(
	WIRE_STATE_PORTS <= WIRE_FDS_MAX,
	"a state page has more listeners than descriptors"
);

#define WIRE_STR(type, member, flags) FIELD(type, member, FIELD_STR, flags)
#define WIRE_U16(type, member) FIELD(type, member, FIELD_U16, FIELD_REQUIRED)
#define WIRE_U32(type, member) FIELD(type, member, FIELD_U32, FIELD_REQUIRED)
#define WIRE_HEX(type, member) FIELD(type, member, FIELD_HEX64, FIELD_REQUIRED)
#define WIRE_BOOL(type, member) FIELD(type, member, FIELD_BOOL, FIELD_REQUIRED)
#define WIRE_LIMIT(type, member)                                                               \
	{                                                                                      \
		.name = #member, .kind = FIELD_HEX64, .offset = offsetof(type, limits.member), \
		.size = sizeof(uint64_t)                                                       \
	}
// Absent limits are none.
#define WIRE_LIMITS(type)                                                               \
	WIRE_LIMIT(type, rx_bps), WIRE_LIMIT(type, rx_burst), WIRE_LIMIT(type, rx_fps), \
		WIRE_LIMIT(type, rx_frame_burst), WIRE_LIMIT(type, tx_bps),             \
		WIRE_LIMIT(type, tx_burst), WIRE_LIMIT(type, tx_fps),                   \
		WIRE_LIMIT(type, tx_frame_burst), WIRE_LIMIT(type, flood_fps),          \
		WIRE_LIMIT(type, flood_burst)

static const struct field hello_fields[] = {
	WIRE_U32(struct wire_hello, version),
	WIRE_STR(struct wire_hello, program, FIELD_REQUIRED),
	WIRE_U32(struct wire_hello, pid),
	WIRE_HEX(struct wire_hello, start_ns),
	FIELD(struct wire_hello, state_size, FIELD_U32, 0),
	FIELD(struct wire_hello, state_form, FIELD_U32, 0),
	FIELD(struct wire_hello, active, FIELD_BOOL, 0),
	FIELD(struct wire_hello, has_board, FIELD_BOOL, 0),
	FIELD(struct wire_hello, has_listener, FIELD_BOOL, 0),
};

static const struct field id_fields[] = {WIRE_U32(struct wire_id, id)};
static const struct field after_fields[] = {WIRE_U32(struct wire_after, after)};

static const struct field network_fields[] = {
	WIRE_U32(struct wire_network, network),
	WIRE_STR(struct wire_network, name, FIELD_REQUIRED),
	WIRE_U32(struct wire_network, mtu),
	FIELD(struct wire_network, proxy_neighbors, FIELD_BOOL, 0),
};

static const struct field port_fields[] = {
	WIRE_U32(struct wire_port, port),
	WIRE_U32(struct wire_port, network),
	WIRE_STR(struct wire_port, name, FIELD_REQUIRED),
	FIELD(struct wire_port, mac, FIELD_MAC, 0),
	WIRE_U16(struct wire_port, queues),
	FIELD(struct wire_port, kind, FIELD_U32, 0),
	FIELD(struct wire_port, offloads, FIELD_U32, 0),
	WIRE_BOOL(struct wire_port, learning),
	FIELD(struct wire_port, allow_spoof, FIELD_BOOL, 0),
	FIELD(struct wire_port, pin_address, FIELD_BOOL, 0),
	WIRE_STR(struct wire_port, ip, 0),
	WIRE_STR(struct wire_port, ip6, 0),
	FIELD(struct wire_port, no_offloads, FIELD_BOOL, 0),
	FIELD(struct wire_port, has_state, FIELD_BOOL, 0),
	WIRE_STR(struct wire_port, quarantine, 0),
	WIRE_LIMITS(struct wire_port),
};

static const struct field kept_id_fields[] = {WIRE_U32(struct wire_kept_id, id)};

static const struct field kept_fields[] = {
	WIRE_U32(struct wire_kept, port),
	FIELD(struct wire_kept, has_state, FIELD_BOOL, 0),
	FIELD(struct wire_kept, has_conn, FIELD_BOOL, 0),
	FIELD_LIST(struct wire_kept, ids, id_count, kept_id_fields),
};

static const struct field station_fields[] = {
	WIRE_U32(struct wire_station, port),
	WIRE_U32(struct wire_station, network),
	FIELD(struct wire_station, mac, FIELD_MAC, FIELD_REQUIRED),
	WIRE_U32(struct wire_station, epoch),
	WIRE_STR(struct wire_station, ip, 0),
	WIRE_STR(struct wire_station, ip6, 0),
};

static const struct field epoch_fields[] = {WIRE_U32(struct wire_epoch, epoch)};

static const struct field pong_fields[] = {
	WIRE_U32(struct wire_pong, workers),
	WIRE_HEX(struct wire_pong, turns),
	WIRE_BOOL(struct wire_pong, asleep),
};

static const struct field event_fields[] = {
	WIRE_U32(struct wire_port_event, port),
	WIRE_U32(struct wire_port_event, state),
	WIRE_STR(struct wire_port_event, reason, 0),
};

static const struct field drop_fields[] = {
	WIRE_STR(struct wire_drop, reason, FIELD_REQUIRED),
	WIRE_HEX(struct wire_drop, count),
};

static const struct field queue_stats_fields[] = {
	WIRE_U16(struct wire_queue_stats, pair),
	WIRE_U32(struct wire_queue_stats, core),
	WIRE_BOOL(struct wire_queue_stats, awake),
	WIRE_HEX(struct wire_queue_stats, frames),
};

static const struct field port_stats_fields[] = {
	WIRE_U32(struct wire_port_stats, port),
	WIRE_U32(struct wire_port_stats, state),
	WIRE_HEX(struct wire_port_stats, features),
	WIRE_U32(struct wire_port_stats, regions),
	WIRE_HEX(struct wire_port_stats, memory),
	WIRE_HEX(struct wire_port_stats, own_memory),
	WIRE_U16(struct wire_port_stats, queues_live),
	WIRE_HEX(struct wire_port_stats, rx_frames),
	WIRE_HEX(struct wire_port_stats, rx_bytes),
	WIRE_HEX(struct wire_port_stats, tx_frames),
	WIRE_HEX(struct wire_port_stats, tx_bytes),
	WIRE_HEX(struct wire_port_stats, neighbor_answers),
	FIELD_LIST(struct wire_port_stats, drops, drop_count, drop_fields),
	FIELD_LIST(struct wire_port_stats, queues, queue_count, queue_stats_fields),
	WIRE_STR(struct wire_port_stats, reason, 0),
};

static const struct field worker_stats_fields[] = {
	WIRE_U32(struct wire_worker_stats, core),
	WIRE_HEX(struct wire_worker_stats, busy_cycles),
	WIRE_HEX(struct wire_worker_stats, idle_cycles),
	WIRE_HEX(struct wire_worker_stats, turns),
	WIRE_HEX(struct wire_worker_stats, frames),
	WIRE_U32(struct wire_worker_stats, queues),
	WIRE_U32(struct wire_worker_stats, awake),
	WIRE_HEX(struct wire_worker_stats, sleeps),
};

static const struct field stats_fields[] = {
	WIRE_HEX(struct wire_stats, time_ns),
	WIRE_HEX(struct wire_stats, tsc_hz),
	WIRE_HEX(struct wire_stats, cpu_ns),
	FIELD_LIST(struct wire_stats, workers, worker_count, worker_stats_fields),
	FIELD_LIST(struct wire_stats, ports, port_count, port_stats_fields),
	WIRE_BOOL(struct wire_stats, more),
};

static const struct field state_port_fields[] = {
	WIRE_U32(struct wire_state_port, port),
	WIRE_U32(struct wire_state_port, network),
	WIRE_STR(struct wire_state_port, name, FIELD_REQUIRED),
	FIELD(struct wire_state_port, mac, FIELD_MAC, 0),
	WIRE_U16(struct wire_state_port, queues),
	FIELD(struct wire_state_port, kind, FIELD_U32, 0),
	WIRE_BOOL(struct wire_state_port, learning),
	FIELD(struct wire_state_port, allow_spoof, FIELD_BOOL, 0),
	FIELD(struct wire_state_port, pin_address, FIELD_BOOL, 0),
	WIRE_STR(struct wire_state_port, ip, 0),
	WIRE_STR(struct wire_state_port, ip6, 0),
	FIELD(struct wire_state_port, no_offloads, FIELD_BOOL, 0),
	WIRE_LIMITS(struct wire_state_port),
	WIRE_U32(struct wire_state_port, state),
	WIRE_BOOL(struct wire_state_port, has_listener),
};

static const struct field state_fields[] = {
	FIELD_LIST(struct wire_state, networks, network_count, network_fields),
	FIELD_LIST(struct wire_state, ports, port_count, state_port_fields),
	WIRE_BOOL(struct wire_state, more),
};

static const struct codec_op wire_ops[WIRE_OP_COUNT] = {
	[WIRE_HELLO] =
		{"hello",
		 .request = CODEC_SHAPE(hello_fields),
		 .reply = CODEC_SHAPE_FDS(hello_fields, 0, 2)},
	[WIRE_PING] = {"ping", .request = CODEC_SHAPE_EMPTY, .reply = CODEC_SHAPE(pong_fields)},
	[WIRE_NETWORK_ADD] =
		{"network_add", .request = CODEC_SHAPE(network_fields), .reply = CODEC_SHAPE_EMPTY},
	[WIRE_NETWORK_DEL] =
		{"network_del", .request = CODEC_SHAPE(id_fields), .reply = CODEC_SHAPE_EMPTY},
	[WIRE_PORT_ADD] =
		{"port_add",
		 .request = CODEC_SHAPE_FDS(port_fields, 0, 2),
		 .reply = CODEC_SHAPE_EMPTY},
	[WIRE_PORT_SET] =
		{"port_set", .request = CODEC_SHAPE(port_fields), .reply = CODEC_SHAPE_EMPTY},
	[WIRE_PORT_DEL] =
		{"port_del", .request = CODEC_SHAPE(id_fields), .reply = CODEC_SHAPE_EMPTY},
	[WIRE_CONN_ADD] =
		{"conn_add",
		 .request = CODEC_SHAPE_FDS(id_fields, 1, 1),
		 .reply = CODEC_SHAPE_EMPTY},
	[WIRE_CONN_RESTORE] =
		{"conn_restore",
		 .request = CODEC_SHAPE_FDS(kept_fields, 1, WIRE_KEPT_MAX + 1),
		 .reply = CODEC_SHAPE_EMPTY},
	[WIRE_PORT_FDS] =
		{"port_fds",
		 .request = CODEC_SHAPE(id_fields),
		 .reply = CODEC_SHAPE_FDS(kept_fields, 0, WIRE_KEPT_MAX + 2)},
	[WIRE_STATION_ADD] =
		{"station_add", .request = CODEC_SHAPE(station_fields), .reply = CODEC_SHAPE_EMPTY},
	[WIRE_STATION_DEL] =
		{"station_del", .request = CODEC_SHAPE(station_fields), .reply = CODEC_SHAPE_EMPTY},
	[WIRE_STATION_SWEEP] =
		{"station_sweep", .request = CODEC_SHAPE(epoch_fields), .reply = CODEC_SHAPE_EMPTY},
	[WIRE_STATS] =
		{"stats", .request = CODEC_SHAPE(after_fields), .reply = CODEC_SHAPE(stats_fields)},
	[WIRE_STATE] =
		{"state",
		 .request = CODEC_SHAPE(after_fields),
		 .reply = CODEC_SHAPE_FDS(state_fields, 0, WIRE_STATE_PORTS)},
	[WIRE_STOP] = {"stop", .request = CODEC_SHAPE_EMPTY, .reply = CODEC_SHAPE_EMPTY},
	[WIRE_START] =
		{"start", .request = {.allowed = true, .fds_max = 1}, .reply = CODEC_SHAPE_EMPTY},
	[WIRE_FREEZE] = {"freeze", .request = CODEC_SHAPE_EMPTY, .reply = CODEC_SHAPE_EMPTY},
	[WIRE_RELEASE] = {"release", .request = CODEC_SHAPE_EMPTY, .reply = CODEC_SHAPE_EMPTY},
	[WIRE_PORT_EVENT] = {"port_event", .event = CODEC_SHAPE(event_fields)},
	[WIRE_KEEP] = {"keep", .event = CODEC_SHAPE_FDS(kept_fields, 1, WIRE_KEPT_MAX)},
	[WIRE_DROP] = {"drop", .event = CODEC_SHAPE(kept_fields)},
};

const char *wire_port_state_text(uint32_t state)
{
	static const char *const text[WIRE_PORT_STATE_COUNT] = {
		"waiting", "connected", "running", "quarantined"};
	return state < WIRE_PORT_STATE_COUNT ? text[state] : "unknown";
}

void wire_msg_close_fds(struct wire_msg *msg)
{
	for (uint32_t i = 0; i < msg->fd_count; i++)
		fd_close(&msg->fds[i]);
	msg->fd_count = 0;
}

static uint32_t listener_count(const struct wire_state *state)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < state->port_count; i++)
		count += state->ports[i].has_listener;
	return count;
}

static void find_fd_range(
	const struct codec_msg *msg,
	const struct codec_shape *shape,
	uint32_t *io_low,
	uint32_t *io_high
)
{
	const struct wire_port *port = msg->args;
	const struct wire_kept *kept = msg->args;
	const struct wire_hello *hello = msg->args;

	if (msg->op == WIRE_STATE && shape->fields == state_fields) {
		*io_low = *io_high = listener_count(msg->args);
	} else if (msg->op == WIRE_HELLO && shape->fds_max && shape->fields == hello_fields) {
		*io_low = *io_high = (uint32_t)hello->has_board + hello->has_listener;
	} else if (msg->op == WIRE_PORT_ADD && shape->fields == port_fields) {
		*io_low = port->has_state;
		*io_high = 1u + port->has_state;
		if (port->kind == WIRE_PORT_TAP)
			*io_low = *io_high = port->queues + (uint32_t)port->has_state;
	} else if (shape->fields == kept_fields && msg->op != WIRE_DROP) {
		*io_low = *io_high = (uint32_t)kept->has_state + kept->has_conn + kept->id_count;
	}
}

static const struct codec wire_codec = {
	.ops = wire_ops,
	.op_count = WIRE_OP_COUNT,
	.datagram_max = WIRE_DATAGRAM_MAX,
	.fd_max = WIRE_FDS_MAX,
	.find_fd_range = find_fd_range,
};

static struct codec_msg view_of(struct wire_msg *msg)
{
	return (struct codec_msg){
		.op = (int)msg->op,
		.id = msg->id,
		.is_reply = msg->is_reply,
		.error = &msg->error,
		.args = &msg->args,
		.fds = msg->fds,
		.fd_count = msg->fd_count,
	};
}

int wire_send(int sock, const struct wire_msg *msg, struct rwy_err *err)
{
	// Sending only reads.
	const struct codec_msg view = view_of((struct wire_msg *)msg);
	return codec_send(&wire_codec, sock, &view, err);
}

// args of a message that is whole.
static size_t args_size(struct wire_msg *msg, bool from_switch)
{
	const struct codec_msg view = view_of(msg);
	const struct codec_shape *shape = codec_shape_of(&wire_codec, &view, from_switch);
	return shape ? codec_args_size(shape) : 0;
}

void wire_msg_init(struct wire_msg *msg, enum wire_op op, bool is_reply)
{
	bool is_event = !wire_ops[op].request.allowed;

	msg->op = op;
	msg->is_reply = is_reply;
	msg->error = (struct rwy_err){0};
	msg->fd_count = 0;
	msg->id = !is_event; // Which tells one from the other below.
	memset(&msg->args, 0, args_size(msg, is_reply || is_event));
	msg->id = 0;
}

void wire_msg_move(struct wire_msg *to, struct wire_msg *from)
{
	memcpy(to, from, offsetof(struct wire_msg, args));
	memcpy(&to->args, &from->args, args_size(from, from->is_reply || from->id == 0));
	memcpy(to->fds, from->fds, sizeof(from->fds[0]) * from->fd_count);
	to->fd_count = from->fd_count;
	from->fd_count = 0;
}

int wire_recv(int sock, bool from_switch, int flags, struct wire_msg *ret_msg, struct rwy_err *err)
{
	ret_msg->fd_count = 0;
	struct codec_msg view = view_of(ret_msg);
	int r = codec_recv(&wire_codec, sock, from_switch, flags, &view, err);
	ret_msg->op = (enum wire_op)view.op;
	ret_msg->id = view.id;
	ret_msg->is_reply = view.is_reply;
	ret_msg->fd_count = view.fd_count;
	if (r)
		wire_msg_close_fds(ret_msg);
	return r;
}
