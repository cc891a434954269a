// SPDX-License-Identifier: BSD-3-Clause
// The switch's counters as docs/api.md has them. Any thread, under the lock.
#include "daemon/core/stats.h"

#include "base/fields.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"
#include "daemon/model/features.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

// The receive queues that are live, and the workers that poll them.
static json_t *port_queues(const struct wire_port_stats *stats)
{
	json_t *queues = json_array();
	for (uint32_t i = 0; i < stats->queue_count; i++) {
		const struct wire_queue_stats *queue = &stats->queues[i];
		// Out of memory: a queue is missing.
		(void)json_array_append_new(
			queues,
			json_pack(
				"{s:I, s:I, s:b, s:o}",
				"pair",
				(json_int_t)queue->pair,
				"core",
				(json_int_t)queue->core,
				"awake",
				(int)queue->awake,
				"frames",
				counters_integer(queue->frames)
			)
		);
	}
	return queues;
}

// Of ports that the switch does not have.
static json_t *counters_beside(const struct daemon *d, const struct port *port)
{
	return port_is_vf(port) ? counters_of_function(d, port) : counters_of_kernel(d, port);
}

static uint32_t state_beside(const struct daemon *d, const struct port *port)
{
	struct port_info info;
	port_fill(d, port, &info);
	return info.state;
}

// stats: NULL of a port that the switch does not have.
static json_t *port_entry(
	const struct daemon *d,
	const struct port *port,
	const struct wire_port_stats *stats
)
{
	json_t *entry = json_pack(
		"{s:s, s:s, s:s, s:s}",
		"name",
		port->info.spec.name,
		"network",
		port->network->info.spec.name,
		"attach",
		port->info.spec.attach,
		"state",
		wire_port_state_text(stats ? stats->state : state_beside(d, port))
	);
	json_t *counters = stats ? counters_of_switch(stats) : counters_beside(d, port);
	// Out of memory: members are missing.
	(void)json_object_update(entry, counters);
	json_decref(counters);
	if (port->info.spec.of_network)
		(void)json_object_set_new(entry, "owner", json_string("network"));
	if (stats)
		(void)json_object_set_new(entry, "receive_queues", port_queues(stats));
	if (port_is_ether(port))
		(void)json_object_set_new(entry, "uplink", counters_of_uplink(d, port));
	return entry;
}

static json_t *switch_entry(const struct daemon *d, const struct wire_stats *stats)
{
	json_t *workers = json_array();
	for (uint32_t i = 0; i < stats->worker_count; i++) {
		const struct wire_worker_stats *worker = &stats->workers[i];
		// Out of memory: a worker is missing.
		(void)json_array_append_new(
			workers,
			json_pack(
				"{s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:o}",
				"core",
				(json_int_t)worker->core,
				"busy_cycles",
				counters_integer(worker->busy_cycles),
				"idle_cycles",
				counters_integer(worker->idle_cycles),
				"turns",
				counters_integer(worker->turns),
				"frames",
				counters_integer(worker->frames),
				"queues",
				(json_int_t)worker->queues,
				"awake",
				(json_int_t)worker->awake,
				"sleeps",
				counters_integer(worker->sleeps)
			)
		);
	}
	return json_pack(
		"{s:I, s:o, s:o}",
		"pid",
		(json_int_t)link_pid(d->link),
		"cpu_ns",
		counters_integer(stats->cpu_ns),
		"workers",
		workers
	);
}

static int fetch(struct daemon *d, uint32_t after, struct wire_msg **ret_msg, struct rwy_err *err)
{
	struct wire_msg *msg = link_msg(d->link, WIRE_STATS);
	msg->args.after.after = after;
	int r = link_request(d->link, msg, err);
	if (!r)
		*ret_msg = msg;
	return r;
}

// Ports that the switch does not have from *at on, whose ids are below `below`: all are in order of id.
static void add_kernel(struct daemon *d, const struct port **at, uint32_t below, json_t *ports)
{
	for (; *at && (*at)->info.id < below; *at = TAILQ_NEXT(*at, entry))
		if (!port_is_switched(*at))
			(void)json_array_append_new(ports, port_entry(d, *at, NULL));
}

