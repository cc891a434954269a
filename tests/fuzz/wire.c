// SPDX-License-Identifier: BSD-3-Clause
// Datagrams as the other end of the control socket might send them, descriptors beside them. What is taken must
// be accepted again after it was sent on, and no descriptor may be lost.
#include "wire/wire.h"

#include "base/fdmsg.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS 32 // Beside one datagram, at most.

static void send_on(struct wire_msg *msg, bool from_switch, int pair[2])
{
	static struct wire_msg again; // Large.

	// A message of many ports may need more room than its text had; that it does not fit is no bug.
	if (wire_send(pair[0], msg, NULL))
		return;
	if (wire_recv(pair[1], from_switch, MSG_DONTWAIT, &again, NULL))
		abort();
	if (again.op != msg->op || again.id != msg->id || again.fd_count != msg->fd_count)
		abort();
	wire_msg_close_fds(&again);
}

// The lowest free descriptor: the same before and after, or one was lost.
static int next_fd(void)
{
	int fd = dup(STDIN_FILENO);
	if (fd >= 0)
		(void)close(fd); // It was only looked at.
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_msg msg; // Large.
	int pair[2];

	if (size < 2)
		return 0;
	bool from_switch = data[0] & 1;
	size_t fd_count = data[1] % FDS;
	int first = next_fd();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		abort();
	int fds[FDS];
	for (size_t i = 0; i < FDS; i++)
		fds[i] = pair[0];
	if (fdmsg_send(pair[0], data + 2, size - 2, fds, fd_count, MSG_DONTWAIT) > 0 &&
	    wire_recv(pair[1], from_switch, MSG_DONTWAIT, &msg, NULL) == 0) {
		send_on(&msg, from_switch, pair);
		wire_msg_close_fds(&msg);
	}
	(void)close(pair[0]); // Only this function has them.
	(void)close(pair[1]);
	if (next_fd() != first)
		abort();
	return 0;
}
