// SPDX-License-Identifier: BSD-3-Clause
// What became of the numbered frames of one sender, for runs without an end: which came, came twice, came late, or
// never came. Pure.
#pragma once

#include <stdint.h>

// How far back a frame that comes late or twice is told from one that comes twice. More than a ring holds.
#define NUMBERS_WINDOW 16384ull

struct numbers {
	uint64_t sent;	   // How many the sender has given away: 0 to sent - 1.
	uint64_t next;	   // One more than the highest that came.
	uint64_t received; // Each counts once.
	uint64_t duplicated;
	uint64_t misordered; // For the first time, after a higher one.
	uint64_t beyond;     // Numbers that were never sent, or from too far back.
	uint64_t seen[NUMBERS_WINDOW / 64];
};

void numbers_note(struct numbers *numbers, uint64_t number);

// Those below the highest that came, and did not come (yet).
static inline uint64_t numbers_missing(const struct numbers *numbers)
{
	return numbers->next - numbers->received;
}

// Those that are on their way, or lost at the end.
static inline uint64_t numbers_ahead(const struct numbers *numbers)
{
	return numbers->sent - numbers->next;
}
