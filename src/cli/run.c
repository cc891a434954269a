// SPDX-License-Identifier: BSD-3-Clause
// ringway run: asks ringwayd for a place, lets docker start the container in it, and has the place
// settled when docker is done. One thread; docker runs as its child.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/docker.h"
#include "cli/runline.h"
#include "cli/runuser.h"

#include <errno.h>
#include <string.h>

// Adds a member for a value of on or off that was given. 0, or -1.
static int add_switch(json_t *body, const char *name, const char *value)
{
	return value ? json_object_set_new(body, name, json_boolean(strcmp(value, "on") == 0)) : 0;
}

// Adds a member for a number that was given. 0, or -1.
static int add_number(json_t *body, const char *name, const char *text)
{
	return text ? json_object_set_new(body, name, json_integer(run_number(text))) : 0;
}

static json_t *make_network(const struct run_line *line, size_t index)
{
	const struct run_network *network = &line->networks[index];
	// "s*" leaves out what was not given.
	json_t *body = json_pack(
		"{s:s, s:s*, s:s*, s:s*, s:s*}",
		"network",
		network->name,
		"attach",
		network->attach,
		"mac",
		network->mac,
		"ip",
		network->ip,
		"function",
		network->function
	);
	if (body)
		(void)add_number(body, "queues", network->queues);
	if (body)
		(void)add_number(body, "vfs", network->vfs);
	if (body)
		(void)add_switch(body, "offloads", network->offloads);
	const struct port_limits_given limits = run_network_limits(network);
	if (body && limits.given)
		(void)json_object_set_new(body, "limits", port_limits_given_json(&limits));
	if (body)
		(void)add_switch(body, "learning", network->learning);
	if (body)
		(void)add_switch(body, "allow_spoof", network->allow_spoof);
	if (body)
		(void)add_switch(body, "pin_address", network->pin_address);
	return body;
}

static json_t *make_request(const struct run_line *line)
{
	json_t *networks = json_array();
	for (size_t i = 0; networks && i < line->network_count; i++) {
		if (json_array_append_new(networks, make_network(line, i)) == 0)
			continue;
		json_decref(networks);
		networks = NULL;
	}
	if (!networks)
		return NULL;
	// json_pack() takes networks over, on failure as well.
	json_t *body = json_pack(
		"{s:s*, s:s, s:s*, s:o}",
		"name",
		line->name,
		"image",
		line->image[0],
		"cpus",
		line->cpus,
		"networks",
		networks
	);
	if (body)
		(void)add_number(body, "queues", line->queues);
	if (body)
		(void)add_number(body, "vfs", line->vfs);
	if (body && line->dry_run)
		(void)json_object_set_new(body, "dry_run", json_true());
	return body;
}

// One command on a line. `container` is NULL when a shell has it in $id.
static int print_command(struct cli *cli, const struct strv *words, bool keeps_id, bool needs_id)
{
	_cleanup_free_ char *text = strv_quote(words);
	if (!text)
		return err_set(&cli->error, -ENOMEM, "cannot print the command: no memory");
	(void)fprintf(
		cli->out,
		"%s%s%s%s\n",
		keeps_id ? "id=$(" : "",
		text,
		keeps_id ? ")" : "",
		needs_id ? " \"$id\"" : ""
	);
	return 0;
}

static int print_start(struct cli *cli, const struct run_line *line)
{
	_cleanup_strv_ struct strv words = {0};
	docker_start_command(line, &words);
	if (line->name)
		strv_add(&words, line->name);
	return print_command(cli, &words, false, !line->name);
}

static int print_commands(struct cli *cli, const struct run_line *line, json_t *plan)
{
	_cleanup_strv_ struct strv first = {0};
	bool several = line->network_count > 1;
	int r = docker_run_command(line, plan, several, &first, &cli->error);
	if (!r)
		r = print_command(cli, &first, several && !line->name, false);
	for (size_t i = 1; !r && i < line->network_count; i++) {
		_cleanup_strv_ struct strv words = {0};
		r = docker_connect_command(line, plan, i, &words, &cli->error);
		if (!r && line->name)
			strv_add(&words, line->name);
		if (!r)
			r = print_command(cli, &words, false, !line->name);
	}
	if (!r && several)
		r = print_start(cli, line);
	return r;
}

