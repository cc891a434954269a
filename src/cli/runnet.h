// SPDX-License-Identifier: BSD-3-Clause
// What --network says to ringway run: NET[,opt=..] or docker's name=NET,... . Pure; any thread.
#pragma once

#include "cli/runline.h"

// Adds one network to the line. -EINVAL with the usage error, -ENOMEM.
int run_network_add(struct run_line *line, const char *text, struct rwy_err *err);
// Gives the first network what --ip and --mac-address say, and checks every network's values.
int run_network_finish(struct run_line *line, struct rwy_err *err);
void run_network_fini(struct run_network *network);
