// SPDX-License-Identifier: BSD-3-Clause
// Opens the kernel's side of an instance and finds what an earlier process left there. What the slots are taken by is in the
// maps and in the interfaces' names and numbers, and nowhere else.
#include "base/cleanup.h"
#include "daemon/host/internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_path(char ret[PATH_MAX], const char *dir, const char *name, struct rwy_err *err)
{
	int size = snprintf(ret, PATH_MAX, "%s/%s", dir, name);
	if (size > 0 && size < PATH_MAX)
		return 0;
	return err_set(err, -ENAMETOOLONG, "the run directory's name is too long");
}

static int set_paths(struct host *host, const char *run_dir, struct rwy_err *err)
{
	char pins[32];
	(void)snprintf(pins, sizeof(pins), "maps-%d", MAPS_VERSION); // A few digits.
	int r = set_path(host->netns_dir, run_dir, "netns", err);
	if (!r)
		r = set_path(host->netns_path, host->netns_dir, "own", err);
	if (!r)
		r = set_path(host->bpf_dir, run_dir, "bpf", err);
	return r ? r : set_path(host->pin_dir, host->bpf_dir, pins, err);
}

static int read_ports(struct host *host, struct rwy_err *err)
{
	for (uint32_t slot = 0; slot < HOST_PORTS_MAX; slot++) {
		struct maps_port port;
		int r = map_get(host, HOST_MAP_PORTS, &slot, &port, err);
		if (r)
			return r;
		host->port_ids[slot] = port.id;
	}
	return 0;
}

static int read_networks(struct host *host, struct rwy_err *err)
{
	for (uint32_t slot = 0; slot < HOST_NETWORKS_MAX; slot++) {
		struct maps_network network;
		int r = map_get(host, HOST_MAP_NETWORKS, &slot, &network, err);
		if (r)
			return r;
		host->network_ids[slot] = network.id;
	}
	return 0;
}

// Whether the slot is the id's, or was free: then it is from now on.
static bool claim(uint32_t *ids, uint32_t max, uint32_t slot, uint32_t id)
{
	if (slot >= max || (ids[slot] && ids[slot] != id))
		return false;
	for (uint32_t i = 0; i < max; i++) {
		if (ids[i] == id && i != slot)
			return false;
	}
	ids[slot] = id;
	return true;
}

// An interface without an entry is one of other maps, which went with a file system or were of another version: its slot
// is kept for when it is added again. One that does not fit its entry is nobody's.
static int claim_slot(struct host *host, struct rtnl_link *link, void *arg, struct rwy_err *err)
{
	const char *name = rtnl_link_get_name(link);
	uint32_t ifindex = (uint32_t)rtnl_link_get_ifindex(link);
	uint32_t port = links_name_id(name, "kp"), network = links_name_id(name, "nt");
	if (port && !claim(host->port_ids, HOST_PORTS_MAX, ifindex - MAPS_PORT_IFINDEX, port))
		return netlink_delete_link(host->own, name, err);
	if (network &&
	    !claim(host->network_ids, HOST_NETWORKS_MAX, ifindex - MAPS_TAP_IFINDEX, network))
		return netlink_delete_link(host->own, name, err);
	return 0;
}

int host_open(const struct host_config *config, struct host **ret, struct rwy_err *err)
{
	struct host *host = calloc(1, sizeof(*host));
	if (!host)
		return err_set(err, -ENOMEM, "cannot open the kernel's side: %s", strerror(ENOMEM));
	host->home_netns = host->own_netns = -1;
	int r = set_paths(host, config->run_dir, err);
	if (!r)
		r = netns_open(host, err);
	if (!r)
		r = links_open(host, err);
	if (!r)
		r = program_open(host, err);
	if (!r)
		r = read_ports(host, err);
	if (!r)
		r = read_networks(host, err);
	if (!r)
		r = links_each(host, claim_slot, NULL, err);
	if (!r)
		r = watch_open(host, err);
	if (r) {
		// There is nothing yet that could go on in what was made just now.
		if (host->made_netns) {
			program_remove_pins(host);
			netns_remove(host);
		}
		host_close(host);
		return r;
	}
	*ret = host;
	return 0;
}

void host_close(struct host *host)
{
	if (!host)
		return;
	program_close(host);
	links_close(host);
	fd_close(&host->own_netns);
	fd_close(&host->home_netns);
	free(host);
}

static int remove_link(struct host *host, struct rtnl_link *link, void *arg, struct rwy_err *err)
{
	const char *name = rtnl_link_get_name(link);
	if (!links_name_id(name, "kp") && !links_name_id(name, "nt"))
		return 0;
	return netlink_delete_link(host->own, name, err);
}

int host_destroy_all(struct host *host, struct rwy_err *err)
{
	int r = links_each(host, remove_link, NULL, err);
	if (!r) {
		program_remove_pins(host);
		netns_remove(host);
	}
	host_close(host);
	return r;
}