// Ports that went meanwhile are left out, and trunks, which are no ports to anybody else.
static uint32_t add_ports(
	struct daemon *d,
	const struct wire_stats *stats,
	const struct port **at,
	json_t *ports
)
{
	uint32_t last = 0;
	for (uint32_t i = 0; i < stats->port_count; i++) {
		const struct port *port = daemon_find_port_id(d, stats->ports[i].port);
		last = stats->ports[i].port;
		add_kernel(d, at, last, ports);
		if (port)
			(void)json_array_append_new(ports, port_entry(d, port, &stats->ports[i]));
	}
	return last;
}

static void set_head(struct daemon *d, const struct wire_stats *stats, json_t *object)
{
	(void)json_object_set_new(object, "time_ns", counters_integer(stats->time_ns));
	(void)json_object_set_new(object, "tsc_hz", counters_integer(stats->tsc_hz));
	(void)json_object_set_new(object, "switch", switch_entry(d, stats));
}

static int all_stats(struct daemon *d, json_t *object, struct rwy_err *err)
{
	struct wire_msg *msg = NULL;
	const struct port *at = TAILQ_FIRST(&d->ports);
	uint32_t after = 0;
	bool more = true;
	_cleanup_json_ json_t *ports = json_array();
	while (more) {
		int r = fetch(d, after, &msg, err);
		if (r)
			return r;
		const struct wire_stats *stats = &msg->args.stats;
		if (!after)
			set_head(d, stats, object);
		uint32_t last = add_ports(d, stats, &at, ports);
		more = stats->more && last > after;
		after = last;
	}
	add_kernel(d, &at, UINT32_MAX, ports);
	return json_object_set(object, "ports", ports) ? -ENOMEM : 0;
}

static int one_port(
	struct daemon *d,
	const char *name,
	struct wire_msg **ret_msg,
	struct rwy_err *err
)
{
	struct port_info info;
	int r = service_port_get(d, name, &info, err);
	if (!r)
		r = fetch(d, info.id - 1, ret_msg, err);
	if (r)
		return r;
	const struct wire_stats *stats = &(*ret_msg)->args.stats;
	if (stats->port_count && stats->ports[0].port == info.id)
		return 0;
	return err_set(err, -EAGAIN, "the switch does not have port '%s' yet", name);
}

// The switch's head goes with every answer, so that rates can be made of two; of a page that has no port.
static int kernel_port(
	struct daemon *d,
	const struct port *port,
	json_t *object,
	struct rwy_err *err
)
{
	struct wire_msg *msg = NULL;
	int r = fetch(d, UINT32_MAX, &msg, err);
	if (r)
		return r;
	json_t *ports = json_array();
	(void)json_array_append_new(ports, port_entry(d, port, NULL));
	set_head(d, &msg->args.stats, object);
	return json_object_set_new(object, "ports", ports) ? -ENOMEM : 0;
}

int service_stats(struct daemon *d, const char *port, json_t *ret_object, struct rwy_err *err)
{
	struct wire_msg *msg = NULL;
	if (!port)
		return all_stats(d, ret_object, err);
	const struct port *found = daemon_find_port(d, port);
	if (found && !port_is_switched(found))
		return kernel_port(d, found, ret_object, err);
	int r = one_port(d, port, &msg, err);
	if (r)
		return r;
	const struct wire_stats *stats = &msg->args.stats;
	json_t *ports = json_array();
	found = daemon_find_port_id(d, stats->ports[0].port);
	(void)json_array_append_new(ports, port_entry(d, found, &stats->ports[0]));
	set_head(d, stats, ret_object);
	return json_object_set_new(ret_object, "ports", ports) ? -ENOMEM : 0;
}

int stats_add_port(struct daemon *d, const char *name, json_t *object, struct rwy_err *err)
{
	struct wire_msg *msg = NULL;
	char features[20];
	const struct port *port = daemon_find_port(d, name);
	// Out of memory: members are missing.
	if (port && !port_is_switched(port)) {
		(void)json_object_set_new(object, "stats", counters_beside(d, port));
		return 0;
	}
	if (port && port_is_ether(port))
		(void)json_object_set_new(object, "uplink", counters_of_uplink(d, port));
	int r = one_port(d, name, &msg, err);
	if (r)
		return r;
	const struct wire_port_stats *stats = &msg->args.stats.ports[0];
	(void)snprintf(features, sizeof(features), "0x%" PRIx64, stats->features); // It fits.
	// Out of memory: members are missing.
	(void)json_object_set_new(object, "stats", counters_of_switch(stats));
	(void)json_object_set_new(object, "features", json_string(features));
	(void)json_object_set_new(object, "negotiated", features_json(stats->features));
	(void)json_object_set_new(object, "regions", json_integer(stats->regions));
	(void)json_object_set_new(
		object,
		"memory",
		json_pack(
			"{s:o, s:o}",
			"guest_bytes",
			counters_integer(stats->memory),
			"switch_bytes",
			counters_integer(stats->own_memory)
		)
	);
	(void)json_object_set_new(object, "queues_live", json_integer(stats->queues_live));
	(void)json_object_set_new(object, "receive_queues", port_queues(stats));
	return 0;
}

