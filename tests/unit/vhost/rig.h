// SPDX-License-Identifier: BSD-3-Clause
// A connection and a test front end at the two ends of a socket pair, in one thread, and what the
// connection told its owner. Checks at the end that no descriptor and no mapping was left.
#pragma once

#include "base/err.h"
#include "tests/lib/front.h"
#include "vhost/vhost.h"

#include <stdbool.h>
#include <stdint.h>

struct rig {
	struct vhost_conn *conn;
	struct front *front;
	struct rwy_err err;
	int result; // Of the connection: not 0 once it broke.
	unsigned int quiesces;
	unsigned int resumes;
	unsigned int grows;
	bool quiesced;
	uint8_t announced[MAC_SIZE];
	unsigned int announces;
	unsigned int fds_before; // Of the process.
	unsigned int maps_before;
	// Called from within quiesce, when set: what must still be there then.
	void (*on_quiesce)(struct rig *rig);
};

// front_config NULL: the front end's defaults.
void rig_init(
	struct rig *rig,
	const struct vhost_conn_config *config,
	const struct front_config *front_config
);
// Frees both ends; fails the test when descriptors or mappings were left.
void rig_fini(struct rig *rig);

// Lets the connection work until it has nothing to do. Its result.
int rig_pump(struct rig *rig);

// The whole start, which must succeed.
void rig_start(struct rig *rig);

// Frees the connection, as its owner does when it broke.
void rig_drop(struct rig *rig);

// Sends a message and expects the connection to break, and the reason to contain `reason`.
void rig_expect_break(struct rig *rig, const char *reason);

// Both must be at the end what they were before.
unsigned int count_fds(void);
unsigned int count_shared_maps(void);

#define RIG_CONFIG (&(struct vhost_conn_config){.queue_pairs = 2})
