// SPDX-License-Identifier: BSD-3-Clause
// ringway network: create, ls, inspect, rm. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "base/functionrate.h"
#include "cli/cli.h"
#include "cli/functions.h"
#include "cli/table.h"

#include <errno.h>
#include <string.h>

#define PREFIX "/v1/networks/"

static json_t *make_request(const struct cli_args *args, long long mtu)
{
	// "s*" leaves out what was not given.
	json_t *body = json_pack(
		"{s:s, s:s*, s:s*}",
		"name",
		args->names[0],
		"driver",
		cli_value(args, "driver"),
		"uplink",
		cli_value(args, "uplink")
	);
	if (body && cli_value(args, "mtu"))
		(void)json_object_set_new(body, "mtu", json_integer(mtu));
	if (body && cli_value(args, "no-docker"))
		(void)json_object_set_new(body, "docker", json_false());
	if (body && cli_value(args, "internal"))
		(void)json_object_set_new(body, "internal", json_true());
	if (body && cli_value(args, "proxy-neighbors"))
		(void)json_object_set_new(body, "proxy_neighbors", json_true());
	if (body && cli_value(args, "no-gateway"))
		(void)json_object_set_new(body, "gateway_port", json_false());
	return body;
}

struct aux_list {
	struct cli *cli;
	const struct cli_args *args;
	json_t *object;
};

static int add_aux(void *arg, const char *value)
{
	const struct aux_list *list = arg;
	const char *ip = strchr(value, '=');
	size_t length = ip ? (size_t)(ip - value) : 0;
	if (!length || !ip[1]) {
		(void)cli_usage(
			list->cli, list->args->cmd, "--aux-address must be NAME=IP, not '%s'", value
		);
		return -EINVAL;
	}
	_cleanup_free_ char *name = strndup(value, length);
	if (!name)
		return -ENOMEM;
	if (json_object_get(list->object, name)) {
		(void)cli_usage(list->cli, list->args->cmd, "--aux-address has '%s' twice", name);
		return -EINVAL;
	}
	return json_object_set_new(list->object, name, json_string(ip + 1)) ? -ENOMEM : 0;
}

static int add_aux_addresses(struct cli *cli, const struct cli_args *args, json_t *body)
{
	struct aux_list list = {cli, args, json_object()};
	int r = cli_each_value(args, "aux-address", add_aux, &list);
	if (r || json_object_size(list.object) == 0) {
		json_decref(list.object);
		return r;
	}
	return json_object_set_new(body, "aux", list.object) ? -ENOMEM : 0;
}

// 0, or a negative errno; usage errors are said.
static int add_addresses(struct cli *cli, const struct cli_args *args, json_t *body)
{
	static const char *const subnets[] = {"subnet", "subnet6"};
	static const char *const gateways[] = {"gateway", "gateway6"};
	const char *subnet6 = cli_value(args, "ipv6-subnet");
	int r = cli_add_by_family(cli, args, "subnet", subnets, body);
	if (!r)
		r = cli_add_by_family(cli, args, "gateway", gateways, body);
	if (!r)
		r = add_aux_addresses(cli, args, body);
	if (!r)
		r = cli_add_vlan(cli, args, body);
	if (!r && cli_value(args, "ip-range"))
		r = json_object_set_new(body, "ip_range", json_string(cli_value(args, "ip-range")));
	if (r || !subnet6)
		return r;
	if (json_object_get(body, "subnet6")) {
		(void)cli_usage(
			cli, args->cmd, "--ipv6-subnet and an IPv6 --subnet contradict each other"
		);
		return -EINVAL;
	}
	return json_object_set_new(body, "subnet6", json_string(subnet6));
}

static int add_rates(struct cli *cli, const struct cli_args *args, json_t *body)
{
	const char *text = cli_value(args, "rate");
	struct function_rate rate = FUNCTION_RATE_NONE;
	struct rwy_err err = {0};
	if (!text)
		return 0;
	if (function_rate_parse(text, &rate, &err)) {
		(void)cli_usage(cli, args->cmd, "--rate: %s", err.msg);
		return -EINVAL;
	}
	if (rate.min >= 0 && json_object_set_new(body, "rate_min", json_integer(rate.min)))
		return -ENOMEM;
	if (rate.max >= 0 && json_object_set_new(body, "rate_max", json_integer(rate.max)))
		return -ENOMEM;
	return 0;
}

// --pf-pci is the parent's address, for one that has no interface here.
static int add_parent(struct cli *cli, const struct cli_args *args, json_t *body)
{
	const char *parent = cli_value(args, "parent");
	const char *pci = cli_value(args, "pf-pci");
	if (parent && pci && strcmp(parent, pci) != 0) {
		(void)cli_usage(cli, args->cmd, "--parent and --pf-pci contradict each other");
		return -EINVAL;
	}
	if (!parent)
		parent = pci;
	return parent ? json_object_set_new(body, "parent", json_string(parent)) : 0;
}

