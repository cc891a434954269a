// SPDX-License-Identifier: BSD-3-Clause
// A small server over libmicrohttpd: collects the body, finds the route, calls the handler, sends
// JSON. A pool of libmicrohttpd's threads runs everything here but start and stop.
#include "daemon/http/server.h"

#include "base/cleanup.h"
#include "base/fields.h"
#include "base/log.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_THREADS 4
#define HTTP_CONNECTIONS 256
#define HTTP_IDLE_SECONDS 60
#define HTTP_TABLES_MAX 8
// A body beyond the limit is read to its end, so that the client sees the answer; one beyond this
// is cut off.
#define HTTP_DRAIN_MAX 67108864
#define HTTP_PATH_MAX 1024

struct http_server {
	struct MHD_Daemon *mhd;
	struct http_table tables[HTTP_TABLES_MAX];
	size_t table_count;
	const char *content_type;
	http_error_body *error_body;
};

// One request while its body comes in.
struct http_exchange {
	char *body;
	size_t size;
	size_t received; // More than size when the body is beyond the limit.
};

const char *http_request_query(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

static void put_error(json_t *reply, int status, const struct rwy_err *err)
{
	json_t *error = json_pack(
		"{s:s, s:s, s:s}",
		"code",
		http_code_of(err->code),
		"message",
		err->msg,
		"hint",
		err->hint
	);
	// The bytes of a peer may be no UTF-8, and then the message is left out.
	if (!error)
		error = json_pack("{s:s, s:s, s:s}", "code", "internal", "message", "", "hint", "");
	(void)json_object_set_new(reply, "error", error); // Out of memory: an empty object.
}

// Matches path against a route's path; cuts params out of the copy in `text`.
static bool route_matches(const char *pattern, char *text, const char *params[HTTP_PARAMS_MAX])
{
	size_t count = 0;
	while (*pattern) {
		if (*pattern != '*') {
			if (*pattern++ != *text++)
				return false;
			continue;
		}
		size_t length = strcspn(text, "/");
		if (!length || count == HTTP_PARAMS_MAX)
			return false;
		params[count++] = text;
		text += length;
		pattern++;
		// The pattern goes on with '/' exactly where text does, or both end.
		if (*pattern != *text)
			return false;
		if (*text) {
			*text++ = '\0';
			pattern++;
		}
	}
	return *text == '\0';
}

struct http_match {
	const struct http_route *route;
	void *ctx;
	bool path_known; // Some route has the path, under another method.
	char path[HTTP_PATH_MAX];
	const char *params[HTTP_PARAMS_MAX];
};

static void find_route(
	const struct http_server *server,
	const char *method,
	const char *path,
	struct http_match *match
)
{
	*match = (struct http_match){0};
	if (strlen(path) >= sizeof(match->path))
		return;
	for (size_t i = 0; i < server->table_count; i++) {
		const struct http_table *table = &server->tables[i];
		for (size_t j = 0; j < table->count; j++) {
			(void)snprintf(match->path, sizeof(match->path), "%s", path); // It fits.
			memset(match->params, 0, sizeof(match->params));
			if (!route_matches(table->routes[j].path, match->path, match->params))
				continue;
			match->path_known = true;
			if (strcmp(table->routes[j].method, method) != 0)
				continue;
			match->route = &table->routes[j];
			match->ctx = table->ctx;
			return;
		}
	}
}

static int read_body(const struct http_exchange *exchange, json_t **ret_body, struct rwy_err *err)
{
	json_error_t problem;
	if (exchange->received > exchange->size) {
		err_set(err,
			-EMSGSIZE,
			"cannot read the request: its body has more than %d bytes",
			HTTP_BODY_MAX);
		return err->code;
	}
	if (!exchange->size)
		return 0;
	json_t *body = json_loadb(exchange->body, exchange->size, JSON_REJECT_DUPLICATES, &problem);
	if (!body)
		return err_set(
			err,
			-EINVAL,
			"cannot read the request: line %d of its body is no JSON: %s",
			problem.line,
			problem.text
		);
	if (!json_is_object(body)) {
		json_decref(body);
		return err_set(
			err, -EINVAL, "cannot read the request: its body is not a JSON object"
		);
	}
	*ret_body = body;
	return 0;
}

static int call_handler(
	const struct http_server *server,
	struct http_request *request,
	const struct http_exchange *exchange,
	json_t *reply,
	struct rwy_err *err
)
{
	struct http_match match;
	_cleanup_json_ json_t *body = NULL;

	find_route(server, request->method, request->path, &match);
	if (!match.route && match.path_known)
		return err_set(
			err,
			-EBADRQC,
			"cannot %s '%.200s': the path has no such method",
			request->method,
			request->path
		);
	if (!match.route)
		return err_set(
			err,
			-ENOENT,
			"cannot %s '%.200s': there is no such path",
			request->method,
			request->path
		);
	int r = read_body(exchange, &body, err);
	if (r)
		return r;
	request->body = body;
	memcpy(request->params, match.params, sizeof(match.params));
	return match.route->handler(match.ctx, request, reply, err);
}

static enum MHD_Result send_reply(
	const struct http_server *server,
	struct MHD_Connection *connection,
	int status,
	const json_t *reply
)
{
	char *text = json_dumps(reply, JSON_COMPACT);
	if (!text)
		return MHD_NO;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	enum MHD_Result r = MHD_add_response_header(
		response, MHD_HTTP_HEADER_CONTENT_TYPE, server->content_type
	);
	if (r == MHD_YES)
		r = MHD_queue_response(connection, (unsigned int)status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result answer(
	const struct http_server *server,
	struct http_request *request,
	const struct http_exchange *exchange
)
{
	struct rwy_err err = {0};
	_cleanup_json_ json_t *reply = json_object();
	if (!reply)
		return MHD_NO;
	int status = call_handler(server, request, exchange, reply, &err);
	if (status < 0) {
		err.code = status;
		status = http_status_of(status);
		(void)json_object_clear(reply); // Cannot fail for an object.
		server->error_body(reply, status, &err);
		log_debug("%s %s: %d: %s", request->method, request->path, status, err.msg);
	}
	return send_reply(server, request->connection, status, reply);
}

static enum MHD_Result collect(struct http_exchange *exchange, const char *data, size_t size)
{
	exchange->received += size;
	if (exchange->received > HTTP_DRAIN_MAX)
		return MHD_NO;
	if (exchange->received > HTTP_BODY_MAX)
		return MHD_YES; // Read and forgotten.
	char *grown = realloc(exchange->body, exchange->received);
	if (!grown)
		return MHD_NO;
	memcpy(grown + exchange->size, data, size);
	exchange->body = grown;
	exchange->size += size;
	return MHD_YES;
}

// libmicrohttpd calls this once for the headers, once for each piece of the body, once for the end.
static enum MHD_Result
on_access( // NOLINT(readability-function-size): its signature is the library's.
	void *arg,
	struct MHD_Connection *connection,
	const char *url,
	const char *method,
	const char *version,
	const char *data,
	size_t *data_size,
	void **exchange_slot
)
{
	struct http_exchange *exchange = *exchange_slot;
	if (!exchange) {
		*exchange_slot = calloc(1, sizeof(*exchange));
		return *exchange_slot ? MHD_YES : MHD_NO;
	}
	if (*data_size) {
		enum MHD_Result r = collect(exchange, data, *data_size);
		*data_size = 0;
		return r;
	}
	struct http_request request = {.method = method, .path = url, .connection = connection};
	return answer(arg, &request, exchange);
}

static void on_completed(
	void *arg,
	struct MHD_Connection *connection,
	void **exchange_slot,
	enum MHD_RequestTerminationCode reason
)
{
	struct http_exchange *exchange = *exchange_slot;
	if (!exchange)
		return;
	free(exchange->body);
	free(exchange);
	*exchange_slot = NULL;
}

int http_server_start(
	const struct http_config *config,
	struct http_server **ret_server,
	struct rwy_err *err
)
{
	_cleanup_close_ int listen_fd = config->listen_fd;
	if (config->table_count > HTTP_TABLES_MAX)
		return err_set(err, -E2BIG, "cannot start HTTP: too many tables of routes");
	struct http_server *server = calloc(1, sizeof(*server));
	if (!server)
		return err_set(err, -ENOMEM, "cannot start HTTP: no memory");
	memcpy(server->tables, config->tables, config->table_count * sizeof(*config->tables));
	server->table_count = config->table_count;
	server->content_type = config->content_type ? config->content_type : "application/json";
	server->error_body = config->error_body ? config->error_body : put_error;
	server->mhd = MHD_start_daemon(
		MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC,
		0,
		NULL,
		NULL,
		on_access,
		server,
		MHD_OPTION_LISTEN_SOCKET,
		listen_fd,
		MHD_OPTION_THREAD_POOL_SIZE,
		(unsigned int)HTTP_THREADS,
		MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)HTTP_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)HTTP_IDLE_SECONDS,
		MHD_OPTION_NOTIFY_COMPLETED,
		on_completed,
		NULL,
		MHD_OPTION_END
	);
	if (!server->mhd) {
		free(server);
		return err_set(err, -EIO, "cannot start HTTP: libmicrohttpd refuses the socket");
	}
	(void)fd_take(&listen_fd); // MHD_stop_daemon() closes it.
	*ret_server = server;
	return 0;
}

void http_server_stop(struct http_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->mhd);
	free(server);
}
