// SPDX-License-Identifier: BSD-3-Clause
// The control thread's whole state: networks, ports, the workers, the connection to ringwayd. Everything
// here belongs to the control thread, but for what port.h and worker.h call published.
#pragma once

#include "base/loop.h"
#include "switch/balance.h"
#include "switch/fdb.h"
#include "switch/port.h"
#include "switch/portstate.h"
#include "switch/stations.h"
#include "switch/watchdog.h"
#include "switch/worker.h"
#include "wire/wire.h"

#define CHORES 3
#define SWITCH_ID_BUCKETS 4096 // A power of two.

struct switch_state {
	struct loop *loop;
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	struct stations *stations;
	uint32_t worker_count;
	struct worker *workers[WIRE_WORKERS_MAX];
	struct balance_worker
		load[WIRE_WORKERS_MAX]; // By worker; `queues` and `fresh` are kept up to date.
	uint64_t balanced_tsc;		// The last look at the loads.
	struct balance_move
		wish; // What the last look would have moved: only a wish that lasts comes true.
	uint64_t ping_turns;		      // wire_pong's.
	uint64_t ping_seen[WIRE_WORKERS_MAX]; // Each worker's turns at the last ping.
	int fault_fd;			      // eventfd: workers report faults.
	uint64_t tsc_hz;
	uint64_t start_tsc; // Where switch_seconds() is 0.
	struct watchdog watchdog;
	uint64_t start_ns; // CLOCK_BOOTTIME.
	int listen_fd;	   // The control socket, inherited or got with the start; -1: none yet.
	struct loop_source *listen_source;
	int daemon_fd; // ringwayd's connection; -1: none.
	struct loop_source *daemon_source;
	struct loop_source *chore[CHORES]; // chores.c's timers,
	uint64_t chore_ms[CHORES];	   // and how often each is due.
	bool greeted;			   // ringwayd has sent its hello.
	bool spare;    // Was started as one: without ringwayd it ends, until it is started.
	bool active;   // WIRE_START came.
	bool running;  // Frames move. Nothing is published otherwise.
	bool starting; // What is published is not polled yet.
	bool frozen;   // No front end's message is handled.
	uint64_t
		keep_since_s; // switch_seconds() since when ringwayd takes nothing; only while a port's keep_waits.
	uint32_t learned_noted; // fdb_changes() when learned addresses were noted last.
	struct board *board;
	int board_fd;
	uint32_t network_count, port_count;
	struct network *networks;	// In order of id.
	struct port *ports, *last_port; // In order of id.
	struct port *by_id[SWITCH_ID_BUCKETS];
	uint32_t next_slot;  // Where the search for a free one begins.
	uint64_t fds_wanted; // Descriptors that all ports may need together.
	uint64_t fds_limit;  // What this process may have; 0: unknown.
	bool fds_warned;     // They are more than this process may have, and that was said.
	struct port_table table;
	struct network *slot[WIRE_NETWORKS_MAX + 1];
	// One message each way; they are too large for the stack.
	struct wire_msg request, reply;
};

// The seconds that the MAC table's age is counted in.
uint32_t switch_seconds(const struct switch_state *sw);

// table.c: the lists of networks and ports. Errors as wire.h says for the requests.
struct network *table_network(struct switch_state *sw, uint32_t id);
struct port *table_port(struct switch_state *sw, uint32_t id);
// The first port behind this id.
struct port *table_port_after(struct switch_state *sw, uint32_t id);
int table_add_network(
	struct switch_state *sw,
	const struct wire_network *spec,
	struct rwy_err *err
);
int table_remove_network(struct switch_state *sw, uint32_t id, struct rwy_err *err);
// Takes saved_fd, a port's state memory, and listener_fd (-1: none) on success.
int table_add_port(
	struct switch_state *sw,
	const struct wire_port *spec,
	int saved_fd,
	int listener_fd,
	struct rwy_err *err
);
// Gives a port the limits of spec; its connection and its frames do not notice. -ENOENT.
int table_set_limits(struct switch_state *sw, const struct wire_port *spec, struct rwy_err *err);
// Closes its connection first; when this returns no worker knows the port any more.
int table_remove_port(struct switch_state *sw, uint32_t id, struct rwy_err *err);

// assign.c: which worker polls what.
// Waits until no worker uses what was published before.
void assign_wait(struct switch_state *sw);
// Puts the least loaded worker in charge of a published receive queue that has none, and tells it.
void assign_queue(struct switch_state *sw, struct port *port, const struct port_queue *queue);
// Takes the pair's receive queue from its worker, which lets go within the next grace period.
void assign_release(struct switch_state *sw, struct port *port, uint16_t pair);
// Makes another worker poll a published pair's receive queue. Its frames stay in order.
void assign_move(struct switch_state *sw, struct port *port, uint16_t pair, uint16_t to);
// Once a second: measures loads and moves at most one queue.
void assign_balance(struct switch_state *sw);

