// SPDX-License-Identifier: BSD-3-Clause
// Runs another program to its end. Any thread.
#pragma once

#include "base/err.h"

// Runs argv[0] (a path; the list ends with NULL) without a shell: `input` (may be NULL) is what it reads, and no other
// descriptor reaches it. 0 and what it wrote, which the caller frees; -ETIMEDOUT (it was killed), -EIO (it ended with
// another status than 0: err has the first line of what it complained), or why it could not be started.
int command_run(
	const char *const *argv,
	const char *input,
	int timeout_ms,
	char **ret_output,
	struct rwy_err *err
);
