// SPDX-License-Identifier: BSD-3-Clause
// Pairs of front ends send each other numbered frames at a given rate, while whoever started this does something to
// the switch. Says, for each window of time, what was lost, came twice, out of order or damaged, and how long each
// receiver was without a frame. One thread.
#include "tests/tools/sequence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REST_NS 20000
#define DRAIN_QUIET_NS 500000000u
#define DRAIN_MOST_NS 10000000000u
#define LINE_SIZE 256
#define NAME_SIZE 64

struct commands {
	char line[LINE_SIZE];
	size_t size;
	char window[NAME_SIZE]; // The name of the window that is open.
	uint64_t window_ns;
	bool settling;
	uint64_t settle_ns;
	bool ended;
};

// What happened in a window, over all streams; `most` of one of them.
struct sums {
	uint64_t sent, received, held, lost, most_lost, duplicated, most_duplicated, misordered,
		beyond;
};

static void add_stream(struct sums *sums, const struct stream *stream, bool at_end)
{
	const struct numbers *n = &stream->numbers;
	uint64_t missing = numbers_missing(n) + (at_end ? numbers_ahead(n) : 0);
	uint64_t lost = missing > stream->missing_before ? missing - stream->missing_before : 0;
	uint64_t twice = n->duplicated - stream->duplicated_before;

	sums->sent += n->sent;
	sums->received += n->received;
	sums->held += stream->held;
	sums->lost += lost;
	sums->most_lost = lost > sums->most_lost ? lost : sums->most_lost;
	sums->duplicated += twice;
	sums->most_duplicated = twice > sums->most_duplicated ? twice : sums->most_duplicated;
	sums->misordered += n->misordered - stream->misordered_before;
	sums->beyond += n->beyond;
}

static struct sums sum_up(const struct sequence *s, bool at_end)
{
	struct sums sums = {0};

	for (uint32_t i = 0; i < s->stream_count; i++)
		add_stream(&sums, &s->stream[i], at_end);
	return sums;
}

static void print_sums(const struct sequence *s, const struct sums *sums)
{
	printf("\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"held\":%" PRIu64
	       ",\"lost\":%" PRIu64 ",\"most_lost\":%" PRIu64 ",\"duplicated\":%" PRIu64
	       ",\"most_duplicated\":%" PRIu64 ",\"misordered\":%" PRIu64,
	       sums->sent,
	       sums->received,
	       sums->held,
	       sums->lost,
	       sums->most_lost,
	       sums->duplicated,
	       sums->most_duplicated,
	       sums->misordered);
	printf(",\"corrupted\":%" PRIu64 ",\"misrouted\":%" PRIu64 ",\"foreign\":%" PRIu64
	       ",\"broken\":%u,\"disconnected\":%u",
	       s->corrupted + sums->beyond,
	       s->misrouted,
	       s->foreign,
	       s->broken,
	       sequence_disconnected(s));
}

// The gap of each receiver, the one that lasts still included.
static void print_gaps(struct sequence *s)
{
	uint64_t now = sequence_now();
	uint32_t silent = 0;

	printf(",\"gaps_us\":[");
	for (uint32_t i = 0; i < s->options.stations; i++) {
		const struct station *station = &s->station[i];
		uint64_t gap = station->gap_ns;
		if (station->last_ns && now - station->last_ns > gap)
			gap = now - station->last_ns;
		printf("%s%" PRIu64, i ? "," : "", gap / 1000);
		silent += !station->window_received;
	}
	printf("],\"silent\":%u", silent);
}

static void begin_window(struct sequence *s, struct commands *c, const char *name)
{
	(void)snprintf(c->window, sizeof(c->window), "%.*s", NAME_SIZE - 1, name);
	c->window_ns = sequence_now();
	s->stall_ns = 0;
	for (uint32_t i = 0; i < s->options.stations; i++)
		s->station[i].gap_ns = s->station[i].window_received = 0;
	for (uint32_t i = 0; i < s->stream_count; i++) {
		struct stream *stream = &s->stream[i];
		stream->missing_before = numbers_missing(&stream->numbers);
		stream->duplicated_before = stream->numbers.duplicated;
		stream->misordered_before = stream->numbers.misordered;
	}
}

