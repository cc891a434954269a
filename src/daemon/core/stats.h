// SPDX-License-Identifier: BSD-3-Clause
// What the API says about the switch, beside service_stats(). Any thread, under the lock.
#pragma once

#include "daemon/core/daemon.h"

#include <jansson.h>

// Adds "stats", "features", "negotiated", "regions", "memory", "queues_live" and "receive_queues" of a port.
// -ENOENT, -EAGAIN.
int stats_add_port(struct daemon *d, const char *name, json_t *object, struct rwy_err *err);

// Adds "receive_queues" to each of `ports`, an array of the API's ports in order of id. -EAGAIN: some lack it.
int stats_add_queues(struct daemon *d, json_t *ports, struct rwy_err *err);

// Adds "uplink", without its counters, to the ether ports among `ports`, an array of the API's ports. Waits as uplinks_stats() does.
void stats_add_uplinks(struct daemon *d, json_t *ports);

// Adds "switch" of GET /v1/version.
void stats_describe_switch(struct daemon *d, json_t *object);

// Adds "trunk", its counters, to a network's object where it has one that the switch knows.
void stats_add_trunk(struct daemon *d, uint32_t network, json_t *object);

// Adds "kernel_ports", "published_ports" and "ether_ports" of GET /v1/version: whether there are any, or why not.
void stats_describe_kernel(const struct daemon *d, json_t *object);

// counters.c: objects of their own; NULL without memory.
json_t *counters_integer(uint64_t value);
json_t *counters_of_switch(const struct wire_port_stats *stats);
json_t *counters_of_kernel(const struct daemon *d, const struct port *port);
json_t *counters_of_function(const struct daemon *d, const struct port *port);
json_t *counters_of_uplink(const struct daemon *d, const struct port *port);
