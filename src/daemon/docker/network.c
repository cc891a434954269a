// SPDX-License-Identifier: BSD-3-Clause
// Networks that are in Docker too: rows from Docker's side, Docker networks from ours. The first half runs
// with the service lock, the second without.
#include "base/fields.h"
#include "base/log.h"
#include "daemon/docker/engine.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BOUND_MS 60000 // Longer than any reconciliation's grace.

static int differs(
	const struct network_info *row,
	const char *what,
	const char *ours,
	const char *theirs,
	struct rwy_err *err
)
{
	err_set(err,
		-EINVAL,
		"network '%s' has %s %s, not %s",
		row->spec.name,
		what,
		*ours ? ours : "none",
		*theirs ? theirs : "none");
	return err_hint(err, "give the same, or choose another ringway.name");
}

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

static int compare_numbers(
	const struct network_info *row,
	const struct driver_network *network,
	struct rwy_err *err
)
{
	const struct network_spec *ours = &row->spec, *theirs = &network->spec;
	char a[16], b[16];
	bool vlan = (network->given & DRIVER_GIVEN_VLAN) && ours->vlan != theirs->vlan;
	if (!vlan && (!theirs->mtu || ours->mtu == theirs->mtu))
		return 0;
	(void)snprintf(a, sizeof(a), "%u", vlan ? ours->vlan : ours->mtu); // They fit.
	(void)snprintf(b, sizeof(b), "%u", vlan ? theirs->vlan : theirs->mtu);
	return differs(row, vlan ? "option ringway.vlan" : "MTU", a, b, err);
}

static int compare_function_numbers(
	const struct network_info *row,
	const struct driver_network *network,
	struct rwy_err *err
)
{
	const struct network_functions *ours = &row->spec.functions;
	const struct network_functions *theirs = &network->spec.functions;
	const struct {
		const char *what;
		bool given;
		int ours, theirs;
	} numbers[] = {
		{"option ringway.vfs",
		 (network->given & DRIVER_GIVEN_VFS) != 0,
		 ours->vfs,
		 theirs->vfs},
		{"option ringway.trust", theirs->trust >= 0, ours->trust, theirs->trust},
		{"option ringway.spoofchk",
		 theirs->spoof_check >= 0,
		 ours->spoof_check,
		 theirs->spoof_check},
		{"option ringway.rate, in Mbit/s at least",
		 theirs->rate_min >= 0,
		 ours->rate_min,
		 theirs->rate_min},
		{"option ringway.rate, in Mbit/s at most",
		 theirs->rate_max >= 0,
		 ours->rate_max,
		 theirs->rate_max},
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char a[16], b[16];
		if (!numbers[i].given || numbers[i].ours == numbers[i].theirs)
			continue;
		(void)snprintf(a, sizeof(a), "%d", numbers[i].ours); // They fit.
		(void)snprintf(b, sizeof(b), "%d", numbers[i].theirs);
		return differs(row, numbers[i].what, numbers[i].ours < 0 ? "" : a, b, err);
	}
	return 0;
}

static int compare_functions(
	const struct network_info *row,
	const struct driver_network *network,
	struct rwy_err *err
)
{
	const struct network_functions *ours = &row->spec.functions;
	const struct network_functions *theirs = &network->spec.functions;
	const char *state = driver_link_state_text(ours->link_state);
	const char *their_state = driver_link_state_text(theirs->link_state);
	bool sriov = driver_network_is_sriov(&row->spec);
	if ((network->given & DRIVER_GIVEN_DRIVER) &&
	    sriov != driver_network_is_sriov(&network->spec))
		return differs(
			row,
			"option ringway.driver",
			sriov ? "sriov" : "switch",
			sriov ? "switch" : "sriov",
			err
		);
	if ((network->given & DRIVER_GIVEN_PARENT) && strcmp(ours->parent, theirs->parent) != 0)
		return differs(row, "option ringway.parent", ours->parent, theirs->parent, err);
	if (*their_state && strcmp(state, their_state) != 0)
		return differs(row, "option ringway.link-state", state, their_state, err);
	return compare_function_numbers(row, network, err);
}

