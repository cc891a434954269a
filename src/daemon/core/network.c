// SPDX-License-Identifier: BSD-3-Clause
// Networks of service.h. Any thread, under the lock.
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"
#include "daemon/model/cidr.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int find_overlap(
	struct daemon *d,
	const struct network_spec *spec,
	uint32_t own_id,
	struct rwy_err *err
)
{
	const struct network *other;
	TAILQ_FOREACH (other, &d->networks, entry) {
		if (other->info.id == own_id)
			continue;
		int r = model_check_overlap(spec, &other->info.spec, err);
		if (r)
			return r;
	}
	return 0;
}

static int check_name_free(struct daemon *d, const char *name, struct rwy_err *err)
{
	if (!daemon_find_network(d, name))
		return 0;
	err_set(err, -EEXIST, "cannot create network '%s': there is one of this name", name);
	return err_hint(err, "choose another name, or remove the other one first");
}

static int check_new(struct daemon *d, struct network_spec *spec, struct rwy_err *err)
{
	// Docker tells an object's name later; until then it is called after its id.
	if (!spec->name[0] && spec->docker_id[0])
		(void
		)snprintf(spec->name, sizeof(spec->name), "net-%.12s", spec->docker_id); // Fits.
	int r = model_check_network(spec, err);
	if (!r && !spec->docker_id[0]) // Docker has picked one, or knows why not.
		model_choose_gateways(spec);
	if (!r)
		r = check_name_free(d, spec->name, err);
	if (!r)
		r = find_overlap(d, spec, 0, err);
	if (!r && d->network_count >= WIRE_NETWORKS_MAX)
		r =
			err_set(err,
				-ENOSPC,
				"cannot create network '%s': %d networks are the limit",
				spec->name,
				WIRE_NETWORKS_MAX);
	if (!r && functions_check_network(d, spec, err))
		r = err_prefix(err, "cannot create network '%s': ", spec->name);
	return r;
}

static int bring_up(struct daemon *d, struct network *network, struct rwy_err *err)
{
	int r = functions_add_network(d, network, err);
	if (!r && !network_is_sriov(network))
		r = reconcile_network_add(d, network, err);
	if (!r)
		r = kernel_network_add(d, network, err);
	if (!r)
		r = own_ensure(d, network, true, err);
	return r ? r : store_network_update(d->store, &network->info, STORE_READY, err);
}

// All of it but the row, whatever of it there is. What the switch or the kernel keeps is found when they are compared
// next.
static void take_down(struct daemon *d, struct network *network)
{
	own_remove(d, network);
	if (network->trunk)
		(void)reconcile_del(d, WIRE_PORT_DEL, WIRE_TRUNK_ID(network->info.id), NULL);
	kernel_network_remove(d, network);
	if (!network_is_sriov(network))
		(void)reconcile_del(d, WIRE_NETWORK_DEL, network->info.id, NULL);
}

// The row last, then the parent's count of before.
static void forget(struct daemon *d, struct network *network)
{
	uint32_t id = network->info.id;
	store_network_delete(d->store, id);
	daemon_drop_network(d, network);
	functions_remove_network(d, id);
}

int service_network_add(
	struct daemon *d,
	const struct network_spec *spec,
	struct network_info *ret,
	struct rwy_err *err
)
{
	struct network_info info = {
		.spec = *spec, .created = time(NULL), .created_ms = daemon_now_ms()};
	int r = check_new(d, &info.spec, err);
	if (r)
		return r;
	if (strcmp(info.spec.driver, "sriov") != 0)
		r = link_wait(d->link, DAEMON_WAIT_MS, err);
	if (r)
		return err_prefix(err, "cannot create network '%s': ", info.spec.name);
	r = check_new(d, &info.spec, err); // The wait let go of the lock.
	if (r)
		return r;
	r = store_network_insert(d->store, &info, err);
	if (r)
		return err_prefix(err, "cannot create network '%s': ", info.spec.name);
	struct network *network = daemon_keep_network(d, &info, STORE_CREATING);
	if (!network) {
		store_network_delete(d->store, info.id);
		return err_set(err, -ENOMEM, "cannot create network: no memory");
	}
	r = bring_up(d, network, err);
	if (!r) {
		network->state = STORE_READY;
		*ret = network->info;
		return 0;
	}
	take_down(d, network);
	forget(d, network);
	functions_wait_parent(d, info.spec.functions.pf);
	return err_prefix(err, "cannot create network '%s': ", info.spec.name);
}

