// SPDX-License-Identifier: BSD-3-Clause
// A port's state memory: what the next switch needs of a port, in a memfd that ringwayd makes and keeps (wire_port's
// has_state). Written by this switch's threads as it is used, so that it is whole whenever the process ends. Control
// thread, but for the counters.
#pragma once

#include "base/err.h"
#include "switch/fdb.h"
#include "switch/port.h"
#include "vhost/state.h"

#include <stdint.h>

// Changes with everything that changes struct port_state's layout or meaning: ports are only taken over from a switch that
// has the same one.
#define PORT_STATE_REVISION 2u
#define PORT_STATE_FORM ((uint32_t)VHOST_STATE_FORM << 16 | PORT_STATE_REVISION << 8 | DROP_COUNT)

struct port_state {
	uint32_t form;	// PORT_STATE_FORM; 0: nothing was written yet.
	uint32_t owner; // handover.c: which switch started with the port last.
	uint32_t quarantined;
	char reason[160];	// Why, ended by NUL.
	uint32_t learned_count; // Stored with release, after the addresses.
	struct port_counters counters[WIRE_WORKERS_MAX]; // By worker.
	uint8_t learned[FDB_LEARNED_PER_PORT][MAC_SIZE];
	struct vhost_state vhost;
};

// Maps the memory behind fd, which stays the caller's; -1: one that does not outlive this process. A new one gets this
// form. -EINVAL: not a memory of this size that is sealed against shrinking and growing, or of another form; others are mmap's.
int portstate_map(int fd, struct port_state **ret_state, struct rwy_err *err);
// Accepts NULL.
void portstate_unmap(struct port_state *state);

// Notes that the port is quarantined, or is not any more (NULL).
void portstate_note_quarantine(struct port_state *state, const char *reason);

// Bytes of it that are surely in use.
size_t portstate_used(const struct port_state *state);
