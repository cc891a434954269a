// SPDX-License-Identifier: BSD-3-Clause
// front-neighbors SOCKET_A SOCKET_B: two good front ends that exchange numbered frames at a fixed rate, both ways, and check
// every byte of what they get. One thread, steered by lines on standard input:
//   rate N          frames each way in a second
//   run             exchange until the next command
//   stop            stop, wait until all that is on its way has come, and print the sums as one line of JSON
//   send N          N frames each way, as fast as is without loss; then as stop
//   spray MAC N S   beside all that, N frames of S bytes from the first to this address
// Time is the CPU time of this process, so that one that takes its CPU away neither delays frames nor counts as loss: a
// frame is refused when the switch has not taken what was sent long before.
#include "base/mac.h"
#include "tests/hostile/station.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME_SIZE 64
#define RING_SIZE 1024
#define BURST 32
#define WINDOW \
	512 // Frames that may be on their way to a station; its ring has room for as many others.
#define LATE_MAX 1024 // Frames that are due and may be late.
#define SPRAY_BURST 8
#define TURNS_A_LOOK 64 // Of the exchange for each look at standard input.
#define PATIENCE_S 10

struct side {
	struct station station;
	double due; // Frames.
	uint64_t refused;
};

struct neighbors {
	struct side side[2];
	double rate;
	uint64_t left; // Frames each way that are to be sent; UINT64_MAX: without end.
	uint64_t last_ns;
	uint8_t spray_mac[6];
	uint32_t spray_left;
	uint32_t spray_size;
	uint64_t sprayed;
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts); // Cannot fail for this clock.
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

// How many frames may go now.
static uint32_t allowance(struct neighbors *n, struct side *side, const struct side *peer)
{
	uint64_t on_the_way = side->station.sent - peer->station.next;
	uint64_t room = on_the_way < WINDOW ? WINDOW - on_the_way : 0;
	uint64_t due = n->left == UINT64_MAX ? (uint64_t)side->due : n->left - side->station.sent;

	room = room < BURST ? room : BURST;
	return (uint32_t)(due < room ? due : room);
}

// Lost frames leave no room in the window for good, unless it is known that they are: all before were taken.
static void close_gap(struct side *side, struct side *peer)
{
	if (front_in_flight(side->station.front, 0) == 0 &&
	    peer->station.next < side->station.sent &&
	    side->station.sent - peer->station.next >= WINDOW) {
		(void)station_receive(&peer->station, side->station.number, FRAME_SIZE);
		peer->station.lost += side->station.sent - peer->station.next;
		peer->station.next = side->station.sent;
	}
}

