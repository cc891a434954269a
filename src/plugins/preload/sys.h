// SPDX-License-Identifier: BSD-3-Clause
// System calls made directly: the preload library links no C library. A failure is a negative errno, as the
// kernel returns it.
#pragma once

#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long sys_call(long number, const long args[6])
{
	register long r10 __asm__("r10") = args[3];
	register long r8 __asm__("r8") = args[4];
	register long r9 __asm__("r9") = args[5];
	long result;
	__asm__ volatile(
		"syscall"
		: "=a"(result)
		: "a"(number), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory"
	);
	return result;
}

#elif defined(__aarch64__)

static inline long sys_call(long number, const long args[6])
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = args[0];
	register long x1 __asm__("x1") = args[1];
	register long x2 __asm__("x2") = args[2];
	register long x3 __asm__("x3") = args[3];
	register long x4 __asm__("x4") = args[4];
	register long x5 __asm__("x5") = args[5];
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#else
#error "the preload library knows the system calls of x86_64 and aarch64 only"
#endif
