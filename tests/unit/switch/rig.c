// SPDX-License-Identifier: BSD-3-Clause
// Builds what the control thread would have built, by hand. One thread.
#include "tests/unit/switch/rig.h"

#include "switch/eal.h"
#include "switch/trunk.h"
#include "tests/lib/unit.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 12

int rig_start_eal(void **state)
{
	struct rwy_err err = {0};
	struct eal_cores cores;

	if (eal_parse_cores("", &cores, &err) || eal_start(&cores, &err)) {
		print_error("%s\n", err.msg);
		return -1;
	}
	return 0;
}

static struct worker *make_worker(struct rig *rig)
{
	const struct worker_config config = {
		.fault_fd = rig->sw.fault_fd,
		.board = &rig->board.worker[0],
		.quiet_cycles = UINT64_MAX,
		.tsc_hz = rte_get_tsc_hz(),
		.ports = &rig->sw.table,
		.fdb = rig->fdb,
		.stations = rig->sw.stations,
		.qsbr = rig->sw.qsbr,
	};
	struct rwy_err err = {0};
	struct worker *worker = worker_new(&config, &err);

	assert_non_null(worker);
	return worker;
}

struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct rwy_err err = {0};

	assert_non_null(rig);
	rig->sw.qsbr = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	assert_non_null(rig->sw.qsbr);
	assert_int_equal(rte_rcu_qsbr_init(rig->sw.qsbr, 1), 0);
	rig->fdb = rig->sw.fdb = fdb_new(rig->sw.qsbr, &err);
	assert_non_null(rig->fdb);
	rig->sw.stations = stations_new(rig->sw.qsbr, rig->fdb);
	assert_non_null(rig->sw.stations);
	rig->sw.fault_fd = eventfd(0, EFD_NONBLOCK);
	rig->sw.board = &rig->board;
	rig->sw.running = rig->sw.active = true;
	rig->sw.daemon_fd = -1;
	rig->worker = rig->sw.workers[0] = make_worker(rig);
	rig->sw.worker_count = 1;
	for (uint32_t i = 1; i <= 2; i++) {
		struct wire_network spec = {.network = i, .name = "n", .mtu = 1500};
		assert_int_equal(table_add_network(&rig->sw, &spec, &err), 0);
	}
	return rig;
}

static void free_end(struct rig_end *end)
{
	drv_ring_check(end->from);
	drv_ring_check(end->to);
	drv_memory_check(end->memory);
	drv_ring_free(end->from);
	drv_ring_free(end->to);
	drv_memory_free(end->memory);
}

void rig_free(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->end_count; i++) {
		rig->end[i].port->path = NULL;
		free_end(&rig->end[i]);
	}
	while (rig->sw.ports)
		assert_int_equal(table_remove_port(&rig->sw, rig->sw.ports->spec.port, NULL), 0);
	while (rig->sw.networks)
		assert_int_equal(
			table_remove_network(&rig->sw, rig->sw.networks->spec.network, NULL), 0
		);
	stations_free(rig->sw.stations);
	fdb_free(rig->fdb);
	close(rig->sw.fault_fd);
	worker_free(rig->worker);
	rte_free(rig->sw.qsbr);
	free(rig);
}

static struct port *add_port(struct rig *rig, const struct wire_port *as, const uint8_t *mac)
{
	struct rwy_err err = {0};
	struct wire_port spec = *as;

	spec.port = rig->sw.port_count + 1;
	spec.queues = 1;
	memcpy(spec.name, "p", 2);
	memcpy(spec.mac, mac, MAC_SIZE);
	assert_int_equal(table_add_port(&rig->sw, &spec, -1, -1, &err), 0);
	return table_port(&rig->sw, spec.port);
}

struct port *rig_port(struct rig *rig, uint32_t network, const uint8_t *mac, bool learning)
{
	const struct wire_port spec = {.network = network, .learning = learning};

	return add_port(rig, &spec, mac);
}

static void rebuild_flood(struct rig *rig, struct network *network)
{
	struct port_list *list = calloc(1, sizeof(*list) + RIG_PORTS * sizeof(list->port[0]));
	assert_non_null(list);
	for (uint32_t i = 0; i < rig->end_count; i++)
		if (rig->end[i].port->network == network)
			list->port[list->count++] = rig->end[i].port;
	free(network->flood);
	network->flood = list;
}

struct rig_end *rig_live(struct rig *rig, uint32_t network, const uint8_t *mac, bool learning)
{
	const struct wire_port spec = {.network = network, .learning = learning};

	return rig_live_as(rig, &spec, mac);
}

