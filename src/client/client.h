// SPDX-License-Identifier: BSD-3-Clause
// The API's C client: JSON over HTTP on ringwayd's unix socket (docs/api.md). A client belongs to one
// thread; several clients may exist.
#pragma once

#include "base/err.h"

#include <jansson.h>

#define CLIENT_RUN_DIR "/run/ringway"

struct client;

// A client of the ringwayd whose run directory this is. Connects nothing yet. NULL with err set:
// -ENAMETOOLONG when the socket's path does not fit a socket address, -ENOMEM.
struct client *client_new(const char *run_dir, struct rwy_err *err);
void client_free(struct client *client); // Accepts NULL.

// One request and its answer, within 30 seconds. `path` is used as it is ("/v1/networks"); body may
// be NULL and stays the caller's. *ret_answer (if not NULL) is the caller's afterwards.
// The API's failures become the errno that fits their code (docs/api.md) with message and hint; a
// ringwayd that is not there gives -ENOENT or -ECONNREFUSED, one that this user may not ask -EACCES,
// one that does not answer in time -ETIMEDOUT, an answer that is no JSON object -EPROTO.
int client_call(
	struct client *client,
	const char *method,
	const char *path,
	json_t *body,
	json_t **ret_answer,
	struct rwy_err *err
);

// prefix + name, URL-escaped, + suffix: "/v1/ports/", "a/b", "" gives "/v1/ports/a%2Fb". The caller
// frees it. NULL with errno on failure.
char *client_path(const char *prefix, const char *name, const char *suffix);

static inline void cleanup_client(struct client **client)
{
	client_free(*client);
}

#define _cleanup_client_ __attribute__((cleanup(cleanup_client)))
