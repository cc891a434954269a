// SPDX-License-Identifier: BSD-3-Clause
// Both sides at one moment: the engine's lists and our rows, as reconcile_decide() wants them.
#pragma once

#include "base/err.h"
#include "daemon/docker/parse.h"
#include "daemon/docker/reconcile.h"

#include <jansson.h>
#include <stddef.h>

struct docker;

struct snapshot_vec {
	void *data;
	size_t count;
	size_t room;
};

struct snapshot {
	int64_t begin_ms;
	struct snapshot_vec listed;	 // struct reconcile_listed
	struct snapshot_vec described;	 // struct driver_network, one for each listed
	struct snapshot_vec endpoints;	 // struct reconcile_id
	struct snapshot_vec keys;	 // struct reconcile_id
	struct snapshot_vec networks;	 // struct reconcile_network
	struct snapshot_vec network_ids; // uint32_t, one for each network
	struct snapshot_vec ports;	 // struct reconcile_port
	struct snapshot_vec places;	 // struct reconcile_place
};

// A new element, zeroed; NULL without memory.
void *snapshot_push(struct snapshot_vec *vec, size_t size);

// Asks the engine, without any lock, then reads our rows. -ECONNREFUSED: no engine. Nothing has to be freed on failure.
int snapshot_take(struct docker *docker, struct snapshot *ret_snapshot, struct rwy_err *err);
void snapshot_fini(struct snapshot *snapshot);

// The parts of the engine's answers. 0 or -ENOMEM; what is not of the known form is left out.
int snapshot_add_listed(struct snapshot *snapshot, json_t *network);
int snapshot_add_endpoints(struct snapshot *snapshot, json_t *network);
int snapshot_add_key(struct snapshot *snapshot, json_t *container);

// Points at the snapshot's arrays.
struct reconcile_input snapshot_input(const struct snapshot *snapshot);