// Both are in order of id, so this goes through `ports` once. Returns the first that is not passed.
static size_t add_queues(json_t *ports, size_t at, const struct wire_stats *stats)
{
	for (uint32_t i = 0; i < stats->port_count; i++) {
		json_int_t id = stats->ports[i].port;
		json_t *port = json_array_get(ports, at);
		while (port && json_integer_value(json_object_get(port, "id")) < id)
			port = json_array_get(ports, ++at);
		if (port && json_integer_value(json_object_get(port, "id")) == id)
			// Out of memory: they are missing.
			(void
			)json_object_set_new(port, "receive_queues", port_queues(&stats->ports[i]));
	}
	return at;
}

int stats_add_queues(struct daemon *d, json_t *ports, struct rwy_err *err)
{
	uint32_t after = 0;
	size_t at = 0;
	bool more = json_array_size(ports) > 0;
	while (more) {
		struct wire_msg *msg = NULL;
		int r = fetch(d, after, &msg, err);
		if (r)
			return r;
		const struct wire_stats *stats = &msg->args.stats;
		at = add_queues(ports, at, stats);
		more = stats->more && stats->port_count;
		if (more)
			after = stats->ports[stats->port_count - 1].port;
	}
	return 0;
}

void stats_add_uplinks(struct daemon *d, json_t *ports)
{
	size_t i;
	json_t *object;
	json_array_foreach(ports, i, object)
	{
		const char *name = json_string_value(json_object_get(object, "name"));
		const struct port *port = name ? daemon_find_port(d, name) : NULL;
		if (!port || !port_is_ether(port))
			continue;
		json_t *uplink = counters_of_uplink(d, port);
		(void)json_object_del(uplink, "rx");
		(void)json_object_del(uplink, "tx");
		(void)json_object_del(uplink, "drops");
		// Out of memory: it is missing.
		(void)json_object_set_new(object, "uplink", uplink);
	}
}

// What the kernel dropped before the switch, in its own counters: drops.missed, and in the sum.
static void add_missed(struct daemon *d, uint32_t network, json_t *trunk)
{
	uint64_t missed = 0;
	const json_t *dropped = json_object_get(trunk, "dropped");
	if (!d->host || host_trunk_missed(d->host, network, &missed, NULL) || !missed)
		return;
	// Out of memory: they are missing.
	(void
	)json_object_set_new(json_object_get(trunk, "drops"), "missed", counters_integer(missed));
	(void)json_object_set_new(
		trunk, "dropped", counters_integer((uint64_t)json_integer_value(dropped) + missed)
	);
}

void stats_add_trunk(struct daemon *d, uint32_t network, json_t *object)
{
	struct wire_msg *msg = NULL;
	uint32_t id = WIRE_TRUNK_ID(network);
	if (fetch(d, id - 1, &msg, NULL))
		return;
	const struct wire_stats *stats = &msg->args.stats;
	if (!stats->port_count || stats->ports[0].port != id)
		return;
	json_t *trunk = counters_of_switch(&stats->ports[0]);
	add_missed(d, network, trunk);
	(void)json_object_set_new(object, "trunk", trunk); // Out of memory: it is missing.
}

static void describe(json_t *object, const char *what, bool there, const char *reason)
{
	json_t *entry = json_pack("{s:b}", "available", (int)there);
	// Out of memory: it is missing.
	if (!there)
		(void)json_object_set_new(entry, "reason", json_string(reason));
	(void)json_object_set_new(object, what, entry);
}

void stats_describe_kernel(const struct daemon *d, json_t *object)
{
	describe(object, "kernel_ports", d->host != NULL, d->host_reason);
	describe(
		object,
		"published_ports",
		d->firewall != NULL,
		d->host ? d->firewall_reason : d->host_reason
	);
	describe(object, "ether_ports", d->uplinks != NULL, d->uplinks_reason);
}

void stats_describe_switch(struct daemon *d, json_t *object)
{
	link_describe(d->link, object);
}
