// SPDX-License-Identifier: BSD-3-Clause
// What the files of core/ do in the kernel and with uplinks: kernel ports, trunks, stations, the networks' own
// ports, published ports. Under the lock; main thread or any, as daemon.h says.
#pragma once

#include "daemon/core/daemon.h"

static inline bool port_is_kernel(const struct port *port)
{
	return port->info.spec.attach[0] == 'k';
}

static inline bool port_is_ether(const struct port *port)
{
	return port->info.spec.attach[0] == 'e';
}

// "10.0.0.2/24" without its prefix.
void address_only(const char *text, char ret_address[ADDR_TEXT_SIZE]);

// kernel_sync.c
// Opens the host's layer as far as this instance has it; what is missing is said once. Before the store is loaded.
void kernel_open(struct daemon *d, const struct daemon_config *config);
// Brings the kernel in line with what was loaded, and goes on doing so.
int kernel_start(struct daemon *d, struct rwy_err *err);
// Lets go; `end`: removes everything of this instance from the kernel.
void kernel_close(struct daemon *d, bool end);
// Compares with the kernel, and makes anew or removes what differs. Every few seconds, where there is a host's layer.
void kernel_reconcile(struct daemon *d);

// kernel.c
// -ENOSYS with the reason where there is no host's layer.
int kernel_check_available(const struct daemon *d, struct rwy_err *err);
int kernel_network_add(struct daemon *d, const struct network *network, struct rwy_err *err);
void kernel_network_remove(struct daemon *d, struct network *network);
// Makes the pair, its station and what is inside the namespace; undoes all of it when a step fails.
int kernel_bring_up(struct daemon *d, struct port *port, struct rwy_err *err);
void kernel_take_down(struct daemon *d, struct port *port);
// The steps alone: the pair, with its end in the host's namespace; and that end put where it belongs, under `name`. Of
// netns_fd -1, the host's.
int kernel_make(struct daemon *d, struct port *port, struct rwy_err *err);
int kernel_place(
	struct daemon *d,
	const struct port *port,
	int netns_fd,
	const char *name,
	struct rwy_err *err
);
int kernel_set_limits(struct daemon *d, const struct port *port, struct rwy_err *err);
enum wire_port_state kernel_state(const struct daemon *d, const struct port *port);

// namespace.c
// Opens a network namespace by its path. -EINVAL: it is none; -ENOENT: it, or its process, is gone.
int namespace_open(const char *path, int *ret_fd, struct rwy_err *err);
// Tells it from others that there are now. 0: not known, or fd is -1.
uint64_t namespace_inode(int fd);
uint64_t namespace_own_inode(void); // 0: not known.
bool namespace_is_own(int fd);	    // The host's, whose routes are not ours to set.

// trunk.c
// Gives the switch the network's TAP once the network has ports of both kinds, and its stations with it; later, whether
// others than stations are behind it.
int trunk_ensure(struct daemon *d, struct network *network, struct rwy_err *err);
int trunk_give(struct daemon *d, struct network *network, struct rwy_err *err);
bool trunk_is_wanted(const struct daemon *d, const struct network *network);
void trunk_fill(const struct daemon *d, const struct network *network, struct wire_port *ret);
int trunk_set(struct daemon *d, const struct network *network, struct rwy_err *err);
void trunk_close(struct network *network);
// The link's message that gives the switch the TAP, which is opened if it is not. The descriptors stay the network's.
int trunk_msg(
	struct daemon *d,
	struct network *network,
	struct wire_msg **ret_msg,
	struct rwy_err *err
);
// Takes the queues that the switch was given by an earlier ringwayd, for the next switch.
void trunk_adopt(struct daemon *d, struct network *network);
// The switch says that this TAP, if the id is a trunk's, is gone. False: it is none's. trunk_mend() opens it anew, when
// no request is under way.
bool trunk_note_broken(struct daemon *d, uint32_t id);
void trunk_mend(struct daemon *d);
// The link's message that tells the switch where port is; NULL: that is of no interest to it.
struct wire_msg *station_msg(struct daemon *d, const struct port *port);
// Tells the switch, and the kernel, who is where. A port that is of no interest to them is no error.
int station_add(struct daemon *d, const struct port *port, struct rwy_err *err);
void station_remove(struct daemon *d, const struct port *port);
// All of them with a new epoch; what is left of earlier ones goes.
void station_sync(struct daemon *d);

// own.c
// Makes the gateway and the uplink that the network should have. On the main thread (`wait` false) nothing waits.
int own_ensure(struct daemon *d, struct network *network, bool wait, struct rwy_err *err);
// The network is being removed, or was not made: it is not `ready`.
void own_remove(struct daemon *d, struct network *network);
// The network has another name now.
int own_rename(struct daemon *d, struct network *network, struct rwy_err *err);
struct port *own_gateway(const struct daemon *d, const struct network *network); // NULL: none.

// ether.c
// Attaches the port; where its function has to be taken first, as soon as it is.
int ether_bring_up(struct daemon *d, struct port *port, struct rwy_err *err);
int ether_attach(struct daemon *d, struct port *port, bool must_exist, struct rwy_err *err);
// Waits for the uplink, letting go of the lock meanwhile: port may be gone after (-ENOENT). Never on the main thread.
int ether_wait(struct daemon *d, uint32_t id, struct rwy_err *err);
void ether_detach(struct daemon *d, struct port *port);
// Attaches what an earlier ringwayd had; every port's socket listens by now.
void ether_resume(struct daemon *d);

// publish.c
// Sets the host's rules by what there is now.
int publish_apply(struct daemon *d, struct rwy_err *err);
// Reserves what the store has, at start.
void publish_resume(struct daemon *d);
void publish_retry(struct daemon *d); // What somebody else had then. Every few seconds.
void publish_forget(struct daemon *d, struct port *port); // Before the port goes.
