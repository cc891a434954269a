// SPDX-License-Identifier: BSD-3-Clause
// The set of queues that a worker polls: who comes in, who leaves, where rounds begin. Runs on the worker; turns.h has
// what runs for every poll.
#include "switch/turns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int turns_init(struct turns *turns, uint64_t quiet)
{
	// Zero pages until they are used.
	void *turn = calloc(WIRE_PORTS_MAX + 1, sizeof(struct turn));

	*turns = (struct turns){
		.quantum = TURN_QUANTUM,
		.grant = TURN_QUANTUM,
		.least_debt = INT64_MIN,
		.quiet = quiet,
		.turn_memory = turn,
		.place = calloc(WIRE_PORTS_MAX, sizeof(turns->place[0])),
		.debt = calloc(WIRE_PORTS_MAX, sizeof(turns->debt[0])),
	};
	if (!turn || !turns->place || !turns->debt) {
		turns_fini(turns);
		return -ENOMEM;
	}
	// Where the first line of memory begins.
	turns->turn = (void *)((uint8_t *)turn + (-(uintptr_t)turn & (_Alignof(struct turn) - 1)));
	return 0;
}

void turns_fini(struct turns *turns)
{
	free(turns->turn_memory);
	free(turns->place);
	free(turns->debt);
	*turns = (struct turns){0};
}

static struct turn *find_or_add(struct turns *turns, uint16_t slot)
{
	if (turns->place[slot])
		return &turns->turn[turns->place[slot] - 1];
	struct turn *turn = &turns->turn[turns->count++];
	turns->place[slot] = (uint16_t)turns->count;
	turn->credit = turns->debt[slot];
	turn->slot = slot;
	turn->count = 0;
	turn->next = 0;
	return turn;
}

void turns_put(
	struct turns *turns,
	uint16_t slot,
	struct port_queue *queue,
	struct port_pair *state,
	uint64_t now
)
{
	struct turn *turn = find_or_add(turns, slot);
	uint32_t i = 0;

	while (i < turn->count && turn->queue[i].pair != queue->pair)
		i++;
	if (i == turn->count) {
		turn->count++;
		turns->queue_count++;
	}
	turn->queue[i] = (struct turn_queue){
		.queue = queue,
		.state = state,
		.last = now,
		.pair = queue->pair,
	};
}

static void drop_turn(struct turns *turns, struct turn *turn)
{
	struct turn *last = &turns->turn[--turns->count];

	turns->debt[turn->slot] = turn->credit < 0 ? (int32_t)turn->credit : 0;
	turns->place[turn->slot] = 0;
	if (turn == last)
		return;
	*turn = *last;
	turns->place[turn->slot] = (uint16_t)(turn - turns->turn + 1);
}

void turns_take_out(struct turns *turns, struct turn *turn, uint32_t index)
{
	turns->queue_count--;
	turn->queue[index] = turn->queue[--turn->count];
	if (turn->next >= turn->count)
		turn->next = 0;
	if (turn->count == 0)
		drop_turn(turns, turn);
}

void turns_new_round(struct turns *turns)
{
	uint64_t quantum = turns->round_idle;

	if (quantum < TURN_QUANTUM)
		quantum = TURN_QUANTUM;
	if (quantum > TURN_QUANTUM_MAX)
		quantum = TURN_QUANTUM_MAX;
	turns->quantum = turns->grant = (int64_t)quantum;
	// Nobody had anything, and somebody waited for debt only: the round after next and those behind it come at once, so
	// that the worker is never idle beside work.
	if (!turns->round_taken && turns->least_debt != INT64_MIN)
		turns->grant -= turns->least_debt;
	turns->next = 0;
	turns->least_debt = INT64_MIN;
	turns->round_idle = 0;
	turns->round_taken = false;
}
