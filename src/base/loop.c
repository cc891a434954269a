// SPDX-License-Identifier: BSD-3-Clause
// An epoll loop. Owned and run by one thread. Removed sources are freed at the end of a turn, since
// events of the same epoll_wait() may still name them.
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOOP_EVENTS 64

struct loop_source {
	struct loop *loop;
	struct loop_source *next;
	struct loop_source **link; // What points here in the loop's list.
	int fd;
	loop_fd_cb *fd_cb;
	loop_timer_cb *timer_cb; // Set for timers, whose fd is a timerfd of ours.
	void *arg;
	bool dead;
};

struct loop {
	int epoll_fd;
	bool stopping;
	struct loop_source *live;
	struct loop_source *dead;
};

static void list_push(struct loop_source **list, struct loop_source *source)
{
	source->next = *list;
	if (source->next)
		source->next->link = &source->next;
	source->link = list;
	*list = source;
}

static void list_unlink(struct loop_source *source)
{
	*source->link = source->next;
	if (source->next)
		source->next->link = source->link;
}

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return NULL;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

static void free_dead(struct loop *loop)
{
	while (loop->dead) {
		struct loop_source *source = loop->dead;
		loop->dead = source->next;
		free(source);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->live)
		loop_remove(loop->live);
	free_dead(loop);
	(void)close(loop->epoll_fd); // Nothing to do about a failing close here.
	free(loop);
}

static struct loop_source *add_source(
	struct loop *loop,
	int fd,
	uint32_t events,
	const struct loop_source *init
)
{
	struct loop_source *source = malloc(sizeof(*source));
	if (!source)
		return NULL;
	*source = *init;
	source->loop = loop;
	source->fd = fd;
	struct epoll_event event = {.events = events, .data.ptr = source};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		free(source);
		return NULL;
	}
	list_push(&loop->live, source);
	return source;
}

struct loop_source *loop_add_fd(
	struct loop *loop,
	int fd,
	uint32_t events,
	loop_fd_cb *cb,
	void *arg
)
{
	struct loop_source init = {.fd_cb = cb, .arg = arg};
	return add_source(loop, fd, events, &init);
}

int loop_set_events(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) ? -errno : 0;
}

int loop_set_timer(struct loop_source *source, uint64_t first_ms, uint64_t every_ms)
{
	struct itimerspec spec = {
		.it_value = {(time_t)(first_ms / 1000), (long)(first_ms % 1000) * 1000000},
		.it_interval = {(time_t)(every_ms / 1000), (long)(every_ms % 1000) * 1000000},
	};
	return timerfd_settime(source->fd, 0, &spec, NULL) ? -errno : 0;
}

struct loop_source *loop_add_timer(
	struct loop *loop,
	uint64_t first_ms,
	uint64_t every_ms,
	loop_timer_cb *cb,
	void *arg
)
{
	struct loop_source init = {.timer_cb = cb, .arg = arg};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return NULL;
	struct loop_source *source = add_source(loop, fd, EPOLLIN, &init);
	if (!source) {
		(void)close(fd); // Nothing to do about a failing close here.
		return NULL;
	}
	if (loop_set_timer(source, first_ms, every_ms)) {
		loop_remove(source);
		return NULL;
	}
	return source;
}

void loop_remove(struct loop_source *source)
{
	if (!source || source->dead)
		return;
	// The descriptor may already be closed, which removed it from the epoll set: no error then.
	(void)epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->timer_cb)
		(void)close(source->fd); // Nothing to do about a failing close here.
	source->dead = true;
	list_unlink(source);
	source->next = source->loop->dead;
	source->loop->dead = source;
}

static void dispatch(struct loop_source *source, uint32_t events)
{
	if (source->dead)
		return;
	if (source->fd_cb) {
		source->fd_cb(source->arg, events);
		return;
	}
	uint64_t expirations;
	if (read(source->fd, &expirations, sizeof(expirations)) > 0)
		source->timer_cb(source->arg);
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[LOOP_EVENTS];
	int count = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS, timeout_ms);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++)
		dispatch(events[i].data.ptr, events[i].events);
	free_dead(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	loop->stopping = false;
	while (!loop->stopping) {
		int r = loop_turn(loop, -1);
		if (r)
			return r;
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}