static int report_no_image(struct cli *cli, const char *image, const char *docker_says)
{
	if (!docker_says[0])
		docker_says = "docker cannot get it";
	err_set(&cli->error, -ENOENT, "cannot run '%s': %s", image, docker_says);
	return err_hint(&cli->error, "'docker images' lists those that are here");
}

static int pull_image(struct cli *cli, const struct run_line *line)
{
	_cleanup_strv_ struct strv words = {0};
	struct child_capture said = {.from_stderr = true};
	int status = 0;
	if (line->pull && strcmp(line->pull, "never") == 0)
		return report_no_image(
			cli, line->image[0], "the image is not here, and --pull=never"
		);
	docker_pull_command(line, &words);
	int r = child_run(&words, &said, &status, &cli->error);
	if (r || status == 0)
		return r;
	return report_no_image(cli, line->image[0], said.text);
}

static int check_image(struct cli *cli, const struct run_line *line, json_t *plan)
{
	json_t *present = json_object_get(plan, "image_present");
	if (json_is_false(present))
		return pull_image(cli, line);
	if (json_is_true(present))
		return 0;
	err_set(&cli->error, -EAGAIN, "cannot run '%s': Docker does not answer", line->image[0]);
	return err_hint(&cli->error, "start it: 'systemctl start docker', or 'dockerd &' as root");
}

static int run_one(struct cli *cli, const struct run_line *line, json_t *plan, int *ret_status)
{
	_cleanup_strv_ struct strv words = {0};
	int r = docker_run_command(line, plan, false, &words, &cli->error);
	if (r)
		return r;
	return child_run(&words, NULL, ret_status, &cli->error);
}

static int create(
	struct cli *cli,
	const struct run_line *line,
	json_t *plan,
	struct child_capture *ret_id,
	int *ret_status
)
{
	_cleanup_strv_ struct strv words = {0};
	int r = docker_run_command(line, plan, true, &words, &cli->error);
	if (!r)
		r = child_run(&words, ret_id, ret_status, &cli->error);
	if (!r && *ret_status == 0 && !ret_id->text[0])
		r = err_set(&cli->error, -EPROTO, "docker create did not tell the container's id");
	return r;
}

static int connect_all(
	struct cli *cli,
	const struct run_line *line,
	json_t *plan,
	const char *id,
	int *ret_status
)
{
	int status = 0;
	for (size_t i = 1; i < line->network_count && status == 0; i++) {
		_cleanup_strv_ struct strv words = {0};
		int r = docker_connect_command(line, plan, i, &words, &cli->error);
		if (r)
			return r;
		strv_add(&words, id);
		r = child_run(&words, NULL, &status, &cli->error);
		if (r)
			return r;
	}
	*ret_status = status;
	return 0;
}

static void remove_container(const char *id)
{
	_cleanup_strv_ struct strv words = {0};
	struct child_capture said = {.from_stderr = true};
	struct rwy_err ignored = {0};
	int status = 0;
	strv_add(&words, docker_program());
	strv_add(&words, "rm");
	strv_add(&words, "-f");
	strv_add(&words, id);
	// The failure that led here is the one to tell.
	(void)child_run(&words, &said, &status, &ignored);
}

static int start(struct cli *cli, const struct run_line *line, const char *id, int *ret_status)
{
	_cleanup_strv_ struct strv words = {0};
	docker_start_command(line, &words);
	strv_add(&words, id);
	return child_run(&words, NULL, ret_status, &cli->error);
}

// Docker's run takes one network only.
static int run_several(struct cli *cli, const struct run_line *line, json_t *plan, int *ret_status)
{
	struct child_capture id = {0};
	int status = 0;
	int r = create(cli, line, plan, &id, &status);
	if (r)
		return r;
	if (status == 0) {
		r = connect_all(cli, line, plan, id.text, &status);
		if (r || status)
			remove_container(id.text);
		if (r)
			return r;
		if (status)
			status = CLI_FAILED;
		else
			return start(cli, line, id.text, ret_status);
	}
	*ret_status = status;
	return 0;
}

