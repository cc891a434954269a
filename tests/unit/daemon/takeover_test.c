// SPDX-License-Identifier: BSD-3-Clause
// What outlives a switch: ringwayd with a switch that moves no frames (fake_switch.c, fake_conn.c), killed in every way, handed
// over, and upgraded, under front ends that never connect again.
#include "base/cleanup.h"
#include "base/fdmsg.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_US 10000
#define TRIES 3000

static struct run run;

static int setup(void **state)
{
	run_make(&run);
	run_start(&run);
	run_make_network(&run);
	return 0;
}

static int setup_without_spare(void **state)
{
	run_make(&run);
	run.no_spare = true;
	run_start(&run);
	run_make_network(&run);
	return 0;
}

static int teardown(void **state)
{
	run_remove(&run);
	return 0;
}

static long long of_switch(const char *member)
{
	json_t *answer = NULL;
	(void)run_call(&run, "GET", "/v1/switch", "", &answer); // 0 then.
	long long value = json_integer_value(json_object_get(answer, member));
	json_decref(answer);
	return value;
}

static pid_t await_spare(pid_t other_than)
{
	for (int i = 0; i < TRIES; i++) {
		pid_t pid = (pid_t)of_switch("spare_pid");
		if (pid && pid != other_than)
			return pid;
		(void)usleep(PAUSE_US);
	}
	fail_msg("no spare gets ready");
	return 0;
}

static pid_t await_switch(pid_t other_than)
{
	for (int i = 0; i < TRIES; i++) {
		pid_t pid = run_switch_pid(&run);
		if (pid && pid != other_than)
			return pid;
		(void)usleep(PAUSE_US);
	}
	fail_msg("no other switch runs");
	return 0;
}

// Kills the switch once there is a spare, and waits for the next: the spare.
static pid_t replace(int signal)
{
	pid_t old = run_switch_pid(&run);
	pid_t spare = await_spare(0);
	assert_int_equal(kill(old, signal), 0);
	pid_t next = await_switch(old);
	assert_int_equal(next, spare);
	return next;
}

static int connect_to(const char *name)
{
	char path[256];
	char url[256];
	(void)snprintf(path, sizeof(path), "%s/ports/%s/vhost.sock", run.run_dir, name);
	(void)snprintf(url, sizeof(url), "/v1/ports/%s", name);
	int conn = run_connect(path);
	assert_true(conn >= 0);
	run_await(&run, url, "\"state\":\"connected\"");
	return conn;
}

static void say(int conn, char byte)
{
	assert_int_equal(send(conn, &byte, 1, MSG_NOSIGNAL), 1);
}

static void expect(int conn, const char *answer)
{
	char text[16] = "";
	size_t size = strlen(answer);
	assert_int_equal(recv(conn, text, size, MSG_WAITALL), size);
	assert_string_equal(text, answer);
}

static void ask(int conn, char byte, const char *answer)
{
	say(conn, byte);
	expect(conn, answer);
}

static void expect_closed(int conn)
{
	char byte;
	assert_true(recv(conn, &byte, 1, 0) <= 0);
}

// Gives the port a descriptor of which the first byte is `byte`.
static void give(int conn, char byte)
{
	_cleanup_close_ int fd = memfd_create("kept", MFD_CLOEXEC);
	assert_int_equal(write(fd, &byte, 1), 1);
	assert_int_equal(fdmsg_send(conn, "k", 1, &fd, 1, 0), 1);
	expect(conn, "K");
}

static void test_connection_outlives_switch(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = connect_to("p");
	ask(conn, 'p', "P");
	(void)replace(SIGKILL);
	ask(conn, 'p', "P");
	say(conn, 'n'); // The state memory went along.
	expect(conn, "\3");
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"connected\"");
	assert_int_equal(of_switch("restarts"), 1);
	assert_true(of_switch("last_gap_us") > 0);
	run_expect(&run, "GET /v1/switch", "", 200, "signal 9 (Killed)");
	// Ports still come and go, and connections end and come.
	run_make_port(&run, "q", "");
	fd_close(&conn);
	run_await(&run, "/v1/ports/p", "\"state\":\"waiting\"");
	conn = connect_to("p");
	ask(conn, 'p', "P");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	expect_closed(conn);
}

