// SPDX-License-Identifier: BSD-3-Clause
// The sequence program: pairs of front ends that send each other numbered frames at a given rate, while something is
// done to the switch. sequence.c is the loop and what is said, sequence_play.c the front ends and the frames,
// sequence_options.c the command line. One thread.
#pragma once

#include "tests/lib/front.h"
#include "tests/tools/numbers.h"

#include <stdbool.h>
#include <stdint.h>

#define STATIONS_MAX 256
#define QUEUES_MOST 4
#define STREAMS_MAX (STATIONS_MAX * QUEUES_MOST)
#define BURST_MAX 32

enum sequence_rings {
	RINGS_SPLIT,
	RINGS_PACKED,
	RINGS_MIXED,
	RINGS_COUNT
};

struct sequence_options {
	const char *path[STATIONS_MAX];
	uint32_t stations; // Even: 0 and 1 are a pair, 2 and 3, ..
	uint32_t queues;
	uint32_t size;
	uint32_t ring_size;
	uint64_t rate; // Frames a second of each stream.
	enum sequence_rings rings;
	bool busy; // Never sleep.
};

// argc and argv are main()'s. 0, or -EINVAL with the usage said.
int sequence_parse(int argc, char **argv, struct sequence_options *ret_options);

struct station {
	struct front *front; // NULL: its ring broke.
	uint8_t mac[6];
	bool with_calls;
	bool asleep[QUEUES_MOST]; // A receive queue that has to be called.
	uint64_t last_ns;	  // When the last frame came; 0: none did yet.
	uint64_t gap_ns;	  // The longest time without a frame in this window.
	uint64_t window_received;
};

// Frames of one transmit queue. They take one way, so they keep their order.
struct stream {
	uint16_t from, to, pair;
	uint64_t due;  // By its rate, so far.
	uint64_t held; // Of these, those that found no room: never sent.
	struct numbers numbers;
	// Of `numbers` when this window began, and where it has to get to until it counts as settled.
	uint64_t missing_before, duplicated_before, misordered_before, settle_at;
};

struct sequence {
	struct sequence_options options;
	struct station station[STATIONS_MAX];
	struct stream *stream;
	uint32_t stream_count;
	uint32_t run; // Of the first stream: tells frames from those of another process.
	bool sending;
	uint64_t start_ns; // Of the schedule; moved when this thread was held up.
	uint64_t turn_ns;
	uint64_t stall_ns; // The longest such time in this window.
	uint64_t corrupted;
	uint64_t misrouted;
	uint64_t foreign;
	uint32_t broken;
};

uint64_t sequence_now(void); // ns

// Connects all. 0, or a negative errno after saying why. After failures too: sequence_close().
int sequence_open(struct sequence *s);
void sequence_close(struct sequence *s);
// Sends what is due and takes what came. How many frames moved.
uint32_t sequence_turn(struct sequence *s);
// Stations whose connection was closed.
uint32_t sequence_disconnected(const struct sequence *s);
