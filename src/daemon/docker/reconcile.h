// SPDX-License-Identifier: BSD-3-Clause
// Our rows against the engine's lists: which of them Docker forgot, and what it knows that we do not.
// Pure: no clock, no lock, no engine; any thread.
//
// Why nothing fresh is ever collected. A row is made inside a driver call (or POST /v1/containers), and the
// engine writes its own record down right after the call's answer. So for a moment the row is there and the
// engine's is not. Rows count as missing only when they are older than the *beginning* of the first
// request that the lists come from by RECONCILE_GRACE_MS: the moment is milliseconds long and ended before any list
// was asked for. A row that was loaded from the store counts as made when this process started, a network as
// made when it was last bound. Ids of endpoints and keys are never used twice, so what is decided about one id stays
// true however late it is carried out; the caller carries it out only on a row that still has that id.
#pragma once

#include "daemon/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECONCILE_GRACE_MS 10000
#define RECONCILE_STRANGER_MS \
	1500 // From the first sight of a network without a row to its adoption.
#define RECONCILE_PLACE_GRACE_MS 20000 // From the reservation of a place to `docker create`.

struct reconcile_network {
	char name[NAME_SIZE];
	char docker_id[DOCKER_ID_SIZE];
	bool docker;	  // A Docker network is wanted.
	uint32_t ports;	  // Whatever made them.
	int64_t since_ms; // Made or bound.
	char ip_range[ADDR_TEXT_SIZE];
};

struct reconcile_port {
	char name[NAME_SIZE];
	char endpoint_id[DOCKER_ID_SIZE];
	char network_docker_id[DOCKER_ID_SIZE];
	int64_t since_ms;
};

struct reconcile_place {
	char key[KEY_SIZE];
	int64_t since_ms;
};

// A network of our driver in the engine's list.
struct reconcile_listed {
	char docker_id[DOCKER_ID_SIZE];
	char name[NAME_SIZE];	       // Empty: not a name that a network of ours can have.
	bool named;		       // By ringway.name, so Docker's name does not count.
	bool endpoints_known;	       // Its endpoints are in the list of endpoints.
	char ip_range[ADDR_TEXT_SIZE]; // No driver call tells it.
};

struct reconcile_id {
	char text[DOCKER_ID_SIZE];
};

// A network that was listed without a row before.
struct reconcile_stranger {
	char docker_id[DOCKER_ID_SIZE];
	int64_t first_ms; // The beginning of the comparison that saw it first.
};

struct reconcile_input {
	const struct reconcile_network *networks;
	size_t network_count;
	const struct reconcile_port *ports; // Those with an endpoint_id.
	size_t port_count;
	const struct reconcile_place *places;
	size_t place_count;
	const struct reconcile_listed *listed;
	size_t listed_count;
	const struct reconcile_id *endpoints; // Of the listed networks.
	size_t endpoint_count;
	const struct reconcile_id *keys; // Of all containers, running or not.
	size_t key_count;
	const struct reconcile_id *destroyed; // Keys that a destroy event named.
	size_t destroyed_count;
	const struct reconcile_stranger *strangers;
	size_t stranger_count;
	int64_t begin_ms; // CLOCK_MONOTONIC before the first request.
};

enum reconcile_op {
	RECONCILE_PORT_REMOVE,	// index: of ports.
	RECONCILE_PLACE_REMOVE, // of places, with the ports in it.
	RECONCILE_NETWORK_REMOVE, // of networks, once its ports are gone; kept without Docker if some stay.
	RECONCILE_NETWORK_CREATE, // of networks, in Docker.
	RECONCILE_NETWORK_RENAME, // of networks; `listed` has the name.
	RECONCILE_NETWORK_RANGE, // of networks; `listed` has the range that addresses are picked from.
	RECONCILE_NETWORK_ADOPT, // `listed`: make or bind a row.
	RECONCILE_STRANGER,	 // `listed`: without a row, but not for long enough.
	RECONCILE_OP_COUNT
};

struct reconcile_action {
	enum reconcile_op op;
	size_t index;
	size_t listed;
};

struct reconcile_plan {
	struct reconcile_action *actions; // In an order in which they can be carried out.
	size_t count;
	bool again; // Something was too young to judge: look again soon.
};

// -ENOMEM. reconcile_plan_fini() frees the plan.
int reconcile_decide(const struct reconcile_input *input, struct reconcile_plan *ret_plan);
void reconcile_plan_fini(struct reconcile_plan *plan);

// Whether a network's name is the one made of its id, until Docker tells its own.
bool reconcile_is_provisional(const char *name, const char *docker_id);
