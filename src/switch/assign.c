// SPDX-License-Identifier: BSD-3-Clause
// Puts workers in charge of receive queues and moves queues between them. Control thread. A queue changes hands by being taken
// from one worker, a grace period, and being given to the other one, so that its frames stay in order; a new owner
// polls it first, so that no kick is missed.
#include "base/log.h"
#include "switch/count.h"
#include "switch/poll.h"
#include "switch/switch.h"

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include <stdlib.h>
#include <string.h>

// A queue that changed hands stays where it is for so long.
#define SETTLE_SECONDS 10

uint32_t switch_seconds(const struct switch_state *sw)
{
	return sw->tsc_hz ? (uint32_t)((rte_rdtsc() - sw->start_tsc) / sw->tsc_hz) : 0;
}

// rte_rcu_qsbr_synchronize() in its parts. The fence keeps the stores of what was published before the loads of the
// workers' counters: a worker that comes on line sees them, or is waited for.
void assign_wait(struct switch_state *sw)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	uint64_t token = rte_rcu_qsbr_start(sw->qsbr);
	(void)rte_rcu_qsbr_check(sw->qsbr, token, true); // Returns when all have passed.
}

static void give(
	struct switch_state *sw,
	uint32_t index,
	struct port *port,
	const struct port_queue *queue
)
{
	struct worker *worker = sw->workers[index];
	struct port_pair *state = &port->pair[queue->pair];
	struct balance_worker *load = &sw->load[index];

	load->queues++;
	__atomic_store_n(&worker->assigned, load->queues, __ATOMIC_RELAXED);
	state->watched_fd = -1;
	if (queue->kick_fd >= 0) {
		int r = poll_watch(worker, port, queue->pair, queue->kick_fd);
		if (r)
			log_warn(
				"cannot watch kicks of port '%s', so it is polled always: %s",
				port->spec.name,
				strerror(-r)
			);
		else
			state->watched_fd = queue->kick_fd;
	}
	__atomic_store_n(&state->worker, (uint16_t)index, __ATOMIC_RELEASE);
	poll_post(worker, port, queue->pair);
}

void assign_queue(struct switch_state *sw, struct port *port, const struct port_queue *queue)
{
	uint32_t index = balance_place(sw->load, sw->worker_count);

	sw->load[index].fresh++;
	give(sw, index, port, queue);
}

void assign_release(struct switch_state *sw, struct port *port, uint16_t pair)
{
	struct port_pair *state = &port->pair[pair];

	if (state->worker == PORT_NO_WORKER)
		return;
	struct worker *worker = sw->workers[state->worker];
	struct balance_worker *load = &sw->load[state->worker];
	load->queues--;
	load->fresh -= load->fresh ? 1 : 0;
	__atomic_store_n(&worker->assigned, load->queues, __ATOMIC_RELAXED);
	if (state->watched_fd >= 0)
		poll_unwatch(worker, state->watched_fd);
	__atomic_store_n(&state->worker, PORT_NO_WORKER, __ATOMIC_RELEASE);
	poll_check(worker, port);
}

static const struct port_queue *queue_of(const struct port *port, uint16_t pair)
{
	for (uint16_t i = 0; i < port->path->rx_count; i++)
		if (port->path->rx[i].pair == pair)
			return &port->path->rx[i];
	return NULL;
}

void assign_move(struct switch_state *sw, struct port *port, uint16_t pair, uint16_t to)
{
	const struct port_queue *queue = queue_of(port, pair);
	struct port_pair *state = &port->pair[pair];

	log_debug(
		"queue %u of port '%s' moves from CPU %u to %u",
		pair,
		port->spec.name,
		sw->workers[state->worker]->core,
		sw->workers[to]->core
	);
	assign_release(sw, port, pair);
	assign_wait(sw);
	state->moved_s = switch_seconds(sw);
	give(sw, to, port, queue);
	poll_wake(sw->workers[to]);
}

// The queues that workers poll, as balance_pick() wants them, and where they are.
struct survey {
	uint32_t count;
	struct balance_queue *queue;
	struct survey_place {
		struct port *port;
		uint16_t pair;
	} * place;
};

static void survey_port(struct switch_state *sw, struct port *port, struct survey *survey)
{
	uint32_t now_s = switch_seconds(sw);

	for (uint16_t i = 0; port->path && i < port->path->rx_count; i++) {
		uint16_t pair = port->path->rx[i].pair;
		struct port_pair *state = &port->pair[pair];
		uint64_t cycles = count_read(&state->busy_cycles);
		state->load_cycles = cycles - state->busy_seen;
		state->busy_seen = cycles;
		if (state->worker == PORT_NO_WORKER)
			continue;
		survey->queue[survey->count] = (struct balance_queue){
			.worker = state->worker,
			.settled = state->moved_s == 0 || now_s - state->moved_s >= SETTLE_SECONDS,
			.cycles = state->load_cycles,
		};
		survey->place[survey->count++] = (struct survey_place){.port = port, .pair = pair};
	}
}

static void note_loads(struct switch_state *sw, const struct survey *survey, uint64_t interval)
{
	uint64_t busy[WIRE_WORKERS_MAX] = {0};

	for (uint32_t i = 0; i < survey->count; i++)
		busy[survey->queue[i].worker] += survey->queue[i].cycles;
	for (uint32_t i = 0; i < sw->worker_count; i++) {
		sw->load[i].busy_permille = interval ? busy[i] * 1000 / interval : 0;
		sw->load[i].fresh = 0;
	}
}

// A wish has to last for two looks, so that a moment's load moves nothing.
static void balance(struct switch_state *sw, const struct survey *survey, uint64_t interval)
{
	struct balance_move wish;
	struct balance_move last = sw->wish;

	sw->wish = (struct balance_move){0};
	if (!balance_pick(survey->queue, survey->count, sw->worker_count, interval, &wish))
		return;
	const struct survey_place *place = &survey->place[wish.queue];
	if (wish.from != last.from || wish.to != last.to)
		sw->wish = wish;
	else if (place->port)
		assign_move(sw, place->port, place->pair, wish.to);
}

void assign_balance(struct switch_state *sw)
{
	uint64_t now = rte_rdtsc();
	uint64_t interval = now - sw->balanced_tsc;
	uint32_t count = 0;

	if (sw->worker_count < 2)
		return;
	sw->balanced_tsc = now;
	for (uint32_t i = 0; i < sw->worker_count; i++)
		count += sw->load[i].queues;
	struct survey survey = {
		.queue = calloc(count + 1, sizeof(*survey.queue)),
		.place = calloc(count + 1, sizeof(*survey.place)),
	};
	if (survey.queue && survey.place) {
		for (struct port *port = sw->ports; port; port = port->next)
			survey_port(sw, port, &survey);
		note_loads(sw, &survey, interval);
		balance(sw, &survey, interval);
	}
	free(survey.queue);
	free(survey.place);
}
