// SPDX-License-Identifier: BSD-3-Clause
// What workers see: each port's live queues, each network's flood list, the poll list. Control thread.
// Every list is made anew, swapped in, and the old one freed after a grace period (RCU, QSBR).
#include "switch/switch.h"

#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

static void wait_for_workers(struct switch_state *sw)
{
	rte_rcu_qsbr_synchronize(sw->qsbr, RTE_QSBR_THRID_INVALID);
}

// The ports of a network that frames can be delivered to.
static struct port_list *make_flood_list(struct switch_state *sw, const struct network *network)
{
	struct port_list *list =
		malloc(sizeof(*list) + sizeof(list->port[0]) * (network->port_count + 1));
	if (!list)
		return NULL;
	list->count = 0;
	for (struct port *port = sw->ports; port; port = port->next)
		if (port->network == network && port->path && port->path->tx_count)
			list->port[list->count++] = port;
	return list;
}

static struct poll_list *make_poll_list(struct switch_state *sw)
{
	uint32_t count = 0;
	for (const struct port *port = sw->ports; port; port = port->next)
		count += port->path ? port->path->rx_count : 0;
	struct poll_list *list = malloc(sizeof(*list) + sizeof(list->queue[0]) * (count + 1));
	if (!list)
		return NULL;
	list->count = 0;
	for (const struct port *port = sw->ports; port; port = port->next)
		for (uint16_t i = 0; port->path && i < port->path->rx_count; i++)
			list->queue[list->count++] = &port->path->rx[i];
	return list;
}

// Swaps in `path` and the lists that follow from it; nothing changes on -ENOMEM.
static int publish(
	struct switch_state *sw,
	struct port *port,
	struct port_path *path,
	struct port_path **ret_old
)
{
	struct port_path *old_path = port->path;
	__atomic_store_n(&port->path, path, __ATOMIC_RELEASE);
	struct port_list *flood = make_flood_list(sw, port->network);
	struct poll_list *poll = make_poll_list(sw);
	if (!flood || !poll) {
		__atomic_store_n(&port->path, old_path, __ATOMIC_RELEASE);
		free(flood);
		free(poll);
		return -ENOMEM;
	}
	struct port_list *old_flood = port->network->flood;
	struct poll_list *old_poll = sw->worker->poll;
	__atomic_store_n(&port->network->flood, flood, __ATOMIC_RELEASE);
	__atomic_store_n(&sw->worker->poll, poll, __ATOMIC_RELEASE);
	wait_for_workers(sw);
	(void)eventfd_write(sw->worker->wake_fd, 1); // A full counter wakes as well.
	free(old_flood);
	free(old_poll);
	*ret_old = old_path;
	return 0;
}

// Without memory for new lists the old ones are emptied in place: a list only ever loses members
// here, and a worker that still sees the old count finds queues that are freed after the grace
// period only.
static void unpublish_in_place(struct switch_state *sw, struct port *port)
{
	struct poll_list *poll = sw->worker->poll;
	struct port_list *flood = port->network->flood;
	__atomic_store_n(&port->path, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&poll->count, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&flood->count, 0, __ATOMIC_RELEASE);
	wait_for_workers(sw);
}

void publish_remove(struct switch_state *sw, struct port *port)
{
	struct port_path *old = port->path;

	if (!old)
		return;
	if (publish(sw, port, NULL, &old))
		unpublish_in_place(sw, port);
	free(old);
}

// Whether workers poll it already: then its notifications are theirs to set.
static bool is_published(const struct port *port, const struct vring *ring)
{
	const struct port_path *path = port->path;
	for (uint16_t i = 0; path && i < path->rx_count; i++)
		if (path->rx[i].ring == ring)
			return true;
	for (uint16_t i = 0; path && i < path->tx_count; i++)
		if (path->tx[i].ring == ring)
			return true;
	return false;
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
	};
	if (!is_published(port, &queue->ring))
		vring_set_notify(&queue->ring, false); // It is polled from now on.
}

int publish_add(struct switch_state *sw, struct port *port)
{
	struct port_path *old;
	struct port_path *path = calloc(1, sizeof(*path));

	if (!path)
		return -ENOMEM;
	for (uint16_t pair = 0; pair < port->spec.queues; pair++) {
		add_queue(port, path, pair, true);
		add_queue(port, path, pair, false);
	}
	if (path->rx_count + path->tx_count == 0) {
		free(path);
		return 0; // Nothing was published before, for rings that leave are quiesced.
	}
	int r = publish(sw, port, path, &old);
	free(r ? path : old);
	return r;
}
