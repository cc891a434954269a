// SPDX-License-Identifier: BSD-3-Clause
// A back end for two vhost-user front ends that copies from ring to ring and does nothing else: the limit that a
// switch is compared with, or with --null the generator's own ceiling. The main thread speaks with the front
// ends by the switch's own src/vhost/ and answers on standard input; the worker polls and never sleeps.
#include "base/cleanup.h"
#include "bench/limit/copy.h"
#include "vhost/message.h"
#include "vhost/vhost.h"

#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ENDS 2

struct options {
	const char *path[ENDS];
	int path_count;
	int cpu;
	bool null;
};

struct end {
	const char *path;
	int listen_fd;
	struct vhost_conn *conn;
};

// What the worker counts, by the same rule as the switch: a turn with frames is busy, from the end of the
// turn before on.
struct counters {
	uint64_t busy_cycles;
	uint64_t idle_cycles;
	uint64_t frames;
	uint64_t turns;
};

static struct end ends[ENDS];
static struct copy_path paths[ENDS]; // From end i to the other one.
static struct counters counters;
static copy_burst *burst;
static bool hold; // The main thread wants to change the paths.
static bool held; // The worker is away from them.

// One writer: the worker.
// NOLINTNEXTLINE(readability-non-const-parameter): written by the builtin.
static void add(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	uint64_t start = cycles_now();

	for (;;) {
		uint32_t frames = 0;
		for (int i = 0; i < ENDS; i++)
			if (paths[i].live)
				frames += burst(&paths[i]);
		uint64_t now = cycles_now();
		add(frames ? &counters.busy_cycles : &counters.idle_cycles, now - start);
		add(&counters.frames, frames);
		add(&counters.turns, 1);
		start = now;
		while (__builtin_expect(__atomic_load_n(&hold, __ATOMIC_ACQUIRE), 0)) {
			__atomic_store_n(&held, true, __ATOMIC_RELEASE);
			cycles_relax();
			start = cycles_now();
		}
		if (!frames)
			cycles_relax();
	}
	return arg;
}

static void quiesce(void *ctx)
{
	__atomic_store_n(&held, false, __ATOMIC_RELEASE);
	__atomic_store_n(&hold, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&held, __ATOMIC_ACQUIRE))
		(void)sched_yield(); // Cannot fail.
}

static void set_ring(struct copy_ring *ring, struct vhost_queue *queue)
{
	vring_set_notify(&queue->ring, false);
	*ring = (struct copy_ring){
		.desc = (void *)queue->ring.desc,
		.avail = (void *)queue->ring.avail,
		.used = (void *)queue->ring.used,
		.mem = queue->ring.mem,
		.mask = (uint16_t)(queue->ring.size - 1),
		.next = queue->ring.next_avail,
		.seen = queue->ring.next_avail,
		.header_size = queue->ring.header_size,
	};
}

static void set_path(struct copy_path *path, struct end *from, struct end *to)
{
	struct vhost_queue *tx = from->conn ? vhost_conn_queue(from->conn, 1) : NULL;
	struct vhost_queue *rx = to->conn ? vhost_conn_queue(to->conn, 0) : NULL;
	bool live = tx && rx && tx->live && rx->live;

	if (live && !path->live) {
		path->null_size = 0;
		set_ring(&path->from, tx);
		set_ring(&path->to, rx);
	}
	path->live = live;
}

static void resume(void *ctx)
{
	// Rings that come alive are told without a quiesce.
	if (!__atomic_load_n(&hold, __ATOMIC_ACQUIRE))
		quiesce(ctx);
	for (int i = 0; i < ENDS; i++)
		set_path(&paths[i], &ends[i], &ends[1 - i]);
	__atomic_store_n(&hold, false, __ATOMIC_RELEASE);
}

static void announce(void *ctx, const uint8_t mac[MAC_SIZE])
{
}

static const struct vhost_conn_ops ops = {
	.quiesce = quiesce,
	.resume = resume,
	.announce = announce};

