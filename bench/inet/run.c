// SPDX-License-Identifier: BSD-3-Clause
// A client's life: the load's thread, the time, steps with whoever runs it, what is printed. Main thread.
#include "bench/inet/inet.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_MS 20 // How often the main thread looks whether the load's has failed.

static void *make_load(void *arg)
{
	struct inet_load *load = arg;
	int r = 0;

	while (!r && !atomic_load_explicit(&load->stop, memory_order_relaxed))
		r = load->mode->turn(load);
	atomic_store(&load->failure, r);
	return NULL;
}

// Waits, at most until `ns` on the monotonic clock; for a line on standard input too when `line`.
static int wait_for(struct inet_load *load, uint64_t ns, bool line)
{
	struct pollfd pfd = {.fd = line ? STDIN_FILENO : -1, .events = POLLIN};
	char text[64];

	while (cycles_clock_ns() < ns) {
		uint64_t left = (ns - cycles_clock_ns()) / 1000000 + 1;
		int r = atomic_load(&load->failure);
		if (r)
			return r;
		// The end of standard input counts as a line.
		if (poll(&pfd, 1, left < CHECK_MS ? (int)left : CHECK_MS) > 0)
			return read(STDIN_FILENO, text, sizeof(text)) < 0 ? -errno : 0;
	}
	return atomic_load(&load->failure);
}

static int step(struct inet_load *load, const char *event)
{
	if (!load->config->steps)
		return 0;
	printf("{\"event\": \"%s\"}\n", event);
	(void)fflush(stdout); // A reader that is gone ends the wait.
	return wait_for(load, UINT64_MAX, true);
}

static uint64_t after(double seconds)
{
	return cycles_clock_ns() + (uint64_t)(seconds * 1e9);
}

static int measure(struct inet_load *load)
{
	int r = wait_for(load, after(load->config->warm_seconds), false);
	if (!r)
		r = step(load, "ready");
	uint64_t begun = cycles_clock_ns();
	if (!r)
		r = load->mode->look(load);
	atomic_store(&load->measuring, true);
	if (!r)
		r = wait_for(load, after(load->config->seconds), false);
	atomic_store(&load->measuring, false);
	load->elapsed = (double)(cycles_clock_ns() - begun) / 1e9;
	if (!r)
		r = load->mode->look(load);
	return r ? r : step(load, "measured");
}

static void print_result(struct inet_load *load)
{
	printf("{\"mode\": \"%s\", \"hz\": %.0f, \"seconds\": %.6f",
	       load->mode->name,
	       load->hz,
	       load->elapsed);
	load->mode->print(load);
	printf("}\n");
}

void inet_print_hist(const struct inet_load *load, const char *name)
{
	static const struct {
		const char *name;
		double part;
	} parts[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

	printf(", \"%s\": {", name);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint64_t cycles = hist_percentile(&load->hist, parts[i].part);
		printf("%s\"%s\": %.2f",
		       i ? ", " : "",
		       parts[i].name,
		       (double)cycles * 1e6 / load->hz);
	}
	printf("}");
}

void inet_note(struct inet_load *load, const uint64_t values[3])
{
	memcpy(load->look_count++ ? load->last : load->first, values, sizeof(load->first));
}

static int run_threads(struct inet_load *load)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, make_load, load);
	if (r)
		return inet_fail(-r, "cannot start a thread");
	r = measure(load);
	atomic_store(&load->stop, true);
	(void)pthread_join(thread, NULL); // It ends by itself.
	return r;
}

int inet_run(const struct inet_config *config, const struct inet_mode *mode)
{
	struct inet_load *load = calloc(1, sizeof(*load));
	if (!load)
		return inet_fail(-ENOMEM, "cannot begin");
	load->config = config;
	load->mode = mode;
	load->hz = cycles_hz();
	load->control = load->epoll = -1;
	memset(load->fd, 0xff, sizeof(load->fd));
	(void)signal(SIGPIPE, SIG_IGN); // A peer that is gone is an error of the write.
	int r = mode->open(load);
	if (!r)
		r = run_threads(load);
	if (!r)
		print_result(load);
	free(load); // Descriptors go with the process, which ends now.
	return r;
}
