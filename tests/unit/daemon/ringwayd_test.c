// SPDX-License-Identifier: BSD-3-Clause
// ringwayd as a whole, with a switch that moves no frames: the API, the switch's supervision,
// restarts, and what is left behind.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct run run;

static int setup(void **state)
{
	run_make(&run);
	return 0;
}

static int setup_running(void **state)
{
	run_make(&run);
	run_start(&run);
	return 0;
}

static int teardown(void **state)
{
	run_remove(&run);
	return 0;
}

static const char *port_socket(const char *name)
{
	static char path[256];
	(void)snprintf(path, sizeof(path), "%s/ports/%s/vhost.sock", run.run_dir, name);
	return path;
}

static void test_networks(void **state)
{
	run_make_network(&run);
	run_expect(&run, "GET /v1/networks", "", 200, "\"gateway\":\"10.0.0.1\"");
	run_make_port(&run, "p", "");
	run_expect(&run, "GET /v1/networks/n", "", 200, "\"port_names\":[\"p\"]");
	run_expect(&run, "DELETE /v1/networks/n", "", 409, "1 port is on it");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	run_expect(&run, "DELETE /v1/networks/n", "", 200, "{}");
	run_expect(&run, "DELETE /v1/networks/n", "", 404, "there is no network 'n'");
	run_expect(&run, "GET /v1/networks", "", 200, "\"networks\":[]");
}

static void test_long_names(void **state)
{
	char name[301];
	char body[512];
	memset(name, 'a', sizeof(name) - 1);
	name[300] = '\0';
	(void)snprintf(body, sizeof(body), "{\"name\":\"%s\"}", name);
	run_expect(&run, "POST /v1/networks", body, 400, "the name has 300 characters");
	run_make_network(&run);
	name[50] = '\0';
	run_make_port(&run, name, "");
	// The longest name makes a path that is too long for a socket, in this long run dir.
	name[50] = 'a';
	name[63] = '\0';
	(void)snprintf(
		body, sizeof(body), "{\"name\":\"%s\",\"network\":\"n\",\"attach\":\"vhost\"}", name
	);
	run_expect(&run, "POST /v1/ports", body, 400, "has 110 bytes, the limit is 107");
	run_expect(&run, "GET /v1/networks/n", "", 200, "\"ports\":1");
}

