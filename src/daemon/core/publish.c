// SPDX-License-Identifier: BSD-3-Clause
// Published ports of service.h, and the host's rules as a whole. Any thread, under the lock.
#include "base/log.h"
#include "daemon/core/kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill_publish(
	const struct port *port,
	const struct port_publish *publish,
	struct firewall_publish *ret
)
{
	char address[ADDR_TEXT_SIZE];
	*ret = (struct firewall_publish){
		.port = port->info.id,
		.network = port->network->info.id,
		.proto = publish->proto,
		.container_port = publish->container_port,
		.host_port = publish->host_port,
		.host_port_end = publish->host_port_end,
		.bound = publish->bound,
	};
	address_only(port->info.spec.ip, address);
	(void)memcpy(ret->address, address, sizeof(ret->address)); // Without prefix they fit.
	address_only(port->info.spec.ip6, address);
	(void)memcpy(ret->address6, address, sizeof(ret->address6));
	(void)memcpy(ret->host_ip, publish->host_ip, sizeof(ret->host_ip));
}

static void fill_network(
	const struct network *network,
	const struct port *gateway,
	struct firewall_network *ret
)
{
	const struct network_spec *spec = &network->info.spec;
	*ret = (struct firewall_network){
		.id = network->info.id,
		.internal = spec->internal,
		.masquerade = !spec->internal,
	};
	(void)memcpy(ret->interface, gateway->info.ifname_host, IFNAME_SIZE);
	(void)memcpy(ret->subnet[0], spec->subnet, ADDR_TEXT_SIZE);
	(void)memcpy(ret->subnet[1], spec->subnet6, ADDR_TEXT_SIZE);
	// Addresses alone are shorter.
	(void)memcpy(ret->gateway[0], spec->gateway, sizeof(ret->gateway[0]));
	(void)memcpy(ret->gateway[1], spec->gateway6, sizeof(ret->gateway[1]));
}

static int apply(
	struct daemon *d,
	struct firewall_network *networks,
	struct firewall_publish *publishes,
	struct rwy_err *err
)
{
	const struct network *network;
	const struct port *port;
	size_t network_count = 0;
	size_t publish_count = 0;
	TAILQ_FOREACH (network, &d->networks, entry) {
		const struct port *gateway = own_gateway(d, network);
		if (gateway && gateway->state != STORE_REMOVING && gateway->info.ifname_host[0])
			fill_network(network, gateway, &networks[network_count++]);
	}
	TAILQ_FOREACH (port, &d->ports, entry)
		for (size_t i = 0; i < port->published_count; i++)
			fill_publish(port, &port->published[i], &publishes[publish_count++]);
	return firewall_set(d->firewall, networks, network_count, publishes, publish_count, err);
}

int publish_apply(struct daemon *d, struct rwy_err *err)
{
	const struct port *port;
	size_t count = 0;
	if (!d->firewall)
		return 0;
	TAILQ_FOREACH (port, &d->ports, entry)
		count += port->published_count;
	struct firewall_network *networks = calloc(d->network_count + 1, sizeof(*networks));
	struct firewall_publish *publishes = calloc(count + 1, sizeof(*publishes));
	int r = networks && publishes ? apply(d, networks, publishes, err)
				      : err_set(err, -ENOMEM, "no memory for the firewall");
	free(networks);
	free(publishes);
	return r;
}

// Reserves all of the port's; nothing of them when one cannot be had. `again`: the same ports of the host as before.
static int reserve(struct daemon *d, struct port *port, bool again, struct rwy_err *err)
{
	for (size_t i = 0; i < port->published_count; i++) {
		struct port_publish *publish = &port->published[i];
		struct firewall_publish io;
		fill_publish(port, publish, &io);
		if (again) {
			io.host_port = publish->bound;
			io.host_port_end = 0;
		}
		int r = firewall_reserve(d->firewall, &io, err);
		if (r) {
			firewall_release(d->firewall, port->info.id);
			return r;
		}
		publish->bound = io.bound;
	}
	return 0;
}

void publish_resume(struct daemon *d)
{
	struct port *port;
	if (!d->firewall)
		return;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err err = {0};
		port->unreserved = port->published_count && reserve(d, port, true, &err);
		if (port->unreserved)
			log_err(&err, "port '%s'", port->info.spec.name);
	}
}

void publish_retry(struct daemon *d)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		if (!d->firewall || !port->unreserved || reserve(d, port, true, NULL))
			continue;
		port->unreserved = false;
		log_info("port '%s' has its ports of the host again", port->info.spec.name);
	}
}

void publish_forget(struct daemon *d, struct port *port)
{
	struct rwy_err err = {0};
	bool had = port->published_count || port->info.spec.of_network;
	if (!d->firewall || !had || !port_is_kernel(port))
		return;
	firewall_release(d->firewall, port->info.id);
	port->published_count = 0;
	port->unreserved = false;
	if (publish_apply(d, &err))
		log_err(&err, "the firewall keeps rules of port '%s'", port->info.spec.name);
}

