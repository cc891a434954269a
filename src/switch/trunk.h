// SPDX-License-Identifier: BSD-3-Clause
// A network's TAP as a port of the switch: its trunk, behind which the network's kernel ports are. Control thread. tap.c moves
// its frames.
#pragma once

#include "switch/switch.h"

// Whether each descriptor is a TAP's queue, as far as that can be seen. -EINVAL.
int trunk_check_queues(const int *fds, uint32_t count, struct rwy_err *err);

// Adds the port that spec says, whose `queues` queues are fds, which it takes on success with saved_fd (-1: none), and makes
// them non-blocking. It runs when this returns, if frames move. -EINVAL: spec is none of a TAP; others as table_add_port().
int trunk_add(
	struct switch_state *sw,
	const struct wire_port *spec,
	int saved_fd,
	const int *fds,
	struct rwy_err *err
);

// Shows the queues to the workers, if frames move. Any other port: nothing happens. 0 or -ENOMEM.
int trunk_publish(struct switch_state *sw, struct port *port);

// Takes the queues from the workers and closes them. Any other port: nothing happens.
void trunk_close(struct switch_state *sw, struct port *port);

// Bytes that a trunk takes beside what every port does; the workers' buffers are shared by all trunks.
size_t trunk_own_memory(const struct port *port);