static void test_kept_descriptors(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = connect_to("p");
	_cleanup_close_ int q = connect_to("q");
	give(p, 'a');
	give(p, 'b');
	give(q, 'x');
	(void)replace(SIGKILL);
	ask(p, 'f', "abF");
	ask(q, 'd', "D");
	give(q, 'y');
	(void)replace(SIGKILL);
	ask(p, 'f', "abF");
	ask(q, 'f', "yF");
	give(p, 'c');
	(void)replace(SIGKILL);
	ask(p, 'f', "abcF");
}

// What the switch had said when it died counts, also where it left requests unread.
static void test_events_queued_at_death(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = connect_to("p");
	for (int i = 0; i < 2; i++) {
		pid_t old = run_switch_pid(&run);
		(void)await_spare(0);
		if (i == 1) {
			ask(conn, 'z', "Z");
			(void)usleep(600000); // A heartbeat comes that it does not read.
		}
		assert_int_equal(kill(run.pid, SIGSTOP), 0);
		give(conn, (char)('a' + i));
		assert_int_equal(kill(old, SIGKILL), 0);
		(void)usleep(50000);
		assert_int_equal(kill(run.pid, SIGCONT), 0);
		(void)await_switch(old);
		ask(conn, 'f', i ? "abF" : "aF");
	}
}

static void test_doubt_closes_one_connection(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = connect_to("p");
	_cleanup_close_ int q = connect_to("q");
	ask(p, 'u', "U");
	(void)replace(SIGKILL);
	expect_closed(p);
	ask(q, 'p', "P");
	run_await(&run, "/v1/ports/p", "\"state\":\"waiting\"");
	fd_close(&p);
	p = connect_to("p");
	ask(p, 'p', "P");
	(void)replace(SIGKILL);
	ask(p, 'p', "P");
}

static void test_spare_is_replaced(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = connect_to("p");
	pid_t active = run_switch_pid(&run);
	pid_t spare = await_spare(0);
	assert_int_equal(kill(spare, SIGKILL), 0);
	spare = await_spare(spare);
	// One that hangs, too.
	assert_int_equal(kill(spare, SIGSTOP), 0);
	(void)await_spare(spare);
	assert_int_equal(run_switch_pid(&run), active);
	ask(conn, 'p', "P");
	(void)replace(SIGKILL);
	ask(conn, 'p', "P");
}

static void test_without_spare(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = connect_to("p");
	give(conn, 'a');
	pid_t old = run_switch_pid(&run);
	assert_int_equal(kill(old, SIGKILL), 0);
	old = await_switch(old);
	ask(conn, 'f', "aF");
	assert_int_equal(of_switch("spare_pid"), 0);
	run_expect(&run, "POST /v1/switch/restart", "{}", 200, "\"ports\":1");
	(void)await_switch(old);
	ask(conn, 'f', "aF");
	run_expect(&run, "GET /v1/switch", "", 200, "\"spare_wanted\":false");
}

static void test_planned(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int conn = connect_to("p");
	give(conn, 'a');
	for (int i = 0; i < 20; i++) {
		pid_t old = run_switch_pid(&run);
		run_expect(&run, "POST /v1/switch/restart", "{}", 200, "\"ports\":1");
		assert_int_not_equal(run_switch_pid(&run), old);
		ask(conn, 'f', "aF");
	}
	assert_int_equal(of_switch("handovers"), 20);
	assert_int_equal(of_switch("restarts"), 0);
	(void)replace(SIGKILL);
	ask(conn, 'f', "aF");
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
	_cleanup_close_ int conn = connect_to("p");
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
	(void)await_switch(active);
	ask(conn, 'p', "P");
	run_expect(&run, "GET /v1/switch", "", 200, getenv("FAKE_SWITCH"));
	(void)replace(SIGKILL);
	ask(conn, 'p', "P");
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
	_cleanup_close_ int conn = connect_to("p");
	const char *path = copy_switch("newer", 0755);
	upgrade(path, 200, "\"ports\":1");
	ask(conn, 'p', "P");
	expect_program(run_switch_pid(&run), path);
	run_expect(&run, "GET /v1/switch", "", 200, path);
	// What follows is of the same.
	expect_program(replace(SIGKILL), path);
	ask(conn, 'p', "P");
	run_expect(&run, "POST /v1/switch/restart", "{}", 200, "");
	expect_program(run_switch_pid(&run), path);
}

