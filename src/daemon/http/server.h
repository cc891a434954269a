// SPDX-License-Identifier: BSD-3-Clause
// HTTP/1.1 with JSON on a listening unix socket, for the API and for the Docker driver. Handlers
// run in the server's own threads, several at a time; starting and stopping is the main thread's.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

#define HTTP_BODY_MAX 65536 // Bytes of a request's body; more is answered 413.
#define HTTP_PARAMS_MAX 2

struct http_server;

// What a handler is asked. All of it belongs to the server and dies with the call.
struct http_request {
	const char *method; // "GET", ..
	const char *path;   // Decoded, without the query.
	// What stands in the path where its route has '*', in order; decoded, never empty.
	const char *params[HTTP_PARAMS_MAX];
	json_t *body;	  // The body's object; NULL when there is no body.
	void *connection; // For http_request_query().
};

// The value of a query's member, decoded; NULL when it is absent.
const char *http_request_query(const struct http_request *request, const char *name);

// Answers one request. Fills reply, an empty object, and returns the status (200, 201), or a
// negative errno with err set, which becomes the error's status and code (http_status_of(),
// http_code_of()).
typedef int http_handler(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
);

struct http_route {
	const char *method;
	const char *path; // "/v1/networks/*": a '*' stands for one whole segment.
	http_handler *handler;
};

// Routes with the ctx that their handlers get. Both must outlive the server.
struct http_table {
	const struct http_route *routes;
	size_t count;
	void *ctx;
};

// Fills reply, an empty object, with a failure in the protocol's words. status is what will be
// sent.
typedef void http_error_body(json_t *reply, int status, const struct rwy_err *err);

struct http_config {
	int listen_fd; // Listening; the server's from then on, even when the start fails.
	const struct http_table *tables; // Copied.
	size_t table_count;
	const char *content_type;    // Of replies; NULL: application/json.
	http_error_body *error_body; // NULL: {"error":{"code","message","hint"}} of docs/api.md.
};

// 0 or a negative errno.
int http_server_start(
	const struct http_config *config,
	struct http_server **ret_server,
	struct rwy_err *err
);

// Lets running handlers finish, then ends the threads: never call it with a lock that a handler
// takes. Accepts NULL.
void http_server_stop(struct http_server *server);

// Binds and listens on a unix socket at path, replacing what a dead process left there. Its mode
// and group (-1: unchanged) are set before anyone can connect. The descriptor, or a negative
// errno.
int http_listen(const char *path, unsigned int mode, int group, struct rwy_err *err);

// docs/api.md's table: the HTTP status and the code of a negative errno.
int http_status_of(int code);
const char *http_code_of(int code);
