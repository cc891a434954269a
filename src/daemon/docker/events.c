// SPDX-License-Identifier: BSD-3-Clause
// Parses the engine's events. Runs on the sync thread.
#include "daemon/docker/events.h"

#include "base/cleanup.h"
#include "base/fields.h"
#include "daemon/docker/engine.h"
#include "daemon/docker/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *events_path(void)
{
	static const char filters[] =
		"{\"type\":[\"container\",\"network\"],\"event\":[\"create\",\"die\",\"destroy\"]}";
	_cleanup_free_ char *escaped = engine_escape(filters, false);
	char *path = NULL;
	if (!escaped || asprintf(&path, "/events?filters=%s", escaped) < 0)
		return NULL;
	return path;
}

static const char *text_of(json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));
	return text ? text : "";
}

bool event_read(const char *line, size_t length, const char *driver, struct event *ret_event)
{
	_cleanup_json_ json_t *object = json_loadb(line, length, 0, NULL);
	json_t *attributes = json_object_get(json_object_get(object, "Actor"), "Attributes");
	const char *type = text_of(object, "Type");
	const char *action = text_of(object, "Action");
	struct event event = {0};
	if (strcmp(type, "network") == 0) {
		event.networks_changed = strcmp(text_of(attributes, "type"), driver) == 0;
	} else if (strcmp(type, "container") == 0 && strcmp(action, "destroy") == 0) {
		const char *key = text_of(attributes, DOCKER_KEY_LABEL);
		if (driver_key_is_valid(key))
			memcpy(event.destroyed_key, key, sizeof(event.destroyed_key));
	}
	if (!event.networks_changed && !event.destroyed_key[0])
		return false;
	*ret_event = event;
	return true;
}

// Adds to the unfinished line. -EMSGSIZE, -ENOMEM.
static int lines_append(struct event_lines *lines, const char *data, size_t size)
{
	if (size > EVENTS_LINE_MAX - lines->length)
		return -EMSGSIZE;
	if (!lines->data)
		lines->data = malloc(EVENTS_LINE_MAX);
	if (!lines->data)
		return -ENOMEM;
	memcpy(lines->data + lines->length, data, size);
	lines->length += size;
	return 0;
}

int event_lines_feed(
	struct event_lines *lines,
	const char *data,
	size_t size,
	event_line_cb *cb,
	void *arg
)
{
	while (size) {
		const char *end = memchr(data, '\n', size);
		size_t piece = end ? (size_t)(end - data) : size;
		int r = lines_append(lines, data, piece);
		if (r)
			return r;
		if (!end)
			return 0;
		cb(arg, lines->data, lines->length);
		lines->length = 0;
		data += piece + 1;
		size -= piece + 1;
	}
	return 0;
}

void event_lines_fini(struct event_lines *lines)
{
	free(lines->data);
	*lines = (struct event_lines){0};
}