static int add_link_state(struct cli *cli, const struct cli_args *args, json_t *body)
{
	static const char *const words[] = {"auto", "enable", "disable"};
	const char *state = cli_value(args, "link-state");
	for (size_t i = 0; state && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(state, words[i]) == 0)
			return json_object_set_new(body, "link_state", json_string(state));
	if (!state)
		return 0;
	(void
	)cli_usage(cli, args->cmd, "--link-state must be auto, enable or disable, not '%s'", state);
	return -EINVAL;
}

// 0, or a negative errno; usage errors are said.
static int add_functions(struct cli *cli, const struct cli_args *args, json_t *body)
{
	int r = add_parent(cli, args, body);
	if (!r)
		r = cli_add_number(cli, args, "vfs", "vfs", body);
	if (!r)
		r = cli_add_switch(cli, args, "trust", body);
	if (!r)
		r = cli_add_switch_as(cli, args, "spoofchk", "spoof_check", body);
	if (!r)
		r = add_link_state(cli, args, body);
	if (!r)
		r = add_rates(cli, args, body);
	if (!r && cli_value(args, "allow-unsafe-noiommu"))
		r = json_object_set_new(body, "noiommu", json_true());
	return r;
}

static int check_empty(struct cli *cli, const struct cli_args *args)
{
	static const char *const words[] = {"uplink", "driver", "parent", "pf-pci"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (cli_refuse_empty(cli, args, words[i]))
			return -EINVAL;
	return 0;
}

static int network_create(struct cli *cli, const struct cli_args *args)
{
	long long mtu = 0;
	if (check_empty(cli, args) || cli_number(cli, args, "mtu", &mtu))
		return CLI_USAGE;
	_cleanup_json_ json_t *body = make_request(args, mtu);
	_cleanup_json_ json_t *network = NULL;
	int r = body ? add_addresses(cli, args, body) : -ENOMEM;
	if (!r)
		r = add_functions(cli, args, body);
	if (r == -EINVAL)
		return CLI_USAGE;
	if (r) {
		err_set(&cli->error, -EINVAL, "cannot create a network: its values are not UTF-8");
		return cli_fail(cli);
	}
	if (cli_call(cli, "POST", "/v1/networks", body, &network))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, network);
	(void)fprintf(cli->out, "%s\n", cli_member(network, "name"));
	return CLI_OK;
}

// Both families in one cell: "10.77.0.0/24,fd00:77::/64".
static void add_both(struct table *table, json_t *network, const char *name4, const char *name6)
{
	const char *first = cli_member(network, name4);
	const char *second = cli_member(network, name6);
	table_addf(table, "%s%s%s", first, first[0] && second[0] ? "," : "", second);
}

#define OUTSIDE_SIZE 600

// Adds a part, with a comma where one was before.
static void append(char text[OUTSIDE_SIZE], const char *part)
{
	size_t used = strlen(text);
	if (*part)
		(void)snprintf( // Paths of 255 characters, twice at most: they fit.
			text + used,
			OUTSIDE_SIZE - used,
			"%s%s",
			used ? ", " : "",
			part
		);
}

// What leads out of the network: its uplink's device, the host's NAT, functions of a NIC.
static void add_outside(struct table *table, json_t *network)
{
	const char *uplink = cli_member(network, "uplink");
	const char *parent = cli_member(network, "parent");
	json_int_t vlan = json_integer_value(json_object_get(network, "vlan"));
	json_int_t vfs = json_integer_value(json_object_get(network, "vfs"));
	bool internal = json_is_true(json_object_get(network, "internal"));
	bool gateway = (cli_member(network, "gateway")[0] || cli_member(network, "gateway6")[0]) &&
		!json_is_false(json_object_get(network, "gateway_port"));
	char text[OUTSIDE_SIZE] = "";
	char part[300] = "";
	if (vlan)
		(void)snprintf( // It fits.
			part,
			sizeof(part),
			"%s%svlan %" JSON_INTEGER_FORMAT,
			uplink,
			uplink[0] ? " " : "",
			vlan
		);
	append(text, vlan ? part : uplink);
	append(text, internal ? "internal" : gateway ? "nat" : "");
	(void)snprintf( // It fits.
		part,
		sizeof(part),
		"%" JSON_INTEGER_FORMAT " function%s of %s",
		vfs,
		vfs == 1 ? "" : "s",
		parent
	);
	append(text, parent[0] ? part : "");
	table_add(table, text);
}

static void add_number(struct table *table, json_t *network, const char *name)
{
	table_addf(
		table, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(network, name))
	);
}

