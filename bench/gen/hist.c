// SPDX-License-Identifier: BSD-3-Clause
// The histogram of latencies. Pure.
#include "bench/gen/hist.h"

unsigned int hist_bucket(uint64_t value)
{
	if (value < HIST_STEPS)
		return (unsigned int)value;
	unsigned int shift = 63u - (unsigned int)__builtin_clzll(value) - HIST_STEP_BITS;
	// The topmost bit is always set after the shift: it counts as one more row.
	return (shift << HIST_STEP_BITS) + (unsigned int)(value >> shift);
}

uint64_t hist_bucket_end(unsigned int bucket)
{
	if (bucket < 2 * HIST_STEPS)
		return bucket;
	unsigned int shift = (bucket >> HIST_STEP_BITS) - 1;
	uint64_t first = (uint64_t)(HIST_STEPS + (bucket & (HIST_STEPS - 1))) << shift;
	return first + ((1ull << shift) - 1);
}

void hist_add(struct hist *hist, uint64_t value)
{
	if (!hist->count || value < hist->least)
		hist->least = value;
	if (!hist->count || value > hist->most)
		hist->most = value;
	hist->count++;
	hist->sum += value;
	hist->bucket[hist_bucket(value)]++;
}

uint64_t hist_percentile(const struct hist *hist, double part)
{
	uint64_t below = 0;
	double wanted = part * (double)hist->count;

	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		below += hist->bucket[i];
		if (hist->bucket[i] && (double)below >= wanted) {
			uint64_t end = hist_bucket_end(i);
			return end < hist->most ? end : hist->most;
		}
	}
	return hist->count ? hist->most : 0;
}
