// SPDX-License-Identifier: BSD-3-Clause
// ringway port ls: a row for each port. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/port.h"
#include "cli/published.h"
#include "cli/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define QUEUES_SHOWN 64 // More than a port has.

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

// Its network, whose own port it is, its container's key, or the port that it was made with.
static void add_owner(struct table *table, json_t *port)
{
	static const char *const members[] = {"owner", "container", "with"};
	size_t i = 0;
	while (i < 2 && !cli_member(port, members[i])[0])
		i++;
	table_add(table, cli_member(port, members[i]));
}

static bool is_attached(json_t *port, const char *attach)
{
	return strcmp(cli_member(port, "attach"), attach) == 0;
}

static void add_addresses(struct table *table, json_t *port)
{
	const char *ip = cli_member(port, "ip");
	const char *ip6 = cli_member(port, "ip6");
	table_addf(table, "%s%s%s", ip, ip[0] && ip6[0] ? "," : "", ip6);
}

// Why the port does not do what its user expects of it, or "".
static const char *trouble_of(json_t *port)
{
	json_t *uplink = json_object_get(port, "uplink");
	if (cli_member(port, "reason")[0])
		return cli_member(port, "reason");
	if (cli_member(uplink, "reason")[0])
		return cli_member(uplink, "reason");
	return strcmp(cli_member(uplink, "link"), "down") == 0 ? "the link is down" : "";
}

static const char *first_of(json_t *port, const char *name, const char *other)
{
	return cli_member(port, name)[0] ? cli_member(port, name) : cli_member(port, other);
}

// Where the port's user finds it: a socket, an interface and its namespace, a device and its VLAN, or a function's node.
static void add_place(struct table *table, json_t *port)
{
	const char *place = "", *netns = "";
	const char *trouble = trouble_of(port);
	json_int_t vlan = json_integer_value(json_object_get(port, "vlan"));
	char more[80] = "";
	if (is_attached(port, "kernel") || is_attached(port, "vf-kernel")) {
		netns = first_of(port, "sandbox", "netns");
		// What Docker took into a container is called eth0 there, or another number.
		bool is_taken = cli_member(port, "sandbox")[0];
		place = is_taken ? "eth*" : cli_member(port, "interface");
	} else {
		place = first_of(port, "device", "socket");
		if (!place[0])
			place = cli_member(port, "connect");
		if (!place[0])
			place = cli_member(port, "vfio");
	}
	if (cli_member(port, "function")[0])
		(void)snprintf( // It fits.
			more,
			sizeof(more),
			"%s%.60s",
			place[0] ? " of " : "",
			cli_member(port, "function")
		);
	else if (vlan)
		(void)snprintf(more, sizeof(more), " vlan %" JSON_INTEGER_FORMAT, vlan); // Fits.
	table_addf(
		table,
		trouble[0] ? "%s%s%s%s (%s)" : "%s%s%s%s",
		place,
		more,
		netns[0] ? " in " : "",
		netns,
		trouble
	);
}

static void add_row(struct table *table, json_t *port)
{
	table_add(table, cli_member(port, "name"));
	table_add(table, cli_member(port, "network"));
	table_add(table, cli_member(port, "attach"));
	add_owner(table, port);
	table_add(table, cli_member(port, "mac"));
	add_addresses(table, port);
	if (is_attached(port, "kernel") || cli_member(port, "function")[0])
		table_add(table, NULL); // The host's kernel has them, or the NIC.
	else
		table_addf(
			table,
			"%" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(port, "queues"))
		);
	table_add(table, cli_member(port, "state"));
	add_polling(table, port);
	_cleanup_free_ char *published = published_text(json_object_get(port, "published"));
	table_add(table, published);
	add_place(table, port);
}

int port_ls(struct cli *cli, const struct cli_args *args)
{
	static const char *const titles[] = {
		"NAME",
		"NETWORK",
		"ATTACH",
		"OWNER",
		"MAC",
		"IP",
		">QUEUES",
		"STATE",
		"CPUS",
		"POLLING",
		"PUBLISHED",
		"AT",
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
