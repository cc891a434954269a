// SPDX-License-Identifier: BSD-3-Clause
// ringway run and stop with a stand-in for ringwayd and one for docker: which commands are run in which
// order, what becomes of statuses, signals and failures.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/cli/shell.h"
#include "tests/unit/client/fake_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ONE                                                                                                 \
	"\"key\":\"00aa\",\"mounts\":[{\"source\":\"/s\",\"target\":\"/run/ringway\",\"read_only\":true}]," \
	"\"env\":{\"LD_PRELOAD\":\"/p.so\"},\"networks\":[{\"network\":\"fast\",\"driver_opts\":"           \
	"{\"ringway.key\":\"00aa\"}}"
#define TWO ONE ",{\"network\":\"slow\",\"ip\":\"10.1.0.2\"}"
#define SETTLE                                                                \
	{                                                                     \
		"POST", "/v1/containers/00aa/settle", 200, "{\"kept\":false}" \
	}
#define PLAN(present, networks)                                                                \
	{                                                                                      \
		"POST", "/v1/containers", 201, "{\"image_present\":" present "," networks "]}" \
	}

static const struct fake_reply one[] = {PLAN("true", ONE), SETTLE, {0}};
static const struct fake_reply two[] = {PLAN("true", TWO), SETTLE, {0}};
static const struct fake_reply no_image[] = {PLAN("false", ONE), SETTLE, {0}};
static const struct fake_reply no_engine[] = {PLAN("null", ONE), SETTLE, {0}};

struct scene {
	char *dir;
	struct fake_server *server;
	struct shell shell;
};

// Docker's stand-in: notes its words, then does what $FAKE says for the first of them.
static const char script[] =
	"#!/bin/sh\n"
	"echo \"$*\" >>\"${0%/*}/docker.log\"\n"
	"case \"$1:$FAKE\" in\n"
	"create:create) echo 'no such thing' >&2; exit 1;;\n"
	"create:*) echo 0123456789ab;;\n"
	"network:connect) exit 1;;\n"
	"pull:pull) echo 'pull access denied'; echo 'Error: no registry' >&2; exit 1;;\n"
	"run:7|start:7|stop:7) exit 7;;\n"
	"image:user|image:nouser) echo app:staff;;\n"
	"image:number) echo 33;;\n"
	"image:*) echo;;\n"
	"cp:user) printf 'root:x:0:0::/:/bin/sh\\napp:x:1234:7::/:/bin/sh\\n' >\"$4\";;\n"
	"cp:nouser) echo 'root:x:0:0::/:/bin/sh' >\"$4\";;\n"
	"run:kill) kill -9 $$;;\n"
	"run:wait)\n"
	"	sleep 100 & child=$!\n"
	"	trap 'kill $child; exit 9' TERM\n"
	"	trap 'kill $child; exit 10' INT\n"
	"	echo ready >\"${0%/*}/fifo\"\n"
	"	wait;;\n"
	"esac\n";

static char *path_in(const struct scene *scene, const char *name)
{
	char *path = NULL;
	assert_true(asprintf(&path, "%s/%s", scene->dir, name) > 0);
	return path;
}

