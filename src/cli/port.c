// SPDX-License-Identifier: BSD-3-Clause
// ringway port: add, set, inspect, rm; ls is in portlist.c. One thread.
#include "cli/port.h"

#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

#define PREFIX "/v1/ports/"
#define NAMED_NAMESPACES "/run/netns/" // Where ip-netns(8) has them.

static int add_path(const struct cli_args *args, json_t *body)
{
	const char *path = cli_value(args, "connect");
	_cleanup_free_ char *absolute = path ? cli_absolute_path(path) : NULL;
	if (!path)
		return 0;
	return absolute ? json_object_set_new(body, "connect", json_string(absolute)) : -1;
}

// A PID, a path, or a name that ip-netns(8) knows.
static int add_netns(const struct cli_args *args, json_t *body)
{
	const char *netns = cli_value(args, "netns");
	_cleanup_free_ char *path = NULL;
	if (!netns)
		return 0;
	if (strchr(netns, '/'))
		path = cli_absolute_path(netns);
	else if (!netns[strspn(netns, "0123456789")])
		path = strdup(netns);
	else if (asprintf(&path, NAMED_NAMESPACES "%s", netns) < 0)
		path = NULL;
	return path ? json_object_set_new(body, "netns", json_string(path)) : -1;
}

static json_t *make_request(const struct cli_args *args)
{
	// "s*" leaves out what was not given.
	return json_pack(
		"{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*}",
		"name",
		args->names[0],
		"network",
		cli_value(args, "network"),
		"attach",
		cli_value(args, "attach"),
		"mac",
		cli_value(args, "mac"),
		"interface",
		cli_value(args, "interface"),
		"device",
		cli_value(args, "device"),
		"function",
		cli_value(args, "function"),
		"cpus",
		cli_value(args, "cpus")
	);
}

// 0, or a negative errno with the usage error said.
static int add_pin(struct cli *cli, const struct cli_args *args, json_t *body)
{
	bool on = cli_value(args, "pin-address") != NULL;
	bool off = cli_value(args, "no-pin-address") != NULL;
	if (on && off) {
		(void)cli_usage(
			cli, args->cmd, "--pin-address and --no-pin-address contradict each other"
		);
		return -EINVAL;
	}
	if (!on && !off)
		return 0;
	return json_object_set_new(body, "pin_address", json_boolean(on));
}

// 0, or a negative errno with the usage error said.
static int add_options(struct cli *cli, const struct cli_args *args, json_t *body)
{
	static const char *const addresses[] = {"ip", "ip6"};
	const char *ip6 = cli_value(args, "ip6");
	int r = cli_add_by_family(cli, args, "ip", addresses, body);
	if (!r && ip6 && json_object_get(body, "ip6")) {
		(void)cli_usage(cli, args->cmd, "--ip6 and an IPv6 --ip contradict each other");
		return -EINVAL;
	}
	if (!r && ip6)
		r = json_object_set_new(body, "ip6", json_string(ip6));
	if (!r)
		r = cli_add_switch(cli, args, "learning", body);
	if (!r)
		r = cli_add_switch(cli, args, "offloads", body);
	if (!r)
		r = cli_add_limits(cli, args, body);
	if (!r)
		r = cli_add_vlan(cli, args, body);
	if (!r)
		r = cli_add_number(cli, args, "vfs", "vfs", body);
	if (!r)
		r = cli_add_number(cli, args, "uid", "uid", body);
	if (!r && cli_value(args, "allow-spoof"))
		r = json_object_set_new(body, "allow_spoof", json_true());
	return r ? r : add_pin(cli, args, body);
}

// Options that not all attachments have.
static const struct {
	const char *option;
	const char *attach;
} only[] = {
	{"netns", "kernel or vf-kernel"},
	{"interface", "kernel or vf-kernel"},
	{"device", "ether"},
	{"vlan", "ether"},
	{"connect", "vhost"},
	{"pin-address", "vhost or kernel"},
	{"no-pin-address", "vhost or kernel"},
	{"allow-spoof", "vhost or kernel"},
	{"function", "vf or vf-kernel"},
	{"vfs", "vf or vf-kernel"},
	{"cpus", "vf or vf-kernel"},
	{"uid", "vf"},
};

// Whether the word is one of those in the list.
static bool is_word_of(const char *list, const char *word)
{
	size_t length = strlen(word);
	for (const char *at = list; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == length && strncmp(at, word, length) == 0)
			return true;
	return false;
}

static int check_attachment(struct cli *cli, const struct cli_args *args)
{
	const char *attach = cli_value(args, "attach");
	for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++)
		if (cli_value(args, only[i].option) && !is_word_of(only[i].attach, attach))
			return cli_usage(
				cli,
				args->cmd,
				"--%s goes with --attach %s",
				only[i].option,
				only[i].attach
			);
	if (strcmp(attach, "ether") == 0 && !cli_value(args, "device"))
		return cli_usage(cli, args->cmd, "--device is missing: 'eth1', for example");
	return CLI_OK;
}