static void add_row(struct table *table, json_t *network)
{
	const char *docker_id = cli_member(network, "docker_id");
	bool wanted = json_is_true(json_object_get(network, "docker"));
	table_add(table, cli_member(network, "name"));
	add_both(table, network, "subnet", "subnet6");
	add_both(table, network, "gateway", "gateway6");
	add_number(table, network, "mtu");
	add_number(table, network, "ports");
	add_outside(table, network);
	if (docker_id[0])
		table_addf(table, "%.12s", docker_id);
	else
		table_add(table, wanted ? "pending" : "no");
}

static int network_ls(struct cli *cli, const struct cli_args *args)
{
	static const char *const titles[] = {
		"NAME", "SUBNET", "GATEWAY", ">MTU", ">PORTS", "OUTSIDE", "DOCKER", NULL};
	_cleanup_json_ json_t *answer = NULL;
	json_t *network;
	size_t i;

	if (cli_call(cli, "GET", "/v1/networks", NULL, &answer))
		return cli_fail(cli);
	if (cli_value(args, "functions"))
		return functions_ls(cli, answer, cli_value(args, "json") != NULL);
	if (cli_value(args, "json"))
		return cli_print_json(cli, answer);
	_cleanup_table_ struct table *table = table_new(titles);
	json_array_foreach(json_object_get(answer, "networks"), i, network)
	{
		if (table)
			add_row(table, network);
	}
	return cli_print_table(cli, table);
}

static int network_inspect(struct cli *cli, const struct cli_args *args)
{
	_cleanup_json_ json_t *network = NULL;
	if (cli_call_name(cli, "GET", PREFIX, args->names[0], &network))
		return cli_fail(cli);
	if (cli_value(args, "functions") && !cli_value(args, "json"))
		return functions_show(cli, network);
	return cli_print_json(cli, network);
}

static int network_rm(struct cli *cli, const struct cli_args *args)
{
	return cli_remove_each(cli, args, PREFIX);
}

static const struct cli_opt create_opts[] = {
	{"subnet", 0, "CIDR..", "its addresses, as 10.77.0.0/24; once for each family"},
	{"ipv6-subnet", 0, "CIDR", "its IPv6 addresses, as fd00:77::/64"},
	{"gateway", 0, "IP..", "its gateway's address (default: the subnet's first)"},
	{"ip-range", 0, "CIDR", "where Docker picks containers' addresses from"},
	{"aux-address", 0, "N=IP..", "an address that is in use and given to nobody"},
	{"mtu", 0, "N", "its largest packet, 68 to 65535 (default: 1500)"},
	{"internal", 0, NULL, "no way out: no NAT, no published ports, no default route"},
	{"no-gateway", 0, NULL, "the host takes no part in it: no gateway, so no NAT"},
	{"proxy-neighbors", 0, NULL, "answer ARP and ND for the ports that are known"},
	{"uplink", 0, "DEV", "join this device: eth1, xdp:eth1, a PCI address, net_.."},
	{"vlan", 0, "ID", "with --uplink or --parent: the VLAN there, 1 to 4094"},
	{"no-docker", 0, NULL, "make no Docker network for it"},
	{"driver", 0, "DRIVER", "switch (the default), or sriov: functions of a NIC alone"},
	{"parent", 0, "DEV", "the NIC that functions are of: eth2, a PCI address"},
	{"pf-pci", 0, "ADDRESS", "the same by its PCI address, whatever driver it has"},
	{"vfs", 0, "N", "with --parent: how many functions the network has"},
	{"trust", 0, "[on|off]", "functions may become promiscuous and change their MAC"},
	{"spoofchk", 0, "on|off", "functions are held to their MAC"},
	{"link-state", 0, "STATE", "of functions: auto, enable or disable"},
	{"rate", 0, "RATE..", "what a function may send: [min:|max:]1G"},
	{"allow-unsafe-noiommu", 0, NULL, "without an IOMMU: containers reach all memory"},
	{"json", 0, NULL, "print the new network as JSON"},
	{0},
};

static const struct cli_opt ls_opts[] = {
	{"functions", 0, NULL, "list the networks' functions of NICs instead"},
	{"json", 0, NULL, "print JSON"},
	{0},
};

static const struct cli_opt inspect_opts[] = {
	{"functions", 0, NULL, "show its functions of a NIC, as a table"},
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
	{"network ls",
	 "[--functions] [--json]",
	 "List the networks.",
	 ls_opts,
	 0,
	 0,
	 network_ls,
	 false,
	 NULL},
	{"network inspect",
	 "NAME [--functions]",
	 "Show a network, its functions and the names of its ports, as JSON.",
	 inspect_opts,
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
