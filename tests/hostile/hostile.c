// SPDX-License-Identifier: BSD-3-Clause
// hostile PATH CASE: connects to a port's socket and plays one case. Exit status 0 when it was played to its end;
// says on one line whether the back end has closed the connection. What the port must look like afterwards is
// for whoever runs this to check.
#include "tests/hostile/hostile.h"

#include "base/mac.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] = "usage: hostile [options] PATH CASE\n"
			    "       hostile --list\n"
			    "  --mac MAC   source of its frames (02:00:00:00:66:01)\n"
			    "  --hold S    how long to hold a connection that goes on (1)\n"
			    "  --count N   how often, in cases that repeat themselves\n";

static const struct hostile_case *const groups[] =
	{message_cases, memory_cases, ring_cases, packed_cases, form_cases};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

int play_connect(struct play *play, const struct front_config *config)
{
	struct front_config own = config ? *config : (struct front_config){0};

	if (play->packed)
		own.features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF |
			VHOST_FEATURE_RING_INDIRECT_DESC | VHOST_FEATURE_RING_EVENT_IDX |
			VHOST_FEATURE_RING_PACKED | VHOST_FEATURE_PROTOCOL_FEATURES;
	play->front = front_new(&own);
	if (!play->front)
		return -errno;
	return front_connect(play->front, play->path);
}

int play_start(struct play *play, const struct front_config *config)
{
	int r = play_connect(play, config);
	if (!r)
		r = front_start(play->front);
	return r ? r : front_sync(play->front);
}

bool play_is_closed(const struct play *play)
{
	struct pollfd pfd = {.fd = play->front->fd, .events = POLLRDHUP};
	return poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLHUP | POLLRDHUP | POLLERR);
}

void play_hold(struct play *play)
{
	// Nothing is read: a reply must not end the wait.
	struct pollfd pfd = {.fd = play->front->fd, .events = POLLRDHUP};
	(void)poll(&pfd, 1, (int)play->hold_s * 1000); // Either end is good.
}

int play_send_frame(struct play *play, uint32_t size)
{
	uint8_t frame[1518] = {0};

	memset(frame, 0xff, 6);
	memcpy(frame + 6, play->mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5; // IEEE 802: for local experiments.
	return front_send(play->front, 0, frame, size);
}

static const struct hostile_case *find_in(const struct hostile_case *group, const char *name)
{
	for (const struct hostile_case *c = group; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

// By its own name, or by that of a case that is played on either form of ring.
static const struct hostile_case *find_case(const char *name, bool *ret_packed)
{
	const size_t prefix = strlen(HOSTILE_PACKED);
	const struct hostile_case *c = NULL;

	for (size_t i = 0; i < GROUPS && !c; i++)
		c = find_in(groups[i], name);
	*ret_packed = !c && strncmp(name, HOSTILE_PACKED, prefix) == 0;
	return *ret_packed ? find_in(form_cases, name + prefix) : c;
}

static int list_cases(void)
{
	for (size_t i = 0; i < GROUPS; i++)
		for (const struct hostile_case *c = groups[i]; c->name; c++)
			printf("%-24s %s\n", c->name, c->text);
	for (const struct hostile_case *c = form_cases; c->name; c++)
		printf(HOSTILE_PACKED "%-17s %s\n", c->name, c->text);
	return 0;
}

static int play_case(struct play *play, const struct hostile_case *c)
{
	int r = c->play(play);

	if (r && r != -EPIPE && r != -ECONNRESET) {
		(void)fprintf(stderr, "hostile: cannot play %s: %s\n", c->name, strerror(-r));
		front_free(play->front);
		return 1;
	}
	// The back end needs a moment for what was sent last.
	play_hold(play);
	printf("%s: played, connection %s\n", c->name, play_is_closed(play) ? "closed" : "open");
	front_free(play->front);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"mac", required_argument, NULL, 'm'},
		{"hold", required_argument, NULL, 'h'},
		{"count", required_argument, NULL, 'c'},
		{"list", no_argument, NULL, 'l'},
		{0},
	};
	struct play play = {.mac = {2, 0, 0, 0, 0x66, 1}, .hold_s = 1};
	int letter;

	(void)signal(SIGPIPE, SIG_IGN); // Cannot fail for this signal.
	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (letter == 'l')
			return list_cases();
		bool bad = letter == '?';
		if (letter == 'm')
			bad = mac_parse(optarg, play.mac) != 0;
		if (letter == 'h')
			play.hold_s = (unsigned int)strtoul(optarg, NULL, 10);
		if (letter == 'c')
			play.count = strtoull(optarg, NULL, 10);
		if (bad)
			break;
	}
	const struct hostile_case *c =
		argc - optind == 2 ? find_case(argv[optind + 1], &play.packed) : NULL;
	if (letter != -1 || !c) {
		(void)fputs(usage, stderr);
		return 2;
	}
	play.path = argv[optind];
	return play_case(&play, c);
}