static int check_empty(struct cli *cli, const struct cli_args *args)
{
	static const char *const words[] = {
		"netns", "interface", "device", "connect", "function", "cpus"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (cli_refuse_empty(cli, args, words[i]))
			return CLI_USAGE;
	return CLI_OK;
}

static int check_words(struct cli *cli, const struct cli_args *args)
{
	if (!cli_value(args, "network"))
		return cli_usage(cli, args->cmd, "--network is missing");
	if (!cli_value(args, "attach"))
		return cli_usage(cli, args->cmd, "--attach is missing: 'vhost', for example");
	int status = check_attachment(cli, args);
	return status == CLI_OK ? check_empty(cli, args) : status;
}

// What the port's user needs to know: the first of these that the port has.
static const char *way_to(json_t *port)
{
	static const char *const members[] = {
		"device", "socket", "connect", "interface", "function", "name"};
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (cli_member(port, members[i])[0])
			return cli_member(port, members[i]);
	return "";
}

// Several functions are as many ports, which are made together.
static int print_companions(struct cli *cli, const struct cli_args *args)
{
	_cleanup_json_ json_t *answer = NULL;
	const char *network = cli_value(args, "network");
	json_t *port;
	size_t i;
	if (!cli_value(args, "vfs"))
		return CLI_OK;
	if (cli_call_name(cli, "GET", "/v1/ports?network=", network, &answer))
		return cli_fail(cli);
	json_array_foreach(json_object_get(answer, "ports"), i, port)
	{
		if (strcmp(cli_member(port, "with"), args->names[0]) == 0)
			(void)fprintf(cli->out, "%s\n", way_to(port));
	}
	return CLI_OK;
}

static int port_add(struct cli *cli, const struct cli_args *args)
{
	long long queues = 0;
	int status = check_words(cli, args);
	if (status != CLI_OK)
		return status;
	if (cli_number(cli, args, "queues", &queues))
		return CLI_USAGE;
	_cleanup_json_ json_t *body = make_request(args);
	_cleanup_json_ json_t *port = NULL;
	int r = body ? add_options(cli, args, body) : -ENOMEM;
	if (r == -EINVAL)
		return CLI_USAGE;
	if (body && cli_value(args, "queues"))
		(void)json_object_set_new(body, "queues", json_integer(queues));
	if (r || add_path(args, body) || add_netns(args, body)) {
		err_set(&cli->error, -EINVAL, "cannot add a port: its values are not UTF-8");
		return cli_fail(cli);
	}
	if (cli_call(cli, "POST", "/v1/ports", body, &port))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, port);
	(void)fprintf(cli->out, "%s\n", way_to(port));
	return print_companions(cli, args);
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
	{"attach", 0, "HOW", "how its user reaches it: vhost, kernel, ether, vf, vf-kernel"},
	{"mac", 0, "MAC", "its address (default: one is made)"},
	{"ip", 0, "CIDR..", "its user's address, as 10.77.0.9/24; once for each family"},
	{"ip6", 0, "CIDR", "its user's IPv6 address, as fd00:77::9/64"},
	{"netns", 0, "NS", "kernel, vf-kernel: the namespace it moves to: a PID, a path, a name"},
	{"interface", 0, "NAME", "kernel, vf-kernel: the interface's name there (default: eth0)"},
	{"pin-address", 0, NULL, "drop IP, ARP and ND from other addresses (kernel: default)"},
	{"no-pin-address", 0, NULL, "do not; any IP address may be behind it"},
	{"allow-spoof", 0, NULL, "accept any source address that is no other port's"},
	{"device", 0, "DEV", "ether: eth1, xdp:eth1, a PCI address or net_.."},
	{"vlan", 0, "ID", "ether: the VLAN there, 1 to 4094 (default: untagged)"},
	{"function", 0, "ADDRESS", "vf, vf-kernel: this function of the network (default: any)"},
	{"vfs", 0, "N", "vf, vf-kernel: so many functions, each a port (default: 1)"},
	{"uid", 0, "UID", "vf: whose the device node is to be (default: 0)"},
	{"cpus", 0, "LIST", "vf, vf-kernel: prefer functions near these CPUs: 0-3,8"},
	{"queues", 0, "N", "queue pairs, 1 to 16 (default: 1)"},
	{"learning", 0, "on|off", "accept and learn other source addresses"},
	{"offloads", 0, "on|off", "offer checksum and segmentation offloads (default: on)"},
	LIMIT_OPTS,
	{"connect", 0, "PATH", "vhost: connect to this socket instead of listening on one"},
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
	 "NAME --network NET --attach vhost|kernel|ether|vf|vf-kernel [options]",
	 "Add a port and print its socket, interface, device or function.",
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
