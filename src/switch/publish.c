// SPDX-License-Identifier: BSD-3-Clause
// What workers see: each port's live queues, each network's flood list. Control thread. Everything is made anew, swapped in,
// and the old one freed after a grace period (RCU, QSBR). assign.c says who polls.
#include "packet/offload.h"
#include "switch/poll.h"
#include "switch/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_deliverable(const struct port_path *path)
{
	return path && path->tx_count;
}

// The network's flood list with the port, or without it. NULL: out of memory.
static struct port_list *make_flood_list(
	const struct network *network,
	struct port *port,
	bool with_port
)
{
	const struct port_list *old = network->flood;
	uint32_t old_count = old ? old->count : 0;
	struct port_list *list = malloc(sizeof(*list) + sizeof(list->port[0]) * (old_count + 1));

	if (!list)
		return NULL;
	list->count = 0;
	for (uint32_t i = 0; i < old_count; i++)
		if (old->port[i] != port)
			list->port[list->count++] = old->port[i];
	if (with_port)
		list->port[list->count++] = port;
	return list;
}

// Without memory for a new list the old one loses a member in place: a worker that is reading it may leave out or serve twice
// the one that takes the place, for one broadcast.
static void shrink_flood_list(struct port_list *list, const struct port *port)
{
	for (uint32_t i = 0; list && i < list->count; i++) {
		if (list->port[i] != port)
			continue;
		__atomic_store_n(&list->port[i], list->port[list->count - 1], __ATOMIC_RELEASE);
		__atomic_store_n(&list->count, list->count - 1, __ATOMIC_RELEASE);
		return;
	}
}

static const struct port_queue *find_rx(const struct port_path *path, const struct vring *ring)
{
	for (uint16_t i = 0; path && i < path->rx_count; i++)
		if (path->rx[i].ring == ring)
			return &path->rx[i];
	return NULL;
}

static bool has_tx(const struct port_path *path, const struct vring *ring)
{
	for (uint16_t i = 0; path && i < path->tx_count; i++)
		if (path->tx[i].ring == ring)
			return true;
	return false;
}

static struct worker *worker_of(
	struct switch_state *sw,
	const struct port *port,
	const struct port_queue *queue
)
{
	return sw->workers[port->pair[queue->pair].worker];
}

// Workers are put in charge of what is new, and lose what is gone.
static void assign_path(struct switch_state *sw, struct port *port, const struct port_path *old)
{
	const struct port_path *path = port->path;

	for (uint16_t i = 0; old && i < old->rx_count; i++)
		if (!find_rx(path, old->rx[i].ring))
			assign_release(sw, port, old->rx[i].pair);
	for (uint16_t i = 0; path && i < path->rx_count; i++)
		if (!find_rx(old, path->rx[i].ring))
			assign_queue(sw, port, &path->rx[i]);
		else
			poll_check(worker_of(sw, port, &path->rx[i]), port);
}

static void wake_workers(struct switch_state *sw, const struct port *port)
{
	uint32_t woken = 0;

	for (uint16_t i = 0; i < port->path->rx_count; i++) {
		struct worker *worker = worker_of(sw, port, &port->path->rx[i]);
		if (!(woken & 1u << worker->index))
			poll_wake(worker);
		woken |= 1u << worker->index;
	}
}

void publish_remove(struct switch_state *sw, struct port *port)
{
	struct port_path *old = port->path;
	struct port_list *old_flood = NULL;

	if (!old)
		return;
	__atomic_store_n(&port->path, NULL, __ATOMIC_RELEASE);
	if (is_deliverable(old)) {
		struct port_list *flood = make_flood_list(port->network, port, false);
		if (flood) {
			old_flood = port->network->flood;
			__atomic_store_n(&port->network->flood, flood, __ATOMIC_RELEASE);
		} else {
			shrink_flood_list(port->network->flood, port);
		}
	}
	assign_path(sw, port, old);
	assign_wait(sw);
	free(old_flood);
	free(old);
}

void publish_remove_all(struct switch_state *sw)
{
	struct port_list *old_flood[WIRE_NETWORKS_MAX];
	uint32_t floods = 0;

	// Nobody takes a frame any more before the first destination is gone.
	for (struct port *port = sw->ports; port; port = port->next)
		for (uint16_t i = 0; port->path && i < port->path->rx_count; i++)
			assign_release(sw, port, port->path->rx[i].pair);
	assign_wait(sw);
	for (struct network *network = sw->networks; network; network = network->next) {
		old_flood[floods++] = network->flood;
		__atomic_store_n(&network->flood, NULL, __ATOMIC_RELEASE);
	}
	for (struct port *port = sw->ports; port; port = port->next) {
		struct port_path *old = port->path;
		port->unpublished = old;
		__atomic_store_n(&port->path, NULL, __ATOMIC_RELEASE);
	}
	assign_wait(sw);
	while (floods)
		free(old_flood[--floods]);
	for (struct port *port = sw->ports; port; port = port->next) {
		free(port->unpublished);
		port->unpublished = NULL;
	}
}

