// SPDX-License-Identifier: BSD-3-Clause
// Scope-bound clean-up for control-plane code. Never mixed with goto in one function.
#pragma once

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); // Nothing to do about a failing close here.
}

// clang calls a variable unused that is only there to be cleaned up.
#define _cleanup_free_ __attribute__((cleanup(cleanup_free_ptr), unused))
#define _cleanup_close_ __attribute__((cleanup(cleanup_close_fd), unused))

// Gives a descriptor away: returns it and leaves -1 behind.
static inline int fd_take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

// Closes *fd if it is open and marks it closed.
static inline void fd_close(int *fd)
{
	cleanup_close_fd(fd);
	*fd = -1;
}
