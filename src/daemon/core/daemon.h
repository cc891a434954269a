// SPDX-License-Identifier: BSD-3-Clause
// struct daemon: the intent in memory, as the store has it, beside what is real. All of it under
// the lock; core/*.c implement service.h on it.
#pragma once

#include "base/loop.h"
#include "daemon/core/keep.h"
#include "daemon/firewall/firewall.h"
#include "daemon/host/host.h"
#include "daemon/ports/portdir.h"
#include "daemon/service.h"
#include "daemon/store/store.h"
#include "daemon/switchlink/link.h"
#include "daemon/uplinks/uplinks.h"

#include <pthread.h>
#include <sys/queue.h>

#define DAEMON_WAIT_MS 3000 // How long a change waits for a switch that is being started anew.

struct network {
	TAILQ_ENTRY(network) entry;
	struct network_info info;
	enum store_state state;
	bool trunk;	   // The switch has it.
	bool trunk_broken; // The switch has lost it.
	// Its queues and its state memory, kept for the next switch.
	struct keep trunk_keep;
	int trunk_fds[WIRE_QUEUES_MAX];
	uint32_t trunk_queues;
	uint32_t trunk_offloads;
	int64_t blamed_ms; // When a switch ended in its trunk's service; 0: none did.
};

struct port {
	TAILQ_ENTRY(port) entry;
	struct port_info info; // Of network, gateway and mtu, port_fill() knows the truth.
	struct network *network;
	enum store_state state;
	struct port_publish *published; // In order of place; NULL: none.
	size_t published_count;
	bool unreserved; // They are not held on the host: somebody else had one at start.
	int netns_fd;	 // kernel, while it is being made: where its interface goes; -1: nowhere.
	bool attached;	 // ether: the uplinks know it.
	struct port_taking *taking; // vf, ether: while somebody waits; NULL: nobody does.
	int listener;		    // -1 for a port that connects.
	uint64_t accept_at_ms;	    // The listener rests until then; 0: it is watched.
	bool refusal_logged;	    // Since the last connection that was taken.
	bool loss_logged;	    // Its socket was removed and cannot be made anew.
	uint64_t connect_delay_ms;
	uint64_t connect_at_ms; // When to connect next.
	struct keep keep;
	bool of_switch;	   // The switch that was found has it.
	int64_t blamed_ms; // When a switch ended in its service; 0: none did.
};

// How a port's function is being taken, for whoever waits for it.
struct port_taking {
	bool done;
	bool refused; // Before anything was done: another function may do.
	int result;
	struct rwy_err err;
};

struct container {
	TAILQ_ENTRY(container) entry;
	struct container_info info;
};

TAILQ_HEAD(network_list, network);
TAILQ_HEAD(port_list, port);
TAILQ_HEAD(container_list, container);
TAILQ_HEAD(function_list, function);
TAILQ_HEAD(parent_list, parent);

struct daemon {
	pthread_mutex_t lock;
	struct loop *loop; // The main thread's.
	struct store *store;
	struct portdir portdir;
	struct link *link;
	struct network_list networks; // In order of id, all three.
	struct port_list ports;
	struct container_list containers;
	uint32_t network_count;
	uint32_t port_count;
	// Listeners, and the timer for those that rest and for ports that connect. Any thread
	// adds to it under the lock; the main loop watches it as one descriptor.
	int accept_fd;
	int accept_timer_fd;
	struct loop_source *accept_source;
	struct loop_source *files_timer;
	bool run_dir_gone; // It was said.
	struct loop_source *doubt_timer;
	// NULL: this kernel, or this instance, has none, and the reason says why.
	struct host *host;
	struct firewall *firewall;
	struct uplinks *uplinks;
	char host_reason[ERR_MSG_SIZE];
	char firewall_reason[ERR_MSG_SIZE];
	char uplinks_reason[ERR_MSG_SIZE];
	struct loop_source *kernel_timer;
	struct loop_source *kernel_watch;
	struct loop_source *firewall_timer;
	bool firewall_failed; // The last check, so that it is said once.
	bool uplinks_settled;
	uint32_t workers;    // The switch's, and so the queues of trunks.
	uint32_t epoch;	     // Of the stations that the switch was told of.
	uint32_t taken_over; // Connections that the new switch has taken.
	char last_end[160];
	struct functions *pci; // NULL: there are none, and the reason says why.
	char functions_reason[ERR_MSG_SIZE];
	struct function_list functions; // In order of PF and number.
	struct parent_list parents;
	pthread_cond_t functions_cond; // Something of them has changed, or is to be done.
	pthread_t functions_thread;
	bool functions_running, functions_stop, functions_due;
	int64_t functions_check_ms; // When those that ports have are looked at next.
	char state_dir[PATH_TEXT_SIZE];
	char preload[PATH_TEXT_SIZE];
	char switch_socket[PATH_TEXT_SIZE];
};

