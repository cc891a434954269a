// SPDX-License-Identifier: BSD-3-Clause
// The cycle counter that every figure of bench/ is taken with: constant rate, the same on all CPUs.
#pragma once

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>

static inline uint64_t cycles_now(void)
{
	return __rdtsc();
}

static inline void cycles_relax(void)
{
	_mm_pause();
}
#elif defined(__aarch64__)
static inline uint64_t cycles_now(void)
{
	uint64_t value;
	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(value));
	return value;
}

static inline void cycles_relax(void)
{
	__asm__ volatile("yield");
}
#else
#error "no cycle counter is known for this machine"
#endif

static inline uint64_t cycles_clock_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // Cannot fail for this clock.
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Cycles a second, measured against the monotonic clock for 100 ms.
static inline double cycles_hz(void)
{
	const struct timespec rest = {.tv_nsec = 100000000};
	uint64_t ns = cycles_clock_ns();
	uint64_t cycles = cycles_now();

	(void)nanosleep(&rest, NULL); // Shorter is as good.
	cycles = cycles_now() - cycles;
	ns = cycles_clock_ns() - ns;
	return (double)cycles * 1e9 / (double)ns;
}
