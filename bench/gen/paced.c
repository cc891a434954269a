// SPDX-License-Identifier: BSD-3-Clause
// Frames at a given rate, each with a number and the time of its sending: loss, order, one-way latency, and
// round trips when receivers send frames back. A frame that is due when its ring has no room is lost, as a
// NIC would lose it. When this thread itself was held up, its clock is held up too, and that is
// counted apart: the switch is not to blame.
#include "bench/gen/gen.h"
#include "bench/gen/hist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DRAIN_QUIET_MS 20
#define DRAIN_MOST_MS 500
// A gap in our own turns that is longer than this is not the switch's.
#define STALL_NS 20000
// A trial begins slowly, so that a switch that sleeps when it is idle is awake: this long at a part of the rate.
#define RAMP_MS 5
#define RAMP_PART 0.1

struct paced {
	struct gen *gen;
	uint64_t start; // Of the schedule; moved by stalls.
	uint64_t stalls;
	uint64_t stall_cycles;
	uint64_t read; // Frames looked at.
	uint64_t alien;
	uint64_t back_missed;
	struct hist out;
	struct hist back;
};

static struct paced paced;

static void write_stamp(uint8_t *data, const struct stamp *stamp)
{
	memcpy(data + STAMP_OFFSET, stamp, sizeof(*stamp));
}

static void note_order(struct lane *sender, uint32_t seq)
{
	if ((int32_t)(seq - sender->seq_seen) <= 0)
		sender->disorder++;
	sender->seq_seen = seq;
}

static void see(void *ctx, struct lane *lane, const uint8_t *data)
{
	struct paced *p = ctx;
	struct stamp stamp;

	memcpy(&stamp, data + STAMP_OFFSET, sizeof(stamp));
	if (stamp.magic != STAMP_MAGIC || stamp.sender >= p->gen->lane_count) {
		p->alien++;
		return;
	}
	uint64_t now = cycles_now();
	p->read++;
	if (stamp.kind == STAMP_BACK) {
		hist_add(&p->back, now - stamp.cycles);
		return;
	}
	note_order(&p->gen->lane[stamp.sender], stamp.seq);
	hist_add(&p->out, now - stamp.cycles);
	if (p->gen->config.round_trip && lane->pending_count < p->gen->config.ring_size) {
		stamp.kind = STAMP_BACK;
		lane->pending[lane->pending_count++] = stamp;
	}
}

static void send_back(struct lane *lane)
{
	uint32_t room = lane->ops->room(lane);
	uint32_t count = lane->pending_count < room ? lane->pending_count : room;

	paced.back_missed += lane->pending_count - count;
	for (uint32_t i = 0; i < count; i++)
		write_stamp(lane->ops->slot(lane, i), &lane->pending[i]);
	lane->pending_count = 0;
	if (count)
		(void)lane->ops->send(lane, count); // What does not go is a round trip fewer.
}

static void send_due(struct gen *gen, struct lane *lane, uint64_t due)
{
	uint64_t count = due - lane->offered;
	uint32_t room = lane->ops->room(lane);
	uint32_t going = count < room ? (uint32_t)count : room;
	struct stamp stamp = {
		.sender = (uint16_t)lane->index, .kind = STAMP_OUT, .magic = STAMP_MAGIC};

	lane->offered = due;
	// They are published together.
	stamp.cycles = cycles_now();
	for (uint32_t i = 0; i < going; i++) {
		stamp.seq = ++lane->seq;
		write_stamp(lane->ops->slot(lane, i), &stamp);
	}
	if (going)
		going = lane->ops->send(lane, going);
	lane->missed += count - going;
}

static void receive_all(struct gen *gen)
{
	for (uint32_t i = 0; i < gen->lane_count; i++) {
		struct lane *lane = &gen->lane[i];
		(void)lane->ops->receive(lane, see, &paced); // Counted in the lane.
		if (lane->pending_count)
			send_back(lane);
	}
}

static uint64_t last_turn;

// Cycles at the full rate that have as many frames as those since the start.
static double elapsed(const struct gen *gen, uint64_t now)
{
	double cycles = (double)(now - paced.start);
	double ramp = gen->hz * RAMP_MS / 1000;

	return cycles < ramp ? cycles * RAMP_PART : cycles - ramp * (1 - RAMP_PART);
}

static void turn(struct gen *gen)
{
	double per_sender = gen->config.rate / gen->sender_count / gen->hz;
	uint64_t now = cycles_now();
	uint64_t stall = (uint64_t)(gen->hz * STALL_NS / 1e9);

	if (now - last_turn > stall) {
		paced.start += now - last_turn;
		paced.stalls++;
		paced.stall_cycles += now - last_turn;
	}
	last_turn = now;
	for (uint32_t i = 0; i < gen->sender_count; i++) {
		struct lane *lane = gen->sender[i];
		// Senders take turns: each a part of a period after the one before.
		double phase = (double)i / gen->sender_count;
		uint64_t due = (uint64_t)(elapsed(gen, now) * per_sender + phase);
		if (due > lane->offered)
			send_due(gen, lane, due);
	}
	receive_all(gen);
}

