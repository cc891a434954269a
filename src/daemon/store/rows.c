// SPDX-License-Identifier: BSD-3-Clause
// Writes rows, each in a transaction of its own. Under the service's lock.
#include "daemon/store/internal.h"

int store_network_insert(struct store *s, struct network_info *info, struct rwy_err *err)
{
	const struct network_spec *spec = &info->spec;
	const struct network_functions *functions = &spec->functions;
	int r = store_run(
		s,
		err,
		"INSERT INTO networks (name, subnet, gateway, subnet6, gateway6, ip_range, aux, mtu,"
		" docker, docker_id, internal, proxy_neighbors, no_gateway, vlan, uplink, created,"
		" state, driver, parent, pf, vfs, noiommu, trust, spoof_check, link_state,"
		" rate_min, rate_max) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
		" ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"tssssssiisiiiisiisssiiiiiii",
		spec->name,
		spec->subnet,
		spec->gateway,
		spec->subnet6,
		spec->gateway6,
		spec->ip_range,
		spec->aux,
		(int64_t)spec->mtu,
		(int64_t)spec->docker,
		spec->docker_id,
		(int64_t)spec->internal,
		(int64_t)spec->proxy_neighbors,
		(int64_t)spec->no_gateway,
		(int64_t)spec->vlan,
		spec->uplink,
		info->created,
		(int64_t)STORE_CREATING,
		spec->driver,
		functions->parent,
		functions->pf,
		(int64_t)functions->vfs,
		(int64_t)functions->noiommu,
		(int64_t)functions->trust,
		(int64_t)functions->spoof_check,
		(int64_t)functions->link_state,
		(int64_t)functions->rate_min,
		(int64_t)functions->rate_max
	);
	if (!r)
		info->id = (uint32_t)sqlite3_last_insert_rowid(s->db);
	return r;
}

#define NETWORK_UPDATE                                                                      \
	"UPDATE networks SET name = ?, subnet = ?, gateway = ?, subnet6 = ?, gateway6 = ?," \
	" ip_range = ?, aux = ?, docker = ?, docker_id = ?, state = ? WHERE id = ?"
#define NETWORK_UPDATE_TYPES "tssssssisii"
#define NETWORK_UPDATE_VALUES(info, state)                                                  \
	(info)->spec.name, (info)->spec.subnet, (info)->spec.gateway, (info)->spec.subnet6, \
		(info)->spec.gateway6, (info)->spec.ip_range, (info)->spec.aux,             \
		(int64_t)(info)->spec.docker, (info)->spec.docker_id, (int64_t)(state),     \
		(int64_t)(info)->id

int store_network_update(
	struct store *s,
	const struct network_info *info,
	enum store_state state,
	struct rwy_err *err
)
{
	return store_run(
		s, err, NETWORK_UPDATE, NETWORK_UPDATE_TYPES, NETWORK_UPDATE_VALUES(info, state)
	);
}

void store_network_revert(struct store *s, const struct network_info *info, enum store_state state)
{
	store_run_surely(
		s, NETWORK_UPDATE, NETWORK_UPDATE_TYPES, NETWORK_UPDATE_VALUES(info, state)
	);
}

int store_network_set_removing(struct store *s, uint32_t id, struct rwy_err *err)
{
	int r = store_begin(s, err);
	if (r)
		return r;
	r = store_run(
		s,
		err,
		"UPDATE networks SET state = ? WHERE id = ?",
		"ii",
		(int64_t)STORE_REMOVING,
		(int64_t)id
	);
	if (!r)
		r = store_run(
			s,
			err,
			"UPDATE ports SET state = ? WHERE network = ? AND of_network",
			"ii",
			(int64_t)STORE_REMOVING,
			(int64_t)id
		);
	return store_end(s, r, err);
}

void store_network_delete(struct store *s, uint32_t id)
{
	store_run_surely(s, "DELETE FROM networks WHERE id = ?", "i", (int64_t)id);
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
		" endpoint_id, container, place, sandbox_seen, created, state, no_offloads, ip6,"
		" pin_address, of_network, netns, netns_inode, ifname, device, vlan,"
		" allow_spoof, owner_uid, cpus, vfs, with_port, " LIMIT_COLUMNS ")"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
		" ?, ?, ?, ?, " LIMIT_VALUES ")",
		"tittsiisssiiiisiisissiiiiisl",
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
		spec->ip6,
		(int64_t)spec->pin_address,
		(int64_t)spec->of_network,
		spec->netns,
		(int64_t)info->netns_inode,
		spec->ifname,
		spec->device,
		(int64_t)spec->vlan,
		(int64_t)spec->allow_spoof,
		(int64_t)spec->owner_uid,
		(int64_t)spec->cpus,
		(int64_t)spec->vfs,
		info->with,
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

int store_port_set_name(struct store *s, uint32_t id, const char *name, struct rwy_err *err)
{
	return store_run(s, err, "UPDATE ports SET name = ? WHERE id = ?", "ti", name, (int64_t)id);
}

static int insert_published(
	struct store *s,
	uint32_t port,
	size_t place,
	const struct port_publish *publish,
	struct rwy_err *err
)
{
	return store_run(
		s,
		err,
		"INSERT INTO published (port, place, proto, host_ip, host_port, host_port_end,"
		" container_port, bound) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		"iiisiiii",
		(int64_t)port,
		(int64_t)place,
		(int64_t)publish->proto,
		publish->host_ip,
		(int64_t)publish->host_port,
		(int64_t)publish->host_port_end,
		(int64_t)publish->container_port,
		(int64_t)publish->bound
	);
}

int store_port_set_published(
	struct store *s,
	uint32_t id,
	const struct port_publish *list,
	size_t count,
	struct rwy_err *err
)
{
	int r = store_begin(s, err);
	if (r)
		return r;
	r = store_run(s, err, "DELETE FROM published WHERE port = ?", "i", (int64_t)id);
	for (size_t i = 0; !r && i < count; i++)
		r = insert_published(s, id, i, &list[i], err);
	return store_end(s, r, err);
}

void store_port_delete(struct store *s, uint32_t id)
{
	store_run_surely(s, "DELETE FROM ports WHERE id = ?", "i", (int64_t)id);
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
