// SPDX-License-Identifier: BSD-3-Clause
// Regular work of the control thread: quarantines ports that a worker found broken, and feeds the MAC table with
// the addresses that it saw.
#include "switch/chores.h"

#include <rte_ring_elem.h>

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define CHORES_MS 20
#define AGE_MS 10000
#define LEARN_BATCH 256

static void drain_learned(struct switch_state *sw)
{
	struct worker *worker = sw->worker;
	struct learn_post post;

	for (int i = 0; i < LEARN_BATCH; i++) {
		if (rte_ring_sc_dequeue_elem(worker->learn_ring, &post, sizeof(post)))
			return;
		struct port *port = table_port(sw, post.port);
		if (port && port->spec.learning)
			fdb_learn(
				sw->fdb,
				post.key,
				port,
				__atomic_load_n(&worker->now_s, __ATOMIC_RELAXED)
			);
	}
}

static void on_tick(void *arg)
{
	struct switch_state *sw = arg;
	drain_learned(sw);
	attach_check_faults(sw);
}

static void on_age(void *arg)
{
	struct switch_state *sw = arg;
	fdb_age(sw->fdb, __atomic_load_n(&sw->worker->now_s, __ATOMIC_RELAXED));
}

static void on_fault(void *arg, uint32_t events)
{
	struct switch_state *sw = arg;
	eventfd_t value;
	(void)eventfd_read(sw->worker->fault_fd, &value); // Only a wake-up.
	attach_check_faults(sw);
}

int chores_start(struct switch_state *sw, struct rwy_err *err)
{
	if (!loop_add_timer(sw->loop, CHORES_MS, CHORES_MS, on_tick, sw) ||
	    !loop_add_timer(sw->loop, AGE_MS, AGE_MS, on_age, sw) ||
	    !loop_add_fd(sw->loop, sw->worker->fault_fd, EPOLLIN, on_fault, sw))
		return err_set(
			err, -errno, "cannot start the switch's timers: %s", strerror(errno)
		);
	return 0;
}
