// SPDX-License-Identifier: BSD-3-Clause
// Opens, locks and checks the database, and runs its statements. Under the service's lock.
#include "daemon/store/store.h"

#include "base/cleanup.h"
#include "daemon/store/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct store {
	sqlite3 *db;
	int lock_fd;
};

static int code_of(int rc)
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

static int fail(struct store *s, struct rwy_err *err)
{
	int code = code_of(sqlite3_extended_errcode(s->db));
	return err_set(err, code, "cannot write the state: %s", sqlite3_errmsg(s->db));
}

// The columns of limits, in the order of port_limits_fields.
#define LIMIT_COLUMNS                                                                         \
	"rx_bps, rx_burst, rx_fps, rx_frame_burst, tx_bps, tx_burst, tx_fps, tx_frame_burst," \
	" flood_fps, flood_burst"
#define LIMIT_VALUES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

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

static void column_limits(sqlite3_stmt *stmt, int first, struct port_limits *ret_limits)
{
	for (int i = 0; i < PORT_LIMITS_COUNT; i++) {
		char *at = (char *)ret_limits + port_limits_fields[i].offset;
		*(uint64_t *)at = (uint64_t)sqlite3_column_int64(stmt, first + i);
	}
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

// Runs one statement, which is a transaction of its own.
static int run(struct store *s, struct rwy_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list ap;
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return fail(s, err);
	va_start(ap, types);
	bind_all(stmt, types, ap);
	va_end(ap);
	int r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : fail(s, err);
	(void)sqlite3_finalize(stmt); // Repeats the step's failure.
	return r;
}

int store_network_insert(struct store *s, struct network_info *info, struct rwy_err *err)
{
	const struct network_spec *spec = &info->spec;
	int r = run(
		s,
		err,
		"INSERT INTO networks (name, subnet, gateway, mtu, docker, docker_id, created, state)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		"tssiisii",
		spec->name,
		spec->subnet,
		spec->gateway,
		(int64_t)spec->mtu,
		(int64_t)spec->docker,
		spec->docker_id,
		info->created,
		(int64_t)STORE_CREATING
	);
	if (!r)
		info->id = (uint32_t)sqlite3_last_insert_rowid(s->db);
	return r;
}

int store_network_update(
	struct store *s,
	const struct network_info *info,
	enum store_state state,
	struct rwy_err *err
)
{
	const struct network_spec *spec = &info->spec;
	return run(
		s,
		err,
		"UPDATE networks SET name = ?, subnet = ?, gateway = ?, docker = ?, docker_id = ?,"
		" state = ? WHERE id = ?",
		"tssisii",
		spec->name,
		spec->subnet,
		spec->gateway,
		(int64_t)spec->docker,
		spec->docker_id,
		(int64_t)state,
		(int64_t)info->id
	);
}

int store_network_delete(struct store *s, uint32_t id, struct rwy_err *err)
{
	return run(s, err, "DELETE FROM networks WHERE id = ?", "i", (int64_t)id);
}

int store_port_insert(
	struct store *s,
	uint32_t network,
	struct port_info *info,
	struct rwy_err *err
)
{
	const struct port_spec *spec = &info->spec;
	char mac[MAC_TEXT_SIZE];
	mac_format(spec->mac, mac);
	int r =
		run(s,
		    err,
		    "INSERT INTO ports (name, network, attach, mac, ip, queues, learning, connect,"
		    " endpoint_id, container, place, sandbox_seen, created, state, no_offloads,"
		    " " LIMIT_COLUMNS ")"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, " LIMIT_VALUES ")",
		    "tittsiisssiiiil",
		    spec->name,
		    (int64_t)network,
		    spec->attach,
		    mac,
		    spec->ip,
		    (int64_t)spec->queues,
		    (int64_t)spec->learning,
		    spec->connect,
		    spec->endpoint_id,
		    spec->key,
		    (int64_t)spec->index,
		    info->created,
		    (int64_t)STORE_CREATING,
		    (int64_t)spec->no_offloads,
		    &spec->limits);
	if (!r)
		info->id = (uint32_t)sqlite3_last_insert_rowid(s->db);
	return r;
}

int store_port_set_state(struct store *s, uint32_t id, enum store_state state, struct rwy_err *err)
{
	return run(
		s, err, "UPDATE ports SET state = ? WHERE id = ?", "ii", (int64_t)state, (int64_t)id
	);
}

int store_port_set_limits(
	struct store *s,
	uint32_t id,
	const struct port_limits *limits,
	struct rwy_err *err
)
{
	return run(
		s,
		err,
		"UPDATE ports SET (" LIMIT_COLUMNS ") = (" LIMIT_VALUES ") WHERE id = ?",
		"li",
		limits,
		(int64_t)id
	);
}

int store_port_set_sandbox(
	struct store *s,
	uint32_t id,
	const char *sandbox,
	bool seen,
	struct rwy_err *err
)
{
	return run(
		s,
		err,
		"UPDATE ports SET sandbox = ?, sandbox_seen = ? WHERE id = ?",
		"sii",
		sandbox,
		(int64_t)seen,
		(int64_t)id
	);
}

