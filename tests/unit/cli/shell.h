// SPDX-License-Identifier: BSD-3-Clause
// Runs ringway's whole command line inside a test and keeps what it said. Any thread, one at a time.
#pragma once

struct shell {
	int status;
	char *out;
	char *err;
};

// Runs "ringway" + line, split at single spaces ("''" is an empty word). The previous run's output
// is freed. Fails the test when standard error has more than one line.
void shell_run(struct shell *shell, const char *line);
void shell_fini(struct shell *shell);