struct daemon_config {
	const char *run_dir;
	const char *state_dir;
	const char *preload;
	const char *uplink_binary;
	uint32_t workers; // Of the switch; 0: 1.
	bool no_kernel_ports;
	bool no_spare;
	struct spawn_config spawn;
	struct loop *loop;
};

// Takes the locks, loads the store, finishes or undoes what was half done, listens for all ports
// and starts the link. Main thread.
int daemon_start(
	const struct daemon_config *config,
	struct daemon **ret_daemon,
	struct rwy_err *err
);
// Stops; a switch with ports goes on unless end_switch. Removes what no port needs. Main thread,
// when no other thread uses the daemon any more. Accepts NULL.
void daemon_stop(struct daemon *daemon, bool end_switch);

// tables.c
struct network *daemon_find_network(struct daemon *d, const char *name);
struct port *daemon_find_port(struct daemon *d, const char *name);
struct port *daemon_find_port_id(struct daemon *d, uint32_t id);
struct container *daemon_find_container(struct daemon *d, const char *key);
void daemon_drop_network(struct daemon *d, struct network *network);
void daemon_drop_port(struct daemon *d, struct port *port);
void daemon_drop_container(struct daemon *d, struct container *container);
struct network *daemon_keep_network(
	struct daemon *d,
	const struct network_info *info,
	enum store_state state
);
struct port *daemon_keep_port(
	struct daemon *d,
	struct network *network,
	const struct port_info *info,
	enum store_state state
);
struct container *daemon_keep_container(struct daemon *d, const struct container_info *info);
int64_t daemon_now_ms(void);

// port.c: copies with what the network and the kernel say.
void port_fill(const struct daemon *d, const struct port *port, struct port_info *ret_info);
void port_place(const struct port_spec *spec, char ret_place[NAME_SIZE], char ret_socket[16]);
// Makes a port of spec; for the network's own, too. netns_fd is taken over. `wait`: not on the main thread, lets go of
// the lock meanwhile.
int port_make(
	struct daemon *d,
	const struct port_spec *spec,
	int netns_fd,
	bool wait,
	struct port_info *ret,
	struct rwy_err *err
);
// Closes and removes everything of port, the row last. Fails before anything is done, when the intent cannot be written.
int port_remove(struct daemon *d, struct port *port, struct rwy_err *err);
int network_remove(struct daemon *d, struct network *network, struct rwy_err *err);

// check.c
struct port *port_find_endpoint(struct daemon *d, const char *endpoint_id); // NULL: there is none.
// Whether there are descriptors left for what is neither a port's nor its connection's.
bool check_descriptors_left(void);
// Fills in and checks spec, and frees what a forgotten endpoint holds.
int port_check_new(
	struct daemon *d,
	struct port_spec *spec,
	struct network **ret_network,
	struct rwy_err *err
);

// accept.c
int accept_init(struct daemon *d, struct rwy_err *err);
void accept_fini(struct daemon *d);
// Begins to listen (or to connect) for port. Its socket's path is set.
int accept_open(struct daemon *d, struct port *port, struct rwy_err *err);
void accept_close(struct daemon *d, struct port *port, bool remove_files);
// Whether connections are taken: only while a switch is there to have them.
void accept_enable(struct daemon *d, bool on);
// The port waits for a connection (again): one that connects will try.
void accept_port_waits(struct daemon *d, struct port *port);

// reconcile.c: link_ops.
extern const struct link_ops daemon_link_ops;
// The link's message for a request, filled in. A port's state memory is made where it has none.
struct wire_msg *reconcile_network_msg(struct daemon *d, const struct network *network);
int reconcile_port_msg(
	struct daemon *d,
	struct port *port,
	struct wire_msg **ret_msg,
	struct rwy_err *err
);
int reconcile_port_add(struct daemon *d, struct port *port, struct rwy_err *err);
int reconcile_port_set(struct daemon *d, const struct port *port, struct rwy_err *err);
int reconcile_network_add(struct daemon *d, const struct network *network, struct rwy_err *err);
int reconcile_del(struct daemon *d, enum wire_op op, uint32_t id, struct rwy_err *err);
// Sockets that no switch kept are made anew.
void reconcile_open_listeners(struct daemon *d);
