// SPDX-License-Identifier: BSD-3-Clause
// Runs the database's statements. Under the service's lock.
#include "base/log.h"
#include "daemon/store/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

// Returns the index of the last.
static int bind_limits(sqlite3_stmt *stmt, int first, const struct port_limits *limits)
{
	for (int i = 0; i < PORT_LIMITS_COUNT; i++) {
		const char *at = (const char *)limits + port_limits_fields[i].offset;
		// As below. Checked limits are far below 2^63.
		(void)sqlite3_bind_int64(stmt, first + i, (int64_t) * (const uint64_t *)at);
	}
	return first + PORT_LIMITS_COUNT - 1;
}

// Binds by `types`: 'i' an int64_t, 's' a text, where an empty one is NULL, 't' a text as it is, 'l' limits.
static void bind_all(sqlite3_stmt *stmt, const char *types, va_list ap)
{
	for (int i = 1; *types; types++, i++) {
		// A failing bind shows as a NOT NULL constraint of the step.
		if (*types == 'i') {
			(void)sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
			continue;
		}
		if (*types == 'l') {
			i = bind_limits(stmt, i, va_arg(ap, const struct port_limits *));
			continue;
		}
		const char *text = va_arg(ap, const char *);
		if (*types == 't' || text[0])
			(void)sqlite3_bind_text(stmt, i, text, -1, SQLITE_TRANSIENT);
	}
}

// A file that is not at its path any more takes changes that no start would find.
static int check_place(struct store *s, struct rwy_err *err)
{
	int moved = 0;
	// Its failure is the statement's.
	(void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (!moved)
		return 0;
	err_set(err, -ESTALE, "cannot write the state: '%s' was removed or replaced", s->path);
	return err_hint(err, "put it back, or restart ringwayd to begin with what is there now");
}

static int prepare(
	struct store *s,
	struct rwy_err *err,
	const char *sql,
	const char *types,
	va_list ap,
	sqlite3_stmt **ret_stmt
)
{
	if (sqlite3_prepare_v2(s->db, sql, -1, ret_stmt, NULL) != SQLITE_OK)
		return store_fail(s, err);
	bind_all(*ret_stmt, types, ap);
	return 0;
}

// Runs and frees the statement.
static int step(struct store *s, struct rwy_err *err, sqlite3_stmt *stmt)
{
	int r = check_place(s, err);
	if (!r && sqlite3_step(stmt) != SQLITE_DONE)
		r = store_fail(s, err);
	(void)sqlite3_finalize(stmt); // Repeats the step's failure.
	return r;
}

int store_catch_up(struct store *s, struct rwy_err *err)
{
	struct store_late *late;
	// Within a transaction it was done before its beginning.
	while (sqlite3_get_autocommit(s->db) && (late = STAILQ_FIRST(&s->late))) {
		int r = check_place(s, err);
		if (!r && sqlite3_exec(s->db, late->sql, NULL, NULL, NULL) != SQLITE_OK)
			r = store_fail(s, err);
		if (r && r != -EEXIST)
			return r;
		if (r) // It can never be written, and must not stop the others.
			log_error("a change of the state is lost: %s", sqlite3_errmsg(s->db));
		STAILQ_REMOVE_HEAD(&s->late, entry);
		sqlite3_free(late->sql);
		free(late);
	}
	return 0;
}

int store_run(struct store *s, struct rwy_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list ap;
	int r = store_catch_up(s, err);
	if (r)
		return r;
	va_start(ap, types);
	r = prepare(s, err, sql, types, ap, &stmt);
	va_end(ap);
	return r ? r : step(s, err, stmt);
}

static void write_later(struct store *s, char *sql)
{
	struct store_late *late = calloc(1, sizeof(*late));
	if (!late || !sql) {
		// Rows that are not `ready` are settled at the next start.
		log_error("a change of the state is lost: no memory");
		sqlite3_free(sql);
		free(late);
		return;
	}
	late->sql = sql;
	STAILQ_INSERT_TAIL(&s->late, late, entry);
}

void store_run_surely(struct store *s, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt = NULL;
	struct rwy_err err = {0};
	va_list ap;
	va_start(ap, types);
	int r = prepare(s, &err, sql, types, ap, &stmt);
	va_end(ap);
	// The schema is known, so that only memory can be missing.
	char *text = r ? NULL : sqlite3_expanded_sql(stmt);
	if (!r)
		r = store_catch_up(s, &err);
	if (r)
		(void)sqlite3_finalize(stmt); // It was not run.
	else
		r = step(s, &err, stmt);
	if (!r) {
		sqlite3_free(text);
		return;
	}
	log_err(&err,
		r == -EEXIST ? "a change of the state is lost"
			     : "a removal is done, and written later");
	if (r == -EEXIST)
		sqlite3_free(text);
	else
		write_later(s, text);
}

int store_begin(struct store *s, struct rwy_err *err)
{
	return store_run(s, err, "BEGIN IMMEDIATE", "");
}

int store_end(struct store *s, int r, struct rwy_err *err)
{
	if (!r)
		r = store_run(s, err, "COMMIT", "");
	// A full disk may have taken it back already.
	if (r && !sqlite3_get_autocommit(s->db))
		(void
		)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL); // The first failure counts.
	return r;
}
