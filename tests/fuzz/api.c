// SPDX-License-Identifier: BSD-3-Clause
// Requests to the API, a line each: "METHOD /path BODY". The handlers run against a service in memory (api_service.c). A request
// that fails says why, on one line; what succeeds is JSON that can be sent. POST /v1/containers is read and planned.
#include "daemon/api/api.h"

#include "api_service.h"
#include "base/fields.h"
#include "daemon/docker/runplan.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX 16

static void insist(bool holds)
{
	if (!holds)
		abort();
}

// One '*' stands for one segment, which *ret_param is then; cut out of path.
static bool match(const char *route, char *path, const char **ret_param)
{
	const char *star = strchr(route, '*');
	size_t front = star ? (size_t)(star - route) : strlen(route);

	if (!star)
		return strcmp(route, path) == 0;
	if (strncmp(route, path, front) != 0 || !path[front] || strchr(path + front, '/'))
		return false;
	*ret_param = path + front;
	return true;
}

static void check(int status, const json_t *reply, const struct rwy_err *err)
{
	if (status < 0) {
		insist(err->msg[0] && !strchr(err->msg, '\n') && !strchr(err->hint, '\n'));
		return;
	}
	insist(status == 200 || status == 201);
	char *text = json_dumps(reply, 0);
	insist(text);
	free(text);
}

static void plan_container(json_t *body)
{
	static struct runplan plan; // Large.
	struct rwy_err err = {0};

	memset(&plan, 0, sizeof(plan));
	int r = runplan_parse(body, &plan, &err);
	insist(r == 0 || err.msg[0]);
	if (r)
		return;
	insist(plan.network_count <= RUNPLAN_NETWORKS);
	plan.run_dir = "/run/ringway";
	plan.preload = "/preload.so";
	_cleanup_json_ json_t *reply = json_object();
	check(runplan_make(&plan, reply, &err) ? -1 : 201, reply, &err);
}

static void call(struct api *api, const char *method, char *path, json_t *body)
{
	struct http_table table = api_routes(api);

	for (size_t i = 0; i < table.count; i++) {
		struct http_request request = {.method = method, .path = path, .body = body};
		struct rwy_err err = {0};
		if (strcmp(table.routes[i].method, method) != 0 ||
		    !match(table.routes[i].path, path, &request.params[0]))
			continue;
		_cleanup_json_ json_t *reply = json_object();
		int status = table.routes[i].handler(table.ctx, &request, reply, &err);
		insist(!api->daemon->locked);
		check(status, reply, &err);
	}
}

static void run_line(struct api *api, char *line)
{
	char *rest = line;
	const char *method = strsep(&rest, " ");
	char *path = strsep(&rest, " ");
	// As the server hands it on: an object, or nothing.
	_cleanup_json_ json_t *body = rest ? json_loads(rest, 0, NULL) : NULL;

	if (!path || (body && !json_is_object(body)))
		return;
	if (strcmp(path, "/v1/containers") == 0)
		plan_container(body);
	else
		call(api, method, path, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct daemon daemon; // Large.
	struct api api = {.daemon = &daemon};
	char *text = strndup((const char *)data, size);
	char *rest = text;

	memset(&daemon, 0, sizeof(daemon));
	insist(text);
	for (int i = 0; i < LINES_MAX && rest; i++)
		run_line(&api, strsep(&rest, "\n"));
	free(text);
	return 0;
}
