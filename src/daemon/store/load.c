// SPDX-License-Identifier: BSD-3-Clause
// Reads all rows. Under the service's lock.
#include "daemon/store/internal.h"

#include <errno.h>
#include <stdio.h>

static void column_limits(sqlite3_stmt *stmt, int first, struct port_limits *ret_limits)
{
	for (int i = 0; i < PORT_LIMITS_COUNT; i++) {
		char *at = (char *)ret_limits + port_limits_fields[i].offset;
		*(uint64_t *)at = (uint64_t)sqlite3_column_int64(stmt, first + i);
	}
}

void store_column_text(sqlite3_stmt *stmt, int column, char *ret_text, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);
	(void)snprintf(ret_text, size, "%s", text ? (const char *)text : "");
}

// Of others nobody can say whether the row is to be kept.
static bool is_state(int state)
{
	return state >= 0 && state < STORE_STATE_COUNT;
}

static void column_functions(sqlite3_stmt *stmt, int first, struct network_functions *ret)
{
	STORE_COLUMN(stmt, first, ret->parent);
	STORE_COLUMN(stmt, first + 1, ret->pf);
	ret->vfs = (uint16_t)sqlite3_column_int(stmt, first + 2);
	ret->noiommu = sqlite3_column_int(stmt, first + 3) != 0;
	ret->trust = (int8_t)sqlite3_column_int(stmt, first + 4);
	ret->spoof_check = (int8_t)sqlite3_column_int(stmt, first + 5);
	ret->link_state = (int8_t)sqlite3_column_int(stmt, first + 6);
	ret->rate_min = sqlite3_column_int(stmt, first + 7);
	ret->rate_max = sqlite3_column_int(stmt, first + 8);
}

static int load_network(const struct store_loader *loader, sqlite3_stmt *stmt)
{
	struct network_info info = {
		.id = (uint32_t)sqlite3_column_int64(stmt, 0),
		.spec.mtu = (uint32_t)sqlite3_column_int64(stmt, 4),
		.spec.docker = sqlite3_column_int(stmt, 5) != 0,
		.created = sqlite3_column_int64(stmt, 7),
		.spec.internal = sqlite3_column_int(stmt, 13) != 0,
		.spec.proxy_neighbors = sqlite3_column_int(stmt, 14) != 0,
		.spec.no_gateway = sqlite3_column_int(stmt, 15) != 0,
		.spec.vlan = (uint16_t)sqlite3_column_int(stmt, 16),
	};
	STORE_COLUMN(stmt, 1, info.spec.name);
	STORE_COLUMN(stmt, 2, info.spec.subnet);
	STORE_COLUMN(stmt, 3, info.spec.gateway);
	STORE_COLUMN(stmt, 6, info.spec.docker_id);
	STORE_COLUMN(stmt, 9, info.spec.subnet6);
	STORE_COLUMN(stmt, 10, info.spec.gateway6);
	STORE_COLUMN(stmt, 11, info.spec.ip_range);
	STORE_COLUMN(stmt, 12, info.spec.aux);
	STORE_COLUMN(stmt, 17, info.spec.uplink);
	STORE_COLUMN(stmt, 18, info.spec.driver);
	column_functions(stmt, 19, &info.spec.functions);
	int state = sqlite3_column_int(stmt, 8);
	if (!is_state(state))
		return -EILSEQ;
	return loader->visit->network(loader->arg, &info, (enum store_state)state);
}

