// SPDX-License-Identifier: BSD-3-Clause
// Runs command lines against a stand-in for ringwayd.
#include "tests/unit/cli/scene.h"

#include "base/cleanup.h"
#include "tests/lib/unit.h"

#include <stdlib.h>

void scene_run(struct scene *scene, const struct fake_reply *replies, const char *line)
{
	*scene = (struct scene){.dir = fake_dir_make()};
	scene->server = fake_server_new(scene->dir, replies);
	assert_int_equal(setenv("RINGWAY_RUN_DIR", scene->dir, 1), 0);
	shell_run(&scene->shell, line);
	assert_int_equal(unsetenv("RINGWAY_RUN_DIR"), 0);
}

void scene_close(struct scene *scene)
{
	shell_fini(&scene->shell);
	fake_server_free(scene->server);
	fake_dir_remove(scene->dir);
	free(scene->dir);
}

void expect(
	const struct fake_reply *replies,
	const char *line,
	int status,
	const char *out,
	const char *asked
)
{
	struct scene scene;
	scene_run(&scene, replies, line);
	_cleanup_free_ char *log = fake_server_log(scene.server);
	assert_string_equal(log, asked);
	assert_string_equal(scene.shell.out, out);
	assert_int_equal(scene.shell.status, status);
	scene_close(&scene);
}