static int not_found(const char *name, struct rwy_err *err)
{
	err_set(err, -ENOENT, "there is no network '%.80s'", name);
	err_hint(err, "`ringway network ls` lists those there are");
	return -ENOENT;
}

int service_network_get(
	struct daemon *d,
	const char *name,
	struct network_info *ret,
	struct rwy_err *err
)
{
	const struct network *network = daemon_find_network(d, name);
	if (!network)
		return not_found(name, err);
	*ret = network->info;
	return 0;
}

int service_network_by_docker_id(
	struct daemon *d,
	const char *docker_id,
	struct network_info *ret,
	struct rwy_err *err
)
{
	const struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry)
		if (docker_id[0] && strcmp(network->info.spec.docker_id, docker_id) == 0) {
			*ret = network->info;
			return 0;
		}
	return err_set(err, -ENOENT, "there is no network with Docker's id '%.64s'", docker_id);
}

static struct network *find_by_id(struct daemon *d, uint32_t id, struct rwy_err *err)
{
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry)
		if (network->info.id == id)
			return network;
	err_set(err, -ENOENT, "there is no network with the id %u", id);
	return NULL;
}

// Writes the changed info, and keeps it when it is written.
static int change(
	struct daemon *d,
	struct network *network,
	const struct network_info *info,
	struct rwy_err *err
)
{
	int r = store_network_update(d->store, info, network->state, err);
	if (!r)
		network->info = *info;
	return r;
}

int service_network_bind(
	struct daemon *d,
	uint32_t id,
	const char *name,
	bool docker,
	const char *docker_id,
	struct rwy_err *err
)
{
	struct network *network = find_by_id(d, id, err);
	if (!network)
		return -ENOENT;
	struct network_info info = network->info;
	if (name[0] && strcmp(name, info.spec.name) != 0) {
		int r = model_check_name("network", name, err);
		if (!r)
			r = check_name_free(d, name, err);
		if (r)
			return r;
		(void)snprintf(info.spec.name, sizeof(info.spec.name), "%s", name); // Checked.
	}
	info.spec.docker = docker;
	(void)snprintf(info.spec.docker_id, sizeof(info.spec.docker_id), "%s", docker_id);
	bool renamed = strcmp(info.spec.name, network->info.spec.name) != 0;
	int r = change(d, network, &info, err);
	return !r && renamed ? own_rename(d, network, err) : r;
}

static bool same_address(const char *a, const char *b)
{
	struct cidr x;
	struct cidr y;
	return cidr_parse(a, &x) == 0 && cidr_parse(b, &y) == 0 && cidr_equal(&x, &y) &&
		x.prefix == y.prefix;
}

// What an engine's address management picks.
static const struct {
	const char *what;
	size_t offset, size;
} picked[] = {
	{"subnet", offsetof(struct network_spec, subnet), ADDR_TEXT_SIZE},
	{"gateway", offsetof(struct network_spec, gateway), ADDR_TEXT_SIZE},
	{"IPv6 subnet", offsetof(struct network_spec, subnet6), ADDR_TEXT_SIZE},
	{"IPv6 gateway", offsetof(struct network_spec, gateway6), ADDR_TEXT_SIZE},
	{"address range", offsetof(struct network_spec, ip_range), ADDR_TEXT_SIZE},
	{"auxiliary addresses", offsetof(struct network_spec, aux), AUX_TEXT_SIZE},
};

