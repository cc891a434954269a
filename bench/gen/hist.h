// SPDX-License-Identifier: BSD-3-Clause
// A histogram of cycle counts: 64 steps for every power of two, so a percentile is off by 1.6 % at most.
#pragma once

#include <stdint.h>

#define HIST_STEP_BITS 6
#define HIST_STEPS (1u << HIST_STEP_BITS)
#define HIST_BUCKETS ((64 - HIST_STEP_BITS + 1) * HIST_STEPS)

struct hist {
	uint64_t count;
	uint64_t least; // Exact. Meaningless while count is 0, as are the next two.
	uint64_t most;
	uint64_t sum;
	uint64_t bucket[HIST_BUCKETS];
};

// The bucket of a value, and the largest value that shares a bucket.
unsigned int hist_bucket(uint64_t value);
uint64_t hist_bucket_end(unsigned int bucket);

void hist_add(struct hist *hist, uint64_t value);
// The value that `part` (0 to 1) of all are not above; 0 when there are none.
uint64_t hist_percentile(const struct hist *hist, double part);