void publish_assign_all(struct switch_state *sw)
{
	for (struct port *port = sw->ports; port; port = port->next) {
		if (!port->path)
			continue;
		assign_path(sw, port, NULL);
		wake_workers(sw, port);
	}
}

static void add_queue(struct port *port, struct port_path *path, uint16_t pair, bool is_rx)
{
	struct vhost_queue *queue = vhost_conn_queue(port->conn, 2u * pair + (is_rx ? 1 : 0));

	if (!queue || !queue->live)
		return;
	struct port_queue *slot = is_rx ? &path->rx[path->rx_count++] : &path->tx[path->tx_count++];
	*slot = (struct port_queue){
		.port = port,
		.ring = &queue->ring,
		.call_fd = queue->call_fd,
		.kick_fd = queue->kick_fd,
		.pair = pair,
		.lock = &port->pair[pair].lock,
	};
	// Nobody waits for room in a receive ring. A transmit ring's notifications are its worker's.
	if (!is_rx && !has_tx(port->path, &queue->ring))
		vring_set_notify(&queue->ring, false);
}

// Requests that a front end may make, and those that it takes over (virtio 1.1, 5.1.3). A USO request does not say which
// IP it has (virtio 1.3, 5.1.6.2), so one who takes it over takes both.
static void fill_offloads(const struct port *port, struct port_path *path)
{
	static const struct {
		uint64_t host, guest; // VIRTIO_NET_F_*
		uint32_t offload;
	} bits[] = {
		{VHOST_FEATURE_CSUM, VHOST_FEATURE_GUEST_CSUM, OFFLOAD_CSUM},
		{VHOST_FEATURE_HOST_TSO4, VHOST_FEATURE_GUEST_TSO4, OFFLOAD_TSO4},
		{VHOST_FEATURE_HOST_TSO6, VHOST_FEATURE_GUEST_TSO6, OFFLOAD_TSO6},
		{VHOST_FEATURE_HOST_ECN, VHOST_FEATURE_GUEST_ECN, OFFLOAD_ECN},
		{VHOST_FEATURE_HOST_UFO, VHOST_FEATURE_GUEST_UFO, OFFLOAD_UFO},
		{VHOST_FEATURE_HOST_USO,
		 VHOST_FEATURE_GUEST_USO4 | VHOST_FEATURE_GUEST_USO6,
		 OFFLOAD_USO},
	};
	uint64_t features = vhost_conn_features(port->conn);

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		path->asks |= features & bits[i].host ? bits[i].offload : 0;
		path->accepts |= (features & bits[i].guest) == bits[i].guest ? bits[i].offload : 0;
	}
}

int publish_path(struct switch_state *sw, struct port *port, struct port_path *path)
{
	struct port_path *old = port->path;
	struct port_list *flood = NULL;
	struct port_list *old_flood = NULL;

	if (is_deliverable(path) && !is_deliverable(old)) {
		flood = make_flood_list(port->network, port, true);
		if (!flood)
			return -ENOMEM;
	}
	__atomic_store_n(&port->path, path, __ATOMIC_RELEASE);
	if (flood) {
		old_flood = port->network->flood;
		__atomic_store_n(&port->network->flood, flood, __ATOMIC_RELEASE);
	}
	if (!sw->starting) {
		assign_path(sw, port, old);
		wake_workers(sw, port);
	}
	if (old || old_flood)
		assign_wait(sw);
	free(old_flood);
	free(old);
	return 0;
}

int publish_add(struct switch_state *sw, struct port *port)
{
	struct port_path *path = sw->running ? calloc(1, sizeof(*path)) : NULL;

	if (!path)
		return sw->running ? -ENOMEM : 0;
	for (uint16_t pair = 0; pair < port->spec.queues; pair++) {
		add_queue(port, path, pair, true);
		add_queue(port, path, pair, false);
	}
	if (path->rx_count + path->tx_count == 0) {
		free(path);
		return 0; // Nothing was published before, for rings that leave are quiesced.
	}
	fill_offloads(port, path);
	int r = publish_path(sw, port, path);
	if (r)
		free(path);
	return r;
}
