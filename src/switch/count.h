// SPDX-License-Identifier: BSD-3-Clause
// Counters that one worker writes and the control thread reads: a plain addition whose store cannot be
// torn or repeated by the compiler, without the cost of an atomic one.
#pragma once

#include <stdint.h>

// NOLINTNEXTLINE(readability-non-const-parameter): written by the builtin.
static inline void count_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t count_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}
