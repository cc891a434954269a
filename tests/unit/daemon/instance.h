// SPDX-License-Identifier: BSD-3-Clause
// A ringwayd without its doors, in this process, for tests of service.h. No root needed.
#pragma once

#include "daemon/core/daemon.h"

extern struct daemon *instance; // Its lock is held between start and stop.
extern char instance_run_dir[80];
extern char instance_state_dir[80];

void instance_start(void);
void instance_stop(bool end_switch);

// For cmocka: directories and a first start; an end and their removal.
int instance_setup(void **state);
int instance_teardown(void **state);

bool instance_has_file(const char *name); // Below the directory of both.
