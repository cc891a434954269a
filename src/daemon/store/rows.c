// SPDX-License-Identifier: BSD-3-Clause
// Writes rows, each in a transaction of its own. Under the service's lock.
#include "daemon/store/internal.h"

int store_network_insert(struct store *s, struct network_info *info, struct rwy_err *err)
{
	const struct network_spec *spec = &info->spec;
	int r = store_run(
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
	return store_run(
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
	return store_run(s, err, "DELETE FROM networks WHERE id = ?", "i", (int64_t)id);
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
	int r = store_run(
		s,
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
		&spec->limits
	);
	if (!r)
		info->id = (uint32_t)sqlite3_last_insert_rowid(s->db);
	return r;
}

int store_port_set_state(struct store *s, uint32_t id, enum store_state state, struct rwy_err *err)
{
	return store_run(
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
	return store_run(
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
	return store_run(
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
	return store_run(s, err, "DELETE FROM ports WHERE id = ?", "i", (int64_t)id);
}

int store_container_insert(struct store *s, const struct container_info *info, struct rwy_err *err)
{
	return store_run(
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
	return store_run(s, err, "DELETE FROM containers WHERE key = ?", "t", key);
}
