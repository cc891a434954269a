// SPDX-License-Identifier: BSD-3-Clause
// Opens, locks and checks the database. Under the service's lock.
#include "daemon/store/store.h"

#include "base/cleanup.h"
#include "daemon/store/internal.h"
#include "daemon/store/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int store_code(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EILSEQ;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int store_fail(struct store *s, struct rwy_err *err)
{
	int code = store_code(sqlite3_extended_errcode(s->db));
	return err_set(err, code, "cannot write the state: %s", sqlite3_errmsg(s->db));
}

static int take_lock(struct store *s, const char *dir, struct rwy_err *err)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/lock", dir); // A cut path cannot be opened.
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_set(err, -errno, "cannot open the lock '%s': %s", path, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	err_set(err, -EBUSY, "cannot use the state '%s': another ringwayd is running on it", dir);
	err_hint(err, "stop it, or give this one its own --state-dir and --run-dir");
	return -EBUSY;
}

// Reads only, so that a file that is refused stays as it is.
static int check_file(struct store *s, struct rwy_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	bool sound = rc == SQLITE_ROW && sqlite3_column_text(stmt, 0) &&
		strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
	int r = 0;
	if (!sound && (rc == SQLITE_ROW || store_code(rc) == -EILSEQ))
		r = err_set(err, -EILSEQ, "it is damaged");
	else if (!sound)
		r = err_set(err, -EIO, "%s", sqlite3_errmsg(s->db));
	(void)sqlite3_finalize(stmt); // Repeats the step's failure.
	if (r == -EILSEQ)
		err_hint(err, "restore a copy, or move it away to begin with no networks");
	return r ? r : store_migrate(s->db, 0, err);
}

static int open_db(struct store *s, const char *path, struct rwy_err *err)
{
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
		return err_set(err, -EIO, "%s", s->db ? sqlite3_errmsg(s->db) : "no memory");
	int r = check_file(s, err);
	if (r)
		return r;
	if (sqlite3_exec(
		    s->db,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		    "PRAGMA foreign_keys = ON",
		    NULL,
		    NULL,
		    NULL
	    ))
		return err_set(err, -EIO, "%s", sqlite3_errmsg(s->db));
	return store_migrate(s->db, store_version, err);
}

int store_open(const char *state_dir, struct store **ret_store, struct rwy_err *err)
{
	char path[PATH_MAX];
	if (mkdir(state_dir, 0700) && errno != EEXIST)
		return err_set(
			err,
			-errno,
			"cannot make the state directory '%s': %s",
			state_dir,
			strerror(errno)
		);
	struct store *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, -ENOMEM, "cannot open the state: no memory");
	s->lock_fd = -1;
	int r = take_lock(s, state_dir, err);
	if (!r) {
		(void)snprintf(path, sizeof(path), "%s/ringway.db", state_dir); // Checked by open.
		r = open_db(s, path, err);
		if (r)
			err_prefix(err, "cannot open the state '%s': ", path);
	}
	if (r) {
		store_close(s);
		return r;
	}
	*ret_store = s;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	(void)sqlite3_close(store->db); // No statement outlives its call.
	fd_close(&store->lock_fd);
	free(store);
}
