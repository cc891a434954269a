// SPDX-License-Identifier: BSD-3-Clause
// The command table and what all commands share: options, errors, the client. One thread.
#pragma once

#include "base/err.h"
#include "client/client.h"

#include <stdbool.h>
#include <stdio.h>

#define CLI_OPTS_MAX 32
#define CLI_ANY 1000 // As many names as there are.

// Exit statuses. `ringway run` also gives the engine's.
enum cli_status {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2
};

// One option of a command; tables end with an empty one.
struct cli_opt {
	const char *name; // Without "--".
	char letter;	  // A short form, or 0.
	// What its value is called in the help; NULL: a flag. "NAME..": it may be given several times, and has all of
	// the values, with blanks between. "[on|off]": a flag that one of these words may follow.
	const char *value;
	const char *help;
};

struct cli;
struct cli_args;

// One command; tables end with an empty one.
struct cli_cmd {
	const char *name; // "network create"
	const char *args; // As the usage line shows them.
	const char *help; // One line.
	const struct cli_opt *opts;
	int min_names;
	int max_names;
	// Returns the exit status; has said on cli->err what failed.
	int (*run)(struct cli *cli, const struct cli_args *args);
	bool raw;	  // Splits its words itself: args->names are all that follow its name.
	const char *more; // What the help says below the options; may be NULL.
};

struct cli_args {
	const struct cli_cmd *cmd;
	const char *values[CLI_OPTS_MAX]; // By position in cmd->opts; NULL: not given.
	char **names;			  // Ends with NULL.
	int name_count;
	char *joined[CLI_OPTS_MAX]; // The values of options that were given several times.
};

struct cli {
	FILE *out;
	FILE *err;
	const char *run_dir;
	struct client *client; // Made by cli_call().
	struct rwy_err error;
};

extern const struct cli_cmd network_cmds[];
extern const struct cli_cmd port_cmds[];
extern const struct cli_cmd run_cmds[];
extern const struct cli_cmd stop_cmds[];
extern const struct cli_cmd ps_cmds[];
extern const struct cli_cmd stats_cmds[];
extern const struct cli_cmd switch_cmds[];
extern const struct cli_cmd doctor_cmds[];
extern const struct cli_cmd version_cmds[];

// The whole program; returns its exit status.
int cli_main(int argc, char **argv, FILE *out, FILE *err);

// What an option was given: NULL when it was not, "" for a flag.
const char *cli_value(const struct cli_args *args, const char *name);

// An option's whole number; *ret_number keeps its value when the option was not given. 0, or
// -EINVAL with the usage error said.
int cli_number(
	struct cli *cli,
	const struct cli_args *args,
	const char *name,
	long long *ret_number
);

// Refuses an option that was given as "": a script's empty variable would else make something else than was meant. 0, or
// -EINVAL with the usage error said.
int cli_refuse_empty(struct cli *cli, const struct cli_args *args, const char *name);

// Adds an option's whole number when it was given, as the member of this name. 0, -EINVAL with the usage error said, or -ENOMEM.
int cli_add_number(
	struct cli *cli,
	const struct cli_args *args,
	const char *option,
	const char *name,
	json_t *body
);

// Adds "limits" to body, as --rate, --burst and --flood-rate say; nothing when none was given. 0, or -EINVAL with
// the usage error said, or -ENOMEM.
int cli_add_limits(struct cli *cli, const struct cli_args *args, json_t *body);

// Adds a boolean member, true for "on" (or a flag), when the option of this name was given. 0, -EINVAL with the usage error said,
// or -ENOMEM.
int cli_add_switch(struct cli *cli, const struct cli_args *args, const char *name, json_t *body);

// The same, for an option and a member that are called differently.
int cli_add_switch_as(
	struct cli *cli,
	const struct cli_args *args,
	const char *option,
	const char *name,
	json_t *body
);

// Adds what an option was given, once for IPv4 and once for IPv6, as the members name4 and name6: texts with a ':' are IPv6.
// 0, -EINVAL with the usage error said, or -ENOMEM.
int cli_add_by_family(
	struct cli *cli,
	const struct cli_args *args,
	const char *option,
	const char *const names[2],
	json_t *body
);

// Adds "vlan" when --vlan was given. 0, -EINVAL with the usage error said, or -ENOMEM.
int cli_add_vlan(struct cli *cli, const struct cli_args *args, json_t *body);

// Calls each() with every value of an option that may be given several times, until one returns another value than
// 0, which is returned. -ENOMEM.
int cli_each_value(
	const struct cli_args *args,
	const char *name,
	int (*each)(void *arg, const char *value),
	void *arg
);

// ringwayd has another working directory than this program. The caller frees the result; NULL without memory.
char *cli_absolute_path(const char *path);

// client_call() on the API of cli->run_dir; failures are in cli->error.
int cli_call(
	struct cli *cli,
	const char *method,
	const char *path,
	json_t *body,
	json_t **ret_answer
);

// The same on prefix + name (escaped) + suffix.
int cli_call_name(
	struct cli *cli,
	const char *method,
	const char *prefix,
	const char *name,
	json_t **ret_answer
);

// Says cli->error on one line: "ringway: MESSAGE (HINT)". Returns CLI_FAILED.
int cli_fail(struct cli *cli);

// Says what is wrong with the command line and where its help is. Returns CLI_USAGE.
int cli_usage(struct cli *cli, const struct cli_cmd *cmd, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// Writes a command's help. Returns CLI_OK.
int cli_help(struct cli *cli, const struct cli_cmd *cmd);

// Writes indented JSON and a newline. Returns CLI_OK or, with the failure said, CLI_FAILED.
int cli_print_json(struct cli *cli, json_t *json);

struct table;

// Prints a table; NULL, or one that lost a cell, is said to lack memory. Returns the exit status.
int cli_print_table(struct cli *cli, const struct table *table);

// A member's string, or "" when there is none.
const char *cli_member(json_t *object, const char *name);

// DELETE prefix + name for each name; says each failure and goes on. Returns the exit status.
int cli_remove_each(struct cli *cli, const struct cli_args *args, const char *prefix);