struct rig_end *rig_live_as(struct rig *rig, const struct wire_port *spec, const uint8_t *mac)
{
	const struct vring_config ring = {.size = RIG_RING, .header_size = HEADER};
	struct rig_end *end = &rig->end[rig->end_count++];

	end->port = add_port(rig, spec, mac);
	end->memory = drv_memory_new(1 << 20);
	end->from = drv_ring_new(end->memory, &ring);
	end->to = drv_ring_new(end->memory, &ring);
	end->from_back = drv_ring_attach(end->from, 0);
	end->to_back = drv_ring_attach(end->to, 0);
	end->path = (struct port_path){
		.rx_count = 1,
		.tx_count = 1,
		.rx[0] = {.port = end->port, .ring = &end->from_back, .call_fd = -1},
		.tx[0] = {.port = end->port, .ring = &end->to_back, .call_fd = -1},
	};
	end->port->path = &end->path;
	rebuild_flood(rig, end->port->network);
	return end;
}

struct port *rig_trunk(
	struct rig *rig,
	uint32_t network,
	uint16_t queues,
	uint32_t offloads,
	int *ret_peers
)
{
	const struct wire_port spec = {
		.port = WIRE_TRUNK_ID(network),
		.network = network,
		.name = "t",
		.queues = queues,
		.kind = WIRE_PORT_TAP,
		.offloads = offloads,
	};
	struct rwy_err err = {0};
	int own[WIRE_QUEUES_MAX];

	for (uint16_t i = 0; i < queues; i++) {
		int pair[2];
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			0
		);
		own[i] = pair[0];
		ret_peers[i] = pair[1];
	}
	assert_int_equal(trunk_add(&rig->sw, &spec, -1, own, &err), 0);
	return table_port(&rig->sw, spec.port);
}

int rig_station(
	struct rig *rig,
	struct port *port,
	const uint8_t *mac,
	uint32_t epoch,
	const char *ip,
	const char *ip6
)
{
	struct wire_station spec = {
		.port = port->spec.port, .network = port->spec.network, .epoch = epoch};

	memcpy(spec.mac, mac, MAC_SIZE);
	(void)snprintf(spec.ip, sizeof(spec.ip), "%s", ip ? ip : ""); // The tests' fit.
	(void)snprintf(spec.ip6, sizeof(spec.ip6), "%s", ip6 ? ip6 : "");
	return stations_add(rig->sw.stations, &spec, port, NULL);
}

struct fdb_entry *rig_lookup(struct rig *rig, uint32_t network, const uint8_t *mac)
{
	fdb_cache_refresh(rig->fdb, &rig->worker->cache);
	uint16_t slot = table_network(&rig->sw, network)->slot;
	return fdb_lookup(rig->fdb, &rig->worker->cache, fdb_key(slot, mac));
}

void rig_send_typed(
	struct rig_end *end,
	const uint8_t *to,
	const uint8_t *from,
	uint32_t size,
	const uint8_t *type,
	uint32_t type_size
)
{
	static uint8_t bytes[HEADER + 4096];
	struct drv_layout layout = drv_layout_one(HEADER + size);

	assert_true(size >= 2 * MAC_SIZE + type_size && size <= 4096);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes + HEADER, to, MAC_SIZE);
	memcpy(bytes + HEADER + MAC_SIZE, from, MAC_SIZE);
	memcpy(bytes + HEADER + (size_t)2 * MAC_SIZE, type, type_size);
	assert_true(drv_ring_post(end->from, &layout, bytes, 0));
}

void rig_send(
	struct rig_end *end,
	const uint8_t *to,
	const uint8_t *from,
	uint32_t size,
	uint8_t tag
)
{
	const uint8_t type[] = {0x08, 0, tag}; // IPv4, and the tag where its version is.
	rig_send_typed(end, to, from, size, type, sizeof(type));
}

void rig_refill(struct rig_end *end, uint32_t count)
{
	struct drv_layout layout = drv_layout_one(2048);
	for (uint32_t i = 0; i < count; i++)
		assert_true(drv_ring_post(end->to, &layout, NULL, i));
}

uint32_t rig_forward(struct rig *rig, struct rig_end *end)
{
	fdb_cache_refresh(rig->fdb, &rig->worker->cache);
	return forward_queue(rig->worker, &end->path.rx[0], FRAME_BURST_MAX);
}

int rig_receive(struct rig_end *end)
{
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};

	if (!drv_ring_collect(end->to, &used))
		return -1;
	assert_true(used.size > HEADER + 14);
	return bytes[HEADER + 14];
}
