// SPDX-License-Identifier: BSD-3-Clause
// Runs another program as if it stood in for this one: its signals, its exit status. One thread; one
// child at a time.
#pragma once

#include "base/err.h"
#include "cli/strv.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

// Captures one stream of the child instead of sharing both with it.
struct child_capture {
	bool from_stderr; // Standard error, and standard output is thrown away; else standard output.
	char text[ERR_MSG_SIZE]; // Cut to fit, without the last newline.
	size_t used;
};

// Holds back the signals that child_run() passes on, so that none is lost between two children.
// *ret_before is for child_signals_release().
void child_signals_hold(sigset_t *ret_before);
void child_signals_release(const sigset_t *before);

// Runs argv (its first string is looked up in PATH) and waits for its end, with signals held.
// SIGTERM and SIGHUP are passed on; SIGINT and SIGQUIT as well, unless a terminal gives them to
// the child itself. *ret_status is its exit status, or 128 + the signal that ended it. `capture` may
// be NULL.
int child_run(
	const struct strv *argv,
	struct child_capture *capture,
	int *ret_status,
	struct rwy_err *err
);
