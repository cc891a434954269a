// SPDX-License-Identifier: BSD-3-Clause
// ringway port: add, set, ls, inspect, rm. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"
#include "cli/table.h"

#include <errno.h>
#include <string.h>

#define PREFIX "/v1/ports/"
#define QUEUES_SHOWN 64 // More than a port has.

// ringwayd has another working directory than this program. The caller frees the result.
static char *absolute_path(const char *path)
{
	char *absolute = NULL;
	_cleanup_free_ char *here = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
	if (!here || asprintf(&absolute, "%s%s%s", here, here[0] ? "/" : "", path) < 0)
		return NULL;
	return absolute;
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
	if (body &&
	    (cli_add_switch(cli, args, "learning", body) ||
	     cli_add_switch(cli, args, "offloads", body) || cli_add_limits(cli, args, body)))
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

static int compare_cores(const void *a, const void *b)
{
	const int *x = a;
	const int *y = b;
	return (*x > *y) - (*x < *y);
}

// The CPUs in order, each once: "1,12".
static void add_cores(struct table *table, int *cores, size_t count)
{
	char text[QUEUES_SHOWN * 12] = ""; // A number of 32 bits and a comma for each.
	qsort(cores, count, sizeof(cores[0]), compare_cores);
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(text);
		if (!i || cores[i] != cores[i - 1])
			(void)snprintf( // It fits.
				text + used,
				sizeof(text) - used,
				"%s%d",
				used ? "," : "",
				cores[i]
			);
	}
	table_add(table, text);
}

// The CPUs of the workers that poll the port's queues, and how many of these are awake.
static void add_polling(struct table *table, json_t *port)
{
	json_t *queues = json_object_get(port, "receive_queues");
	int cores[QUEUES_SHOWN];
	size_t count = 0;
	size_t awake = 0;
	json_t *queue;
	size_t i;
	json_array_foreach(queues, i, queue)
	{
		if (i == QUEUES_SHOWN)
			break;
		awake += json_is_true(json_object_get(queue, "awake"));
		cores[count++] = (int)json_integer_value(json_object_get(queue, "core"));
	}
	add_cores(table, cores, count);
	if (awake && awake < count)
		table_addf(table, "%zu/%zu awake", awake, count);
	else
		table_add(table, !count ? "" : awake ? "awake" : "asleep");
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
	add_polling(table, port);
	const char *path = cli_member(port, "socket");
	table_add(table, path[0] ? path : cli_member(port, "connect"));
}

static int port_ls(struct cli *cli, const struct cli_args *args)
{
	static const char *const titles[] = {
		"NAME",
		"NETWORK",
		"ATTACH",
		"MAC",
		"IP",
		">QUEUES",
		"STATE",
		"CPUS",
		"POLLING",
		"SOCKET",
		NULL,
	};
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

static int port_set(struct cli *cli, const struct cli_args *args)
{
	_cleanup_free_ char *path = client_path(PREFIX, args->names[0], "");
	_cleanup_json_ json_t *body = json_object();
	_cleanup_json_ json_t *port = NULL;
	if (!args->names[0][0])
		return cli_usage(cli, args->cmd, "an empty name names nothing");
	if (!path || !body) {
		err_set(&cli->error, -ENOMEM, "cannot change a port: no memory");
		return cli_fail(cli);
	}
	if (cli_add_limits(cli, args, body))
		return CLI_USAGE;
	if (!json_object_size(body))
		return cli_usage(
			cli, args->cmd, "nothing to set: give --rate, --burst or --flood-rate"
		);
	if (cli_call(cli, "PATCH", path, body, &port))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, port);
	(void)fprintf(cli->out, "%s\n", args->names[0]);
	return CLI_OK;
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

// clang-format off
#define LIMIT_OPTS \
	{"rate", 0, "RATE..", "limit it: 100M is bits/s, 50kfps frames/s"}, \
	{"burst", 0, "SIZE..", "what may go at once: 64k is bytes; 256frames"}, \
	{"flood-rate", 0, "N", "frames/s that it may send to all or to unknown addresses"}
// clang-format on

static const char limit_help[] =
	"A limit is for both directions, or for one with rx: or tx: in front (rx:100M). rx is what\n"
	"the switch takes from the port, tx what it delivers to it. 'none' takes a limit away.\n";

static const struct cli_opt add_opts[] = {
	{"network", 0, "NET", "the network that it joins"},
	{"attach", 0, "HOW", "how its user reaches it: vhost"},
	{"mac", 0, "MAC", "its address (default: one is made)"},
	{"ip", 0, "CIDR", "its user's address, as 10.77.0.9/24; only noted"},
	{"queues", 0, "N", "queue pairs, 1 to 16 (default: 1)"},
	{"learning", 0, "on|off", "accept and learn other source addresses"},
	{"offloads", 0, "on|off", "offer checksum and segmentation offloads (default: on)"},
	LIMIT_OPTS,
	{"connect", 0, "PATH", "connect to this socket instead of listening on one"},
	{"json", 0, NULL, "print the new port as JSON"},
	{0},
};

static const struct cli_opt set_opts[] = {
	LIMIT_OPTS,
	{"json", 0, NULL, "print the port as JSON"},
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
	 limit_help},
	{"port set",
	 "NAME [--rate RATE] [--burst SIZE] [--flood-rate N]",
	 "Change a port's limits while it is connected.",
	 set_opts,
	 1,
	 1,
	 port_set,
	 false,
	 limit_help},
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
