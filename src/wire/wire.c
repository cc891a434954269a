// SPDX-License-Identifier: BSD-3-Clause
// The table of messages, and the only encoder and decoder of them. Each op's request, reply and
// event name their fields and how many descriptors may come along; everything else is refused. No
// state; any thread.
#include "wire/wire.h"

#include "base/cleanup.h"
#include "base/fdmsg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(WIRE_FDS_MAX <= FDMSG_FDS_MAX, "more descriptors than one message carries");
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
	FIELD(struct wire_port, no_offloads, FIELD_BOOL, 0),
	WIRE_LIMITS(struct wire_port),
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

static const struct field error_fields[] = {
	{.name = "errno",
	 .kind = FIELD_S32,
	 .flags = FIELD_REQUIRED,
	 .offset = offsetof(struct rwy_err, code),
	 .size = sizeof(((struct rwy_err *)0)->code)},
	{.name = "message",
	 .kind = FIELD_STR,
	 .offset = offsetof(struct rwy_err, msg),
	 .size = ERR_MSG_SIZE},
	{.name = "hint",
	 .kind = FIELD_STR,
	 .offset = offsetof(struct rwy_err, hint),
	 .size = ERR_HINT_SIZE},
};

// What one direction of an op carries. Absent shapes (no request of an event) have allowed false.
struct wire_shape {
	bool allowed;
	const struct field *fields;
	size_t field_count;
	uint32_t fds_min, fds_max;
};

#define SHAPE(table, min, max)                                                         \
	{                                                                              \
		.allowed = true, .fields = (table), .field_count = FIELD_COUNT(table), \
		.fds_min = (min), .fds_max = (max)                                     \
	}
#define SHAPE_EMPTY             \
	{                       \
		.allowed = true \
	}

struct wire_op_entry {
	const char *name;
	struct wire_shape request;
	struct wire_shape reply;
	struct wire_shape event;
};

static const struct wire_op_entry wire_ops[WIRE_OP_COUNT] = {
	[WIRE_HELLO] =
		{"hello", .request = SHAPE(hello_fields, 0, 0), .reply = SHAPE(hello_fields, 0, 0)},
	[WIRE_PING] = {"ping", .request = SHAPE_EMPTY, .reply = SHAPE(pong_fields, 0, 0)},
	[WIRE_NETWORK_ADD] =
		{"network_add", .request = SHAPE(network_fields, 0, 0), .reply = SHAPE_EMPTY},
	[WIRE_NETWORK_DEL] =
		{"network_del", .request = SHAPE(id_fields, 0, 0), .reply = SHAPE_EMPTY},
	[WIRE_PORT_ADD] = {"port_add", .request = SHAPE(port_fields, 0, 1), .reply = SHAPE_EMPTY},
	[WIRE_PORT_SET] = {"port_set", .request = SHAPE(port_fields, 0, 0), .reply = SHAPE_EMPTY},
	[WIRE_PORT_DEL] = {"port_del", .request = SHAPE(id_fields, 0, 0), .reply = SHAPE_EMPTY},
	[WIRE_CONN_ADD] = {"conn_add", .request = SHAPE(id_fields, 1, 1), .reply = SHAPE_EMPTY},
	[WIRE_STATION_ADD] =
		{"station_add", .request = SHAPE(station_fields, 0, 0), .reply = SHAPE_EMPTY},
	[WIRE_STATION_DEL] =
		{"station_del", .request = SHAPE(station_fields, 0, 0), .reply = SHAPE_EMPTY},
	[WIRE_STATION_SWEEP] =
		{"station_sweep", .request = SHAPE(epoch_fields, 0, 0), .reply = SHAPE_EMPTY},
	[WIRE_STATS] =
		{"stats", .request = SHAPE(after_fields, 0, 0), .reply = SHAPE(stats_fields, 0, 0)},
	[WIRE_STATE] =
		{"state",
		 .request = SHAPE(after_fields, 0, 0),
		 .reply = SHAPE(state_fields, 0, WIRE_STATE_PORTS)},
	[WIRE_STOP] = {"stop", .request = SHAPE_EMPTY, .reply = SHAPE_EMPTY},
	[WIRE_PORT_EVENT] = {"port_event", .event = SHAPE(event_fields, 0, 0)},
};

