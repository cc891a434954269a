// SPDX-License-Identifier: BSD-3-Clause
// The table of docker run's options. Pure; any thread.
#include "cli/runopts.h"

#include <stddef.h>
#include <string.h>

// Every boolean option of docker run from 20.10 to 28, Ringway's own, and those that it looks at.
// Whatever is missing here takes a value, like most of docker's.
static const struct run_known known[] = {
	{"cpuset-cpus", 0, false, RUN_WORD_CPUS},
	{"detach", 'd', true, RUN_WORD_DETACH},
	{"detach-keys", 0, false, RUN_WORD_DETACH_KEYS},
	{"disable-content-trust", 0, true, RUN_WORD_PASS},
	{"dry-run", 0, true, RUN_WORD_DRY_RUN},
	{"env", 'e', false, RUN_WORD_ENV},
	{"help", 0, true, RUN_WORD_HELP},
	{"init", 0, true, RUN_WORD_PASS},
	{"interactive", 'i', true, RUN_WORD_INTERACTIVE},
	{"ip", 0, false, RUN_WORD_IP},
	{"mac-address", 0, false, RUN_WORD_MAC},
	{"name", 0, false, RUN_WORD_NAME},
	{"net", 0, false, RUN_WORD_NETWORK},
	{"network", 0, false, RUN_WORD_NETWORK},
	{"no-healthcheck", 0, true, RUN_WORD_PASS},
	{"oom-kill-disable", 0, true, RUN_WORD_PASS},
	{"platform", 0, false, RUN_WORD_PLATFORM},
	{"privileged", 0, true, RUN_WORD_PASS},
	{"publish", 'p', false, RUN_WORD_PUBLISH},
	{"publish-all", 'P', true, RUN_WORD_PUBLISH},
	{"pull", 0, false, RUN_WORD_PULL},
	{"queues", 0, false, RUN_WORD_QUEUES},
	{"quiet", 'q', true, RUN_WORD_PASS},
	{"read-only", 0, true, RUN_WORD_PASS},
	{"rm", 0, true, RUN_WORD_PASS},
	{"run-dir", 0, false, RUN_WORD_RUN_DIR},
	{"sig-proxy", 0, true, RUN_WORD_SIG_PROXY},
	{"tty", 't', true, RUN_WORD_PASS},
	{"ulimit", 0, false, RUN_WORD_ULIMIT},
	{"use-api-socket", 0, true, RUN_WORD_PASS},
	{"user", 'u', false, RUN_WORD_USER},
	{"vfs", 0, false, RUN_WORD_VFS},
};

#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))

const struct run_known *run_known_name(const char *name, int length)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (strlen(known[i].name) == (size_t)length &&
		    strncmp(known[i].name, name, (size_t)length) == 0)
			return &known[i];
	return NULL;
}

const struct run_known *run_known_letter(char letter)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (known[i].letter == letter && letter)
			return &known[i];
	return NULL;
}
