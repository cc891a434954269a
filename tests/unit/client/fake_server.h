// SPDX-License-Identifier: BSD-3-Clause
// A stand-in for ringwayd: answers on DIR/api.sock what a test told it to, and notes what it was asked.
// Has a thread of its own.
#pragma once

#include <stddef.h>

// What to answer to one request; the path is compared as it came, query and escapes included.
struct fake_reply {
	const char *method;
	const char *path;
	unsigned int status;
	const char *body;
};

struct fake_server;

// `replies` ends with an empty one and has to outlive the server. Of several for the same request
// each is used once, the last for ever. What nothing fits gets 404. Fails the test on any error.
struct fake_server *fake_server_new(const char *dir, const struct fake_reply *replies);
void fake_server_free(struct fake_server *server);

// "METHOD PATH[ BODY]\n" of every request so far. The caller frees it.
char *fake_server_log(struct fake_server *server);

// Makes a directory for one test; the caller frees its name after fake_dir_remove().
char *fake_dir_make(void);
// Removes it and the files in it.
void fake_dir_remove(const char *dir);
