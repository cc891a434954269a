// SPDX-License-Identifier: BSD-3-Clause
// What the files of store/ share. One thread at a time (the service's lock).
#pragma once

#include "daemon/store/store.h"

#include <sqlite3.h>

struct store {
	sqlite3 *db;
	int lock_fd;
};

// The columns of limits, in the order of port_limits_fields.
#define LIMIT_COLUMNS                                                                         \
	"rx_bps, rx_burst, rx_fps, rx_frame_burst, tx_bps, tx_burst, tx_fps, tx_frame_burst," \
	" flood_fps, flood_burst"
#define LIMIT_VALUES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

// A negative errno for SQLite's result.
int store_code(int rc);
// Notes the last failure of the database.
int store_fail(struct store *s, struct rwy_err *err);

// Runs one statement, which is a transaction of its own unless one is open. `types` says what is bound: 'i' an
// int64_t, 's' a text, where an empty one is NULL, 't' a text as it is, 'l' limits.
int store_run(struct store *s, struct rwy_err *err, const char *sql, const char *types, ...);
