// SPDX-License-Identifier: BSD-3-Clause
// Makes a port of a TAP's queue descriptors: checks them, gives the workers buffers, publishes. Control thread. There is no front
// end: the port runs from the beginning until it is removed, or its TAP is.
#include "switch/trunk.h"

#include "packet/offload.h"
#include "switch/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// Linux' list of devices, "10 char": 200 is /dev/net/tun.
#define TUN_MAJOR 10
#define TUN_MINOR 200

_Static_assert(WIRE_QUEUES_MAX <= VHOST_QUEUE_PAIRS_MAX, "a path has room for all queues");

// The filter of system calls has no ioctl: what its name and flags are cannot be asked. A read of nothing fails when no
// device is attached.
int trunk_check_queues(const int *fds, uint32_t count, struct rwy_err *err)
{
	for (uint32_t i = 0; i < count; i++) {
		struct stat st;
		if (fstat(fds[i], &st) || !S_ISCHR(st.st_mode) ||
		    st.st_rdev != makedev(TUN_MAJOR, TUN_MINOR))
			return err_set(
				err, -EINVAL, "queue %u is not a descriptor of /dev/net/tun", i
			);
		char none;
		if (read(fds[i], &none, 0))
			return err_set(
				err,
				-EINVAL,
				"queue %u is not attached to a TAP: %s",
				i,
				strerror(errno)
			);
	}
	return 0;
}

static int check_spec(const struct wire_port *spec, struct rwy_err *err)
{
	if (spec->kind != WIRE_PORT_TAP || spec->port != WIRE_TRUNK_ID(spec->network))
		return err_set(
			err,
			-EINVAL,
			"cannot add port '%s': the TAP of network %u is port %u of kind %u",
			spec->name,
			spec->network,
			WIRE_TRUNK_ID(spec->network),
			WIRE_PORT_TAP
		);
	if (!mac_is_zero(spec->mac) || spec->learning)
		return err_set(
			err,
			-EINVAL,
			"cannot add port '%s': a TAP has stations, no address of its own, and learns none",
			spec->name
		);
	return 0;
}

// A queue may move between workers, and any worker may have frames for the TAP.
static int prepare_workers(struct switch_state *sw)
{
	for (uint32_t i = 0; i < sw->worker_count; i++) {
		struct worker *worker = sw->workers[i];
		if (!worker->tap)
			worker->tap = tap_io_new();
		if (!worker->tap)
			return -ENOMEM;
	}
	return 0;
}

static int take_queues(struct port *port, const int *fds)
{
	uint16_t count = port->spec.queues;
	int *own = malloc(sizeof(*own) * count);

	if (!own)
		return -ENOMEM;
	for (uint16_t i = 0; i < count; i++) {
		int flags = fcntl(fds[i], F_GETFL);
		if (flags < 0 || fcntl(fds[i], F_SETFL, flags | O_NONBLOCK)) {
			int r = -errno;
			free(own);
			return r;
		}
		own[i] = fds[i];
	}
	port->tap_fds = own;
	return 0;
}

static uint32_t accepted(uint32_t offloads)
{
	static const struct {
		uint32_t wire, offload;
	} bits[] = {
		{WIRE_OFFLOAD_CSUM, OFFLOAD_CSUM},
		{WIRE_OFFLOAD_TSO4, OFFLOAD_TSO4},
		{WIRE_OFFLOAD_TSO6, OFFLOAD_TSO6},
		{WIRE_OFFLOAD_ECN, OFFLOAD_ECN},
		{WIRE_OFFLOAD_USO, OFFLOAD_USO},
	};
	uint32_t accepts = 0;

	// As virtio has it (1.1, 5.1.3.1): nothing goes without checksums.
	if (!(offloads & WIRE_OFFLOAD_CSUM))
		return 0;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		accepts |= offloads & bits[i].wire ? bits[i].offload : 0;
	return accepts;
}

static struct port_path *make_path(struct port *port)
{
	struct port_path *path = calloc(1, sizeof(*path));

	if (!path)
		return NULL;
	path->asks = OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_ECN | OFFLOAD_USO;
	path->accepts = accepted(port->spec.offloads);
	path->rx_count = path->tx_count = port->spec.queues;
	for (uint16_t i = 0; i < port->spec.queues; i++)
		path->rx[i] = path->tx[i] = (struct port_queue){
			.port = port,
			.call_fd = -1,
			.kick_fd = port->tap_fds[i],
			.pair = i,
			.lock = &port->pair[i].lock,
		};
	return path;
}

int trunk_publish(struct switch_state *sw, struct port *port)
{
	struct port_path *path = sw->running && port->tap_fds ? make_path(port) : NULL;
	if (!path)
		return sw->running && port->tap_fds ? -ENOMEM : 0;
	int r = publish_path(sw, port, path);
	if (r)
		free(path);
	return r;
}

static int start(struct switch_state *sw, struct port *port, const int *fds)
{
	int r = prepare_workers(sw);
	if (r == 0)
		r = take_queues(port, fds);
	return r ? r : trunk_publish(sw, port);
}

int trunk_add(
	struct switch_state *sw,
	const struct wire_port *spec,
	int saved_fd,
	const int *fds,
	struct rwy_err *err
)
{
	int r = check_spec(spec, err);
	if (r == 0)
		r = table_add_port(sw, spec, saved_fd, -1, err);
	if (r)
		return r;
	struct port *port = table_port(sw, spec->port);
	r = start(sw, port, fds);
	if (r == 0) {
		port->state = WIRE_PORT_RUNNING;
		return 0;
	}
	free(port->tap_fds); // The descriptors are the caller's again.
	port->tap_fds = NULL;
	port->saved_fd = -1;
	(void)table_remove_port(sw, spec->port, NULL); // It was just added.
	return err_set(err, r, "cannot add port '%s': %s", spec->name, strerror(-r));
}

void trunk_close(struct switch_state *sw, struct port *port)
{
	if (!port->tap_fds)
		return;
	publish_remove(sw, port);
	for (uint16_t i = 0; i < port->spec.queues; i++)
		(void)close(port->tap_fds[i]); // Only read from and written to.
	free(port->tap_fds);
	port->tap_fds = NULL;
}

size_t trunk_own_memory(const struct port *port)
{
	const struct port_path *path = port->path;
	uint32_t workers = 0;

	if (!port->tap_fds)
		return 0;
	for (uint16_t i = 0; path && i < path->rx_count; i++)
		workers |= 1u << port->pair[i].worker;
	return sizeof(*port->tap_fds) * port->spec.queues +
		tap_io_size() * (uint32_t)__builtin_popcount(workers);
}
