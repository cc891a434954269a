// SPDX-License-Identifier: BSD-3-Clause
// hostile PATH CASE: connects to a port's socket and plays one case. It says "played" once all was done, waits for a
// line (or the end) of its input, and then looks at what is left of its port. Exit status 0: all is as it has to be on
// this side; 77: this machine has not what the case takes. What the port must look like is for whoever runs this to check.
#include "tests/hostile/hostile.h"

#include "base/mac.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SKIPPED 77

static const char usage[] =
	"usage: hostile [options] PATH CASE\n"
	"       hostile --list     entry, name, outcome, counter or reason, conditions, text; tabs between\n"
	"  --mac MAC   source of its frames (02:00:00:00:66:01)\n"
	"  --hold S    how long to wait for a line on standard input at most (1)\n"
	"  --count N   how often, in cases that repeat themselves\n"
	"  --full      as often as the catalogue says\n";

static const struct hostile_case *const groups[] = {
	message_cases,
	unknown_cases,
	queue_cases,
	eventfd_cases,
	memory_cases,
	file_cases,
	ring_cases,
	frame_cases,
	receive_cases,
	packed_cases,
	clause_cases,
};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static const char *const outcome_text[] = {
	[OUTCOME_NONE] = "none",
	[OUTCOME_QUARANTINED] = "quarantined",
	[OUTCOME_DROPPED] = "dropped",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_HARMLESS] = "harmless",
};

static const struct hostile_case *find_case(const char *name, bool *ret_packed)
{
	const size_t prefix = strlen(HOSTILE_PACKED);
	bool packed = strncmp(name, HOSTILE_PACKED, prefix) == 0;

	for (size_t i = 0; i < GROUPS; i++) {
		for (const struct hostile_case *c = groups[i]; c->name; c++) {
			if (strcmp(c->name, packed ? name + prefix : name) != 0)
				continue;
			*ret_packed = packed;
			return (packed ? c->packed : c->split).outcome ? c : NULL;
		}
	}
	return NULL;
}

static void list_case(const struct hostile_case *c, const char *prefix, const struct expectation *e)
{
	if (!e->outcome)
		return;
	printf("%u\t%s%s\t%s\t%s\t%s%s%s%s-\t%s\n",
	       c->entry,
	       prefix,
	       c->name,
	       outcome_text[e->outcome],
	       e->what,
	       c->flags & CASE_SPRAY ? "spray," : "",
	       c->flags & CASE_SEVERAL ? "several," : "",
	       c->flags & CASE_TAP ? "tap," : "",
	       c->flags & CASE_EITHER ? "either," : "",
	       c->text);
}

static int list_cases(void)
{
	for (size_t i = 0; i < GROUPS; i++) {
		for (const struct hostile_case *c = groups[i]; c->name; c++) {
			list_case(c, "", &c->split);
			list_case(c, HOSTILE_PACKED, &c->packed);
		}
	}
	return 0;
}

static bool is_end(int r)
{
	return r == -EPIPE || r == -ECONNRESET;
}

static void wait_for_line(const struct play *play)
{
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	(void)poll(&pfd, 1, (int)play->hold_s * 1000); // Either end is good.
}

static int judge(struct play *play, const struct hostile_case *c)
{
	enum outcome outcome = (play->packed ? c->packed : c->split).outcome;

	if (outcome == OUTCOME_QUARANTINED)
		return play_await_closed(play);
	if (c->judge)
		return c->judge(play);
	return play_is_closed(play) ? -ENOTCONN : 0;
}

static int play_case(struct play *play, const struct hostile_case *c)
{
	int r = c->play(play);

	if (r == -EOPNOTSUPP) {
		printf("skipped: not on this machine\n");
		return SKIPPED;
	}
	if (r && !is_end(r)) {
		printf("cannot play %s: %s\n", c->name, strerror(-r));
		return 1;
	}
	printf("played\n");
	(void)fflush(stdout); // Nobody to tell about a failure.
	wait_for_line(play);
	r = judge(play, c);
	if (r)
		printf("%s is not as it has to be afterwards: %s\n", c->name, strerror(-r));
	return r ? 1 : 0;
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return; // It goes without, but for the case of many connections.
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); // The same.
}

static bool parse_option(struct play *play, int letter)
{
	switch (letter) {
	case 'm':
		return mac_parse(optarg, play->mac) == 0;
	case 'h':
		play->hold_s = (unsigned int)strtoul(optarg, NULL, 10);
		return true;
	case 'c':
		play->count = strtoull(optarg, NULL, 10);
		return true;
	case 'f':
		play->full = true;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"mac", required_argument, NULL, 'm'},
		{"hold", required_argument, NULL, 'h'},
		{"count", required_argument, NULL, 'c'},
		{"full", no_argument, NULL, 'f'},
		{"list", no_argument, NULL, 'l'},
		{0},
	};
	struct play play = {.mac = {2, 0, 0, 0, 0x66, 1}, .hold_s = 1};
	int letter;

	(void)signal(SIGPIPE, SIG_IGN); // Cannot fail for this signal.
	raise_limit();
	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (letter == 'l')
			return list_cases();
		if (!parse_option(&play, letter))
			break;
	}
	const struct hostile_case *c =
		argc - optind == 2 ? find_case(argv[optind + 1], &play.packed) : NULL;
	if (letter != -1 || !c) {
		(void)fputs(usage, stderr);
		return 2;
	}
	play.path = argv[optind];
	int r = play_case(&play, c);
	front_free(play.front);
	free(play.canary);
	return r;
}
