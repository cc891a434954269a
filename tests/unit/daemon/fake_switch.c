// SPDX-License-Identifier: BSD-3-Clause
// A switch that moves no frames: speaks the wire on descriptor 3, keeps what it is told, and
// misbehaves where a port's name asks for it. For tests of ringwayd alone.
//
//   refuse*  port_add: -ENOSPC           hang*  port_add: never answers anything again
//   die*     port_add: exits             deaf*  port_add: kept, but not answered
//   stubborn*  port_set: -ENOSPC
//   A network called notrunk* gets no TAP: -ENOSPC. A station whose MAC begins with ee is pinned by another: -EEXIST; one
//   whose MAC begins with de makes its TAP disappear.
//   Stats: `regions` is how many stations are at the port, `memory` how many queues came with it, if it is a TAP.
//   Each port has two receive queues, on CPUs 1 and 3, the second one asleep.
//   FAKE_SWITCH_OLD in the environment: greets with another version.
//   A connection that sends a byte quarantines its port; one that closes leaves it waiting.
#include "base/cleanup.h"
#include "wire/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// First bytes that no address has that ringwayd makes itself.
#define FAKE_MAC_REFUSED 0xee
#define FAKE_MAC_FATAL 0xde
#define FAKE_PORTS 2048

struct fake_port {
	struct wire_port spec;
	int listener;
	int conn;
	uint32_t state;
	uint32_t queue_fds;
};

static struct wire_network networks[FAKE_PORTS];
static uint32_t network_count;
static struct fake_port ports[FAKE_PORTS];
static uint32_t port_count;
static struct wire_station stations[FAKE_PORTS];
static uint32_t station_count;
static int peer = -1;
static uint64_t turns;
static struct wire_msg request, reply;

static void send_event(const struct fake_port *port, const char *reason)
{
	static struct wire_msg event;
	memset(&event, 0, sizeof(event));
	event.op = WIRE_PORT_EVENT;
	event.args.event.port = port->spec.port;
	event.args.event.state = port->state;
	(void)snprintf(event.args.event.reason, sizeof(event.args.event.reason), "%s", reason);
	if (peer >= 0)
		(void)wire_send(peer, &event, NULL); // Nobody there: the state says it later.
}

