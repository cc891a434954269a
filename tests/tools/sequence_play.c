// SPDX-License-Identifier: BSD-3-Clause
// The sequence program's front ends: sends what is due, checks every byte of what comes. One thread.
#include "tests/tools/frame.h"
#include "tests/tools/sequence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Held up for longer than this, the schedule waits too: what is due at once would be more than rings hold.
#define STALL_NS 2000000u
#define BUFFER_SIZE 2048
#define VIRTIO_HEADER 12

// Kinds of rings, which pairs take turns with.
static const struct kind {
	uint64_t features;
	enum front_layout layout;
	bool with_calls;
} kinds[] = {
	{0, FRONT_INLINE, false},
	{VHOST_FEATURE_RING_PACKED, FRONT_INLINE, false},
	{VHOST_FEATURE_RING_EVENT_IDX, FRONT_CHAIN, true},
	{VHOST_FEATURE_RING_PACKED | VHOST_FEATURE_IN_ORDER | VHOST_FEATURE_RING_EVENT_IDX,
	 FRONT_APART,
	 true},
	{VHOST_FEATURE_RING_INDIRECT_DESC, FRONT_INDIRECT, false},
	{VHOST_FEATURE_RING_PACKED, FRONT_CHAIN, true},
};

uint64_t sequence_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // Cannot fail for this clock.
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static const struct kind *kind_of(const struct sequence *s, uint32_t station)
{
	static const uint32_t first[RINGS_COUNT] = {0, 1, 0};

	if (s->options.rings != RINGS_MIXED)
		return &kinds[first[s->options.rings]];
	return &kinds[station / 2 % (sizeof(kinds) / sizeof(kinds[0]))];
}

static int open_station(struct sequence *s, uint32_t index)
{
	struct station *station = &s->station[index];
	const struct kind *kind = kind_of(s, index);
	const struct front_config config = {
		.features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF | VHOST_FEATURE_MQ |
			VHOST_FEATURE_PROTOCOL_FEATURES | kind->features,
		.queue_pairs = s->options.queues,
		.ring_size = s->options.ring_size,
		.rx_buffer_size = BUFFER_SIZE,
		.frame_size_max = s->options.size,
		.layout = kind->layout,
		.with_calls = kind->with_calls,
	};

	memcpy(station->mac,
	       (uint8_t[]){2, 0, 0, 0, (uint8_t)(1 + (index >> 8)), (uint8_t)index},
	       sizeof(station->mac));
	station->with_calls = kind->with_calls;
	station->front = front_new(&config);
	if (!station->front)
		return -errno;
	int r = front_connect(station->front, s->options.path[index]);
	if (!r)
		r = front_start(station->front);
	if (!r)
		r = front_sync(station->front);
	return r;
}

static void add_streams(struct sequence *s, uint32_t station)
{
	for (uint32_t pair = 0; pair < s->options.queues; pair++)
		s->stream[s->stream_count++] = (struct stream){
			.from = (uint16_t)station,
			.to = (uint16_t)(station ^ 1),
			.pair = (uint16_t)pair,
		};
}

int sequence_open(struct sequence *s)
{
	s->stream = calloc((size_t)s->options.stations * s->options.queues, sizeof(*s->stream));
	if (!s->stream)
		return -ENOMEM;
	// Leftovers of a run with the same number would be taken for this one's: unlikely, and noticed.
	if (getrandom(&s->run, sizeof(s->run), 0) != sizeof(s->run))
		return -EIO;
	for (uint32_t i = 0; i < s->options.stations; i++) {
		int r = open_station(s, i);
		if (r) {
			(void)fprintf(
				stderr,
				"sequence: cannot start on '%s': %s\n",
				s->options.path[i],
				strerror(-r)
			);
			return r;
		}
		add_streams(s, i);
	}
	s->start_ns = s->turn_ns = sequence_now();
	s->sending = true;
	return 0;
}

void sequence_close(struct sequence *s)
{
	for (uint32_t i = 0; i < s->options.stations; i++)
		front_free(s->station[i].front);
	free(s->stream);
}

// The rings are not looked at any more; the connection stays, so that only the count says it.
static void give_up(struct sequence *s, struct station *station, uint32_t index, int r)
{
	(void
	)fprintf(stderr, "sequence: the rings of station %u are broken: %s\n", index, strerror(-r));
	front_free(station->front);
	station->front = NULL;
	s->broken++;
}

static int send_frame(struct sequence *s, struct stream *stream)
{
	struct station *from = &s->station[stream->from];
	uint8_t frame[NUMBERED_SIZE_MAX];
	struct frame_head head = {
		// Queues are chosen by flow.
		.flow = s->options.queues > 1 ? (uint16_t)(stream->pair + 1) : 0,
		.type = FRAME_DATA,
		.run = s->run + (uint32_t)(stream - s->stream),
		.number = stream->numbers.sent,
	};

	memcpy(head.destination, s->station[stream->to].mac, sizeof(head.destination));
	memcpy(head.source, from->mac, sizeof(head.source));
	frame_build(&head, s->options.size, frame);
	int r = front_send(from->front, stream->pair, frame, s->options.size);
	if (!r)
		stream->numbers.sent++;
	return r;
}

