// SPDX-License-Identifier: BSD-3-Clause
// The register of guest memory that SIGBUS may hit. Written by the control thread, read by the signal
// handler on any thread.
#pragma once

#include <stdatomic.h>
#include <stddef.h>

// Enters a mapping; *lost is set when a SIGBUS hits it. Both stay until guard_remove(). The
// number of the entry, or -ENOSPC.
int guard_add(void *addr, size_t size, atomic_bool *lost);
void guard_remove(int entry);
