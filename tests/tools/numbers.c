// SPDX-License-Identifier: BSD-3-Clause
// Counts numbered frames; a bit for each of the last NUMBERS_WINDOW numbers. Used by one thread.
#include "tests/tools/numbers.h"

#include <stdbool.h>
#include <string.h>

static uint64_t *word_of(struct numbers *numbers, uint64_t number, uint64_t *ret_bit)
{
	*ret_bit = 1ull << (number % 64);
	return &numbers->seen[number % NUMBERS_WINDOW / 64];
}

static bool take_bit(struct numbers *numbers, uint64_t number)
{
	uint64_t bit;
	uint64_t *word = word_of(numbers, number, &bit);
	bool was = *word & bit;

	*word |= bit;
	return was;
}

// The bits of numbers that come into the window belonged to others.
static void forget(struct numbers *numbers, uint64_t first, uint64_t end)
{
	if (end - first >= NUMBERS_WINDOW) {
		memset(numbers->seen, 0, sizeof(numbers->seen));
		return;
	}
	for (uint64_t i = first; i < end; i++) {
		uint64_t bit;
		uint64_t *word = word_of(numbers, i, &bit);
		*word &= ~bit;
	}
}

void numbers_note(struct numbers *numbers, uint64_t number)
{
	if (number >= numbers->sent || number + NUMBERS_WINDOW < numbers->next) {
		numbers->beyond++;
		return;
	}
	if (number >= numbers->next) {
		forget(numbers, numbers->next, number + 1);
		numbers->next = number + 1;
		(void)take_bit(numbers, number);
		numbers->received++;
		return;
	}
	if (take_bit(numbers, number)) {
		numbers->duplicated++;
		return;
	}
	numbers->received++;
	numbers->misordered++;
}
