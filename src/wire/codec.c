// SPDX-License-Identifier: BSD-3-Clause
// The only encoder and decoder of messages; what a table does not name is refused. No state; any thread.
#include "wire/codec.h"

#include "base/cleanup.h"
#include "base/fdmsg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ERRNO_MAX 4095

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

static const struct codec_shape shape_empty = CODEC_SHAPE_EMPTY;

size_t codec_args_size(const struct codec_shape *shape)
{
	size_t most = 0;

	for (size_t i = 0; i < shape->field_count; i++) {
		const struct field *field = &shape->fields[i];
		bool list = field->kind == FIELD_ARRAY;
		size_t end = field->offset + field->size * (list ? field->max : 1);
		most = end > most ? end : most;
		end = list ? field->count_offset + sizeof(uint32_t) : 0;
		most = end > most ? end : most;
	}
	return most;
}

// A failed reply has no args.
const struct codec_shape *codec_shape_of(
	const struct codec *codec,
	const struct codec_msg *msg,
	bool from_peer
)
{
	if (msg->op < 0 || msg->op >= codec->op_count)
		return NULL;
	const struct codec_op *op = &codec->ops[msg->op];
	const struct codec_shape *shape = &op->event;
	if (msg->is_reply)
		shape = &op->reply;
	else if (!from_peer)
		shape = &op->request;
	if (!shape->allowed || (shape == &op->event) != (msg->id == 0))
		return NULL;
	// A failed reply carries nothing but the error.
	return msg->is_reply && msg->error->code ? &shape_empty : shape;
}

static int check_fds(
	const struct codec *codec,
	const struct codec_msg *msg,
	const struct codec_shape *shape,
	struct rwy_err *err
)
{
	uint32_t low = shape->fds_min;
	uint32_t high = shape->fds_max;
	if (codec->find_fd_range)
		codec->find_fd_range(msg, shape, &low, &high);
	if (msg->fd_count >= low && msg->fd_count <= high)
		return 0;
	return err_set(
		err,
		-EPROTO,
		"message '%s' has %" PRIu32 " descriptors, not %" PRIu32 " to %" PRIu32,
		codec->ops[msg->op].name,
		msg->fd_count,
		low,
		high
	);
}

