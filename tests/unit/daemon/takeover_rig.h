// SPDX-License-Identifier: BSD-3-Clause
// Front ends of the fake switch (fake_conn.c says what they may say), and its end, for tests of what outlives it.
#pragma once

#include "tests/unit/daemon/run.h"

extern struct run run; // The ringwayd under test, with network n.

int rig_setup(void **state);
int rig_setup_without_spare(void **state);
int rig_teardown(void **state);

long long rig_of_switch(const char *member); // Of GET /v1/switch; 0: it is not there.
pid_t rig_await_spare(pid_t other_than);
pid_t rig_await_switch(pid_t other_than);
// Sends the switch a signal once there is a spare, and waits for the next: the spare.
pid_t rig_replace(int signal);

int rig_connect_to(const char *name
); // The port's socket; waits until the switch has the connection.
void rig_say(int conn, char byte);
void rig_expect(int conn, const char *answer);
void rig_ask(int conn, char byte, const char *answer); // Both.
void rig_expect_closed(int conn);
void rig_give(int conn, char byte); // A descriptor of which the first byte is `byte`.
