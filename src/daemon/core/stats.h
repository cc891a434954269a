// SPDX-License-Identifier: BSD-3-Clause
// What the API says about the switch, beside service_stats(). Any thread, under the lock.
#pragma once

#include "daemon/core/daemon.h"

#include <jansson.h>

// Adds "stats", "features", "regions", "memory" and "queues_live" of a port. -ENOENT, -EAGAIN.
int stats_add_port(struct daemon *d, const char *name, json_t *object, struct rwy_err *err);

// Adds "switch" of GET /v1/version.
void stats_describe_switch(struct daemon *d, json_t *object);
