// SPDX-License-Identifier: BSD-3-Clause
// The command line of inet. Main thread.
#include "bench/inet/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATAGRAM_MAX 1472
#define SECONDS_MAX 3600.0

static const struct inet_mode *const modes[] =
	{&inet_stream, &inet_fetch, &inet_datagrams, &inet_pingpong, &inet_connects};

static int usage(void)
{
	(void
	)fputs("usage: inet serve [--port N]\n"
	       "       inet stream|fetch|datagrams|pingpong|connects --to IP [--port N] [--streams N]\n"
	       "            [--size BYTES] [--seconds S] [--warm S] [--congestion NAME] [--steps]\n",
	       stderr);
	return 2;
}

static int read_address(const char *text, struct inet_config *config)
{
	if (inet_pton(AF_INET, text, &config->to.v4.sin_addr) == 1) {
		config->to.v4.sin_family = AF_INET;
		config->to_length = sizeof(config->to.v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &config->to.v6.sin6_addr) != 1)
		return -EINVAL;
	config->to.v6.sin6_family = AF_INET6;
	config->to_length = sizeof(config->to.v6);
	return 0;
}

static int read_number(const char *text, double least, double most, double *ret_number)
{
	char *end = NULL;
	double number = strtod(text, &end);
	if (end == text || *end || !(number >= least) || number > most)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int read_option(int option, const char *text, struct inet_config *config)
{
	double number = 0;
	int r = 0;
	switch (option) {
	case 't':
		return read_address(text, config);
	case 'p':
		r = read_number(text, 1, 65535, &number);
		config->port = (uint16_t)number;
		return r;
	case 'n':
		r = read_number(text, 1, INET_STREAMS_MAX, &number);
		config->streams = (uint32_t)number;
		return r;
	case 'b':
		r = read_number(text, 1, DATAGRAM_MAX, &number);
		config->size = (uint32_t)number;
		return r;
	case 's':
		return read_number(text, 0.01, SECONDS_MAX, &config->seconds);
	case 'w':
		return read_number(text, 0, SECONDS_MAX, &config->warm_seconds);
	case 'c':
		config->congestion = text;
		return 0;
	case 'x':
		config->steps = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int read_options(int argc, char **argv, struct inet_config *config)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'},
		{"port", required_argument, NULL, 'p'},
		{"streams", required_argument, NULL, 'n'},
		{"size", required_argument, NULL, 'b'},
		{"seconds", required_argument, NULL, 's'},
		{"warm", required_argument, NULL, 'w'},
		{"congestion", required_argument, NULL, 'c'},
		{"steps", no_argument, NULL, 'x'},
		{0},
	};
	int found;
	while ((found = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (read_option(found, optarg, config))
			return -EINVAL;
	return optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct inet_config config = {
		.port = 5201, .streams = 1, .size = 64, .seconds = 3, .warm_seconds = 0.5};
	if (argc < 2 || read_options(argc - 1, argv + 1, &config))
		return usage();
	// Behind the family, the port lies at one place in both.
	config.to.v4.sin_port = htons(config.port);
	if (strcmp(argv[1], "serve") == 0)
		return inet_serve(&config) ? 1 : 0;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i]->name) == 0 && config.to_length)
			return inet_run(&config, modes[i]) ? 1 : 0;
	return usage();
}
