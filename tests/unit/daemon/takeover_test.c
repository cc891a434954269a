// SPDX-License-Identifier: BSD-3-Clause
// What outlives a switch that ends: ringwayd with a switch that moves no frames (fake_switch.c, fake_conn.c), killed in every
// way, under front ends that never connect again.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/takeover_rig.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static void test_connection_outlives_switch(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	rig_ask(conn, 'p', "P");
	(void)rig_replace(SIGKILL);
	rig_ask(conn, 'p', "P");
	rig_say(conn, 'n'); // The state memory went along.
	rig_expect(conn, "\3");
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"connected\"");
	assert_int_equal(rig_of_switch("restarts"), 1);
	assert_true(rig_of_switch("last_gap_us") > 0);
	run_expect(&run, "GET /v1/switch", "", 200, "signal 9 (Killed)");
	// Ports still come and go, and connections end and come.
	run_make_port(&run, "q", "");
	fd_close(&conn);
	run_await(&run, "/v1/ports/p", "\"state\":\"waiting\"");
	conn = rig_connect_to("p");
	rig_ask(conn, 'p', "P");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	rig_expect_closed(conn);
}

static void test_kept_descriptors(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = rig_connect_to("p");
	_cleanup_close_ int q = rig_connect_to("q");
	rig_give(p, 'a');
	rig_give(p, 'b');
	rig_give(q, 'x');
	(void)rig_replace(SIGKILL);
	rig_ask(p, 'f', "abF");
	rig_ask(q, 'd', "D");
	rig_give(q, 'y');
	(void)rig_replace(SIGKILL);
	rig_ask(p, 'f', "abF");
	rig_ask(q, 'f', "yF");
	rig_give(p, 'c');
	(void)rig_replace(SIGKILL);
	rig_ask(p, 'f', "abcF");
}

// What the switch had said when it died counts, also where it left requests unread.
static void test_events_queued_at_death(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	for (int i = 0; i < 2; i++) {
		pid_t old = run_switch_pid(&run);
		(void)rig_await_spare(0);
		if (i == 1) {
			rig_ask(conn, 'z', "Z");
			(void)usleep(600000); // A heartbeat comes that it does not read.
		}
		assert_int_equal(kill(run.pid, SIGSTOP), 0);
		rig_give(conn, (char)('a' + i));
		assert_int_equal(kill(old, SIGKILL), 0);
		(void)usleep(50000);
		assert_int_equal(kill(run.pid, SIGCONT), 0);
		(void)rig_await_switch(old);
		rig_ask(conn, 'f', i ? "abF" : "aF");
	}
}

static void test_doubt_closes_one_connection(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = rig_connect_to("p");
	_cleanup_close_ int q = rig_connect_to("q");
	rig_ask(p, 'u', "U");
	(void)rig_replace(SIGKILL);
	rig_expect_closed(p);
	rig_ask(q, 'p', "P");
	run_await(&run, "/v1/ports/p", "\"state\":\"waiting\"");
	fd_close(&p);
	p = rig_connect_to("p");
	rig_ask(p, 'p', "P");
	(void)rig_replace(SIGKILL);
	rig_ask(p, 'p', "P");
}

static void test_spare_is_replaced(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	pid_t active = run_switch_pid(&run);
	pid_t spare = rig_await_spare(0);
	assert_int_equal(kill(spare, SIGKILL), 0);
	spare = rig_await_spare(spare);
	// One that hangs, too.
	assert_int_equal(kill(spare, SIGSTOP), 0);
	(void)rig_await_spare(spare);
	assert_int_equal(run_switch_pid(&run), active);
	rig_ask(conn, 'p', "P");
	(void)rig_replace(SIGKILL);
	rig_ask(conn, 'p', "P");
}

static void test_without_spare(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	rig_give(conn, 'a');
	pid_t old = run_switch_pid(&run);
	assert_int_equal(kill(old, SIGKILL), 0);
	old = rig_await_switch(old);
	rig_ask(conn, 'f', "aF");
	assert_int_equal(rig_of_switch("spare_pid"), 0);
	run_expect(&run, "POST /v1/switch/restart", "{}", 200, "\"ports\":1");
	(void)rig_await_switch(old);
	rig_ask(conn, 'f', "aF");
	run_expect(&run, "GET /v1/switch", "", 200, "\"spare_wanted\":false");
}

static void test_restart_of_ringwayd_then_crash(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	rig_give(conn, 'a');
	for (int i = 0; i < 3; i++) {
		pid_t active = run_switch_pid(&run);
		run_kill(&run, i == 1 ? SIGTERM : SIGKILL);
		rig_ask(conn, 'p', "P");
		run_start(&run);
		assert_int_equal(run_switch_pid(&run), active);
		(void)rig_replace(SIGKILL);
		rig_ask(conn, 'f', "aF");
	}
	// Both at once: the port begins anew.
	pid_t active = run_switch_pid(&run);
	run_kill(&run, SIGKILL);
	assert_int_equal(kill(active, SIGKILL), 0);
	rig_expect_closed(conn);
	run_start(&run);
	_cleanup_close_ int other = rig_connect_to("p");
	rig_ask(other, 'f', "F");
}

