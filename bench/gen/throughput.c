// SPDX-License-Identifier: BSD-3-Clause
// The open loop: every sender's ring is kept full, every receiver's ring is kept empty. Rings are looked at
// only so often that a quarter of a ring moves between two looks at most: looking more often would take
// the shared cache lines away from the switch for nothing.
#include "bench/gen/gen.h"
#include "bench/gen/ring.h"

#include <errno.h>
#include <stdio.h>

#define WAIT_MOST_NS 2000

struct totals {
	uint64_t sent;
	uint64_t accepted;
	uint64_t received;
	uint64_t bytes;
	uint64_t kicks;
	uint64_t spare;
	uint64_t cycles;
};

static uint64_t wait_cycles; // Between two turns.

// Frames that the busiest lane moved.
static uint32_t exchange(struct gen *gen)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < gen->sender_count; i++) {
		struct lane *lane = gen->sender[i];
		uint32_t room = lane->ops->room(lane);
		if (room >= lane->burst)
			room = lane->ops->send(lane, room);
		most = room > most ? room : most;
	}
	for (uint32_t i = 0; i < gen->lane_count; i++) {
		struct lane *lane = &gen->lane[i];
		uint32_t frames = lane->ops->receive(lane, NULL, NULL);
		most = frames > most ? frames : most;
	}
	return most;
}

static void turn(struct gen *gen)
{
	uint32_t moved = exchange(gen);
	uint64_t most = (uint64_t)(gen->hz * WAIT_MOST_NS / 1e9);
	uint64_t now = cycles_now();
	uint64_t end = now + wait_cycles;

	gen->turns++;
	gen->spare_cycles += wait_cycles;
	if (moved > gen->config.ring_size / 4)
		wait_cycles /= 2;
	else if (moved < gen->config.ring_size / 8 && wait_cycles < most)
		wait_cycles += wait_cycles / 8 + 16;
	while (cycles_now() < end)
		cycles_relax();
}

static struct totals add_up(const struct gen *gen)
{
	struct totals t = {.cycles = cycles_now(), .spare = gen->spare_cycles};

	for (uint32_t i = 0; i < gen->lane_count; i++) {
		const struct lane *lane = &gen->lane[i];
		t.sent += lane->sent;
		t.accepted += lane->accepted;
		t.received += lane->received;
		t.bytes += lane->received_bytes;
		t.kicks += lane->kicks;
	}
	return t;
}

static void run_for(struct gen *gen, double seconds)
{
	uint64_t end = cycles_now() + (uint64_t)(seconds * gen->hz);

	while (cycles_now() < end)
		turn(gen);
}

static void print(const struct gen *gen, const struct totals *from, const struct totals *to)
{
	double seconds = (double)(to->cycles - from->cycles) / gen->hz;
	uint64_t accepted = to->accepted - from->accepted;
	uint64_t received = to->received - from->received;

	run_print_common(gen, "throughput");
	printf("\"seconds\": %.6f, \"accepted\": %llu, \"received\": %llu, "
	       "\"frames_per_s\": %.1f, \"gbit_per_s\": %.4f, \"loss\": %.8f, \"kicks\": %llu, "
	       "\"generator_spare\": %.3f}\n",
	       seconds,
	       (unsigned long long)accepted,
	       (unsigned long long)received,
	       (double)received / seconds,
	       (double)(to->bytes - from->bytes) * 8 / seconds / 1e9,
	       accepted > received ? (double)(accepted - received) / (double)accepted : 0,
	       (unsigned long long)(to->kicks - from->kicks),
	       (double)(to->spare - from->spare) / (double)(to->cycles - from->cycles));
	(void)fflush(stdout); // A reader that is gone needs nothing.
}

static int stop_checking(struct gen *gen)
{
	for (uint32_t i = 0; i < gen->lane_count && gen->header_size; i++) {
		struct vhost_lane *v = gen->lane[i].impl;
		v->check = false;
		if (v->broken)
			return gen_fail(
				-EPROTO,
				"%s gives buffers back out of order",
				gen->port[gen->lane[i].port].path
			);
	}
	return 0;
}

int mode_throughput(struct gen *gen)
{
	int r = run_hello(gen);

	if (r)
		return r;
	wait_cycles = 0;
	run_for(gen, gen->config.warm_seconds);
	r = stop_checking(gen);
	if (r)
		return r;
	run_step(gen, "ready", turn);
	struct totals from = add_up(gen);
	run_for(gen, gen->config.seconds);
	struct totals to = add_up(gen);
	print(gen, &from, &to);
	run_step(gen, "measured", turn);
	return 0;
}
