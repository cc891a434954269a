// SPDX-License-Identifier: BSD-3-Clause
// What the files of store/ share. One thread at a time (the service's lock).
#pragma once

#include "daemon/store/store.h"

#include <limits.h>
#include <sqlite3.h>
#include <sys/queue.h>

// A statement that could not be written when it was due: text with its values.
struct store_late {
	STAILQ_ENTRY(store_late) entry;
	char *sql;
};

STAILQ_HEAD(store_late_list, store_late);

struct store {
	sqlite3 *db;
	int lock_fd;
	char path[PATH_MAX];
	struct store_late_list late; // In order; written before anything else.
};

// The columns of limits, in the order of port_limits_fields.
#define LIMIT_COLUMNS                                                                         \
	"rx_bps, rx_burst, rx_fps, rx_frame_burst, tx_bps, tx_burst, tx_fps, tx_frame_burst," \
	" flood_fps, flood_burst"
#define LIMIT_VALUES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

// A negative errno for the database's last failure.
int store_code(sqlite3 *db);
// Says what can be done about it.
void store_hint(const char *path, int code, struct rwy_err *err);
// Notes the last failure of the database.
int store_fail(struct store *s, struct rwy_err *err);

// Runs one statement, which is a transaction of its own unless one is open. `types` says what is bound: 'i' an
// int64_t, 's' a text, where an empty one is NULL, 't' a text as it is, 'l' limits.
int store_run(struct store *s, struct rwy_err *err, const char *sql, const char *types, ...);
// As store_run(), for what cannot be refused any more: what cannot be written now (the disk is full) is written before
// the next statement that can.
void store_run_surely(struct store *s, const char *sql, const char *types, ...);
// Writes what is late. 0: nothing is any more.
int store_catch_up(struct store *s, struct rwy_err *err);

int store_begin(struct store *s, struct rwy_err *err);
// Commits, or takes all back when something failed (r), the commit included. Returns the first failure.
int store_end(struct store *s, int r, struct rwy_err *err);

struct store_loader {
	const struct store_visit *visit;
	void *arg;
};

// load.c. A callback's failure ends it: a row that makes no sense.
int store_load_rows(
	struct store *s,
	const char *sql,
	int (*load)(const struct store_loader *, sqlite3_stmt *),
	const struct store_loader *loader,
	struct rwy_err *err
);
// Copies a column's text; NULL is empty. Our own rows fit; a cut one comes of a damaged file.
void store_column_text(sqlite3_stmt *stmt, int column, char *ret_text, size_t size);
#define STORE_COLUMN(stmt, column, member) store_column_text(stmt, column, member, sizeof(member))

// functions.c: reads the rows of store_visit's functions and parents.
int store_load_functions(struct store *s, const struct store_loader *loader, struct rwy_err *err);
