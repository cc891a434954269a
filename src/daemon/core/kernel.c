// SPDX-License-Identifier: BSD-3-Clause
// Kernel ports: their steps up and down. kernel_sync.c compares all of them with the kernel. Any thread, under the lock.
#include "daemon/core/kernel.h"

#include "base/cleanup.h"
#include "daemon/core/functions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int kernel_check_available(const struct daemon *d, struct rwy_err *err)
{
	if (d->host)
		return 0;
	return err_set(err, -ENOSYS, "there are no kernel ports here: %s", d->host_reason);
}

// Tells instances apart whose interfaces meet in the host's namespace. FNV-1a.
static unsigned int instance_tag(const struct daemon *d)
{
	uint32_t hash = 2166136261U;
	for (const char *at = d->portdir.run_dir; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619U;
	return (hash ^ hash >> 16) & 0xffffU;
}

// A number in as few characters as fit: with more than seven digits, in base 36.
static void format_id(uint32_t id, char ret_text[8])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	if (id <= 9999999) {
		(void)snprintf(ret_text, 8, "%u", id); // It fits.
		return;
	}
	int at = 7;
	ret_text[at] = '\0';
	// 2^31 has six digits: the first is always 0, so that no decimal number looks the same.
	while (at > 0) {
		ret_text[--at] = digits[id % 36];
		id /= 36;
	}
}

static void name_in_host(
	const struct daemon *d,
	const struct port *port,
	char ret_name[IFNAME_SIZE]
)
{
	bool gateway = port->info.spec.of_network;
	char id[8];
	format_id(gateway ? port->network->info.id : port->info.id, id);
	// Three, seven, one and four characters: it fits.
	(void
	)snprintf(ret_name, IFNAME_SIZE, "%s%s-%04x", gateway ? "rwg" : "rwc", id, instance_tag(d));
}

int kernel_network_add(struct daemon *d, const struct network *network, struct rwy_err *err)
{
	const struct network_spec *spec = &network->info.spec;
	const struct host_network to = {
		.id = network->info.id,
		.mtu = spec->mtu,
		.proxy_neighbors = spec->proxy_neighbors,
	};
	return d->host && !network_is_sriov(network) ? host_network_add(d->host, &to, err) : 0;
}

void kernel_network_remove(struct daemon *d, struct network *network)
{
	trunk_close(network);
	if (network_is_sriov(network))
		return;
	// What stays is found when the two are compared next.
	if (d->host)
		(void)host_network_remove(d->host, network->info.id, NULL);
}

static void fill_port(const struct port *port, struct host_port *ret)
{
	const struct port_spec *spec = &port->info.spec;
	char address[ADDR_TEXT_SIZE];
	*ret = (struct host_port){
		.id = port->info.id,
		.network = port->network->info.id,
		.mtu = port->network->info.spec.mtu,
		.learning = spec->learning,
		.allow_spoof = spec->allow_spoof,
		.pin_address = spec->pin_address,
		.limits = spec->limits,
	};
	(void)memcpy(ret->mac, spec->mac, MAC_SIZE);
	(void)memcpy(ret->peer, port->info.ifname_host, IFNAME_SIZE);
	if (!spec->pin_address)
		return;
	address_only(spec->ip, address);
	(void)memcpy(ret->pin_ip, address, sizeof(ret->pin_ip)); // Without prefix they fit.
	address_only(spec->ip6, address);
	(void)memcpy(ret->pin_ip6, address, sizeof(ret->pin_ip6));
}

int kernel_make(struct daemon *d, struct port *port, struct rwy_err *err)
{
	struct host_port host_port;
	name_in_host(d, port, port->info.ifname_host);
	fill_port(port, &host_port);
	return host_port_add(d->host, &host_port, err);
}

int kernel_set_limits(struct daemon *d, const struct port *port, struct rwy_err *err)
{
	struct host_port host_port;
	int r = kernel_check_available(d, err);
	fill_port(port, &host_port);
	return r ? r : host_port_add(d->host, &host_port, err);
}

int kernel_place(
	struct daemon *d,
	const struct port *port,
	int netns_fd,
	const char *name,
	struct rwy_err *err
)
{
	const struct port_spec *spec = &port->info.spec;
	const struct network_spec *network = &port->network->info.spec;
	// The host has routes of its own, and an internal network leads nowhere.
	bool routes = netns_fd >= 0 && !network->internal && !namespace_is_own(netns_fd);
	struct host_inside inside = {.netns_fd = netns_fd, .up = true};
	(void)snprintf(inside.name, sizeof(inside.name), "%s", name); // Checked.
	(void)memcpy(inside.address[0], spec->ip, ADDR_TEXT_SIZE);
	(void)memcpy(inside.address[1], spec->ip6, ADDR_TEXT_SIZE);
	if (routes && spec->ip[0]) // Addresses alone are shorter.
		(void)memcpy(inside.gateway[0], network->gateway, sizeof(inside.gateway[0]));
	if (routes && spec->ip6[0])
		(void)memcpy(inside.gateway[1], network->gateway6, sizeof(inside.gateway[1]));
	return host_port_place(d->host, port->info.id, &inside, err);
}

// Puts the container's end where ringwayd is to put it; one that whoever asked for it moves stays.
static int place(struct daemon *d, const struct port *port, struct rwy_err *err)
{
	if (port->info.spec.of_network)
		return kernel_place(d, port, -1, port->info.ifname_host, err);
	if (port->netns_fd >= 0)
		return kernel_place(d, port, port->netns_fd, port->info.spec.ifname, err);
	return 0;
}

int kernel_bring_up(struct daemon *d, struct port *port, struct rwy_err *err)
{
	int r = kernel_check_available(d, err);
	if (!r)
		r = kernel_make(d, port, err);
	if (!r)
		r = trunk_ensure(d, port->network, err);
	if (!r)
		r = station_add(d, port, err);
	if (!r)
		r = place(d, port, err);
	if (r)
		kernel_take_down(d, port);
	return r;
}

void kernel_take_down(struct daemon *d, struct port *port)
{
	station_remove(d, port);
	fd_close(&port->netns_fd);
	// What stays is found when the two are compared next.
	if (d->host)
		(void)host_port_remove(d->host, port->info.id, NULL);
}

enum wire_port_state kernel_state(const struct daemon *d, const struct port *port)
{
	return d->host && host_port_is_up(d->host, port->info.id) ? WIRE_PORT_RUNNING
								  : WIRE_PORT_WAITING;
}
