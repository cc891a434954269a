// SPDX-License-Identifier: BSD-3-Clause
// The sequence program's command line. Read once, at the start.
#include "tests/tools/frame.h"
#include "tests/tools/sequence.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: sequence [options] SOCKET...\n"
	"Front ends on vhost-user sockets, each two of which send each other numbered frames. Number n, from 0, has\n"
	"the address 02:00:00:00:HH:LL, HHLL being 0x0100 + n.\n"
	"  --rate N     frames a second of each transmit queue (1000)\n"
	"  --size BYTES of each frame (64)\n"
	"  --queues N   queue pairs, 1 to 4 (1)\n"
	"  --ring N     entries of a ring (256)\n"
	"  --rings R    split, packed, or mixed: pairs of all kinds and layouts (mixed)\n"
	"  --busy       poll; otherwise it sleeps for moments when nothing is to do\n"
	"Commands on standard input, a line of JSON for each on standard output:\n"
	"  mark NAME    what happened since the mark before\n"
	"  settle       as soon as frames that were sent after this came on every stream\n"
	"  end          sends no more, waits for what is on its way: the totals\n";

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
	char *end = NULL;

	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number < min || number > max)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int parse_rings(const char *text, enum sequence_rings *ret_rings)
{
	static const char *const names[RINGS_COUNT] = {"split", "packed", "mixed"};

	for (int i = 0; i < RINGS_COUNT; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_rings = (enum sequence_rings)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_small(const char *text, uint32_t min, uint32_t max, uint32_t *ret_number)
{
	uint64_t number = 0;
	int r = parse_number(text, min, max, &number);

	if (!r)
		*ret_number = (uint32_t)number;
	return r;
}

static int parse_option(int letter, struct sequence_options *options)
{
	switch (letter) {
	case 'r':
		return parse_number(optarg, 1, 100000000, &options->rate);
	case 's':
		return parse_small(optarg, NUMBERED_SIZE_MIN, NUMBERED_SIZE_MAX, &options->size);
	case 'q':
		return parse_small(optarg, 1, QUEUES_MOST, &options->queues);
	case 'n':
		return parse_small(optarg, 16, 32768, &options->ring_size);
	case 'k':
		return parse_rings(optarg, &options->rings);
	case 'b':
		options->busy = true;
		return 0;
	default:
		return -EINVAL;
	}
}

int sequence_parse(int argc, char **argv, struct sequence_options *ret_options)
{
	static const struct option long_options[] = {
		{"rate", required_argument, NULL, 'r'},
		{"size", required_argument, NULL, 's'},
		{"queues", required_argument, NULL, 'q'},
		{"ring", required_argument, NULL, 'n'},
		{"rings", required_argument, NULL, 'k'},
		{"busy", no_argument, NULL, 'b'},
		{0},
	};
	struct sequence_options options = {
		.queues = 1, .size = 64, .ring_size = 256, .rate = 1000, .rings = RINGS_MIXED};
	int r = 0;
	int letter;

	while (!r && (letter = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		r = parse_option(letter, &options);
	for (; !r && optind < argc && options.stations < STATIONS_MAX; optind++)
		options.path[options.stations++] = argv[optind];
	if (!r && (optind < argc || !options.stations || options.stations % 2))
		r = -EINVAL;
	if (r) {
		(void)fputs(usage, stderr);
		return r;
	}
	*ret_options = options;
	return 0;
}