static int send_spray(struct neighbors *n)
{
	static uint8_t frame[STATION_FRAME_MAX];
	struct station *station = &n->side[0].station;
	uint32_t count = n->spray_left < SPRAY_BURST ? n->spray_left : SPRAY_BURST;

	memcpy(frame, n->spray_mac, 6);
	memcpy(frame + 6, station->mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb6; // IEEE 802: for local experiments.
	for (; count; count--) {
		int r = front_send(station->front, 0, frame, n->spray_size);
		if (r == -EAGAIN)
			break;
		if (r)
			return r;
		n->sprayed++;
		n->spray_left--;
	}
	front_kick(station->front, 1);
	return 0;
}

// One turn of both sides. 0 or a negative errno.
static int turn(struct neighbors *n)
{
	uint64_t now = cpu_ns();
	double due = n->left == UINT64_MAX ? n->rate * (double)(now - n->last_ns) / 1e9 : 0;
	int r = n->spray_left ? send_spray(n) : 0;

	n->last_ns = now;
	for (int i = 0; i < 2 && r >= 0; i++) {
		struct side *side = &n->side[i];
		struct side *peer = &n->side[1 - i];
		side->due += due;
		r = station_send(
			&side->station, peer->station.mac, FRAME_SIZE, allowance(n, side, peer)
		);
		if (r > 0 && n->left == UINT64_MAX)
			side->due -= r;
		if (side->due > LATE_MAX) {
			side->refused += (uint64_t)(side->due - LATE_MAX);
			side->due -= (double)(uint64_t)(side->due - LATE_MAX);
		}
	}
	for (int i = 0; i < 2 && r >= 0; i++) {
		r = station_receive(&n->side[i].station, n->side[1 - i].station.number, FRAME_SIZE);
		close_gap(&n->side[i], &n->side[1 - i]);
	}
	return r < 0 ? r : 0;
}

static bool has_line(void)
{
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	return poll(&pfd, 1, 0) > 0;
}

static bool is_drained(struct neighbors *n)
{
	return !n->spray_left && front_in_flight(n->side[0].station.front, 0) == 0 &&
		front_in_flight(n->side[1].station.front, 0) == 0;
}

// Destinations are shown before sources, so what was taken has come.
static int drain(struct neighbors *n)
{
	time_t end = time(NULL) + PATIENCE_S;

	for (int i = 0; i < 2; i++)
		n->side[i].due = 0;
	n->left = 0;
	while (!is_drained(n)) {
		for (int i = 0; i < 2; i++) {
			int r = station_receive(
				&n->side[i].station, n->side[1 - i].station.number, FRAME_SIZE
			);
			if (r < 0)
				return r;
		}
		int r = n->spray_left ? send_spray(n) : 0;
		if (r)
			return r;
		if (time(NULL) > end)
			return -ETIMEDOUT;
	}
	for (int i = 0; i < 2; i++) {
		struct station *to = &n->side[i].station;
		int r = station_receive(to, n->side[1 - i].station.number, FRAME_SIZE);
		if (r < 0)
			return r;
		to->lost += n->side[1 - i].station.sent - to->next;
		to->next = n->side[1 - i].station.sent;
	}
	return 0;
}

static void print_side(const struct side *side, uint64_t sprayed)
{
	const struct station *s = &side->station;
	printf("{\"sent\": %" PRIu64 ", \"sprayed\": %" PRIu64 ", \"refused\": %" PRIu64
	       ", \"received\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"misordered\": %" PRIu64
	       ", \"malformed\": %" PRIu64 ", \"misrouted\": %" PRIu64 ", \"foreign\": %" PRIu64
	       ", \"forged\": %" PRIu64 "}",
	       s->sent,
	       sprayed,
	       side->refused,
	       s->received,
	       s->lost,
	       s->misordered,
	       s->malformed,
	       s->misrouted,
	       s->foreign,
	       s->forged);
}

static int stop(struct neighbors *n)
{
	int r = drain(n);
	if (r)
		return r;
	printf("[");
	print_side(&n->side[0], n->sprayed);
	printf(", ");
	print_side(&n->side[1], 0);
	printf("]\n");
	(void)fflush(stdout); // Nobody to tell about a failure.
	return 0;
}

static int run(struct neighbors *n)
{
	n->left = UINT64_MAX;
	n->last_ns = cpu_ns();
	do {
		for (int i = 0; i < TURNS_A_LOOK; i++) {
			int r = turn(n);
			if (r)
				return r;
		}
	} while (!has_line());
	return 0;
}

static int send_some(struct neighbors *n, uint64_t count)
{
	time_t end = time(NULL) + PATIENCE_S;
	uint64_t base[2] = {n->side[0].station.sent, n->side[1].station.sent};

	// What others sent meanwhile takes room that these frames need.
	for (int i = 0; i < 2; i++) {
		int r = station_receive(
			&n->side[i].station, n->side[1 - i].station.number, FRAME_SIZE
		);
		if (r < 0)
			return r;
	}
	for (uint64_t done = 0; done < count;) {
		// Both sides send as many, so one bound does for both only where they begin alike.
		uint64_t first = base[0] > base[1] ? base[0] : base[1];
		n->left = first + count;
		int r = turn(n);
		if (r)
			return r;
		uint64_t a = n->side[0].station.sent - base[0];
		uint64_t b = n->side[1].station.sent - base[1];
		done = a < b ? a : b;
		if (time(NULL) > end)
			return -ETIMEDOUT;
	}
	return stop(n);
}

static int set_spray(struct neighbors *n, const char *line)
{
	char mac[18];
	uint32_t count, size;

	// The widths keep it within its bounds.
	if (sscanf(line, "spray %17s %" SCNu32 " %" SCNu32, mac, &count, &size) != 3 ||
	    mac_parse(mac, n->spray_mac) || size < FRAME_SIZE || size > STATION_FRAME_MAX)
		return -EINVAL;
	n->spray_left += count;
	n->spray_size = size;
	return 0;
}

static int obey(struct neighbors *n, const char *line)
{
	uint64_t number;

	if (strncmp(line, "spray ", 6) == 0)
		return set_spray(n, line);
	if (strcmp(line, "run\n") == 0) {
		n->left = UINT64_MAX;
		n->last_ns = cpu_ns();
		return 0;
	}
	if (strcmp(line, "stop\n") == 0)
		return stop(n);
	if (sscanf(line, "send %" SCNu64, &number) == 1)
		return send_some(n, number);
	if (sscanf(line, "rate %" SCNu64, &number) != 1)
		return -EINVAL;
	n->rate = (double)number;
	return 0;
}

static int serve(struct neighbors *n)
{
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		int r = obey(n, line);
		if (!r && n->left == UINT64_MAX)
			r = run(n);
		if (r) {
			(void)fprintf(stderr, "front-neighbors: %s", line);
			return r;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct neighbors n;
	const struct front_config config = {
		.ring_size = RING_SIZE,
		.frame_size_max = STATION_FRAME_MAX,
		.layout = FRONT_INLINE,
	};
	int r = 0;

	if (argc != 3) {
		(void)fputs("usage: front-neighbors SOCKET_A SOCKET_B\n", stderr);
		return 2;
	}
	(void)setvbuf(stdin, NULL, _IONBF, 0); // So that poll() sees what fgets() has not read.
	for (uint8_t i = 0; i < 2 && !r; i++) {
		struct station *station = &n.side[i].station;
		memcpy(station->mac, (uint8_t[]){2, 0, 0, 0, 1, i}, 6);
		memcpy(station->peer, (uint8_t[]){2, 0, 0, 0, 1, (uint8_t)(1 - i)}, 6);
		r = station_start(station, i, &config, argv[1 + i]);
	}
	if (!r)
		r = stop(&n);
	if (!r)
		r = serve(&n);
	for (int i = 0; i < 2; i++)
		station_free(&n.side[i].station);
	if (r)
		(void)fprintf(stderr, "front-neighbors: %s\n", strerror(-r));
	return r ? 1 : 0;
}