static int load_port(const struct store_loader *loader, sqlite3_stmt *stmt)
{
	struct port_info info = {
		.id = (uint32_t)sqlite3_column_int64(stmt, 0),
		.spec.queues = (uint16_t)sqlite3_column_int(stmt, 6),
		.spec.learning = sqlite3_column_int(stmt, 7) != 0,
		.spec.index = (uint16_t)sqlite3_column_int(stmt, 11),
		.sandbox_seen = sqlite3_column_int(stmt, 13) != 0,
		.created = sqlite3_column_int64(stmt, 14),
		.spec.no_offloads = sqlite3_column_int(stmt, 16) != 0,
		.spec.pin_address = sqlite3_column_int(stmt, 18) != 0,
		.spec.of_network = sqlite3_column_int(stmt, 19) != 0,
		.spec.vlan = (uint16_t)sqlite3_column_int(stmt, 24),
		.spec.allow_spoof = sqlite3_column_int(stmt, 25) != 0,
		.netns_inode = (uint64_t)sqlite3_column_int64(stmt, 21),
	};
	char mac[MAC_TEXT_SIZE];
	STORE_COLUMN(stmt, 1, info.spec.name);
	STORE_COLUMN(stmt, 3, info.spec.attach);
	STORE_COLUMN(stmt, 4, mac);
	STORE_COLUMN(stmt, 5, info.spec.ip);
	STORE_COLUMN(stmt, 8, info.spec.connect);
	STORE_COLUMN(stmt, 9, info.spec.endpoint_id);
	STORE_COLUMN(stmt, 10, info.spec.key);
	STORE_COLUMN(stmt, 12, info.sandbox);
	STORE_COLUMN(stmt, 17, info.spec.ip6);
	STORE_COLUMN(stmt, 20, info.spec.netns);
	STORE_COLUMN(stmt, 22, info.spec.ifname);
	STORE_COLUMN(stmt, 23, info.spec.device);
	info.spec.owner_uid = (uint32_t)sqlite3_column_int64(stmt, 26);
	info.spec.cpus = (uint64_t)sqlite3_column_int64(stmt, 27);
	info.spec.vfs = (uint16_t)sqlite3_column_int(stmt, 28);
	STORE_COLUMN(stmt, 29, info.with);
	column_limits(stmt, 30, &info.spec.limits);
	int state = sqlite3_column_int(stmt, 15);
	if (mac_parse(mac, info.spec.mac) || !is_state(state))
		return -EILSEQ;
	return loader->visit->port(
		loader->arg, (uint32_t)sqlite3_column_int64(stmt, 2), &info, (enum store_state)state
	);
}

static int load_container(const struct store_loader *loader, sqlite3_stmt *stmt)
{
	struct container_info info = {.created = sqlite3_column_int64(stmt, 1)};
	STORE_COLUMN(stmt, 0, info.key);
	return loader->visit->container(loader->arg, &info);
}

static int load_published(const struct store_loader *loader, sqlite3_stmt *stmt)
{
	struct port_publish publish = {
		.proto = (uint8_t)sqlite3_column_int(stmt, 1),
		.host_port = (uint16_t)sqlite3_column_int(stmt, 3),
		.host_port_end = (uint16_t)sqlite3_column_int(stmt, 4),
		.container_port = (uint16_t)sqlite3_column_int(stmt, 5),
		.bound = (uint16_t)sqlite3_column_int(stmt, 6),
	};
	STORE_COLUMN(stmt, 2, publish.host_ip);
	return loader->visit->published(
		loader->arg, (uint32_t)sqlite3_column_int64(stmt, 0), &publish
	);
}

int store_load_rows(
	struct store *s,
	const char *sql,
	int (*load)(const struct store_loader *, sqlite3_stmt *),
	const struct store_loader *loader,
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
		r = err_set(
			err, store_code(s->db), "cannot read the state: %s", sqlite3_errmsg(s->db)
		);
	else if (r)
		err_set(err, r, "cannot read the state: a row makes no sense");
	(void)sqlite3_finalize(stmt); // Repeats the step's failure.
	return r;
}

int store_load(struct store *s, const struct store_visit *visit, void *arg, struct rwy_err *err)
{
	struct store_loader loader = {visit, arg};
	int r = store_load_rows(
		s,
		"SELECT id, name, subnet, gateway, mtu, docker, docker_id, created, state, subnet6,"
		" gateway6, ip_range, aux, internal, proxy_neighbors, no_gateway, vlan, uplink,"
		" driver, parent, pf, vfs, noiommu, trust, spoof_check, link_state, rate_min, rate_max"
		" FROM networks ORDER BY id",
		load_network,
		&loader,
		err
	);
	if (!r)
		r = store_load_rows(
			s,
			"SELECT key, created FROM containers ORDER BY created, key",
			load_container,
			&loader,
			err
		);
	if (!r)
		r = store_load_rows(
			s,
			"SELECT id, name, network, attach, mac, ip, queues, learning, connect,"
			" endpoint_id, container, place, sandbox, sandbox_seen, created, state,"
			" no_offloads, ip6, pin_address, of_network, netns, netns_inode, ifname, device, vlan,"
			" allow_spoof, owner_uid, cpus, vfs, with_port, " LIMIT_COLUMNS
			" FROM ports ORDER BY id",
			load_port,
			&loader,
			err
		);
	if (!r)
		r = store_load_rows(
			s,
			"SELECT port, proto, host_ip, host_port, host_port_end, container_port, bound"
			" FROM published ORDER BY port, place",
			load_published,
			&loader,
			err
		);
	return r ? r : store_load_functions(s, &loader, err);
}
