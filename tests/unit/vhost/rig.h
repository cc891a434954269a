// SPDX-License-Identifier: BSD-3-Clause
// A connection and a test front end at the two ends of a socket pair, in one thread, and what the
// connection told its owner. Checks at the end that no descriptor and no mapping was left, and meanwhile that what was
// kept and not dropped is what the connection has.
#pragma once

#include "base/err.h"
#include "tests/lib/front.h"
#include "tests/unit/vhost/keeper.h"
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
	// Called from within quiesce, when set: what must still be there then. The same for resume.
	void (*on_quiesce)(struct rig *rig);
	void (*on_resume)(struct rig *rig);
	bool keep_waits; // No message with descriptors is taken.
	uint32_t id_count;
	uint32_t last_id;
	uint32_t ids[VHOST_KEPT_MAX]; // Kept and not dropped, unless
	struct keeper *keeper;	      // somebody keeps them. Not owned.
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

// Takes up the connection behind fd by config->state and what the keeper has, after a process died that had it. What
// vhost_conn_restore() says; rig->conn is the new one.
int rig_restore(struct rig *rig, const struct vhost_conn_config *config, int fd);

// Frees the connection, as its owner does when it broke.
void rig_drop(struct rig *rig);

// Sends a message and expects the connection to break, and the reason to contain `reason`.
void rig_expect_break(struct rig *rig, const char *reason);

// Both must be at the end what they were before.
unsigned int count_fds(void);
unsigned int count_shared_maps(void);

#define RIG_CONFIG (&(struct vhost_conn_config){.queue_pairs = 2})
