// SPDX-License-Identifier: BSD-3-Clause
// argp's table of ringwayd's options, and their defaults. Main thread.
#include "daemon/options.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *argp_program_version = "ringwayd " RINGWAY_VERSION;

enum {
	OPT_RUN_DIR = 256,
	OPT_STATE_DIR,
	OPT_SWITCH_BINARY,
	OPT_SWITCH_CORES,
	OPT_SWITCH_USER,
	OPT_PRELOAD,
	OPT_DOCKER_NAME,
	OPT_NO_DOCKER,
	OPT_ENGINE_SOCKET,
	OPT_GROUP,
	OPT_LOG_LEVEL
};

static const struct argp_option option_table[] = {
	{"run-dir", OPT_RUN_DIR, "DIR", 0, "Sockets (default: /run/ringway)", 0},
	{"state-dir", OPT_STATE_DIR, "DIR", 0, "Database (default: /var/lib/ringway)", 0},
	{"switch-binary", OPT_SWITCH_BINARY, "FILE", 0, "The switch to start", 1},
	{"switch-cores", OPT_SWITCH_CORES, "LIST", 0, "CPUs for the switch, as its --cores", 1},
	{"switch-user",
	 OPT_SWITCH_USER,
	 "NAME",
	 0,
	 "The switch's user (default: ringway-switch, else nobody)",
	 1},
	{"preload", OPT_PRELOAD, "FILE", 0, "The library that containers preload", 2},
	{"docker-name", OPT_DOCKER_NAME, "NAME", 0, "The driver's name (default: ringway)", 2},
	{"no-docker", OPT_NO_DOCKER, NULL, 0, "Have nothing to do with Docker", 2},
	{"engine-socket",
	 OPT_ENGINE_SOCKET,
	 "PATH",
	 0,
	 "Docker's socket (default: /var/run/docker.sock)",
	 2},
	{"group", OPT_GROUP, "NAME", 0, "Who may use the API (default: ringway)", 3},
	{"log-level", OPT_LOG_LEVEL, "LEVEL", 0, "error, warning, info (default) or debug", 3},
	{0},
};

static error_t set_log_level(struct options *options, const char *text, struct argp_state *state)
{
	static const char *const names[LOG_LEVEL_COUNT] = {"error", "warning", "info", "debug"};
	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		if (strcmp(text, names[i]) == 0) {
			options->log_level = (enum log_level)i;
			return 0;
		}
	argp_error(state, "unknown log level '%s'", text); // Ends the program.
	return 0;
}

// The options that are a text: where each goes.
static const char **text_option(struct options *options, int key)
{
	switch (key) {
	case OPT_RUN_DIR:
		return &options->run_dir;
	case OPT_STATE_DIR:
		return &options->state_dir;
	case OPT_SWITCH_BINARY:
		return &options->switch_binary;
	case OPT_SWITCH_CORES:
		return &options->switch_cores;
	case OPT_SWITCH_USER:
		return &options->switch_user;
	case OPT_PRELOAD:
		return &options->preload;
	case OPT_DOCKER_NAME:
		return &options->docker_name;
	case OPT_ENGINE_SOCKET:
		return &options->engine_socket;
	case OPT_GROUP:
		return &options->group;
	default:
		return NULL;
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	const char **text = text_option(options, key);
	if (text && !arg[0])
		argp_error(state, "an option's value is empty"); // Ends the program.
	if (text) {
		*text = arg;
		return 0;
	}
	if (key == OPT_NO_DOCKER) {
		options->no_docker = true;
		return 0;
	}
	if (key == OPT_LOG_LEVEL)
		return set_log_level(options, arg, state);
	if (key == ARGP_KEY_ARG)
		argp_error(state, "unexpected argument '%s'", arg); // Ends the program.
	return ARGP_ERR_UNKNOWN;
}

// A file of the build tree beside this executable, so that a build uses its own parts; else the
// installed one.
static void choose_file(const char *beside, const char *installed, char ret_path[PATH_MAX])
{
	char own[PATH_MAX / 2];
	char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash = NULL;
	if (size > 0) {
		own[size] = '\0';
		slash = strrchr(own, '/');
	}
	if (slash) {
		*slash = '\0';
		(void
		)snprintf(path, sizeof(path), "%s/%s", own, beside); // A cut path is not there.
		if (realpath(path, ret_path))
			return;
	}
	(void)snprintf(ret_path, PATH_MAX, "%s", installed); // A constant of the build.
}

void options_parse(int argc, char **argv, struct options *ret_options)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse_option,
		.doc = "Ringway's daemon: networks and ports, the API, the Docker network driver.",
	};
	struct options *o = ret_options;
	*o = (struct options){
		.run_dir = "/run/ringway",
		.state_dir = "/var/lib/ringway",
		.switch_user = "ringway-switch",
		.docker_name = "ringway",
		.engine_socket = "/var/run/docker.sock",
		.group = "ringway",
		.log_level = LOG_LEVEL_INFO,
	};
	choose_file("../switch/ringway-switch", RINGWAY_SWITCH_PATH, o->default_switch);
	choose_file(
		"../plugins/preload/libringway-preload.so", RINGWAY_PRELOAD_PATH, o->default_preload
	);
	o->switch_binary = o->default_switch;
	o->preload = o->default_preload;
	argp_err_exit_status = 2;
	(void)argp_parse(&argp, argc, argv, 0, NULL, o); // Ends the program when it fails.
}