// Frames that may be on their way in one stream: all streams to a station together fill half of one receive queue, so that
// none has to be dropped, however long this thread is held up.
static uint32_t window(const struct sequence *s)
{
	uint32_t buffers = (s->options.size + VIRTIO_HEADER) / BUFFER_SIZE + 1;
	uint32_t frames = s->options.ring_size / 2 / buffers / s->options.queues;

	return frames ? frames : 1;
}

static uint32_t send_due(struct sequence *s, struct stream *stream, uint64_t due)
{
	struct station *from = &s->station[stream->from];
	uint64_t ahead = numbers_ahead(&stream->numbers);
	uint64_t count = due - stream->due;
	uint32_t most = window(s);
	uint32_t done = 0;
	int r = 0;

	stream->due = due;
	most = ahead < most ? most - (uint32_t)ahead : 0;
	most = most < BURST_MAX ? most : BURST_MAX;
	while (from->front && done < count && done < most && !r) {
		r = send_frame(s, stream);
		done += !r;
	}
	stream->held += count - done;
	if (r && r != -EAGAIN)
		give_up(s, from, stream->from, r);
	if (from->front && done)
		front_kick(from->front, 2u * stream->pair + 1);
	return done;
}

static uint32_t send_all(struct sequence *s, uint64_t now)
{
	double elapsed = (double)(now - s->start_ns) / 1e9;
	uint32_t moved = 0;

	for (uint32_t i = 0; i < s->stream_count; i++) {
		// Each a part of a period after the one before.
		double phase = (double)i / s->stream_count;
		uint64_t due = (uint64_t)(elapsed * (double)s->options.rate + phase);
		if (due > s->stream[i].due)
			moved += send_due(s, &s->stream[i], due);
	}
	return moved;
}

static void check(struct sequence *s, uint32_t to, const uint8_t *frame, uint32_t size)
{
	struct frame_head head;
	enum frame_verdict verdict = frame_check(frame, size, s->options.size, &head);

	if (verdict == FRAME_MALFORMED)
		s->corrupted++;
	if (verdict == FRAME_FOREIGN)
		s->foreign++;
	if (verdict != FRAME_GOOD)
		return;
	uint32_t index = head.run - s->run;
	if (index >= s->stream_count || head.type != FRAME_DATA) {
		s->foreign++;
		return;
	}
	if (s->stream[index].to != to ||
	    memcmp(head.destination, s->station[to].mac, sizeof(head.destination)) != 0) {
		s->misrouted++;
		return;
	}
	numbers_note(&s->stream[index].numbers, head.number);
}

// Whether a queue that sleeps was called.
static bool is_called(struct front_queue *queue)
{
	uint64_t count;

	return read(queue->call_fd, &count, sizeof(count)) == sizeof(count);
}

static uint32_t receive_queue(struct sequence *s, uint32_t index, uint32_t pair)
{
	static uint8_t frame[NUMBERED_SIZE_MAX];
	struct station *station = &s->station[index];
	struct front_queue *queue = &station->front->queue[(size_t)2 * pair];
	uint32_t count = 0;
	int r;

	if (station->asleep[pair] && !is_called(queue))
		return 0;
	station->asleep[pair] = false;
	while ((r = front_receive(station->front, pair, frame, sizeof(frame))) > 0 || r == -EMSGSIZE
	) {
		count++;
		if (r > 0)
			check(s, index, frame, (uint32_t)r);
		else
			s->corrupted++;
	}
	if (r < 0) {
		give_up(s, station, index, r);
		return count;
	}
	if (count)
		front_kick(station->front, 2 * pair);
	if (!count && station->with_calls)
		station->asleep[pair] = front_arm(station->front, 2 * pair);
	return count;
}

static void note_gap(struct station *station, uint64_t now)
{
	if (station->last_ns && now - station->last_ns > station->gap_ns)
		station->gap_ns = now - station->last_ns;
}

static uint32_t receive_all(struct sequence *s)
{
	uint64_t now = sequence_now();
	uint32_t moved = 0;

	for (uint32_t i = 0; i < s->options.stations; i++) {
		struct station *station = &s->station[i];
		uint32_t count = 0;
		for (uint32_t pair = 0; pair < s->options.queues && station->front; pair++)
			count += receive_queue(s, i, pair);
		moved += count;
		if (s->sending)
			note_gap(station, now);
		if (!count)
			continue;
		station->window_received += count;
		station->last_ns = now;
	}
	return moved;
}

uint32_t sequence_turn(struct sequence *s)
{
	uint64_t now = sequence_now();
	uint64_t since = now - s->turn_ns;
	uint32_t moved = 0;

	s->turn_ns = now;
	if (since > s->stall_ns)
		s->stall_ns = since;
	if (since > STALL_NS)
		s->start_ns += since;
	if (s->sending)
		moved = send_all(s, now);
	return moved + receive_all(s);
}

uint32_t sequence_disconnected(const struct sequence *s)
{
	uint32_t count = 0;
	uint8_t byte;

	for (uint32_t i = 0; i < s->options.stations; i++) {
		const struct front *front = s->station[i].front;
		if (!front)
			continue;
		ssize_t r = recv(front->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		count += r == 0 || (r < 0 && errno != EAGAIN);
	}
	return count;
}
