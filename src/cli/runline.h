// SPDX-License-Identifier: BSD-3-Clause
// The words after `ringway run`: Ringway's own options taken out, docker's noted, the image found.
// Pure; any thread.
#pragma once

#include "base/err.h"
#include "base/portlimits.h"
#include "cli/strv.h"

#include <stdbool.h>
#include <stddef.h>

#define RUN_NETWORKS_MAX 16

// One --network NET[,opt=..]. The strings are the network's own.
struct run_network {
	char *name;
	char *mac;
	char *ip;
	char *attach; // "vhost", "kernel", "vf" or "vf-kernel"; NULL: as the network has it.
	char *queues;
	char *vfs;
	char *function;
	char *learning;
	char *offloads;
	char *allow_spoof;
	char *pin_address;
	char *limits
		[PORT_LIMITS_OPTION_COUNT]; // rate=, burst= and flood-rate=, of several with blanks between.
	struct strv fields;	 // Docker's own fields of --network that are passed on: "alias=x".
	struct strv driver_opts; // "K=V"
};

// One of docker's options, as it was given.
struct run_option {
	const char *name; // Long: without "--". NULL for a short one.
	char letter;
	bool joined;	   // Shares its word with the option before it: the t of -it.
	bool boolean;	   // Its value, if any, stands behind '='.
	bool attached;	   // --name=value rather than --name value.
	bool no_create;	   // docker create does not know it.
	const char *value; // NULL: none.
};

struct run_line {
	struct run_network networks[RUN_NETWORKS_MAX];
	size_t network_count;
	struct run_option *options;
	size_t option_count;
	char **image; // The image and what follows it, up to NULL.
	const char *name;
	const char *preload; // The user's own LD_PRELOAD, or NULL.
	const char *detach_keys;
	const char *platform;
	const char *pull;
	const char *run_dir;
	bool detach;
	bool interactive;
	bool dry_run;
	bool help;
	bool publishes;	  // Ports, with -p or -P.
	bool has_memlock; // A limit of locked memory, with --ulimit.
	// Options that apply to the first network.
	const char *ip;
	const char *mac;
	// What --queues and --vfs say for networks that do not say themselves.
	const char *queues;
	const char *vfs;
	const char *user; // Of --user; NULL: the image's.
	const char *cpus; // Of --cpuset-cpus.
};

// Takes argv (ends with NULL) apart. The line keeps pointers into it. -EINVAL with the usage error,
// -ENOMEM. With --help the rest is not looked at.
int run_line_parse(struct run_line *line, char **argv, struct rwy_err *err);
void run_line_fini(struct run_line *line);

// Adds docker's options as words; `create`: only those that docker create knows.
void run_line_options(const struct run_line *line, bool create, struct strv *ret_words);

// The limits that a network's options give. run_line_parse() has checked them.
struct port_limits_given run_network_limits(const struct run_network *network);

// Whether a network's port is an ordinary interface.
bool run_network_is_kernel(const struct run_network *network);

// What an option says that is a number from 1 on; 0 when it was not given. run_line_parse() has checked it.
long run_number(const char *text);