static int listen_at(struct end *end)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (strlen(end->path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, end->path, strlen(end->path));
	(void)unlink(end->path); // Of an earlier run, if any.
	end->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (end->listen_fd < 0 || bind(end->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(end->listen_fd, 1))
		return -errno;
	return 0;
}

static void end_connection(struct end *end)
{
	struct vhost_conn *conn = end->conn;

	quiesce(NULL);
	end->conn = NULL;
	resume(NULL);
	vhost_conn_free(conn);
	resume(NULL);
}

static void serve(struct end *end)
{
	struct rwy_err err = {0};

	if (!end->conn) {
		const struct vhost_conn_config config = {.queue_pairs = 1, .offloads = true};
		int fd = accept4(end->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			end->conn = vhost_conn_new(fd, &config, &ops, end);
		return;
	}
	int r = vhost_conn_process(end->conn, &err);
	if (r < 0 && r != -EPIPE)
		(void)fprintf(stderr, "limit: %s: %s\n", end->path, err.msg);
	if (r < 0)
		end_connection(end);
}

static void print_counters(double hz)
{
	printf("{\"busy_cycles\": %llu, \"idle_cycles\": %llu, \"frames\": %llu, \"turns\": %llu, "
	       "\"tsc_hz\": %.0f}\n",
	       (unsigned long long)__atomic_load_n(&counters.busy_cycles, __ATOMIC_RELAXED),
	       (unsigned long long)__atomic_load_n(&counters.idle_cycles, __ATOMIC_RELAXED),
	       (unsigned long long)__atomic_load_n(&counters.frames, __ATOMIC_RELAXED),
	       (unsigned long long)__atomic_load_n(&counters.turns, __ATOMIC_RELAXED),
	       hz);
	(void)fflush(stdout); // A reader that is gone needs nothing.
}

// Serves the front ends; a line on standard input asks for the counters, its end for ours.
static void loop(double hz)
{
	char text[64];

	for (;;) {
		struct pollfd pfd[ENDS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
		for (int i = 0; i < ENDS; i++) {
			struct end *end = &ends[i];
			pfd[i + 1].fd = end->conn ? vhost_conn_fd(end->conn) : end->listen_fd;
			pfd[i + 1].events =
				end->conn ? (short)vhost_conn_events(end->conn) : POLLIN;
		}
		if (poll(pfd, ENDS + 1, -1) < 0)
			continue;
		for (int i = 0; i < ENDS; i++)
			if (pfd[i + 1].revents)
				serve(&ends[i]);
		if (!pfd[0].revents)
			continue;
		if (read(STDIN_FILENO, text, sizeof(text)) <= 0)
			return;
		print_counters(hz);
	}
}

static int start_worker(int cpu)
{
	pthread_t thread;
	cpu_set_t set;
	int r = pthread_create(&thread, NULL, work, NULL);

	if (r || cpu < 0)
		return r;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return pthread_setaffinity_np(thread, sizeof(set), &set);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *rest;

	switch (key) {
	case 'c':
		o->cpu = (int)strtol(arg, &rest, 10);
		if (*rest || o->cpu < 0 || o->cpu >= CPU_SETSIZE)
			argp_error(state, "'%s' is no CPU", arg);
		return 0;
	case 'n':
		o->null = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->path_count == ENDS)
			argp_usage(state);
		o->path[o->path_count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->path_count != ENDS)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"cpu", 'c', "N", 0, "CPU of the worker", 0},
		{"null", 'n', NULL, 0, "Give buffers back and copy nothing", 0},
		{0},
	};
	const struct argp argp = {
		.options = list,
		.parser = parse,
		.args_doc = "SOCKET SOCKET",
		.doc = "Copies frames from ring to ring between two vhost-user front ends.",
	};
	struct options o = {.cpu = -1};

	argp_err_exit_status = 2;
	(void)argp_parse(&argp, argc, argv, 0, NULL, &o); // Exits by itself.
	burst = o.null ? copy_null : copy_choose();
	for (int i = 0; i < ENDS; i++) {
		ends[i].path = o.path[i];
		int r = listen_at(&ends[i]);
		if (r) {
			(void)fprintf(
				stderr, "limit: cannot listen on %s: %s\n", o.path[i], strerror(-r)
			);
			return 1;
		}
	}
	double hz = cycles_hz();
	if (vhost_guard_memory() || start_worker(o.cpu)) {
		(void)fprintf(stderr, "limit: cannot start the worker on CPU %d\n", o.cpu);
		return 1;
	}
	loop(hz);
	return 0;
}
