// SPDX-License-Identifier: BSD-3-Clause
// The uplinks' messages as a table, encoded and decoded by base/fields.h. No state; any thread.
#include "wire/uplink.h"

#include "base/cleanup.h"
#include "base/fdmsg.h"
#include "base/fields.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct field hello_fields[] = {
	FIELD(struct uplink_hello, version, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_hello, program, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct uplink_hello, pid, FIELD_U32, FIELD_REQUIRED),
};

static const struct field ref_fields[] = {
	FIELD(struct uplink_ref, port, FIELD_U32, FIELD_REQUIRED),
};

static const struct field port_fields[] = {
	FIELD(struct uplink_port_msg, port, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_port_msg, vlan, FIELD_U16, FIELD_REQUIRED),
	FIELD(struct uplink_port_msg, mtu, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_port_msg, mac, FIELD_MAC, FIELD_REQUIRED),
	FIELD(struct uplink_port_msg, socket, FIELD_STR, FIELD_REQUIRED),
};

static const struct field drop_fields[] = {
	FIELD(struct uplink_drop_msg, reason, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_drop_msg, frames, FIELD_HEX64, FIELD_REQUIRED),
};

static const struct field port_state_fields[] = {
	FIELD_STRUCT(struct uplink_port_state, spec, port_fields),
	FIELD(struct uplink_port_state, joined, FIELD_BOOL, FIELD_REQUIRED),
	FIELD(struct uplink_port_state, reason, FIELD_STR, 0),
	FIELD(struct uplink_port_state, rx_frames, FIELD_HEX64, FIELD_REQUIRED),
	FIELD(struct uplink_port_state, rx_bytes, FIELD_HEX64, FIELD_REQUIRED),
	FIELD(struct uplink_port_state, tx_frames, FIELD_HEX64, FIELD_REQUIRED),
	FIELD(struct uplink_port_state, tx_bytes, FIELD_HEX64, FIELD_REQUIRED),
	FIELD_LIST(struct uplink_port_state, drops, drop_count, drop_fields),
};