// What both doors say of a network has to be the same. An option that Docker's side leaves out is as it is here.
static int compare_options(
	const struct network_info *row,
	const struct driver_network *network,
	struct rwy_err *err
)
{
	const struct network_spec *ours = &row->spec, *theirs = &network->spec;
	const struct {
		unsigned int given;
		const char *what;
		bool ours, theirs;
	} switches[] = {
		{0, "--internal", ours->internal, theirs->internal},
		{DRIVER_GIVEN_PROXY_NEIGHBORS,
		 "option ringway.proxy-neighbors",
		 ours->proxy_neighbors,
		 theirs->proxy_neighbors},
		{DRIVER_GIVEN_GATEWAY,
		 "option ringway.gateway",
		 !ours->no_gateway,
		 // Of functions it says whether there is a default route: the addresses tell.
		 driver_network_is_sriov(ours) ? !ours->no_gateway : !theirs->no_gateway},
		{DRIVER_GIVEN_NOIOMMU,
		 "option ringway.allow-unsafe-noiommu",
		 ours->functions.noiommu,
		 theirs->functions.noiommu},
	};
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		bool counts = !switches[i].given || (network->given & switches[i].given);
		if (counts && switches[i].ours != switches[i].theirs)
			return differs(
				row,
				switches[i].what,
				on_off(switches[i].ours),
				on_off(switches[i].theirs),
				err
			);
	}
	if ((network->given & DRIVER_GIVEN_UPLINK) && strcmp(ours->uplink, theirs->uplink) != 0)
		return differs(row, "option ringway.uplink", ours->uplink, theirs->uplink, err);
	int r = compare_numbers(row, network, err);
	return r ? r : compare_functions(row, network, err);
}

// Docker's address management would give away what it does not know of.
static int compare_addresses(
	const struct network_info *row,
	const struct driver_network *network,
	struct rwy_err *err
)
{
	_cleanup_json_ json_t *ours = network_aux_json(row->spec.aux, '\0');
	_cleanup_json_ json_t *theirs = network_aux_json(network->spec.aux, '\0');
	if (!ours || !theirs)
		return err_set(err, -ENOMEM, "no memory");
	if (row->spec.aux[0] && !json_equal(ours, theirs))
		return differs(
			row, "the auxiliary addresses", row->spec.aux, network->spec.aux, err
		);
	if (row->spec.subnet6[0] && !network->spec.subnet6[0])
		return differs(row, "the IPv6 subnet", row->spec.subnet6, "", err);
	return 0;
}

// The row of that name takes the Docker network, if it was waiting for one.
static int bind_row(
	struct docker *docker,
	const struct network_info *row,
	const struct driver_network *network,
	struct rwy_err *err
)
{
	if (row->spec.docker_id[0] || !row->spec.docker) {
		err_set(err,
			-EEXIST,
			"cannot create network '%.12s': network '%s' exists%s",
			network->id,
			row->spec.name,
			row->spec.docker_id[0] ? " and has another Docker network"
					       : " and is kept out of Docker");
		return err_hint(err, "choose another ringway.name");
	}
	int r = compare_options(row, network, err);
	if (!r)
		r = compare_addresses(row, network, err);
	if (r)
		return err_prefix(err, "cannot create network '%.12s': ", network->id);
	struct network_spec picked = network->spec;
	if (row->spec.aux[0]) // The same, if in another order.
		picked.aux[0] = '\0';
	// Docker picks a gateway where nobody asked for one, and no router is there.
	if (driver_network_is_sriov(&row->spec)) {
		if (!row->spec.gateway[0])
			picked.gateway[0] = '\0';
		if (!row->spec.gateway6[0])
			picked.gateway6[0] = '\0';
	}
	r = service_network_set_addresses(docker->daemon, row->id, &picked, err);
	return r ? r : service_network_bind(docker->daemon, row->id, "", true, network->id, err);
}

static int add_row(
	struct docker *docker,
	const struct driver_network *network,
	const char *name,
	struct rwy_err *err
)
{
	struct network_spec spec = network->spec;
	struct network_info added;
	spec.docker = true;
	memcpy(spec.docker_id, network->id, sizeof(spec.docker_id));
	if (*name)
		memcpy(spec.name, name, strlen(name) + 1);
	else
		(void)snprintf( // Cut on purpose.
			spec.name,
			sizeof(spec.name),
			"%.*s",
			DOCKER_SHORT_ID,
			network->id
		);
	return service_network_add(docker->daemon, &spec, &added, err);
}