static void mark(struct sequence *s, struct commands *c, const char *name)
{
	struct sums sums = sum_up(s, false);

	printf("{\"window\":\"%s\",\"seconds\":%.6f,\"stall_us\":%" PRIu64 ",",
	       c->window,
	       (double)(sequence_now() - c->window_ns) / 1e9,
	       s->stall_ns / 1000);
	print_sums(s, &sums);
	print_gaps(s);
	printf("}\n");
	begin_window(s, c, name);
}

static void settle(struct sequence *s, struct commands *c)
{
	for (uint32_t i = 0; i < s->stream_count; i++)
		s->stream[i].settle_at = s->stream[i].numbers.sent;
	c->settling = true;
	c->settle_ns = sequence_now();
}

static void look_for_settled(const struct sequence *s, struct commands *c)
{
	for (uint32_t i = 0; i < s->stream_count; i++)
		if (s->stream[i].numbers.next <= s->stream[i].settle_at)
			return;
	printf("{\"settled_us\":%" PRIu64 "}\n", (sequence_now() - c->settle_ns) / 1000);
	c->settling = false;
}

static void obey(struct sequence *s, struct commands *c, const char *line)
{
	if (strncmp(line, "mark ", 5) == 0)
		mark(s, c, line + 5);
	else if (strcmp(line, "settle") == 0)
		settle(s, c);
	else if (strcmp(line, "end") == 0)
		c->ended = true;
	else
		(void)fprintf(stderr, "sequence: no command '%s'\n", line);
}

// Standard input does not block.
static void read_commands(struct sequence *s, struct commands *c)
{
	ssize_t r = read(STDIN_FILENO, c->line + c->size, sizeof(c->line) - 1 - c->size);

	if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR))
		c->ended = true;
	if (r <= 0)
		return;
	c->size += (size_t)r;
	c->line[c->size] = '\0';
	char *end;
	while ((end = strchr(c->line, '\n'))) {
		*end = '\0';
		obey(s, c, c->line);
		c->size -= (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->size + 1);
	}
	if (c->size == sizeof(c->line) - 1)
		c->size = 0; // No command is so long.
}

static void rest(const struct sequence *s)
{
	const struct timespec moment = {.tv_nsec = REST_NS};

	if (!s->options.busy)
		(void)nanosleep(&moment, NULL); // Waking early does no harm.
}

static bool is_drained(const struct sequence *s)
{
	for (uint32_t i = 0; i < s->stream_count; i++)
		if (s->stream[i].numbers.received < s->stream[i].numbers.sent)
			return false;
	return true;
}

// Until all is there, or nothing came for a while.
static void drain(struct sequence *s)
{
	uint64_t begun = sequence_now();
	uint64_t last = begun;

	s->sending = false;
	while (!is_drained(s) && sequence_now() - last < DRAIN_QUIET_NS &&
	       sequence_now() - begun < DRAIN_MOST_NS) {
		if (sequence_turn(s))
			last = sequence_now();
		else
			rest(s);
	}
}

static int finish(struct sequence *s)
{
	drain(s);
	// Of the whole run, not of a window.
	for (uint32_t i = 0; i < s->stream_count; i++) {
		struct stream *stream = &s->stream[i];
		stream->missing_before = stream->duplicated_before = stream->misordered_before = 0;
	}
	struct sums sums = sum_up(s, true);
	printf("{\"end\":true,\"streams\":%u,", s->stream_count);
	print_sums(s, &sums);
	printf("}\n");
	return s->corrupted || sums.beyond || s->misrouted || s->broken || sequence_disconnected(s);
}

static int play(struct sequence *s)
{
	struct commands commands = {0};

	printf("{\"ready\":true,\"streams\":%u}\n", s->stream_count);
	begin_window(s, &commands, "start");
	while (!commands.ended) {
		if (!sequence_turn(s))
			rest(s);
		if (commands.settling)
			look_for_settled(s, &commands);
		read_commands(s, &commands);
	}
	return finish(s);
}

int main(int argc, char **argv)
{
	static struct sequence sequence;

	if (sequence_parse(argc, argv, &sequence.options))
		return 2;
	(void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ); // Whoever reads waits for each line.
	// A descriptor that cannot be changed blocks, and the first line that comes goes on.
	(void)fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	int r = sequence_open(&sequence);
	int status = r ? 1 : play(&sequence);
	sequence_close(&sequence);
	return status;
}
