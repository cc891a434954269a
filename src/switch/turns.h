// SPDX-License-Identifier: BSD-3-Clause
// The receive queues that a worker polls now, by port, and whose turn it is: deficit round robin over measured
// cycles (M. Shreedhar, G. Varghese, "Efficient Fair Queuing using Deficit Round Robin", 1995). Every port gets the same
// credit a round; what its polls cost is taken off, debt is paid before it is polled again, and credit is not saved up by
// a port that has nothing more. So ports that keep the worker busy get equal shares of it, however many queues they have,
// however large their frames and however far they go, and a port that wants less gets all that it wants. One worker's
// own; nothing here is shared but the counters of struct port_pair.
#pragma once

#include "switch/count.h"
#include "switch/port.h"

#include <stdbool.h>
#include <stdint.h>

// Cycles that a port may use in a round: about one burst of small frames, so that rounds are short. Where looking at
// quiet queues costs more than that, a busy port may use as much as it costs.
#define TURN_QUANTUM 4096
#define TURN_QUANTUM_MAX 65536
// Cycles that a burst should not cost more than, since it delays all others: bursts of a queue whose frames cost more (large
// ones, or to many ports) become shorter.
#define TURN_BURST_CYCLES 65536
// Where a queue begins before it is known what its frames cost.
#define TURN_BURST_FIRST 8
// The most debt that is kept: a worker that was interrupted for long charges that to whoever it was polling.
#define TURN_DEBT_MAX (1 << 22)
// Ports that are served in one turn, after which the worker reports a quiescent state.
#define TURN_PORTS 32

struct turn_queue {
	struct port_queue *queue; // As published when it was last looked up.
	struct port_pair *state;
	uint64_t last; // TSC when it had something, or was woken.
	uint32_t
		frames; // Chains taken since it was woken, as far as they matter for its quiet time.
	uint16_t pair;
};

// A queue stays awake for longer the more it had to do: by the quiet time for every so many chains since it was woken, up to
// so many quiet times in all. A pause in steady traffic then costs no wake-up, and a queue that is woken
// for a frame now and then sleeps again at once; polling costs a bounded time for each frame either way.
#define TURN_QUIET_FRAMES 10
#define TURN_QUIET_MAX 100

// A port with at least one queue awake.
struct turn {
	int64_t credit; // Cycles; negative: debt. Never positive between rounds.
	uint16_t slot;	// The port's, in struct port_table.
	uint8_t count;
	uint8_t next; // The queue to poll next.
	struct turn_queue queue[VHOST_QUEUE_PAIRS_MAX];
} __attribute__((aligned(64)));

struct turns {
	uint32_t count;	      // Of turn[]: dense, in no order.
	uint32_t queue_count; // Of all of them.
	uint32_t next;	      // Whose turn it is.
	int64_t quantum;      // The most credit a port may have.
	int64_t grant; // What it gets this round: more than that after a round in which debt alone stopped all.
	int64_t least_debt;  // Of those that were passed over in this round; INT64_MIN: none was.
	uint64_t round_idle; // Cycles of polls that found nothing in this round.
	bool round_taken;    // A poll found something in this round.
	uint64_t quiet;	     // Cycles without work after which a queue may sleep.
	struct turn *turn;   // [WIRE_PORTS_MAX]
	void *turn_memory;   // What it is part of.
	uint16_t *place;     // [WIRE_PORTS_MAX], by slot: index in turn[] + 1; 0: not there.
	int32_t *debt;	     // [WIRE_PORTS_MAX], by slot: of ports that are not there. 0 or less.
};

// How a worker polls; constants, so that all is inlined.
struct turn_ops {
	// Handles at most max chains of the queue and returns how many. now: TSC.
	uint32_t (*poll)(void *ctx, struct port_queue *queue, uint32_t max, uint64_t now);
	uint64_t (*clock)(void *ctx);
	// A queue found nothing for the quiet time. True: it sleeps and is to be taken out. False: it goes on, with
	// `last` set anew.
	bool (*sleep)(void *ctx, struct turn_queue *queue, uint64_t now);
};

struct turn_sum {
	uint32_t frames;     // Chains taken.
	uint64_t busy, idle; // Cycles of polls that took something, and of the others.
};

// 0 or -ENOMEM. Only what is used of the tables takes memory.
int turns_init(struct turns *turns, uint64_t quiet);
void turns_fini(struct turns *turns);