int store_port_delete(struct store *s, uint32_t id, struct rwy_err *err)
{
	return run(s, err, "DELETE FROM ports WHERE id = ?", "i", (int64_t)id);
}

int store_container_insert(struct store *s, const struct container_info *info, struct rwy_err *err)
{
	return run(
		s,
		err,
		"INSERT INTO containers (key, created) VALUES (?, ?)",
		"ti",
		info->key,
		info->created
	);
}

int store_container_delete(struct store *s, const char *key, struct rwy_err *err)
{
	return run(s, err, "DELETE FROM containers WHERE key = ?", "t", key);
}

// Copies a column's text; NULL is empty. Our own rows fit; a cut one comes of a damaged file.
static void column_text(sqlite3_stmt *stmt, int column, char *ret_text, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);
	(void)snprintf(ret_text, size, "%s", text ? (const char *)text : "");
}

#define COLUMN(stmt, column, member) column_text(stmt, column, member, sizeof(member))

struct loader {
	const struct store_visit *visit;
	void *arg;
};

static int load_network(const struct loader *loader, sqlite3_stmt *stmt)
{
	struct network_info info = {
		.id = (uint32_t)sqlite3_column_int64(stmt, 0),
		.spec.mtu = (uint32_t)sqlite3_column_int64(stmt, 4),
		.spec.docker = sqlite3_column_int(stmt, 5) != 0,
		.created = sqlite3_column_int64(stmt, 7),
	};
	COLUMN(stmt, 1, info.spec.name);
	COLUMN(stmt, 2, info.spec.subnet);
	COLUMN(stmt, 3, info.spec.gateway);
	COLUMN(stmt, 6, info.spec.docker_id);
	return loader->visit->network(
		loader->arg, &info, (enum store_state)sqlite3_column_int(stmt, 8)
	);
}

static int load_port(const struct loader *loader, sqlite3_stmt *stmt)
{
	struct port_info info = {
		.id = (uint32_t)sqlite3_column_int64(stmt, 0),
		.spec.queues = (uint16_t)sqlite3_column_int(stmt, 6),
		.spec.learning = sqlite3_column_int(stmt, 7) != 0,
		.spec.index = (uint16_t)sqlite3_column_int(stmt, 11),
		.sandbox_seen = sqlite3_column_int(stmt, 13) != 0,
		.created = sqlite3_column_int64(stmt, 14),
		.spec.no_offloads = sqlite3_column_int(stmt, 16) != 0,
	};
	char mac[MAC_TEXT_SIZE];
	COLUMN(stmt, 1, info.spec.name);
	COLUMN(stmt, 3, info.spec.attach);
	COLUMN(stmt, 4, mac);
	COLUMN(stmt, 5, info.spec.ip);
	COLUMN(stmt, 8, info.spec.connect);
	COLUMN(stmt, 9, info.spec.endpoint_id);
	COLUMN(stmt, 10, info.spec.key);
	COLUMN(stmt, 12, info.sandbox);
	column_limits(stmt, 17, &info.spec.limits);
	if (mac_parse(mac, info.spec.mac))
		return -EILSEQ;
	return loader->visit->port(
		loader->arg,
		(uint32_t)sqlite3_column_int64(stmt, 2),
		&info,
		(enum store_state)sqlite3_column_int(stmt, 15)
	);
}

static int load_container(const struct loader *loader, sqlite3_stmt *stmt)
{
	struct container_info info = {.created = sqlite3_column_int64(stmt, 1)};
	COLUMN(stmt, 0, info.key);
	return loader->visit->container(loader->arg, &info);
}

static int load_rows(
	struct store *s,
	const char *sql,
	int (*load)(const struct loader *, sqlite3_stmt *),
	const struct loader *loader,
	struct rwy_err *err
)
{
	sqlite3_stmt *stmt = NULL;
	int r = 0;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			r = load(loader, stmt);
		if (r)
			break;
	}
	if (!r && rc != SQLITE_DONE)
		r = err_set(err, code_of(rc), "cannot read the state: %s", sqlite3_errmsg(s->db));
	else if (r)
		err_set(err, r, "cannot read the state: a row makes no sense");
	(void)sqlite3_finalize(stmt); // Repeats the step's failure.
	return r;
}

int store_load(struct store *s, const struct store_visit *visit, void *arg, struct rwy_err *err)
{
	struct loader loader = {visit, arg};
	int r = load_rows(
		s,
		"SELECT id, name, subnet, gateway, mtu, docker, docker_id, created, state"
		" FROM networks ORDER BY id",
		load_network,
		&loader,
		err
	);
	if (!r)
		r = load_rows(
			s,
			"SELECT key, created FROM containers ORDER BY created, key",
			load_container,
			&loader,
			err
		);
	if (!r)
		r = load_rows(
			s,
			"SELECT id, name, network, attach, mac, ip, queues, learning, connect,"
			" endpoint_id, container, place, sandbox, sandbox_seen, created, state,"
			" no_offloads, " LIMIT_COLUMNS " FROM ports ORDER BY id",
			load_port,
			&loader,
			err
		);
	return r;
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
	if (!sound && (rc == SQLITE_ROW || code_of(rc) == -EILSEQ))
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
