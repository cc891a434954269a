// SPDX-License-Identifier: BSD-3-Clause
// argp's table of ringwayd's options, and their defaults. Main thread.
#include "daemon/options.h"

#include "daemon/model/cores.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *argp_program_version = "ringwayd " RINGWAY_VERSION;

#define QUIET_MAX 1000000 // Microseconds.

enum {
	OPT_RUN_DIR = 256,
	OPT_STATE_DIR,
	OPT_SWITCH_BINARY,
	OPT_SWITCH_CORES,
	OPT_SWITCH_POLL,
	OPT_SWITCH_QUIET,
	OPT_SWITCH_USER,
	OPT_NO_SPARE,
	OPT_UPLINK_BINARY,
	OPT_NO_KERNEL_PORTS,
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
	{"switch-cores",
	 OPT_SWITCH_CORES,
	 "LIST",
	 0,
	 "CPUs of the switch's workers, like 2 or 1,3-5 (default: the last one allowed)",
	 1},
	{"switch-poll",
	 OPT_SWITCH_POLL,
	 "HOW",
	 0,
	 "How queues are polled: always, or adaptive: quiet ones sleep (default)",
	 1},
	{"switch-quiet",
	 OPT_SWITCH_QUIET,
	 "USEC",
	 0,
	 "How long a queue is polled without frames before it sleeps (default: 100)",
	 1},
	{"switch-user",
	 OPT_SWITCH_USER,
	 "NAME",
	 0,
	 "The switch's user (default: ringway-switch, else nobody)",
	 1},
	{"no-spare",
	 OPT_NO_SPARE,
	 NULL,
	 0,
	 "Keep no second switch ready: frames wait longer when the switch ends",
	 1},
	{"uplink-binary", OPT_UPLINK_BINARY, "FILE", 0, "The uplinks' program", 2},
	{"no-kernel-ports",
	 OPT_NO_KERNEL_PORTS,
	 NULL,
	 0,
	 "Make no kernel interfaces: networks have no gateway in the host, ports are vhost or ether",
	 2},
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
	case OPT_SWITCH_POLL:
		return &options->switch_poll;
	case OPT_SWITCH_QUIET:
		return &options->switch_quiet;
	case OPT_SWITCH_USER:
		return &options->switch_user;
	case OPT_UPLINK_BINARY:
		return &options->uplink_binary;
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

// Ends the program where a value makes no sense: the switch would end again and again.
static void check_switch_options(const struct options *options, const struct argp_state *state)
{
	struct rwy_err err = {0};
	const char *poll = options->switch_poll;
	const char *quiet = options->switch_quiet;
	if (options->switch_cores && cores_check(options->switch_cores, &err))
		argp_failure(
			state,
			2,
			0,
			"--switch-cores: %s%s%s%s",
			err.msg,
			err.hint[0] ? " (" : "",
			err.hint,
			err.hint[0] ? ")" : ""
		);
	if (poll && strcmp(poll, "always") != 0 && strcmp(poll, "adaptive") != 0)
		argp_failure(
			state, 2, 0, "--switch-poll must be always or adaptive, not '%s'", poll
		);
	if (!quiet)
		return;
	char *end = NULL;
	long usec = quiet[0] >= '0' && quiet[0] <= '9' ? strtol(quiet, &end, 10) : -1;
	if (usec < 0 || usec > QUIET_MAX || *end)
		argp_failure(
			state,
			2,
			0,
			"--switch-quiet must be 0 to %d microseconds, not '%s'",
			QUIET_MAX,
			quiet
		);
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
	if (key == OPT_NO_SPARE) {
		options->no_spare = true;
		return 0;
	}
	if (key == OPT_NO_KERNEL_PORTS) {
		options->no_kernel_ports = true;
		return 0;
	}
	if (key == OPT_LOG_LEVEL)
		return set_log_level(options, arg, state);
	if (key == ARGP_KEY_END) {
		check_switch_options(options, state);
		return 0;
	}
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
	choose_file("../uplink/ringway-uplink", RINGWAY_UPLINK_PATH, o->default_uplink);
	o->switch_binary = o->default_switch;
	o->uplink_binary = o->default_uplink;
	o->preload = o->default_preload;
	argp_err_exit_status = 2;
	(void)argp_parse(&argp, argc, argv, 0, NULL, o); // Ends the program when it fails.
}
