// SPDX-License-Identifier: BSD-3-Clause
// Rows in memory, in order of id. Under the service's lock.
#include "daemon/core/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t daemon_now_ms(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // Cannot fail for this clock.
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct network *daemon_find_network(struct daemon *d, const char *name)
{
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry)
		if (strcmp(network->info.spec.name, name) == 0)
			return network;
	return NULL;
}

struct port *daemon_find_port(struct daemon *d, const char *name)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (strcmp(port->info.spec.name, name) == 0)
			return port;
	return NULL;
}

struct port *daemon_find_port_id(struct daemon *d, uint32_t id)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port->info.id == id)
			return port;
	return NULL;
}

struct container *daemon_find_container(struct daemon *d, const char *key)
{
	struct container *container;
	TAILQ_FOREACH (container, &d->containers, entry)
		if (strcmp(container->info.key, key) == 0)
			return container;
	return NULL;
}

// New rows have the highest id, so that appending keeps the order.

struct network *daemon_keep_network(
	struct daemon *d,
	const struct network_info *info,
	enum store_state state
)
{
	struct network *network = calloc(1, sizeof(*network));
	if (!network)
		return NULL;
	network->info = *info;
	network->info.ports = 0;
	for (size_t i = 0; i < WIRE_QUEUES_MAX; i++)
		network->trunk_fds[i] = -1;
	keep_init(&network->trunk_keep);
	network->state = state;
	TAILQ_INSERT_TAIL(&d->networks, network, entry);
	d->network_count++;
	return network;
}

struct port *daemon_keep_port(
	struct daemon *d,
	struct network *network,
	const struct port_info *info,
	enum store_state state
)
{
	struct port *port = calloc(1, sizeof(*port));
	if (!port)
		return NULL;
	port->info = *info;
	port->network = network;
	port->state = state;
	port->listener = -1;
	port->netns_fd = -1;
	keep_init(&port->keep);
	if (!info->spec.of_network)
		network->info.ports++;
	TAILQ_INSERT_TAIL(&d->ports, port, entry);
	d->port_count++;
	return port;
}

struct container *daemon_keep_container(struct daemon *d, const struct container_info *info)
{
	struct container *container = calloc(1, sizeof(*container));
	if (!container)
		return NULL;
	container->info = *info;
	TAILQ_INSERT_TAIL(&d->containers, container, entry);
	return container;
}

void daemon_drop_network(struct daemon *d, struct network *network)
{
	TAILQ_REMOVE(&d->networks, network, entry);
	d->network_count--;
	keep_fini(&network->trunk_keep);
	free(network);
}

void daemon_drop_port(struct daemon *d, struct port *port)
{
	TAILQ_REMOVE(&d->ports, port, entry);
	d->port_count--;
	if (!port->info.spec.of_network)
		port->network->info.ports--;
	keep_fini(&port->keep);
	free(port->taking);
	free(port->published);
	free(port);
}

void daemon_drop_container(struct daemon *d, struct container *container)
{
	TAILQ_REMOVE(&d->containers, container, entry);
	free(container);
}
