// SPDX-License-Identifier: BSD-3-Clause
// One thread takes connections one after another; those of GET /events stay open.
#include "tests/unit/daemon/docker/fake_engine.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWERS 16
#define REQUEST_MAX 8192

struct fake_answer {
	char request[128];
	int status;
	char body[4096];
	unsigned int count;
};

struct fake_engine {
	int listen_fd;
	int events_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	struct fake_answer answers[ANSWERS];
};

static struct fake_answer *find_answer(struct fake_engine *engine, const char *request)
{
	for (int i = 0; i < ANSWERS; i++) {
		struct fake_answer *answer = &engine->answers[i];
		if (answer->status &&
		    strncmp(request, answer->request, strlen(answer->request)) == 0)
			return answer;
	}
	return NULL;
}

// Headers and, as far as Content-Length says, the body.
static bool read_request(int fd, char *text, size_t size)
{
	size_t used = 0;
	while (used < size - 1) {
		ssize_t n = read(fd, text + used, size - 1 - used);
		if (n <= 0)
			return false;
		used += (size_t)n;
		text[used] = '\0';
		const char *end = strstr(text, "\r\n\r\n");
		if (!end)
			continue;
		const char *length = strstr(text, "Content-Length: ");
		size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
		if (used >= (size_t)(end - text) + 4 + body)
			return true;
	}
	return false;
}

static void send_text(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return; // The client is gone, which is its right.
}

static void answer_request(struct fake_engine *engine, int fd, const char *request)
{
	char head[256];
	pthread_mutex_lock(&engine->lock);
	struct fake_answer *answer = find_answer(engine, request);
	const char *body = answer ? answer->body : "{\"message\":\"fake: unknown\"}";
	if (answer)
		answer->count++;
	snprintf(
		head,
		sizeof(head),
		"HTTP/1.1 %d Fake\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		answer ? answer->status : 404,
		strlen(body)
	);
	send_text(fd, head);
	send_text(fd, body);
	pthread_mutex_unlock(&engine->lock);
	close(fd);
}

static void serve(struct fake_engine *engine, int fd)
{
	char request[REQUEST_MAX];
	if (!read_request(fd, request, sizeof(request))) {
		close(fd);
		return;
	}
	if (strncmp(request, "GET /events", 11) != 0) {
		answer_request(engine, fd, request);
		return;
	}
	send_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
	pthread_mutex_lock(&engine->lock);
	if (engine->events_fd >= 0)
		close(engine->events_fd);
	engine->events_fd = fd;
	pthread_mutex_unlock(&engine->lock);
}

static void *engine_main(void *arg)
{
	struct fake_engine *engine = arg;
	for (;;) {
		int fd = accept(engine->listen_fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		serve(engine, fd);
	}
}

struct fake_engine *fake_engine_new(const char *path)
{
	struct fake_engine *engine = calloc(1, sizeof(*engine));
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	engine->events_fd = -1;
	engine->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_mutex_init(&engine->lock, NULL);
	if (bind(engine->listen_fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(engine->listen_fd, 16) ||
	    pthread_create(&engine->thread, NULL, engine_main, engine))
		abort();
	return engine;
}

void fake_engine_free(struct fake_engine *engine)
{
	shutdown(engine->listen_fd, SHUT_RDWR);
	pthread_join(engine->thread, NULL);
	close(engine->listen_fd);
	if (engine->events_fd >= 0)
		close(engine->events_fd);
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

void fake_engine_set(struct fake_engine *engine, const char *request, int status, const char *body)
{
	pthread_mutex_lock(&engine->lock);
	struct fake_answer *answer = engine->answers;
	while (answer->status && strcmp(answer->request, request) != 0)
		answer++;
	snprintf(answer->request, sizeof(answer->request), "%s", request);
	snprintf(answer->body, sizeof(answer->body), "%s", body);
	answer->status = status;
	pthread_mutex_unlock(&engine->lock);
}

void fake_engine_event(struct fake_engine *engine, const char *line)
{
	for (int fd = -1; fd < 0;) {
		pthread_mutex_lock(&engine->lock);
		fd = engine->events_fd;
		if (fd >= 0) {
			send_text(fd, line);
			send_text(fd, "\n");
		}
		pthread_mutex_unlock(&engine->lock);
		if (fd < 0)
			(void)poll(NULL, 0, 10); // Until somebody follows.
	}
}

unsigned int fake_engine_count(struct fake_engine *engine, const char *request)
{
	pthread_mutex_lock(&engine->lock);
	const struct fake_answer *answer = find_answer(engine, request);
	unsigned int count = answer ? answer->count : 0;
	pthread_mutex_unlock(&engine->lock);
	return count;
}