static void begin(struct gen *gen)
{
	memset(&paced, 0, sizeof(paced));
	paced.gen = gen;
	paced.start = last_turn = cycles_now();
	for (uint32_t i = 0; i < gen->lane_count; i++) {
		struct lane *lane = &gen->lane[i];
		lane->offered = lane->missed = lane->received = lane->sent = 0;
		lane->disorder = 0;
		lane->pending_count = 0;
	}
}

static uint64_t count_received(const struct gen *gen)
{
	uint64_t received = 0;

	for (uint32_t i = 0; i < gen->lane_count; i++)
		received += gen->lane[i].received;
	return received;
}

// Until nothing came for a while.
static void drain(struct gen *gen)
{
	uint64_t ms = (uint64_t)(gen->hz / 1000);
	uint64_t begun = cycles_now();
	uint64_t last = begun;
	uint64_t received = count_received(gen);

	while (cycles_now() - last < DRAIN_QUIET_MS * ms &&
	       cycles_now() - begun < DRAIN_MOST_MS * ms) {
		receive_all(gen);
		if (count_received(gen) != received)
			last = cycles_now();
		received = count_received(gen);
	}
}

static void run_for(struct gen *gen, double seconds)
{
	uint64_t end = cycles_now() + (uint64_t)(seconds * gen->hz);

	begin(gen);
	while (cycles_now() < end)
		turn(gen);
	drain(gen);
}

static void print_hist(const char *name, const struct hist *hist, double hz)
{
	double us = 1e6 / hz;

	printf("\"%s\": {\"count\": %llu, \"min\": %.3f, \"mean\": %.3f, \"p50\": %.3f, "
	       "\"p90\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f, \"max\": %.3f}, ",
	       name,
	       (unsigned long long)hist->count,
	       hist->count ? (double)hist->least * us : 0,
	       hist->count ? (double)hist->sum / (double)hist->count * us : 0,
	       (double)hist_percentile(hist, 0.5) * us,
	       (double)hist_percentile(hist, 0.9) * us,
	       (double)hist_percentile(hist, 0.99) * us,
	       (double)hist_percentile(hist, 0.999) * us,
	       (double)hist->most * us);
}

static void print(const struct gen *gen, double seconds)
{
	uint64_t offered = 0;
	uint64_t missed = 0;
	uint64_t sent = 0;
	uint64_t disorder = 0;
	uint64_t received = count_received(gen);

	for (uint32_t i = 0; i < gen->lane_count; i++) {
		offered += gen->lane[i].offered;
		missed += gen->lane[i].missed;
		sent += gen->lane[i].sent;
		disorder += gen->lane[i].disorder;
	}
	run_print_common(gen, "paced");
	print_hist("one_way_us", &paced.out, gen->hz);
	print_hist("round_trip_us", &paced.back, gen->hz);
	printf("\"seconds\": %.6f, \"rate\": %.1f, \"offered\": %llu, \"missed\": %llu, "
	       "\"sent\": %llu, \"received\": %llu, \"lost\": %lld, \"disorder\": %llu, "
	       "\"alien\": %llu, \"back_missed\": %llu, \"stalls\": %llu, "
	       "\"stall_seconds\": %.6f}\n",
	       seconds,
	       gen->config.rate,
	       (unsigned long long)offered,
	       (unsigned long long)missed,
	       (unsigned long long)sent,
	       (unsigned long long)received,
	       (long long)(sent + missed - received),
	       (unsigned long long)disorder,
	       (unsigned long long)paced.alien,
	       (unsigned long long)paced.back_missed,
	       (unsigned long long)paced.stalls,
	       (double)paced.stall_cycles / gen->hz);
	(void)fflush(stdout); // A reader that is gone needs nothing.
}

int mode_paced(struct gen *gen)
{
	double seconds = gen->config.seconds;

	if (gen->config.frame_size > gen->config.rx_buffer || gen->config.tso)
		return gen_fail(
			-EINVAL, "paced frames must fit into one receive buffer: use --rx-buffer"
		);
	int r = run_hello(gen);
	if (r)
		return r;
	run_for(gen, gen->config.warm_seconds);
	begin(gen);
	run_step(gen, "ready", turn);
	if (gen->config.steps)
		drain(gen);
	run_for(gen, seconds);
	print(gen, seconds);
	begin(gen);
	run_step(gen, "measured", turn);
	return 0;
}
