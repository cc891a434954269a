// SPDX-License-Identifier: BSD-3-Clause
// What ringwayd keeps of a port, so that the next switch goes on where the last one ended: descriptors, and the memory in which
// the switch writes down the rest. Under the service's lock.
#pragma once

#include "base/err.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stdint.h>

// More than a port ever has, also while its memory is being replaced.
#define KEEP_IDS_MAX (2 * WIRE_KEPT_MAX)

struct kept {
	uint32_t id; // The switch's number of it.
	int fd;
};

struct keep {
	int state; // The port's state memory, or -1.
	uint32_t size, form;
	int conn;    // The front end's connection, or -1.
	bool untold; // The connection may never have reached a switch.
	struct kept *list;
	uint32_t count, room;
};

void keep_init(struct keep *keep);
void keep_fini(struct keep *keep); // Closes all.
// Closes what is of the connection: it has ended.
void keep_forget(struct keep *keep);

// Makes sure that there is a state memory that the switch of this hello can use: makes one where there is none, or one of
// another form, whose connection is lost then. 0 also if the switch asks for none.
int keep_ensure_state(struct keep *keep, const struct wire_hello *hello, struct rwy_err *err);

// Takes over a connection; what there was of another is closed.
void keep_connect(struct keep *keep, int fd, bool untold);
// Descriptors that a message of the front end brought. Those that are taken are -1 in msg afterwards.
void keep_add(struct keep *keep, struct wire_msg *msg);
void keep_drop(struct keep *keep, const struct wire_kept *gone);

// Whether the next switch can take the connection up.
bool keep_is_connected(const struct keep *keep);
// Fills in WIRE_CONN_RESTORE. The descriptors stay keep's. False: there are more than one message carries.
bool keep_fill(const struct keep *keep, struct wire_msg *msg);
// Takes what a switch that was found has of a port with connection: the reply to WIRE_PORT_FDS.
void keep_adopt(struct keep *keep, struct wire_msg *reply, const struct wire_hello *hello);
