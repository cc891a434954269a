// SPDX-License-Identifier: BSD-3-Clause
// Functions of NICs that networks, ports and uplinks have: rows in memory, and the thread that takes and returns them. All of it under
// the service's lock but what is said to be without.
#pragma once

#include "daemon/core/daemon.h"
#include "daemon/functions/functions.h"

#define FUNCTION_WAIT_MS 30000 // How long somebody waits for what the thread does.
#define FUNCTION_BACK_MS 5000  // How long for functions that come back.

struct function {
	TAILQ_ENTRY(function) entry;
	struct store_function row;
	char reason[160];   // Why it does not get on.
	int64_t since_ms;   // It is returning.
	int64_t again_ms;   // It rests until then.
	int64_t refused_ms; // When the host had it in use; 0: not seen.
	bool busy;	    // The thread works on it, without the lock.
	bool checked;	    // Of a port: it was taken, or compared as a whole, since the start.
	bool lost;	    // Of a port: it is not as it has to be.
	bool away;	    // Its interface is in another namespace.
	int numa_node;
	// As it was seen last.
	char interface[IFNAME_SIZE], rdma[FUNCTION_RDMA_SIZE], vfio[FUNCTION_PATH_SIZE];
};

struct parent {
	TAILQ_ENTRY(parent) entry;
	struct store_parent row;
	bool busy;     // A network looks for functions of it, or the thread changes their count.
	uint16_t want; // The count that the thread is to set; 0: none.
	int result;    // Of that.
	struct rwy_err err;
	int64_t again_ms;
	bool kept_logged;
};

// What the thread does without the lock: copies, so that nobody's rows are needed.
struct function_job {
	struct functions *pci;
	struct store_function row;
	bool vfio;    // For a process, by VFIO; else its interface.
	bool uplink;  // One of ours, which sends from many addresses.
	bool noiommu; // Allowed.
	bool whole;   // check: what the parent's driver holds it to as well.
	uid_t uid;
	uint32_t mtu;
	struct function_attributes want;
	struct function_inside
		inside; // netns_fd -1: whoever asked for it moves the interface. Else the job's own.
	// Results
	struct function_info info;
	char interface[IFNAME_SIZE], vfio_path[FUNCTION_PATH_SIZE];
};

static inline bool port_is_vf(const struct port *port)
{
	return port->info.spec.attach[0] == 'v' && port->info.spec.attach[1] == 'f';
}

// Behind the switch, as vhost and ether ports are.
static inline bool port_is_switched(const struct port *port)
{
	return !port_is_vf(port) && port->info.spec.attach[0] != 'k';
}

bool network_is_sriov(const struct network *network);

// function_job.c: without the lock, any thread. What is done already is not done again, so that each may be repeated from
// wherever an earlier one ended.
// Whether it may be taken, and what the host has it as: job->row.
int function_job_note(struct function_job *job, struct rwy_err *err);
int function_job_take(struct function_job *job, struct rwy_err *err);
// -ENODEV: the host does not have it any more.
int function_job_return(struct function_job *job, struct rwy_err *err);
// 0: it is as taken. -ENODEV: it is gone; -ESTALE: it is not as it should be.
int function_job_check(struct function_job *job, struct rwy_err *err);

// functions.c
int functions_init(struct daemon *d, struct rwy_err *err);  // Before the store is loaded.
int functions_start(struct daemon *d, struct rwy_err *err); // After all rows are there.
void functions_stop(struct daemon *d);			    // Without the lock. Ends the thread.
void functions_fini(struct daemon *d);
struct function *function_keep(struct daemon *d, const struct store_function *row);
void function_drop(struct daemon *d, struct function *function);
struct function *function_find(struct daemon *d, const char *address);
struct function *function_of_port(const struct daemon *d, uint32_t port);
// The function's state changes: memory first, and the row surely.
void function_set_state(struct daemon *d, struct function *function, enum function_state state);
// The thread looks what there is to do.
void functions_kick(struct daemon *d);
// Lets go of the lock until something has changed, or until then (CLOCK_MONOTONIC). False: it is then.
bool functions_wait(struct daemon *d, int64_t until_ms);

// function_thread.c
void *functions_run(void *arg);
void function_fill_job(struct daemon *d, const struct function *function, struct function_job *job);

// function_pool.c: which functions are whose.
int functions_available(const struct daemon *d, struct rwy_err *err); // -ENOSYS
// Finds the parent that spec names, and whether it has so many at all.
int functions_check_network(struct daemon *d, struct network_spec *spec, struct rwy_err *err);
// Gets the network's functions. Lets go of the lock: the network is `creating`, so that nobody removes it.
int functions_add_network(struct daemon *d, struct network *network, struct rwy_err *err);
// Waits until none of the network's functions is on its way, letting go of the lock. -EBUSY: one stays.
int functions_settle_network(struct daemon *d, uint32_t id, struct rwy_err *err);
// The network goes, or is not made.
void functions_remove_network(struct daemon *d, uint32_t id);
// Waits until the parent has its count of before, letting go of the lock.
void functions_wait_parent(struct daemon *d, const char *pf);
struct parent *parent_find(struct daemon *d, const char *pf);
struct parent *parent_keep(struct daemon *d, const struct store_parent *row);
void parent_drop(struct daemon *d, struct parent *parent);
bool parent_is_used(const struct daemon *d, const char *pf);

// function_choice.c
// A free function for a port of the network. Those that were refused since then are not tried again.
int function_choose(
	struct daemon *d,
	const struct network *network,
	const struct port_spec *spec,
	int64_t since_ms,
	struct function **ret_function,
	struct rwy_err *err
);

// vf.c: ports that have functions.
int vf_make(
	struct daemon *d,
	const struct port_spec *spec,
	int netns_fd,
	struct port_info *ret,
	struct rwy_err *err
);
int vf_remove(struct daemon *d, struct port *port, struct rwy_err *err);
void vf_fill(const struct daemon *d, const struct port *port, struct port_info *ret_info);
int vf_set_limits(struct daemon *d, const struct port *port, struct rwy_err *err);
void vf_attributes(const struct port *port, struct function_attributes *ret);
// The engine has moved the interface to its sandbox: the RDMA device follows.
void vf_place_rdma(struct daemon *d, const struct port *port);

// function_uplink.c: functions that uplinks drive.
// 0: the device can be opened. 1: its function is being taken, and the thread attaches the port then.
int function_uplink_take(struct daemon *d, const struct port *port, struct rwy_err *err);
void function_uplink_release(struct daemon *d, const struct port *port);
// It is taken, or cannot be: the ports of the device are attached, or told.
void function_uplink_done(
	struct daemon *d,
	const char *address,
	int result,
	const struct rwy_err *why
);
