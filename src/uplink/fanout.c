// SPDX-License-Identifier: BSD-3-Clause
// Keeps DPDK's AF_PACKET driver from having the kernel put IPv4 fragments together: it always joins a fanout group with
// PACKET_FANOUT_FLAG_DEFRAG (packet(7)), and a packet that was put together is longer than its MTU, which no network
// takes. With one socket, as uplinks have it, a fanout group has no other effect. The driver is a shared library, which
// finds this function before libc's. Any thread.
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's names are reserved.
int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	if (level == SOL_PACKET && option == PACKET_FANOUT)
		return 0;
	return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}