// One that has let go for another one is not the one to go on with.
static void test_succeeded_switch_is_left(void **state)
{
	run_make_port(&run, "succeeded", "");
	pid_t active = run_switch_pid(&run);
	run_kill(&run, SIGKILL);
	run_start(&run);
	assert_int_not_equal(run_switch_pid(&run), active);
	_cleanup_close_ int conn = rig_connect_to("succeeded");
	rig_ask(conn, 'p', "P");
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
	_cleanup_close_ int p = rig_connect_to("p");
	_cleanup_close_ int q = rig_connect_to("q");
	pid_t before = run_switch_pid(&run);
	(void)rig_await_spare(0);
	rig_say(p, 's');
	before = rig_await_switch(before);
	run_expect(&run, "GET /v1/switch", "", 200, "(port 'p')");
	rig_ask(p, 'p', "P");
	// The control thread's fault counts as a worker's.
	(void)rig_await_spare(before);
	rig_say(p, 'c');
	(void)rig_await_switch(before);
	rig_expect_closed(p);
	await_quarantine("p", "it ended the switch twice: switch");
	rig_ask(q, 'p', "P");
	// It stays so, and nobody gets in.
	(void)rig_replace(SIGKILL);
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"quarantined\"");
	run_expect(&run, "POST /v1/switch/restart", "{}", 200, "\"ports\":1");
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"quarantined\"");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	run_make_port(&run, "p", "");
	fd_close(&p);
	p = rig_connect_to("p");
	rig_ask(p, 'p', "P");
	rig_ask(q, 'p', "P");
}

static void test_quarantine_outlives_switch(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	rig_say(conn, '!');
	await_quarantine("p", "fake garbage");
	(void)rig_replace(SIGKILL);
	await_quarantine("p", "fake garbage");
	run_kill(&run, SIGKILL);
	run_start(&run);
	await_quarantine("p", "");
	(void)rig_replace(SIGKILL);
	await_quarantine("p", "");
}

static void test_hang_is_blamed(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = rig_connect_to("p");
	_cleanup_close_ int q = rig_connect_to("q");
	for (int i = 0; i < 2; i++) {
		pid_t old = run_switch_pid(&run);
		(void)rig_await_spare(0);
		rig_say(q, 'h');
		(void)rig_await_switch(old);
		rig_ask(p, 'p', "P");
	}
	rig_expect_closed(q);
	await_quarantine("q", "it hung");
}

// Whoever kills it from outside blames nobody.
static void test_kill_blames_nobody(void **state)
{
	run_make_port(&run, "p", "");
	_cleanup_close_ int conn = rig_connect_to("p");
	for (int i = 0; i < 3; i++) {
		(void)rig_replace(SIGKILL);
		rig_ask(conn, 'p', "P");
	}
	run_expect(&run, "GET /v1/ports/p", "", 200, "\"state\":\"connected\"");
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
	(void)rig_await_spare(0);
	// An old switch, or a caller's socket, may be on its way out.
	for (int i = 0; i < 50; i++) {
		size_t now = count_descriptors();
		count = !count || now < count ? now : count;
		(void)usleep(10000);
	}
	return count;
}

static void test_takeovers_leak_nothing(void **state)
{
	run_make_port(&run, "p", "");
	run_make_port(&run, "q", "");
	_cleanup_close_ int p = rig_connect_to("p");
	_cleanup_close_ int q = rig_connect_to("q");
	rig_give(p, 'a');
	(void)rig_replace(SIGKILL);
	size_t before = settled_descriptors();
	for (int i = 0; i < 50; i++) {
		(void)rig_replace(SIGKILL);
		rig_give(q, 'b');
		run_expect(&run, "POST /v1/switch/restart", "{}", 200, "\"ports\":2");
		rig_ask(q, 'd', "D");
	}
	assert_int_equal(settled_descriptors(), before);
	rig_ask(p, 'f', "aF");
	run_expect(&run, "DELETE /v1/ports/p", "", 200, "{}");
	run_expect(&run, "DELETE /v1/ports/q", "", 200, "{}");
	// Per port: the listener, its state memory and its connection; and what p had.
	assert_int_equal(settled_descriptors(), before - 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_connection_outlives_switch),
		TEST(test_kept_descriptors),
		TEST(test_events_queued_at_death),
		TEST(test_doubt_closes_one_connection),
		TEST(test_spare_is_replaced),
		cmocka_unit_test_setup_teardown(
			test_without_spare, rig_setup_without_spare, rig_teardown
		),
		TEST(test_restart_of_ringwayd_then_crash),
		TEST(test_succeeded_switch_is_left),
		TEST(test_blamed_twice),
		TEST(test_quarantine_outlives_switch),
		TEST(test_hang_is_blamed),
		TEST(test_kill_blames_nobody),
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
