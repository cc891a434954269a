// SPDX-License-Identifier: BSD-3-Clause
// The stand-in for ringwayd, over libmicrohttpd with one thread of its own; the log is locked.
#include "tests/unit/client/fake_server.h"

#include "base/cleanup.h"
#include "tests/lib/unit.h"

#include <dirent.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define REPLIES_MAX 32

struct fake_server {
	const struct fake_reply *replies;
	bool used[REPLIES_MAX];
	struct MHD_Daemon *http;
	pthread_mutex_t lock;
	char log[65536];
};

struct request {
	char *path;
	char *body;
	size_t size;
	bool begun;
};

static const struct fake_reply *find_reply(
	struct fake_server *server,
	const char *method,
	const char *path
)
{
	const struct fake_reply *last = NULL;
	for (size_t i = 0; server->replies[i].method; i++) {
		const struct fake_reply *reply = &server->replies[i];
		if (strcmp(reply->method, method) != 0 || strcmp(reply->path, path) != 0)
			continue;
		last = reply;
		if (server->used[i])
			continue;
		server->used[i] = true;
		break;
	}
	return last;
}

static enum MHD_Result answer(
	struct fake_server *server,
	struct MHD_Connection *connection,
	const char *method,
	struct request *request
)
{
	static const char missing[] =
		"{\"error\":{\"code\":\"not_found\",\"message\":\"no reply\"}}";
	(void)pthread_mutex_lock(&server->lock);
	size_t used = strlen(server->log);
	(void)snprintf(
		server->log + used,
		sizeof(server->log) - used,
		"%s %s%s%s\n",
		method,
		request->path,
		request->body ? " " : "",
		request->body ? request->body : ""
	);
	const struct fake_reply *reply = find_reply(server, method, request->path);
	(void)pthread_mutex_unlock(&server->lock);
	const char *body = reply ? reply->body : missing;
	char *copy = strdup(body);
	if (!copy)
		return MHD_NO;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(body), copy, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result r = MHD_queue_response(connection, reply ? reply->status : 404, response);
	MHD_destroy_response(response);
	return r;
}

static void *begin_request(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct request *request = calloc(1, sizeof(*request));
	if (request)
		request->path = strdup(uri);
	return request;
}

// libmicrohttpd says how many parameters there are.
// NOLINTNEXTLINE(readability-function-size)
static enum MHD_Result handle(
	void *arg,
	struct MHD_Connection *connection,
	const char *url,
	const char *method,
	const char *version,
	const char *data,
	size_t *size,
	void **state
)
{
	struct request *request = *state;
	if (!request->begun) {
		request->begun = true;
		return MHD_YES;
	}
	if (*size == 0)
		return answer(arg, connection, method, request);
	char *grown = realloc(request->body, request->size + *size + 1);
	if (!grown)
		return MHD_NO;
	memcpy(grown + request->size, data, *size);
	request->size += *size;
	grown[request->size] = '\0';
	request->body = grown;
	*size = 0;
	return MHD_YES;
}

static void end_request(
	void *arg,
	struct MHD_Connection *connection,
	void **state,
	enum MHD_RequestTerminationCode code
)
{
	struct request *request = *state;
	if (!request)
		return;
	free(request->path);
	free(request->body);
	free(request);
}

struct fake_server *fake_server_new(const char *dir, const struct fake_reply *replies)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct fake_server *server = calloc(1, sizeof(*server));
	assert_non_null(server);
	server->replies = replies;
	assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/api.sock", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	server->http = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD,
		0,
		NULL,
		NULL,
		handle,
		server,
		MHD_OPTION_LISTEN_SOCKET,
		fd,
		MHD_OPTION_URI_LOG_CALLBACK,
		begin_request,
		NULL,
		MHD_OPTION_NOTIFY_COMPLETED,
		end_request,
		NULL,
		MHD_OPTION_END
	);
	assert_non_null(server->http);
	return server;
}

void fake_server_free(struct fake_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->http); // Closes the listening socket as well.
	(void)pthread_mutex_destroy(&server->lock);
	free(server);
}

char *fake_server_log(struct fake_server *server)
{
	(void)pthread_mutex_lock(&server->lock);
	char *log = strdup(server->log);
	(void)pthread_mutex_unlock(&server->lock);
	assert_non_null(log);
	return log;
}

char *fake_dir_make(void)
{
	char *dir = strdup("/tmp/ringway-test-XXXXXX");
	assert_non_null(dir);
	assert_non_null(mkdtemp(dir));
	return dir;
}

void fake_dir_remove(const char *dir)
{
	DIR *listing = opendir(dir);
	assert_non_null(listing);
	for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
		if (entry->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(listing), entry->d_name, 0), 0);
	(void)closedir(listing);
	assert_int_equal(rmdir(dir), 0);
}