static void test_restart_of_ringwayd_then_crash(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = connect_to("p");
	give(conn, 'a');
	for (int i = 0; i < 3; i++) {
		pid_t active = run_switch_pid(&run);
		run_kill(&run, i == 1 ? SIGTERM : SIGKILL);
		ask(conn, 'p', "P");
		run_start(&run);
		assert_int_equal(run_switch_pid(&run), active);
		(void)replace(SIGKILL);
		ask(conn, 'f', "aF");
	}
	// Both at once: the port begins anew.
	pid_t active = run_switch_pid(&run);
	run_kill(&run, SIGKILL);
	assert_int_equal(kill(active, SIGKILL), 0);
	expect_closed(conn);
	run_start(&run);
	_cleanup_close_ int other = connect_to("p");
	ask(other, 'f', "F");
}

// In the middle of a handover: whatever ringwayd had told the switch, the next one makes it go on.
static void test_ringwayd_killed_while_frozen(void **state)
{
	run_make_port(&run, "norelease", "");
	_cleanup_close_ int conn = connect_to("norelease");
	pid_t active = run_switch_pid(&run);
	(void)await_spare(0);
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
	ask(conn, 'p', "P");
}

// One that has let go for another one is not the one to go on with.
static void test_succeeded_switch_is_left(void **state)
{
	run_make_port(&run, "succeeded", "");
	pid_t active = run_switch_pid(&run);
	run_kill(&run, SIGKILL);
	run_start(&run);
	assert_int_not_equal(run_switch_pid(&run), active);
	_cleanup_close_ int conn = connect_to("succeeded");
	ask(conn, 'p', "P");
}

static void await_quarantine(const char *name, const char *reason)
{
	char url[128];
	(void)snprintf(url, sizeof(url), "/v1/ports/%s", name);
	run_await(&run, url, "\"state\":\"quarantined\"");
	run_expect(&run, name[0] == 'p' ? "GET /v1/ports/p" : "GET /v1/ports/q", "", 200, reason);
}

static void test_blamed_twice(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = connect_to("p");
	_cleanup_close_ int q = connect_to("q");
	pid_t before = run_switch_pid(&run);
	(void)await_spare(0);
	say(p, 's');
	before = await_switch(before);
	run_expect(&run, "GET /v1/switch", "", 200, "(port 'p')");
	ask(p, 'p', "P");
	// The control thread's fault counts as a worker's.
	(void)await_spare(before);
	say(p, 'c');
	(void)await_switch(before);
	expect_closed(p);
	await_quarantine("p", "it ended the switch twice: switch");
	ask(q, 'p', "P");
	// It stays so, and nobody gets in.
	(void)replace(SIGKILL);
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"quarantined\"");
	run_expect(&run, "POST /v1/switch/restart", "{}", 200, "\"ports\":1");
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"quarantined\"");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	run_make_port(&run, "p", "");
	fd_close(&p);
	p = connect_to("p");
	ask(p, 'p', "P");
	ask(q, 'p', "P");
}

static void test_quarantine_outlives_switch(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = connect_to("p");
	say(conn, '!');
	await_quarantine("p", "fake garbage");
	(void)replace(SIGKILL);
	await_quarantine("p", "fake garbage");
	run_kill(&run, SIGKILL);
	run_start(&run);
	await_quarantine("p", "");
	(void)replace(SIGKILL);
	await_quarantine("p", "");
}