static const struct wire_shape wire_shape_empty = SHAPE_EMPTY;

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

// Which args msg carries by its op, direction and id. NULL: the table has no such message.
static const struct wire_shape *msg_shape(const struct wire_msg *msg, bool from_switch)
{
	if ((unsigned int)msg->op >= WIRE_OP_COUNT)
		return NULL;
	const struct wire_op_entry *op = &wire_ops[msg->op];
	const struct wire_shape *shape = &op->event;
	if (msg->is_reply)
		shape = &op->reply;
	else if (!from_switch)
		shape = &op->request;
	if (!shape->allowed || (shape == &op->event) != (msg->id == 0))
		return NULL;
	// A failed reply carries nothing but the error.
	return msg->is_reply && msg->error.code ? &wire_shape_empty : shape;
}

static uint32_t listener_count(const struct wire_state *state)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < state->port_count; i++)
		count += state->ports[i].has_listener;
	return count;
}

// Some messages say themselves how many descriptors come along.
static void find_fd_range(
	const struct wire_msg *msg,
	const struct wire_shape *shape,
	uint32_t *ret_low,
	uint32_t *ret_high
)
{
	const struct wire_port *port = &msg->args.port;

	*ret_low = shape->fds_min;
	*ret_high = shape->fds_max;
	if (msg->op == WIRE_STATE && shape->fields == state_fields)
		*ret_low = *ret_high = listener_count(&msg->args.state);
	else if (msg->op == WIRE_PORT_ADD && shape->fields == port_fields && port->kind == WIRE_PORT_TAP)
		*ret_low = *ret_high = port->queues;
}

static int check_fds(
	const struct wire_msg *msg,
	const struct wire_shape *shape,
	struct rwy_err *err
)
{
	uint32_t low;
	uint32_t high;
	find_fd_range(msg, shape, &low, &high);
	if (msg->fd_count >= low && msg->fd_count <= high)
		return 0;
	return err_set(
		err,
		-EPROTO,
		"message '%s' has %" PRIu32 " descriptors, not %" PRIu32 " to %" PRIu32,
		wire_ops[msg->op].name,
		msg->fd_count,
		low,
		high
	);
}

