// SPDX-License-Identifier: BSD-3-Clause
// ringway switch: what runs, and handing its ports to another process. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

static json_int_t number_of(json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static double milliseconds_of(json_t *object, const char *name)
{
	return (double)number_of(object, name) / 1000;
}

static void print_process(struct cli *cli, json_t *answer)
{
	const char *program = cli_member(answer, "program");
	const char *binary = cli_member(answer, "path");
	(void)fprintf(cli->out, "switch     %s", cli_member(answer, "state"));
	if (number_of(answer, "pid"))
		(void)fprintf(cli->out, ", pid %" JSON_INTEGER_FORMAT, number_of(answer, "pid"));
	(void)fprintf(cli->out, "%s%s\n", program[0] ? ", " : "", program);
	if (binary[0])
		(void)fprintf(cli->out, "binary     %s\n", binary);
	if (number_of(answer, "spare_pid"))
		(void)fprintf(
			cli->out,
			"spare      ready, pid %" JSON_INTEGER_FORMAT "\n",
			number_of(answer, "spare_pid")
		);
	else
		(void)fprintf(
			cli->out,
			"spare      %s\n",
			json_is_false(json_object_get(answer, "spare_wanted")) ? "none: turned off"
									       : "none"
		);
}

static void print_past(struct cli *cli, json_t *answer)
{
	const char *last_end = cli_member(answer, "last_end");
	(void)fprintf(
		cli->out,
		"restarts   %" JSON_INTEGER_FORMAT "\nhandovers  %" JSON_INTEGER_FORMAT "\n",
		number_of(answer, "restarts"),
		number_of(answer, "handovers")
	);
	if (number_of(answer, "last_gap_us"))
		(void
		)fprintf(cli->out, "last gap   %.3f ms\n", milliseconds_of(answer, "last_gap_us"));
	if (last_end[0])
		(void)fprintf(cli->out, "last end   %s\n", last_end);
}

static int switch_show(struct cli *cli, const struct cli_args *args)
{
	_cleanup_json_ json_t *answer = NULL;
	if (cli_call(cli, "GET", "/v1/switch", NULL, &answer))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, answer);
	print_process(cli, answer);
	print_past(cli, answer);
	return CLI_OK;
}

static int hand_over(struct cli *cli, const struct cli_args *args, json_t *body)
{
	_cleanup_json_ json_t *answer = NULL;
	if (cli_call(cli, "POST", "/v1/switch/restart", body, &answer))
		return cli_fail(cli);
	if (cli_value(args, "json"))
		return cli_print_json(cli, answer);
	(void)fprintf(
		cli->out,
		"pid %" JSON_INTEGER_FORMAT ", gap %.3f ms\n",
		number_of(answer, "pid"),
		milliseconds_of(answer, "gap_us")
	);
	return CLI_OK;
}

static int switch_restart(struct cli *cli, const struct cli_args *args)
{
	_cleanup_json_ json_t *body = json_object();
	return hand_over(cli, args, body);
}

static int switch_upgrade(struct cli *cli, const struct cli_args *args)
{
	if (!args->names[0][0])
		return cli_usage(cli, args->cmd, "an empty path names no program");
	_cleanup_free_ char *path = cli_absolute_path(args->names[0]);
	_cleanup_json_ json_t *body = path ? json_pack("{s:s}", "path", path) : NULL;
	if (!body) {
		err_set(&cli->error, -EINVAL, "cannot upgrade the switch: its path is not UTF-8");
		return cli_fail(cli);
	}
	return hand_over(cli, args, body);
}

static const struct cli_opt switch_opts[] = {
	{"json", 0, NULL, "print JSON"},
	{0},
};

static const char switch_more[] =
	"commands:\n"
	"  switch inspect    the same\n"
	"  switch restart    hand all ports to a new process of the same program\n"
	"  switch upgrade    hand all ports to a process of another one\n";

// The longer names come first: 'switch' alone would match them.
const struct cli_cmd switch_cmds[] = {
	{"switch inspect",
	 "[--json]",
	 "Show the switch that runs, its spare, and how the last one ended.",
	 switch_opts,
	 0,
	 0,
	 switch_show,
	 false,
	 NULL},
	{"switch restart",
	 "[--json]",
	 "Hand all ports to a new process of the switch; no port notices.",
	 switch_opts,
	 0,
	 0,
	 switch_restart,
	 false,
	 NULL},
	{"switch upgrade",
	 "PATH [--json]",
	 "Hand all ports to a process of the switch's program at PATH.",
	 switch_opts,
	 1,
	 1,
	 switch_upgrade,
	 false,
	 NULL},
	{"switch",
	 "[--json]",
	 "Show the switch that runs.",
	 switch_opts,
	 0,
	 0,
	 switch_show,
	 false,
	 switch_more},
	{0},
};
