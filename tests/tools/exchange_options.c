// SPDX-License-Identifier: BSD-3-Clause
// The exchange program's command line. Read once, at the start.
#include "tests/tools/exchange.h"

#include <rte_ether.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: exchange send|recv|both|listen -- [options]\n"
	"  --peer MAC      who gets the frames (send, both)\n"
	"  --frames N      how many (100000)\n"
	"  --size BYTES    of each frame, without its check sum (64)\n"
	"  --burst N       handed to the ring at once, 1 to 32 (32)\n"
	"  --rate N        frames a second (0: as fast as the ring takes them)\n"
	"  --window N      frames in the air before the receiver has to confirm (0: no limit)\n"
	"  --no-handshake  send without waiting for the receiver\n"
	"  --idle S        end after S seconds without progress (10); listen: after S seconds\n"
	"  --wait S        end after S seconds without a peer (30)\n"
	"  --linger S      keep the port S seconds after the result is printed (0)\n"
	"  --port N        the DPDK port (0)\n"
	"  --ports N       listen: that many DPDK ports, one line of output each (1)\n"
	"  --queues N      queue pairs; data frames take turns among them, as so many UDP flows (1)\n";

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
	char *end = NULL;
	errno = 0;
	const unsigned long long number = strtoull(text, &end, 10);
	if (errno || end == text || *end != '\0' || *text == '-' || number < min || number > max)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int parse_mode(const char *text, enum exchange_mode *ret_mode)
{
	static const char *const names[MODE_COUNT] = {"send", "recv", "both", "listen"};
	for (int i = 0; i < MODE_COUNT; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_mode = (enum exchange_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_peer(const char *text, struct exchange_options *options)
{
	struct rte_ether_addr mac;
	if (rte_ether_unformat_addr(text, &mac) != 0)
		return -EINVAL;
	memcpy(options->peer, mac.addr_bytes, sizeof(options->peer));
	options->has_peer = true;
	return 0;
}

static int parse_option(int letter, const char *value, struct exchange_options *options)
{
	uint64_t number = 0;
	int r = 0;
	switch (letter) {
	case 'p':
		return parse_peer(value, options);
	case 'f':
		return parse_number(value, 1, 1ULL << 36, &options->frames);
	case 's':
		r = parse_number(value, NUMBERED_SIZE_MIN, NUMBERED_SIZE_MAX, &number);
		options->size = (uint32_t)number;
		return r;
	case 'b':
		r = parse_number(value, 1, LINK_BURST / 2, &number);
		options->burst = (uint32_t)number;
		return r;
	case 'r':
		return parse_number(value, 0, 1000000000, &options->rate);
	case 'w':
		return parse_number(value, 0, 1 << 20, &options->window);
	case 'h':
		options->handshake = false;
		return 0;
	case 'i':
		r = parse_number(value, 1, 86400, &number);
		options->idle_s = (uint32_t)number;
		return r;
	case 't':
		r = parse_number(value, 1, 86400, &number);
		options->wait_s = (uint32_t)number;
		return r;
	case 'l':
		r = parse_number(value, 0, 86400, &number);
		options->linger_s = (uint32_t)number;
		return r;
	case 'n':
		r = parse_number(value, 0, LINKS_MAX - 1, &number);
		options->port = (uint16_t)number;
		return r;
	case 'm':
		r = parse_number(value, 1, LINKS_MAX, &number);
		options->ports = (uint16_t)number;
		return r;
	case 'q':
		r = parse_number(value, 1, TALLY_LANES_MAX, &number);
		options->queues = (uint16_t)number;
		return r;
	default:
		return -EINVAL;
	}
}

int exchange_parse(int argc, char **argv, struct exchange_options *ret_options)
{
	static const struct option long_options[] = {
		{"peer", required_argument, NULL, 'p'},
		{"frames", required_argument, NULL, 'f'},
		{"size", required_argument, NULL, 's'},
		{"burst", required_argument, NULL, 'b'},
		{"rate", required_argument, NULL, 'r'},
		{"window", required_argument, NULL, 'w'},
		{"no-handshake", no_argument, NULL, 'h'},
		{"idle", required_argument, NULL, 'i'},
		{"wait", required_argument, NULL, 't'},
		{"linger", required_argument, NULL, 'l'},
		{"port", required_argument, NULL, 'n'},
		{"ports", required_argument, NULL, 'm'},
		{"queues", required_argument, NULL, 'q'},
		{NULL, 0, NULL, 0},
	};
	struct exchange_options options = {
		.handshake = true,
		.frames = 100000,
		.size = 64,
		.burst = LINK_BURST / 2,
		.idle_s = 10,
		.wait_s = 30,
		.ports = 1,
		.queues = 1,
	};
	int r = 0;
	optind = 1;
	for (int letter;
	     r == 0 && (letter = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
		r = parse_option(letter, optarg, &options);
	if (r == 0)
		r = optind + 1 == argc ? parse_mode(argv[optind], &options.mode) : -EINVAL;
	if (r == 0 && !options.has_peer && (options.mode == MODE_SEND || options.mode == MODE_BOTH))
		r = -EINVAL;
	if (r < 0) {
		fputs(usage, stderr);
		return r;
	}
	*ret_options = options;
	return 0;
}
