// SPDX-License-Identifier: BSD-3-Clause
// A store in a directory of its own, for its tests. One thread.
#pragma once

#include "daemon/store/store.h"

// Fills a member; what does not fit is cut.
#define SET_TEXT(member, text) ((void)snprintf(member, sizeof(member), "%s", text))

extern char store_rig_dir[64];
extern char store_rig_path[96]; // Of the database.

struct store_rig_seen {
	int networks, ports, containers;
	struct network_info network;
	struct port_info port;
	uint32_t port_network;
	enum store_state network_state, port_state;
	char key[KEY_SIZE];
	int published;
	uint32_t published_port;
	struct port_publish publish; // The last.
	int parents, functions;
	struct store_parent parent;
	struct store_function function; // The last.
};

int store_rig_setup(void **state);
int store_rig_teardown(void **state);
// What fails fails the test.
struct store *store_rig_open(void);
struct store_rig_seen store_rig_load(struct store *s);
// Rows with a value of its own in every column.
struct network_info store_rig_network(void);
struct port_info store_rig_port(void);
struct store_function store_rig_function(uint32_t network);
