// SPDX-License-Identifier: BSD-3-Clause
// What the commands share: asking the API, saying errors, printing. One thread; the words of the command
// line are taken apart in words.c.
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/portlimits.h"
#include "cli/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define VLAN_MAX 4094 // IEEE 802.1Q, table 9-2: 4095 is reserved.

const char *cli_value(const struct cli_args *args, const char *name)
{
	const struct cli_opt *opts = args->cmd->opts;
	for (size_t i = 0; opts && opts[i].name; i++)
		if (strcmp(opts[i].name, name) == 0)
			return args->values[i];
	return NULL;
}

int cli_number(
	struct cli *cli,
	const struct cli_args *args,
	const char *name,
	long long *ret_number
)
{
	const char *text = cli_value(args, name);
	if (!text)
		return 0;
	char *end = NULL;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (end == text || *end || errno) {
		(void
		)cli_usage(cli, args->cmd, "--%s must be a whole number, not '%s'", name, text);
		return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

int cli_add_switch_as(
	struct cli *cli,
	const struct cli_args *args,
	const char *option,
	const char *name,
	json_t *body
)
{
	const char *text = cli_value(args, option);
	if (!text)
		return 0;
	bool on = text[0] == '\0' || strcmp(text, "on") == 0;
	if (!on && strcmp(text, "off") != 0) {
		(void)cli_usage(cli, args->cmd, "--%s must be on or off, not '%s'", option, text);
		return -EINVAL;
	}
	return json_object_set_new(body, name, json_boolean(on)) ? -ENOMEM : 0;
}

int cli_add_switch(struct cli *cli, const struct cli_args *args, const char *name, json_t *body)
{
	return cli_add_switch_as(cli, args, name, name, body);
}

int cli_add_number(
	struct cli *cli,
	const struct cli_args *args,
	const char *option,
	const char *name,
	json_t *body
)
{
	long long number = 0;
	int r = cli_number(cli, args, option, &number);
	if (r || !cli_value(args, option))
		return r;
	return json_object_set_new(body, name, json_integer(number)) ? -ENOMEM : 0;
}

int cli_add_limits(struct cli *cli, const struct cli_args *args, json_t *body)
{
	static const char *const names[PORT_LIMITS_OPTION_COUNT] = {"rate", "burst", "flood-rate"};
	struct port_limits_given given = {0};
	for (int i = 0; i < PORT_LIMITS_OPTION_COUNT; i++) {
		struct rwy_err err = {0};
		const char *text = cli_value(args, names[i]);
		if (!text || port_limits_parse((enum port_limits_option)i, text, &given, &err) == 0)
			continue;
		(void)cli_usage(cli, args->cmd, "--%s: %s", names[i], err.msg);
		return -EINVAL;
	}
	if (!given.given)
		return 0;
	return json_object_set_new(body, "limits", port_limits_given_json(&given)) ? -ENOMEM : 0;
}

int cli_each_value(
	const struct cli_args *args,
	const char *name,
	int (*each)(void *arg, const char *value),
	void *arg
)
{
	const char *values = cli_value(args, name);
	_cleanup_free_ char *words = values ? strdup(values) : NULL;
	char *rest = words;
	int r = 0;
	if (!values)
		return 0;
	if (!words)
		return -ENOMEM;
	for (char *word = strsep(&rest, " "); word && !r; word = strsep(&rest, " "))
		r = each(arg, word);
	return r;
}

struct by_family {
	struct cli *cli;
	const struct cli_args *args;
	const char *option;
	const char *const *names;
	json_t *body;
};

static int add_by_family(void *arg, const char *value)
{
	const struct by_family *to = arg;
	bool is_ipv6 = strchr(value, ':');
	const char *name = to->names[is_ipv6];
	if (!json_object_get(to->body, name))
		return json_object_set_new(to->body, name, json_string(value)) ? -ENOMEM : 0;
	(void)cli_usage(
		to->cli,
		to->args->cmd,
		"--%s '%s' is one too many: there is one for IPv%d already",
		to->option,
		value,
		is_ipv6 ? 6 : 4
	);
	return -EINVAL;
}

int cli_add_by_family(
	struct cli *cli,
	const struct cli_args *args,
	const char *option,
	const char *const names[2],
	json_t *body
)
{
	struct by_family to = {cli, args, option, names, body};
	return cli_each_value(args, option, add_by_family, &to);
}

int cli_refuse_empty(struct cli *cli, const struct cli_args *args, const char *name)
{
	const char *value = cli_value(args, name);
	if (!value || value[0])
		return 0;
	(void)cli_usage(cli, args->cmd, "--%s must not be empty", name);
	return -EINVAL;
}

char *cli_absolute_path(const char *path)
{
	char *absolute = NULL;
	_cleanup_free_ char *here = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
	if (!here || asprintf(&absolute, "%s%s%s", here, here[0] ? "/" : "", path) < 0)
		return NULL;
	return absolute;
}

int cli_add_vlan(struct cli *cli, const struct cli_args *args, json_t *body)
{
	long long vlan = 1;
	if (cli_number(cli, args, "vlan", &vlan))
		return -EINVAL;
	if (vlan < 1 || vlan > VLAN_MAX) {
		(void)cli_usage(cli, args->cmd, "--vlan must be 1 to %d, not %lld", VLAN_MAX, vlan);
		return -EINVAL;
	}
	if (!cli_value(args, "vlan"))
		return 0;
	return json_object_set_new(body, "vlan", json_integer(vlan)) ? -ENOMEM : 0;
}

int cli_call(
	struct cli *cli,
	const char *method,
	const char *path,
	json_t *body,
	json_t **ret_answer
)
{
	if (!cli->client)
		cli->client = client_new(cli->run_dir, &cli->error);
	if (!cli->client)
		return cli->error.code;
	return client_call(cli->client, method, path, body, ret_answer, &cli->error);
}

int cli_call_name(
	struct cli *cli,
	const char *method,
	const char *prefix,
	const char *name,
	json_t **ret_answer
)
{
	_cleanup_free_ char *path = client_path(prefix, name, "");
	if (!path)
		return err_set(&cli->error, -ENOMEM, "cannot ask ringwayd: no memory");
	if (!name[0])
		return err_set(&cli->error, -EINVAL, "an empty name names nothing");
	return cli_call(cli, method, path, NULL, ret_answer);
}

int cli_fail(struct cli *cli)
{
	const struct rwy_err *error = &cli->error;
	(void)fflush(cli->out); // What was done before comes first.
	if (error->hint[0])
		(void)fprintf(cli->err, "ringway: %s (%s)\n", error->msg, error->hint);
	else
		(void)fprintf(cli->err, "ringway: %s\n", error->msg);
	return CLI_FAILED;
}

int cli_usage(struct cli *cli, const struct cli_cmd *cmd, const char *fmt, ...)
{
	struct rwy_err text = {0}; // Its buffer makes one line of whatever the words hold.
	char said[ERR_MSG_SIZE];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(said, sizeof(said), fmt, ap); // Cut at the buffer's end.
	va_end(ap);
	err_set(&text, -EINVAL, "%s", said);
	const char *space = cmd ? " " : "";
	const char *name = cmd ? cmd->name : "";
	(void)fprintf(
		cli->err,
		"ringway%s%s: %s (see 'ringway%s%s --help')\n",
		space,
		name,
		text.msg,
		space,
		name
	);
	return CLI_USAGE;
}

int cli_print_json(struct cli *cli, json_t *json)
{
	if (json_dumpf(json, cli->out, JSON_INDENT(2)) || fputc('\n', cli->out) == EOF) {
		err_set(&cli->error, -EIO, "cannot write the answer: %s", strerror(errno));
		return cli_fail(cli);
	}
	return CLI_OK;
}

int cli_print_table(struct cli *cli, const struct table *table)
{
	if (table && table_print(table, cli->out) == 0)
		return CLI_OK;
	err_set(&cli->error, -ENOMEM, "cannot print the table: no memory");
	return cli_fail(cli);
}

const char *cli_member(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

int cli_remove_each(struct cli *cli, const struct cli_args *args, const char *prefix)
{
	int status = CLI_OK;
	for (int i = 0; i < args->name_count; i++) {
		if (cli_call_name(cli, "DELETE", prefix, args->names[i], NULL))
			status = cli_fail(cli);
		else
			(void)fprintf(cli->out, "%s\n", args->names[i]);
	}
	return status;
}
