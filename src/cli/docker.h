// SPDX-License-Identifier: BSD-3-Clause
// A plan of the API (docs/api.md) and the user's words, turned into docker's commands. Pure but for
// RINGWAY_DOCKER; any thread.
#pragma once

#include "base/err.h"
#include "cli/runline.h"
#include "cli/strv.h"

#include <jansson.h>

// Docker's command line program: RINGWAY_DOCKER of the environment, or "docker".
const char *docker_program(void);

// Each adds one whole command to ret_words. -EPROTO with err when the plan lacks something, -ENOMEM.

// docker run of a container with one network; `create`: docker create with the first of several.
int docker_run_command(
	const struct run_line *line,
	json_t *plan,
	bool create,
	struct strv *ret_words,
	struct rwy_err *err
);
// docker network connect for network `index`. The container's name is the caller's to add.
int docker_connect_command(
	const struct run_line *line,
	json_t *plan,
	size_t index,
	struct strv *ret_words,
	struct rwy_err *err
);
// docker start, attached as the user asked. The container's name is the caller's to add.
void docker_start_command(const struct run_line *line, struct strv *ret_words);
void docker_pull_command(const struct run_line *line, struct strv *ret_words);
