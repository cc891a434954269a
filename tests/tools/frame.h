// SPDX-License-Identifier: BSD-3-Clause
// The frames of the exchange program: numbered, with contents that follow from the number; and the receiver's tally
// of them. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_ETHER_TYPE 0x88b5 // Set aside for local experiments by IEEE 802.
#define NUMBERED_SIZE_MIN 60
#define NUMBERED_SIZE_MAX 9216

enum frame_type {
	FRAME_HELLO = 1, // Number: the sender's window, 0 for none. Answered by FRAME_READY.
	FRAME_READY,
	FRAME_DATA, // Number: 0 and up.
	FRAME_ACK,  // Number: what will not come any more ends before it.
	FRAME_END,  // Number: how many data frames were sent. Answered by FRAME_DONE.
	FRAME_DONE,
};

struct frame_head {
	uint8_t destination[6];
	uint8_t source[6];
	uint16_t
		flow; // 0: plain Ethernet. Others: an IPv4 UDP datagram from a port of this flow's own.
	uint16_t type;
	uint32_t run; // Chosen by the side that sends the data; tells it from leftovers of another.
	uint64_t number;
};

enum frame_verdict {
	FRAME_GOOD,
	FRAME_FOREIGN, // Not of this program.
	FRAME_MALFORMED,
};

// Fills size bytes: the head as given and contents that follow from the run and the number. size is NUMBERED_SIZE_MIN to
// NUMBERED_SIZE_MAX.
void frame_build(const struct frame_head *head, size_t size, uint8_t *ret_bytes);

// size_expected: of data frames; 0 takes any. ret_head is written for good frames only.
enum frame_verdict frame_check(
	const uint8_t *bytes,
	size_t size,
	size_t size_expected,
	struct frame_head *ret_head
);

#define TALLY_LANES_MAX 16

// Frames are in order within their lane: number modulo lanes.
struct tally {
	uint8_t *seen; // A bit a number.
	uint64_t limit;
	uint32_t lanes;
	uint64_t next[TALLY_LANES_MAX]; // One more than the highest seen of a lane.
	uint64_t received;
	uint64_t misordered;
	uint64_t duplicated;
	uint64_t beyond; // Numbers that were never to be sent.
};

// For numbers below limit, in 1 to TALLY_LANES_MAX lanes. Returns 0 or -ENOMEM.
int tally_init(struct tally *tally, uint64_t limit, uint32_t lanes);
void tally_fini(struct tally *tally);
void tally_note(struct tally *tally, uint64_t number);
// One more than the highest number of the lane that is furthest behind: what went before it will not come any more.
uint64_t tally_passed(const struct tally *tally);
// One more than the highest number of all.
uint64_t tally_highest(const struct tally *tally);
