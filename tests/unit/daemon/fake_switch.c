// SPDX-License-Identifier: BSD-3-Clause
// A switch that moves no frames: speaks the wire on descriptor 3, keeps what it is told, and
// misbehaves where a port's name asks for it. For tests of ringwayd alone. fake_conn.c has its front ends.
//
//   nofreeze*, norelease*: the switch that has such a port never answers that
//   doubt*  conn_restore: -EPROTO   succeeded*  a second start: -EBUSY, and it ends
//   refuse*  port_add: -ENOSPC           hang*  port_add: never answers anything again
//   die*     port_add: exits             deaf*  port_add: kept, but not answered
//   stubborn*  port_set: -ENOSPC
//   A network called notrunk* gets no TAP: -ENOSPC. A station whose MAC begins with ee is pinned by another: -EEXIST; one
//   whose MAC begins with de makes its TAP disappear.
//   Stats: `regions` is how many stations are at the port, `memory` how many queues came with it, if it is a TAP.
//   Each port has two receive queues, on CPUs 1 and 3, the second one asleep.
//   FAKE_SWITCH_OLD in the environment: greets with another version.
//   By the name of the program: *form2* has state memory of another form, *mute* never greets, *exits* exits at once,
//   *unready* refuses to start, *nostart* does not answer that.
#include "tests/unit/daemon/fake_switch.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

// First bytes that no address has that ringwayd makes itself.
#define FAKE_MAC_REFUSED 0xee
#define FAKE_MAC_FATAL 0xde

static struct wire_network networks[FAKE_PORTS];
static uint32_t network_count;
struct fake_port ports[FAKE_PORTS];
uint32_t port_count;
static struct wire_station stations[FAKE_PORTS];
static uint32_t station_count;
int peer = -1;
struct board *board;
bool stuck, deaf;
static int board_fd;
static int listener = -1;
static bool spare, active, frozen, ends;
static char program[256];
static uint64_t turns;
static struct wire_msg request, reply;

void send_event(const struct fake_port *port, const char *reason)
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

struct fake_port *find_port(uint32_t id)
{
	for (uint32_t i = 0; i < port_count; i++)
		if (ports[i].spec.port == id)
			return &ports[i];
	return NULL;
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
	struct fake_port port = {
		.spec = *spec,
		.listener = -1,
		.conn = -1,
		.state = tap ? WIRE_PORT_RUNNING : WIRE_PORT_WAITING,
		.memory_fd = -1,
	};
	for (int i = 0; i < FAKE_KEPT; i++)
		port.kept[i].fd = -1;
	int r = spec->has_state ? memory_take(&port, request.fds[0]) : 0;
	if (r)
		return r;
	if (spec->quarantine[0])
		port.state = WIRE_PORT_QUARANTINED;
	for (uint32_t i = spec->has_state; i < request.fd_count; i++) {
		if (tap)
			port.queue_fds[port.queue_count++] = request.fds[i];
		else
			port.listener = request.fds[i];
	}
	request.fd_count = 0;
	ports[port_count++] = port;
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
	port->spec.allow_spoof = request.args.port.allow_spoof;
	return 0;
}

static int on_port_del(void)
{
	struct fake_port *port = find_port(request.args.ref.id);
	if (!port)
		return -ENOENT;
	fd_close(&port->listener);
	conn_close(port);
	fd_close(&port->memory_fd);
	if (port->memory)
		(void)munmap(port->memory, sizeof(*port->memory));
	for (uint32_t i = 0; i < port->queue_count; i++)
		fd_close(&port->queue_fds[i]);
	drop_stations(port->spec.port);
	*port = ports[--port_count];
	return 0;
}

static int on_conn_add(void)
{
	struct fake_port *port = find_port(request.args.ref.id);
	if (!port)
		return -ENOENT;
	int r = conn_add(port, request.fds[0]);
	if (!r)
		request.fd_count = 0;
	return r;
}

static bool has_port(const char *prefix)
{
	for (uint32_t i = 0; i < port_count; i++)
		if (has_prefix(ports[i].spec.name, prefix))
			return true;
	return false;
}

static int on_port_fds(void)
{
	const struct fake_port *port = find_port(request.args.ref.id);
	if (!port)
		return -ENOENT;
	port_fds(port, &reply);
	return 0;
}