static struct fake_port *find_port(uint32_t id)
{
	for (uint32_t i = 0; i < port_count; i++)
		if (ports[i].spec.port == id)
			return &ports[i];
	return NULL;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int on_network(bool add)
{
	uint32_t id = add ? request.args.network.network : request.args.ref.id;
	for (uint32_t i = 0; i < network_count; i++) {
		if (networks[i].network != id)
			continue;
		if (add)
			return -EEXIST;
		for (uint32_t j = 0; j < port_count; j++)
			if (ports[j].spec.network == id)
				return -EBUSY;
		networks[i] = networks[--network_count];
		return 0;
	}
	if (!add)
		return -ENOENT;
	networks[network_count++] = request.args.network;
	return 0;
}

static bool is_refused(const struct wire_port *spec)
{
	for (uint32_t i = 0; i < network_count; i++)
		if (networks[i].network == spec->network && spec->kind == WIRE_PORT_TAP)
			return has_prefix(networks[i].name, "notrunk");
	return has_prefix(spec->name, "refuse");
}

static void drop_stations(uint32_t port)
{
	for (uint32_t i = 0; i < station_count;)
		if (stations[i].port == port)
			stations[i] = stations[--station_count];
		else
			i++;
}

static struct wire_station *find_station(const struct wire_station *like)
{
	for (uint32_t i = 0; i < station_count; i++)
		if (stations[i].network == like->network &&
		    memcmp(stations[i].mac, like->mac, MAC_SIZE) == 0)
			return &stations[i];
	return NULL;
}

static int on_station(bool add)
{
	const struct wire_station *asked = &request.args.station;
	struct wire_station *have = find_station(asked);
	if (!add) {
		if (have)
			*have = stations[--station_count];
		return have ? 0 : -ENOENT;
	}
	if (!find_port(asked->port))
		return -ENOENT;
	if (asked->mac[0] == FAKE_MAC_REFUSED)
		return -EEXIST;
	if (!have)
		have = &stations[station_count++];
	*have = *asked;
	struct fake_port *port = find_port(asked->port);
	if (asked->mac[0] == FAKE_MAC_FATAL && port->state != WIRE_PORT_QUARANTINED) {
		port->state = WIRE_PORT_QUARANTINED;
		send_event(port, "its TAP is gone");
	}
	return 0;
}

static int on_sweep(void)
{
	for (uint32_t i = 0; i < station_count;)
		if (stations[i].epoch != request.args.epoch.epoch)
			stations[i] = stations[--station_count];
		else
			i++;
	return 0;
}

static int on_port_add(bool *ret_silent)
{
	const struct wire_port *spec = &request.args.port;
	if (find_port(spec->port))
		return -EEXIST;
	if (is_refused(spec))
		return -ENOSPC;
	if (has_prefix(spec->name, "die"))
		_exit(3);
	while (has_prefix(spec->name, "hang"))
		(void)pause();
	*ret_silent = has_prefix(spec->name, "deaf");
	bool tap = spec->kind == WIRE_PORT_TAP;
	ports[port_count++] = (struct fake_port){
		.spec = *spec,
		.listener = request.fd_count && !tap ? request.fds[0] : -1,
		.conn = -1,
		.state = tap ? WIRE_PORT_RUNNING : WIRE_PORT_WAITING,
		.queue_fds = tap ? request.fd_count : 0,
	};
	if (!tap)
		request.fd_count = 0;
	return 0;
}

static int on_port_set(void)
{
	struct fake_port *port = find_port(request.args.port.port);
	if (!port)
		return -ENOENT;
	if (has_prefix(port->spec.name, "stubborn"))
		return -ENOSPC;
	port->spec.limits = request.args.port.limits;
	return 0;
}

static int on_port_del(void)
{
	struct fake_port *port = find_port(request.args.ref.id);
	if (!port)
		return -ENOENT;
	fd_close(&port->listener);
	fd_close(&port->conn);
	drop_stations(port->spec.port);
	*port = ports[--port_count];
	return 0;
}

static int on_conn_add(void)
{
	struct fake_port *port = find_port(request.args.ref.id);
	if (!port)
		return -ENOENT;
	if (port->state == WIRE_PORT_QUARANTINED)
		return -EPERM;
	if (port->conn >= 0)
		return -EBUSY;
	port->conn = request.fds[0];
	request.fd_count = 0;
	port->state = WIRE_PORT_CONNECTED;
	send_event(port, "");
	return 0;
}

static int compare_ports(const void *a, const void *b)
{
	return (int)((const struct fake_port *)a)->spec.port -
		(int)((const struct fake_port *)b)->spec.port;
}

static int on_state(void)
{
	struct wire_state *state = &reply.args.state;
	qsort(ports, port_count, sizeof(ports[0]), compare_ports);
	if (request.args.after.after == 0) {
		memcpy(state->networks, networks, network_count * sizeof(networks[0]));
		state->network_count = network_count;
	}
	for (uint32_t i = 0; i < port_count; i++) {
		if (ports[i].spec.port <= request.args.after.after)
			continue;
		// Pages of two, so that there are several.
		state->more = state->port_count == 2;
		if (state->more)
			break;
		struct wire_state_port *to = &state->ports[state->port_count++];
		to->port = ports[i].spec.port;
		to->network = ports[i].spec.network;
		memcpy(to->name, ports[i].spec.name, sizeof(to->name));
		memcpy(to->mac, ports[i].spec.mac, sizeof(to->mac));
		to->queues = ports[i].spec.queues;
		to->kind = ports[i].spec.kind;
		to->learning = ports[i].spec.learning;
		to->no_offloads = ports[i].spec.no_offloads;
		to->limits = ports[i].spec.limits;
		to->state = ports[i].state;
		to->has_listener = ports[i].listener >= 0;
		if (to->has_listener)
			reply.fds[reply.fd_count++] = ports[i].listener;
	}
	return 0;
}

static int on_stats(void)
{
	struct wire_stats *stats = &reply.args.stats;
	stats->time_ns = 5;
	stats->worker_count = 1;
	stats->workers[0] = (struct wire_worker_stats
	){.core = 1, .queues = 2 * port_count, .awake = port_count, .sleeps = 9};
	qsort(ports, port_count, sizeof(ports[0]), compare_ports);
	for (uint32_t i = 0; i < port_count; i++) {
		if (ports[i].spec.port <= request.args.after.after)
			continue;
		stats->more = stats->port_count == 2;
		if (stats->more)
			break;
		struct wire_port_stats *to = &stats->ports[stats->port_count++];
		to->port = ports[i].spec.port;
		to->state = ports[i].state;
		to->rx_frames = 100 + ports[i].spec.port;
		to->features = 0x100000000;
		to->drop_count = 2;
		to->drops[0] = (struct wire_drop){"full", 3};
		to->drops[1] = (struct wire_drop){"source", 4};
		to->memory = ports[i].spec.kind == WIRE_PORT_TAP ? ports[i].queue_fds : 65536;
		for (uint32_t j = 0; j < station_count; j++)
			to->regions += stations[j].port == to->port;
		to->own_memory = 4096;
		to->queue_count = 2;
		to->queues[0] = (struct wire_queue_stats){0, 1, true, 100};
		to->queues[1] = (struct wire_queue_stats){1, 3, false, ports[i].spec.port};
	}
	return 0;
}

static int handle(bool *ret_silent)
{
	switch (request.op) {
	case WIRE_HELLO:
		reply.args.hello = (struct wire_hello){
			.version = WIRE_VERSION,
			.program = "fake-switch",
			.pid = (uint32_t)getpid(),
			.start_ns = 1,
		};
		reply.args.hello.version += getenv("FAKE_SWITCH_OLD") != NULL;
		return 0;
	case WIRE_PING:
		reply.args.pong = (struct wire_pong){1, ++turns, false};
		return 0;
	case WIRE_NETWORK_ADD:
		return on_network(true);
	case WIRE_NETWORK_DEL:
		return on_network(false);
	case WIRE_PORT_ADD:
		return on_port_add(ret_silent);
	case WIRE_PORT_SET:
		return on_port_set();
	case WIRE_PORT_DEL:
		return on_port_del();
	case WIRE_CONN_ADD:
		return on_conn_add();
	case WIRE_STATION_ADD:
		return on_station(true);
	case WIRE_STATION_DEL:
		return on_station(false);
	case WIRE_STATION_SWEEP:
		return on_sweep();
	case WIRE_STATS:
		return on_stats();
	case WIRE_STATE:
		return on_state();
	default:
		return 0;
	}
}

static void on_peer(void)
{
	struct rwy_err err = {0};
	bool silent = false;
	if (wire_recv(peer, false, 0, &request, &err)) {
		fd_close(&peer);
		return;
	}
	memset(&reply, 0, sizeof(reply));
	reply.op = request.op;
	reply.id = request.id;
	reply.is_reply = true;
	int r = handle(&silent);
	if (r)
		err_set(&reply.error, r, "fake refusal");
	wire_msg_close_fds(&request);
	if (!silent && wire_send(peer, &reply, &err))
		fd_close(&peer);
	if (request.op == WIRE_STOP)
		_exit(0);
}

static void on_conn(struct fake_port *port)
{
	char byte;
	ssize_t size = recv(port->conn, &byte, 1, MSG_DONTWAIT);
	if (size < 0)
		return;
	fd_close(&port->conn);
	port->state = size ? WIRE_PORT_QUARANTINED : WIRE_PORT_WAITING;
	send_event(port, size ? "fake garbage" : "");
}

int main(void)
{
	static struct pollfd polled[2 + FAKE_PORTS];
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");
	if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strcmp(count, "1") != 0 ||
	    geteuid() == 0)
		return 2;
	for (;;) {
		polled[0] = (struct pollfd){.fd = 3, .events = POLLIN};
		polled[1] = (struct pollfd){.fd = peer, .events = POLLIN};
		for (uint32_t i = 0; i < port_count; i++)
			polled[2 + i] = (struct pollfd){.fd = ports[i].conn, .events = POLLIN};
		uint32_t watched = port_count;
		if (poll(polled, 2 + watched, -1) < 0)
			return 1;
		for (uint32_t i = 0; i < watched; i++)
			if (polled[2 + i].revents)
				on_conn(&ports[i]);
		if (polled[1].revents)
			on_peer();
		if (polled[0].revents && peer < 0)
			peer = accept4(3, NULL, NULL, SOCK_CLOEXEC);
	}
}
