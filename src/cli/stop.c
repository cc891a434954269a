// SPDX-License-Identifier: BSD-3-Clause
// ringway stop: stops containers that ringway run started, by the engine's own command. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/docker.h"

#include <errno.h>
#include <string.h>

// A container answers to its name, its place's key, and its id or the beginning of it.
static bool is_called(json_t *container, const char *word)
{
	const char *id = cli_member(container, "id");
	return strcmp(cli_member(container, "name"), word) == 0 ||
		strcmp(cli_member(container, "key"), word) == 0 ||
		(id[0] && strncmp(id, word, strlen(word)) == 0);
}

// What the engine calls the container; NULL when Ringway has none of this name.
static const char *engine_name(json_t *containers, const char *word)
{
	json_t *container;
	size_t i;
	json_array_foreach(containers, i, container)
	{
		const char *id = cli_member(container, "id");
		if (!word[0] || !is_called(container, word))
			continue;
		// Its key means nothing to the engine.
		return strcmp(cli_member(container, "key"), word) == 0 ? id : word;
	}
	return NULL;
}

static int check_names(struct cli *cli, const struct cli_args *args, struct strv *command)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = cli_call(cli, "GET", "/v1/containers", NULL, &answer);
	for (int i = 0; !r && i < args->name_count; i++) {
		const char *word = args->names[i];
		const char *name = engine_name(json_object_get(answer, "containers"), word);
		if (!name) {
			r =
				err_set(&cli->error,
					-ENOENT,
					"cannot stop '%s': no container of Ringway has this name",
					word);
			err_hint(&cli->error, "'ringway ps -a' lists them");
		} else if (!name[0]) {
			r = err_set(
				&cli->error,
				-EAGAIN,
				"cannot stop '%s': the engine does not tell which container it is",
				word
			);
		} else {
			strv_add(command, name);
		}
	}
	return r;
}

static int stop_containers(struct cli *cli, const struct cli_args *args)
{
	long long seconds = 0;
	int status = CLI_FAILED;
	sigset_t before;
	_cleanup_strv_ struct strv command = {0};

	if (cli_number(cli, args, "time", &seconds))
		return CLI_USAGE;
	strv_add(&command, docker_program());
	strv_add(&command, "stop");
	// The letter: 28 gave the long option another name.
	if (cli_value(args, "time")) {
		strv_add(&command, "-t");
		strv_addf(&command, "%lld", seconds);
	}
	strv_add(&command, "--");
	if (check_names(cli, args, &command))
		return cli_fail(cli);
	(void)fflush(cli->out); // Before the child writes there.
	child_signals_hold(&before);
	int r = child_run(&command, NULL, &status, &cli->error);
	child_signals_release(&before);
	return r ? cli_fail(cli) : status;
}

static const struct cli_opt stop_opts[] = {
	{"time", 't', "SECONDS", "how long to wait before killing (default: the engine's, 10)"},
	{0},
};

const struct cli_cmd stop_cmds[] = {
	{"stop",
	 "NAME... [-t SECONDS]",
	 "Stop containers that 'ringway run' started.",
	 stop_opts,
	 1,
	 CLI_ANY,
	 stop_containers,
	 false,
	 NULL},
	{0},
};
