// SPDX-License-Identifier: BSD-3-Clause
// Tables of functions. One thread.
#include "cli/functions.h"

#include "base/fields.h"
#include "cli/table.h"

static const char *const titles[] = {
	"FUNCTION",
	"NETWORK",
	">NR",
	"STATE",
	"PORT",
	"DRIVER",
	"INTERFACE",
	">GROUP",
	">NUMA",
	"MAC",
	">VLAN",
	"LINK",
	"RDMA",
	"WHY",
	NULL,
};

// A number that the host may not tell: absent, or negative.
static void add_number(struct table *table, json_t *function, const char *name)
{
	json_t *number = json_object_get(function, name);
	if (json_is_integer(number) && json_integer_value(number) >= 0)
		table_addf(table, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
	else
		table_add(table, NULL);
}

static void add_row(struct table *table, json_t *network, json_t *function)
{
	table_add(table, cli_member(function, "address"));
	table_add(table, cli_member(network, "name"));
	add_number(table, function, "number");
	table_add(table, cli_member(function, "state"));
	table_add(table, cli_member(function, "port"));
	table_add(table, cli_member(function, "driver"));
	table_add(table, cli_member(function, "interface"));
	add_number(table, function, "iommu_group");
	add_number(table, function, "numa_node");
	table_add(table, cli_member(function, "mac"));
	add_number(table, function, "vlan");
	table_add(table, cli_member(function, "link"));
	table_add(table, cli_member(function, "rdma"));
	table_add(table, cli_member(function, "reason"));
}

static void add_rows(struct table *table, json_t *network)
{
	json_t *function;
	size_t i;
	json_array_foreach(json_object_get(network, "functions"), i, function)
	{
		if (table)
			add_row(table, network, function);
	}
}

int functions_show(struct cli *cli, json_t *network)
{
	_cleanup_table_ struct table *table = table_new(titles);
	add_rows(table, network);
	return cli_print_table(cli, table);
}

// The networks that have functions, each as it is by itself.
static int get_networks(struct cli *cli, json_t *networks, json_t *ret_list)
{
	json_t *network;
	size_t i;
	json_array_foreach(networks, i, network)
	{
		json_t *whole = NULL;
		if (!cli_member(network, "parent")[0])
			continue;
		int r = cli_call_name(
			cli, "GET", "/v1/networks/", cli_member(network, "name"), &whole
		);
		if (r)
			return r;
		// Without memory the table says so.
		(void)json_array_append_new(ret_list, whole);
	}
	return 0;
}

int functions_ls(struct cli *cli, json_t *networks, bool json)
{
	_cleanup_json_ json_t *list = json_array();
	json_t *network;
	size_t i;
	if (get_networks(cli, json_object_get(networks, "networks"), list))
		return cli_fail(cli);
	if (json) {
		_cleanup_json_ json_t *object = json_pack("{s:O}", "networks", list);
		return cli_print_json(cli, object);
	}
	_cleanup_table_ struct table *table = table_new(titles);
	json_array_foreach(list, i, network) add_rows(table, network);
	return cli_print_table(cli, table);
}
