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

// Adds "switch" of GET /v1/version.
void stats_describe_switch(struct daemon *d, json_t *object);
