// SPDX-License-Identifier: BSD-3-Clause
// A lock that several workers share for the length of one burst. A worker alone passes `guarded` false and pays
// nothing. Workers have a CPU each, so that the one that holds it is running.
#pragma once

#include <rte_pause.h>

#include <stdbool.h>

// NOLINTNEXTLINE(readability-non-const-parameter): written by the builtin.
// NOLINTNEXTLINE(readability-non-const-parameter): written by the builtin.
static inline void lock_take(bool *lock, bool guarded)
{
	if (!guarded)
		return;
	while (__atomic_exchange_n(lock, true, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(lock, __ATOMIC_RELAXED))
			rte_pause();
}

// NOLINTNEXTLINE(readability-non-const-parameter): written by the builtin.
static inline void lock_give(bool *lock, bool guarded)
{
	if (guarded)
		__atomic_store_n(lock, false, __ATOMIC_RELEASE);
}
