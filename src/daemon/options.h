// SPDX-License-Identifier: BSD-3-Clause
// ringwayd's command line. Main thread, at start.
#pragma once

#include "base/log.h"

#include <limits.h>
#include <stdbool.h>

struct options {
	const char *run_dir;
	const char *state_dir;
	const char *switch_binary;
	const char *switch_cores; // NULL: the switch chooses.
	const char *switch_poll;  // "always", "adaptive" or NULL: the switch chooses.
	const char *switch_quiet; // Microseconds, or NULL: the switch chooses.
	const char *switch_user;
	const char *uplink_binary;
	const char *preload;
	const char *docker_name;
	const char *engine_socket;
	const char *group;
	bool no_docker;
	bool no_kernel_ports;
	bool no_spare;
	enum log_level log_level;
	char default_switch[PATH_MAX];
	char default_preload[PATH_MAX];
	char default_uplink[PATH_MAX];
};

// Fills *ret_options; ends the program on --help, --version and on errors (status 2).
void options_parse(int argc, char **argv, struct options *ret_options);
