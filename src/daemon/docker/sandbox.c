// SPDX-License-Identifier: BSD-3-Clause
// Why a live endpoint is never removed here: its namespace does not exist at Join, so it counts as gone only after
// it was seen; it is mounted once, before the container's process runs, and unmounted once, after Leave or when
// a new engine cleans up after a dead one. Leave clears the path, so a container that is being stopped or started
// again is not judged at all. Sync thread.
#include "daemon/docker/sandbox.h"

#include "base/log.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/snapshot.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

struct sandbox_row {
	char endpoint_id[DOCKER_ID_SIZE];
	char path[SANDBOX_SIZE];
	bool seen;
};

bool sandbox_is_there(const char *path)
{
	struct statfs fs;
	return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

static void collect(void *arg, const struct port_info *info)
{
	struct snapshot_vec *rows = arg;
	if (!info->spec.endpoint_id[0] || !info->sandbox[0])
		return;
	struct sandbox_row *row = snapshot_push(rows, sizeof(*row));
	if (!row)
		return; // Without memory: looked at a second later.
	memcpy(row->endpoint_id, info->spec.endpoint_id, sizeof(row->endpoint_id));
	memcpy(row->path, info->sandbox, sizeof(row->path));
	row->seen = info->sandbox_seen;
}

static void change(struct docker *docker, const struct sandbox_row *row, bool there)
{
	struct port_info port;
	struct rwy_err err = {0};
	service_lock(docker->daemon);
	int r = service_port_by_endpoint(docker->daemon, row->endpoint_id, &port, &err);
	// A Leave or another Join may have come since the look.
	bool same = !r && strcmp(port.sandbox, row->path) == 0 && port.sandbox_seen == row->seen;
	if (same && there)
		r = service_port_set_sandbox(docker->daemon, port.id, row->path, true, &err);
	else if (same)
		r = place_remove_port(docker, &port, &err);
	service_unlock(docker->daemon);
	if (same && r)
		log_err(&err, "cannot follow the sandbox of port '%s'", port.spec.name);
	else if (same && !there)
		log_info("port '%s' collected: its container's namespace is gone", port.spec.name);
}

void sandbox_check(struct docker *docker)
{
	struct snapshot_vec rows = {0};
	service_lock(docker->daemon);
	service_each_port(docker->daemon, collect, &rows);
	service_unlock(docker->daemon);
	const struct sandbox_row *row = rows.data;
	for (size_t i = 0; i < rows.count; i++) {
		bool there = sandbox_is_there(row[i].path);
		if (there != row[i].seen)
			change(docker, &row[i], there);
	}
	free(rows.data);
}
