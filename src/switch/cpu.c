// SPDX-License-Identifier: BSD-3-Clause
// Refuses a CPU that DPDK's archives cannot run on, before anything of theirs runs: their constructors would end
// the process at an illegal instruction, which says nothing to anybody. Linked into ringway-switch only.
#include <stdlib.h>
#include <unistd.h>

#ifdef __x86_64__

static void require_cpu(void)
{
	static const char text[] =
		"ringway-switch: cannot start on this CPU: DPDK needs SSE4.2 and POPCNT, which it has not; give a virtual "
		"machine a CPU model that has them, x86-64-v2 for one\n";

	__builtin_cpu_init();
	if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"))
		return;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1); // Nothing is left to do if this fails.
	_exit(EXIT_FAILURE);
}

// Called by the dynamic loader before all constructors, those of the log included.
__attribute__((section(".preinit_array"), used)) static void (*const before_constructors)(void
) = require_cpu;

#endif
