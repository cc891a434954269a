// SPDX-License-Identifier: BSD-3-Clause
// Start and end of the Docker side: the plugin socket and its server, the sync thread. Owned by the main thread.
#include "daemon/docker/docker.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/docker/engine.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PLUGIN_CONTENT_TYPE "application/vnd.docker.plugins.v1.2+json"

int64_t docker_now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // It cannot fail.
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Forgets what has had its time. Lock held.
static void marks_expire(struct docker_mark **list, int64_t now_ms)
{
	while (*list) {
		struct docker_mark *mark = *list;
		if (mark->until_ms > now_ms) {
			list = &mark->next;
			continue;
		}
		*list = mark->next;
		free(mark);
	}
}

static struct docker_mark *mark_find(struct docker_mark *list, const char *id)
{
	while (list && strcmp(list->id, id) != 0)
		list = list->next;
	return list;
}

void docker_mark_set(
	struct docker *docker,
	struct docker_mark **list,
	const char *id,
	int64_t value,
	int64_t for_ms
)
{
	int64_t now_ms = docker_now_ms();
	(void)pthread_mutex_lock(&docker->lock); // A plain mutex does not fail.
	marks_expire(list, now_ms);
	struct docker_mark *mark = mark_find(*list, id);
	if (!mark) {
		mark = calloc(1, sizeof(*mark));
		if (mark) {
			(void)snprintf(mark->id, sizeof(mark->id), "%s", id); // Ids fit.
			mark->next = *list;
			*list = mark;
		}
	}
	if (mark) {
		mark->value = value;
		mark->until_ms = now_ms + for_ms;
	}
	(void)pthread_mutex_unlock(&docker->lock);
}

int64_t docker_mark_get(
	struct docker *docker,
	struct docker_mark **list,
	const char *id,
	int64_t none
)
{
	(void)pthread_mutex_lock(&docker->lock); // A plain mutex does not fail.
	marks_expire(list, docker_now_ms());
	const struct docker_mark *mark = mark_find(*list, id);
	int64_t value = mark ? mark->value : none;
	(void)pthread_mutex_unlock(&docker->lock);
	return value;
}

int64_t docker_mark_sum(struct docker *docker, struct docker_mark **list, const char *except)
{
	int64_t sum = 0;
	(void)pthread_mutex_lock(&docker->lock); // A plain mutex does not fail.
	marks_expire(list, docker_now_ms());
	for (const struct docker_mark *mark = *list; mark; mark = mark->next)
		if (strcmp(mark->id, except) != 0)
			sum += mark->value;
	(void)pthread_mutex_unlock(&docker->lock);
	return sum;
}

void docker_marks_free(struct docker_mark **list)
{
	marks_expire(list, INT64_MAX);
}

// Whether somebody answers at a socket's path.
static bool is_living(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path); // It was checked.
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd >= 0;
	return errno == EAGAIN; // Its backlog is full: somebody is there, if slow.
}

static int make_parents(const char *path)
{
	char dir[DOCKER_SOCKET_SIZE];
	(void)snprintf(dir, sizeof(dir), "%s", path); // It was checked.
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

static int listen_plugin(struct docker *docker, int *ret_fd, struct rwy_err *err)
{
	const char *path = docker->plugin_socket;
	int r = make_parents(path);
	if (r)
		return err_set(err, r, "cannot make the directory of '%s': %s", path, strerror(-r));
	if (is_living(path)) {
		err_set(err, -EADDRINUSE, "cannot listen on '%s': another process does", path);
		return err_hint(err, "stop the other ringwayd, or choose another driver name");
	}
	r = http_listen(path, 0600, -1, err);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}

static int start_plugin(struct docker *docker, struct rwy_err *err)
{
	struct http_table table = driver_routes(docker);
	struct http_config config = {
		.tables = &table,
		.table_count = 1,
		.content_type = PLUGIN_CONTENT_TYPE,
		.error_body = driver_error_body,
	};
	int r = listen_plugin(docker, &config.listen_fd, err);
	return r ? r : http_server_start(&config, &docker->plugin, err);
}

static int copy_path(char *out, const char *path, struct rwy_err *err)
{
	if (*path == '/' && strlen(path) < DOCKER_SOCKET_SIZE) {
		memcpy(out, path, strlen(path) + 1);
		return 0;
	}
	err_set(err, -ENAMETOOLONG, "cannot use the socket '%s'", path);
	return err_hint(
		err, "it must be an absolute path of at most %d bytes", DOCKER_SOCKET_SIZE - 1
	);
}

static int start_parts(
	struct docker *docker,
	const struct docker_config *config,
	struct rwy_err *err
)
{
	int r = copy_path(docker->plugin_socket, config->plugin_socket, err);
	if (!r)
		r = copy_path(docker->engine_socket, config->engine_socket, err);
	if (!r && !driver_name_is_valid(config->name))
		r = err_set(err, -EINVAL, "'%.80s' cannot be a Docker driver's name", config->name);
	if (r)
		return r;
	memcpy(docker->name, config->name, strlen(config->name) + 1);
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return err_set(err, -ENOMEM, "cannot start libcurl");
	service_lock(docker->daemon);
	place_renew_all(docker, false);
	service_unlock(docker->daemon);
	// The driver's first call wakes the thread, so the thread is there first.
	r = sync_start(docker, &docker->sync, err);
	return r ? r : start_plugin(docker, err);
}

int docker_start(
	struct daemon *daemon,
	const struct docker_config *config,
	struct docker **ret_docker,
	struct rwy_err *err
)
{
	struct docker *docker = calloc(1, sizeof(*docker));
	if (!docker)
		return err_set(err, -ENOMEM, "cannot start the Docker driver: no memory");
	docker->daemon = daemon;
	docker->started_ms = docker_now_ms();
	(void)pthread_mutex_init(&docker->lock, NULL); // Plain mutexes do not fail.
	(void)pthread_mutex_init(&docker->create_lock, NULL);
	int r = start_parts(docker, config, err);
	if (r) {
		docker_stop(docker);
		return err_prefix(err, "cannot start the Docker driver: ");
	}
	*ret_docker = docker;
	return 0;
}

void docker_stop(struct docker *docker)
{
	if (!docker)
		return;
	if (docker->plugin) {
		// The path goes first: who connects now finds nobody, rather than somebody who is leaving.
		(void)unlink(docker->plugin_socket); // It may be gone already.
		http_server_stop(docker->plugin);
	}
	sync_stop(docker->sync);
	docker_marks_free(&docker->bound);
	docker_marks_free(&docker->patience);
	docker_marks_free(&docker->promised);
	(void)pthread_mutex_destroy(&docker->lock); // Nobody is left.
	(void)pthread_mutex_destroy(&docker->create_lock);
	free(docker);
}

void docker_engine_state(struct docker *docker, json_t *object)
{
	sync_engine_state(docker->sync, object);
}