// publish.c: what workers see.
// Takes the port's rings and memory away from the workers; returns when none uses them.
void publish_remove(struct switch_state *sw, struct port *port);
// Shows a path that was made for the port, and frees the one before. -ENOMEM: nothing changed.
int publish_path(struct switch_state *sw, struct port *port, struct port_path *path);
// Shows the port's live queues to the workers, if frames move. On lack of memory the port stays unpublished: -ENOMEM.
int publish_add(struct switch_state *sw, struct port *port);
// Takes all rings and memory of all ports away from the workers; returns when none is used.
void publish_remove_all(struct switch_state *sw);
// Puts workers in charge of all that was published while sw->starting.
void publish_assign_all(struct switch_state *sw);

// attach.c: connections.
// Takes fd, also on failure. -EBUSY, -EPERM as WIRE_CONN_ADD says.
int attach_connection(struct switch_state *sw, struct port *port, int fd, struct rwy_err *err);
// Goes on with a connection and what came over it: a port's memory has the session. Takes fd and the descriptors, also on
// failure. -EBUSY, -EPERM, -EPROTO as WIRE_CONN_RESTORE says.
int attach_restore(
	struct switch_state *sw,
	struct port *port,
	int fd,
	const struct vhost_kept *kept,
	uint32_t count,
	struct rwy_err *err
);
// Makes the port's connection move frames, once the switch is running.
void attach_go(struct switch_state *sw, struct port *port);
// Looks at the port's connection again: messages may have come while it was not looked at.
void attach_look(struct port *port);
void attach_close(struct switch_state *sw, struct port *port);
void attach_quarantine(struct switch_state *sw, struct port *port, const char *reason);
// Quarantines every port whose ring, call eventfd or memory was found broken since the last look.
void attach_check_faults(struct switch_state *sw);

// control.c: ringwayd's requests.
// Listens on the inherited socket; a spare takes it as ringwayd's connection. It is the switch's then.
int control_start(struct switch_state *sw, int inherited_fd, struct rwy_err *err);
// Listens on fd from now on, and no more on any other. Takes it on success.
int control_listen(struct switch_state *sw, int fd, struct rwy_err *err);
void control_stop(struct switch_state *sw);
void control_drop_daemon(struct switch_state *sw, const char *why);
// Tells ringwayd of a port's state, when one is there.
void control_port_event(struct switch_state *sw, const struct port *port);

// keep.c: what outlives this process in ringwayd's hands.
// Tells ringwayd of descriptors that a front end brought. 0; -EAGAIN: it takes none now, attach_look() follows when it does.
// Without a ringwayd nothing is to be told: the next one asks.
int keep_fds(
	struct switch_state *sw,
	struct port *port,
	const struct vhost_kept *kept,
	uint32_t count
);
// The same of those that are closed.
void keep_drop(
	struct switch_state *sw,
	const struct port *port,
	const uint32_t *ids,
	uint32_t count
);
// Goes on without a ringwayd that has taken nothing for seconds. Once a second.
void keep_check(struct switch_state *sw);
// ringwayd's connection has room again.
void keep_room(struct switch_state *sw);
// Front ends whose messages waited for ringwayd go on.
void keep_look(struct switch_state *sw);

// handover.c: ringwayd's requests that hand ports over. Errors as wire.h says.
int handover_start(struct switch_state *sw, int listen_fd, struct rwy_err *err);
// Notes that the port is this switch's.
void handover_own(const struct switch_state *sw, struct port *port);
// Whether another switch has started with the ports that this one released.
bool handover_is_succeeded(const struct switch_state *sw);
void handover_freeze(struct switch_state *sw);
void handover_release(struct switch_state *sw);
// Fills what the next switch needs of the port; the descriptors stay the port's.
void handover_fds(
	const struct port *port,
	struct wire_kept *ret_kept,
	int *ret_fds,
	uint32_t *ret_count
);
// Notes learned addresses in the ports' memories. Once a second.
void handover_note_learned(struct switch_state *sw);

// pages.c: fills a page of stats or state from the first port behind `after`.
void pages_stats(struct switch_state *sw, uint32_t after, struct wire_stats *ret_stats);
void pages_state(
	struct switch_state *sw,
	uint32_t after,
	struct wire_state *ret_state,
	int *ret_fds,
	uint32_t *ret_fd_count
);