static json_t *encode_body(
	const struct codec_msg *msg,
	const struct codec_shape *shape,
	bool failed
)
{
	struct rwy_err positive = *msg->error;
	positive.code = -positive.code;
	json_t *object = json_object();
	int r = failed ? fields_encode(&positive, error_fields, FIELD_COUNT(error_fields), object)
		       : fields_encode(msg->args, shape->fields, shape->field_count, object);
	if (object && r) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static char *encode_msg(
	const struct codec *codec,
	const struct codec_msg *msg,
	const struct codec_shape *shape
)
{
	bool failed = msg->is_reply && msg->error->code;
	_cleanup_json_ json_t *body = encode_body(msg, shape, failed);
	if (!body)
		return NULL;
	_cleanup_json_ json_t *json = json_pack(
		"{s:s, s:I, s:O}",
		"op",
		codec->ops[msg->op].name,
		"id",
		(json_int_t)msg->id,
		failed ? "error" : "args",
		body
	);
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

int codec_send(
	const struct codec *codec,
	int sock,
	const struct codec_msg *msg,
	struct rwy_err *err
)
{
	const struct codec_shape *shape = codec_shape_of(codec, msg, msg->is_reply || msg->id == 0);
	if (!shape)
		return err_set(
			err, -EINVAL, "there is no message %d with id %" PRIu32, msg->op, msg->id
		);
	const char *name = codec->ops[msg->op].name;
	int r = check_fds(codec, msg, shape, err);
	if (r)
		return r;
	_cleanup_free_ char *text = encode_msg(codec, msg, shape);
	if (!text)
		return err_set(err, -ENOMEM, "cannot encode message '%s'", name);
	size_t size = strlen(text);
	if (size > codec->datagram_max)
		return err_set(
			err,
			-EMSGSIZE,
			"message '%s' has %zu bytes, the limit is %zu",
			name,
			size,
			codec->datagram_max
		);
	ssize_t sent = fdmsg_send(sock, text, size, msg->fds, msg->fd_count, 0);
	if (sent == -ECONNRESET || sent == -ENOTCONN)
		sent = -EPIPE;
	if (sent < 0)
		return err_set(
			err, (int)sent, "cannot send message '%s': %s", name, strerror((int)-sent)
		);
	return 0;
}

static int decode_op(
	const struct codec *codec,
	json_t *value,
	struct codec_msg *msg,
	struct rwy_err *err
)
{
	const char *name = json_string_value(value);
	for (int op = 0; name && op < codec->op_count; op++) {
		if (strcmp(name, codec->ops[op].name) != 0)
			continue;
		msg->op = op;
		return 0;
	}
	return err_set(err, -EPROTO, "unknown message '%.40s'", name ? name : "");
}

static int decode_error(json_t *body, struct codec_msg *msg, struct rwy_err *err)
{
	int r = fields_decode(body, error_fields, FIELD_COUNT(error_fields), msg->error, err);
	if (r)
		return r;
	if (!msg->is_reply || msg->error->code <= 0 || msg->error->code > ERRNO_MAX)
		return err_set(err, -EPROTO, "an error that is none");
	msg->error->code = -msg->error->code;
	return 0;
}

// Exactly op, id and one of args and error.
static int decode_msg(
	const struct codec *codec,
	json_t *json,
	bool from_peer,
	struct codec_msg *msg,
	struct rwy_err *err
)
{
	json_t *id = json_object_get(json, "id");
	json_t *args = json_object_get(json, "args");
	json_t *error = json_object_get(json, "error");
	if (json_object_size(json) != 3 || !json_is_integer(id) || !args == !error)
		return err_set(err, -EPROTO, "not an object of op, id and args or error");
	json_int_t number = json_integer_value(id);
	if (number < 0 || number > INT32_MAX)
		return err_set(err, -EPROTO, "id %" JSON_INTEGER_FORMAT " is out of range", number);
	*msg->error = (struct rwy_err){0};
	msg->id = (uint32_t)number;
	msg->is_reply = from_peer && number > 0;
	int r = decode_op(codec, json_object_get(json, "op"), msg, err);
	if (!r && error)
		r = decode_error(error, msg, err);
	if (r)
		return r;
	const struct codec_shape *shape = codec_shape_of(codec, msg, from_peer);
	if (!shape)
		return err_set(
			err,
			-EPROTO,
			"no message '%s' with id %" PRIu32 " goes this way",
			codec->ops[msg->op].name,
			msg->id
		);
	memset(msg->args, 0, codec_args_size(shape));
	if (args)
		r = fields_decode(args, shape->fields, shape->field_count, msg->args, err);
	return r ? r : check_fds(codec, msg, shape, err);
}

static int parse_msg(
	const struct codec *codec,
	const struct fdmsg_buf *buf,
	size_t size,
	bool from_peer,
	struct codec_msg *msg,
	struct rwy_err *err
)
{
	json_error_t problem;
	_cleanup_json_ json_t *json = json_loadb(buf->data, size, JSON_REJECT_DUPLICATES, &problem);
	if (!json)
		return err_set(err, -EPROTO, "not JSON: %s", problem.text);
	return decode_msg(codec, json, from_peer, msg, err) ? -EPROTO : 0;
}

int codec_recv(
	const struct codec *codec,
	int sock,
	bool from_peer,
	int flags,
	struct codec_msg *msg,
	struct rwy_err *err
)
{
	_cleanup_free_ char *data = malloc(codec->datagram_max);
	if (!data)
		return err_set(err, -ENOMEM, "no memory for a message");
	// A descriptor that there is no room for is closed by fdmsg_recv(), which fails then.
	struct fdmsg_buf buf = {
		.data = data,
		.data_size = codec->datagram_max,
		.fds = msg->fds,
		.fd_max = codec->fd_max,
	};
	ssize_t size = fdmsg_recv(sock, &buf, flags);
	msg->fd_count = (uint32_t)buf.fd_count;
	if (size == -EAGAIN)
		return -EAGAIN;
	int r = 0;
	if (size == 0 || size == -ECONNRESET)
		r = err_set(err, -EPIPE, "the peer closed the connection");
	else if (size == -EMSGSIZE)
		r = err_set(
			err, -EPROTO, "a message is larger than %zu bytes", codec->datagram_max
		);
	else if (size < 0)
		r = err_set(err, (int)size, "cannot receive: %s", strerror((int)-size));
	else
		r = parse_msg(codec, &buf, (size_t)size, from_peer, msg, err);
	if (r && err)
		err->code = r;
	return r;
}
