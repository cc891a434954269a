// SPDX-License-Identifier: BSD-3-Clause
// What a fuzzer watches: every read of memory that a front end shares, and every store by which a ring is shown. The fuzzers'
// build defines VRING_HOOKS and the two functions; anywhere else they are nothing. Inside src/vring/.
#pragma once

#include <stddef.h>

#ifdef VRING_HOOKS
// After a read of `size` bytes at `at`, which may lie in private memory, too. What it writes there now must never be seen by
// who read it.
void vring_fetched(const volatile void *at, size_t size);
// Before a store. It need not return: then the process ended here.
void vring_storing(void);
#else
static inline void vring_fetched(const volatile void *at, size_t size)
{
	(void)at; // Nobody watches.
	(void)size;
}
static inline void vring_storing(void)
{
}
#endif
