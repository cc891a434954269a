// SPDX-License-Identifier: BSD-3-Clause
// Runs the database's statements. Under the service's lock.
#include "daemon/store/internal.h"

#include <stdarg.h>

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

int store_run(struct store *s, struct rwy_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list ap;
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return store_fail(s, err);
	va_start(ap, types);
	bind_all(stmt, types, ap);
	va_end(ap);
	int r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : store_fail(s, err);
	(void)sqlite3_finalize(stmt); // Repeats the step's failure.
	return r;
}
