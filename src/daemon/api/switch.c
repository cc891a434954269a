// SPDX-License-Identifier: BSD-3-Clause
// Calls about the switch's processes. HTTP server's threads.
#include "base/fields.h"
#include "daemon/api/handlers.h"

#include <errno.h>

// What is not there is left out: empty texts, and numbers that are 0.
static void add_text(json_t *reply, const char *name, const char *text)
{
	if (text[0])
		(void)json_object_set_new(reply, name, json_string(text)); // No memory: missing.
}

static void add_number(json_t *reply, const char *name, uint64_t number)
{
	if (number)
		(void
		)json_object_set_new(reply, name, json_integer((json_int_t)number)); // As above.
}

int api_switch_get(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	struct service_switch_info info = {0};
	service_lock(api->daemon);
	service_switch_get(api->daemon, &info);
	service_unlock(api->daemon);
	add_text(reply, "state", info.state);
	add_number(reply, "pid", info.pid);
	add_number(reply, "spare_pid", info.spare_pid);
	add_text(reply, "program", info.program);
	add_text(reply, "path", info.path);
	add_number(reply, "last_gap_us", info.last_gap_us);
	add_text(reply, "last_end", info.last_end);
	int r = json_object_update_new(
		reply,
		json_pack(
			"{s:b, s:I, s:I}",
			"spare_wanted",
			(int)info.spare_wanted,
			"restarts",
			(json_int_t)info.restarts,
			"handovers",
			(json_int_t)info.handovers
		)
	);
	return r ? err_set(err, -ENOMEM, "no memory for an answer") : 200;
}

struct restart_body {
	char path[PATH_TEXT_SIZE];
};

static const struct field restart_fields[] = {
	FIELD(struct restart_body, path, FIELD_STR, 0),
};

int api_switch_restart(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct api *api = ctx;
	struct restart_body body = {0};
	struct service_handover done = {0};
	bool is_upgrade = json_object_get(request->body, "path");
	int r = fields_decode(
		request->body, restart_fields, FIELD_COUNT(restart_fields), &body, err
	);
	if (!r && is_upgrade && body.path[0] != '/')
		r = err_set(err, -EINVAL, "'path' must be absolute, not '%.200s'", body.path);
	if (r)
		return err_prefix(err, "cannot hand the switch's ports over: ");
	service_lock(api->daemon);
	r = service_switch_restart(api->daemon, is_upgrade ? body.path : NULL, &done, err);
	service_unlock(api->daemon);
	if (r)
		return r;
	r = json_object_update_new(
		reply,
		json_pack(
			"{s:I, s:I, s:I}",
			"pid",
			(json_int_t)done.pid,
			"gap_us",
			(json_int_t)done.gap_us,
			"ports",
			(json_int_t)done.ports
		)
	);
	return r ? err_set(err, -ENOMEM, "no memory for an answer") : 200;
}
