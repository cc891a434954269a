// SPDX-License-Identifier: BSD-3-Clause
// What all modes share: the beginning, steps in time with whoever runs the generator, what is printed. One
// thread.
#include "bench/gen/gen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELLO_SECONDS 30
#define HELLO_REST_NS 5000000

static void no_frame(void *ctx, struct lane *lane, const uint8_t *data)
{
}

static uint32_t receive_all(struct gen *gen)
{
	uint32_t frames = 0;

	for (uint32_t i = 0; i < gen->lane_count; i++)
		frames += gen->lane[i].ops->receive(&gen->lane[i], no_frame, NULL);
	return frames;
}

static void send_one_each(struct gen *gen)
{
	for (uint32_t i = 0; i < gen->lane_count; i++) {
		struct lane *lane = &gen->lane[i];
		if (lane->ops->room(lane))
			(void)lane->ops->send(lane, 1); // One that did not go is sent again.
	}
}

// A port without a frame yet; none: the number of ports.
static uint32_t first_silent(const struct gen *gen)
{
	for (uint32_t i = 0; i < gen->config.busy; i++) {
		uint64_t received = 0;
		for (uint32_t q = 0; q < gen->config.queue_pairs; q++)
			received += gen->lane[i * gen->config.queue_pairs + q].received;
		if (!received)
			return i;
	}
	return gen->config.busy;
}

// Frames may still be on their way: until none came for a while.
static void settle(struct gen *gen)
{
	const struct timespec rest = {.tv_nsec = HELLO_REST_NS};
	int quiet = 0;

	for (int i = 0; i < 400 && quiet < 10; i++) {
		quiet = receive_all(gen) ? 0 : quiet + 1;
		(void)nanosleep(&rest, NULL); // Shorter is as good.
	}
	for (uint32_t i = 0; i < gen->lane_count; i++)
		(void)gen->lane[i].ops->room(&gen->lane[i]);
}

int run_hello(struct gen *gen)
{
	const struct timespec rest = {.tv_nsec = HELLO_REST_NS};
	uint64_t end = cycles_clock_ns() + HELLO_SECONDS * 1000000000ull;

	while (first_silent(gen) < gen->config.busy) {
		uint32_t silent = first_silent(gen);
		if (cycles_clock_ns() > end)
			return gen_fail(
				-ETIMEDOUT,
				"no frame reached %s within %d s",
				gen->port[silent].path,
				HELLO_SECONDS
			);
		send_one_each(gen);
		for (int i = 0; i < 10 && first_silent(gen) < gen->config.busy; i++) {
			(void)nanosleep(&rest, NULL); // Shorter is as good.
			(void)receive_all(gen);
		}
	}
	settle(gen);
	return 0;
}

// Whether a line, or the end, is there on standard input; it is read.
static bool line_came(void)
{
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	char text[64];

	return poll(&pfd, 1, 0) > 0 && read(STDIN_FILENO, text, sizeof(text)) >= 0;
}

void run_step(struct gen *gen, const char *event, void (*turn)(struct gen *gen))
{
	uint64_t period = (uint64_t)(gen->hz / 1000);
	uint64_t next = cycles_now() + period;

	if (!gen->config.steps)
		return;
	printf("{\"event\": \"%s\"}\n", event);
	(void)fflush(stdout); // A reader that is gone ends the wait.
	for (;;) {
		turn(gen);
		if (cycles_now() < next)
			continue;
		if (line_came())
			return;
		next = cycles_now() + period;
	}
}

void run_print_common(const struct gen *gen, const char *mode)
{
	const struct gen_config *config = &gen->config;
	static const char *const patterns[GEN_PATTERN_COUNT] = {"pairs", "ring", "star"};

	printf("{\"mode\": \"%s\", \"frame_size\": %u, \"ports\": %u, \"busy\": %u, "
	       "\"queue_pairs\": %u, \"ring_size\": %u, \"pattern\": \"%s\", \"both_ways\": %s, "
	       "\"rings\": \"%s\", \"tso\": %s, \"features\": \"0x%llx\", \"hz\": %.0f, ",
	       mode,
	       config->frame_size,
	       gen->port_count,
	       config->busy,
	       config->queue_pairs,
	       config->ring_size,
	       patterns[config->pattern],
	       config->both_ways ? "true" : "false",
	       config->packed ? "packed" : "split",
	       config->tso ? "true" : "false",
	       (unsigned long long)gen->features,
	       gen->hz);
}
