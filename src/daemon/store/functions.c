// SPDX-License-Identifier: BSD-3-Clause
// Rows of functions of NICs, of their parents, and of ports together with their functions. Under the service's lock.
#include "daemon/store/internal.h"

#include <errno.h>

#define FUNCTION_PUT                                                                           \
	"INSERT OR REPLACE INTO functions (address, pf, number, network, port, state, key,"    \
	" noted, driver, overridden, interface, mac, mac_none, vlan, spoof_check, trust,"      \
	" link_state, rate_min, rate_max) VALUES (?, ?, ?, nullif(?, 0), ?, ?, ?, ?, ?, ?, ?," \
	" ?, ?, ?, ?, ?, ?, ?, ?)"
#define FUNCTION_TYPES "ttiiiisisistiiiiiii"
#define FUNCTION_VALUES(f, mac)                                                                    \
	(f)->address, (f)->pf, (int64_t)(f)->number, (int64_t)(f)->network, (int64_t)(f)->port,    \
		(int64_t)(f)->state, (f)->key, (int64_t)(f)->noted, (f)->driver,                   \
		(int64_t)(f)->overridden, (f)->interface, mac, (int64_t)(f)->before.mac_none,      \
		(int64_t)(f)->before.vlan, (int64_t)(f)->before.spoof_check,                       \
		(int64_t)(f)->before.trust, (int64_t)(f)->before.link_state, (f)->before.rate_min, \
		(f)->before.rate_max

static int put(struct store *s, const struct store_function *function, struct rwy_err *err)
{
	char mac[MAC_TEXT_SIZE];
	mac_format(function->before.mac, mac);
	return store_run(s, err, FUNCTION_PUT, FUNCTION_TYPES, FUNCTION_VALUES(function, mac));
}

int store_functions_put(
	struct store *s,
	const struct store_function *list,
	size_t count,
	struct rwy_err *err
)
{
	int r = store_begin(s, err);
	if (r)
		return r;
	for (size_t i = 0; !r && i < count; i++)
		r = put(s, &list[i], err);
	return store_end(s, r, err);
}

void store_function_put_surely(struct store *s, const struct store_function *function)
{
	char mac[MAC_TEXT_SIZE];
	mac_format(function->before.mac, mac);
	store_run_surely(s, FUNCTION_PUT, FUNCTION_TYPES, FUNCTION_VALUES(function, mac));
}

void store_function_delete(struct store *s, const char *address)
{
	store_run_surely(s, "DELETE FROM functions WHERE address = ?", "t", address);
}

int store_parent_put(struct store *s, const struct store_parent *parent, struct rwy_err *err)
{
	return store_run(
		s,
		err,
		"INSERT OR REPLACE INTO parents (pf, vfs_before, vfs) VALUES (?, ?, ?)",
		"tii",
		parent->pf,
		(int64_t)parent->vfs_before,
		(int64_t)parent->vfs
	);
}

void store_parent_delete(struct store *s, const char *pf)
{
	store_run_surely(s, "DELETE FROM parents WHERE pf = ?", "t", pf);
}

int store_port_insert_taking(
	struct store *s,
	uint32_t network,
	struct port_info *info,
	struct store_function *taking,
	struct rwy_err *err
)
{
	struct store_function row = *taking;
	int r = store_begin(s, err);
	if (r)
		return r;
	r = store_port_insert(s, network, info, err);
	row.port = info->id;
	row.state = FUNCTION_TAKING;
	if (!r)
		r = put(s, &row, err);
	r = store_end(s, r, err);
	if (!r)
		*taking = row;
	return r;
}

int store_port_set_ready(struct store *s, const char *name, struct rwy_err *err)
{
	return store_run(
		s,
		err,
		"UPDATE ports SET state = ? WHERE name = ? OR with_port = ?",
		"itt",
		(int64_t)STORE_READY,
		name,
		name
	);
}

int store_port_set_removing(struct store *s, const char *name, struct rwy_err *err)
{
	int r = store_begin(s, err);
	if (r)
		return r;
	r = store_run(
		s,
		err,
		"UPDATE ports SET state = ? WHERE name = ? OR with_port = ?",
		"itt",
		(int64_t)STORE_REMOVING,
		name,
		name
	);
	if (!r)
		r = store_run(
			s,
			err,
			"UPDATE functions SET state = ?, port = 0 WHERE port IN"
			" (SELECT id FROM ports WHERE name = ? OR with_port = ?)",
			"itt",
			(int64_t)FUNCTION_RETURNING,
			name,
			name
		);
	return store_end(s, r, err);
}

static int load_parent(const struct store_loader *loader, sqlite3_stmt *stmt)
{
	struct store_parent parent = {
		.vfs_before = (uint16_t)sqlite3_column_int(stmt, 1),
		.vfs = (uint16_t)sqlite3_column_int(stmt, 2),
	};
	STORE_COLUMN(stmt, 0, parent.pf);
	return loader->visit->parent ? loader->visit->parent(loader->arg, &parent) : 0;
}

static int load_function(const struct store_loader *loader, sqlite3_stmt *stmt)
{
	struct store_function function = {
		.number = (uint16_t)sqlite3_column_int(stmt, 2),
		.network = (uint32_t)sqlite3_column_int64(stmt, 3),
		.port = (uint32_t)sqlite3_column_int64(stmt, 4),
		.noted = sqlite3_column_int(stmt, 7) != 0,
		.overridden = sqlite3_column_int(stmt, 9) != 0,
		.before =
			{
				.mac_none = sqlite3_column_int(stmt, 12) != 0,
				.vlan = sqlite3_column_int(stmt, 13),
				.spoof_check = sqlite3_column_int(stmt, 14),
				.trust = sqlite3_column_int(stmt, 15),
				.link_state = sqlite3_column_int(stmt, 16),
				.rate_min = sqlite3_column_int64(stmt, 17),
				.rate_max = sqlite3_column_int64(stmt, 18),
			},
	};
	char mac[MAC_TEXT_SIZE];
	STORE_COLUMN(stmt, 0, function.address);
	STORE_COLUMN(stmt, 1, function.pf);
	STORE_COLUMN(stmt, 6, function.key);
	STORE_COLUMN(stmt, 8, function.driver);
	STORE_COLUMN(stmt, 10, function.interface);
	STORE_COLUMN(stmt, 11, mac);
	int state = sqlite3_column_int(stmt, 5);
	if (mac_parse(mac, function.before.mac) || state < 0 || state >= FUNCTION_STATE_COUNT)
		return -EILSEQ;
	function.state = (enum function_state)state;
	return loader->visit->function ? loader->visit->function(loader->arg, &function) : 0;
}

int store_load_functions(struct store *s, const struct store_loader *loader, struct rwy_err *err)
{
	int r = store_load_rows(
		s, "SELECT pf, vfs_before, vfs FROM parents ORDER BY pf", load_parent, loader, err
	);
	if (!r)
		r = store_load_rows(
			s,
			"SELECT address, pf, number, network, port, state, key, noted, driver, overridden,"
			" interface, mac, mac_none, vlan, spoof_check, trust, link_state, rate_min, rate_max"
			" FROM functions ORDER BY pf, number, address",
			load_function,
			loader,
			err
		);
	return r;
}