// Takes what is given where nothing is set.
static int take_picked(
	struct network_spec *spec,
	const struct network_spec *given,
	struct rwy_err *err
)
{
	for (size_t i = 0; i < sizeof(picked) / sizeof(picked[0]); i++) {
		char *have = (char *)spec + picked[i].offset;
		const char *text = (const char *)given + picked[i].offset;
		if (!text[0] || strcmp(have, text) == 0 || same_address(have, text))
			continue;
		if (have[0])
			return err_set(
				err,
				-EINVAL,
				"its %s is %s already, not %.80s",
				picked[i].what,
				have,
				text
			);
		(void)memcpy(have, text, picked[i].size);
	}
	return 0;
}

// The gateway port follows its addresses, or all stays as it was.
static int change_addresses(
	struct daemon *d,
	struct network *network,
	const struct network_info *info,
	struct rwy_err *err
)
{
	const struct network_info before = network->info;
	int r = change(d, network, info, err);
	if (r)
		return r;
	r = own_ensure(d, network, false, err);
	if (r) {
		store_network_revert(d->store, &before, network->state);
		network->info = before;
	}
	return r;
}

int service_network_set_addresses(
	struct daemon *d,
	uint32_t id,
	const struct network_spec *given,
	struct rwy_err *err
)
{
	struct network *network = find_by_id(d, id, err);
	if (!network)
		return -ENOENT;
	struct network_info info = network->info;
	struct network_spec sorted = *given;
	int r = model_sort_network(&sorted, err);
	if (!r)
		r = take_picked(&info.spec, &sorted, err);
	if (r)
		return err_prefix(err, "cannot create network '%s': ", info.spec.name);
	r = model_check_network(&info.spec, err);
	if (!r)
		r = find_overlap(d, &info.spec, id, err);
	if (r)
		return r;
	r = change_addresses(d, network, &info, err);
	return r ? err_prefix(err, "cannot create network '%s': ", info.spec.name) : 0;
}

int network_remove(struct daemon *d, struct network *network, struct rwy_err *err)
{
	uint32_t id = network->info.id;
	// A row that is half done says so already.
	int r = network->state == STORE_READY ? store_network_set_removing(d->store, id, err) : 0;
	if (r)
		return r;
	network->state = STORE_REMOVING;
	take_down(d, network);
	forget(d, network);
	return 0;
}

static int check_removable(const struct network *network, struct rwy_err *err)
{
	const char *name = network->info.spec.name;
	if (network->info.ports) {
		err_set(err,
			-EBUSY,
			"cannot remove network '%s': %u %s on it",
			name,
			network->info.ports,
			network->info.ports == 1 ? "port is" : "ports are");
		err_hint(err, "`ringway port ls` shows them; remove them or stop their containers");
		return -EBUSY;
	}
	if (network->state == STORE_CREATING)
		return err_set(err, -EBUSY, "cannot remove network '%s': it is being made", name);
	return 0;
}

int service_network_remove(struct daemon *d, const char *name, struct rwy_err *err)
{
	char pf[FUNCTION_SIZE];
	struct network *network = daemon_find_network(d, name);
	if (!network)
		return not_found(name, err);
	int r = check_removable(network, err);
	if (r)
		return r;
	uint32_t id = network->info.id;
	r = functions_settle_network(d, id, err);
	if (r)
		return err_prefix(err, "cannot remove network '%s': ", name);
	network = find_by_id(d, id, err); // The wait let go of the lock.
	r = network ? check_removable(network, err) : -ENOENT;
	if (r)
		return r;
	(void)memcpy(pf, network->info.spec.functions.pf, sizeof(pf));
	r = network_remove(d, network, err);
	if (!r)
		functions_wait_parent(d, pf);
	return r;
}

void service_each_network(struct daemon *d, network_visit *visit, void *arg)
{
	const struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry)
		visit(arg, &network->info);
}