// Lets ringwayd forget the place if no container came of it.
static void settle(struct cli *cli, const char *key)
{
	_cleanup_json_ json_t *body = json_object();
	_cleanup_free_ char *path = client_path("/v1/containers/", key, "/settle");
	cli->error = (struct rwy_err){0};
	if (body && path && cli_call(cli, "POST", path, body, NULL) == 0)
		return;
	err_prefix(&cli->error, "cannot settle the container's place '%s': ", key);
	(void)cli_fail(cli); // The container's own status counts.
}

static int run_planned(struct cli *cli, const struct run_line *line, json_t *plan)
{
	const char *key = cli_member(plan, "key");
	int status = CLI_FAILED;
	sigset_t before;
	if (!key[0]) {
		err_set(&cli->error, -EPROTO, "ringwayd's plan for the container lacks its key");
		return cli_fail(cli);
	}
	(void)fflush(cli->out); // Before docker writes there.
	child_signals_hold(&before);
	int r = check_image(cli, line, plan);
	if (!r)
		r = run_user_settle(line, plan, &cli->error);
	if (!r && line->network_count > 1)
		r = run_several(cli, line, plan, &status);
	else if (!r)
		r = run_one(cli, line, plan, &status);
	if (r)
		status = cli_fail(cli);
	settle(cli, key);
	child_signals_release(&before);
	return status;
}

static int run_parsed(struct cli *cli, const struct run_line *line)
{
	_cleanup_json_ json_t *body = make_request(line);
	_cleanup_json_ json_t *plan = NULL;
	if (!body) {
		err_set(&cli->error,
			-EINVAL,
			"cannot run '%s': a value is not UTF-8",
			line->image[0]);
		return cli_fail(cli);
	}
	if (cli_call(cli, "POST", "/v1/containers", body, &plan))
		return cli_fail(cli);
	if (!line->dry_run)
		return run_planned(cli, line, plan);
	sigset_t before;
	child_signals_hold(&before);
	int r = run_user_settle(line, plan, &cli->error);
	child_signals_release(&before);
	if (!r)
		r = print_commands(cli, line, plan);
	return r ? cli_fail(cli) : CLI_OK;
}

static int run_container(struct cli *cli, const struct cli_args *args)
{
	struct run_line line;
	struct rwy_err err = {0};
	int status;
	if (run_line_parse(&line, args->names, &err))
		status = cli_usage(cli, args->cmd, "%s", err.msg);
	else if (line.help)
		status = cli_help(cli, args->cmd);
	else
		status = -1;
	if (line.run_dir)
		cli->run_dir = line.run_dir;
	if (status < 0)
		status = run_parsed(cli, &line);
	run_line_fini(&line);
	return status;
}

static const struct cli_opt run_opts[] = {
	{"network", 0, "NET[,opt=..]", "join this network; once for every port"},
	{"queues", 0, "N", "queue pairs of every vhost port (default: 1)"},
	{"vfs", 0, "N", "functions of every network that gives functions (default: 1)"},
	{"dry-run", 0, NULL, "print docker's commands and change nothing"},
	{0},
};

const struct cli_cmd run_cmds[] = {
	{"run",
	 "--network NET[,opt=..]... [any docker-run option] IMAGE [CMD...]",
	 "Start a container with a port on each network, and wait for it.",
	 run_opts,
	 0,
	 CLI_ANY,
	 run_container,
	 true,
	 "options of a network: mac=MAC ip=IP queues=N learning=on|off offloads=on|off\n"
	 "    attach=vhost|kernel|vf|vf-kernel (vf: a NIC's function; the others: its interface,\n"
	 "    and an ordinary interface beside a vhost port) vfs=N function=ADDRESS\n"
	 "    pin-address[=on|off] allow-spoof[=on|off] (see 'ringway port add --help')\n"
	 "    rate=[rx:|tx:]RATE burst=[rx:|tx:]SIZE flood-rate=N (see 'ringway port add --help')\n"
	 "All other options are docker run's; the program is RINGWAY_DOCKER or docker.\n"},
	{0},
};