static int check_entry(
	const struct port *port,
	const struct port_publish *publish,
	struct rwy_err *err
)
{
	const struct port_spec *spec = &port->info.spec;
	bool six = strchr(publish->host_ip, ':') != NULL;
	if (publish->proto != IPPROTO_TCP && publish->proto != IPPROTO_UDP &&
	    publish->proto != IPPROTO_SCTP)
		return err_set(err, -EINVAL, "protocol %u cannot be published", publish->proto);
	if (!publish->container_port)
		return err_set(err, -EINVAL, "a container has no port 0");
	if (publish->host_port_end && publish->host_port_end < publish->host_port)
		return err_set(
			err,
			-EINVAL,
			"%u-%u is no range of ports",
			publish->host_port,
			publish->host_port_end
		);
	// One for all addresses serves the families that there are.
	if (!publish->host_ip[0] || (six ? spec->ip6[0] : spec->ip[0]))
		return 0;
	err_set(err,
		-EINVAL,
		"the container has no IPv%d address to publish at %s",
		six ? 6 : 4,
		publish->host_ip);
	return err_hint(err, "use a network with an IPv%d subnet", six ? 6 : 4);
}

static int check(
	struct daemon *d,
	const struct port *port,
	const struct port_publish *list,
	size_t count,
	struct rwy_err *err
)
{
	if (!port_is_kernel(port))
		return err_set(err, -EINVAL, "only kernel ports can be reached through the host");
	int r = kernel_check_available(d, err);
	if (r)
		return r;
	if (!d->firewall)
		return err_set(err, -ENOSYS, "no ports can be published: %s", d->firewall_reason);
	if (!own_gateway(d, port->network)) {
		err_set(err,
			-EINVAL,
			"the host has no address on network '%s'",
			port->network->info.spec.name);
		return err_hint(err, "use a network with a gateway");
	}
	if (count > PUBLISH_MAX)
		return err_set(err, -EINVAL, "%zu ports are too many", count);
	if (!port->info.spec.ip[0] && !port->info.spec.ip6[0])
		return err_set(err, -EINVAL, "the container has no address");
	for (size_t i = 0; !r && i < count; i++)
		r = check_entry(port, &list[i], err);
	return r;
}

// Changes all that there is of the port's list, or nothing.
static int replace(
	struct daemon *d,
	struct port *port,
	struct port_publish *list,
	size_t count,
	struct rwy_err *err
)
{
	struct port_publish *before = port->published;
	size_t before_count = port->published_count;
	firewall_release(d->firewall, port->info.id);
	port->published = list;
	port->published_count = count;
	// What cannot be reserved is named by its own port.
	int r = reserve(d, port, false, err);
	if (!r) {
		r = store_port_set_published(d->store, port->info.id, list, count, err);
		if (!r)
			r = publish_apply(d, err);
		if (r)
			err_prefix(err, "cannot publish ports of '%s': ", port->info.spec.name);
	}
	if (!r) {
		port->unreserved = false;
		free(before);
		return 0;
	}
	firewall_release(d->firewall, port->info.id);
	port->published = before;
	port->published_count = before_count;
	// As it was: what fails now is tried again.
	port->unreserved = before_count && reserve(d, port, true, NULL);
	(void)store_port_set_published(d->store, port->info.id, before, before_count, NULL);
	(void)publish_apply(d, NULL);
	free(list);
	return r;
}

int service_port_publish(
	struct daemon *d,
	uint32_t id,
	const struct port_publish *list,
	size_t count,
	struct rwy_err *err
)
{
	struct port *port = daemon_find_port_id(d, id);
	if (!port)
		return err_set(err, -ENOENT, "there is no port with the id %u", id);
	if (!count && !port->published_count)
		return 0;
	int r = check(d, port, list, count, err);
	if (r)
		return err_prefix(err, "cannot publish ports of '%s': ", port->info.spec.name);
	// Nobody outside reaches an internal network, whatever is published: as in Docker, that is no error.
	if (port->network->info.spec.internal)
		return 0;
	struct port_publish *copy = calloc(count + 1, sizeof(*copy));
	if (!copy)
		return err_set(err, -ENOMEM, "cannot publish ports: no memory");
	if (count)
		(void)memcpy(copy, list, count * sizeof(*copy));
	return replace(d, port, copy, count, err);
}

size_t service_port_published(
	struct daemon *d,
	uint32_t id,
	struct port_publish *ret_list,
	size_t max
)
{
	const struct port *port = daemon_find_port_id(d, id);
	size_t count = port ? port->published_count : 0;
	if (count && max)
		(void
		)memcpy(ret_list, port->published, (count < max ? count : max) * sizeof(*ret_list));
	return count;
}
