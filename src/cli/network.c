// SPDX-License-Identifier: BSD-3-Clause
// ringway network: create, ls, inspect, rm. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"
#include "cli/table.h"

#include <errno.h>
#include <string.h>

#define PREFIX "/v1/networks/"

// Options of the design whose parts are not there yet, and what is missing.
static const struct {
	const char *option;
	const char *what;
} not_yet[] = {
	{"vlan", "VLANs"},
	{"uplink", "uplinks"},
	{"parent", "SR-IOV networks"},
	{"vfs", "SR-IOV networks"},
};

static int check_supported(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->names[0];
	for (size_t i = 0; i < sizeof(not_yet) / sizeof(not_yet[0]); i++)
		if (cli_value(args, not_yet[i].option))
			return err_set(
				&cli->error,
				-EOPNOTSUPP,
				"cannot create network '%s': ringway %s has no %s yet (--%s)",
				name,
				RINGWAY_VERSION,
				not_yet[i].what,
				not_yet[i].option
			);
	const char *driver = cli_value(args, "driver");
	if (!driver || strcmp(driver, "switch") == 0)
		return 0;
	if (strcmp(driver, "sriov") == 0)
		return err_set(
			&cli->error,
			-EOPNOTSUPP,
			"cannot create network '%s': ringway %s has no SR-IOV networks yet "
			"(--driver sriov)",
			name,
			RINGWAY_VERSION
		);
	err_set(&cli->error,
		-EINVAL,
		"cannot create network '%s': there is no driver '%s'",
		name,
		driver);
	return err_hint(&cli->error, "use --driver switch, the default");
}

static json_t *make_request(const struct cli_args *args, long long mtu)
{
	// "s*" leaves out what was not given.
	json_t *body = json_pack(
		"{s:s, s:s*, s:s*, s:s*}",
		"name",
		args->names[0],
		"subnet",
		cli_value(args, "subnet"),
		"gateway",
		cli_value(args, "gateway"),
		"driver",
		cli_value(args, "driver")
	);
	if (body && cli_value(args, "mtu"))
		(void)json_object_set_new(body, "mtu", json_integer(mtu));
	if (body && cli_value(args, "no-docker"))
		(void)json_object_set_new(body, "docker", json_false());
	return body;
}

static int network_create(struct cli *cli, const struct cli_args *args)
{
	long long mtu = 0;
	if (cli_number(cli, args, "mtu", &mtu))
		return CLI_USAGE;
	if (check_supported(cli, args))
		return cli_fail(cli);
	_cleanup_json_ json_t *body = make_request(args, mtu);
	_cleanup_json_ json_t *network = NULL;
	if (!body) {
		err_set(&cli->error, -EINVAL, "cannot create a network: its name is not UTF-8");
		return cli_fail(cli);
	}
	if (cli_call(cli, "POST", "/v1/networks", body, &network))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, network);
	(void)fprintf(cli->out, "%s\n", cli_member(network, "name"));
	return CLI_OK;
}

static int network_ls(struct cli *cli, const struct cli_args *args)
{
	static const char *const titles[] = {
		"NAME", "SUBNET", "GATEWAY", ">MTU", ">PORTS", "DOCKER", NULL};
	_cleanup_json_ json_t *answer = NULL;
	json_t *network;
	size_t i;

	if (cli_call(cli, "GET", "/v1/networks", NULL, &answer))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, answer);
	_cleanup_table_ struct table *table = table_new(titles);
	json_array_foreach(json_object_get(answer, "networks"), i, network)
	{
		const char *docker_id = cli_member(network, "docker_id");
		bool wanted = json_is_true(json_object_get(network, "docker"));
		if (!table)
			break;
		table_add(table, cli_member(network, "name"));
		table_add(table, cli_member(network, "subnet"));
		table_add(table, cli_member(network, "gateway"));
		table_addf(
			table,
			"%" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(network, "mtu"))
		);
		table_addf(
			table,
			"%" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(network, "ports"))
		);
		if (docker_id[0])
			table_addf(table, "%.12s", docker_id);
		else
			table_add(table, wanted ? "pending" : "no");
	}
	return cli_print_table(cli, table);
}

static int network_inspect(struct cli *cli, const struct cli_args *args)
{
	_cleanup_json_ json_t *network = NULL;
	if (cli_call_name(cli, "GET", PREFIX, args->names[0], &network))
		return cli_fail(cli);
	return cli_print_json(cli, network);
}

static int network_rm(struct cli *cli, const struct cli_args *args)
{
	return cli_remove_each(cli, args, PREFIX);
}

static const struct cli_opt create_opts[] = {
	{"subnet", 0, "CIDR", "its addresses, as 10.77.0.0/24"},
	{"gateway", 0, "IP", "its gateway's address (default: the subnet's first)"},
	{"mtu", 0, "N", "its largest packet, 68 to 65535 (default: 1500)"},
	{"no-docker", 0, NULL, "make no Docker network for it"},
	{"driver", 0, "DRIVER", "switch (the default); sriov is not there yet"},
	{"vlan", 0, "ID", "not there yet"},
	{"uplink", 0, "DEV", "not there yet"},
	{"parent", 0, "DEV", "not there yet"},
	{"vfs", 0, "N", "not there yet"},
	{"json", 0, NULL, "print the new network as JSON"},
	{0},
};

static const struct cli_opt json_opts[] = {
	{"json", 0, NULL, "print JSON"},
	{0},
};

const struct cli_cmd network_cmds[] = {
	{"network create",
	 "NAME [options]",
	 "Make a network, and a Docker network where an engine runs.",
	 create_opts,
	 1,
	 1,
	 network_create,
	 false,
	 NULL},
	{"network ls", "[--json]", "List the networks.", json_opts, 0, 0, network_ls, false, NULL},
	{"network inspect",
	 "NAME",
	 "Show a network and the names of its ports, as JSON.",
	 json_opts,
	 1,
	 1,
	 network_inspect,
	 false,
	 NULL},
	{"network rm",
	 "NAME...",
	 "Remove networks that have no ports.",
	 NULL,
	 1,
	 CLI_ANY,
	 network_rm,
	 false,
	 NULL},
	{0},
};