static void test_hang_is_blamed(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = connect_to("p");
	_cleanup_close_ int q = connect_to("q");
	for (int i = 0; i < 2; i++) {
		pid_t old = run_switch_pid(&run);
		(void)await_spare(0);
		say(q, 'h');
		(void)await_switch(old);
		ask(p, 'p', "P");
	}
	expect_closed(q);
	await_quarantine("q", "it hung");
}

// Whoever kills it from outside blames nobody.
static void test_kill_blames_nobody(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = connect_to("p");
	for (int i = 0; i < 3; i++) {
		(void)replace(SIGKILL);
		ask(conn, 'p', "P");
	}
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"connected\"");
}

static void test_silent_handover(const char *name, int status)
{
	run_make_port(&run, name, "");
	_cleanup_close_ int conn = connect_to(name);
	give(conn, 'a');
	pid_t old = run_switch_pid(&run);
	(void)await_spare(0);
	run_expect(&run, "POST /v1/switch/restart", "{}", status, "");
	(void)await_switch(old);
	ask(conn, 'f', "aF");
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
	_cleanup_close_ int conn = connect_to("p");
	give(conn, 'a');
	pid_t old = run_switch_pid(&run);
	upgrade(copy_switch("nostart", 0755), 503, "takes too long");
	(void)await_switch(old);
	ask(conn, 'f', "aF");
	assert_int_equal(kill(old, 0), -1);
}

static size_t count_descriptors(void)
{
	char path[64];
	size_t count = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)run.pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	assert_int_equal(closedir(dir), 0);
	return count;
}

static size_t settled_descriptors(void)
{
	size_t count = 0;
	(void)await_spare(0);
	// An old switch, or a caller's socket, may be on its way out.
	for (int i = 0; i < 50; i++) {
		size_t now = count_descriptors();
		count = !count || now < count ? now : count;
		(void)usleep(PAUSE_US);
	}
	return count;
}

static void test_takeovers_leak_nothing(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = connect_to("p");
	_cleanup_close_ int q = connect_to("q");
	give(p, 'a');
	(void)replace(SIGKILL);
	size_t before = settled_descriptors();
	for (int i = 0; i < 50; i++) {
		(void)replace(SIGKILL);
		give(q, 'b');
		run_expect(&run, "POST /v1/switch/restart", "{}", 200, "\"ports\":2");
		ask(q, 'd', "D");
	}
	assert_int_equal(settled_descriptors(), before);
	ask(p, 'f', "aF");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	run_expect(&run, "DELETE /v1/ports/q", "", 200, "{}");
	// Per port: the listener, its state memory and its connection; and what p had.
	assert_int_equal(settled_descriptors(), before - 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_connection_outlives_switch),
		TEST(test_kept_descriptors),
		TEST(test_events_queued_at_death),
		TEST(test_doubt_closes_one_connection),
		TEST(test_spare_is_replaced),
		cmocka_unit_test_setup_teardown(test_without_spare, setup_without_spare, teardown),
		TEST(test_planned),
		TEST(test_bad_upgrades),
		TEST(test_upgrade),
		TEST(test_restart_of_ringwayd_then_crash),
		TEST(test_ringwayd_killed_while_frozen),
		TEST(test_succeeded_switch_is_left),
		TEST(test_blamed_twice),
		TEST(test_quarantine_outlives_switch),
		TEST(test_hang_is_blamed),
		TEST(test_kill_blames_nobody),
		TEST(test_silent_to_freeze),
		TEST(test_silent_to_release),
		TEST(test_silent_to_start),
		TEST(test_takeovers_leak_nothing),
	};
	if (geteuid() != 0) {
		print_message("skipped: ringwayd needs root\n");
		return 77; // meson: skipped.
	}
	// Switches that outlive their ringwayd become children of this test.
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); // Known to every kernel with pidfds.
	return cmocka_run_group_tests(tests, NULL, NULL);
}
