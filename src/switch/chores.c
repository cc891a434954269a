// SPDX-License-Identifier: BSD-3-Clause
// Regular work of the control thread: quarantines ports that a worker found broken, feeds the MAC table with
// the addresses that workers saw, evens out their loads, and notes what the next switch needs.
#include "switch/chores.h"

#include <rte_ring_elem.h>

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define CHORES_MS 20
#define FAULTS_TICKS 5 // Of CHORES_MS: what workers did not report, lost memory.
#define SECOND_MS 1000
#define AGE_MS 10000
#define LEARN_BATCH 256

static void drain_learned(struct switch_state *sw, struct worker *worker)
{
	struct learn_post post;

	for (int i = 0; i < LEARN_BATCH; i++) {
		if (rte_ring_sc_dequeue_elem(worker->learn_ring, &post, sizeof(post)))
			return;
		struct port *port = table_port(sw, post.port);
		if (port && port->spec.learning)
			fdb_learn(sw->fdb, post.key, port, switch_seconds(sw));
	}
}

static void on_tick(void *arg)
{
	static uint32_t ticks; // One switch a process.
	struct switch_state *sw = arg;

	for (uint32_t i = 0; i < sw->worker_count; i++)
		drain_learned(sw, sw->workers[i]);
	if (++ticks % FAULTS_TICKS == 0)
		attach_check_faults(sw);
}

static void on_second(void *arg)
{
	struct switch_state *sw = arg;
	assign_balance(sw);
	handover_note_learned(sw);
	keep_check(sw);
}

static void on_age(void *arg)
{
	struct switch_state *sw = arg;
	fdb_age(sw->fdb, switch_seconds(sw));
}

static void on_fault(void *arg, uint32_t events)
{
	struct switch_state *sw = arg;
	eventfd_t value;
	(void)eventfd_read(sw->fault_fd, &value); // Only a wake-up.
	attach_check_faults(sw);
}

int chores_init(struct switch_state *sw, struct rwy_err *err)
{
	static const struct {
		uint64_t every_ms;
		loop_timer_cb *call;
	} chores[CHORES] = {{CHORES_MS, on_tick}, {AGE_MS, on_age}, {SECOND_MS, on_second}};
	bool failed = !loop_add_fd(sw->loop, sw->fault_fd, EPOLLIN, on_fault, sw);

	for (size_t i = 0; i < CHORES && !failed; i++) {
		sw->chore_ms[i] = chores[i].every_ms;
		sw->chore[i] = loop_add_timer(sw->loop, 0, 0, chores[i].call, sw);
		failed = !sw->chore[i];
	}
	if (failed)
		return err_set(err, -errno, "cannot make the switch's timers: %s", strerror(errno));
	return 0;
}

void chores_start(struct switch_state *sw)
{
	// Cannot fail with valid timers. None are those of a test's.
	for (size_t i = 0; i < CHORES && sw->chore[i]; i++)
		(void)loop_set_timer(sw->chore[i], sw->chore_ms[i], sw->chore_ms[i]);
}
