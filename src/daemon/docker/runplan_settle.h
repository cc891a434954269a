// SPDX-License-Identifier: BSD-3-Clause
// What the two files of the plan share. Pure; any thread.
#pragma once

#include "daemon/docker/runplan.h"

#include <string.h>

static inline bool runplan_is(const struct runplan_network *network, const char *attach)
{
	return strcmp(network->attach, attach) == 0;
}
