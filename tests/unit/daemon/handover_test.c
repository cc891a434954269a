// SPDX-License-Identifier: BSD-3-Clause
// Planned handovers and upgrades, with a switch that moves no frames: what goes on, what is refused, and what becomes of the ports
// when one of the two does not answer.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/takeover_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_planned(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	rig_give(conn, 'a');
	for (int i = 0; i < 20; i++) {
		pid_t old = run_switch_pid(&run);
		run_expect(&run, "POST /v1/switch/restart", "{}", 200, "\"ports\":1");
		assert_int_not_equal(run_switch_pid(&run), old);
		rig_ask(conn, 'f', "aF");
	}
	assert_int_equal(rig_of_switch("handovers"), 20);
	assert_int_equal(rig_of_switch("restarts"), 0);
	(void)rig_replace(SIGKILL);
	rig_ask(conn, 'f', "aF");
}

// A copy of the fake switch under another name, which says what is wrong with it.
static const char *copy_switch(const char *name, mode_t mode)
{
	static char path[128];
	struct stat st;
	_cleanup_close_ int from = open(getenv("FAKE_SWITCH"), O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "%s/%s", run.dir, name);
	_cleanup_close_ int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	assert_int_equal(fchmod(to, mode), 0);
	return path;
}

static void upgrade(const char *path, int status, const char *part)
{
	char body[256];
	(void)snprintf(body, sizeof(body), "{\"path\":\"%s\"}", path);
	run_expect(&run, "POST /v1/switch/restart", body, status, part);
}

static void test_bad_upgrades(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	pid_t active = run_switch_pid(&run);
	upgrade("switch", 400, "absolute");
	upgrade("/nowhere/switch", 400, "cannot open the program '/nowhere/switch'");
	upgrade(run.dir, 400, "is no file");
	upgrade(copy_switch("a", 0775), 400, "others than root may write to");
	upgrade(copy_switch("b", 04755), 400, "gives its user other rights");
	upgrade(copy_switch("c", 0644), 400, "is not executable");
	const char *path = copy_switch("d", 0755);
	assert_int_equal(chown(path, 65534, 0), 0);
	upgrade(path, 400, "belongs to user 65534");
	upgrade(copy_switch("exits", 0755), 503, "did not become ready");
	upgrade(copy_switch("form2", 0755), 400, "in form 2, the running switch in form 1");
	upgrade(copy_switch("unready", 0755), 400, "fake refusal");
	// The last of them was told to start, so nobody goes on; but the connection does.
	(void)rig_await_switch(active);
	rig_ask(conn, 'p', "P");
	run_expect(&run, "GET /v1/switch", "", 200, getenv("FAKE_SWITCH"));
	(void)rig_replace(SIGKILL);
	rig_ask(conn, 'p', "P");
}

static void expect_program(pid_t pid, const char *path)
{
	char link[64];
	char program[256] = "";
	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	assert_true(readlink(link, program, sizeof(program) - 1) > 0);
	assert_string_equal(program, path);
}

static void test_upgrade(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	const char *path = copy_switch("newer", 0755);
	upgrade(path, 200, "\"ports\":1");
	rig_ask(conn, 'p', "P");
	expect_program(run_switch_pid(&run), path);
	run_expect(&run, "GET /v1/switch", "", 200, path);
	// What follows is of the same.
	expect_program(rig_replace(SIGKILL), path);
	rig_ask(conn, 'p', "P");
	run_expect(&run, "POST /v1/switch/restart", "{}", 200, "");
	expect_program(run_switch_pid(&run), path);
}

// In the middle of a handover: whatever ringwayd had told the switch, the next one makes it go on.
static void test_ringwayd_killed_while_frozen(void **state)
{
	run_make_port(&run, "norelease", "");
	_cleanup_close_ int conn = rig_connect_to("norelease");
	pid_t active = run_switch_pid(&run);
	(void)rig_await_spare(0);
	pid_t caller = fork();
	assert_true(caller >= 0);
	if (!caller) {
		json_t *answer = NULL;
		_exit(run_call(&run, "POST", "/v1/switch/restart", "{}", &answer) != 0);
	}
	(void)usleep(500000); // The request to let go waits for two seconds.
	run_kill(&run, SIGKILL);
	assert_int_equal(waitpid(caller, NULL, 0), caller);
	run_start(&run);
	assert_int_equal(run_switch_pid(&run), active);
	rig_ask(conn, 'p', "P");
}

static void test_silent_handover(const char *name, int status)
{
	run_make_port(&run, name, "");
	_cleanup_close_ int conn = rig_connect_to(name);
	rig_give(conn, 'a');
	pid_t old = run_switch_pid(&run);
	(void)rig_await_spare(0);
	run_expect(&run, "POST /v1/switch/restart", "{}", status, "");
	(void)rig_await_switch(old);
	rig_ask(conn, 'f', "aF");
	assert_int_equal(kill(old, 0), -1);
}

static void test_silent_to_freeze(void **state)
{
	test_silent_handover("nofreeze", 503);
}

static void test_silent_to_release(void **state)
{
	test_silent_handover("norelease", 503);
}

// It may have begun: neither goes on, and a third one takes over; as long as that is not silent as well.
static void test_silent_to_start(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	rig_give(conn, 'a');
	pid_t old = run_switch_pid(&run);
	upgrade(copy_switch("nostart", 0755), 503, "takes too long");
	(void)rig_await_switch(old);
	rig_ask(conn, 'f', "aF");
	assert_int_equal(kill(old, 0), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_planned),
		TEST(test_bad_upgrades),
		TEST(test_upgrade),
		TEST(test_ringwayd_killed_while_frozen),
		TEST(test_silent_to_freeze),
		TEST(test_silent_to_release),
		TEST(test_silent_to_start),
	};
	if (geteuid() != 0) {
		print_message("skipped: ringwayd needs root\n");
		return 77; // meson: skipped.
	}
	// Switches that outlive their ringwayd become children of this test.
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); // Known to every kernel with pidfds.
	return cmocka_run_group_tests(tests, NULL, NULL);
}