static json_t *encode_error(const struct rwy_err *error)
{
	struct rwy_err positive = *error;
	positive.code = -error->code;
	json_t *object = json_object();
	if (object && fields_encode(&positive, error_fields, FIELD_COUNT(error_fields), object)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *encode_args(const struct wire_msg *msg, const struct wire_shape *shape)
{
	json_t *object = json_object();
	if (object && fields_encode(&msg->args, shape->fields, shape->field_count, object)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *encode_msg(const struct wire_msg *msg, const struct wire_shape *shape)
{
	bool failed = msg->is_reply && msg->error.code;
	_cleanup_json_ json_t *body = failed ? encode_error(&msg->error) : encode_args(msg, shape);
	if (!body)
		return NULL;
	return json_pack(
		"{s:s, s:I, s:O}",
		"op",
		wire_ops[msg->op].name,
		"id",
		(json_int_t)msg->id,
		failed ? "error" : "args",
		body
	);
}

int wire_send(int sock, const struct wire_msg *msg, struct rwy_err *err)
{
	bool from_switch = msg->is_reply || msg->id == 0;
	const struct wire_shape *shape = msg_shape(msg, from_switch);
	if (!shape)
		return err_set(
			err,
			-EINVAL,
			"there is no message %d with id %" PRIu32,
			(int)msg->op,
			msg->id
		);
	int r = check_fds(msg, shape, err);
	if (r)
		return r;
	_cleanup_json_ json_t *json = encode_msg(msg, shape);
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!text)
		return err_set(err, -ENOMEM, "cannot encode message '%s'", wire_ops[msg->op].name);
	size_t size = strlen(text);
	if (size > WIRE_DATAGRAM_MAX)
		return err_set(
			err,
			-EMSGSIZE,
			"message '%s' has %zu bytes, the limit is %d",
			wire_ops[msg->op].name,
			size,
			WIRE_DATAGRAM_MAX
		);
	ssize_t sent = fdmsg_send(sock, text, size, msg->fds, msg->fd_count, 0);
	if (sent == -ECONNRESET || sent == -ENOTCONN)
		sent = -EPIPE;
	if (sent < 0)
		return err_set(
			err,
			(int)sent,
			"cannot send message '%s': %s",
			wire_ops[msg->op].name,
			strerror((int)-sent)
		);
	return 0;
}

static int decode_op(json_t *value, struct wire_msg *msg, struct rwy_err *err)
{
	const char *name = json_string_value(value);
	for (int op = 0; name && op < WIRE_OP_COUNT; op++) {
		if (strcmp(name, wire_ops[op].name) != 0)
			continue;
		msg->op = (enum wire_op)op;
		return 0;
	}
	return err_set(err, -EPROTO, "unknown message '%.40s'", name ? name : "");
}

static int decode_error(json_t *body, struct wire_msg *msg, struct rwy_err *err)
{
	int r = fields_decode(body, error_fields, FIELD_COUNT(error_fields), &msg->error, err);
	if (r)
		return r;
	if (!msg->is_reply || msg->error.code <= 0 || msg->error.code > 4095)
		return err_set(err, -EPROTO, "an error that is none");
	msg->error.code = -msg->error.code;
	return 0;
}

// Exactly op, id and one of args and error.
static int decode_msg(json_t *json, bool from_switch, struct wire_msg *msg, struct rwy_err *err)
{
	json_t *id = json_object_get(json, "id");
	json_t *args = json_object_get(json, "args");
	json_t *error = json_object_get(json, "error");
	if (json_object_size(json) != 3 || !json_is_integer(id) || !args == !error)
		return err_set(err, -EPROTO, "not an object of op, id and args or error");
	json_int_t number = json_integer_value(id);
	if (number < 0 || number > INT32_MAX)
		return err_set(err, -EPROTO, "id %" JSON_INTEGER_FORMAT " is out of range", number);
	msg->id = (uint32_t)number;
	msg->is_reply = from_switch && number > 0;
	int r = decode_op(json_object_get(json, "op"), msg, err);
	if (!r && error)
		r = decode_error(error, msg, err);
	if (r)
		return r;
	const struct wire_shape *shape = msg_shape(msg, from_switch);
	if (!shape)
		return err_set(
			err,
			-EPROTO,
			"no message '%s' with id %" PRIu32 " goes this way",
			wire_ops[msg->op].name,
			msg->id
		);
	if (args)
		r = fields_decode(args, shape->fields, shape->field_count, &msg->args, err);
	return r ? r : check_fds(msg, shape, err);
}

static int parse_msg(
	const char *data,
	size_t size,
	bool from_switch,
	struct wire_msg *msg,
	struct rwy_err *err
)
{
	json_error_t problem;
	_cleanup_json_ json_t *json = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
	if (!json)
		return err_set(err, -EPROTO, "not JSON: %s", problem.text);
	return decode_msg(json, from_switch, msg, err) ? -EPROTO : 0;
}

int wire_recv(int sock, bool from_switch, int flags, struct wire_msg *ret_msg, struct rwy_err *err)
{
	_cleanup_free_ char *data = malloc(WIRE_DATAGRAM_MAX);
	_cleanup_free_ struct wire_msg *msg = calloc(1, sizeof(*msg));
	if (!data || !msg)
		return err_set(err, -ENOMEM, "no memory for a message");
	struct fdmsg_buf buf = {
		.data = data,
		.data_size = WIRE_DATAGRAM_MAX,
		.fds = msg->fds,
		.fd_max = WIRE_FDS_MAX,
	};
	ssize_t size = fdmsg_recv(sock, &buf, flags);
	if (size == -EAGAIN)
		return -EAGAIN;
	msg->fd_count = (uint32_t)buf.fd_count;
	int r = 0;
	if (size == 0 || size == -ECONNRESET)
		r = err_set(err, -EPIPE, "the peer closed the connection");
	else if (size == -EMSGSIZE)
		r = err_set(err, -EPROTO, "a message is larger than %d bytes", WIRE_DATAGRAM_MAX);
	else if (size < 0)
		r = err_set(err, (int)size, "cannot receive: %s", strerror((int)-size));
	else
		r = parse_msg(data, (size_t)size, from_switch, msg, err);
	if (r) {
		if (err)
			err->code = r;
		wire_msg_close_fds(msg);
		return r;
	}
	*ret_msg = *msg;
	return 0;
}
