// SPDX-License-Identifier: BSD-3-Clause
// A command line with a stand-in for ringwayd. Any thread, one at a time.
#pragma once

#include "tests/unit/cli/shell.h"
#include "tests/unit/client/fake_server.h"

struct scene {
	char *dir;
	struct fake_server *server;
	struct shell shell;
};

// Runs "ringway" + line (see shell_run()) against a server with these replies.
void scene_run(struct scene *scene, const struct fake_reply *replies, const char *line);
void scene_close(struct scene *scene);

// Fails the test unless the command asks ringwayd, prints and returns just this.
void expect(
	const struct fake_reply *replies,
	const char *line,
	int status,
	const char *out,
	const char *asked
);