static const struct field state_fields[] = {
	FIELD(struct uplink_state_msg, driver, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct uplink_state_msg, link, FIELD_BOOL, FIELD_REQUIRED),
	FIELD(struct uplink_state_msg, mbps, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_state_msg, mtu, FIELD_U32, FIELD_REQUIRED),
	FIELD_LIST(struct uplink_state_msg, drops, drop_count, drop_fields),
	FIELD_LIST(struct uplink_state_msg, ports, port_count, port_state_fields),
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

// What one direction of an op carries.
struct shape {
	bool allowed;
	const struct field *fields;
	size_t count;
};

#define SHAPE(table)                                                            \
	{                                                                       \
		.allowed = true, .fields = (table), .count = FIELD_COUNT(table) \
	}
#define SHAPE_EMPTY             \
	{                       \
		.allowed = true \
	}

struct op_entry {
	const char *name;
	struct shape request;
	struct shape reply;
	struct shape event;
};

static const struct op_entry ops[UPLINK_OP_COUNT] = {
	[UPLINK_HELLO] = {"hello", .request = SHAPE(hello_fields), .reply = SHAPE(hello_fields)},
	[UPLINK_STATE] =
		{"state",
		 .request = SHAPE_EMPTY,
		 .reply = SHAPE(state_fields),
		 .event = SHAPE(state_fields)},
	[UPLINK_PORT_ADD] = {"port_add", .request = SHAPE(port_fields), .reply = SHAPE_EMPTY},
	[UPLINK_PORT_DEL] = {"port_del", .request = SHAPE(ref_fields), .reply = SHAPE_EMPTY},
	[UPLINK_STOP] = {"stop", .request = SHAPE_EMPTY, .reply = SHAPE_EMPTY},
};

static const struct shape shape_empty = SHAPE_EMPTY;

const char *uplink_drop_text(uint32_t reason)
{
	static const char *const text[UPLINK_DROP_COUNT] = {
		"ring_full",
		"device_full",
		"too_long",
		"malformed",
		"truncated",
		"unknown_vlan",
		"untagged"};
	return reason < UPLINK_DROP_COUNT ? text[reason] : "unknown";
}

// A number of 1 to `digits` hexadecimal digits at *at, which moves behind it and the separator that must follow.
static bool read_hex(const char **at, size_t digits, char separator, unsigned long *ret)
{
	size_t size = strspn(*at, "0123456789abcdefABCDEF");
	if (!size || size > digits || (separator && (*at)[size] != separator))
		return false;
	*ret = strtoul(*at, NULL, 16); // It has digits only.
	*at += size + (separator ? 1 : 0);
	return true;
}

bool uplink_read_pci(const char *text, char ret_address[UPLINK_PCI_SIZE])
{
	unsigned long domain = 0;
	unsigned long bus;
	unsigned long slot;
	unsigned long function;
	const char *at = text;
	const char *colon = strchr(text, ':');
	if (colon && strchr(colon + 1, ':') && !read_hex(&at, 4, ':', &domain))
		return false;
	if (!read_hex(&at, 2, ':', &bus) || !read_hex(&at, 2, '.', &slot) ||
	    !read_hex(&at, 1, 0, &function))
		return false;
	if (*at && *at != ',')
		return false;
	(void)snprintf( // It fits.
		ret_address,
		UPLINK_PCI_SIZE,
		"%04lx:%02lx:%02lx.%lx",
		domain & 0xffff,
		bus & 0xff,
		slot & 0xff,
		function & 0xf
	);
	return true;
}

// NULL: there is no such message.
static const struct shape *find_shape(const struct uplink_msg *msg, bool from_uplink)
{
	if ((unsigned int)msg->op >= UPLINK_OP_COUNT)
		return NULL;
	const struct op_entry *op = &ops[msg->op];
	const struct shape *shape = &op->event;
	if (msg->is_reply)
		shape = &op->reply;
	else if (!from_uplink)
		shape = &op->request;
	if (!shape->allowed || (shape == &op->event) != (msg->id == 0))
		return NULL;
	return msg->is_reply && msg->error.code ? &shape_empty : shape;
}

static json_t *encode_body(const struct uplink_msg *msg, const struct shape *shape, bool failed)
{
	struct rwy_err positive = msg->error;
	positive.code = -positive.code;
	json_t *object = json_object();
	int r = failed ? fields_encode(&positive, error_fields, FIELD_COUNT(error_fields), object)
		       : fields_encode(&msg->args, shape->fields, shape->count, object);
	if (object && r) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int uplink_send(int sock, const struct uplink_msg *msg, struct rwy_err *err)
{
	const struct shape *shape = find_shape(msg, msg->is_reply || msg->id == 0);
	if (!shape)
		return err_set(
			err, -EINVAL, "there is no message %d with id %u", (int)msg->op, msg->id
		);
	bool failed = msg->is_reply && msg->error.code;
	json_t *body = encode_body(msg, shape, failed);
	_cleanup_json_ json_t *json = json_pack(
		"{s:s, s:I, s:o*}",
		"op",
		ops[msg->op].name,
		"id",
		(json_int_t)msg->id,
		failed ? "error" : "args",
		body
	);
	_cleanup_free_ char *text = json && body ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!text)
		return err_set(err, -ENOMEM, "cannot encode message '%s'", ops[msg->op].name);
	ssize_t sent = fdmsg_send(sock, text, strlen(text), NULL, 0, 0);
	if (sent == -ECONNRESET || sent == -ENOTCONN)
		sent = -EPIPE;
	if (sent < 0)
		return err_set(
			err,
			(int)sent,
			"cannot send message '%s': %s",
			ops[msg->op].name,
			strerror((int)-sent)
		);
	return 0;
}

static int decode_op(json_t *value, struct uplink_msg *msg, struct rwy_err *err)
{
	const char *name = json_string_value(value);
	for (int op = 0; name && op < UPLINK_OP_COUNT; op++) {
		if (strcmp(name, ops[op].name) != 0)
			continue;
		msg->op = (enum uplink_op)op;
		return 0;
	}
	return err_set(err, -EPROTO, "unknown message '%.40s'", name ? name : "");
}

static int decode_error(json_t *body, struct uplink_msg *msg, struct rwy_err *err)
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
static int decode_msg(json_t *json, bool from_uplink, struct uplink_msg *msg, struct rwy_err *err)
{
	json_t *id = json_object_get(json, "id");
	json_t *args = json_object_get(json, "args");
	json_t *error = json_object_get(json, "error");
	if (json_object_size(json) != 3 || !json_is_integer(id) || !args == !error)
		return err_set(err, -EPROTO, "not an object of op, id and args or error");
	json_int_t number = json_integer_value(id);
	if (number < 0 || number > INT32_MAX)
		return err_set(err, -EPROTO, "an id that is out of range");
	msg->id = (uint32_t)number;
	msg->is_reply = from_uplink && number > 0;
	int r = decode_op(json_object_get(json, "op"), msg, err);
	if (!r && error)
		r = decode_error(error, msg, err);
	if (r)
		return r;
	const struct shape *shape = find_shape(msg, from_uplink);
	if (!shape)
		return err_set(
			err,
			-EPROTO,
			"no message '%s' with id %u goes this way",
			ops[msg->op].name,
			msg->id
		);
	return args ? fields_decode(args, shape->fields, shape->count, &msg->args, err) : 0;
}

static int parse(
	const char *data,
	size_t size,
	bool from_uplink,
	struct uplink_msg *msg,
	struct rwy_err *err
)
{
	json_error_t problem;
	_cleanup_json_ json_t *json = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
	if (!json)
		return err_set(err, -EPROTO, "not JSON: %s", problem.text);
	return decode_msg(json, from_uplink, msg, err) ? -EPROTO : 0;
}

int uplink_recv(
	int sock,
	bool from_uplink,
	int flags,
	struct uplink_msg *ret_msg,
	struct rwy_err *err
)
{
	_cleanup_free_ char *data = malloc(UPLINK_WIRE_MAX);
	_cleanup_free_ struct uplink_msg *msg = calloc(1, sizeof(*msg));
	if (!data || !msg)
		return err_set(err, -ENOMEM, "no memory for a message");
	// A descriptor that nobody asked for is closed by fdmsg_recv(), which fails then.
	struct fdmsg_buf buf = {.data = data, .data_size = UPLINK_WIRE_MAX};
	ssize_t size = fdmsg_recv(sock, &buf, flags);
	int r = 0;
	if (size == -EAGAIN)
		return -EAGAIN;
	if (size == 0 || size == -ECONNRESET)
		r = err_set(err, -EPIPE, "the peer closed the connection");
	else if (size == -EMSGSIZE)
		r = err_set(err, -EPROTO, "a message is larger than %d bytes", UPLINK_WIRE_MAX);
	else if (size < 0)
		r = err_set(err, (int)size, "cannot receive: %s", strerror((int)-size));
	else
		r = parse(data, (size_t)size, from_uplink, msg, err);
	if (r) {
		if (err)
			err->code = r;
		return r;
	}
	*ret_msg = *msg;
	return 0;
}
