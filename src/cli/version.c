// SPDX-License-Identifier: BSD-3-Clause
// ringway version: this program, ringwayd, the switch, the engine. One thread.
#include "base/fields.h"
#include "cli/cli.h"

static void print_switch(struct cli *cli, json_t *sw)
{
	json_int_t pid = json_integer_value(json_object_get(sw, "pid"));
	json_int_t restarts = json_integer_value(json_object_get(sw, "restarts"));
	(void)fprintf(cli->out, "switch   %s", cli_member(sw, "state"));
	if (pid)
		(void)fprintf(cli->out, ", pid %" JSON_INTEGER_FORMAT, pid);
	if (restarts)
		(void)fprintf(cli->out, ", restarted %" JSON_INTEGER_FORMAT " times", restarts);
	(void)fputc('\n', cli->out);
}

static void print_engine(struct cli *cli, json_t *engine)
{
	if (!json_is_true(json_object_get(engine, "reachable")))
		(void)fputs("engine   does not answer\n", cli->out);
	else
		(void)fprintf(cli->out, "engine   %s\n", cli_member(engine, "version"));
}

// What this host, or this instance, cannot have, and why.
static void print_missing(struct cli *cli, json_t *answer)
{
	static const struct {
		const char *member;
		const char *name;
	} parts[] = {
		{"kernel_ports", "kernel ports"},
		{"published_ports", "published ports"},
		{"ether_ports", "ether ports"},
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		json_t *part = json_object_get(answer, parts[i].member);
		const char *reason = cli_member(part, "reason");
		if (json_is_false(json_object_get(part, "available")))
			(void)fprintf(
				cli->out,
				"no %s%s%s\n",
				parts[i].name,
				reason[0] ? ": " : "",
				reason
			);
	}
}

static int version_show(struct cli *cli, const struct cli_args *args)
{
	_cleanup_json_ json_t *answer = NULL;
	bool json = cli_value(args, "json");
	if (!json)
		(void)fprintf(cli->out, "ringway  %s\n", RINGWAY_VERSION);
	if (cli_call(cli, "GET", "/v1/version", NULL, &answer))
		return cli_fail(cli);
	if (json) {
		(void)json_object_set_new(answer, "client", json_string(RINGWAY_VERSION));
		return cli_print_json(cli, answer);
	}
	(void)fprintf(
		cli->out,
		"ringwayd %s, API %s, pid %" JSON_INTEGER_FORMAT ", %s\n",
		cli_member(answer, "version"),
		cli_member(answer, "api"),
		json_integer_value(json_object_get(answer, "pid")),
		cli_member(answer, "run_dir")
	);
	print_switch(cli, json_object_get(answer, "switch"));
	print_engine(cli, json_object_get(answer, "engine"));
	print_missing(cli, answer);
	return CLI_OK;
}

static const struct cli_opt version_opts[] = {
	{"json", 0, NULL, "print JSON"},
	{0},
};

const struct cli_cmd version_cmds[] = {
	{"version",
	 "[--json]",
	 "Show the versions of this program, ringwayd and the engine.",
	 version_opts,
	 0,
	 0,
	 version_show,
	 false,
	 NULL},
	{0},
};
