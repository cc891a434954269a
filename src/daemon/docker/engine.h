// SPDX-License-Identifier: BSD-3-Clause
// A client of the engine's HTTP API on its unix socket. Any thread; each call has a connection of its own and
// blocks until the answer or the time limit. Never called with a lock held that a driver call needs.
#pragma once

#include "base/err.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>

#define ENGINE_SHORT_MS 5000
#define ENGINE_LONG_MS 30000 // For calls in which the engine calls our driver.

struct engine_request {
	const char *method; // "GET", "POST", "DELETE"
	const char *path;   // With its query, escaped.
	json_t *body;	    // May be NULL; stays the caller's.
	long timeout_ms;
};

struct engine_answer {
	long status;
	json_t *body; // NULL: none, or not JSON. The caller's.
};

// 0 with any HTTP status. -ECONNREFUSED: nobody listens at `socket_path`; -ETIMEDOUT; -EMSGSIZE: the answer is
// too long; -EPROTO.
int engine_call(
	const char *socket_path,
	const struct engine_request *request,
	struct engine_answer *ret_answer,
	struct rwy_err *err
);

// GET that must be answered 200 with JSON of the wanted kind. -ENOENT: 404.
int engine_get(
	const char *socket_path,
	const char *path,
	json_type want,
	json_t **ret_body,
	struct rwy_err *err
);

// Reports a status that was not hoped for: the engine's own message, and -ENOENT, -EEXIST (409), -EPERM, -EINVAL or
// -EIO.
int engine_refused(const struct engine_answer *answer, struct rwy_err *err);

// "text" for a path or query; '/' stays when keep_slash. NULL without memory; the caller frees it.
char *engine_escape(const char *text, bool keep_slash);

// A handle set up for `path`, for who drives it himself. NULL without memory.
CURL *engine_handle_new(const char *socket_path, const char *path);
