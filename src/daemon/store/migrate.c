// SPDX-License-Identifier: BSD-3-Clause
// The schema, as the steps that made it. A step that was released is never changed: add one. Run by
// whoever opens the store.
#include "daemon/store/migrate.h"

#include <errno.h>
#include <stdio.h>

const char *const store_migrations[] = {
	// AUTOINCREMENT: an id never comes back, so a switch cannot take an old port for a new one.
	"CREATE TABLE networks ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name TEXT NOT NULL UNIQUE,"
	"  subnet TEXT, gateway TEXT, mtu INTEGER NOT NULL,"
	"  docker INTEGER NOT NULL, docker_id TEXT UNIQUE,"
	"  created INTEGER NOT NULL, state INTEGER NOT NULL);"
	"CREATE TABLE containers ("
	"  key TEXT PRIMARY KEY, created INTEGER NOT NULL);"
	"CREATE TABLE ports ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name TEXT NOT NULL UNIQUE,"
	"  network INTEGER NOT NULL REFERENCES networks(id),"
	"  attach TEXT NOT NULL, mac TEXT NOT NULL, ip TEXT,"
	"  queues INTEGER NOT NULL, learning INTEGER NOT NULL, connect TEXT,"
	"  endpoint_id TEXT UNIQUE,"
	"  container TEXT REFERENCES containers(key), place INTEGER NOT NULL,"
	"  sandbox TEXT, sandbox_seen INTEGER NOT NULL,"
	"  created INTEGER NOT NULL, state INTEGER NOT NULL,"
	"  UNIQUE (network, mac), UNIQUE (container, place));",
	// Limits and offloads. A column a limit, each 0 for none, in the order of port_limits_fields.
	"ALTER TABLE ports ADD COLUMN no_offloads INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN rx_bps INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN rx_burst INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN rx_fps INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN rx_frame_burst INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN tx_bps INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN tx_burst INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN tx_fps INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN tx_frame_burst INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN flood_fps INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN flood_burst INTEGER NOT NULL DEFAULT 0;",
	// Kernel and ether ports, and a column for each family's addresses: IPv6 used to share IPv4's.
	"ALTER TABLE networks ADD COLUMN subnet6 TEXT;"
	"ALTER TABLE networks ADD COLUMN gateway6 TEXT;"
	"ALTER TABLE networks ADD COLUMN ip_range TEXT;"
	"ALTER TABLE networks ADD COLUMN aux TEXT;"
	"ALTER TABLE networks ADD COLUMN internal INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE networks ADD COLUMN proxy_neighbors INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE networks ADD COLUMN no_gateway INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE networks ADD COLUMN vlan INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE networks ADD COLUMN uplink TEXT;"
	"UPDATE networks SET subnet6 = subnet, gateway6 = gateway, subnet = NULL, gateway = NULL"
	"  WHERE instr(subnet, ':');"
	"ALTER TABLE ports ADD COLUMN ip6 TEXT;"
	"ALTER TABLE ports ADD COLUMN pin_address INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN of_network INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN netns TEXT;"
	"ALTER TABLE ports ADD COLUMN netns_inode INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN ifname TEXT;"
	"ALTER TABLE ports ADD COLUMN device TEXT;"
	"ALTER TABLE ports ADD COLUMN vlan INTEGER NOT NULL DEFAULT 0;"
	"UPDATE ports SET ip6 = ip, ip = NULL WHERE instr(ip, ':');"
	"CREATE TABLE published ("
	"  port INTEGER NOT NULL REFERENCES ports(id) ON DELETE CASCADE,"
	"  place INTEGER NOT NULL, proto INTEGER NOT NULL, host_ip TEXT,"
	"  host_port INTEGER NOT NULL, host_port_end INTEGER NOT NULL,"
	"  container_port INTEGER NOT NULL, bound INTEGER NOT NULL,"
	"  PRIMARY KEY (port, place)) WITHOUT ROWID;",
	// Ports that are there keep the checks that they were made with.
	"ALTER TABLE ports ADD COLUMN allow_spoof INTEGER NOT NULL DEFAULT 0;",
	// Functions of NICs. Negative: left as it is. A function without a network is an uplink's.
	"ALTER TABLE networks ADD COLUMN driver TEXT;"
	"ALTER TABLE networks ADD COLUMN parent TEXT;"
	"ALTER TABLE networks ADD COLUMN pf TEXT;"
	"ALTER TABLE networks ADD COLUMN vfs INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE networks ADD COLUMN noiommu INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE networks ADD COLUMN trust INTEGER NOT NULL DEFAULT -1;"
	"ALTER TABLE networks ADD COLUMN spoof_check INTEGER NOT NULL DEFAULT -1;"
	"ALTER TABLE networks ADD COLUMN link_state INTEGER NOT NULL DEFAULT -1;"
	"ALTER TABLE networks ADD COLUMN rate_min INTEGER NOT NULL DEFAULT -1;"
	"ALTER TABLE networks ADD COLUMN rate_max INTEGER NOT NULL DEFAULT -1;"
	"ALTER TABLE ports ADD COLUMN owner_uid INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN cpus INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN vfs INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ports ADD COLUMN with_port TEXT;"
	"CREATE TABLE parents ("
	"  pf TEXT PRIMARY KEY, vfs_before INTEGER NOT NULL, vfs INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE functions ("
	"  address TEXT PRIMARY KEY, pf TEXT NOT NULL, number INTEGER NOT NULL,"
	"  network INTEGER REFERENCES networks(id) ON DELETE CASCADE,"
	"  port INTEGER NOT NULL, state INTEGER NOT NULL, key TEXT, noted INTEGER NOT NULL,"
	"  driver TEXT, overridden INTEGER NOT NULL, interface TEXT, mac TEXT NOT NULL,"
	"  mac_none INTEGER NOT NULL, vlan INTEGER NOT NULL, spoof_check INTEGER NOT NULL,"
	"  trust INTEGER NOT NULL, link_state INTEGER NOT NULL, rate_min INTEGER NOT NULL,"
	"  rate_max INTEGER NOT NULL) WITHOUT ROWID;",
};

const int store_version = sizeof(store_migrations) / sizeof(store_migrations[0]);

static int read_version(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	int version = -1;
	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		version = sqlite3_column_int(stmt, 0);
	(void)sqlite3_finalize(stmt); // Its failure is the step's.
	return version;
}

static int run_step(sqlite3 *db, int from)
{
	char done[64];
	(void)snprintf(done, sizeof(done), "PRAGMA user_version = %d; COMMIT", from + 1);
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(db, store_migrations[from], NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(db, done, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return -EIO;
}

int store_migrate(sqlite3 *db, int version, struct rwy_err *err)
{
	int have = read_version(db);
	if (have < 0)
		return err_set(err, -EIO, "%s", sqlite3_errmsg(db));
	if (have > store_version) {
		err_set(err,
			-EOPNOTSUPP,
			"it has schema version %d, this ringwayd knows %d",
			have,
			store_version);
		return err_hint(err, "start the newer ringwayd that wrote it");
	}
	for (; have < version; have++) {
		if (run_step(db, have) == 0)
			continue;
		err_set(err, -EIO, "step to version %d: %s", have + 1, sqlite3_errmsg(db));
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); // The step's failure counts.
		return -EIO;
	}
	return 0;
}
