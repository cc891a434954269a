// SPDX-License-Identifier: BSD-3-Clause
// The engine's event stream: one JSON object a line, as long as the engine runs. Owned by one thread.
#pragma once

#include "daemon/service.h"

#include <stdbool.h>
#include <stddef.h>

// The path of GET /events that asks for what event_read() understands; NULL without memory. The caller frees it.
char *events_path(void);

struct event {
	bool networks_changed;	      // A network of our driver was made or removed.
	char destroyed_key[KEY_SIZE]; // Not empty: a container with this place was removed.
};

// Reads one event. false: none that matters here, or no event at all.
bool event_read(const char *line, size_t length, const char *driver, struct event *ret_event);

#define EVENTS_LINE_MAX 65536

// Cuts a stream into lines.
struct event_lines {
	char *data; // The unfinished line; events_lines_fini() frees it.
	size_t length;
};

typedef void event_line_cb(void *arg, const char *line, size_t length);

// Calls cb for each line that data completes. -EMSGSIZE: a line beyond EVENTS_LINE_MAX. -ENOMEM.
int event_lines_feed(
	struct event_lines *lines,
	const char *data,
	size_t size,
	event_line_cb *cb,
	void *arg
);
void event_lines_fini(struct event_lines *lines);