static void scene_open(struct scene *scene, const struct fake_reply *replies, const char *fake)
{
	*scene = (struct scene){.dir = fake_dir_make()};
	scene->server = fake_server_new(scene->dir, replies);
	_cleanup_free_ char *docker = path_in(scene, "docker");
	int fd = open(docker, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	assert_int_equal(close(fd), 0);
	assert_int_equal(setenv("RINGWAY_RUN_DIR", scene->dir, 1), 0);
	assert_int_equal(setenv("RINGWAY_DOCKER", docker, 1), 0);
	assert_int_equal(setenv("FAKE", fake, 1), 0);
}

static void scene_close(struct scene *scene)
{
	shell_fini(&scene->shell);
	fake_server_free(scene->server);
	fake_dir_remove(scene->dir);
	free(scene->dir);
}

static void assert_docker(const struct scene *scene, const char *expected)
{
	char said[4096] = "";
	_cleanup_free_ char *path = path_in(scene, "docker.log");
	FILE *file = fopen(path, "re");
	size_t size = file ? fread(said, 1, sizeof(said) - 1, file) : 0;
	said[size] = '\0';
	if (file)
		assert_int_equal(fclose(file), 0);
	assert_string_equal(said, expected);
}

static void assert_settled(const struct scene *scene, bool settled)
{
	_cleanup_free_ char *log = fake_server_log(scene->server);
	assert_int_equal(strstr(log, "POST /v1/containers/00aa/settle {}\n") != NULL, settled);
}

#define RUN_REST                                                                           \
	"--mount type=bind,source=/s,target=/run/ringway,readonly --env LD_PRELOAD=/p.so " \
	"--network name=fast,driver-opt=ringway.key=00aa img x\n"

static void test_one_network(void **state)
{
	struct scene s;
	scene_open(&s, one, "7");
	shell_run(
		&s.shell,
		"run --network fast,queues=2,learning=off,rate=rx:1k,offloads=off,rate=tx:5fps,burst=rx:9 --queues 3 --rm --name gen img x"
	);
	assert_int_equal(s.shell.status, 7);
	assert_docker(&s, "run --rm --name gen " RUN_REST);
	_cleanup_free_ char *log = fake_server_log(s.server);
	assert_string_equal(
		log,
		"POST /v1/containers {\"name\":\"gen\",\"image\":\"img\",\"networks\":"
		"[{\"network\":\"fast\",\"queues\":2,\"offloads\":false,\"limits\":{\"rx_bps\":1000,\"rx_burst\":9,\"tx_fps\":5},\"learning\":false}],\"queues\":3}\n"
		"POST /v1/containers/00aa/settle {}\n"
	);
	scene_close(&s);
}

// --queues is for those ports that have queues.
static void test_interface_beside_a_socket(void **state)
{
	struct scene s;
	scene_open(&s, two, "7");
	shell_run(
		&s.shell,
		"run --queues 3 --network fast --network slow,attach=kernel,ip=10.1.0.2,pin-address=off,allow-spoof img x"
	);
	assert_int_equal(s.shell.status, 7);
	_cleanup_free_ char *log = fake_server_log(s.server);
	assert_string_equal(
		log,
		"POST /v1/containers {\"image\":\"img\",\"networks\":[{\"network\":\"fast\"},"
		"{\"network\":\"slow\",\"attach\":\"kernel\",\"ip\":\"10.1.0.2\",\"allow_spoof\":true,\"pin_address\":false}],\"queues\":3}\n"
		"POST /v1/containers/00aa/settle {}\n"
	);
	scene_close(&s);
}

#define CARDS                                                                                             \
	"\"key\":\"00aa\",\"devices\":[{\"path\":\"/dev/vfio/12\"}],\"ulimits\":{\"memlock\":99},"        \
	"\"networks\":[{\"network\":\"cards\",\"driver_opts\":{\"ringway.attach\":\"vf\"}},{\"network\":" \
	"\"fast\",\"driver_opts\":{\"ringway.attach\":\"vhost\"}}"

static const struct fake_reply cards[] = {PLAN("true", CARDS), SETTLE, {0}};

// docker's commands of a run with functions, without those that find out about the user.
static void check_user(const char *fake, const char *user, const char *asked, const char *uid)
{
	struct scene s;
	char line[256];
	char expected[1024];
	scene_open(&s, cards, fake);
	(void)snprintf(
		line, sizeof(line), "run --network cards --network fast --vfs 2 %s-d img x", user
	);
	shell_run(&s.shell, line);
	assert_int_equal(s.shell.status, 0);
	(void)snprintf(
		expected,
		sizeof(expected),
		"%screate %s--device /dev/vfio/12 --ulimit memlock=99:99 --network "
		"name=cards,driver-opt=ringway.attach=vf%s img x\n"
		"network connect --driver-opt=ringway.attach=vhost fast 0123456789ab\n"
		"start 0123456789ab\n",
		asked,
		user,
		uid
	);
	// The name of the file that the user database is copied to is nobody's business.
	_cleanup_free_ char *path = path_in(&s, "docker.log");
	char command[512];
	(void
	)snprintf(command, sizeof(command), "sed -i 's,/tmp/ringway-user-[^ ]*,FILE,' %s", path);
	assert_int_equal(system(command), 0);
	assert_docker(&s, expected);
	_cleanup_free_ char *log = fake_server_log(s.server);
	assert_non_null(strstr(log, "\"vfs\":2}"));
	scene_close(&s);
}

#define INSPECT "image inspect --format {{.Config.User}} img\n"
#define LOOK_UP \
	"create --network=none img true\ncp -L 0123456789ab:/etc/passwd FILE\nrm 0123456789ab\n"

static void test_functions_are_the_users(void **state)
{
	check_user("", "", INSPECT, "");
	check_user("", "--user 1000:50 ", "", ",driver-opt=ringway.uid=1000");
	check_user("", "-u 0 ", "", "");
	check_user("number", "", INSPECT, ",driver-opt=ringway.uid=33");
	check_user("user", "", INSPECT LOOK_UP, ",driver-opt=ringway.uid=1234");
	check_user("user", "--user app ", LOOK_UP, ",driver-opt=ringway.uid=1234");
}

static void test_user_that_the_image_lacks(void **state)
{
	struct scene s;
	scene_open(&s, cards, "nouser");
	shell_run(&s.shell, "run --network cards img x");
	assert_int_equal(s.shell.status, 1);
	assert_string_equal(
		s.shell.err,
		"ringway: cannot run 'img' with functions: its /etc/passwd has no user 'app' "
		"(give the user as a number: --user UID)\n"
	);
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_killed_docker(void **state)
{
	struct scene s;
	scene_open(&s, one, "kill");
	shell_run(&s.shell, "run --network fast img");
	assert_int_equal(s.shell.status, 128 + SIGKILL);
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_several_networks(void **state)
{
	struct scene s;
	scene_open(&s, two, "7");
	shell_run(&s.shell, "run --network fast --network slow -i --rm img x");
	assert_int_equal(s.shell.status, 7);
	assert_docker(
		&s,
		"create -i --rm " RUN_REST "network connect --ip=10.1.0.2 slow 0123456789ab\n"
		"start -ai 0123456789ab\n"
	);
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_failing_connect_removes_the_container(void **state)
{
	struct scene s;
	scene_open(&s, two, "connect");
	shell_run(&s.shell, "run --network fast --network slow -d img x");
	assert_int_equal(s.shell.status, 1);
	assert_docker(
		&s,
		"create " RUN_REST "network connect --ip=10.1.0.2 slow 0123456789ab\n"
		"rm -f 0123456789ab\n"
	);
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_failing_create(void **state)
{
	struct scene s;
	scene_open(&s, two, "create");
	shell_run(&s.shell, "run --network fast --network slow img x");
	assert_int_equal(s.shell.status, 1);
	assert_docker(&s, "create " RUN_REST);
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_image_is_pulled(void **state)
{
	struct scene s;
	scene_open(&s, no_image, "7");
	shell_run(&s.shell, "run --network fast img x");
	assert_int_equal(s.shell.status, 7);
	assert_docker(&s, "pull -q -- img\nrun " RUN_REST);
	scene_close(&s);
}

static void test_image_that_is_nowhere(void **state)
{
	struct scene s;
	scene_open(&s, no_image, "pull");
	shell_run(&s.shell, "run --network fast img x");
	assert_int_equal(s.shell.status, 1);
	assert_memory_equal(s.shell.err, "ringway: cannot run 'img': Error: no registry (", 47);
	assert_docker(&s, "pull -q -- img\n");
	assert_settled(&s, true);
	scene_close(&s);
	scene_open(&s, no_image, "");
	shell_run(&s.shell, "run --network fast --pull=never img x");
	assert_int_equal(s.shell.status, 1);
	assert_docker(&s, "");
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_no_engine(void **state)
{
	struct scene s;
	scene_open(&s, no_engine, "");
	shell_run(&s.shell, "run --network fast img x");
	assert_int_equal(s.shell.status, 1);
	assert_non_null(strstr(s.shell.err, "cannot run 'img': Docker does not answer (start it"));
	assert_docker(&s, "");
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_no_docker_program(void **state)
{
	struct scene s;
	scene_open(&s, one, "");
	assert_int_equal(setenv("RINGWAY_DOCKER", "/nowhere/docker", 1), 0);
	shell_run(&s.shell, "run --network fast img x");
	assert_int_equal(s.shell.status, 1);
	assert_non_null(strstr(s.shell.err, "cannot run '/nowhere/docker'"));
	assert_non_null(strstr(s.shell.err, "RINGWAY_DOCKER"));
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_unknown_network(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST",
		 "/v1/containers",
		 404,
		 "{\"error\":{\"code\":\"not_found\",\"message\":\"no network 'x'\",\"hint\":\"make it\"}}"},
		{0},
	};
	struct scene s;
	scene_open(&s, replies, "");
	shell_run(&s.shell, "run --network x img");
	assert_int_equal(s.shell.status, 1);
	assert_string_equal(s.shell.err, "ringway: no network 'x' (make it)\n");
	assert_docker(&s, "");
	scene_close(&s);
}

static void test_dry_run(void **state)
{
	struct scene s;
	char expected[1024];
	scene_open(&s, one, "");
	shell_run(&s.shell, "run --dry-run --network fast img x");
	assert_int_equal(s.shell.status, 0);
	assert_docker(&s, "");
	assert_settled(&s, false);
	(void)snprintf(expected, sizeof(expected), "%s/docker run %s", s.dir, RUN_REST);
	assert_string_equal(s.shell.out, expected);
	_cleanup_free_ char *log = fake_server_log(s.server);
	assert_non_null(strstr(log, "\"dry_run\":true"));
	scene_close(&s);
}

static void test_dry_run_of_several_networks(void **state)
{
	struct scene s;
	char expected[1024];
	scene_open(&s, two, "");
	assert_int_equal(setenv("RINGWAY_DOCKER", "dkr", 1), 0);
	shell_run(&s.shell, "run --dry-run --network fast --network slow -d img");
	assert_int_equal(s.shell.status, 0);
	(void)snprintf(
		expected,
		sizeof(expected),
		"id=$(dkr create %.*s)\ndkr network connect --ip=10.1.0.2 slow \"$id\"\n"
		"dkr start \"$id\"\n",
		(int)strlen(RUN_REST) - 3,
		RUN_REST
	);
	assert_string_equal(s.shell.out, expected);
	shell_run(&s.shell, "run --dry-run --network fast --network slow --name gen img");
	assert_non_null(strstr(s.shell.out, "\ndkr network connect --ip=10.1.0.2 slow gen\n"));
	assert_non_null(strstr(s.shell.out, "\ndkr start -a gen\n"));
	scene_close(&s);
}

// What a child does: the command line without a terminal.
static void run_detached_from_terminal(struct scene *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(99);
	shell_run(&s->shell, "run --network fast img");
	_exit(s->shell.status);
}

static void check_signal(int number, int expected)
{
	struct scene s;
	char said[8] = "";
	int status = 0;
	scene_open(&s, one, "wait");
	_cleanup_free_ char *fifo = path_in(&s, "fifo");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_detached_from_terminal(&s);
	// Opening waits until docker's stand-in has set its traps.
	_cleanup_close_ int fd = open(fifo, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, said, sizeof(said)) > 0);
	assert_int_equal(kill(pid, number), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
	assert_settled(&s, true);
	scene_close(&s);
}

static void test_signals_reach_docker(void **state)
{
	check_signal(SIGTERM, 9);
	check_signal(SIGINT, 10); // There is no terminal that would have told docker itself.
}

static void test_stop(void **state)
{
	static const struct fake_reply replies[] = {
		{"GET",
		 "/v1/containers",
		 200,
		 "{\"containers\":[{\"key\":\"00aa\",\"name\":\"gen\",\"id\":\"0123456789ab\"},"
		 "{\"key\":\"00bb\"}]}"},
		{0},
	};
	static const struct {
		const char *line;
		int status;
		const char *docker;
	} cases[] = {
		{"stop gen", 7, "stop -- gen\n"},
		{"stop 0123 -t 3", 7, "stop -t 3 -- 0123\n"},
		{"stop 00aa gen", 7, "stop -- 0123456789ab gen\n"},
		{"stop gen other", 1, ""},
		{"stop ''", 1, ""},
		{"stop 00bb", 1, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene s;
		scene_open(&s, replies, "7");
		shell_run(&s.shell, cases[i].line);
		assert_int_equal(s.shell.status, cases[i].status);
		assert_docker(&s, cases[i].docker);
		if (cases[i].status == 1)
			assert_non_null(strstr(s.shell.err, "ringway: cannot stop '"));
		scene_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_network),
		cmocka_unit_test(test_interface_beside_a_socket),
		cmocka_unit_test(test_functions_are_the_users),
		cmocka_unit_test(test_user_that_the_image_lacks),
		cmocka_unit_test(test_killed_docker),
		cmocka_unit_test(test_several_networks),
		cmocka_unit_test(test_failing_connect_removes_the_container),
		cmocka_unit_test(test_failing_create),
		cmocka_unit_test(test_image_is_pulled),
		cmocka_unit_test(test_image_that_is_nowhere),
		cmocka_unit_test(test_no_engine),
		cmocka_unit_test(test_no_docker_program),
		cmocka_unit_test(test_unknown_network),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_dry_run_of_several_networks),
		cmocka_unit_test(test_signals_reach_docker),
		cmocka_unit_test(test_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
