// SPDX-License-Identifier: BSD-3-Clause
// The TCP peer's command line. Read once, at the start.
#include "base/mac.h"
#include "tests/tools/tcp_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_USAGE 2

static const char usage[] =
	"usage: tcp-peer SOCKET --mac MAC --ip ADDRESS [options]\n"
	"A station on a vhost-user port that answers ARP, ICMP echo and TCP over IPv4.\n"
	"Prints a line of JSON when it is ready, and one for each connection that ends.\n"
	"  --mac MAC       the port's address\n"
	"  --ip ADDRESS    its IPv4 address\n"
	"  --sink PORT     where it takes all that comes (5001; 0: none)\n"
	"  --source PORT   where it sends (5002; 0: none)\n"
	"  --bytes N       that the source sends (without end, until the other has ended)\n"
	"  --send FILE     what the source sends: all of it, or its first --bytes\n"
	"  --save FILE     where the sink's bytes go; of one connection\n"
	"  --mtu N         of the network (1500)\n"
	"  --window BYTES  that the sink takes at once (1048576)\n"
	"  --ring N        receive buffers of 64 KiB (512)\n"
	"  --no-offloads    ask for no checksums and no segmentation, and take none\n"
	"  --busy          poll; otherwise it sleeps when nothing is to do\n"
	"  --once          end with the first connection: 0 if it ended well\n";

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
	char *end = NULL;

	errno = 0;
	const unsigned long long number = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number < min || number > max)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int parse_ip(const char *text, uint32_t *ret_ip)
{
	struct in_addr addr;

	if (inet_pton(AF_INET, text, &addr) != 1)
		return -EINVAL;
	*ret_ip = ntohl(addr.s_addr);
	return 0;
}

static int parse_small(const char *text, uint64_t min, uint64_t max, uint32_t *ret_number)
{
	uint64_t number = 0;
	int r = parse_number(text, min, max, &number);

	if (!r)
		*ret_number = (uint32_t)number;
	return r;
}

static int parse_port(const char *text, uint16_t *ret_port)
{
	uint32_t number = 0;
	int r = parse_small(text, 0, UINT16_MAX, &number);

	if (!r)
		*ret_port = (uint16_t)number;
	return r;
}

static int parse_option(int letter, const char *value, struct peer_options *o)
{
	switch (letter) {
	case 'm':
		return mac_parse(value, o->mac);
	case 'i':
		return parse_ip(value, &o->ip);
	case 's':
		return parse_port(value, &o->sink_port);
	case 'S':
		return parse_port(value, &o->source_port);
	case 'b':
		return parse_number(value, 1, 1ull << 50, &o->bytes);
	case 'f':
		o->send_path = value;
		return 0;
	case 'v':
		o->save_path = value;
		return 0;
	case 'M':
		return parse_small(value, 576, 65535, &o->mtu);
	case 'w':
		return parse_small(value, 2048, 1u << 28, &o->window);
	case 'r':
		return parse_small(value, 2, 4096, &o->ring);
	default:
		return -EINVAL;
	}
}

// A file's size is how much is sent of it, at most.
static int check_file(struct peer_options *o)
{
	struct stat file;

	if (!o->send_path)
		return 0;
	if (stat(o->send_path, &file) || file.st_size == 0) {
		fprintf(stderr, "tcp-peer: cannot send %s: not a file with content\n", o->send_path
		);
		return EXIT_FAILURE;
	}
	if (o->bytes > (uint64_t)file.st_size)
		o->bytes = (uint64_t)file.st_size;
	return 0;
}

int peer_options_read(int argc, char **argv, struct peer_options *ret_options)
{
	struct peer_options *o = ret_options;
	const struct option options[] = {
		{"mac", required_argument, NULL, 'm'},
		{"ip", required_argument, NULL, 'i'},
		{"sink", required_argument, NULL, 's'},
		{"source", required_argument, NULL, 'S'},
		{"bytes", required_argument, NULL, 'b'},
		{"send", required_argument, NULL, 'f'},
		{"save", required_argument, NULL, 'v'},
		{"mtu", required_argument, NULL, 'M'},
		{"window", required_argument, NULL, 'w'},
		{"ring", required_argument, NULL, 'r'},
		{"no-offloads", no_argument, NULL, 'n'},
		{"busy", no_argument, NULL, 'B'},
		{"once", no_argument, NULL, 'o'},
		{0},
	};
	int letter;

	*o = (struct peer_options){
		.sink_port = 5001,
		.source_port = 5002,
		.bytes = TCP_ENDLESS,
		.mtu = 1500,
		.window = 1u << 20,
		.ring = 512,
	};
	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		o->no_offloads |= letter == 'n';
		o->busy |= letter == 'B';
		o->once |= letter == 'o';
		if (letter == '?' || (optarg && parse_option(letter, optarg, o))) {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
		optarg = NULL;
	}
	if (optind + 1 != argc || mac_is_zero(o->mac) || mac_is_multicast(o->mac) || !o->ip) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	o->socket = argv[optind];
	return check_file(o);
}