static void test_connections(void **state)
{
	run_make_network(&run);
	run_make_port(&run, "p", "");
	struct stat st;
	assert_int_equal(stat(port_socket("p"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	_cleanup_close_ int first = run_connect(port_socket("p"));
	assert_true(first >= 0);
	run_await(&run, "/v1/ports/p", "\"state\":\"connected\"");
	// A second one is closed at once, and the first one stays.
	char byte;
	_cleanup_close_ int second = run_connect(port_socket("p"));
	assert_int_equal(recv(second, &byte, 1, 0), 0);
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"connected\"");
	fd_close(&first);
	run_await(&run, "/v1/ports/p", "\"state\":\"waiting\"");
	first = run_connect(port_socket("p"));
	assert_int_equal(send(first, "x", 1, MSG_NOSIGNAL), 1);
	run_await(&run, "/v1/ports/p", "\"reason\":\"fake garbage\"");
	run_expect(&run, "GET /v1/ports", "", 200, "\"state\":\"quarantined\"");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	assert_false(run_has_file(&run, "run/ports/p"));
}

static void test_connecting_port(void **state)
{
	char path[128];
	char more[256];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(path, sizeof(path), "%s/app.sock", run.dir);
	(void)snprintf(more, sizeof(more), ",\"connect\":\"%s\"", path);
	run_make_network(&run);
	run_make_port(&run, "p", more);
	memcpy(address.sun_path, path, strlen(path) + 1);
	_cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	for (int i = 0; i < 2; i++) { // It comes again when it was closed.
		_cleanup_close_ int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(conn >= 0);
		run_await(&run, "/v1/ports/p", "\"state\":\"connected\"");
	}
	char body[512];
	memset(more, 'x', 120);
	more[120] = '\0';
	(void)snprintf(
		body,
		sizeof(body),
		"{\"name\":\"q\",\"network\":\"n\",\"attach\":\"vhost\",\"connect\":\"/%s\"}",
		more
	);
	run_expect(&run, "POST /v1/ports", body, 400, "has 121 bytes, the limit is 107");
}

static pid_t await_other_switch(pid_t old)
{
	pid_t now = old;
	while (now == old || !now) {
		run_await(&run, "/v1/version", "\"state\":\"running\"");
		now = run_switch_pid(&run);
	}
	return now;
}

static void test_switch_killed(void **state)
{
	run_make_network(&run);
	run_make_port(&run, "p", "");
	pid_t old = run_switch_pid(&run);
	assert_int_equal(kill(old, SIGKILL), 0);
	(void)await_other_switch(old);
	run_expect(&run, "GET /v1/version", "", 200, "\"restarts\":1");
	// The new one has the port, and connections reach it.
	run_await(&run, "/v1/stats", "\"name\":\"p\"");
	_cleanup_close_ int conn = run_connect(port_socket("p"));
	run_await(&run, "/v1/ports/p", "\"state\":\"connected\"");
	run_make_port(&run, "q", "");
}

static void test_switch_dies_in_request(void **state)
{
	run_make_network(&run);
	run_make_port(&run, "p", "");
	pid_t old = run_switch_pid(&run);
	run_expect(
		&run,
		"POST /v1/ports",
		"{\"name\":\"die\",\"network\":\"n\",\"attach\":\"vhost\"}",
		503,
		"cannot create port 'die': the switch does not answer"
	);
	(void)await_other_switch(old);
	run_expect(&run, "GET /v1/ports/die", "", 404, "");
	run_await(&run, "/v1/stats", "\"name\":\"p\"");
}

// A hung switch is ended and replaced.
static void test_switch_hangs(void **state)
{
	run_make_network(&run);
	pid_t old = run_switch_pid(&run);
	run_expect(
		&run,
		"POST /v1/ports",
		"{\"name\":\"hang\",\"network\":\"n\",\"attach\":\"vhost\"}",
		503,
		"it takes too long"
	);
	(void)await_other_switch(old);
	run_make_port(&run, "p", "");
}

// A request without an answer may have been acted on: what the switch has too much goes away.
static void test_doubt_is_settled(void **state)
{
	run_make_network(&run);
	run_expect(
		&run,
		"POST /v1/ports",
		"{\"name\":\"deaf\",\"network\":\"n\",\"attach\":\"vhost\"}",
		503,
		"it takes too long"
	);
	// The network cannot go from the switch while the port is there, so another port's stats
	// tell: the switch shows two ports a page, and one only is ours.
	run_make_port(&run, "p", "");
	run_await(&run, "/v1/stats", "\"ports\":[{\"name\":\"p\"");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	run_expect(&run, "DELETE /v1/networks/n", "", 200, "{}");
	run_make_network(&run);
}

static void test_restart_finds_switch(void **state)
{
	run_make_network(&run);
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	run_make_port(&run, "r", "");
	_cleanup_close_ int conn = run_connect(port_socket("p"));
	run_await(&run, "/v1/ports/p", "\"state\":\"connected\"");
	pid_t pid = run_switch_pid(&run);
	static const int signals[] = {SIGKILL, SIGTERM, SIGKILL};
	for (int i = 0; i < 3; i++) {
		struct stat before;
		struct stat after;
		assert_int_equal(stat(port_socket("q"), &before), 0);
		run_kill(&run, signals[i]);
		run_start(&run);
		assert_int_equal(run_switch_pid(&run), pid);
		run_await(&run, "/v1/ports/p", "\"state\":\"connected\"");
		// The same socket goes on listening.
		assert_int_equal(stat(port_socket("q"), &after), 0);
		assert_int_equal(before.st_ino, after.st_ino);
		_cleanup_close_ int other = run_connect(port_socket("q"));
		run_await(&run, "/v1/ports/q", "\"state\":\"connected\"");
		fd_close(&other);
		run_await(&run, "/v1/ports/q", "\"state\":\"waiting\"");
	}
	// It can be removed, and a new one made, by the ringwayd that did not make it.
	run_expect(&run, "DELETE /v1/ports/q", "", 200, "{}");
	run_make_port(&run, "q", "");
	// And its end is noticed although it is no child.
	assert_int_equal(kill(pid, SIGKILL), 0);
	(void)await_other_switch(pid);
	run_await(&run, "/v1/stats", "\"name\":\"q\"");
}

// Both ended at once: sockets are made anew.
static void test_restart_of_both(void **state)
{
	run_make_network(&run);
	run_make_port(&run, "p", "");
	pid_t pid = run_switch_pid(&run);
	run_kill(&run, SIGKILL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	run_start(&run);
	_cleanup_close_ int conn = run_connect(port_socket("p"));
	assert_true(conn >= 0);
	run_await(&run, "/v1/ports/p", "\"state\":\"connected\"");
}

// Ringwayd waited for it if it was its child; else it is ours (main() sees to that).
static void expect_ended(pid_t pid)
{
	pid_t waited = waitpid(pid, NULL, WNOHANG);
	if (waited != pid)
		assert_int_equal(kill(pid, 0), -1);
}

static void test_stop_leaves_nothing(void **state)
{
	run_make_network(&run);
	pid_t pid = run_switch_pid(&run);
	run_kill(&run, SIGTERM);
	expect_ended(pid);
	assert_true(run_has_file(&run, "run"));
	DIR *dir = opendir(run.run_dir);
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.')
			fail_msg("'%s' is left", e->d_name);
	assert_int_equal(closedir(dir), 0);
	// The network is still known.
	run_start(&run);
	run_expect(&run, "GET /v1/networks", "", 200, "\"name\":\"n\"");
}

// A found switch's socket goes too.
static void test_stop_of_found_switch(void **state)
{
	run_make_network(&run);
	run_make_port(&run, "p", "");
	pid_t pid = run_switch_pid(&run);
	run_kill(&run, SIGTERM);
	assert_int_equal(kill(pid, 0), 0); // It has a port.
	run_start(&run);
	assert_int_equal(run_switch_pid(&run), pid);
	run_kill(&run, SIGINT);
	expect_ended(pid);
	assert_false(run_has_file(&run, "run/switch.sock"));
	assert_false(run_has_file(&run, "run/api.sock"));
}

// Starts a switch as systemd would, one that speaks another version.
static pid_t start_old_switch(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/switch.sock", run.run_dir);
	assert_int_equal(mkdir(run.run_dir, 0755), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		assert_int_equal(close(listener), 0);
		return pid;
	}
	char text[16];
	const char *program = getenv("FAKE_SWITCH");
	int file = program ? open(program, O_PATH) : -1;
	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	if (file < 0 || dup2(listener, 3) < 0 || setenv("LISTEN_PID", text, 1) ||
	    setenv("LISTEN_FDS", "1", 1) || setenv("FAKE_SWITCH_OLD", "1", 1) || setuid(65534))
		_exit(96);
	// By descriptor, since another user may not reach the path.
	(void)fexecve(file, (char *[]){(char *)"switch", NULL}, environ);
	_exit(95);
}

static void test_old_switch_is_replaced(void **state)
{
	pid_t old = start_old_switch();
	run_start(&run);
	int status = 0;
	assert_int_equal(waitpid(old, &status, 0), old);
	assert_true(WIFSIGNALED(status));
	run_make_network(&run);
}

// A container that connects in a loop is answered now and then; others do not notice.
static void test_connections_in_a_loop(void **state)
{
	run_make_network(&run);
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int first = run_connect(port_socket("p"));
	run_await(&run, "/v1/ports/p", "\"state\":\"connected\"");
	for (int i = 0; i < 8; i++) {
		char byte;
		_cleanup_close_ int more = run_connect(port_socket("p"));
		assert_int_equal(recv(more, &byte, 1, 0), 0);
	}
	_cleanup_close_ int other = run_connect(port_socket("q"));
	run_await(&run, "/v1/ports/q", "\"state\":\"connected\"");
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"connected\"");
	// It is said once.
	char text[8192] = "";
	FILE *log = fopen(run.log, "re");
	assert_non_null(log);
	size_t size = fread(text, 1, sizeof(text) - 1, log);
	assert_int_equal(fclose(log), 0);
	text[size] = '\0';
	const char *line = strstr(text, "port 'p' refuses");
	assert_non_null(line);
	assert_null(strstr(line + 1, "port 'p' refuses"));
}

static void test_second_is_refused(void **state)
{
	struct run other = run;
	assert_int_equal(run_fork(&other), 1);
	// The first one was not disturbed.
	run_expect(&run, "GET /v1/version", "", 200, "\"restarts\":0");
}

static void test_long_run_dir(void **state)
{
	struct run other = run;
	memset(other.run_dir + strlen(other.run_dir), 'x', 60);
	assert_int_equal(run_fork(&other), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_networks, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_long_names, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_connections, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_connecting_port, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_switch_killed, setup_running, teardown),
		cmocka_unit_test_setup_teardown(
			test_switch_dies_in_request, setup_running, teardown
		),
		cmocka_unit_test_setup_teardown(test_switch_hangs, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_doubt_is_settled, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_restart_finds_switch, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_restart_of_both, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_stop_leaves_nothing, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_stop_of_found_switch, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_old_switch_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_connections_in_a_loop, setup_running, teardown
		),
		cmocka_unit_test_setup_teardown(test_second_is_refused, setup_running, teardown),
		cmocka_unit_test_setup_teardown(test_long_run_dir, setup, teardown),
	};
	if (geteuid() != 0) {
		print_message("skipped: ringwayd needs root\n");
		return 77; // meson: skipped.
	}
	// Switches that outlive their ringwayd become children of this test.
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); // Known to every kernel with pidfds.
	return cmocka_run_group_tests(tests, NULL, NULL);
}