int network_adopt(
	struct docker *docker,
	const struct driver_network *network,
	const char *docker_name,
	struct rwy_err *err
)
{
	struct network_info row;
	if (service_network_by_docker_id(docker->daemon, network->id, &row, NULL) == 0)
		return 0;
	const char *name = network->spec.name[0] ? network->spec.name : docker_name;
	bool named = *name && service_network_get(docker->daemon, name, &row, NULL) == 0;
	int r;
	if (named && (network->spec.name[0] || (row.spec.docker && !row.spec.docker_id[0])))
		r = bind_row(docker, &row, network, err);
	else // A Docker name that is taken here leaves the provisional one.
		r = add_row(docker, network, named ? "" : name, err);
	if (r)
		return r;
	docker_mark_set(docker, &docker->bound, network->id, docker_now_ms(), BOUND_MS);
	return 0;
}

int network_forget(struct docker *docker, const char *docker_id, struct rwy_err *err)
{
	struct network_info row;
	if (service_network_by_docker_id(docker->daemon, docker_id, &row, NULL))
		return 0;
	int r = service_network_remove(docker->daemon, row.spec.name, err);
	if (r != -EBUSY)
		return r == -ENOENT ? 0 : r;
	// Ports that Docker knows nothing of are on it. They keep their network; Docker's part of it is over, and
	// what somebody removed there on purpose must not come back by itself.
	log_info("network '%s' stays without Docker: it has ports", row.spec.name);
	return service_network_bind(docker->daemon, row.id, "", false, "", err);
}

static int create_in_engine(
	struct docker *docker,
	const struct network_spec *spec,
	struct rwy_err *err
)
{
	_cleanup_json_ json_t *body = network_engine_body(docker->name, spec);
	if (!body)
		return err_set(err, -ENOMEM, "no memory");
	struct engine_request request = {"POST", "/networks/create", body, ENGINE_LONG_MS};
	struct engine_answer answer = {0};
	int r = engine_call(docker->engine_socket, &request, &answer, err);
	if (r)
		return r;
	// 201: the driver bound the row while the engine was in the call.
	r = answer.status == 201 ? 0 : engine_refused(&answer, err);
	json_decref(answer.body);
	if (r == -EEXIST)
		err_hint(err, "see `docker network ls`, or choose another name");
	return r;
}

int docker_network_create(
	struct docker *docker,
	const struct network_info *network,
	struct rwy_err *err
)
{
	struct network_info row;
	// Under this lock nobody else can have made it between the look and the call.
	(void)pthread_mutex_lock(&docker->create_lock); // A plain mutex does not fail.
	service_lock(docker->daemon);
	int r = service_network_get(docker->daemon, network->spec.name, &row, NULL);
	service_unlock(docker->daemon);
	bool due = !r && row.id == network->id && row.spec.docker && !row.spec.docker_id[0];
	r = due ? create_in_engine(docker, &row.spec, err) : 0;
	(void)pthread_mutex_unlock(&docker->create_lock);
	if (r == -ECONNREFUSED) {
		if (err)
			*err = (struct rwy_err){0};
		return 0;
	}
	return r ? err_prefix(err, "cannot create network '%s' in Docker: ", network->spec.name)
		 : 0;
}

int docker_network_remove(struct docker *docker, const char *docker_id, struct rwy_err *err)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "/networks/%.64s", docker_id); // It fits.
	struct engine_request request = {"DELETE", path, NULL, ENGINE_LONG_MS};
	struct engine_answer answer = {0};
	int r = engine_call(docker->engine_socket, &request, &answer, err);
	if (!r) {
		bool gone = answer.status == 200 || answer.status == 204 || answer.status == 404;
		r = gone ? 0 : engine_refused(&answer, err);
		json_decref(answer.body);
	}
	if (r == -ECONNREFUSED) {
		if (err)
			*err = (struct rwy_err){0};
		return 0;
	}
	if (r == -EPERM && err) // Docker's 403: "has active endpoints".
		r = err->code = -EBUSY;
	return r ? err_prefix(err, "cannot remove network '%.12s' from Docker: ", docker_id) : 0;
}
