// SPDX-License-Identifier: BSD-3-Clause
// ringway port: add, ls, inspect, rm. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"
#include "cli/table.h"

#include <errno.h>
#include <string.h>

#define PREFIX "/v1/ports/"

// ringwayd has another working directory than this program. The caller frees the result.
static char *absolute_path(const char *path)
{
	char *absolute = NULL;
	_cleanup_free_ char *here = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
	if (!here || asprintf(&absolute, "%s%s%s", here, here[0] ? "/" : "", path) < 0)
		return NULL;
	return absolute;
}

static int add_switch(struct cli *cli, const struct cli_args *args, json_t *body)
{
	const char *text = cli_value(args, "learning");
	if (!text)
		return 0;
	bool on = text[0] == '\0' || strcmp(text, "on") == 0;
	if (!on && strcmp(text, "off") != 0) {
		(void)cli_usage(cli, args->cmd, "--learning must be on or off, not '%s'", text);
		return -EINVAL;
	}
	return json_object_set_new(body, "learning", json_boolean(on));
}

static int add_path(const struct cli_args *args, json_t *body)
{
	const char *path = cli_value(args, "connect");
	_cleanup_free_ char *absolute = path ? absolute_path(path) : NULL;
	if (!path)
		return 0;
	return absolute ? json_object_set_new(body, "connect", json_string(absolute)) : -1;
}

static json_t *make_request(const struct cli_args *args)
{
	// "s*" leaves out what was not given.
	return json_pack(
		"{s:s, s:s, s:s, s:s*, s:s*}",
		"name",
		args->names[0],
		"network",
		cli_value(args, "network"),
		"attach",
		cli_value(args, "attach"),
		"mac",
		cli_value(args, "mac"),
		"ip",
		cli_value(args, "ip")
	);
}

static int port_add(struct cli *cli, const struct cli_args *args)
{
	long long queues = 0;
	if (!cli_value(args, "network"))
		return cli_usage(cli, args->cmd, "--network is missing");
	if (!cli_value(args, "attach"))
		return cli_usage(cli, args->cmd, "--attach is missing: 'vhost', for example");
	if (cli_number(cli, args, "queues", &queues))
		return CLI_USAGE;
	_cleanup_json_ json_t *body = make_request(args);
	_cleanup_json_ json_t *port = NULL;
	if (body && add_switch(cli, args, body))
		return CLI_USAGE;
	if (body && cli_value(args, "queues"))
		(void)json_object_set_new(body, "queues", json_integer(queues));
	if (!body || add_path(args, body)) {
		err_set(&cli->error, -EINVAL, "cannot add a port: its values are not UTF-8");
		return cli_fail(cli);
	}
	if (cli_call(cli, "POST", "/v1/ports", body, &port))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, port);
	const char *path = cli_member(port, "socket");
	(void)fprintf(cli->out, "%s\n", path[0] ? path : cli_member(port, "connect"));
	return CLI_OK;
}

static void add_row(struct table *table, json_t *port)
{
	table_add(table, cli_member(port, "name"));
	table_add(table, cli_member(port, "network"));
	table_add(table, cli_member(port, "attach"));
	table_add(table, cli_member(port, "mac"));
	table_add(table, cli_member(port, "ip"));
	table_addf(
		table, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(port, "queues"))
	);
	table_add(table, cli_member(port, "state"));
	const char *path = cli_member(port, "socket");
	table_add(table, path[0] ? path : cli_member(port, "connect"));
}

static int port_ls(struct cli *cli, const struct cli_args *args)
{
	static const char *const titles[] = {
		"NAME", "NETWORK", "ATTACH", "MAC", "IP", ">QUEUES", "STATE", "SOCKET", NULL};
	const char *network = cli_value(args, "network");
	_cleanup_json_ json_t *answer = NULL;
	json_t *port;
	size_t i;

	int r = network ? cli_call_name(cli, "GET", "/v1/ports?network=", network, &answer)
			: cli_call(cli, "GET", "/v1/ports", NULL, &answer);
	if (r)
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, answer);
	_cleanup_table_ struct table *table = table_new(titles);
	json_array_foreach(json_object_get(answer, "ports"), i, port)
	{
		if (table)
			add_row(table, port);
	}
	return cli_print_table(cli, table);
}

static int port_inspect(struct cli *cli, const struct cli_args *args)
{
	_cleanup_json_ json_t *port = NULL;
	if (cli_call_name(cli, "GET", PREFIX, args->names[0], &port))
		return cli_fail(cli);
	return cli_print_json(cli, port);
}

static int port_rm(struct cli *cli, const struct cli_args *args)
{
	return cli_remove_each(cli, args, PREFIX);
}

static const struct cli_opt add_opts[] = {
	{"network", 0, "NET", "the network that it joins"},
	{"attach", 0, "HOW", "how its user reaches it: vhost"},
	{"mac", 0, "MAC", "its address (default: one is made)"},
	{"ip", 0, "CIDR", "its user's address, as 10.77.0.9/24; only noted"},
	{"queues", 0, "N", "queue pairs, 1 to 16 (default: 1)"},
	{"learning", 0, "on|off", "accept and learn other source addresses"},
	{"connect", 0, "PATH", "connect to this socket instead of listening on one"},
	{"json", 0, NULL, "print the new port as JSON"},
	{0},
};

static const struct cli_opt ls_opts[] = {
	{"network", 0, "NET", "only the ports of this network"},
	{"json", 0, NULL, "print JSON"},
	{0},
};

static const struct cli_opt json_opts[] = {
	{"json", 0, NULL, "print JSON"},
	{0},
};

const struct cli_cmd port_cmds[] = {
	{"port add",
	 "NAME --network NET --attach vhost [options]",
	 "Add a port and print the path of its socket.",
	 add_opts,
	 1,
	 1,
	 port_add,
	 false,
	 NULL},
	{"port ls",
	 "[--network NET] [--json]",
	 "List the ports.",
	 ls_opts,
	 0,
	 0,
	 port_ls,
	 false,
	 NULL},
	{"port inspect",
	 "NAME",
	 "Show a port and its counters, as JSON.",
	 json_opts,
	 1,
	 1,
	 port_inspect,
	 false,
	 NULL},
	{"port rm",
	 "NAME...",
	 "Remove ports that no container holds.",
	 NULL,
	 1,
	 CLI_ANY,
	 port_rm,
	 false,
	 NULL},
	{0},
};
