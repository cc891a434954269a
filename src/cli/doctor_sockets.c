// SPDX-License-Identifier: BSD-3-Clause
// Finds sockets below a directory, and who listens, in the list of the network namespace that this process is in. One thread.
#include "cli/doctor_sockets.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 4

void doctor_sockets_fini(struct doctor_sockets *sockets)
{
	strv_fini(&sockets->stale);
}

// Lines of /proc/net/unix: number, references, protocol, flags (1 << 16: listens), type, state, inode, path.
static bool read_listeners(const struct doctor *d, struct strv *listeners)
{
	_cleanup_free_ char *text = doctor_read_all(d, "/proc/net/unix");
	char *rest = text;
	for (char *line = text ? strsep(&rest, "\n") : NULL; line; line = strsep(&rest, "\n")) {
		unsigned int flags = 0;
		int at = 0;
		// NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers.
		if (sscanf(line, "%*s %*s %*s %x %*s %*s %*s %n", &flags, &at) == 1 && at > 0 &&
		    flags & 0x10000)
			strv_add(listeners, line + at);
	}
	return text;
}

static bool has(const struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

struct walk {
	const struct doctor *d;
	const struct strv *listeners;
	struct doctor_sockets *sockets;
	int error;
};

static void take_socket(const struct walk *walk, const char *path, const char *name)
{
	struct doctor_sockets *sockets = walk->sockets;
	sockets->all++;
	// "/var/run" is "/run", under which name it may have been bound.
	const char *other = strncmp(path, "/var/run/", 9) == 0 ? path + 4 : path;
	if (!has(walk->listeners, path) && !has(walk->listeners, other)) {
		strv_add(&sockets->stale, path);
		return;
	}
	if (strncmp(name, "ringway", 7) == 0 && sockets->ours++ == 0)
		(void)snprintf(
			sockets->first,
			sizeof(sockets->first),
			"%.*s",
			(int)strcspn(name, "."),
			name
		); // A long name is cut.
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as DEPTH_MAX.
static void walk_dir(struct walk *walk, const char *dir, int depth)
{
	_cleanup_strv_ struct strv names = {0};
	int r = doctor_list(walk->d, &names, "%s", dir);
	if (r && !walk->error)
		walk->error = r;
	for (size_t i = 0; i < names.count; i++) {
		struct stat st;
		_cleanup_free_ char *path = NULL;
		if (asprintf(&path, "%s/%s", dir, names.items[i]) < 0 ||
		    doctor_stat(walk->d, &st, "%s", path))
			continue;
		if (S_ISSOCK(st.st_mode))
			take_socket(walk, path, names.items[i]);
		else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			walk_dir(walk, path, depth + 1);
	}
}

int doctor_find_sockets(const struct doctor *d, const char *dir, struct doctor_sockets *ret)
{
	_cleanup_strv_ struct strv listeners = {0};
	struct walk walk = {.d = d, .listeners = &listeners, .sockets = ret};
	*ret = (struct doctor_sockets){0};
	ret->listed = read_listeners(d, &listeners);
	walk_dir(&walk, dir, 0);
	return walk.error;
}

bool doctor_is_listened(const struct doctor *d, const char *path)
{
	_cleanup_strv_ struct strv listeners = {0};
	return read_listeners(d, &listeners) && has(&listeners, path);
}
