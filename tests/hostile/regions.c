// SPDX-License-Identifier: BSD-3-Clause
// front-exchange: test front ends exchange frames through a switch, both ways, or the first to all; order and every
// byte are checked. Each front end adds its memory region by region, so that more than a memory table
// holds are in use; buffers lie in all of them.
#include "base/mac.h"
#include "tests/hostile/station.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATIONS_MAX 128
#define BURST 32
#define RING_SIZE 256
#define IDLE_MS 10000
// Silent stations hear nothing for this long after the last frame either.
#define SILENCE_MS 200

static const char usage[] =
	"usage: front-exchange [options] SOCKET_A SOCKET_B\n"
	"       front-exchange [options] --broadcast SOCKET... [--silent SOCKET...]\n"
	"  --regions N   memory regions of each front end, 1 to 128 (32)\n"
	"  --frames N    frames each way, or broadcast (100000)\n"
	"  --size BYTES  of each frame (64)\n"
	"  --mac MAC     of the front ends, in their order; default 02:00:00:00:01:NN, NN from 00\n"
	"  --layout L    inline, apart, chain or indirect (apart)\n"
	"  --rx-buffer N bytes of a receive buffer (2048)\n"
	"  --loss-ok     frames may be missing, but none malformed or out of order\n";

struct exchange {
	struct front_config config;
	struct station station[STATIONS_MAX];
	const char *path[STATIONS_MAX];
	uint32_t count;	 // Stations in all.
	uint32_t silent; // The first of those that must hear nothing.
	uint64_t frames;
	uint32_t size;
	bool broadcast;
	bool loss_ok;
};

static uint64_t now_ms(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // Cannot fail for this clock.
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// Frames that may be on their way to a station: half of what its ring has buffers for, so that none
// has to be dropped.
static uint32_t window(const struct exchange *x)
{
	uint32_t bytes = x->size + 12; // The virtio-net header.
	uint32_t buffers = (bytes + x->config.rx_buffer_size - 1) / x->config.rx_buffer_size;
	uint32_t window = RING_SIZE / 2 / buffers;
	return window ? window : 1;
}

// How many frames may follow to a receiver that has dealt with all before `next`.
static uint32_t room(const struct exchange *x, const struct station *sender, uint64_t next)
{
	uint64_t left = x->frames - sender->sent;
	uint64_t in_flight = sender->sent - next;
	uint64_t most = window(x);
	uint64_t room = in_flight < most ? most - in_flight : 0;
	room = room < BURST ? room : BURST;
	return (uint32_t)(left < room ? left : room);
}

// What every receiver of station 0's broadcasts has dealt with.
static uint64_t slowest(const struct exchange *x)
{
	uint64_t least = UINT64_MAX;
	for (uint32_t i = 1; i < x->silent; i++)
		least = x->station[i].next < least ? x->station[i].next : least;
	return least;
}

// One turn of all stations. Frames moved, or a negative errno.
static int turn(struct exchange *x)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint32_t senders = x->broadcast ? 1 : 2;
	int moved = 0;

	for (uint32_t i = 0; i < senders; i++) {
		const struct station *peer = &x->station[1 - i];
		uint64_t next = x->broadcast ? slowest(x) : peer->next;
		int r = station_send(
			&x->station[i],
			x->broadcast ? everybody : peer->mac,
			x->size,
			room(x, &x->station[i], next)
		);
		if (r < 0)
			return r;
		moved += r;
	}
	for (uint32_t i = 0; i < x->count; i++) {
		uint32_t source = x->broadcast ? 0 : 1 - i;
		int r = station_receive(&x->station[i], source, x->size);
		if (r < 0)
			return r;
		moved += r;
	}
	return moved;
}

static bool is_done(const struct exchange *x)
{
	if (x->broadcast)
		return slowest(x) == x->frames;
	return x->station[0].next == x->frames && x->station[1].next == x->frames;
}

static int run(struct exchange *x)
{
	uint64_t last_ms = now_ms();

	while (!is_done(x) && now_ms() - last_ms < IDLE_MS) {
		int r = turn(x);
		if (r < 0)
			return r;
		if (r > 0)
			last_ms = now_ms();
		else
			(void)sched_yield(); // Always succeeds on Linux.
	}
	uint64_t end_ms = now_ms() + SILENCE_MS;
	while (now_ms() < end_ms) {
		int r = turn(x);
		if (r < 0)
			return r;
		(void)sched_yield(); // Always succeeds on Linux.
	}
	return 0;
}

static int start(struct exchange *x)
{
	for (uint32_t i = 0; i < x->count; i++) {
		int r = station_start(&x->station[i], i, &x->config, x->path[i]);
		if (!r)
			continue;
		(void)fprintf(
			stderr,
			"front-exchange: cannot start on '%s': %s\n",
			x->path[i],
			strerror(-r)
		);
		return r;
	}
	return 0;
}

