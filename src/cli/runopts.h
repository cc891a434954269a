// SPDX-License-Identifier: BSD-3-Clause
// What has to be known of docker run's options (20.10 to 28) to find the image behind them. Pure.
#pragma once

#include <stdbool.h>

// What an option means to ringway run.
enum run_word {
	RUN_WORD_PASS, // Nothing: it is docker's.
	RUN_WORD_NETWORK,
	RUN_WORD_QUEUES,
	RUN_WORD_VFS,
	RUN_WORD_DRY_RUN,
	RUN_WORD_RUN_DIR,
	RUN_WORD_HELP,
	RUN_WORD_NAME,
	RUN_WORD_ENV,
	RUN_WORD_IP,
	RUN_WORD_MAC,
	RUN_WORD_DETACH,
	RUN_WORD_DETACH_KEYS,
	RUN_WORD_SIG_PROXY,
	RUN_WORD_INTERACTIVE,
	RUN_WORD_PLATFORM,
	RUN_WORD_PULL,
	RUN_WORD_PUBLISH,
	RUN_WORD_USER,
	RUN_WORD_CPUS,
	RUN_WORD_ULIMIT,
	RUN_WORD_COUNT
};

struct run_known {
	const char *name; // Without "--".
	char letter;
	bool boolean; // Takes a value only behind '='.
	enum run_word word;
};

// The option of this name, or with this letter; NULL for one that is passed on with a value.
const struct run_known *run_known_name(const char *name, int length);
const struct run_known *run_known_letter(char letter);
