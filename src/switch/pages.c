// SPDX-License-Identifier: BSD-3-Clause
// Pages of counters and of state for ringwayd. Control thread; reads what workers count.
#include "switch/count.h"
#include "switch/switch.h"
#include "switch/trunk.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	if (clock_gettime(clock, &now))
		return 0;
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// What all workers counted.
static struct port_counters sum_counters(const struct port *port)
{
	struct port_counters sum = {0};

	for (uint32_t i = 0; i < WIRE_WORKERS_MAX; i++) {
		const struct port_counters *counters = &port->counters[i];
		sum.rx_frames += count_read(&counters->rx_frames);
		sum.rx_bytes += count_read(&counters->rx_bytes);
		sum.tx_frames += count_read(&counters->tx_frames);
		sum.tx_bytes += count_read(&counters->tx_bytes);
		sum.neighbor_answers += count_read(&counters->neighbor_answers);
		for (uint32_t j = 0; j < DROP_COUNT; j++)
			sum.drops[j] += count_read(&counters->drops[j]);
	}
	return sum;
}

static void fill_drops(const struct port_counters *counters, struct wire_port_stats *stats)
{
	stats->drop_count = DROP_COUNT;
	for (uint32_t i = 0; i < DROP_COUNT; i++) {
		(void)snprintf( // The reasons are short words.
			stats->drops[i].reason,
			sizeof(stats->drops[i].reason),
			"%s",
			drop_reason_text(i)
		);
		stats->drops[i].count = counters->drops[i];
	}
}

static void fill_queues(const struct port *port, struct wire_port_stats *stats)
{
	const struct port_path *path = port->path;

	for (uint16_t i = 0; path && i < path->rx_count; i++) {
		const struct port_pair *state = &port->pair[path->rx[i].pair];
		stats->queues[stats->queue_count++] = (struct wire_queue_stats){
			.pair = path->rx[i].pair,
			.core = port->sw->workers[state->worker]->core,
			.awake = __atomic_load_n(&state->awake, __ATOMIC_RELAXED),
			.frames = count_read(&state->frames),
		};
	}
}

// What the switch allocated for the port; a worker's place for it and what the kernel has are not counted.
static uint64_t own_memory(const struct port *port)
{
	uint64_t size = sizeof(*port) + sizeof(*port->pair) * port->spec.queues +
		sizeof(struct fdb_entry) * (1 + port->learned) + trunk_own_memory(port);

	if (port->path)
		size += sizeof(*port->path) + sizeof(struct port *);
	size += portstate_used(port->saved);
	return port->conn ? size + vhost_conn_own_memory(port->conn) : size;
}

static void fill_port(const struct port *port, struct wire_port_stats *stats)
{
	const struct port_counters counters = sum_counters(port);
	*stats = (struct wire_port_stats){
		.port = port->spec.port,
		.state = port->state,
		.rx_frames = counters.rx_frames,
		.rx_bytes = counters.rx_bytes,
		.tx_frames = counters.tx_frames,
		.tx_bytes = counters.tx_bytes,
		.neighbor_answers = counters.neighbor_answers,
		.own_memory = own_memory(port),
	};
	if (port->conn) {
		stats->features = vhost_conn_features(port->conn);
		stats->regions = vhost_conn_regions(port->conn, &stats->memory);
	}
	if (port->path)
		stats->queues_live = port->path->rx_count < port->path->tx_count
			? port->path->rx_count
			: port->path->tx_count;
	memcpy(stats->reason, port->reason, sizeof(stats->reason));
	fill_queues(port, stats);
	fill_drops(&counters, stats);
}

static void fill_worker(
	const struct worker *worker,
	const struct balance_worker *load,
	struct wire_worker_stats *stats
)
{
	*stats = (struct wire_worker_stats){
		.core = worker->core,
		.busy_cycles = count_read(&worker->busy_cycles),
		.idle_cycles = count_read(&worker->idle_cycles),
		.turns = count_read(&worker->turns),
		.frames = count_read(&worker->frames),
		.queues = load->queues,
		.awake = __atomic_load_n(&worker->awake, __ATOMIC_RELAXED),
		.sleeps = count_read(&worker->sleeps),
	};
}

void pages_stats(struct switch_state *sw, uint32_t after, struct wire_stats *ret_stats)
{
	struct port *port = table_port_after(sw, after);

	ret_stats->time_ns = clock_ns(CLOCK_MONOTONIC);
	ret_stats->tsc_hz = rte_get_tsc_hz();
	ret_stats->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	ret_stats->worker_count = sw->worker_count;
	for (uint32_t i = 0; i < sw->worker_count; i++)
		fill_worker(sw->workers[i], &sw->load[i], &ret_stats->workers[i]);
	for (; port && ret_stats->port_count < WIRE_STATS_PORTS; port = port->next)
		fill_port(port, &ret_stats->ports[ret_stats->port_count++]);
	ret_stats->more = port != NULL;
}

void pages_state(
	struct switch_state *sw,
	uint32_t after,
	struct wire_state *ret_state,
	int *ret_fds,
	uint32_t *ret_fd_count
)
{
	uint32_t fd_count = 0;
	struct port *port = table_port_after(sw, after);

	if (after == 0)
		for (const struct network *network = sw->networks; network; network = network->next)
			ret_state->networks[ret_state->network_count++] = network->spec;
	for (; port && ret_state->port_count < WIRE_STATE_PORTS; port = port->next) {
		ret_state->ports[ret_state->port_count++] = (struct wire_state_port){
			.port = port->spec.port,
			.network = port->spec.network,
			.queues = port->spec.queues,
			.kind = port->spec.kind,
			.learning = port->spec.learning,
			.allow_spoof = port->spec.allow_spoof,
			.pin_address = port->spec.pin_address,
			.no_offloads = port->spec.no_offloads,
			.limits = port->spec.limits,
			.state = port->state,
			.has_listener = port->listener_fd >= 0,
		};
		struct wire_state_port *last = &ret_state->ports[ret_state->port_count - 1];
		memcpy(last->name, port->spec.name, sizeof(last->name));
		memcpy(last->mac, port->spec.mac, sizeof(last->mac));
		memcpy(last->ip, port->spec.ip, sizeof(last->ip));
		memcpy(last->ip6, port->spec.ip6, sizeof(last->ip6));
		if (port->listener_fd >= 0)
			ret_fds[fd_count++] = port->listener_fd;
	}
	ret_state->more = port != NULL;
	*ret_fd_count = fd_count;
}
