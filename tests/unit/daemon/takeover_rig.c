// SPDX-License-Identifier: BSD-3-Clause
// Front ends of the fake switch, and its end. One thread.
#include "tests/unit/daemon/takeover_rig.h"

#include "base/cleanup.h"
#include "base/fdmsg.h"
#include "tests/lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_US 10000
#define TRIES 3000

struct run run;

int rig_setup(void **state)
{
	run_make(&run);
	run_start(&run);
	run_make_network(&run);
	return 0;
}

int rig_setup_without_spare(void **state)
{
	run_make(&run);
	run.no_spare = true;
	run_start(&run);
	run_make_network(&run);
	return 0;
}

int rig_teardown(void **state)
{
	run_remove(&run);
	return 0;
}

long long rig_of_switch(const char *member)
{
	json_t *answer = NULL;
	(void)run_call(&run, "GET", "/v1/switch", "", &answer); // 0 then.
	long long value = json_integer_value(json_object_get(answer, member));
	json_decref(answer);
	return value;
}

pid_t rig_await_spare(pid_t other_than)
{
	for (int i = 0; i < TRIES; i++) {
		pid_t pid = (pid_t)rig_of_switch("spare_pid");
		if (pid && pid != other_than)
			return pid;
		(void)usleep(PAUSE_US);
	}
	fail_msg("no spare gets ready");
	return 0;
}

pid_t rig_await_switch(pid_t other_than)
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
pid_t rig_replace(int signal)
{
	pid_t old = run_switch_pid(&run);
	pid_t spare = rig_await_spare(0);
	assert_int_equal(kill(old, signal), 0);
	pid_t next = rig_await_switch(old);
	assert_int_equal(next, spare);
	return next;
}

int rig_connect_to(const char *name)
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

void rig_say(int conn, char byte)
{
	assert_int_equal(send(conn, &byte, 1, MSG_NOSIGNAL), 1);
}

void rig_expect(int conn, const char *answer)
{
	char text[16] = "";
	size_t size = strlen(answer);
	assert_int_equal(recv(conn, text, size, MSG_WAITALL), size);
	assert_string_equal(text, answer);
}

void rig_ask(int conn, char byte, const char *answer)
{
	rig_say(conn, byte);
	rig_expect(conn, answer);
}

void rig_expect_closed(int conn)
{
	char byte;
	assert_true(recv(conn, &byte, 1, 0) <= 0);
}

// Gives the port a descriptor of which the first byte is `byte`.
void rig_give(int conn, char byte)
{
	_cleanup_close_ int fd = memfd_create("kept", MFD_CLOEXEC);
	assert_int_equal(write(fd, &byte, 1), 1);
	assert_int_equal(fdmsg_send(conn, "k", 1, &fd, 1, 0), 1);
	rig_expect(conn, "K");
}