// What station i should have received, and did.
static bool judge(const struct exchange *x, uint32_t i)
{
	const struct station *s = &x->station[i];
	bool receives = i < x->silent && !(x->broadcast && i == 0);
	uint64_t due = receives ? x->station[x->broadcast ? 0 : 1 - i].sent : 0;
	uint64_t lost = due > s->received ? due - s->received : 0;

	printf("%s: sent %" PRIu64 " received %" PRIu64 " lost %" PRIu64 " misordered %" PRIu64
	       " malformed %" PRIu64 " misrouted %" PRIu64 " foreign %" PRIu64 "\n",
	       x->path[i],
	       s->sent,
	       s->received,
	       lost,
	       s->misordered,
	       s->malformed,
	       s->misrouted,
	       s->foreign);
	if (s->malformed || s->misordered || s->misrouted)
		return false;
	// A silent one hears nobody; the others may hear who else is on their network.
	if (i >= x->silent && s->received + s->foreign)
		return false;
	if (!receives && s->received)
		return false;
	return x->loss_ok ? !due || s->received : !lost;
}

static int exchange(struct exchange *x)
{
	int r = start(x);
	bool good = !r;

	if (!r)
		r = run(x);
	if (good && r)
		(void)fprintf(stderr, "front-exchange: a ring is broken: %s\n", strerror(-r));
	for (uint32_t i = 0; good && i < x->count; i++)
		r |= !judge(x, i);
	for (uint32_t i = 0; i < x->count; i++)
		station_free(&x->station[i]);
	return r ? 1 : 0;
}

static int parse_layout(const char *text, enum front_layout *ret_layout)
{
	static const char *const names[FRONT_LAYOUT_COUNT] = {
		"inline", "apart", "chain", "indirect"};
	for (int i = 0; i < FRONT_LAYOUT_COUNT; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_layout = (enum front_layout)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number)
{
	char *end;
	errno = 0;
	uint64_t number = strtoull(text, &end, 10);
	if (errno || end == text || *end || number < least || number > most)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int parse_option(struct exchange *x, int letter, uint32_t *macs)
{
	uint64_t number = 0;
	int r;

	switch (letter) {
	case 'r':
		r = parse_number(optarg, 1, FRONT_REGIONS_MAX, &number);
		x->config.regions = (uint32_t)number;
		return r;
	case 'f':
		return parse_number(optarg, 1, UINT64_MAX, &x->frames);
	case 's':
		r = parse_number(optarg, STATION_FRAME_MIN, STATION_FRAME_MAX, &number);
		x->size = (uint32_t)number;
		return r;
	case 'x':
		r = parse_number(optarg, 64, 65536, &number);
		x->config.rx_buffer_size = (uint32_t)number;
		return r;
	case 'l':
		return parse_layout(optarg, &x->config.layout);
	case 'm':
		return *macs < STATIONS_MAX ? mac_parse(optarg, x->station[(*macs)++].mac)
					    : -EINVAL;
	case 'b':
		x->broadcast = true;
		return 0;
	case 'q':
		x->silent = x->count;
		return 0;
	case 'o':
		x->loss_ok = true;
		return 0;
	case 1: // A socket, in its place among the options.
		if (x->count == STATIONS_MAX)
			return -E2BIG;
		x->path[x->count++] = optarg;
		return 0;
	default:
		return -EINVAL;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"regions", required_argument, NULL, 'r'},
		{"frames", required_argument, NULL, 'f'},
		{"size", required_argument, NULL, 's'},
		{"rx-buffer", required_argument, NULL, 'x'},
		{"layout", required_argument, NULL, 'l'},
		{"mac", required_argument, NULL, 'm'},
		{"broadcast", no_argument, NULL, 'b'},
		{"silent", no_argument, NULL, 'q'},
		{"loss-ok", no_argument, NULL, 'o'},
		{0},
	};
	static struct exchange x = {
		.config =
			{.ring_size = RING_SIZE,
			 .regions = 32,
			 .add_regions = true,
			 .rx_buffer_size = 2048,
			 .layout = FRONT_APART},
		.silent = STATIONS_MAX,
		.frames = 100000,
		.size = 64,
	};
	uint32_t macs = 0;
	int letter;

	for (uint32_t i = 0; i < STATIONS_MAX; i++)
		memcpy(x.station[i].mac, (uint8_t[]){2, 0, 0, 0, 1, (uint8_t)i}, 6);
	while ((letter = getopt_long(argc, argv, "-", options, NULL)) != -1)
		if (parse_option(&x, letter, &macs))
			break;
	x.silent = x.silent < x.count ? x.silent : x.count;
	if (letter != -1 || x.silent < 2 || (!x.broadcast && x.count != 2)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	x.config.frame_size_max = x.size;
	return exchange(&x);
}
