// SPDX-License-Identifier: BSD-3-Clause
// Where receive queues go. Pure; any thread.
#include "switch/balance.h"

#include "wire/wire.h"

// A queue without a measured load counts as this much of a worker.
#define FRESH_PERMILLE 50
// Differences below this are noise, and the number of queues decides.
#define STEP_PERMILLE 50
// A worker that is less busy than this needs no help.
#define BUSY_PERMILLE 400
// What a move has to gain.
#define GAIN_PERMILLE 100

uint32_t balance_place(const struct balance_worker *workers, uint32_t count)
{
	uint32_t best = 0;
	uint64_t best_load = UINT64_MAX;

	for (uint32_t i = 0; i < count; i++) {
		const struct balance_worker *worker = &workers[i];
		uint64_t load = worker->busy_permille + (uint64_t)worker->fresh * FRESH_PERMILLE;
		load = (load + STEP_PERMILLE / 2) / STEP_PERMILLE;
		if (load < best_load ||
		    (load == best_load && worker->queues < workers[best].queues)) {
			best = i;
			best_load = load;
		}
	}
	return best;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

bool balance_pick(
	const struct balance_queue *queues,
	uint32_t queue_count,
	uint32_t worker_count,
	uint64_t interval,
	struct balance_move *ret_move
)
{
	uint64_t load[WIRE_WORKERS_MAX] = {0};
	uint32_t from = 0;
	uint32_t to = 0;

	for (uint32_t i = 0; i < queue_count; i++)
		load[queues[i].worker] += queues[i].cycles;
	for (uint32_t i = 1; i < worker_count; i++) {
		from = load[i] > load[from] ? i : from;
		to = load[i] < load[to] ? i : to;
	}
	if (from == to || load[from] < interval / 1000 * BUSY_PERMILLE)
		return false;
	uint64_t best = load[from] - interval / 1000 * GAIN_PERMILLE;
	bool found = false;
	for (uint32_t i = 0; i < queue_count; i++) {
		uint64_t cycles = queues[i].cycles;
		if (queues[i].worker != from || !queues[i].settled)
			continue;
		uint64_t after = larger(load[from] - cycles, load[to] + cycles);
		if (after > best)
			continue;
		best = after;
		found = true;
		*ret_move = (struct balance_move
		){.queue = i, .from = (uint16_t)from, .to = (uint16_t)to};
	}
	return found;
}