// Puts a queue in, or finds it there; its pointers and `last` are set in both cases.
void turns_put(
	struct turns *turns,
	uint16_t slot,
	struct port_queue *queue,
	struct port_pair *state,
	uint64_t now
);

// Takes out the index-th queue of a turn, and the turn with its last queue; another one takes its place then.
void turns_take_out(struct turns *turns, struct turn *turn, uint32_t index);

// Begins a round: sets what every port gets.
void turns_new_round(struct turns *turns);

// A burst that took all it could and cost little may be longer next time; one that cost much is shorter.
static inline void turn_adapt(struct port_pair *state, uint32_t taken, uint64_t spent)
{
	if (__builtin_expect(spent > TURN_BURST_CYCLES, 0)) {
		uint64_t max = (uint64_t)taken * TURN_BURST_CYCLES / spent;
		state->burst = max ? (uint8_t)max : 1;
	} else if (state->burst < FRAME_BURST_MAX && taken == state->burst && spent < TURN_BURST_CYCLES / 2) {
		state->burst++;
	}
}

// Polls the turn's next queue once. Returns whether it is empty for now.
static inline __attribute__((always_inline)) bool turn_poll(
	struct turns *turns,
	struct turn *turn,
	const struct turn_ops *ops,
	void *ctx,
	struct turn_sum *sum,
	uint64_t *now
)
{
	struct turn_queue *queue = &turn->queue[turn->next];
	uint32_t max = queue->state->burst;
	uint32_t taken = ops->poll(ctx, queue->queue, max, *now);
	uint64_t then = ops->clock(ctx);
	uint64_t spent = then - *now;

	*now = then;
	turn->credit -= (int64_t)spent;
	turn->next = turn->next + 1 < turn->count ? turn->next + 1 : 0;
	if (taken) {
		queue->last = then;
		if (queue->frames < TURN_QUIET_FRAMES * (TURN_QUIET_MAX - 1))
			queue->frames += taken;
		sum->frames += taken;
		sum->busy += spent;
		count_add(&queue->state->frames, taken);
		count_add(&queue->state->busy_cycles, spent);
		turn_adapt(queue->state, taken, spent);
		return taken < max;
	}
	sum->idle += spent;
	if (__builtin_expect(then - queue->last > turns->quiet, 0) &&
	    then - queue->last > turns->quiet * (1 + queue->frames / TURN_QUIET_FRAMES) &&
	    ops->sleep(ctx, queue, then))
		queue->queue = NULL; // turn_serve() takes it out.
	return true;
}

static inline __attribute__((always_inline)) void turn_serve(
	struct turns *turns,
	struct turn *turn,
	const struct turn_ops *ops,
	void *ctx,
	struct turn_sum *sum,
	uint64_t *now
)
{
	uint32_t empty = 0;

	while (turn->credit > 0) {
		struct turn_queue *queue = &turn->queue[turn->next];
		empty = turn_poll(turns, turn, ops, ctx, sum, now) ? empty + 1 : 0;
		if (__builtin_expect(!queue->queue, 0)) {
			bool last = turn->count == 1;
			turns_take_out(turns, turn, (uint32_t)(queue - turn->queue));
			if (last)
				return; // Another port is in its place.
			empty--;
		}
		if (empty >= turn->count)
			break;
	}
	if (turn->credit > 0)
		turn->credit = 0;
	else if (__builtin_expect(turn->credit < -TURN_DEBT_MAX, 0))
		turn->credit = -TURN_DEBT_MAX;
	turns->next++;
}

// One turn: TURN_PORTS ports at most, from where the last one ended. now: TSC, in and out.
static inline __attribute__((always_inline)) void turns_run(
	struct turns *turns,
	const struct turn_ops *ops,
	void *ctx,
	struct turn_sum *sum,
	uint64_t *now
)
{
	uint32_t ports = turns->count < TURN_PORTS ? turns->count : TURN_PORTS;

	for (; ports && turns->count; ports--) {
		if (turns->next >= turns->count)
			turns_new_round(turns);
		struct turn *turn = &turns->turn[turns->next];
		turn->credit += turns->grant;
		if (turn->credit > turns->quantum)
			turn->credit = turns->quantum;
		if (turn->credit > 0) {
			uint32_t frames = sum->frames;
			uint64_t idle = sum->idle;
			turn_serve(turns, turn, ops, ctx, sum, now);
			turns->round_taken |= sum->frames != frames;
			turns->round_idle += sum->idle - idle;
			continue;
		}
		if (turn->credit > turns->least_debt)
			turns->least_debt = turn->credit;
		turns->next++;
	}
}
