// SPDX-License-Identifier: BSD-3-Clause
// Opens, locks and checks the database. Under the service's lock.
#include "daemon/store/store.h"

#include "base/cleanup.h"
#include "base/log.h"
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

// How long a change waits for another process that writes. Everybody else waits meanwhile.
#define BUSY_MS 500

static int system_code(sqlite3 *db)
{
	int code = sqlite3_system_errno(db);
	if (code == ENOSPC || code == EDQUOT)
		return -ENOSPC;
	return code == EROFS ? -EROFS : -EIO;
}

int store_code(sqlite3 *db)
{
	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EILSEQ;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_READONLY:
		return -EROFS;
	default: // SQLITE_IOERR and SQLITE_CANTOPEN, mostly.
		return system_code(db);
	}
}

void store_hint(const char *path, int code, struct rwy_err *err)
{
	static const struct {
		int code;
		const char *text;
	} hints[] = {
		{ENOSPC, "free space on the file system of '%s'"},
		{EROFS, "make '%s' and its directory writable"},
		{EAGAIN, "another process has '%s' locked: end it"},
		{EILSEQ, "restore a copy of '%s', or move it away to begin with no networks"},
	};
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].code == -code)
			err_hint(err, hints[i].text, path);
}

int store_fail(struct store *s, struct rwy_err *err)
{
	int code = store_code(s->db);
	err_set(err, code, "cannot write the state: %s", sqlite3_errmsg(s->db));
	store_hint(s->path, code, err);
	return code;
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
	if (!sound && (rc == SQLITE_ROW || store_code(s->db) == -EILSEQ))
		r = err_set(err, -EILSEQ, "it is damaged, or no database");
	else if (!sound)
		r = err_set(err, store_code(s->db), "%s", sqlite3_errmsg(s->db));
	(void)sqlite3_finalize(stmt); // Repeats the step's failure.
	if (r)
		store_hint(s->path, r, err);
	return r ? r : store_migrate(s->db, 0, err);
}

// Whether what was written to the log since is put into the file when it is closed.
static void set_checkpoint(struct store *s, bool on)
{
	// A database that is open knows this option.
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !on, NULL);
}

static int open_failed(struct store *s, struct rwy_err *err)
{
	int code = store_code(s->db);
	err_set(err, code, "%s", sqlite3_errmsg(s->db));
	store_hint(s->path, code, err);
	return code;
}

static int open_db(struct store *s, struct rwy_err *err)
{
	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
		return s->db ? open_failed(s, err) : err_set(err, -ENOMEM, "no memory");
	(void)sqlite3_busy_timeout(s->db, BUSY_MS); // As above.
	set_checkpoint(s, false); // One that is refused stays as it is, log and all.
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
		return open_failed(s, err);
	set_checkpoint(s, true);
	r = store_migrate(s->db, store_version, err);
	if (r)
		store_hint(s->path, r, err);
	return r;
}

int store_open(const char *state_dir, struct store **ret_store, struct rwy_err *err)
{
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
	STAILQ_INIT(&s->late);
	int r = take_lock(s, state_dir, err);
	if (!r) {
		// A cut one cannot be opened.
		(void)snprintf(s->path, sizeof(s->path), "%s/ringway.db", state_dir);
		r = open_db(s, err);
		if (r)
			err_prefix(err, "cannot open the state '%s': ", s->path);
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
	struct rwy_err err = {0};
	struct store_late *late;
	if (store->db && store_catch_up(store, &err))
		log_err(&err, "the next start finishes what was not written");
	while ((late = STAILQ_FIRST(&store->late))) {
		STAILQ_REMOVE_HEAD(&store->late, entry);
		sqlite3_free(late->sql);
		free(late);
	}
	(void)sqlite3_close(store->db); // No statement outlives its call.
	fd_close(&store->lock_fd);
	free(store);
}
