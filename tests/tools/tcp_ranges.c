// SPDX-License-Identifier: BSD-3-Clause
// See tcp_ranges.h.
#include "tests/tools/tcp_ranges.h"

#include <string.h>

static void remove_at(struct tcp_ranges *r, uint32_t i)
{
	r->count--;
	memmove(&r->range[i], &r->range[i + 1], (r->count - i) * sizeof(r->range[0]));
}

// Grows [from, to) by all ranges that it touches, which go.
static void absorb(struct tcp_ranges *r, uint64_t *from, uint64_t *to)
{
	for (uint32_t i = 0; i < r->count;) {
		const struct tcp_range *range = &r->range[i];
		if (range->to < *from || range->from > *to) {
			i++;
			continue;
		}
		*from = range->from < *from ? range->from : *from;
		*to = range->to > *to ? range->to : *to;
		remove_at(r, i);
	}
}

bool tcp_ranges_add(struct tcp_ranges *ranges, uint64_t from, uint64_t to)
{
	uint32_t i = 0;

	if (to <= ranges->next || from >= to)
		return true;
	absorb(ranges, &from, &to);
	if (from <= ranges->next) {
		ranges->next = to;
		return true;
	}
	if (ranges->count == TCP_RANGES_MAX)
		return false; // Then nothing was absorbed.
	while (i < ranges->count && ranges->range[i].from < from)
		i++;
	memmove(&ranges->range[i + 1],
		&ranges->range[i],
		(ranges->count - i) * sizeof(ranges->range[0]));
	ranges->range[i] = (struct tcp_range){from, to};
	ranges->count++;
	return true;
}
