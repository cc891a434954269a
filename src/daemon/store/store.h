// SPDX-License-Identifier: BSD-3-Clause
// The intent on disk: STATE_DIR/ringway.db. Each call is one transaction, on disk when it
// returns. One thread at a time (the service's lock).
#pragma once

#include "base/err.h"
#include "daemon/functions/functions.h"
#include "daemon/service.h"

// A row is written as `creating` before the act and set to `ready` after it; `removing` before a
// removal. A start that finds one of the others finishes or undoes it.
enum store_state {
	STORE_CREATING,
	STORE_READY,
	STORE_REMOVING,
	STORE_STATE_COUNT
};

struct store;

// Makes the directory (0700) and the database as needed, takes STATE_DIR/lock. -EBUSY: another
// ringwayd has it. -EILSEQ: damaged or no database, -EOPNOTSUPP: written by a newer version; every file
// is left as it is then. -EAGAIN: another process has locked it. -ENOSPC, -EROFS.
int store_open(const char *state_dir, struct store **ret_store, struct rwy_err *err);
// Accepts NULL. Lets go of the lock.
void store_close(struct store *store);

// Inserts as `creating` and sets info->id. Errors of all: -EEXIST (a unique value is taken), -EIO, -ENOSPC, -EROFS, -EAGAIN
// (another process has it locked), -ESTALE (the file was removed or replaced): nothing was written.
int store_network_insert(struct store *s, struct network_info *info, struct rwy_err *err);
int store_network_update(
	struct store *s,
	const struct network_info *info,
	enum store_state state,
	struct rwy_err *err
);
// The intent to remove the network and its own ports. -ENOSPC and others as above: nothing has changed.
int store_network_set_removing(struct store *s, uint32_t id, struct rwy_err *err);
// Of a row that is not `ready`, so that it cannot fail: what cannot be written now is written before the next change, or
// is seen by the row's state at the next start.
void store_network_delete(struct store *s, uint32_t id);
// As store_network_update(), back to what it was. It cannot fail either, but for a start before it is written.
void store_network_revert(struct store *s, const struct network_info *info, enum store_state state);

// network is the id of its network.
int store_port_insert(
	struct store *s,
	uint32_t network,
	struct port_info *info,
	struct rwy_err *err
);
int store_port_set_state(struct store *s, uint32_t id, enum store_state state, struct rwy_err *err);
int store_port_set_limits(
	struct store *s,
	uint32_t id,
	const struct port_limits *limits,
	struct rwy_err *err
);
int store_port_set_sandbox(
	struct store *s,
	uint32_t id,
	const char *sandbox,
	bool seen,
	struct rwy_err *err
);
int store_port_set_name(struct store *s, uint32_t id, const char *name, struct rwy_err *err);
// Replaces what is published of the port, in one transaction. A port that is deleted takes its own along.
int store_port_set_published(
	struct store *s,
	uint32_t id,
	const struct port_publish *list,
	size_t count,
	struct rwy_err *err
);
// As store_network_delete().
void store_port_delete(struct store *s, uint32_t id);

// A function of a NIC that is ours to give.
struct store_function {
	char address[FUNCTION_SIZE];
	char pf[FUNCTION_SIZE]; // Itself, if it is a physical one.
	uint16_t number;
	uint32_t network; // 0: it is an uplink's.
	uint32_t port;	  // That has it, or gets it; 0: none.
	enum function_state state;
	char key[KEY_SIZE]; // Of the place that it is kept for.
	bool noted;	    // What follows is what the host had before it was taken.
	char driver[FUNCTION_DRIVER_SIZE];
	bool overridden;
	char interface[IFNAME_SIZE];
	struct function_attributes before;
};

// A physical function whose virtual functions networks have.
struct store_parent {
	char pf[FUNCTION_SIZE];
	uint16_t vfs_before; // How many there were before the first network.
	uint16_t vfs;	     // How many there have to be.
};

// Inserts or replaces rows, in one transaction.
int store_functions_put(
	struct store *s,
	const struct store_function *list,
	size_t count,
	struct rwy_err *err
);
// As store_network_delete(): what a start finds as it was before is done once more.
void store_function_put_surely(struct store *s, const struct store_function *function);
void store_function_delete(struct store *s, const char *address);
int store_parent_put(struct store *s, const struct store_parent *parent, struct rwy_err *err);
void store_parent_delete(struct store *s, const char *pf);

// As store_port_insert(), with a function that is to be taken for it in the same transaction: `taking`, whose port is set to the
// new one's id.
int store_port_insert_taking(
	struct store *s,
	uint32_t network,
	struct port_info *info,
	struct store_function *taking,
	struct rwy_err *err
);
// Of a port and those made with it, in one transaction: they are ready; they are being removed, and their functions returned.
int store_port_set_ready(struct store *s, const char *name, struct rwy_err *err);
int store_port_set_removing(struct store *s, const char *name, struct rwy_err *err);

int store_container_insert(struct store *s, const struct container_info *info, struct rwy_err *err);
int store_container_delete(struct store *s, const char *key, struct rwy_err *err);

// Reads everything, in order of id; a callback's failure ends it.
struct store_visit {
	int (*network)(void *arg, const struct network_info *info, enum store_state state);
	int (*port
	)(void *arg, uint32_t network, const struct port_info *info, enum store_state state);
	int (*container)(void *arg, const struct container_info *info);
	int (*published
	)(void *arg, uint32_t port, const struct port_publish *publish); // After all ports.
	int (*parent)(void *arg, const struct store_parent *parent);
	int (*function
	)(void *arg, const struct store_function *function); // In order of PF and number.
};
int store_load(struct store *s, const struct store_visit *visit, void *arg, struct rwy_err *err);