static int on_start(bool *ret_silent)
{
	if (strstr(program, "unready"))
		return -EINVAL;
	if (active && !frozen && has_port("succeeded")) {
		ends = true;
		return -EBUSY;
	}
	*ret_silent = strstr(program, "nostart") != NULL;
	if (request.fd_count && listener >= 0)
		return -EBUSY;
	if (request.fd_count)
		listener = request.fds[0];
	request.fd_count = 0;
	active = true;
	frozen = false;
	return 0;
}

static void on_hello(void)
{
	reply.args.hello = (struct wire_hello){
		.version = WIRE_VERSION,
		.program = "fake-switch",
		.pid = (uint32_t)getpid(),
		.start_ns = 1,
		.state_size = sizeof(struct fake_state),
		.state_form = strstr(program, "form2") ? FAKE_FORM + 1 : FAKE_FORM,
		.active = active,
		.has_board = true,
		.has_listener = listener >= 0,
	};
	reply.args.hello.version += getenv("FAKE_SWITCH_OLD") != NULL;
	reply.fds[reply.fd_count++] = board_fd;
	if (listener >= 0)
		reply.fds[reply.fd_count++] = listener;
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
		to->allow_spoof = ports[i].spec.allow_spoof;
		to->pin_address = ports[i].spec.pin_address;
		memcpy(to->ip, ports[i].spec.ip, sizeof(to->ip));
		memcpy(to->ip6, ports[i].spec.ip6, sizeof(to->ip6));
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
		to->memory = ports[i].spec.kind == WIRE_PORT_TAP ? ports[i].queue_count : 65536;
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
		on_hello();
		*ret_silent = strstr(program, "mute") != NULL;
		return 0;
	case WIRE_PING:
		turns += !stuck;
		reply.args.pong = (struct wire_pong){1, turns, false};
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
	case WIRE_CONN_RESTORE:
		return conn_restore(&request.args.kept, request.fds);
	case WIRE_PORT_FDS:
		return on_port_fds();
	case WIRE_START:
		return on_start(ret_silent);
	case WIRE_FREEZE:
		frozen = true;
		*ret_silent = has_port("nofreeze");
		return 0;
	case WIRE_RELEASE:
		*ret_silent = has_port("norelease");
		return frozen ? 0 : -EINVAL;
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

static void lose_peer(void)
{
	fd_close(&peer);
	if (spare && !active)
		_exit(0); // Nobody else can start it.
}

static void on_peer(void)
{
	struct rwy_err err = {0};
	bool silent = false;
	if (wire_recv(peer, false, 0, &request, &err)) {
		lose_peer();
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
		lose_peer();
	if (request.op == WIRE_STOP || ends)
		_exit(0);
}

static int start(int argc, char **argv)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");
	spare = argc > 1 && strcmp(argv[1], "--spare") == 0;
	if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strcmp(count, "1") != 0 ||
	    geteuid() == 0 || readlink("/proc/self/exe", program, sizeof(program) - 1) < 0 ||
	    strstr(program, "exits"))
		return -EINVAL;
	board_fd = memfd_create("board", MFD_CLOEXEC);
	if (board_fd < 0 || ftruncate(board_fd, sizeof(*board)))
		return -errno;
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, board_fd, 0);
	if (board == MAP_FAILED)
		return -errno;
	board->magic = BOARD_MAGIC;
	*(spare ? &peer : &listener) = 3;
	return 0;
}

int main(int argc, char **argv)
{
	static struct pollfd polled[2 + FAKE_PORTS];
	if (start(argc, argv))
		return 2;
	for (;;) {
		bool serves = active && !frozen;
		polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
		polled[1] = (struct pollfd){.fd = deaf ? -1 : peer, .events = POLLIN};
		for (uint32_t i = 0; i < port_count; i++)
			polled[2 + i] = (struct pollfd
			){.fd = serves ? ports[i].conn : -1, .events = POLLIN};
		uint32_t watched = port_count;
		if (poll(polled, 2 + watched, -1) < 0)
			return 1;
		for (uint32_t i = 0; i < watched; i++)
			if (polled[2 + i].revents)
				on_conn(&ports[i]);
		if (polled[1].revents)
			on_peer();
		if (polled[0].revents && peer < 0)
			peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	}
}
