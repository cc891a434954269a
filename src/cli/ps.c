// SPDX-License-Identifier: BSD-3-Clause
// ringway ps: the containers that ringway run started. One thread.
#include "base/fields.h"
#include "cli/cli.h"
#include "cli/table.h"

#include <string.h>

// "fast=10.77.0.2, cards=40.0.0.2 (0000:03:10.0)"
static void add_ports(struct table *table, json_t *container)
{
	char text[2048] = ""; // For 16 ports.
	json_t *port;
	size_t i;
	json_array_foreach(json_object_get(container, "ports"), i, port)
	{
		size_t used = strlen(text);
		const char *ip = cli_member(port, "ip");
		const char *function = cli_member(port, "function");
		(void)snprintf(
			text + used,
			sizeof(text) - used,
			"%s%s%s%.*s%s%s%s",
			used ? ", " : "",
			cli_member(port, "network"),
			ip[0] ? "=" : "",
			(int)strcspn(ip, "/"),
			ip,
			function[0] ? " (" : "",
			function,
			function[0] ? ")" : ""
		);
	}
	table_add(table, text);
}

// Without an engine nobody knows what runs, so everything is shown.
static bool is_shown(const struct cli_args *args, json_t *container)
{
	const char *state = cli_member(container, "state");
	return cli_value(args, "all") || !state[0] || strcmp(state, "running") == 0;
}

static int ps_show(struct cli *cli, const struct cli_args *args)
{
	static const char *const titles[] = {"KEY", "NAME", "IMAGE", "STATE", "PORTS", NULL};
	_cleanup_json_ json_t *answer = NULL;
	json_t *container;
	size_t i;

	if (cli_call(cli, "GET", "/v1/containers", NULL, &answer))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, answer);
	_cleanup_table_ struct table *table = table_new(titles);
	json_array_foreach(json_object_get(answer, "containers"), i, container)
	{
		if (!table || !is_shown(args, container))
			continue;
		table_add(table, cli_member(container, "key"));
		table_add(table, cli_member(container, "name"));
		table_add(table, cli_member(container, "image"));
		table_add(table, cli_member(container, "state"));
		add_ports(table, container);
	}
	return cli_print_table(cli, table);
}

static const struct cli_opt ps_opts[] = {
	{"all", 'a', NULL, "also those that do not run"},
	{"json", 0, NULL, "print JSON, always of all"},
	{0},
};

const struct cli_cmd ps_cmds[] = {
	{"ps",
	 "[-a] [--json]",
	 "List the running containers that 'ringway run' started.",
	 ps_opts,
	 0,
	 0,
	 ps_show,
	 false,
	 NULL},
	{0},
};
