// SPDX-License-Identifier: BSD-3-Clause
// Ports that are connected and quiet: first nothing at all is sent, then single frames after a rest, each with
// the time until it arrived. The generator itself sleeps in every rest.
#include "bench/gen/gen.h"
#include "bench/gen/hist.h"

#include <errno.h>
#include <stdio.h>

#define WAKE_MOST_MS 1000

static struct hist wakes;

static void rest_ms(double ms)
{
	uint64_t ns = (uint64_t)(ms * 1e6);
	struct timespec rest = {
		.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	(void)nanosleep(&rest, NULL); // Shorter is as good.
}

static void rest_turn(struct gen *gen)
{
	rest_ms(1);
}

// Cycles from before a frame is sent until it is received; 0 when it did not arrive.
static uint64_t wake(struct gen *gen, struct lane *sender)
{
	uint64_t most = (uint64_t)(gen->hz * WAKE_MOST_MS / 1000);
	uint64_t start = cycles_now();

	if (!sender->ops->room(sender) || !sender->ops->send(sender, 1))
		return 0;
	while (cycles_now() - start < most)
		for (uint32_t i = 0; i < gen->lane_count; i++)
			if (gen->lane[i].ops->receive(&gen->lane[i], NULL, NULL))
				return cycles_now() - start;
	return 0;
}

int mode_idle(struct gen *gen)
{
	uint32_t lost = 0;
	int r = run_hello(gen);

	if (r)
		return r;
	run_step(gen, "ready", rest_turn);
	rest_ms(gen->config.seconds * 1000);
	run_step(gen, "measured", rest_turn);
	uint64_t kicks = gen->sender[0]->kicks;
	for (uint32_t i = 0; i < gen->config.wakes; i++) {
		rest_ms(gen->config.gap_ms);
		uint64_t cycles = wake(gen, gen->sender[0]);
		if (cycles)
			hist_add(&wakes, cycles);
		else
			lost++;
	}
	double us = 1e6 / gen->hz;
	run_print_common(gen, "idle");
	printf("\"seconds\": %.3f, \"wakes\": %u, \"gap_ms\": %.3f, \"lost\": %u, \"kicks\": %llu, "
	       "\"wake_us\": {\"count\": %llu, \"min\": %.3f, \"p50\": %.3f, \"p99\": %.3f, "
	       "\"max\": %.3f}}\n",
	       gen->config.seconds,
	       gen->config.wakes,
	       gen->config.gap_ms,
	       lost,
	       (unsigned long long)(gen->sender[0]->kicks - kicks),
	       (unsigned long long)wakes.count,
	       wakes.count ? (double)wakes.least * us : 0,
	       (double)hist_percentile(&wakes, 0.5) * us,
	       (double)hist_percentile(&wakes, 0.99) * us,
	       (double)wakes.most * us);
	(void)fflush(stdout); // A reader that is gone needs nothing.
	return 0;
}
