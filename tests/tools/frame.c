// SPDX-License-Identifier: BSD-3-Clause
// Builds and checks the exchange program's frames, and counts which arrived. Used by exchange.c's one thread.
#include "tests/tools/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x52574558

// The contents at offset i of a frame, 8 bytes at a time.
static uint64_t pattern(const struct frame_head *head, size_t i)
{
	const uint64_t start = (head->number + 1) * 0x9e3779b97f4a7c15ULL + head->run;
	return start ^ (i + head->type) * 0xbf58476d1ce4e5b9ULL;
}

void frame_build(const struct frame_head *head, size_t size, uint8_t *ret_bytes)
{
	struct frame_head full = *head;
	full.ether_type = htons(FRAME_ETHER_TYPE);
	full.magic = MAGIC;
	memcpy(ret_bytes, &full, sizeof(full));
	for (size_t i = sizeof(full); i < size; i += sizeof(uint64_t)) {
		const uint64_t word = pattern(head, i);
		memcpy(ret_bytes + i, &word, size - i < sizeof(word) ? size - i : sizeof(word));
	}
}

enum frame_verdict frame_check(
	const uint8_t *bytes,
	size_t size,
	size_t size_expected,
	struct frame_head *ret_head
)
{
	struct frame_head head;
	if (size < sizeof(head))
		return FRAME_FOREIGN;
	memcpy(&head, bytes, sizeof(head));
	if (head.ether_type != htons(FRAME_ETHER_TYPE) || head.magic != MAGIC)
		return FRAME_FOREIGN;
	if (head.type < FRAME_HELLO || head.type > FRAME_DONE)
		return FRAME_MALFORMED;
	if (head.type == FRAME_DATA && size_expected != 0 && size != size_expected)
		return FRAME_MALFORMED;
	for (size_t i = sizeof(head); i < size; i += sizeof(uint64_t)) {
		const uint64_t word = pattern(&head, i);
		const size_t length = size - i < sizeof(word) ? size - i : sizeof(word);
		if (memcmp(bytes + i, &word, length) != 0)
			return FRAME_MALFORMED;
	}
	*ret_head = head;
	return FRAME_GOOD;
}

int tally_init(struct tally *tally, uint64_t limit)
{
	*tally = (struct tally){.limit = limit};
	tally->seen = calloc(limit / 8 + 1, 1);
	return tally->seen ? 0 : -ENOMEM;
}

void tally_fini(struct tally *tally)
{
	free(tally->seen);
	tally->seen = NULL;
}

void tally_note(struct tally *tally, uint64_t number)
{
	if (number >= tally->limit) {
		tally->beyond++;
		return;
	}
	const uint8_t bit = (uint8_t)(1U << (number % 8));
	if (tally->seen[number / 8] & bit) {
		tally->duplicated++;
		return;
	}
	tally->seen[number / 8] |= bit;
	tally->received++;
	if (number < tally->next)
		tally->misordered++;
	else
		tally->next = number + 1;
}
